"""Readable extensions and writable formats."""

import pytest
import soundfile
from strategies import noise

from tfdream import audio
from tfdream.errors import AudioError

RATE = 8000


def test_common_extensions_are_readable():
    assert {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus"} <= audio.EXTENSIONS
    assert ".txt" not in audio.EXTENSIONS


@pytest.mark.parametrize(
    ("extension", "writable"),
    [(".wav", True), (".flac", True), (".ogg", True), (".mp3", False), ("", False), ("wav", False)],
)
def test_writable_formats(tmp_path, extension, writable):
    assert audio.is_writable(extension) is writable
    if writable:
        audio.check_writable(tmp_path / f"a{extension}")


def test_the_default_is_24_bits(tmp_path):
    audio.write(tmp_path / "a.wav", noise(10), RATE)
    audio.write(tmp_path / "a.flac", noise(10), RATE)
    assert {soundfile.info(path).subtype for path in tmp_path.iterdir()} == {"PCM_24"}


def test_the_extension_may_be_upper_case(tmp_path):
    audio.write(tmp_path / "A.FLAC", noise(10), RATE)
    assert soundfile.info(tmp_path / "A.FLAC").format == "FLAC"


@pytest.mark.parametrize(
    ("name", "rate", "channels", "bits", "expected"),
    [
        ("a.mp3", RATE, 1, None, r"\.wav, \.flac, \.ogg"),
        ("a", RATE, 1, None, "extension"),
        ("a.wav", RATE, 1, 8, "bits=8.*16, 24, 32"),
        ("a.wav", RATE, 1, 0, "bits=0"),
        ("a.flac", RATE, 1, 32, "bits=32.*16, 24"),
        ("a.ogg", RATE, 1, 16, "bits=16.*none"),
        ("a.flac", 900_000, 1, None, "a.flac"),
        ("a.flac", RATE, 9, None, "a.flac"),
        ("a.wav", 0, 1, None, "a.wav"),
    ],
)
def test_an_unsupported_format_is_an_error(tmp_path, name, rate, channels, bits, expected):
    with pytest.raises(AudioError, match=expected):
        audio.write(tmp_path / name, noise(10, channels), rate, bits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "bits"), [("a.wav", 8), ("a.mp3", None), ("a.ogg", 24)])
def test_a_format_can_be_checked_before_writing(tmp_path, message, name, bits):
    text = message(audio.check_writable, tmp_path / name, bits)
    assert text == message(audio.Writer, tmp_path / name, RATE, 1, bits)
    audio.check_writable(tmp_path / "a.flac", 24)
