import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from scipy import signal

from tfdream.corpus.instruments import PEAK_DBFS, Song, melody, oscillate
from tfdream.corpus.styles import STYLES, compose, write_corpus
from tfdream.errors import AudioError, ConfigError

RATE = 16000


def song(**changes):
    settings = {
        "rng": np.random.default_rng(0),
        "seconds": 8.0,
        "sample_rate": RATE,
        "tempo_bpm": 120.0,
        "tonic_midi": 60,
        "mode": 0,
        "chords": (0, 3),
    }
    return Song(**(settings | changes))


def beat_strength(samples):
    """Return the maximum autocorrelation of the onset curve for a beat of 118 to 142 bpm."""
    _, _, spectra = signal.stft(samples.mean(axis=1), RATE, nperseg=1024, noverlap=768)
    rises = np.diff(np.log1p(1000 * np.abs(spectra)), axis=1).clip(0).mean(axis=0)
    onsets = rises - np.convolve(rises, np.full(63, 1 / 63), "same")  # without slow changes
    similarity = np.correlate(onsets, onsets, "full")[len(onsets) - 1 :] / (onsets @ onsets)
    lag_seconds = np.arange(len(onsets)) * 256 / RATE
    return similarity[(lag_seconds > 60 / 142) & (lag_seconds < 60 / 118)].max()


def timbre(samples):
    """Return the mean level of five bands between the fades, and its change from frame to frame."""
    mid = samples[RATE // 2 : -RATE // 2].mean(axis=1)
    hz, _, spectra = signal.stft(mid, RATE, nperseg=1024, boundary=None)
    band = np.digitize(hz, [150, 600, 2000, 5000])
    energy = np.array([(np.abs(spectra[band == number]) ** 2).sum(axis=0) for number in range(5)])
    level = np.log10(energy / energy.sum(axis=0).mean() + 1e-6)
    return np.concatenate([level.mean(axis=1), 3 * np.diff(level, axis=1).std(axis=1)])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("seconds", "sample_rate"), [(3.0, 22050), (0.1, 4000)])
def test_a_song_is_finite_stereo_and_normalized(style, seconds, sample_rate):
    samples = compose(style, 1, seconds, sample_rate)
    assert samples.shape == (round(seconds * sample_rate), 2)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert 20 * np.log10(np.abs(samples).max()) == pytest.approx(PEAK_DBFS, abs=0.01)  # float32
    assert np.abs(samples[[0, -1]]).max() < 1e-4  # the fades
    sides_apart = np.std(samples[:, 0] - samples[:, 1]) / np.std(samples)
    assert sides_apart > 0.05


@pytest.mark.parametrize("style", STYLES)
def test_the_song_depends_on_the_seed(style):
    first = compose(style, 5, 2.0, RATE)
    assert np.array_equal(first, compose(style, 5, 2.0, RATE))
    other = compose(style, 6, 2.0, RATE)
    # Kicks that coincide would correlate a little; 45 pairs of songs stay below 0.2.
    assert abs(np.corrcoef(first.mean(axis=1), other.mean(axis=1))[0, 1]) < 0.4


@pytest.mark.slow
def test_a_song_is_the_same_in_another_process():
    script = (
        "import sys; from tfdream.corpus.styles import compose;"
        f"sys.stdout.buffer.write(compose('chiptune', 3, 0.5, {RATE}).tobytes())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, env=environment
    ).stdout
    assert output == compose("chiptune", 3, 0.5, RATE).tobytes()


def test_only_techno_has_a_beat():
    techno = [beat_strength(compose("techno", seed, 6.0, RATE)) for seed in range(4)]
    ambient = [beat_strength(compose("ambient", seed, 6.0, RATE)) for seed in range(4)]
    assert min(techno) > 0.5 > max(ambient)


@pytest.mark.slow
def test_styles_differ_in_timbre():
    """The nearest of five training songs of each style has the same style as a test song."""
    songs = np.array(
        [[timbre(compose(style, seed, 4.0, RATE)) for seed in range(10)] for style in STYLES]
    )
    train = songs[:, :5].reshape(-1, songs.shape[-1])
    for number, new_songs in enumerate(songs[:, 5:]):
        nearest = np.linalg.norm(new_songs[:, None] - train, axis=2).argmin(axis=1)
        # Chance is 0.25; these simple features may misclassify one song, a network should not.
        assert (nearest // 5 == number).mean() >= 0.8
    assert songs.std(axis=1).max(axis=1).min() > 0.2  # 2 dB of a band between songs of a style


def test_degrees_are_pitches_of_the_mode():
    assert song(tonic_midi=69).hertz(0) == pytest.approx(440)
    assert song().hertz(7) == pytest.approx(2 * song().hertz(0))
    semitones = {mode: 12 * np.log2(song(mode=mode).hertz(2) / song().hertz(0)) for mode in (0, 5)}
    assert semitones == pytest.approx({0: 4, 5: 3})  # the thirds of major and minor


def test_panning_preserves_power_and_sounds_are_cut_at_the_end():
    mix = song().silence()
    song().place(mix, np.ones(RATE, np.float32), beat=15, gain=0.5, pan=0.3)
    assert not mix[:, : round(7.5 * RATE)].any()
    np.testing.assert_allclose((mix[:, round(7.5 * RATE) :] ** 2).sum(axis=0), 0.25, rtol=1e-5)


def test_an_oscillator_has_no_aliasing():
    """A saw of 1 kHz at 16 kHz has seven harmonics and nothing else."""
    hz = np.full(RATE, 1000, np.float32)
    spectrum = np.abs(np.fft.rfft(oscillate(1j / np.arange(1, 100)[None], hz, RATE))) / (RATE / 2)
    harmonics = 1000 * np.arange(1, 8)
    np.testing.assert_allclose(spectrum[harmonics], 1 / np.arange(1, 8), rtol=0.01)
    spectrum[harmonics] = 0
    assert spectrum.max() < 1e-3  # the table's 8192 steps leave about -70 dB


def test_a_melody_is_monophonic():
    notes = list(melody(song(), 0, 7))
    ends = [beat + beats for beat, beats, _ in notes]
    assert all(end <= beat for end, (beat, _, _) in zip(ends, notes[1:], strict=False))
    on_beat = {
        (degree - song().chord(int(beat // 4))) % 7 for beat, _, degree in notes if beat % 1 == 0
    }
    assert on_beat <= {0, 2, 4}  # the triad
    assert all(-2 <= degree <= 9 for _, _, degree in notes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"style": "polka"}, "style='polka'.*ambient"),
        ({"seconds": 0.0}, "seconds=0.0"),
        ({"seconds": -1.0}, "seconds=-1.0"),
        ({"seconds": float("nan")}, "seconds=nan"),
        ({"sample_rate": 0}, "sample_rate=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_invalid_arguments_are_named(changes, expected):
    arguments = {"style": "techno", "seed": 0, "seconds": 1.0, "sample_rate": RATE}
    with pytest.raises(ConfigError, match=expected):
        compose(**(arguments | changes))


def test_a_corpus_is_a_folder_for_each_style(tmp_path):
    paths = write_corpus(tmp_path / "corpus", 2, 0.5, RATE, seed=3)
    expected = [f"{style}/{style}-{number}.flac" for style in STYLES for number in ("01", "02")]
    assert [path.relative_to(tmp_path / "corpus").as_posix() for path in paths] == expected
    assert sorted(tmp_path.rglob("*.*")) == sorted(paths)  # no temporary file is left
    for path in paths:
        header = soundfile.info(path)
        assert (header.format, header.subtype) == ("FLAC", "PCM_16")
        assert (header.samplerate, header.channels, header.frames) == (RATE, 2, RATE // 2)
    contents = {path.read_bytes() for path in paths}
    assert len(contents) == len(paths)
    again = write_corpus(tmp_path / "corpus", 2, 0.5, RATE, 3, force=True)
    assert {path.read_bytes() for path in again} == contents
    others = write_corpus(tmp_path / "other", 1, 0.5, RATE, seed=4)
    assert contents.isdisjoint(path.read_bytes() for path in others)


def test_a_corpus_is_replaced_on_request_only_and_completely(tmp_path):
    old = write_corpus(tmp_path, 2, 0.5, RATE, seed=3)
    own = [tmp_path / "strings" / name for name in ("strings-01.wav", "strings-live.flac")]
    for path in own:
        path.touch()
    with pytest.raises(ConfigError, match=r"contains songs already, .*; use another folder"):
        write_corpus(tmp_path, 1, 0.5, RATE, seed=4)
    assert all(path.is_file() for path in old)
    new = write_corpus(tmp_path, 1, 0.5, RATE, seed=4, force=True)
    assert sorted(tmp_path.rglob("*.*")) == sorted([*new, *own])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seconds": 0.05}, "seconds=0.05"),
        ({"sample_rate": 2000}, "sample_rate=2000"),
        ({"sample_rate": 700_000}, "the limit of FLAC"),
    ],
)
def test_a_corpus_that_cannot_be_replaced_is_kept(tmp_path, changes, expected):
    old = write_corpus(tmp_path, 1, 0.5, RATE, seed=3)
    arguments = {"tracks_per_style": 1, "seconds": 0.5, "sample_rate": RATE, "seed": 4}
    with pytest.raises((AudioError, ConfigError), match=expected):
        write_corpus(tmp_path, **(arguments | changes), force=True)
    assert all(path.is_file() for path in old)


def test_an_empty_corpus_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="tracks_per_style=0"):
        write_corpus(tmp_path, 0, 1.0, RATE, seed=0)
    with pytest.raises(ConfigError, match="seed=-1"):
        write_corpus(tmp_path, 1, 1.0, RATE, seed=-1)
