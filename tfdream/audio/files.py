"""Audio files, read and written in blocks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfdream.audio.decode import open_decoder
from tfdream.audio.decoders.base import BLOCK_SAMPLES, AudioInfo, Damage
from tfdream.audio.formats import MAX_ABS_SAMPLE, MAX_CHANNELS, SAMPLE_RATES
from tfdream.audio.streams import Samples, mid, rechunk, resample
from tfdream.errors import AudioError


class Reader:
    """An open audio file. Use it as a context manager.

    Args:
      path: the file; `-` is standard input. A pipe is copied to a temporary file first.
      isolated: decode it in another process, so that a damaged file cannot crash, block or fill
        this one; by default yes, unless the environment variable `TFDREAM_ISOLATE` is 0.

    Raises:
      AudioError: if the file is missing or not audio, or has more than `MAX_CHANNELS` channels or
        a sample rate outside `SAMPLE_RATES`.
    """

    def __init__(self, path: str | Path, isolated: bool | None = None) -> None:
        self.path = Path(path)
        self._decoder = open_decoder(self.path, isolated)
        problem = _header_problem(self.info)
        if problem:
            self._decoder.close()
            raise AudioError(f"'{path}' {problem}; repair or remove the file")

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()

    @property
    def info(self) -> AudioInfo:
        """The header; its length is None if only decoding shows it, see `AudioInfo`."""
        return self._decoder.info

    @property
    def damage(self) -> Damage | None:
        """Missing and damaged content of the file; None until its last block has been read.

        A file that is truncated, or has damaged packets in the middle, is decoded as far as
        possible without an error. `bool(reader.damage)` is True for such a file.
        """
        return self._decoder.damage

    def blocks(self, samples: int = BLOCK_SAMPLES) -> Iterator[Samples]:
        """Yield float32 `[samples, channels]` from start to end; the last block may be shorter.

        Raises:
          AudioError: if the file cannot be read, has no samples, or has samples that are NaN or
            larger than `MAX_ABS_SAMPLE`.
        """
        position = 0
        blocks = self._decoder.blocks()
        for block in blocks if samples == BLOCK_SAMPLES else rechunk(blocks, samples):
            # Also true for NaN; NumPy warns of signaling NaNs, Python does not.
            if not float(np.abs(block).max()) <= MAX_ABS_SAMPLE:
                bad = (position + _first_bad(block)) / self.info.sample_rate
                raise AudioError(
                    f"'{self.path}' has NaN, infinite or absurdly large samples near "
                    f"{bad:.2f} s; repair or remove the file"
                )
            position += len(block)
            yield block
        if not position:
            raise AudioError(f"'{self.path}' is empty (0 samples); remove the file")

    def resampled(self, sample_rate: int) -> Iterator[Samples]:
        """Yield the blocks, resampled to `sample_rate` in Hz."""
        return resample(self.blocks(), self.info.sample_rate, sample_rate)

    def mid(self, sample_rate: int) -> Iterator[Samples]:
        """Yield the mid signal `[samples, 1]`, resampled to `sample_rate` in Hz."""
        return resample(mid(self.blocks()), self.info.sample_rate, sample_rate)


def info(path: str | Path) -> AudioInfo:
    """Return the header of a file."""
    with Reader(path) as reader:
        return reader.info


def count_samples(path: str | Path) -> int:
    """Return the number of samples per channel of a file.

    The file is decoded: the length in its header may be wrong, or its end may be missing.
    """
    with Reader(path) as reader:
        return _count(reader)


def seconds(path: str | Path) -> float:
    """Return the length of a file in seconds; see `count_samples`."""
    with Reader(path) as reader:
        return _count(reader) / reader.info.sample_rate


def read(path: str | Path) -> tuple[Samples, int]:
    """Read a whole file: float32 `[samples, channels]`, and its sample rate in Hz."""
    with Reader(path) as reader:
        return np.concatenate(list(reader.blocks())), reader.info.sample_rate


def _count(reader: Reader) -> int:
    return sum(map(len, reader.blocks()))


def _first_bad(block: Samples) -> int:
    """Return the position of the first sample that is NaN or larger than `MAX_ABS_SAMPLE`."""
    with np.errstate(invalid="ignore"):  # signaling NaNs
        return int((~(np.abs(block) <= MAX_ABS_SAMPLE)).any(axis=1).argmax())


def _header_problem(info: AudioInfo) -> str | None:
    """Return why a header is implausible, or None."""
    if info.channels > MAX_CHANNELS:
        return f"has {info.channels} channels, more than {MAX_CHANNELS}"
    if info.sample_rate not in SAMPLE_RATES:
        lowest, highest = SAMPLE_RATES[0], SAMPLE_RATES[-1]
        return f"has a sample rate of {info.sample_rate} Hz, outside {lowest} to {highest} Hz"
    return None
