"""Audio files: reading and writing, whole or in blocks."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import soundfile

from tfdream.audio.streams import head, limit, mid, rechunk, resample, trim
from tfdream.errors import AudioError, OutputError
from tfdream.io.atomic import is_unicode, partial, replacing

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

MOST_CHANNELS = 64
"""Ambisonics of the seventh order."""
SAMPLE_RATES = range(1000, 768_001)
"""In Hz: what a header says beyond is a lie that resampling would make gigabytes of."""
LOUDEST = float(1 << 31)
"""An absolute sample: 32-bit integers that were taken for floats. Beyond, networks overflow."""


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


class Loudness(NamedTuple):
    """How loud a file is, over all its samples."""

    peak: float
    """The largest absolute sample."""
    mean_square: float


Gain = Callable[[Loudness], float]
"""How loud a file would be → what to multiply it by."""


class Reader:
    """An open audio file. Use as a context manager.

    Raises:
      AudioError: if the file is missing or not audio, or has more than `MOST_CHANNELS` channels or
        a rate beyond `SAMPLE_RATES`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _sound_errors(path):  # a name may be too long, or a folder closed to us
            is_file = path.is_file()
            is_empty = is_file and path.stat().st_size == 0
        if not is_unicode(path):  # neither libsndfile nor a sidecar could hold it
            raise AudioError(f"'{path}' has a name that is not valid Unicode; rename it")
        if not is_file:
            raise AudioError(f"'{path}' does not exist or is not a file")
        if is_empty:  # libsndfile says that it does not exist
            raise AudioError(f"'{path}' is empty")
        with _sound_errors(path):
            self._file = soundfile.SoundFile(path)
        problem = _implausible(self.info)
        if problem:
            self._file.close()
            raise AudioError(f"'{path}' {problem}; repair or leave out the file")

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
            if not np.abs(block).max() <= LOUDEST:  # nor is NaN
                raise AudioError(
                    f"'{self.path}' holds NaN, infinite or absurdly large samples near "
                    f"{position / self.info.sample_rate:.2f} s; repair or leave out the file"
                )
            position += len(block)
            yield block
        if not position:
            raise AudioError(f"'{self.path}' is empty (0 samples); leave it out")

    def resampled(self, sample_rate: int) -> Iterator[np.ndarray]:
        """The blocks at another rate, in Hz."""
        return resample(self.blocks(), self.info.sample_rate, sample_rate)

    def mid(self, sample_rate: int) -> Iterator[np.ndarray]:
        """The mid signal at another rate, in Hz: `[samples, 1]`."""
        return resample(mid(self.blocks()), self.info.sample_rate, sample_rate)


class Writer:
    """An audio file being written, which appears under its name when all of it is there.

    Args:
      path: `.wav`, `.flac` or `.ogg`.
      sample_rate: in Hz.
      channels: number of channels.
      bits: 16, 24 or, for wav, 32 (float); by default 24. Ogg Vorbis has none.

    Raises:
      AudioError: if the format cannot hold this, or it would hold no sample or one that is not a
        number: what is written can be read.
      OutputError: if the file cannot be written to its end.
    """

    def __init__(
        self, path: Path, sample_rate: int, channels: int, bits: int | None = None
    ) -> None:
        file_format, subtype = _file_format(path, bits)
        with ExitStack() as stack, _sound_errors(path, OutputError):
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
        with _sound_errors(self.path, OutputError):
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
            with _sound_errors(self.path, OutputError):
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
            raise OutputError(f"'{self.path}' cannot be written to its end; is the disk full?")


def _implausible(info: AudioInfo) -> str | None:
    """What is wrong with a header that no recording has."""
    if info.channels > MOST_CHANNELS:
        return f"has {info.channels} channels, more than {MOST_CHANNELS}"
    if info.sample_rate not in SAMPLE_RATES:
        lowest, highest = SAMPLE_RATES[0], SAMPLE_RATES[-1]
        return f"has a rate of {info.sample_rate} Hz, beyond {lowest} to {highest} Hz"
    return None


def info(path: Path) -> AudioInfo:
    """Read a file's header."""
    with Reader(path) as reader:
        return reader.info


def loudness(path: Path) -> Loudness:
    """How loud a file is."""
    peak = energy = 0.0
    count = 0
    with Reader(path) as reader:
        for block in reader.blocks():
            peak = max(peak, float(np.abs(block).max()))
            energy += float(np.sum(block.astype(np.float64) ** 2))
            count += block.size
    return Loudness(peak, energy / count)


def read(path: Path) -> tuple[np.ndarray, int]:
    """Read a whole file: float32 `[samples, channels]` and its sample rate."""
    with Reader(path) as reader:
        return np.concatenate(list(reader.blocks())), reader.info.sample_rate


def clip(path: Path, start_seconds: float, samples: int, sample_rate: int) -> np.ndarray:
    """A part of a file's mid signal, float32 `[samples]` at a rate in Hz.

    Behind the file's end it is silent.

    Raises:
      AudioError: if the file ends before the part begins.
    """
    skipped = round(start_seconds * sample_rate)
    with Reader(path) as reader:
        for piece in rechunk(trim(reader.mid(sample_rate), skipped, 0), samples):
            return np.pad(piece[:, 0], (0, samples - len(piece)))
    raise AudioError(f"start={start_seconds:g} s is behind the end of '{path}'")


def write(path: Path, samples: np.ndarray, sample_rate: int, bits: int | None = None) -> None:
    """Write float `[samples, channels]` or `[samples]`, limited to full scale."""
    block = samples[:, np.newaxis] if samples.ndim == 1 else samples
    write_blocks(path, [block], sample_rate, block.shape[1], bits)


def write_blocks(
    path: Path,
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    channels: int,
    bits: int | None = None,
    gain: Gain | None = None,
) -> Written:
    """Write a stream of blocks float `[samples, channels]`.

    Args:
      path, sample_rate, channels, bits: see `Writer`.
      blocks: the sound.
      gain: of the whole file; without, only what would pass full scale gets softer.
    """
    if gain is None:
        with Writer(path, sample_rate, channels, bits) as writer:
            for block in limit(blocks, sample_rate):
                writer.write(block)
        return writer.written
    # How loud it is is known when all of it is there; until then it waits as floats.
    with _waiting(partial(path.with_name(f"{path.name}.waiting.wav")), path) as waiting:
        write_floats(waiting, blocks, sample_rate, channels)
        factor = np.float32(gain(loudness(waiting)))
        with Reader(waiting) as reader, Writer(path, sample_rate, channels, bits) as writer:
            for block in reader.blocks():
                writer.write(block * factor)
    return writer.written


def write_floats(
    path: Path, blocks: Iterable[np.ndarray], sample_rate: int, channels: int
) -> Written:
    """Write a stream of blocks to a wav file exactly as they are, beyond full scale too."""
    with Writer(path, sample_rate, channels, 32) as writer:
        for block in blocks:
            writer.write(block)
    return writer.written


@contextmanager
def excerpt(path: Path, start_seconds: float, seconds: float | None) -> Iterator[Path]:
    """Give a file that holds a part of another, for as long as the block lasts.

    Args:
      path: any audio file.
      start_seconds: where the part begins.
      seconds: how long it is; to the end, if None.

    Raises:
      AudioError: if the file ends before the part begins, or the part finds no room.
    """
    if not start_seconds and seconds is None:
        yield path
        return
    with (
        tempfile.TemporaryDirectory(prefix="tfdream-") as folder,
        _waiting(Path(folder) / f"{path.stem[:200]}.wav", path) as waiting,
        Reader(path) as reader,
    ):
        info = reader.info
        first = round(start_seconds * info.sample_rate)
        count = None if seconds is None else max(1, round(seconds * info.sample_rate))
        if first >= info.samples:
            raise AudioError(
                f"start={start_seconds:g} s is behind the end of '{path}' "
                f"({info.samples / info.sample_rate:.2f} s)"
            )
        part = head(trim(reader.blocks(), first, 0), count)
        try:
            write_floats(waiting, part, info.sample_rate, info.channels)
        except OutputError:
            raise OutputError(
                f"a part of '{path}' finds no room in '{folder}'; let TMPDIR name another folder"
            ) from None
        yield waiting


@contextmanager
def _waiting(waiting: Path, instead_of: Path) -> Iterator[Path]:
    """The path of a wav file that is gone after the block; errors name what it stands for.

    What a killed process left there, the next one replaces.
    """
    try:
        yield waiting
    except AudioError as error:
        raise type(error)(str(error).replace(str(waiting), str(instead_of))) from None
    finally:
        if waiting.exists():
            waiting.unlink()


def is_writable(extension: str) -> bool:
    """Whether files of an extension, such as ``.wav``, can be written."""
    return extension in _DEFAULT_BITS


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
def _sound_errors(path: Path, kind: type[AudioError] = AudioError) -> Iterator[None]:
    try:
        yield
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError, RuntimeError) as error:
        said = getattr(error, "error_string", str(error))  # libsndfile's, without the path
        reason = " ".join(said.split()).rstrip(". ") or "damaged data"
        if reason.startswith("File does not exist"):  # it does: libmpg123 finds no sound in it
            reason = "damaged data"
        done = "written" if kind is OutputError else "decoded"
        if kind is OutputError and reason == "System error":
            reason += "; is the disk full, or the folder closed to us?"
        raise kind(f"'{path}' cannot be {done}: {reason}") from None
