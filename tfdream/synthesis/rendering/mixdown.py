"""Composition of an output: changed component and unchanged rest, and the seam of a loop."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream import audio

Blocks = Iterator[NDArray[Any]]


@dataclass(frozen=True)
class Mixdown:
    """Conversion of the changed component of a file to the output: rest, channels and loop.

    Attributes:
      rest: file that is added to the component unchanged; None if the component is the whole file.
      channel_gains: factor of the component, which then has one channel, in each channel of the
        output; None if their channels are the same.
      loop_samples: length of a loop, whose first samples follow it in the component and in the rest
        again; None for an output that is no loop.
      replaced_samples: how many first samples of a loop, at most half of it, are replaced by those
        that follow it, because filters took what is before them for silence.
      fade_samples: length of the crossfade after them.
    """

    rest: Path | None = None
    channel_gains: tuple[float, ...] | None = None
    loop_samples: int | None = None
    replaced_samples: int = 0
    fade_samples: int = 0

    def channels(self, component_channels: int) -> int:
        """Return the number of channels of the output."""
        return component_channels if self.channel_gains is None else len(self.channel_gains)

    def mix(self, blocks: Blocks) -> Blocks:
        """Add the rest to blocks of the changed component."""
        if self.rest is None:
            yield from blocks
            return
        with audio.Reader(self.rest) as reader:
            rests = audio.rechunk(reader.blocks(), audio.BLOCK_SAMPLES)
            components = audio.rechunk(blocks, audio.BLOCK_SAMPLES)
            for block, rest in zip(components, rests, strict=False):
                yield self._to_channels(block) + rest

    def extract(self, blocks: Blocks, rest: Blocks, factor: float) -> Blocks:
        """Return the component in blocks of the output.

        Args:
          blocks: blocks of the output.
          rest: blocks of the rest, filtered and crossfaded like the output.
          factor: gain that was applied to the output.
        """
        rests = audio.rechunk(rest, audio.BLOCK_SAMPLES)
        outputs = audio.rechunk(blocks, audio.BLOCK_SAMPLES)
        for output, unchanged in zip(outputs, rests, strict=False):
            component = output - np.float32(factor) * unchanged[: len(output)]
            if self.channel_gains is not None:
                gains = np.array(self.channel_gains, np.float32)
                component = (component * gains).mean(axis=1, keepdims=True)
            yield component

    def close_loop(self, blocks: Blocks, sample_rate: int, channels: int) -> Blocks:
        """Crossfade the processed continuation of the end into the first samples of a loop.

        The continuation is the start of the recording again, processed after its end.
        """
        if self.loop_samples is None:
            yield from blocks
            return
        with tempfile.TemporaryDirectory(prefix="tfdream-") as folder:
            path = Path(folder) / "loop.wav"
            audio.write_floats(path, blocks, sample_rate, channels)
            with audio.Reader(path) as reader:
                following = audio.trim(reader.blocks(), self.loop_samples, 0)
                replaced, fade = self.replaced_samples, self.fade_samples
                after = np.concatenate(list(audio.head(following, replaced + fade)))
                rising = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
                ramp = np.pad(rising, (replaced, 0))[:, np.newaxis].astype(np.float32)
                position = 0
                for block in audio.head(reader.blocks(), self.loop_samples):
                    count = max(0, min(len(block), len(after) - position))
                    now = slice(position, position + count)
                    faded = block.copy()
                    faded[:count] = after[now] + ramp[now] * (block[:count] - after[now])
                    position += len(block)
                    yield faded

    def _to_channels(self, block: NDArray[Any]) -> NDArray[Any]:
        if self.channel_gains is None:
            return block
        return block * np.array(self.channel_gains, np.float32)


NO_MIXDOWN = Mixdown()


def seam(path: str | Path) -> dict[str, float]:
    """Measure the seam of a loop.

    Returns:
      seam_step: largest difference of the first and the last sample, over all channels;
      largest_step: largest difference of neighboring samples inside.
    """
    first = last = None
    largest = 0.0
    with audio.Reader(path) as reader:
        for block in reader.blocks():
            joined = block if last is None else np.concatenate([last, block])
            first = block[:1] if first is None else first
            last = block[-1:]
            largest = max(largest, float(np.abs(np.diff(joined, axis=0)).max(initial=0.0)))
    assert first is not None
    assert last is not None
    return {"seam_step": float(np.abs(first - last).max()), "largest_step": largest}
