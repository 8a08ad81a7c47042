"""Readable extensions and writable formats."""

import pytest
import soundfile
from strategies import noise

from tfdream import audio
from tfdream.audio import formats
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
        ("a.wav", RATE, 1, 8, "bits=8.*use 16 or 24 or 32, or leave it out"),
        ("a.wav", RATE, 1, 0, "bits=0"),
        ("a.flac", RATE, 1, 32, "bits=32.*use 16 or 24, or leave it out"),
        ("a.ogg", RATE, 1, 16, "bits=16.*ogg; leave it out"),
        ("a.flac", 655_360, 1, None, r"a\.flac.* above 655350 Hz.*use \.wav"),
        ("a.flac", 88_211, 1, None, r"a\.flac.* multiple of 10 Hz.*use \.wav"),
        ("a.flac", RATE, 9, None, r"a\.flac.* 9 channels .* the 8 of FLAC; use \.wav"),
        ("a.ogg", 200_001, 1, None, r"a\.ogg.* above 200000 Hz.*use \.wav"),
        ("a.wav", 0, 1, None, r"a\.wav.* 0 Hz is outside"),
        ("a.wav", RATE, 65, None, r"a\.wav.* 65 channels are outside"),
    ],
)
def test_an_unsupported_format_is_an_error(tmp_path, name, rate, channels, bits, expected):
    with pytest.raises(AudioError, match=expected):
        audio.write(tmp_path / name, noise(10, channels), rate, bits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [("a.flac", 655_350, 8), ("a.flac", 65_535, 1), ("a.ogg", 200_000, 1), ("a.wav", 768_000, 64)],
)
def test_the_limits_of_a_format_can_be_written_and_read(tmp_path, name, rate, channels):
    audio.write(tmp_path / name, noise(100, channels), rate)
    samples, read_rate = audio.read(tmp_path / name)
    assert (samples.shape, read_rate) == ((100, channels), rate)


@pytest.mark.parametrize("gain", [None, lambda loudness: 1.0])
def test_an_unsupported_format_is_an_error_before_the_first_block(tmp_path, gain):
    def blocks():
        pytest.fail("a block was computed")
        yield

    with pytest.raises(AudioError, match=r"9 channels .* use \.wav"):
        audio.write_blocks(tmp_path / "a.flac", blocks(), RATE, 9, gain=gain)


@pytest.mark.parametrize("gain", [None, lambda loudness: 1.0])
def test_a_wav_that_would_exceed_4_gib_is_an_error_at_once(tmp_path, monkeypatch, gain):
    monkeypatch.setattr(formats, "_MAX_WAV_BYTES", 3000)
    computed = []

    def blocks():
        for number in range(4):
            computed.append(number)
            yield noise(400)

    with pytest.raises(AudioError, match=r"a\.wav.* larger than 4 GiB.*use \.flac"):
        audio.write_blocks(tmp_path / "a.wav", blocks(), RATE, 1, 24, gain=gain)
    assert computed == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []
    audio.write_blocks(tmp_path / "a.flac", blocks(), RATE, 1, 24, gain=gain)


def test_temporary_floats_may_exceed_4_gib(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_MAX_WAV_BYTES", 3000)
    audio.write_floats(tmp_path / "a.wav", [noise(2000)], RATE, 1)
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    with audio.Reader(tmp_path / "a.wav") as reader:
        assert sum(map(len, reader.blocks())) == 2000
        assert not reader.damage


@pytest.mark.parametrize(("name", "bits"), [("a.wav", 8), ("a.mp3", None), ("a.ogg", 24)])
def test_a_format_can_be_checked_before_writing(tmp_path, message, name, bits):
    text = message(audio.check_writable, tmp_path / name, bits)
    assert text == message(audio.Writer, tmp_path / name, RATE, 1, bits)
    audio.check_writable(tmp_path / "a.flac", 24)
