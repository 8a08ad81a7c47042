"""Rendering: streams of blocks are written to files, with a limiter or with a gain."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream.audio.files import Reader, Writer, Written
from tfdream.audio.streams import Samples, limit
from tfdream.errors import AudioError
from tfdream.io.atomic import temporary_path


class Loudness(NamedTuple):
    """The level of a file, over the samples of all channels."""

    peak: float
    """The largest absolute sample."""
    mean_square: float


Gain = Callable[[Loudness], float]
"""Maps the level of a file before scaling to the factor that scales it."""


def loudness(path: str | Path) -> Loudness:
    """Measure the level of a file."""
    peak = energy = 0.0
    count = 0
    with Reader(path) as reader:
        for block in reader.blocks():
            peak = max(peak, float(np.abs(block).max()))
            energy += float(np.sum(block.astype(np.float64) ** 2))
            count += block.size
    return Loudness(peak, energy / count)


def write(path: str | Path, samples: Samples, sample_rate: int, bits: int | None = None) -> None:
    """Write float `[samples, channels]` or `[samples]`, limited to full scale.

    >>> from tempfile import TemporaryDirectory
    >>> from tfdream.audio.files import info
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "silence.wav"
    ...     write(path, np.zeros((8000, 2)), sample_rate=8000)
    ...     info(path)
    AudioInfo(sample_rate=8000, channels=2, samples=8000)
    """
    block = samples[:, np.newaxis] if samples.ndim == 1 else samples
    write_blocks(path, [block], sample_rate, block.shape[1], bits)


def write_blocks(
    path: str | Path,
    blocks: Iterable[Samples],
    sample_rate: int,
    channels: int,
    bits: int | None = None,
    gain: Gain | None = None,
) -> Written:
    """Write a stream of blocks, float `[samples, channels]` each.

    Args:
      path: see `Writer`.
      blocks: the samples.
      sample_rate: see `Writer`.
      channels: see `Writer`.
      bits: see `Writer`.
      gain: scales the whole file. Without it, a limiter attenuates what exceeds full scale.
    """
    if gain is None:
        with Writer(path, sample_rate, channels, bits) as writer:
            for block in limit(blocks, sample_rate):
                writer.write(block)
        return writer.written
    # The level is available after the last block; until then the samples are stored as floats.
    path = Path(path)
    with temporary_wav(temporary_path(path.with_name(f"{path.name}.waiting.wav")), path) as floats:
        write_floats(floats, blocks, sample_rate, channels)
        factor = np.float32(gain(loudness(floats)))
        with Reader(floats) as reader, Writer(path, sample_rate, channels, bits) as writer:
            for block in reader.blocks():
                writer.write(block * factor)
    return writer.written


def write_floats(
    path: str | Path, blocks: Iterable[Samples], sample_rate: int, channels: int
) -> Written:
    """Write a stream of blocks to a float wav file without limiting, even beyond full scale."""
    with Writer(path, sample_rate, channels, 32) as writer:
        for block in blocks:
            writer.write(block)
    return writer.written


@contextmanager
def temporary_wav(temporary: Path, target: Path) -> Iterator[Path]:
    """Yield the path of a temporary wav file and remove the file afterwards.

    Audio errors inside the block name `target` instead. If a killed process left the file, it is
    replaced.
    """
    try:
        yield temporary
    except AudioError as error:
        raise type(error)(str(error).replace(str(temporary), str(target))) from None
    finally:
        if temporary.exists():
            temporary.unlink()
