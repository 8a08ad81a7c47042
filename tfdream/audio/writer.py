"""Audio files that are written in blocks."""

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from tfdream.audio.decoders import ogg
from tfdream.audio.decoders.base import BLOCK_SAMPLES, MAX_COMMENT_BYTES
from tfdream.audio.decoders.errors import audio_errors
from tfdream.audio.formats import (
    MAX_ABS_SAMPLE,
    check_supported,
    has_full_scale,
    libsndfile_format,
)
from tfdream.audio.speakers import wav_mask, wav_to_vorbis
from tfdream.audio.streams import Samples
from tfdream.errors import AudioError, OutputError
from tfdream.io.atomic import replacing

_STEPS = {"PCM_16": np.float32(2**15), "PCM_24": np.float32(2**23)}
"""Steps from 0 to full scale of the formats that `Writer` rounds to; libsndfile truncates."""
_STEREO = 2
"""Most channels of a wav file without a mask."""
_FULL_SCALE = 1.0 + 1e-6
"""The largest absolute sample of integer formats, with the error of a product of floats."""


class Written(NamedTuple):
    """The format, length and level of a written file."""

    sample_rate: int
    channels: int
    samples: int
    peak: float
    """The largest absolute sample of the file."""
    gain_db: float = 0.0
    """Gain that was applied to the whole file."""
    peak_reduction_db: float = 0.0
    """Attenuation of the largest sample to `streams.CEILING`, by `gain_db` or a limiter; 0 if none
    was necessary."""


class Writer:
    """An audio file being written, which appears under its name when it is complete.

    Args:
      path: `.wav`, `.flac` or `.ogg`.
      sample_rate: in Hz.
      channels: number of channels.
      bits: 16, 24 or, for wav, 32 (float); by default 24. Ogg Vorbis takes none.
      comment: text of the comment in the tags of the file; None writes no tags.
      rf64: write a wav file as RF64, which few programs read, but which may exceed 4 GiB.

    The same samples and comment give the same bytes: the file contains no date and no random
    number.

    Raises:
      AudioError: if the format does not support the arguments or the length, see
        `formats.check_supported`, or the file would have no samples, or NaN, infinite or absurdly
        large samples, or, in a format with integer samples, clipped ones: every written file can be
        read. `write_blocks` scales or limits the samples. Also if the comment is longer than
        `MAX_COMMENT_BYTES`.
      OutputError: if the file cannot be written completely.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        channels: int,
        bits: int | None = None,
        comment: str | None = None,
        rf64: bool = False,
    ) -> None:
        self.path = Path(path)
        self.bits = bits
        self._is_rf64 = rf64
        size = len(comment.encode()) if comment else 0
        if size > MAX_COMMENT_BYTES:
            raise AudioError(
                f"'{path}': tags of {size} bytes are longer than {MAX_COMMENT_BYTES}; use fewer "
                "settings"
            )
        file_format, subtype = libsndfile_format(self.path, bits)
        check_supported(self.path, bits, sample_rate, channels)
        self.has_full_scale = has_full_scale(self.path, bits)
        self._is_lossy = subtype == "VORBIS"
        self._steps = _STEPS.get(subtype)
        with ExitStack() as stack, audio_errors(self.path, OutputError):
            self._temporary = stack.enter_context(replacing(self.path))
            stack.push(self._check_complete)
            self._file = stack.enter_context(
                soundfile.SoundFile(
                    self._temporary,
                    "w",
                    sample_rate,
                    channels,
                    subtype,
                    format="RF64" if rf64 else _with_mask(file_format, channels),
                )
            )
            if comment:
                self._file.comment = comment
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

    def set_level(self, gain_db: float, peak_reduction_db: float) -> None:
        """Set the levels of `written`, which its samples do not show."""
        self.written = self.written._replace(gain_db=gain_db, peak_reduction_db=peak_reduction_db)

    def write(self, block: Samples) -> None:
        """Append float `[samples, channels]`."""
        peak = float(np.abs(block).max(initial=0.0))
        if not peak <= MAX_ABS_SAMPLE:  # also true for NaN
            raise AudioError(
                f"'{self.path}' is not written: it would have NaN, infinite or absurdly large "
                f"samples near {self._position_seconds:.2f} s"
            )
        if self.has_full_scale and exceeds_full_scale(peak):
            raise AudioError(
                f"'{self.path}' is not written: a sample of {peak:.3f} near "
                f"{self._position_seconds:.2f} s would be clipped; scale the samples to at most 1, "
                "or write a 32-bit wav"
            )
        samples = self.written.samples + len(block)
        if not self._is_rf64:
            check_supported(self.path, self.bits, *self.written[:2], samples)
        # libvorbis puts all samples of a call onto its stack, and crashes on some millions.
        for start in range(0, len(block), BLOCK_SAMPLES):
            with audio_errors(self.path, OutputError):
                self._file.write(self._encoded(block[start : start + BLOCK_SAMPLES]))
        self.written = self.written._replace(samples=samples, peak=max(self.written.peak, peak))

    def _encoded(self, block: Samples) -> Samples:
        """Order the channels for Vorbis, or round samples to the values of an integer format."""
        if self._is_lossy:
            return wav_to_vorbis(block)
        if self._steps is None:
            return block
        rounded: Samples = np.rint(block * self._steps)
        return np.minimum(rounded, self._steps - 1) / self._steps

    @property
    def _position_seconds(self) -> float:
        return self.written.samples / self.written.sample_rate

    def _check_complete(self, kind: type[BaseException] | None, *_: object) -> None:
        """Check that the last sample is readable: libsndfile ignores a full disk on closing."""
        if kind is not None:
            return
        _set_mask(self._temporary, self.written.channels)
        _remove_variation(self._temporary)
        if not self.written.samples:
            raise AudioError(f"'{self.path}' is not written: it would be empty (0 samples)")
        try:
            with soundfile.SoundFile(self._temporary) as file:
                if self._is_lossy:
                    self.written = self.written._replace(peak=_peak(file))
                file.seek(self.written.samples - 1)
                complete = len(file.read(1)) == 1
        except soundfile.LibsndfileError:
            complete = False
        if not complete:
            raise OutputError(
                f"'{self.path}' cannot be written completely; check the free disk space"
            )


def _with_mask(file_format: str, channels: int) -> str:
    """Return the format of libsndfile whose header has a mask of more than two channels."""
    return "WAVEX" if file_format == "WAV" and channels > _STEREO else file_format


def _set_mask(path: Path, channels: int) -> None:
    """Set the mask of a wav file: libsndfile has none for 3, 5 and 7 channels, a rare one for 8."""
    if path.suffix.lower() == ".wav" and channels > _STEREO:
        with path.open("r+b") as file:
            if b"fmt " in _wav_chunks(file):
                file.seek(20, 1)
                file.write(struct.pack("<I", wav_mask(channels)))


def _remove_variation(path: Path) -> None:
    """Replace the time in a wav file, and the random number of an Ogg stream, by 0."""
    if path.suffix.lower() == ".ogg":
        ogg.set_serial(path)
    elif path.suffix.lower() == ".wav":
        with path.open("r+b") as file:
            if b"PEAK" in _wav_chunks(file):  # its version, then the time of the measurement
                file.seek(4, 1)
                file.write(bytes(4))


def _wav_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the names of the chunks of a wav file before its samples, with the file at each."""
    position = 12
    file.seek(position)
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            return
        position = file.tell() + size + size % 2
        yield name
        file.seek(position)


def exceeds_full_scale(peak: float) -> bool:
    """Return whether a sample would be clipped in a format with integer samples.

    >>> exceeds_full_scale(1.0), exceeds_full_scale(1.01)
    (False, True)
    """
    return peak > _FULL_SCALE


def _peak(file: soundfile.SoundFile) -> float:
    """Return the largest absolute sample of an open file."""
    blocks = file.blocks(BLOCK_SAMPLES, dtype="float32")
    return max(float(np.abs(block).max(initial=0.0)) for block in blocks)
