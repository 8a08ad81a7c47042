"""Notes about audio files, from signals with known properties."""

import numpy as np
import pytest
import soundfile

from tfdream.audio.decoders.base import Damage
from tfdream.audio.notes import Examination, examine

RATE = 44100
RNG = np.random.default_rng(0)


def notes_of(signal, rate=RATE, network_rate=RATE, clip_seconds=None, damage=None):
    """Return the notes on a signal that is read in blocks of odd lengths."""
    samples = np.asarray(signal, np.float32)
    samples = samples[:, np.newaxis] if samples.ndim == 1 else samples
    examination = Examination(rate)
    blocks = np.array_split(samples, max(1, len(samples) // 30001))
    passed = list(examination.observe(blocks))
    np.testing.assert_array_equal(np.concatenate(passed), samples)
    return examination.notes(network_rate, clip_seconds, damage)


def noise(seconds=2.0, level=0.1, channels=1):
    return level * RNG.uniform(-1, 1, (round(seconds * RATE), channels))


def band_limited(highest_hz, seconds=2.0):
    """White noise without energy above a frequency, as 16-bit samples."""
    samples = round(seconds * RATE)
    hz = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum = (hz < highest_hz) * (RNG.standard_normal((len(hz), 2)) @ [1, 1j])
    signal = np.fft.irfft(spectrum, samples)
    return np.round(0.3 * signal / np.abs(signal).max() * 32768) / 32768


def test_ordinary_audio_has_no_notes():
    assert notes_of(noise(channels=2), clip_seconds=1.0) == []
    assert notes_of(noise(level=1.0)) == []  # some samples are at full scale
    assert notes_of(noise(level=3e-4)) == []  # quiet, but not silent
    assert notes_of(noise(1.0), clip_seconds=1.0) == []


def test_silence_is_noted():
    for signal in (np.zeros(RATE), np.zeros((1, 2)), noise(level=5e-5)):
        assert notes_of(signal) == ["silent"]


def test_constant_signals_are_silent_with_an_offset():
    assert notes_of(np.full(RATE, -0.25)) == ["silent", "DC offset of -0.25"]
    assert notes_of(noise() + 0.05) == ["DC offset of 0.05"]


def test_opposite_channels_are_silent_in_their_mean():
    left = noise()
    assert notes_of(np.concatenate([left, -left], axis=1)) == [
        "silent: its channels cancel each other"
    ]


def test_clipping_and_overload_are_noted():
    clipped = np.clip(noise(level=2.0), -1, 1)  # every second sample, every second of a run
    (note,) = notes_of(clipped)
    share = float(note.removeprefix("clipped: ").removesuffix(" % of the samples"))
    assert share == pytest.approx(100 / 2 / 4, rel=0.1)  # the next sample is clipped on that side
    assert notes_of(noise(level=2.0)) == ["peaks 6.0 dB above full scale"]


def test_short_files_are_padded():
    assert notes_of(noise(0.01), clip_seconds=5.0) == ["padded from 0.01 s"]
    assert "padded from 20 samples" in notes_of(noise(1)[:20], clip_seconds=5.0)
    assert notes_of(noise(4.9996), clip_seconds=5.0) == []  # rounding by a resampler


@pytest.mark.parametrize("highest_hz", [2000, 4000, 8000, 16000])
def test_the_upper_end_of_the_band_is_noted(highest_hz):
    expected = f"nothing above {highest_hz / 1000:g} kHz"
    assert notes_of(band_limited(highest_hz)) == [expected]
    # A network of a low sample rate has the same band.
    assert notes_of(band_limited(highest_hz), network_rate=2 * highest_hz) == []


def test_files_of_a_low_sample_rate_are_band_limited():
    assert notes_of(noise(), rate=8000, network_rate=22050) == ["nothing above 4 kHz"]
    assert notes_of(noise(), rate=8000, network_rate=8000) == []


def test_damage_is_noted():
    cases = {
        "truncated: header states 4.00 s, decoded 1.81 s": Damage(4 * RATE, 79821, truncated=True),
        "truncated: the end is missing after 1.81 s": Damage(None, 79821, truncated=True),
        "damaged packets skipped: 3": Damage(None, 79821, errors=3),
    }
    for note, damage in cases.items():
        assert notes_of(noise(), damage=damage) == [note]
    assert notes_of(noise(), damage=Damage(4 * RATE, 4 * RATE)) == []


def test_truncated_file_is_noted(tmp_path):
    path = tmp_path / "truncated.wav"
    soundfile.write(path, noise(4.0), RATE, "PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 79821 * 2])
    assert examine(path, RATE, 1.0) == ["truncated: header states 4.00 s, decoded 1.81 s"]
    assert examine(str(path), RATE, 5.0)[0] == "padded from 1.81 s"
