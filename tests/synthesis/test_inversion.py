import shutil
import zipfile

import numpy as np
import pytest
import soundfile

from tfdream.config import PhaseConfig
from tfdream.errors import AudioError, ConfigError, TfdreamError
from tfdream.signal import frontends
from tfdream.synthesis.inversion import analyze, invert

RATE = 8000
FEW = PhaseConfig(init="pghi", iterations=1)


@pytest.fixture(scope="module")
def saved(song, experiment, tmp_path_factory):
    """A clip of the song as an image, and what was said of it."""
    path = tmp_path_factory.mktemp("analysed") / "song.npz"
    return path, analyze(song, path, experiment, start_seconds=1.0)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sound.wav"


def test_the_image_is_the_one_that_a_network_sees(saved, song, experiment):
    path, result = saved
    samples, _ = soundfile.read(song, dtype="float32")
    wanted = frontends.build(experiment.frontend, RATE)(samples[np.newaxis, RATE : 2 * RATE])[0]
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_allclose(file["image"], wanted, atol=1e-6)
        assert file["image"].dtype == np.float32
    assert result["spectrogram"] == str(path)
    assert result["shape"] == [129, 126, 1]
    assert result["sample_rate"] == RATE


def test_an_image_of_levels_holds_no_phase(saved):
    with np.load(saved[0], allow_pickle=False) as file:
        sizes = {name: file[name].size for name in file}
    assert max(sizes, key=sizes.get) == "image"
    assert sum(size for name, size in sizes.items() if name != "image") < 10


@pytest.mark.parametrize("start", ["pghi", "random"])
def test_an_image_becomes_a_sound_with_its_spectrum(saved, experiment, output, start):
    result = invert(saved[0], output, PhaseConfig(init=start, iterations=50))
    samples, rate = soundfile.read(output, always_2d=True)
    assert (rate, samples.shape) == (RATE, (RATE, 1))
    assert (result["sample_rate"], result["samples"]) == (RATE, RATE)
    assert (result["phase"], result["iterations"]) == (start, 50)
    # Three tones: 50 rounds of fast Griffin–Lim reach about −22 dB from a random phase.
    assert result["spectral_convergence_db"] < -15
    with np.load(saved[0]) as file:
        image = file["image"]
    frontend = frontends.build(experiment.frontend, RATE)
    seen = frontend(samples[np.newaxis, :, 0].astype(np.float32))[0]
    loud = image > 0.5  # within 40 dB of the loudest
    # dB, as a share of the 80 that the image shows.
    assert np.abs(seen.numpy() - image)[loud].mean() * 80 < 3


@pytest.mark.parametrize("start", ["pghi", "random"])
@pytest.mark.slow
def test_more_iterations_come_nearer(saved, tmp_path, start):
    few, many = (
        invert(saved[0], tmp_path / f"{count}.wav", PhaseConfig(init=start, iterations=count))
        for count in (2, 60)
    )
    assert many["spectral_convergence_db"] < few["spectral_convergence_db"] - 1  # pghi is near


@pytest.mark.parametrize("iterations", [1, 8])
def test_an_integrated_phase_comes_nearer_than_a_random_one(saved, tmp_path, iterations):
    integrated, random = (
        invert(saved[0], tmp_path / f"{start}.wav", PhaseConfig(init=start, iterations=iterations))
        for start in ("pghi", "random")
    )
    assert integrated["spectral_convergence_db"] < random["spectral_convergence_db"] - 3


def test_an_integrated_phase_needs_no_iterations(saved, output):
    result = invert(saved[0], output, PhaseConfig(init="pghi", iterations=0))
    assert result["iterations"] == 0
    assert result["spectral_convergence_db"] < -10  # three steady tones


def test_a_random_phase_is_not_left_alone(saved, output):
    with pytest.raises(ConfigError, match="iterations=100"):
        invert(saved[0], output, PhaseConfig(init="random", iterations=0))
    assert not output.exists()


def test_no_file_holds_the_phase_of_an_original(saved, output):
    with pytest.raises(ConfigError, match="init=pghi"):
        invert(saved[0], output, PhaseConfig(init="original"))
    assert not output.exists()


def test_the_seed_decides_the_bytes(saved, tmp_path):
    phase = PhaseConfig(init="random", iterations=3)
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        invert(saved[0], tmp_path / f"{name}.wav", phase, seed)
    first, again, other = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_an_image_with_its_phase_needs_no_search(song, configure, tmp_path, output):
    config = configure("frontend.kind=amplitude_phase")
    analyze(song, tmp_path / "both.npz", config)
    result = invert(tmp_path / "both.npz", output)
    assert (result["phase"], result["iterations"]) == ("image", 0)
    samples, _ = soundfile.read(song)
    found, _ = soundfile.read(output)
    # What lies 80 dB under the loudest cell is black in the image and lost: each of 129 × 126.
    assert result["spectral_convergence_db"] < -40
    assert np.sum((found - samples[:RATE]) ** 2) < 1e-4 * np.sum(samples[:RATE] ** 2)


def test_the_last_clip_is_filled_with_silence(song, experiment, tmp_path):
    analyze(song, tmp_path / "end.npz", experiment, start_seconds=3.0)
    with np.load(tmp_path / "end.npz") as file:
        image = file["image"]
    behind = round(0.3 * RATE / 64) + 4  # of 3.3 s; a window of four hops reaches over the end
    assert image[:, : behind - 8].max() == 1
    assert image[:, behind:].max() == 0


def test_a_start_behind_the_end_is_an_error(song, experiment, tmp_path):
    with pytest.raises(AudioError, match=r"start=3.4 s is beyond the end of '.*0.wav'"):
        analyze(song, tmp_path / "out.npz", experiment, start_seconds=3.4)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_rate_is_heard_at_that_of_the_network(experiment, tmp_path):
    tone = np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], axis=1) / 2, 44100)
    analyze(tmp_path / "tone.wav", tmp_path / "tone.npz", experiment)
    with np.load(tmp_path / "tone.npz") as file:
        assert file["image"][..., 0].sum(axis=1).argmax() == 1000 * 256 / RATE


# Errors


@pytest.mark.parametrize("name", ["out.npy", "out", "out.wav"])
def test_spectrograms_are_saved_as_npz_alone(song, experiment, tmp_path, name):
    with pytest.raises(ConfigError, match=rf"'{name}' does not end in .npz"):
        analyze(song, tmp_path / name, experiment)


def test_samples_are_no_spectrogram(song, configure, tmp_path):
    raw = configure("frontend={kind: raw}")
    with pytest.raises(ConfigError, match=r"frontend.kind=raw gives no spectrogram"):
        analyze(song, tmp_path / "out.npz", raw)


def test_an_image_without_levels_cannot_be_inverted(song, configure, tmp_path, output):
    analyze(song, tmp_path / "phase.npz", configure("frontend.kind=phase"))
    with pytest.raises(ConfigError, match=r"kind=phase shows no level"):
        invert(tmp_path / "phase.npz", output)
    assert not output.exists()


def test_what_exists_is_replaced_with_force_only(saved, song, experiment, tmp_path, output):
    output.write_text("precious")
    copy = tmp_path / "copy.npz"
    copy.write_text("precious")
    with pytest.raises(AudioError, match="--force"):
        invert(saved[0], output)
    with pytest.raises(ConfigError, match="--force"):
        analyze(song, copy, experiment)
    assert output.read_text() == copy.read_text() == "precious"
    analyze(song, copy, experiment, force=True)
    invert(copy, output, FEW, force=True)
    assert soundfile.info(output).frames == RATE


def test_an_unknown_audio_format_is_refused_before_the_work(saved, tmp_path):
    with pytest.raises(AudioError, match=r"does not end in one of"):
        invert(saved[0], tmp_path / "out.mp4")


def empty(path, _):
    path.write_bytes(b"")


def text(path, _):
    path.write_text("none")


def bare_array(path, _):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def other_arrays(path, _):
    np.savez(path, image=np.zeros((2, 2, 1)))


def truncated(path, saved):
    path.write_bytes(saved.read_bytes()[:-100])


def flipped(path, saved):
    """Bits turned over inside the compressed image."""
    content = bytearray(saved.read_bytes())
    for place in range(2000, 2100):
        content[place] ^= 0xFF
    path.write_bytes(content)


def foreign_frontend(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "frontend": '{"kind": "smell"}'})


def flat_image(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "image": np.zeros(7, np.float32)})


def other_size(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "image": file["image"][:50, :60]})


def pickled(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "image": np.array([{}], dtype=object)})


def no_number(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "image": np.full_like(file["image"], np.nan)})


@pytest.mark.parametrize(
    "damage",
    [
        *(empty, text, bare_array, other_arrays, truncated, flipped),
        *(foreign_frontend, flat_image, other_size, pickled, no_number),
    ],
)
def test_what_is_no_spectrogram_is_named_in_one_line(saved, tmp_path, output, damage):
    path = tmp_path / "damaged.npz"
    damage(path, saved[0])
    with pytest.raises(TfdreamError, match=r"damaged\.npz") as caught:
        invert(path, output, FEW)
    assert "\n" not in str(caught.value)
    assert not output.exists()


def test_a_missing_spectrogram_is_named(tmp_path, output):
    with pytest.raises(TfdreamError, match=r"gone\.npz"):
        invert(tmp_path / "gone.npz", output)


def test_an_interrupted_analysis_leaves_nothing(song, experiment, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        analyze(song, tmp_path / "out.npz", experiment)
    assert list(tmp_path.iterdir()) == []


def test_an_image_is_a_plain_archive_that_others_can_read(saved, tmp_path):
    shutil.copy(saved[0], tmp_path / "copy.zip")
    with zipfile.ZipFile(tmp_path / "copy.zip") as archive:
        assert archive.testzip() is None
        assert "image.npy" in archive.namelist()
