"""Audio files, read and written in blocks."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import soundfile

from tfdream.audio.decode import audio_errors, open_decoder
from tfdream.audio.formats import libsndfile_format
from tfdream.audio.streams import Samples, mid, resample
from tfdream.errors import AudioError, OutputError
from tfdream.io.atomic import replacing

BLOCK_SAMPLES = 65536
"""Samples per channel in a block."""
MAX_CHANNELS = 64
"""Channels of seventh-order ambisonics."""
SAMPLE_RATES = range(1000, 768_001)
"""In Hz. A damaged header may name other rates, for which resampling would make gigabytes."""
MAX_ABS_SAMPLE = float(1 << 31)
"""The largest value of 32-bit integers stored as floats. Networks overflow on larger ones."""


class AudioInfo(NamedTuple):
    """The header of an audio file; `samples` may be wrong if the file is damaged."""

    sample_rate: int
    channels: int
    samples: int


class Written(NamedTuple):
    """The format and length of a written file; `peak` is the largest absolute sample."""

    sample_rate: int
    channels: int
    samples: int
    peak: float


class Reader:
    """An open audio file. Use it as a context manager.

    Raises:
      AudioError: if the file is missing or not audio, or has more than `MAX_CHANNELS` channels or
        a sample rate outside `SAMPLE_RATES`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._decoder = open_decoder(self.path)
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
        """The header."""
        return AudioInfo(self._decoder.samplerate, self._decoder.channels, self._decoder.frames)

    def blocks(self, samples: int = BLOCK_SAMPLES) -> Iterator[Samples]:
        """Yield float32 `[samples, channels]` from start to end; the last block may be shorter.

        Raises:
          AudioError: if the file ends in damaged data, has no samples, or has samples that are NaN
            or larger than `MAX_ABS_SAMPLE`.
        """
        with audio_errors(self.path):
            self._decoder.seek(0)
        position = 0
        while True:
            with audio_errors(self.path):
                block = self._decoder.read(samples, dtype="float32", always_2d=True)
            if not len(block):
                break
            if not np.abs(block).max() <= MAX_ABS_SAMPLE:  # also true for NaN
                raise AudioError(
                    f"'{self.path}' has NaN, infinite or absurdly large samples near "
                    f"{position / self.info.sample_rate:.2f} s; repair or remove the file"
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


class Writer:
    """An audio file being written, which appears under its name when it is complete.

    Args:
      path: `.wav`, `.flac` or `.ogg`.
      sample_rate: in Hz.
      channels: number of channels.
      bits: 16, 24 or, for wav, 32 (float); by default 24. Ogg Vorbis takes none.

    Raises:
      AudioError: if the format does not support the arguments, or the file would have no samples,
        or NaN or infinite samples: every written file can be read.
      OutputError: if the file cannot be written completely.
    """

    def __init__(
        self, path: str | Path, sample_rate: int, channels: int, bits: int | None = None
    ) -> None:
        self.path = Path(path)
        file_format, subtype = libsndfile_format(self.path, bits)
        with ExitStack() as stack, audio_errors(self.path, OutputError):
            self._temporary = stack.enter_context(replacing(self.path))
            stack.push(self._check_complete)
            self._file = stack.enter_context(
                soundfile.SoundFile(
                    self._temporary, "w", sample_rate, channels, subtype, format=file_format
                )
            )
            self._stack = stack.pop_all()
        self.written = Written(sample_rate, channels, samples=0, peak=0.0)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with audio_errors(self.path, OutputError):
            self._stack.__exit__(kind, error, trace)

    def write(self, block: Samples) -> None:
        """Append float `[samples, channels]`."""
        if not np.isfinite(block).all():
            raise AudioError(
                f"'{self.path}' is not written: it would have NaN or infinite samples near "
                f"{self.written.samples / self.written.sample_rate:.2f} s"
            )
        # libvorbis puts all samples of a call onto its stack, and crashes on some millions.
        for start in range(0, len(block), BLOCK_SAMPLES):
            with audio_errors(self.path, OutputError):
                self._file.write(block[start : start + BLOCK_SAMPLES])
        self.written = self.written._replace(
            samples=self.written.samples + len(block),
            peak=max(self.written.peak, float(np.abs(block).max(initial=0.0))),
        )

    def _check_complete(self, kind: type[BaseException] | None, *_: object) -> None:
        """Check that the last sample is readable: libsndfile ignores a full disk on closing."""
        if kind is not None:
            return
        if not self.written.samples:
            raise AudioError(f"'{self.path}' is not written: it would be empty (0 samples)")
        try:
            with soundfile.SoundFile(self._temporary) as file:
                file.seek(self.written.samples - 1)
                complete = len(file.read(1)) == 1
        except soundfile.LibsndfileError:
            complete = False
        if not complete:
            raise OutputError(
                f"'{self.path}' cannot be written completely; check the free disk space"
            )


def info(path: str | Path) -> AudioInfo:
    """Return the header of a file."""
    with Reader(path) as reader:
        return reader.info


def read(path: str | Path) -> tuple[Samples, int]:
    """Read a whole file: float32 `[samples, channels]`, and its sample rate in Hz."""
    with Reader(path) as reader:
        return np.concatenate(list(reader.blocks())), reader.info.sample_rate


def _header_problem(info: AudioInfo) -> str | None:
    """Return why a header is implausible, or None."""
    if info.channels > MAX_CHANNELS:
        return f"has {info.channels} channels, more than {MAX_CHANNELS}"
    if info.sample_rate not in SAMPLE_RATES:
        lowest, highest = SAMPLE_RATES[0], SAMPLE_RATES[-1]
        return f"has a sample rate of {info.sample_rate} Hz, outside {lowest} to {highest} Hz"
    return None
