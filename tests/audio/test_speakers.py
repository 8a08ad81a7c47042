"""Channels of surround sound are the same speakers in every format."""

import av
import numpy as np
import pytest

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
