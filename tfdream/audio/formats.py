"""Audio formats: the extensions that can be read, and the formats that can be written."""

from pathlib import Path

import soundfile

from tfdream.errors import AudioError

EXTENSIONS = frozenset(
    f".{name.lower()}" for name in soundfile.available_formats() if name not in ("RAW",)
) | {".aif", ".aifc", ".opus", ".oga"}
"""Extensions of audio files, lower case."""

_FORMATS = {
    (".wav", 16): ("WAV", "PCM_16"),
    (".wav", 24): ("WAV", "PCM_24"),
    (".wav", 32): ("WAV", "FLOAT"),
    (".flac", 16): ("FLAC", "PCM_16"),
    (".flac", 24): ("FLAC", "PCM_24"),
    (".ogg", None): ("OGG", "VORBIS"),
}
_DEFAULT_BITS: dict[str, int | None] = {".wav": 24, ".flac": 24, ".ogg": None}


def is_writable(extension: str) -> bool:
    """Return whether files with an extension can be written.

    >>> is_writable(".flac"), is_writable(".mp3")
    (True, False)
    """
    return extension in _DEFAULT_BITS


def check_writable(path: str | Path, bits: int | None = None) -> None:
    """Check that the extension of `path` is a writable format with this number of bits.

    Raises:
      AudioError: if it is not.
    """
    libsndfile_format(path, bits)


def libsndfile_format(path: str | Path, bits: int | None) -> tuple[str, str]:
    """Return libsndfile's names of the format and the sample type for an output.

    Args:
      path: output file; its extension selects the format.
      bits: bits per sample, or None for the default.

    Raises:
      AudioError: if the format is not writable, or not with this number of bits.

    >>> libsndfile_format("song.flac", None)
    ('FLAC', 'PCM_24')
    """
    path = Path(path)
    extension = path.suffix.lower()
    if extension not in _DEFAULT_BITS:
        raise AudioError(
            f"'{path.name}' does not end in one of {', '.join(_DEFAULT_BITS)}; "
            "the extension selects the format"
        )
    selected = _DEFAULT_BITS[extension] if bits is None else bits
    if (extension, selected) not in _FORMATS:
        possible = [str(number) for suffix, number in _FORMATS if suffix == extension and number]
        raise AudioError(
            f"bits={bits} is not available for {extension} "
            f"(available: {', '.join(possible) or 'none'})"
        )
    return _FORMATS[extension, selected]
