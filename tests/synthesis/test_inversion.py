import shutil
import zipfile

import numpy as np
import pytest
import soundfile
from calling import EAGERLY

from tfdream.config import PhaseConfig
from tfdream.errors import AudioError, ConfigError, TfdreamError
from tfdream.signal import frontends
from tfdream.synthesis.inversion import analyze, invert

RATE = 8000
FEW = PhaseConfig(init="pghi", iterations=1)


@pytest.fixture(scope="module")
def song(source):
    """All 3.3 s of a track."""
    return source / "tones" / "0.wav"


@pytest.fixture(scope="module")
def saved(song, experiment, tmp_path_factory):
    """The path of a clip of the song as an image, and the result of `analyze`."""
    path = tmp_path_factory.mktemp("analysed") / "song.npz"
    return path, analyze(song, path, experiment, start_seconds=1.0)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sound.wav"


def test_the_image_is_the_input_of_the_network(saved, song, experiment):
    path, result = saved
    samples, _ = soundfile.read(song, dtype="float32")
    expected = frontends.build(experiment.frontend, RATE)(samples[np.newaxis, RATE : 2 * RATE])[0]
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_allclose(file["image"], expected, atol=1e-6)
        assert file["image"].dtype == np.float32
    assert result["spectrogram"] == str(path)
    assert result["shape"] == [129, 126, 1]
    assert result["sample_rate"] == RATE


def test_an_image_of_levels_contains_no_phase(saved):
    with np.load(saved[0], allow_pickle=False) as file:
        sizes = {name: file[name].size for name in file}
    assert max(sizes, key=sizes.get) == "image"
    assert sum(size for name, size in sizes.items() if name != "image") < 10


def test_the_inverted_audio_has_the_spectrum_of_the_image(saved, experiment, tmp_path):
    with np.load(saved[0]) as file:
        image = file["image"]
    frontend = frontends.build(experiment.frontend, RATE)
    for init in ("pghi", "random"):
        output = tmp_path / f"{init}.wav"
        result = invert(saved[0], output, PhaseConfig(init=init, iterations=50))
        samples, rate = soundfile.read(output, always_2d=True)
        assert (rate, samples.shape) == (RATE, (RATE, 1))
        assert (result["sample_rate"], result["samples"]) == (RATE, RATE)
        assert (result["phase"], result["iterations"]) == (init, 50)
        # Three tones: 50 iterations of fast Griffin–Lim reach about −22 dB from a random phase.
        assert result["spectral_convergence_db"] < -15
        inverted = frontend(samples[np.newaxis, :, 0].astype(np.float32))[0]
        loud = image > 0.5  # within 40 dB of the loudest
        # dB, as a share of the image's range of 80.
        assert np.abs(inverted.numpy() - image)[loud].mean() * 80 < 3


def convergence_db(spectrogram, output, **phase):
    return invert(spectrogram, output, PhaseConfig(**phase), force=True)["spectral_convergence_db"]


@pytest.mark.slow
def test_an_image_with_the_range_of_its_clip_is_inverted(song, configure, tmp_path, output):
    config = configure("frontend.level_range=min_max")
    analyze(song, tmp_path / "a.npz", config, start_seconds=1.0)
    assert invert(tmp_path / "a.npz", output, FEW)["spectral_convergence_db"] < -8


def test_more_iterations_reduce_the_error(saved, output):
    for init in ("pghi", "random"):
        few, many = (
            convergence_db(saved[0], output, init=init, iterations=count) for count in (2, 60)
        )
        assert many < few - 1  # pghi starts with a small error


@EAGERLY
def test_the_error_of_an_integrated_phase_is_smaller_than_of_a_random_one(saved, output):
    for iterations in (1, 8):
        integrated, random = (
            convergence_db(saved[0], output, init=init, iterations=iterations)
            for init in ("pghi", "random")
        )
        assert integrated < random - 3


def test_an_integrated_phase_needs_no_iterations(saved, output):
    result = invert(saved[0], output, PhaseConfig(init="pghi", iterations=0))
    assert result["iterations"] == 0
    assert result["spectral_convergence_db"] < -10  # three steady tones


@pytest.mark.parametrize("samples", [-1000, 0, 100, 10**12])
def test_numbers_of_samples_that_do_not_fit_are_errors(song, configure, tmp_path, output, samples):
    path = tmp_path / "resized.npz"
    analyze(song, path, configure("frontend.size=[32, 32]"))
    with np.load(path) as archive:
        arrays = {**archive, "samples": samples}
    np.savez(path, **arrays)
    with pytest.raises(ConfigError, match=rf"its {samples} samples are"):
        invert(path, output, FEW)


def test_a_random_phase_without_iterations_is_an_error(saved, output):
    with pytest.raises(ConfigError, match="iterations=100"):
        invert(saved[0], output, PhaseConfig(init="random", iterations=0))
    assert not output.exists()


def test_the_original_phase_is_an_error(saved, output):
    with pytest.raises(ConfigError, match="init=pghi"):
        invert(saved[0], output, PhaseConfig(init="original"))
    assert not output.exists()


@EAGERLY
def test_the_same_seed_gives_the_same_bytes(saved, tmp_path):
    phase = PhaseConfig(init="random", iterations=3)
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        invert(saved[0], tmp_path / f"{name}.wav", phase, seed)
    first, again, other = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_an_image_with_phase_is_inverted_without_iterations(song, configure, tmp_path, output):
    config = configure("frontend.kind=amplitude_phase")
    analyze(song, tmp_path / "both.npz", config)
    result = invert(tmp_path / "both.npz", output)
    assert (result["phase"], result["iterations"]) == ("image", 0)
    samples, _ = soundfile.read(song)
    inverted, _ = soundfile.read(output)
    # Cells more than 80 dB below the loudest are black in the image, and lost.
    assert result["spectral_convergence_db"] < -40
    assert np.sum((inverted - samples[:RATE]) ** 2) < 1e-4 * np.sum(samples[:RATE] ** 2)


def test_the_last_clip_is_padded_with_silence(song, experiment, tmp_path):
    analyze(song, tmp_path / "end.npz", experiment, start_seconds=3.0)
    with np.load(tmp_path / "end.npz") as file:
        image = file["image"]
    end = round(0.3 * RATE / 64) + 4  # of 3.3 s; a window of four hops extends beyond the end
    assert image[:, : end - 8].max() == 1
    assert image[:, end:].max() == 0


def test_a_start_beyond_the_end_is_an_error(song, experiment, tmp_path):
    with pytest.raises(AudioError, match=r"start=3.4 s is beyond the end of '.*0.wav'"):
        analyze(song, tmp_path / "out.npz", experiment, start_seconds=3.4)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_rate_is_resampled_to_that_of_the_network(experiment, tmp_path):
    tone = np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], axis=1) / 2, 44100)
    analyze(tmp_path / "tone.wav", tmp_path / "tone.npz", experiment)
    with np.load(tmp_path / "tone.npz") as file:
        assert file["image"][..., 0].sum(axis=1).argmax() == 1000 * 256 / RATE


# Errors


def test_a_spectrogram_file_must_end_in_npz(song, experiment, tmp_path):
    for name in ("out.npy", "out", "out.wav"):
        with pytest.raises(ConfigError, match=rf"'{name}' does not end in .npz"):
            analyze(song, tmp_path / name, experiment)


def test_a_raw_frontend_is_an_error(song, configure, tmp_path):
    raw = configure("frontend={kind: raw}")
    with pytest.raises(ConfigError, match=r"frontend.kind=raw does not give a spectrogram"):
        analyze(song, tmp_path / "out.npz", raw)


def test_an_image_without_levels_cannot_be_inverted(song, configure, tmp_path, output):
    analyze(song, tmp_path / "phase.npz", configure("frontend.kind=phase"))
    with pytest.raises(ConfigError, match=r"kind=phase shows no level"):
        invert(tmp_path / "phase.npz", output)
    assert not output.exists()


def test_existing_files_are_only_replaced_with_force(saved, song, experiment, tmp_path, output):
    output.write_text("existing")
    copy = tmp_path / "copy.npz"
    copy.write_text("existing")
    with pytest.raises(AudioError, match="--force"):
        invert(saved[0], output)
    with pytest.raises(ConfigError, match="--force"):
        analyze(song, copy, experiment)
    assert output.read_text() == copy.read_text() == "existing"
    analyze(song, copy, experiment, force=True)
    invert(copy, output, FEW, force=True)
    assert soundfile.info(output).frames == RATE


def test_an_unsupported_audio_format_is_an_error(saved, tmp_path):
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
    """Inverted bits inside the compressed image."""
    content = bytearray(saved.read_bytes())
    for index in range(2000, 2100):
        content[index] ^= 0xFF
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


def not_a_number(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "image": np.full_like(file["image"], np.nan)})


def values_beyond_audio(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "image": np.full_like(file["image"], 30)})


def rate_beyond_audio(path, saved):
    with np.load(saved) as file:
        np.savez(path, **{**file, "sample_rate": 2.0**31})


@pytest.mark.parametrize(
    "damage",
    [
        *(empty, text, bare_array, other_arrays, truncated, flipped),
        *(foreign_frontend, flat_image, other_size, pickled, not_a_number, values_beyond_audio),
        rate_beyond_audio,
    ],
)
def test_an_invalid_spectrogram_file_is_an_error_of_one_line(saved, tmp_path, output, damage):
    path = tmp_path / "damaged.npz"
    damage(path, saved[0])
    with pytest.raises(TfdreamError, match=r"damaged\.npz") as error:
        invert(path, output, FEW)
    assert "\n" not in str(error.value)
    assert not output.exists()


def test_a_missing_spectrogram_is_an_error(tmp_path, output):
    with pytest.raises(TfdreamError, match=r"missing\.npz"):
        invert(tmp_path / "missing.npz", output)


def test_an_interrupted_analysis_leaves_nothing(song, experiment, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        analyze(song, tmp_path / "out.npz", experiment)
    assert list(tmp_path.iterdir()) == []


def test_a_spectrogram_file_is_a_zip_archive(saved, tmp_path):
    shutil.copy(saved[0], tmp_path / "copy.zip")
    with zipfile.ZipFile(tmp_path / "copy.zip") as archive:
        assert archive.testzip() is None
        assert "image.npy" in archive.namelist()
