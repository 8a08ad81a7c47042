"""Rendering: streams of blocks are written to files, with a limiter or with a gain."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tfdream.audio.files import Reader
from tfdream.audio.formats import check_supported
from tfdream.audio.level import Level, measure_level
from tfdream.audio.streams import CEILING, Counted, Samples, limit
from tfdream.audio.writer import Writer, Written, exceeds_full_scale
from tfdream.errors import AudioError
from tfdream.io.atomic import temporary_path
from tfdream.io.signals import uninterrupted

_LOWEST_DB = -200.0
"""Stands for a gain of zero."""
_LARGEST_LIMITING_DB = 6.0
"""Largest attenuation of peaks that is not audible as a change of level."""


Gain = Callable[[Level], float | None]
"""Maps the level of a file before scaling to the factor that scales it, see `write_scaled`."""


def write(path: str | Path, samples: Samples, sample_rate: int, bits: int | None = None) -> None:
    """Write float `[samples, channels]` or `[samples]`, limited to `CEILING`.

    >>> from tempfile import TemporaryDirectory
    >>> from tfdream.audio.files import info
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "silence.wav"
    ...     write(path, np.zeros((8000, 2)), sample_rate=8000)
    ...     info(path)
    AudioInfo(sample_rate=8000, channels=2, samples=8000, estimated_samples=8000)
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
    comment: str | None = None,
    limits: bool = True,
) -> Written:
    """Write a stream of blocks, float `[samples, channels]` each, without clipping.

    Args:
      path: see `Writer`.
      blocks: the samples.
      sample_rate: see `Writer`.
      channels: see `Writer`.
      bits: see `Writer`.
      gain: scales the whole file; where samples are integers, or it returns None, a limiter
        attenuates peaks by up to 6 dB, and the gain is reduced if that is not enough. Without it, a
        limiter attenuates whatever exceeds `CEILING`.
      comment: see `Writer`.
      limits: whether there is a limiter; otherwise the gain of the whole file is reduced as far as
        it would attenuate peaks. A limiter does not continue from the end of a loop to its start.
    """
    if gain is None and limits:
        meter = PeakMeter()
        with Writer(path, sample_rate, channels, bits, comment) as writer:
            for block in limit(meter.measure(blocks), sample_rate):
                writer.write(block)
            writer.set_level(0.0, reduction_db(meter.peak, CEILING))
        return writer.written
    # The level is available after the last block; until then the samples are stored as floats.
    path = Path(path)
    check_supported(path, bits, sample_rate, channels)
    counted = Counted(blocks)

    def checked() -> Iterator[Samples]:
        for block in counted:
            check_supported(path, bits, sample_rate, channels, counted.samples)
            yield block

    with temporary_wav(temporary_path(path.with_name(f"{path.name}.waiting.wav")), path) as floats:
        write_floats(floats, checked(), sample_rate, channels)
        level = measure_level(floats)
        with (
            Reader(floats) as reader,
            Writer(path, sample_rate, channels, bits, comment) as writer,
        ):
            factor = None if gain is None else gain(level)
            write_scaled(writer, reader.blocks(), factor, level.peak, limits)
    return writer.written


def write_scaled(
    writer: Writer,
    blocks: Iterable[Samples],
    factor: float | None,
    peak: float,
    limits: bool = True,
) -> None:
    """Write a stream with a gain; where samples would exceed full scale, see `fit`.

    Args:
      writer: the open file.
      blocks: the samples.
      factor: the gain; None for 1, and peaks within full scale in formats that need not have them.
      peak: largest absolute sample of the stream.
      limits: see `write_blocks`.
    """
    bounded = factor is None or writer.has_full_scale
    applied, reduction = fit(1.0 if factor is None else factor, peak, bounded, limits)
    scaled = (block if applied == 1 else block * np.float32(applied) for block in blocks)
    for block in limit(scaled, writer.written.sample_rate) if reduction and limits else scaled:
        writer.write(block)
    gain_db = max(20 * math.log10(applied), _LOWEST_DB) if applied else _LOWEST_DB
    writer.set_level(gain_db, reduction)


def fit(factor: float, peak: float, bounded: bool, limits: bool = True) -> tuple[float, float]:
    """Reduce a gain so that a limiter attenuates no peak of the output by more than 6 dB.

    Args:
      factor: the gain.
      peak: largest absolute sample before the gain.
      bounded: whether the output must not exceed full scale.
      limits: whether there is a limiter; otherwise the gain alone reduces the peaks.

    Returns:
      The gain to apply, and by how many dB gain and limiter together reduce the largest sample.

    >>> fit(1.0, peak=0.9, bounded=True)
    (1.0, 0.0)
    >>> gain, reduction_db = fit(1.0, peak=4.0, bounded=True)
    >>> round(gain, 2), round(reduction_db, 2)
    (0.5, 12.05)
    """
    if not bounded or not exceeds_full_scale(factor * peak):
        return factor, 0.0
    largest_db = _LARGEST_LIMITING_DB if limits else 0.0
    applied = min(factor, 10 ** (largest_db / 20) * CEILING / peak)
    return applied, reduction_db(factor * peak, CEILING)


def reduction_db(peak: float, ceiling: float) -> float:
    """Return by how many dB a peak is above a ceiling, 0 if it is below."""
    return max(0.0, 20 * math.log10(peak / ceiling)) if peak else 0.0


class PeakMeter:
    """Measures the largest absolute sample of a stream.

    >>> meter = PeakMeter()
    >>> [block.shape for block in meter.measure([np.array([[0.1], [-0.5]])])]
    [(2, 1)]
    >>> meter.peak
    0.5
    """

    def __init__(self) -> None:
        self.peak = 0.0

    def measure(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield the blocks, unchanged."""
        for block in blocks:
            self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
            yield block


def write_floats(
    path: str | Path, blocks: Iterable[Samples], sample_rate: int, channels: int
) -> Written:
    """Write a stream of blocks to a temporary float wav file without limiting.

    The file is RF64, so that it may exceed 4 GiB.
    """
    with Writer(path, sample_rate, channels, 32, rf64=True) as writer:
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
        with uninterrupted():
            if temporary.exists():
                temporary.unlink()
