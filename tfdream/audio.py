"""Audio files to samples and back: float32 `[samples, channels]`, whole or in blocks.

Everything libsndfile reads is read: wav, flac, ogg, mp3, aiff and more, at any sample rate and any
number of channels. Blocks keep memory constant however long the file is.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from scipy.ndimage import minimum_filter1d

from tfdream.errors import AudioError
from tfdream.files import replacing

BLOCK_SAMPLES = 65536
EXTENSIONS = frozenset(
    f".{name.lower()}" for name in soundfile.available_formats() if name not in ("RAW",)
) | {".aif", ".aifc", ".opus", ".oga"}

_FORMATS = {
    (".wav", 16): ("WAV", "PCM_16"),
    (".wav", 24): ("WAV", "PCM_24"),
    (".wav", 32): ("WAV", "FLOAT"),
    (".flac", 16): ("FLAC", "PCM_16"),
    (".flac", 24): ("FLAC", "PCM_24"),
    (".ogg", None): ("OGG", "VORBIS"),
}
_DEFAULT_BITS: dict[str, int | None] = {".wav": 24, ".flac": 24, ".ogg": None}


class AudioInfo(NamedTuple):
    """What a file's header says; `samples` may be wrong in a damaged file."""

    sample_rate: int
    channels: int
    samples: int


class Written(NamedTuple):
    """What a finished file holds; `peak` is the largest absolute sample."""

    sample_rate: int
    channels: int
    samples: int
    peak: float


class Reader:
    """An open audio file. Use as a context manager.

    Raises:
      AudioError: if the file is missing or not audio.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise AudioError(f"'{path}' does not exist or is not a file")
        if path.stat().st_size == 0:  # libsndfile says that it does not exist
            raise AudioError(f"'{path}' is empty")
        with _sound_errors(path):
            self._file = soundfile.SoundFile(path)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def info(self) -> AudioInfo:
        """The header."""
        return AudioInfo(self._file.samplerate, self._file.channels, self._file.frames)

    def blocks(self, samples: int = BLOCK_SAMPLES) -> Iterator[np.ndarray]:
        """Yield float32 `[samples, channels]` from the start to the end, the last one shorter.

        Raises:
          AudioError: if the file ends in garbage, holds no sample, or one that is not a number.
        """
        with _sound_errors(self.path):
            self._file.seek(0)
        position = 0
        while True:
            with _sound_errors(self.path):
                block = self._file.read(samples, dtype="float32", always_2d=True)
            if not len(block):
                break
            if not np.isfinite(block).all():
                raise AudioError(
                    f"'{self.path}' holds NaN or infinite samples near "
                    f"{position / self.info.sample_rate:.2f} s; repair or leave out the file"
                )
            position += len(block)
            yield block
        if not position:
            raise AudioError(f"'{self.path}' is empty (0 samples); leave it out")


class Writer:
    """An audio file being written, which appears under its name when all of it is there.

    Args:
      path: `.wav`, `.flac` or `.ogg`.
      sample_rate: in Hz.
      channels: number of channels.
      bits: 16, 24 or, for wav, 32 (float); by default 24. Ogg Vorbis has none.

    Raises:
      AudioError: if the format cannot hold this, the file cannot be written to its end, or it would
        hold no sample or one that is not a number: what is written can be read.
    """

    def __init__(
        self, path: Path, sample_rate: int, channels: int, bits: int | None = None
    ) -> None:
        file_format, subtype = _file_format(path, bits)
        with ExitStack() as stack, _sound_errors(path, "written"):
            self._temporary = stack.enter_context(replacing(path))
            stack.push(self._check_end)
            self._file = stack.enter_context(
                soundfile.SoundFile(
                    self._temporary, "w", sample_rate, channels, subtype, format=file_format
                )
            )
            self._stack = stack.pop_all()
        self.path = path
        self.written = Written(sample_rate, channels, samples=0, peak=0.0)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _sound_errors(self.path, "written"):
            self._stack.__exit__(kind, error, trace)

    def write(self, block: np.ndarray) -> None:
        """Append float `[samples, channels]`."""
        if not np.isfinite(block).all():
            raise AudioError(
                f"'{self.path}' is not written: it would hold NaN or infinite samples near "
                f"{self.written.samples / self.written.sample_rate:.2f} s"
            )
        # libvorbis takes the whole of a call onto its stack, and crashes on some millions.
        for start in range(0, len(block), BLOCK_SAMPLES):
            with _sound_errors(self.path, "written"):
                self._file.write(block[start : start + BLOCK_SAMPLES])
        self.written = self.written._replace(
            samples=self.written.samples + len(block),
            peak=max(self.written.peak, float(np.abs(block).max(initial=0.0))),
        )

    def _check_end(self, kind: type[BaseException] | None, *_: object) -> None:
        """See that the last sample is there: libsndfile is silent if closing meets a full disk."""
        if kind is not None:
            return
        if not self.written.samples:
            raise AudioError(f"'{self.path}' is not written: it would be empty (0 samples)")
        try:
            with soundfile.SoundFile(self._temporary) as file:
                file.seek(self.written.samples - 1)
                whole = len(file.read(1)) == 1
        except soundfile.LibsndfileError:
            whole = False
        if not whole:
            raise AudioError(f"'{self.path}' cannot be written to its end; is the disk full?")


def info(path: Path) -> AudioInfo:
    """Read a file's header."""
    with Reader(path) as reader:
        return reader.info


def read(path: Path) -> tuple[np.ndarray, int]:
    """Read a whole file: float32 `[samples, channels]` and its sample rate."""
    with Reader(path) as reader:
        return np.concatenate(list(reader.blocks())), reader.info.sample_rate


def write(path: Path, samples: np.ndarray, sample_rate: int, bits: int | None = None) -> None:
    """Write float `[samples, channels]` or `[samples]`, limited to full scale."""
    blocks = samples[:, np.newaxis] if samples.ndim == 1 else samples
    with Writer(path, sample_rate, blocks.shape[1], bits) as writer:
        for block in limit(iter([blocks]), sample_rate):
            writer.write(block)


def mid(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The mean of the channels of each block: `[samples, channels]` → `[samples, 1]`."""
    for block in blocks:
        yield block.mean(axis=1, keepdims=True)


def resample(
    blocks: Iterable[np.ndarray], source_rate: int, target_rate: int
) -> Iterator[np.ndarray]:
    """Resample a stream of blocks `[samples, channels]`, aligned in time (soxr, high quality)."""
    stream = None
    for block in blocks:
        if source_rate == target_rate:
            yield block
            continue
        if stream is None:
            stream = soxr.ResampleStream(source_rate, target_rate, block.shape[1], dtype="float32")
            empty = block[:0]
        resampled = stream.resample_chunk(np.ascontiguousarray(block))
        if len(resampled):
            yield resampled
    if stream is not None:
        rest = stream.resample_chunk(empty, last=True)
        if len(rest):
            yield rest


def rechunk(blocks: Iterable[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Join and cut blocks so that each has `samples` samples, but for a shorter last one."""
    waiting: list[np.ndarray] = []
    held = 0
    for block in blocks:
        waiting.append(block)
        held += len(block)
        if held < samples:
            continue
        joined = np.concatenate(waiting)
        whole = held - held % samples
        for start in range(0, whole, samples):
            yield joined[start : start + samples]
        waiting, held = [joined[whole:]], held - whole
    if held:
        yield np.concatenate(waiting)


def trim(blocks: Iterable[np.ndarray], start: int, end: int) -> Iterator[np.ndarray]:
    """Drop the first `start` and the last `end` samples of a stream."""
    held: list[np.ndarray] = []
    for block in blocks:
        dropped = min(start, len(block))
        start -= dropped
        held.append(block[dropped:])
        while held and sum(map(len, held[1:])) >= end:
            ready = held.pop(0)
            if len(ready):
                yield ready
    rest = np.concatenate(held) if held else np.zeros((0, 1), np.float32)
    if len(rest) > end:
        yield rest[: len(rest) - end]


def limit(
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    ceiling: float = 0.999,
    look_ahead_seconds: float = 0.005,
) -> Iterator[np.ndarray]:
    """Keep a stream of blocks `[samples, channels]` under `ceiling`, without clipping.

    The gain falls smoothly before a peak and rises after it, the same for all channels; what never
    passes the ceiling is not touched at all. The gain of each sample is a weighted mean of minima
    that all cover the sample, hence never more than the sample needs.
    """
    reach = max(1, round(look_ahead_seconds * sample_rate))
    weights = np.hanning(2 * reach + 3)[1:-1]
    weights /= weights.sum()
    context = 2 * reach

    def gains(needed: np.ndarray) -> np.ndarray:
        lowest = minimum_filter1d(needed, 2 * reach + 1, mode="nearest")[reach:-reach]
        if lowest.min() == 1.0:
            return np.ones(len(needed) - 2 * context, np.float32)
        return np.convolve(lowest, weights, "valid").astype(np.float32)

    before = np.ones(context)
    pending: np.ndarray | None = None
    for block in blocks:
        joined = block if pending is None else np.concatenate([pending, block])
        needed = np.concatenate([before, _needed_gain(joined, ceiling)])
        ready = len(joined) - context
        if ready > 0:
            yield joined[:ready] * gains(needed)[:, None]
            before = needed[ready : ready + context]
            joined = joined[ready:]
        pending = joined
    if pending is not None and len(pending):
        needed = np.concatenate([before, _needed_gain(pending, ceiling), np.ones(context)])
        yield pending * gains(needed)[:, None]


def _needed_gain(block: np.ndarray, ceiling: float) -> np.ndarray:
    return ceiling / np.maximum(np.abs(block).max(axis=1), ceiling)


def check_writable(path: Path, bits: int | None = None) -> None:
    """Raise AudioError if `path` does not end in a format that we write, with these bits."""
    _file_format(path, bits)


def _file_format(path: Path, bits: int | None) -> tuple[str, str]:
    extension = path.suffix.lower()
    if extension not in _DEFAULT_BITS:
        raise AudioError(
            f"'{path.name}' does not end in one of {', '.join(_DEFAULT_BITS)}; "
            "the extension chooses the format"
        )
    chosen = _DEFAULT_BITS[extension] if bits is None else bits
    if (extension, chosen) not in _FORMATS:
        possible = [str(known) for suffix, known in _FORMATS if suffix == extension and known]
        raise AudioError(
            f"bits={bits} does not go with {extension} (possible: {', '.join(possible) or 'none'})"
        )
    return _FORMATS[extension, chosen]


@contextmanager
def _sound_errors(path: Path, done: str = "decoded") -> Iterator[None]:
    try:
        yield
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError, RuntimeError) as error:
        said = getattr(error, "error_string", str(error))  # libsndfile's, without the path
        reason = " ".join(said.split()).rstrip(". ") or "damaged data"
        raise AudioError(f"'{path}' cannot be {done}: {reason}") from None
