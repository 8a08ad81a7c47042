"""Options of a call that renders a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray


class PreviewFn(Protocol):
    """Receives intermediate results of a computation."""

    def __call__(
        self, step: int, seconds: float, sample_rate: int, render: Callable[[], NDArray[Any]], /
    ) -> None:
        """Receive the intermediate result of a step.

        Args:
          step: number of finished steps.
          seconds: start of the intermediate result in the file.
          sample_rate: its sample rate in Hz.
          render: returns it, float32 `[samples, channels]`; nothing is rendered until it is called.
        """


@dataclass(frozen=True)
class OutputOptions:
    """Options of an output file.

    Attributes:
      bits: bits per sample, see `audio.Writer`; None for the default of the format.
      force: overwrite an existing output.
      tag: content of the output's tag, see `tags`; None describes the call itself.
      preview: receives the first tile of the current batch after every step, or each block of
        generated audio.
      other_outputs: outputs of other files, which no snapshot replaces, even if `force` is set.
    """

    bits: int | None = None
    force: bool = False
    tag: str | None = field(default=None, kw_only=True)
    preview: PreviewFn | None = field(default=None, kw_only=True, compare=False)
    other_outputs: frozenset[Path] = field(default=frozenset(), kw_only=True, compare=False)


@dataclass(frozen=True)
class RenderOptions(OutputOptions):
    """Options for rendering a changed audio file, beside those of `OutputOptions`.

    Attributes:
      start_seconds: start of the range of the source that is processed and written.
      seconds: length of that range; None extends it to the end.
      save_every: also write the intermediate result after every this many steps, beside the output.
      part: the component that is processed: harmonic, percussive, mid, side, or one of `stems`;
        None processes all.
      stems: audio files of separated components, by name.
      loop: the end of the output continues into its beginning.
      keep_falling: write the change of tiles whose objective is worse than before, too; by default
        they stay unchanged.

    >>> RenderOptions(bits=24, seconds=10.0).start_seconds
    0.0
    """

    start_seconds: float = 0.0
    seconds: float | None = None
    save_every: int | None = None
    keep_falling: bool = False
    part: str | None = None
    stems: Mapping[str, str] = field(default_factory=dict)
    loop: bool = False

    def settings(self) -> dict[str, object]:
        """Return the options that determine the samples of the output, for the sidecar."""
        return {
            "start_seconds": self.start_seconds,
            "seconds": self.seconds,
            "bits": self.bits,
            "keep_falling": self.keep_falling,
            "part": self.part,
            "stems": dict(self.stems),
            "loop": self.loop,
        }


DEFAULT_OUTPUT = OutputOptions()
DEFAULT_RENDER = RenderOptions()
