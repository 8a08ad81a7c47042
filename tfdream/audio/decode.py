"""Selects the decoder that an audio file is opened with.

libsndfile decodes files of PCM samples, Ogg Vorbis, and ALAC in CAF, libav everything else. FLAC is
among the rest: libsndfile stops where its header is wrong, and both decode it to the same bits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from tfdream.audio import pipes
from tfdream.audio.decoders import isolation, sndfile
from tfdream.audio.decoders.base import Damage, Decoder
from tfdream.audio.decoders.errors import audio_errors
from tfdream.audio.formats import ONLY_LIBSNDFILE
from tfdream.audio.streams import Samples
from tfdream.errors import AudioError
from tfdream.io.atomic import is_unicode


def open_decoder(path: Path, isolated: bool | None = None) -> Decoder:
    """Open an audio file for reading.

    Args:
      path: the file; `-` is standard input.
      isolated: decode it in another process, which it may crash or block; by default yes, unless
        the environment variable `TFDREAM_ISOLATE` is 0.

    Raises:
      AudioError: if the file is missing, empty or not audio.
    """
    with audio_errors(path):  # the name may be too long, or the folder not accessible
        copy = pipes.copied(path)
    if isolated is None:
        isolated = isolation.is_enabled()
    return _open(path, isolated) if copy == path else _PipeDecoder(path, copy, isolated)


def _open(path: Path, isolated: bool) -> Decoder:
    check_file(path)
    if isolated:
        return isolation.IsolatedDecoder(path)
    return isolation.guarded(open_here, path)


class _PipeDecoder:
    """Decoder of the copy of a pipe, whose errors contain the name of the pipe."""

    def __init__(self, pipe: Path, copy: Path, isolated: bool) -> None:
        self._pipe, self._copy = pipe, copy
        with self._named_errors():
            self._decoder = _open(copy, isolated)
        self.info = self._decoder.info
        self.close = self._decoder.close

    @property
    def damage(self) -> Damage | None:
        return self._decoder.damage

    def blocks(self) -> Iterator[Samples]:
        with self._named_errors():
            yield from self._decoder.blocks()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except AudioError as error:
            text = str(error).replace(str(self._copy), str(self._pipe))
            raise AudioError(text.replace(f"'{self._copy.name}'", f"'{self._pipe}'")) from None


def check_exists(path: Path) -> None:
    """Check that a path is a file, a folder or a pipe, without reading it.

    Raises:
      AudioError: if it is not.
    """
    with audio_errors(path):
        if not (pipes.is_pipe(path) or path.exists()):
            raise _missing(path)


def check_file(path: Path) -> None:
    """Check that a path is a file with content.

    Raises:
      AudioError: if it is not.
    """
    with audio_errors(path):  # the name may be too long, or the folder not accessible
        is_file, is_folder = path.is_file(), path.is_dir()
        is_empty = is_file and path.stat().st_size == 0
    if not is_unicode(path):  # neither the decoders nor a sidecar support it
        raise AudioError(f"'{path}' has a name that is not valid Unicode; rename it")
    if is_folder:
        raise AudioError(
            f"'{path}' is a folder, but a file is required; name files in it, such as {path}/*.wav"
        )
    if not is_file:
        raise _missing(path)
    if is_empty:
        raise AudioError(f"'{path}' is empty")


def _missing(path: Path) -> AudioError:
    return AudioError(f"'{path}' does not exist or is not a file")


def open_here(path: Path) -> Decoder:
    """Open an audio file in this process."""
    with audio_errors(path):
        order: list[Callable[[Path], Decoder]] = [_open_libav, sndfile.SndfileDecoder]
        if sndfile.supports(path):
            order.reverse()
        elif path.suffix.lower() not in ONLY_LIBSNDFILE:
            return _open_libav(path)
        try:
            return order[0](path)
        except (AudioError, soundfile.LibsndfileError) as error:
            try:
                return order[1](path)
            except (AudioError, soundfile.LibsndfileError) as second:
                # libsndfile names the damaged part of a header.
                is_vague = isinstance(error, soundfile.LibsndfileError) and error.code == 1
                raise (second if is_vague else error) from None


def _open_libav(path: Path) -> Decoder:
    from tfdream.audio.decoders.libav import LibavDecoder  # its import takes 0.1 s

    return LibavDecoder(path)
