"""Audio formats: the extensions that can be read, the formats that can be written, and limits."""

from collections.abc import Iterator
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
"""Extensions of files whose audio can be read, lower case. Of a video, its first audio stream."""
ONLY_LIBSNDFILE = frozenset(
    ".avr .htk .ircam .mat4 .mat5 .nist .paf .pvf .sd2 .sds .wve .xi".split()  # noqa: SIM905, as the texts above
)
"""Extensions of formats that libav does not decode."""

MAX_CHANNELS = 64
"""Channels of seventh-order ambisonics."""
SAMPLE_RATES = range(1000, 768_001)
"""Accepted rates in Hz. A damaged header may name others; resampling would make gigabytes."""
MAX_ABS_SAMPLE = float(1 << 31)
"""The largest value of 32-bit integers stored as floats. Networks overflow on larger ones."""

_FORMATS = {
    (".wav", 16): ("WAV", "PCM_16"),
    (".wav", 24): ("WAV", "PCM_24"),
    (".wav", 32): ("WAV", "FLOAT"),
    (".flac", 16): ("FLAC", "PCM_16"),
    (".flac", 24): ("FLAC", "PCM_24"),
    (".ogg", None): ("OGG", "VORBIS"),
}
_DEFAULT_BITS: dict[str, int | None] = {".wav": 24, ".flac": 24, ".ogg": None}
_BYTES = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}
# The sizes in the header of a wav file have 32 bits; the header itself has less than 2¹⁶ bytes.
_MAX_WAV_BYTES = (1 << 32) - (1 << 16)
_MAX_FLAC_CHANNELS = 8
# The header of a FLAC frame stores the rate in 16 bits, in Hz or in units of 10 Hz.
_MAX_FLAC_RATE, _MAX_FLAC_RATE_IN_HZ = 655_350, 65_535
# Above it, libsndfile opens the file, and crashes when it is closed.
_MAX_VORBIS_RATE = 200_000


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


def check_supported(
    path: str | Path, bits: int | None, sample_rate: int, channels: int, samples: int = 0
) -> None:
    """Check that a file of this format can be written, and read again.

    Args:
      path: output file; its extension selects the format.
      bits: bits per sample, or None for the default.
      sample_rate: in Hz.
      channels: number of channels.
      samples: least length of the output, in samples per channel.

    Raises:
      AudioError: if the format does not support these values; the message names the limit.

    >>> check_supported("song.wav", 16, 96_000, 12)
    """
    for problem in _violations(libsndfile_format(path, bits), sample_rate, channels, samples):
        raise AudioError(f"'{path}' cannot be written: {problem}")


def _violations(
    file_format: tuple[str, str], sample_rate: int, channels: int, samples: int
) -> Iterator[str]:
    """Yield the limits of a format that are violated, each with a remedy."""
    container, subtype = file_format
    if sample_rate not in SAMPLE_RATES:
        lowest, highest = SAMPLE_RATES[0], SAMPLE_RATES[-1]
        yield f"{sample_rate} Hz is outside of {lowest} to {highest} Hz; resample it"
    if not 1 <= channels <= MAX_CHANNELS:
        yield f"{channels} channels are outside of 1 to {MAX_CHANNELS}; select some"
    if container == "FLAC":
        if channels > _MAX_FLAC_CHANNELS:
            yield f"{channels} channels are more than the {_MAX_FLAC_CHANNELS} of FLAC; use .wav"
        if sample_rate > _MAX_FLAC_RATE:
            yield f"{sample_rate} Hz is above {_MAX_FLAC_RATE} Hz, the limit of FLAC; use .wav"
        if sample_rate > _MAX_FLAC_RATE_IN_HZ and sample_rate % 10:
            yield (
                f"{sample_rate} Hz is not a multiple of 10 Hz, which FLAC requires above "
                f"{_MAX_FLAC_RATE_IN_HZ} Hz; use .wav"
            )
    if container == "OGG" and sample_rate > _MAX_VORBIS_RATE:
        yield f"{sample_rate} Hz is above {_MAX_VORBIS_RATE} Hz, the limit of Vorbis; use .wav"
    if container == "WAV" and samples * channels * _BYTES[subtype] > _MAX_WAV_BYTES:
        yield "it would be larger than 4 GiB, the limit of wav; use .flac"


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
        remedy = f"use {' or '.join(possible)}, or leave it out" if possible else "leave it out"
        raise AudioError(f"bits={bits} is not available for {extension}; {remedy}")
    return _FORMATS[extension, selected]
