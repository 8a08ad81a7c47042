"""Audio formats: the extensions that can be read, and the formats that can be written."""

from pathlib import Path

import soundfile

from tfdream.errors import AudioError

_OF_LIBSNDFILE = frozenset(
    f".{name.lower()}" for name in soundfile.available_formats() if name not in ("RAW", "MPC2K")
)
_OF_LIBAV = (
    ".3g2 .3gp .aac .ac3 .adts .aif .aifc .amr .ape .asf .avi .dsf .dts .eac3 .flv .m2ts .m4a "
    ".m4b .m4r .m4v .mka .mkv .mov .mp2 .mp3 .mp4 .mpc .mpeg .mpg .mpga .oga .ogv .opus .rm .spx "
    ".tak .tta .webm .wma .wmv .wv"
)
EXTENSIONS = _OF_LIBSNDFILE.union(_OF_LIBAV.split())
"""Extensions of files whose audio can be read, lower case. Of a video, its first audio track."""
ONLY_LIBSNDFILE = frozenset(
    ".avr .htk .ircam .mat4 .mat5 .nist .paf .pvf .sd2 .sds .wve .xi".split()  # noqa: SIM905, as the texts above
)
"""Extensions of formats that libav does not decode."""

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


def has_full_scale(path: str | Path, bits: int | None = None) -> bool:
    """Return whether the samples of an output are integers, which clip beyond full scale.

    Raises:
      AudioError: as `check_writable`.

    >>> has_full_scale("song.wav", 16), has_full_scale("song.wav", 32), has_full_scale("song.ogg")
    (True, False, False)
    """
    return libsndfile_format(path, bits)[1].startswith("PCM")


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
