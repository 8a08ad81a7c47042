import json
import math
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile
from calling import answer, invoke, refusal

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.evaluation.compare import compare

RATE = 44100
N_FFT, HOP = 2048, 512
KEYS = {
    *("log_spectral_distance_db", "spectral_convergence_db", "content_chroma_similarity"),
    *("onset_correlation", "floor_rise_db", "floor_cells_share", "flatness_change_db"),
    *("loudness_before_lufs", "loudness_after_lufs", "loudness_change_lu", "difference_db"),
    *("peak", "clipped_samples", "samples", "sample_rate", "channels"),
    *("compared_seconds", "notes", "assessment"),
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
def judge(tmp_path):
    """`compare` of samples, which are written as they are."""

    def judged(original, result, rate=RATE):
        paths = tmp_path / "original.wav", tmp_path / "result.wav"
        soundfile.write(paths[0], original, RATE, "FLOAT")
        soundfile.write(paths[1], result, rate, "FLOAT")
        found = compare(*paths)
        assert set(found) == KEYS
        json.dumps(found, allow_nan=False)
        return found

    return judged


# What is known beforehand


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_copy_is_equal(judge, channels):
    same = noise(channels=channels)
    found = judge(same, same)
    assert (found["log_spectral_distance_db"], found["loudness_change_lu"]) == (0, 0)
    assert found["flatness_change_db"] == 0
    assert found["content_chroma_similarity"] == pytest.approx(1)
    assert found["onset_correlation"] == pytest.approx(1)
    assert (found["spectral_convergence_db"], found["difference_db"]) == (-200, -200)
    assert (found["samples"], found["channels"], found["sample_rate"]) == (*same.shape, RATE)
    assert (found["compared_seconds"], found["notes"]) == (3, [])


@pytest.mark.parametrize("gain_db", [-6.0, 4.0])
def test_a_gain_is_told_in_db(judge, gain_db):
    gain = 10 ** (gain_db / 20)
    sound = noise() + tone(1000)
    found = judge(sound, gain * sound)
    # Samples are float32; the rare cells below −80 dB do not move.
    assert found["log_spectral_distance_db"] == pytest.approx(abs(gain_db), abs=1e-3)
    assert found["loudness_change_lu"] == pytest.approx(gain_db, abs=1e-4)
    rise = found["loudness_after_lufs"] - found["loudness_before_lufs"]
    assert rise == found["loudness_change_lu"]
    assert found["floor_rise_db"] == pytest.approx(gain_db, abs=1e-3)
    assert found["flatness_change_db"] == pytest.approx(0, abs=1e-3)
    assert found["difference_db"] == pytest.approx(20 * math.log10(abs(gain - 1)), abs=1e-3)
    assert found["spectral_convergence_db"] == pytest.approx(found["difference_db"], abs=1e-3)
    assert found["content_chroma_similarity"] == pytest.approx(1)
    assert found["onset_correlation"] == pytest.approx(1, abs=1e-4)


def test_added_noise_raises_the_floor_as_theory_says(judge):
    before, added = 1e-3, 2e-3
    # In the middle of a bin, a sine under a Hann window is in three bins and nowhere else.
    sine = tone(100 * RATE / N_FFT)
    original = sine + noise(deviation=before)
    found = judge(original, original + noise(deviation=added, seed=1))
    assert found["floor_cells_share"] == pytest.approx(1, abs=0.01)
    expected = 10 * math.log10((before**2 + added**2) / before**2)
    # Where the tone has faded by 60 dB, its cells are 2 % of the power of the floor.
    assert found["floor_rise_db"] == pytest.approx(expected, abs=0.1)
    assert found["difference_db"] == pytest.approx(
        10 * math.log10(added**2 / (original**2).mean()), abs=0.05
    )
    assert found["content_chroma_similarity"] > 0.999


def test_digital_silence_counts_as_120_db_below_full_scale(judge):
    deviation = 1e-3
    found = judge(np.zeros((3 * RATE, 1)), noise(deviation=deviation))
    assert found["floor_cells_share"] == 1
    expected = 10 * math.log10(deviation**2 * NOISE_CELL) + 120
    # Two half frames of 259 are silence.
    assert found["floor_rise_db"] == pytest.approx(expected, abs=0.05)


def test_softer_than_120_db_is_no_rise(judge):
    original = np.zeros((3 * RATE, 1))
    found = judge(original, original + noise(deviation=1e-6))  # −145 dB in a cell
    assert found["floor_rise_db"] == 0
    assert found["log_spectral_distance_db"] == 0


def test_a_filter_changes_the_flatness_as_theory_says(judge):
    # ln|1 + a·exp(iω)|² has the mean 0 over all frequencies where |a| < 1, and the power 1 + a².
    before = noise()
    echo = 0.5
    after = before + echo * np.concatenate([np.zeros((1, 1)), before[:-1]])
    found = judge(before, after)
    # The window smears the zero at half the rate a little.
    expected = -10 * math.log10(1 + echo**2)
    assert found["flatness_change_db"] == pytest.approx(expected, abs=0.02)


def test_noise_makes_a_tone_flatter_and_silence_does_not_count(judge):
    sound = tone(1000)
    found = judge(sound, sound + noise(deviation=0.01))
    # −2.5 dB is what the geometric mean of a power of noise is below its mean (Euler's constant).
    assert 20 < found["flatness_change_db"] < 120 - 2.5
    silent = np.zeros_like(sound)
    later = judge(np.concatenate([sound, silent]), np.concatenate([sound, noise(deviation=0.01)]))
    # But for the two frames that reach from the tone, which has faded, into the noise.
    assert later["flatness_change_db"] == pytest.approx(0, abs=0.5)
    assert judge(sound, silent)["flatness_change_db"] is None


def test_a_shift_moves_the_onsets_and_keeps_harmony_and_loudness(judge):
    sound = melody()
    found = judge(sound, np.roll(sound, round(0.1 * RATE), axis=0))
    assert found["onset_correlation"] < 0.3
    assert found["content_chroma_similarity"] > 0.95
    # Windows of loudness begin every 0.1 s, here just before or just after a note.
    assert found["loudness_change_lu"] == pytest.approx(0, abs=0.2)
    # Noise that is shifted is another noise: the energies add.
    shifted = judge(noise(), np.roll(noise(), 1000, axis=0))
    assert shifted["difference_db"] == pytest.approx(10 * math.log10(2), abs=0.05)


def test_a_tritone_is_another_harmony_in_the_same_rhythm(judge):
    found = judge(melody(), melody(semitones=6))
    # No note in common, but librosa's pitch classes overlap, and every pluck is in all of them.
    assert found["content_chroma_similarity"] < 0.5
    assert found["onset_correlation"] > 0.9
    octave = judge(melody(), melody(semitones=12))
    assert octave["content_chroma_similarity"] > 0.95


def test_silence_between_notes_does_not_count_for_harmony(judge):
    sound = np.concatenate([melody(), np.zeros((4 * RATE, 1))])
    hissing = sound + np.concatenate([np.zeros((4 * RATE, 1)), noise(4, deviation=0.01)])
    assert judge(sound, hissing)["content_chroma_similarity"] > 0.999


def test_another_rhythm_on_the_same_notes_is_told(judge):
    steady = melody() + noise(4, deviation=0.05)  # drowns the plucks
    times = np.arange(4 * RATE)[:, None] / RATE
    assert judge(melody(), steady * (times % 0.35 < 0.1))["onset_correlation"] < 0.3


def test_swapped_channels_are_a_change_that_the_mid_does_not_hear(judge):
    stereo = noise(channels=2)
    found = judge(stereo, stereo[:, ::-1])
    assert found["log_spectral_distance_db"] > 5
    assert found["difference_db"] == pytest.approx(10 * math.log10(2), abs=0.05)
    assert found["loudness_change_lu"] == pytest.approx(0, abs=1e-6)
    assert found["content_chroma_similarity"] == pytest.approx(1)
    assert found["notes"] == []


def test_loudness_weighs_what_is_heard(judge):
    times = np.arange(3 * RATE)[:, None] / RATE
    low, high = (0.1 * np.sin(2 * np.pi * hz * times) for hz in (997, 10_000))
    # BS.1770: 0.691 dB at 997 Hz, which its offset takes back; far above, a shelf of 4 dB and 0.043
    # of the high-pass, which is not normalized.
    expected = 4.0 + 0.043 - 0.691
    assert judge(low, high)["loudness_change_lu"] == pytest.approx(expected, abs=0.01)
    # Without gates, silence that is as long as the sound would take 3 dB.
    half = np.where(times < 1.5, low, 0)
    assert -0.5 < judge(low, half)["loudness_change_lu"] < 0


def test_full_scale_at_997_hz_is_minus_3_lkfs(judge):
    """The standard's own check: a sine of 0 dBFS in one channel is −3.01 LKFS, in two it is 0."""
    times = np.arange(2 * RATE)[:, None] / RATE
    sine = np.sin(2 * np.pi * 997 * times)
    found = judge(np.concatenate([sine, 0 * sine], axis=1), np.repeat(sine, 2, axis=1))
    assert found["loudness_before_lufs"] == pytest.approx(-3.01, abs=0.01)
    assert found["loudness_after_lufs"] == pytest.approx(0.0, abs=0.01)


def test_peak_and_clipping_are_those_of_the_result(judge, tmp_path):
    sound = noise()
    sound[100], sound[200], sound[300] = 1.0, -1.5, 0.999
    found = judge(noise(), sound)
    assert (found["peak"], found["clipped_samples"]) == (1.5, 2)
    path = tmp_path / "clipped.wav"
    soundfile.write(path, sound, RATE, "PCM_16")  # libsndfile clips it
    assert compare(path, path)["clipped_samples"] == 2


# Files of another shape


def test_another_rate_is_resampled(judge):
    original = tone(440) + tone(3000)
    result = np.concatenate(list(audio.resample([np.float32(original)], RATE, 48000)))
    found = judge(original, result, 48000)
    assert found["log_spectral_distance_db"] < 0.1
    assert found["spectral_convergence_db"] < -80
    assert found["content_chroma_similarity"] == pytest.approx(1, abs=1e-6)
    assert found["loudness_change_lu"] == pytest.approx(0, abs=1e-3)
    assert found["difference_db"] is None
    assert (found["sample_rate"], found["samples"]) == (48000, len(result))
    resampled, without = found["notes"]
    assert "from 48000 to 44100 Hz" in resampled
    assert "difference_db" in without


def test_a_shorter_file_is_compared_as_far_as_it_goes(judge):
    sound = noise()
    found = judge(sound, sound[: 2 * RATE])
    assert found["log_spectral_distance_db"] == 0
    assert found["compared_seconds"] == 2
    assert found["difference_db"] is None
    assert "first 2.00 s: lengths are 3.00 and 2.00 s" in found["notes"][0]
    longer = judge(sound[: 2 * RATE], sound)
    assert (longer["log_spectral_distance_db"], longer["samples"]) == (0, len(sound))


def test_another_number_of_channels_is_compared_in_the_mid(judge):
    stereo = noise(channels=2)
    found = judge(stereo, stereo.mean(axis=1))
    # Files hold float32: the mean is rounded once more.
    assert found["log_spectral_distance_db"] < 1e-3
    assert found["loudness_change_lu"] == pytest.approx(0, abs=1e-4)
    assert found["difference_db"] is None
    assert "channels are 2 and 1" in found["notes"][0]


@pytest.mark.parametrize("which", ["both", "original", "result"])
def test_silence_stays_finite(judge, which):
    silence = np.zeros((RATE, 2))
    found = judge(
        silence if which != "result" else noise(1, 2),
        silence if which != "original" else noise(1, 2),
    )
    assert found["loudness_change_lu"] is None
    assert found["onset_correlation"] is None
    if which == "result":
        assert found["content_chroma_similarity"] == 0
        assert found["difference_db"] == found["spectral_convergence_db"] == 0
    else:
        assert found["content_chroma_similarity"] is None
        assert found["difference_db"] is found["spectral_convergence_db"] is None
    if which == "both":
        assert (found["log_spectral_distance_db"], found["floor_rise_db"]) == (0, 0)


def test_no_floor_is_no_rise(judge):
    clicks = np.zeros((2 * N_FFT + 257, 1))
    clicks[256::N_FFT] = 1.0  # one in every frame: white; too few for a loudness
    found = judge(clicks, clicks)
    assert (found["floor_cells_share"], found["floor_rise_db"]) == (0, None)
    assert found["loudness_change_lu"] is None


def test_too_little_in_common_is_refused(judge):
    with pytest.raises(AudioError, match=r"\(3\.000 s\).*\(0\.045 s\).*both need 0\.093 s"):
        judge(noise(), noise()[:2000])


# Streams


def test_spectra_are_those_of_the_whole_file(judge):
    before, after = melody(), 0.5 * melody() + noise(4, deviation=0.01, seed=3)
    magnitudes = [
        np.abs(librosa.stft(sound[:, 0], n_fft=N_FFT, hop_length=HOP, pad_mode="constant"))
        for sound in (before, after)
    ]
    found = judge(before, after)
    error = np.square(magnitudes[1] - magnitudes[0]).sum() / np.square(magnitudes[0]).sum()
    assert found["spectral_convergence_db"] == pytest.approx(10 * math.log10(error), abs=1e-3)
    levels = [20 * np.log10(np.maximum(each, magnitudes[0].max() * 1e-4)) for each in magnitudes]
    distance = np.sqrt(np.square(levels[1] - levels[0]).mean(axis=0)).mean()
    assert found["log_spectral_distance_db"] == pytest.approx(distance, rel=1e-4)


def test_blocks_leave_no_trace(judge, monkeypatch):
    sounds = melody(), melody() + noise(4, deviation=0.01, seed=3)
    whole = judge(*sounds)
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 1000)  # less than a window
    cut = judge(*sounds)
    for sentences in ("notes", "assessment"):
        assert cut.pop(sentences) == whole.pop(sentences)
    assert cut == pytest.approx(whole, rel=1e-6)  # sums in another order


# Opinions


def test_opinions_add_their_measures_notes_and_words(judge, tmp_path):
    judge(noise(), noise())
    paths = tmp_path / "original.wav", tmp_path / "result.wav"
    heard = []

    def opinion(original, result):
        heard.append((original, result))
        near = {"style_distance_before": 0.4, "style_distance_after": 0.2}
        return {**near, "notes": ["by ear"]}

    found = compare(*paths, [opinion])
    assert heard == [paths]
    assert set(found) == KEYS | {"style_distance_before", "style_distance_after"}
    assert found["notes"] == ["by ear"]
    assert any(sentence.startswith("Style: 0.2 from") for sentence in found["assessment"])
    assert not any(sentence.startswith("Style") for sentence in compare(*paths)["assessment"])


# The command


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "original.wav", tmp_path / "result.wav"
    soundfile.write(paths[0], melody(), RATE)
    soundfile.write(paths[1], 0.5 * melody(), RATE)
    return [str(path) for path in paths]


def test_the_command_says_what_the_function_does(files, tmp_path):
    assert answer("compare", *files) == compare(*map(type(tmp_path), files))
    told = invoke("compare", *files)
    assert "loudness_change_lu: -6.02" in told.stdout
    assert "  Loudness: -6.0 LU; softer\n" in told.stdout
    gone = refusal("compare", files[0], tmp_path / "gone.wav")
    assert gone == f"Error: '{tmp_path / 'gone.wav'}' does not exist or is not a file"
    assert invoke("compare", files[0]).exit_code == 2


@pytest.mark.slow
def test_the_command_does_without_tensorflow(files):
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from tfdream.cli import main\n"
        "assert CliRunner().invoke(main, ['compare', *sys.argv[1:]]).exit_code == 0\n"
        "slow = {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    subprocess.run([sys.executable, "-c", script, *files], check=True)
