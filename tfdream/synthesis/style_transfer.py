"""The interface of the methods of `transfer`."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfdream import audio
from tfdream.audio.notes import Examination
from tfdream.config import AnyTransfer
from tfdream.errors import AudioError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import RunFolder
from tfdream.synthesis.rendering import sidecar, tags
from tfdream.synthesis.rendering.curves import NO_TIMELINES, Timelines
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.process import check_outputs, log_notes, process_file
from tfdream.synthesis.rendering.processor import TileProcessor
from tfdream.synthesis.rendering.sidecar import Provenance
from tfdream.synthesis.rendering.sources import prepared


class StyleTransfer(abc.ABC):
    """A style and a recipe, prepared once for any number of contents.

    Attributes:
      style_path: any audio file, of any length; all of it is used.
      config: the recipe.
      run: the classifier or transfer network, if the recipe uses one.
      style_notes: notes on the style, such as its bandwidth.
    """

    style_path: Path
    config: AnyTransfer
    run: RunFolder | None = None
    style_notes: Sequence[str]

    @property
    def steps(self) -> int:
        """Largest number of steps for each batch of tiles."""
        return 1

    @abc.abstractmethod
    def processor(
        self,
        content_path: str | Path,
        options: RenderOptions = DEFAULT_RENDER,
        timelines: Timelines = NO_TIMELINES,
    ) -> TileProcessor:
        """Build the processor of the tiles of a content, or of a part of it, with its curves."""

    def prepare(
        self, content_path: str | Path, options: RenderOptions = DEFAULT_RENDER
    ) -> TileProcessor:
        """Build the processor of the tiles of a content, or of a part of it, without curves."""
        return self.processor(content_path, options)

    def details(self, processor: TileProcessor) -> dict[str, Any]:
        """Return further entries of the result."""
        return {}

    def __call__(
        self,
        content_path: str | Path,
        output: str | Path,
        options: RenderOptions = DEFAULT_RENDER,
        progress: ProgressFn = no_progress,
    ) -> dict[str, Any]:
        """Give a file the style, and measure the written file; see `transfer`."""
        content_path, output = Path(content_path), Path(output)
        check_outputs(output, options, self.steps, (content_path, self.style_path))
        provenance = self.provenance(content_path, options)
        with (
            prepared(content_path, options, self.config) as part,
            sidecar.claim(output, provenance),
        ):
            processor = self.processor(part.path, part.options, part.timelines)
            tagged = tags.tagged(part.options, provenance)
            result = process_file(part, output, processor, self.config, tagged, progress)
            result |= self.details(processor)
            result["notes"] += [f"style: {note}" for note in self.style_notes]
            sidecar.write(output, provenance, result)
        return result

    def provenance(
        self, content_path: str | Path, options: RenderOptions = DEFAULT_RENDER
    ) -> Provenance:
        """Return the inputs and settings that determine the transfer of a file."""
        return tags.with_inputs(
            {
                "command": "transfer",
                "content": str(content_path),
                "style": str(self.style_path),
                "run": self.run and self.run.describe(),
                "config": self.config.model_dump(mode="json"),
                **options.settings(),
            }
        )


def style_notes(path: Path, sample_rate: int) -> list[str]:
    """Return the notes on a style; raise AudioError if it is silent."""
    with audio.Reader(path) as reader:
        examination = Examination(reader.info.sample_rate)
        for _ in examination.observe(reader.blocks()):
            pass
        notes = examination.notes(sample_rate, damage=reader.damage)
    if examination.is_silent:
        raise AudioError(f"style '{path}' is silent; use another recording")
    log_notes(path, notes)
    return notes
