import json
import math

import librosa
import numpy as np
import pytest
import soundfile
from calling import answer, invoke, refusal

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.evaluation.compare import compare
from tfdream.evaluation.interpretation import interpret
from tfdream.evaluation.measures.bands import uncovered_band

RATE = 44100
N_FFT, HOP = 2048, 512
KEYS = {
    *("log_spectral_distance_db", "spectral_convergence_db", "content_chroma_similarity"),
    *("onset_correlation", "floor_rise_db", "floor_cells_share", "flatness_change_db"),
    *("loudness_before_lufs", "loudness_after_lufs", "loudness_change_lu", "difference_db"),
    *("peak", "clipped_samples_before", "clipped_samples", "samples", "sample_rate", "channels"),
    *("silent_before", "silent_after", "compared_seconds", "notes", "not_covered", "assessment"),
}
# Power of white noise of deviation 1 in a cell, where a sine of 1 has 1: 4 Σw² / (Σw)² of Hann.
NOISE_CELL = 6 / N_FFT


def noise(seconds=3.0, channels=1, deviation=0.1, seed=0):
    rng = np.random.default_rng(seed)
    return deviation * rng.standard_normal((round(seconds * RATE), channels))


def tone(hz, seconds=3.0, amplitude=0.3):
    """A sine that fades in and out over its length, so that it stays in its bin."""
    times = np.arange(round(seconds * RATE))[:, None] / RATE
    return amplitude * np.sin(np.pi * times / seconds) ** 2 * np.sin(2 * np.pi * hz * times)


def melody(semitones=0, seconds=4.0):
    """A plucked chord every half second, as music has harmony and onsets, and a little noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    plucked = np.exp(-8 * (times % 0.5))
    chord = sum(
        np.sin(2 * np.pi * 220 * 2 ** ((note + semitones) / 12) * times) for note in (0, 4, 7)
    )
    return (0.2 * plucked * chord)[:, None] + noise(seconds, deviation=1e-4)


@pytest.fixture
def measure(tmp_path):
    """Return a function that compares samples, written to float files."""

    def compare_samples(original, result, rate=RATE):
        paths = tmp_path / "original.wav", tmp_path / "result.wav"
        soundfile.write(paths[0], original, RATE, "FLOAT")
        soundfile.write(paths[1], result, rate, "FLOAT")
        result = compare(*paths)
        assert set(result) == KEYS
        json.dumps(result, allow_nan=False)
        return result

    return compare_samples


# Signals with known measures


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_copy_has_no_differences(measure, channels):
    same = noise(channels=channels)
    result = measure(same, same)
    assert (result["log_spectral_distance_db"], result["loudness_change_lu"]) == (0, 0)
    assert result["flatness_change_db"] == 0
    assert result["content_chroma_similarity"] == pytest.approx(1)
    assert result["onset_correlation"] == pytest.approx(1)
    assert (result["spectral_convergence_db"], result["difference_db"]) == (-200, -200)
    assert (result["samples"], result["channels"], result["sample_rate"]) == (*same.shape, RATE)
    assert (result["compared_seconds"], result["notes"]) == (3, [])


@pytest.mark.parametrize("gain_db", [-6.0, 4.0])
def test_gain_is_measured_in_db(measure, gain_db):
    gain = 10 ** (gain_db / 20)
    sound = noise() + tone(1000)
    result = measure(sound, gain * sound)
    # Samples are float32; the rare cells below −80 dB do not move.
    assert result["log_spectral_distance_db"] == pytest.approx(abs(gain_db), abs=1e-3)
    assert result["loudness_change_lu"] == pytest.approx(gain_db, abs=1e-4)
    rise = result["loudness_after_lufs"] - result["loudness_before_lufs"]
    assert rise == result["loudness_change_lu"]
    assert result["floor_rise_db"] == pytest.approx(gain_db, abs=1e-3)
    assert result["flatness_change_db"] == pytest.approx(0, abs=1e-3)
    assert result["difference_db"] == pytest.approx(20 * math.log10(abs(gain - 1)), abs=1e-3)
    assert result["spectral_convergence_db"] == pytest.approx(result["difference_db"], abs=1e-3)
    assert result["content_chroma_similarity"] == pytest.approx(1)
    assert result["onset_correlation"] == pytest.approx(1, abs=1e-4)


def test_added_noise_raises_the_floor_by_the_theoretical_value(measure):
    before, added = 1e-3, 2e-3
    # In the middle of a bin, a sine under a Hann window is in three bins and nowhere else.
    sine = tone(100 * RATE / N_FFT)
    original = sine + noise(deviation=before)
    result = measure(original, original + noise(deviation=added, seed=1))
    assert result["floor_cells_share"] == pytest.approx(1, abs=0.01)
    expected = 10 * math.log10((before**2 + added**2) / before**2)
    # Where the tone has faded by 60 dB, its cells are 2 % of the power of the floor.
    assert result["floor_rise_db"] == pytest.approx(expected, abs=0.1)
    assert result["difference_db"] == pytest.approx(
        10 * math.log10(added**2 / (original**2).mean()), abs=0.05
    )
    assert result["content_chroma_similarity"] > 0.999


def test_channels_that_cancel_are_silent_in_the_mid_signal(measure):
    mono = noise()
    opposite = mono * [1, -1]
    result = measure(opposite, mono)
    assert (result["silent_before"], result["silent_after"]) == (True, False)
    assert result["notes"][0].startswith("the channels of the original cancel each other")
    assert any("Silence: the original is silent" in text for text in result["assessment"])
    result = measure(mono * [1, 1], opposite)
    assert (result["silent_before"], result["silent_after"]) == (False, False)
    assert result["notes"][0].startswith("the channels of the result cancel each other")


def test_digital_silence_counts_as_120_db_below_full_scale(measure):
    deviation = 1e-3
    result = measure(np.zeros((3 * RATE, 1)), noise(deviation=deviation))
    assert result["floor_cells_share"] == 1
    expected = 10 * math.log10(deviation**2 * NOISE_CELL) + 120
    # Two half frames of 259 are silence.
    assert result["floor_rise_db"] == pytest.approx(expected, abs=0.05)


def test_levels_below_120_db_are_no_rise(measure):
    original = np.zeros((3 * RATE, 1))
    result = measure(original, original + noise(deviation=1e-6))  # −145 dB in a cell
    assert result["floor_rise_db"] == 0
    assert result["log_spectral_distance_db"] == 0


def test_filter_changes_the_flatness_by_the_theoretical_value(measure):
    # ln|1 + a·exp(iω)|² has the mean 0 over all frequencies where |a| < 1, and the power 1 + a².
    before = noise()
    echo = 0.5
    after = before + echo * np.concatenate([np.zeros((1, 1)), before[:-1]])
    result = measure(before, after)
    # The window smears the zero at half the rate a little.
    expected = -10 * math.log10(1 + echo**2)
    assert result["flatness_change_db"] == pytest.approx(expected, abs=0.02)


def test_noise_makes_a_tone_flatter_and_silence_does_not_count(measure):
    sound = tone(1000)
    result = measure(sound, sound + noise(deviation=0.01))
    # −2.5 dB is what the geometric mean of a power of noise is below its mean (Euler's constant).
    assert 20 < result["flatness_change_db"] < 120 - 2.5
    silent = np.zeros_like(sound)
    later = measure(np.concatenate([sound, silent]), np.concatenate([sound, noise(deviation=0.01)]))
    # But for the two frames that reach from the tone, which has faded, into the noise.
    assert later["flatness_change_db"] == pytest.approx(0, abs=0.5)
    assert measure(sound, silent)["flatness_change_db"] is None


def test_shift_moves_onsets_but_not_harmony_and_loudness(measure):
    sound = melody()
    result = measure(sound, np.roll(sound, round(0.1 * RATE), axis=0))
    assert result["onset_correlation"] < 0.3
    assert result["content_chroma_similarity"] > 0.95
    # Windows of loudness begin every 0.1 s, here just before or just after a note.
    assert result["loudness_change_lu"] == pytest.approx(0, abs=0.2)
    # Noise that is shifted is another noise: the energies add.
    shifted = measure(noise(), np.roll(noise(), 1000, axis=0))
    assert shifted["difference_db"] == pytest.approx(10 * math.log10(2), abs=0.05)


def test_tritone_changes_harmony_but_not_rhythm(measure):
    result = measure(melody(), melody(semitones=6))
    # No note in common, but librosa's pitch classes overlap, and every pluck is in all of them.
    assert result["content_chroma_similarity"] < 0.5
    assert result["onset_correlation"] > 0.9
    octave = measure(melody(), melody(semitones=12))
    assert octave["content_chroma_similarity"] > 0.95


def test_silence_between_notes_does_not_count_for_harmony(measure):
    sound = np.concatenate([melody(), np.zeros((4 * RATE, 1))])
    hissing = sound + np.concatenate([np.zeros((4 * RATE, 1)), noise(4, deviation=0.01)])
    assert measure(sound, hissing)["content_chroma_similarity"] > 0.999


def test_other_rhythm_of_the_same_notes_is_measured(measure):
    steady = melody() + noise(4, deviation=0.05)  # drowns the plucks
    times = np.arange(4 * RATE)[:, None] / RATE
    assert measure(melody(), steady * (times % 0.35 < 0.1))["onset_correlation"] < 0.3


def test_swapped_channels_change_the_spectra_but_not_the_mid_signal(measure):
    stereo = noise(channels=2)
    result = measure(stereo, stereo[:, ::-1])
    assert result["log_spectral_distance_db"] > 5
    assert result["difference_db"] == pytest.approx(10 * math.log10(2), abs=0.05)
    assert result["loudness_change_lu"] == pytest.approx(0, abs=1e-6)
    assert result["content_chroma_similarity"] == pytest.approx(1)
    assert result["notes"] == []


def test_loudness_is_weighted_and_gated(measure):
    times = np.arange(3 * RATE)[:, None] / RATE
    low, high = (0.1 * np.sin(2 * np.pi * hz * times) for hz in (997, 10_000))
    # BS.1770: 0.691 dB at 997 Hz, which its offset takes back; far above, a shelf of 4 dB and 0.043
    # of the high-pass, which is not normalized.
    expected = 4.0 + 0.043 - 0.691
    assert measure(low, high)["loudness_change_lu"] == pytest.approx(expected, abs=0.01)
    # Without gates, silence that is as long as the sound would take 3 dB.
    half = np.where(times < 1.5, low, 0)
    assert -0.5 < measure(low, half)["loudness_change_lu"] < 0


def test_full_scale_at_997_hz_is_minus_3_lkfs(measure):
    """The standard's own check: a sine of 0 dBFS in one channel is −3.01 LKFS, in two it is 0."""
    times = np.arange(2 * RATE)[:, None] / RATE
    sine = np.sin(2 * np.pi * 997 * times)
    result = measure(np.concatenate([sine, 0 * sine], axis=1), np.repeat(sine, 2, axis=1))
    assert result["loudness_before_lufs"] == pytest.approx(-3.01, abs=0.01)
    assert result["loudness_after_lufs"] == pytest.approx(0.0, abs=0.01)


def test_peak_and_clipping_are_those_of_the_result(measure, tmp_path):
    sound = noise()
    sound[100], sound[200:204], sound[300] = 1.0, -1.5, 0.999
    result = measure(noise(), sound)
    assert (result["peak"], result["clipped_samples"]) == (1.5, 0)
    path, before = tmp_path / "clipped.wav", tmp_path / "before.wav"
    soundfile.write(path, sound, RATE, "PCM_16")  # libsndfile clips it
    soundfile.write(before, noise(), RATE, "PCM_16")
    result = compare(before, path)
    assert (result["clipped_samples_before"], result["clipped_samples"]) == (0, 3)


def test_a_file_normalized_to_full_scale_is_not_clipped(measure):
    sound = noise()
    result = measure(sound, sound / np.abs(sound).max())
    assert (result["peak"], result["clipped_samples"]) == (1.0, 0)
    assert "Clipping: 0 samples in runs at full scale; clean" in result["assessment"]


# Files of another shape


def test_other_sample_rates_are_resampled(measure):
    original = tone(440) + tone(3000)
    resampled = np.concatenate(list(audio.resample([np.float32(original)], RATE, 48000)))
    result = measure(original, resampled, 48000)
    assert result["log_spectral_distance_db"] < 0.1
    assert result["spectral_convergence_db"] < -80
    assert result["content_chroma_similarity"] == pytest.approx(1, abs=1e-6)
    assert result["loudness_change_lu"] == pytest.approx(0, abs=1e-3)
    assert result["difference_db"] is None
    assert (result["sample_rate"], result["samples"]) == (48000, len(resampled))
    first, without = result["notes"]
    assert "from 48000 to 44100 Hz" in first
    assert "difference_db" in without


def test_only_the_common_part_is_compared(measure):
    sound = noise()
    result = measure(sound, sound[: 2 * RATE])
    assert result["log_spectral_distance_db"] == 0
    assert result["compared_seconds"] == 2
    assert result["difference_db"] is None
    assert "first 2.00 s: lengths are 3.00 and 2.00 s" in result["notes"][0]
    longer = measure(sound[: 2 * RATE], sound)
    assert (longer["log_spectral_distance_db"], longer["samples"]) == (0, len(sound))


def test_different_channels_are_compared_in_the_mid_signal(measure):
    stereo = noise(channels=2)
    result = measure(stereo, stereo.mean(axis=1))
    # Files hold float32: the mean is rounded once more.
    assert result["log_spectral_distance_db"] < 1e-3
    assert result["loudness_change_lu"] == pytest.approx(0, abs=1e-4)
    assert result["difference_db"] is None
    assert "channels are 2 and 1" in result["notes"][0]


@pytest.mark.parametrize("which", ["both", "original", "result"])
def test_silence_stays_finite(measure, which):
    silence = np.zeros((RATE, 2))
    result = measure(
        silence if which != "result" else noise(1, 2),
        silence if which != "original" else noise(1, 2),
    )
    assert result["loudness_change_lu"] is None
    assert result["onset_correlation"] is None
    silent = {"both": "both files are", "original": "the original is", "result": "the result is"}
    assert result["assessment"] == [
        f"Silence: {silent[which]} silent; differences of the sound are not assessed"
    ]
    if which == "result":
        assert result["content_chroma_similarity"] == 0
        assert result["difference_db"] == result["spectral_convergence_db"] == 0
    else:
        assert result["content_chroma_similarity"] is None
        assert result["difference_db"] is result["spectral_convergence_db"] is None
    if which == "both":
        assert (result["log_spectral_distance_db"], result["floor_rise_db"]) == (0, 0)


def test_no_floor_is_no_rise(measure):
    clicks = np.zeros((2 * N_FFT + 257, 1))
    clicks[256::N_FFT] = 1.0  # one in every frame: white; too few for a loudness
    result = measure(clicks, clicks)
    assert (result["floor_cells_share"], result["floor_rise_db"]) == (0, None)
    assert result["loudness_change_lu"] is None


def test_too_short_files_are_rejected(measure):
    with pytest.raises(AudioError, match=r"\(3\.000 s\).*\(0\.045 s\).*at least 0\.093 s"):
        measure(noise(), noise()[:2000])


# Streams


def test_spectra_are_those_of_the_whole_file(measure):
    before, after = melody(), 0.5 * melody() + noise(4, deviation=0.01, seed=3)
    magnitudes = [
        np.abs(librosa.stft(sound[:, 0], n_fft=N_FFT, hop_length=HOP, pad_mode="constant"))
        for sound in (before, after)
    ]
    result = measure(before, after)
    error = np.square(magnitudes[1] - magnitudes[0]).sum() / np.square(magnitudes[0]).sum()
    assert result["spectral_convergence_db"] == pytest.approx(10 * math.log10(error), abs=1e-3)
    levels = [20 * np.log10(np.maximum(each, magnitudes[0].max() * 1e-4)) for each in magnitudes]
    distance = np.sqrt(np.square(levels[1] - levels[0]).mean(axis=0)).mean()
    assert result["log_spectral_distance_db"] == pytest.approx(distance, rel=1e-4)


def test_block_size_does_not_matter(measure, monkeypatch):
    sounds = melody(), melody() + noise(4, deviation=0.01, seed=3)
    whole = measure(*sounds)
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 1000)  # less than a window
    cut = measure(*sounds)
    for texts in ("notes", "not_covered", "assessment"):
        assert cut.pop(texts) == whole.pop(texts)
    assert cut == pytest.approx(whole, rel=1e-6)  # sums in another order


# Extra measures


def test_extra_measures_add_values_notes_and_assessments(measure, tmp_path):
    measure(noise(), noise())
    paths = tmp_path / "original.wav", tmp_path / "result.wav"
    calls = []

    def extra_measure(original, result):
        calls.append((original, result))
        values = {"style_distance_before": 0.4, "style_distance_after": 0.2}
        return {**values, "notes": ["a note"]}

    result = compare(*paths, [extra_measure])
    assert calls == [paths]
    assert set(result) == KEYS | {"style_distance_before", "style_distance_after"}
    assert result["notes"] == ["a note"]
    assert any(text.startswith("Style: 0.2 from") for text in result["assessment"])
    assert not any(text.startswith("Style") for text in compare(*paths)["assessment"])


def test_levels_above_the_band_of_a_network_are_assessed():
    def sentence(after):
        levels = {"before": -20.0, "after": after, "style": -60.0}
        values = {"style_distance_highest_hz": 11025.0, "style_distance_uncovered_db": levels}
        (finding,) = interpret(values)
        return finding.text

    assert sentence(-20.5) == (
        "Above 11.03 kHz: -20.5 dB of the energy, -20.0 dB before, -60.0 dB in the style; "
        "no closer to the style"
    )
    assert sentence(-55.0).endswith("; closer to the style")


def test_energy_above_a_frequency_is_measured_at_the_rate_of_the_file(tmp_path):
    seconds = np.arange(44100) / 44100
    low, high = (np.sin(2 * np.pi * hz * seconds) for hz in (1000, 15000))
    soundfile.write(tmp_path / "a.wav", 0.5 * low + 0.05 * high, 44100, "FLOAT")
    soundfile.write(tmp_path / "low.wav", 0.5 * low[:8000], 8000, "FLOAT")
    files = {"before": tmp_path / "a.wav", "after": tmp_path / "low.wav"}
    assert uncovered_band("m", 44100, files) == {}
    result = uncovered_band("m", 22050, files)
    assert result["m_highest_hz"] == 11025
    assert result["m_uncovered_db"]["before"] == pytest.approx(-20.04, abs=0.1)
    assert result["m_uncovered_db"]["after"] == -200
    assert result["notes"] == [
        "m: the network covers 0 to 11.03 kHz; energy above, of the whole: before -20.0 dB, "
        "after -200.0 dB"
    ]
    soundfile.write(tmp_path / "silent.wav", np.zeros(44100), 44100)
    assert uncovered_band("m", 22050, {"before": tmp_path / "silent.wav"})["notes"] == [
        "m: the network covers 0 to 11.03 kHz; energy above, of the whole: before silent"
    ]


# The command


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "original.wav", tmp_path / "result.wav"
    soundfile.write(paths[0], melody(), RATE)
    soundfile.write(paths[1], 0.5 * melody(), RATE)
    return [str(path) for path in paths]


def test_command_returns_the_result_of_the_function(files, tmp_path):
    assert answer("compare", *files) == compare(*map(type(tmp_path), files))
    output = invoke("compare", *files)
    assert "loudness_change_lu: -6.02" in output.stdout
    assert "  Loudness: -6.0 LU; softer\n" in output.stdout
    gone = refusal("compare", files[0], tmp_path / "gone.wav")
    assert gone == f"Error: '{tmp_path / 'gone.wav'}' does not exist or is not a file"
    assert invoke("compare", files[0]).exit_code == 2
