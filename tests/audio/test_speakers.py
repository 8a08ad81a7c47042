"""Channels of surround sound are the same speakers in every format."""

import av
import numpy as np
import pytest
import soundfile

from tfdream import audio

RATE = 8000
SPEAKERS = {
    3: ["FL", "FR", "FC"],
    4: ["FL", "FR", "BL", "BR"],
    5: ["FL", "FR", "FC", "BL", "BR"],
    6: ["FL", "FR", "FC", "LFE", "BL", "BR"],
    7: ["FL", "FR", "FC", "LFE", "BC", "SL", "SR"],
    8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"],
}

# From "Multiple Channel Audio Data and WAVE Files" of Microsoft; ffmpeg writes the same.
MASKS = {3: 0x007, 4: 0x033, 5: 0x037, 6: 0x03F, 7: 0x70F, 8: 0x63F}


def levels(channels):
    """A tone with another level in each channel, low enough for LFE."""
    tone = np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE)[:, np.newaxis]
    return (tone * np.linspace(0.1, 0.8, channels)).astype(np.float32)


def planes(path):
    """Return the names of the speakers and the samples that libav decodes alone."""
    with av.open(str(path)) as file:
        layout = file.streams.audio[0].layout
        frames = list(file.decode(audio=0))
        count = layout.nb_channels
    samples = [
        [np.frombuffer(memoryview(plane), np.float32, frame.samples) for plane in frame.planes]
        for frame in frames
    ]
    joined = np.concatenate([np.stack(each[:count], axis=1) for each in samples])
    return [channel.name for channel in layout.channels], joined


def assert_levels(samples):
    """Check the level of each channel, away from the ends.

    Vorbis errs by some percent; the tolerance is half of the least difference of two channels.
    """
    expected = np.linspace(0.1, 0.8, samples.shape[1])
    np.testing.assert_allclose(np.abs(samples[2000:6000]).max(axis=0), expected, atol=0.05)


@pytest.mark.parametrize("channels", SPEAKERS)
def test_vorbis_has_the_speakers_of_wav(tmp_path, channels):
    audio.write(tmp_path / "a.ogg", levels(channels), RATE)
    assert_levels(audio.read(tmp_path / "a.ogg")[0])
    names, samples = planes(tmp_path / "a.ogg")
    assert names == SPEAKERS[channels]
    assert_levels(samples)


@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, *SPEAKERS, 12])
def test_a_wav_has_the_mask_of_its_speakers(tmp_path, channels, bits):
    path = tmp_path / "a.wav"
    audio.write_blocks(path, [levels(channels)], RATE, channels, bits, comment="a comment")
    content = path.read_bytes()
    start = content.index(b"fmt ") + 8
    is_extensible = content[start : start + 2] == b"\xfe\xff"
    assert is_extensible == (channels > 2)
    if channels in SPEAKERS:
        assert int.from_bytes(content[start + 20 : start + 24], "little") == MASKS[channels]
        with av.open(str(path)) as file:
            layout = file.streams.audio[0].layout
            assert [channel.name for channel in layout.channels] == SPEAKERS[channels]
    with audio.Reader(path) as reader:
        np.testing.assert_allclose(
            np.concatenate(list(reader.blocks())), levels(channels), atol=2.0 ** (1 - bits)
        )
        assert not reader.damage
    assert audio.read_comment(path) == "a comment"


@pytest.mark.parametrize("channels", [2, 6])
def test_temporary_floats_of_several_channels_are_read_back(tmp_path, channels):
    audio.write_floats(tmp_path / "a.wav", [levels(channels)], RATE, channels)
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav")[0], levels(channels))
