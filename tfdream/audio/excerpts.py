"""Parts of audio files, as samples or as temporary files."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdream.audio.decoders.base import Damage
from tfdream.audio.files import Reader
from tfdream.audio.render import temporary_wav, write_floats
from tfdream.audio.streams import Counted, Samples, head, rechunk, trim
from tfdream.errors import AudioError, OutputError


def clip(path: str | Path, start_seconds: float, samples: int, sample_rate: int) -> Samples:
    """Return a part of a file's mid signal, zero-padded beyond the end of the file.

    Args:
      path: any audio file.
      start_seconds: start of the part.
      samples: length of the part, at `sample_rate`.
      sample_rate: sample rate of the result, in Hz.

    Returns:
      float32 `[samples]`.

    Raises:
      AudioError: if the file ends before the part begins.
    """
    skipped = round(start_seconds * sample_rate)
    with Reader(path) as reader:
        for piece in rechunk(trim(reader.mid(sample_rate), skipped, 0), samples):
            return np.pad(piece[:, 0], (0, samples - len(piece)))
    raise AudioError(f"start={start_seconds:g} s is beyond the end of '{path}'")


class Part(NamedTuple):
    """A part of a file.

    Attributes:
      path: an audio file that contains the part: a temporary wav file, or the whole file itself.
      damage: of the whole file, from which a temporary file was cut; None for the file itself.
    """

    path: Path
    damage: Damage | None


@contextmanager
def excerpt(path: str | Path, start_seconds: float, seconds: float | None) -> Iterator[Path]:
    """Yield the path of a part of a file; see `part_of`."""
    with part_of(path, start_seconds, seconds) as part:
        yield part.path


@contextmanager
def part_of(path: str | Path, start_seconds: float, seconds: float | None) -> Iterator[Part]:
    """Yield a part of a file; a temporary wav file that contains it is removed afterwards.

    Args:
      path: any audio file. It is decoded to its end, so that any damage is found.
      start_seconds: start of the part.
      seconds: length of the part; None extends it to the end.

    Raises:
      AudioError: if the file ends before the part begins.
      OutputError: if the folder of temporary files is full.
    """
    path = Path(path)
    if not start_seconds and seconds is None:
        yield Part(path, damage=None)
        return
    with (
        tempfile.TemporaryDirectory(prefix="tfdream-") as folder,
        temporary_wav(Path(folder) / f"{path.stem[:200]}.wav", path) as temporary,
        Reader(path) as reader,
    ):
        info = reader.info
        first = round(start_seconds * info.sample_rate)
        count = None if seconds is None else max(1, round(seconds * info.sample_rate))
        whole = Counted(reader.blocks())
        blocks = head(trim(whole, first, 0), count)
        beginning = next(blocks, None)
        if beginning is None:
            length = whole.samples / info.sample_rate
            raise AudioError(
                f"start={start_seconds:g} s is beyond the end of '{path}' ({length:.2f} s)"
            )
        blocks = itertools.chain([beginning], blocks)
        try:
            write_floats(temporary, blocks, info.sample_rate, info.channels)
        except OutputError:
            raise OutputError(
                f"a part of '{path}' does not fit into the temporary folder '{folder}'; set TMPDIR "
                "to another folder"
            ) from None
        yield Part(temporary, _damage_after(whole, reader))


def _damage_after(blocks: Counted, reader: Reader) -> Damage | None:
    """Decode the rest of a file and return its damage; a rest that fails counts as missing."""
    try:
        for _ in blocks:
            pass
    except AudioError:  # what was read before is complete
        return Damage(decoded_samples=blocks.samples, truncated=True)
    return reader.damage
