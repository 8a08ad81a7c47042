"""Parts of audio files, as samples or as temporary files."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tfdream.audio.files import Reader, count_samples
from tfdream.audio.render import temporary_wav, write_floats
from tfdream.audio.streams import Samples, head, rechunk, trim
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


@contextmanager
def excerpt(path: str | Path, start_seconds: float, seconds: float | None) -> Iterator[Path]:
    """Yield a temporary wav file that contains a part of a file; if it is all, the file itself.

    Args:
      path: any audio file.
      start_seconds: start of the part.
      seconds: length of the part; None extends it to the end.

    Raises:
      AudioError: if the file ends before the part begins.
      OutputError: if the folder of temporary files is full.
    """
    path = Path(path)
    if not start_seconds and seconds is None:
        yield path
        return
    with (
        tempfile.TemporaryDirectory(prefix="tfdream-") as folder,
        temporary_wav(Path(folder) / f"{path.stem[:200]}.wav", path) as part,
        Reader(path) as reader,
    ):
        info = reader.info
        first = round(start_seconds * info.sample_rate)
        count = None if seconds is None else max(1, round(seconds * info.sample_rate))
        blocks = head(trim(reader.blocks(), first, 0), count)
        beginning = next(blocks, None)
        if beginning is None:
            seconds = count_samples(path) / info.sample_rate
            raise AudioError(
                f"start={start_seconds:g} s is beyond the end of '{path}' ({seconds:.2f} s)"
            )
        blocks = itertools.chain([beginning], blocks)
        try:
            write_floats(part, blocks, info.sample_rate, info.channels)
        except OutputError:
            raise OutputError(
                f"a part of '{path}' does not fit into the temporary folder '{folder}'; set TMPDIR "
                "to another folder"
            ) from None
        yield part
