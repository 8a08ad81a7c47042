"""libsndfile: files of PCM samples, Ogg Vorbis and ALAC. Its lengths of these formats are exact."""

import re
from collections.abc import Iterator
from pathlib import Path

import soundfile

from tfdream.audio.decoders import ogg
from tfdream.audio.decoders.base import BLOCK_SAMPLES, AudioInfo, Damage
from tfdream.audio.decoders.errors import audio_errors
from tfdream.audio.speakers import vorbis_to_wav
from tfdream.audio.streams import Samples

_SIGNATURES = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b".snd", b"dns.", b"caff", b"OggS")
_CODECS_OF_LIBAV = ("MPEG", "FLAC", "OPUS", "ALAC_20", "ALAC_32")
"""Of ALAC, libsndfile decodes 20 and 32 bits to other samples if a packet is not compressed."""
_UNSUPPORTED = 1
"""libsndfile's code of the error that a format is not recognized."""

# In the log of libsndfile, if the file is shorter than its header states.
_SIZE_IN_BYTES = re.compile(
    r"^\s*(?:data|SSND|riff|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE
)
_SIZE_IN_FRAMES = re.compile(r"from '(?:ds64' chunk of |COMM' chunk \()(\d+)")
_PLACEHOLDERS = (2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_PLACEHOLDER_SLACK = 8192
"""Programs that write to a pipe subtract the header, or round down to 4096 bytes."""


def supports(path: Path) -> bool:
    """Return whether libsndfile reads the length of this kind of file reliably.

    The first bytes of the file decide, because extensions are often wrong. Chained Ogg files are
    excluded: libsndfile stops after the first one.
    """
    with path.open("rb") as file:
        signature = file.read(64)
    if signature.startswith(b"OggS"):
        return b"\x01vorbis" in signature and not ogg.is_chained(path)
    return signature.startswith(_SIGNATURES)


class SndfileDecoder:
    """An audio file that is open in libsndfile.

    Raises:
      soundfile.LibsndfileError: if libsndfile cannot decode it, or not with a reliable length.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = soundfile.SoundFile(path)
        # A stream may declare 0 samples, which libav ignores.
        if self._file.subtype.startswith(_CODECS_OF_LIBAV) or not self._file.frames:
            self._file.close()
            raise soundfile.LibsndfileError(_UNSUPPORTED)
        frames = self._file.frames
        self.info = AudioInfo(self._file.samplerate, self._file.channels, frames, frames)
        self.damage: Damage | None = None

    def blocks(self) -> Iterator[Samples]:
        """Yield the samples from the start of the file; see `Decoder`."""
        self.damage = None
        with audio_errors(self._path):
            self._file.seek(0)
        decoded = 0
        while True:
            with audio_errors(self._path):
                block: Samples = self._file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
            if not len(block):
                break
            decoded += len(block)
            yield vorbis_to_wav(block) if self._file.subtype == "VORBIS" else block
        expected = max(_declared_frames(self._file), self._file.frames)
        truncated = decoded < expected
        if self._file.format == "OGG":
            truncated |= not ogg.has_end(self._path)
        self.damage = Damage(expected, decoded, errors=0, truncated=truncated)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _declared_frames(file: soundfile.SoundFile) -> int:
    """Return the length in the header of a truncated file; 0 if it is a placeholder or not known.

    libsndfile corrects `frames` to the length of the file and logs the difference.
    """
    log = file.extra_info
    frames = [int(match[1]) for match in _SIZE_IN_FRAMES.finditer(log)]
    for match in _SIZE_IN_BYTES.finditer(log):
        declared, actual = int(match[1]), int(match[2])
        if actual and not _is_placeholder(declared):
            frames.append(file.frames * declared // actual)
    return max(frames, default=0)


def _is_placeholder(size: int) -> bool:
    return any(0 <= limit - size < _PLACEHOLDER_SLACK for limit in _PLACEHOLDERS)
