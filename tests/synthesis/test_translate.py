import json

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream import audio
from tfdream.config import StftSpec, TranslateConfig, load, validate
from tfdream.errors import AudioError, ConfigError, ModelError
from tfdream.models.gan import BidirectionalModel
from tfdream.runs import Run, TranslationRun
from tfdream.synthesis.canvases import gains_and_noise
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, mid_tiles
from tfdream.synthesis.translate import Translator, _at_frames, _finer, translate

# Eager execution gives the same results; tracing the graph takes longer than a few tiles.
EAGERLY = pytest.mark.usefixtures("eagerly")

RATE = 8000
FLOAT = RenderOptions(bits=32)
TOP_DB = 80
BINS = 129
# A short overlap of tiles of a second: most samples are in one tile only.
SHORT = {"tiles": {"overlap_seconds": 0.05}}
# So large that the bound is nearly linear at 12 dB.
WIDE = {"canvas": {"kind": "gains", "bound_db": 200}}
WITH_NOISE = {"kind": "gains_and_noise", "bound_db": 200, "noise_above_db": 6}


def recipe(**changes):
    return validate(SHORT | changes, TranslateConfig, "test")


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, "FLOAT")
    return path


def levels_db(samples):
    """The mean level of each bin of 31.25 Hz: `[bins, channels]`."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 256, axis=0)[::64]
    power = np.abs(np.fft.rfft(frames * np.hanning(256), axis=-1)) ** 2
    return 10 * np.log10(power.mean(axis=0) + 1e-12).T


@pytest.fixture(scope="module")
def make_run(translation_run, tmp_path_factory):
    """A function that makes a run of given generators, on images at the STFT's resolution."""

    def make(forward, backward=lambda image: image, **frontend):
        config = translation_run.config
        changed = config.frontend.model_copy(update={"size": None} | frontend)
        config = config.model_copy(update={"frontend": changed})
        run = TranslationRun(tmp_path_factory.mktemp("run"), config, translation_run.info)
        image = keras.Input(run.frontend.shape(run.input_samples))
        run.generators = BidirectionalModel(
            *(
                keras.Model(image, keras.layers.Activation("linear")(to(image)))
                for to in (forward, backward)
            )
        )
        return run

    return make


@pytest.fixture(scope="module")
def identity(make_run):
    return make_run(lambda image: image)


def raising(gain_db, low=40, high=81, bins=BINS):
    """A generator that raises a band by a gain; the range of [−1, 1] is twice that of [0, 1]."""
    rows = np.zeros((bins, 1, 1), np.float32)
    rows[low:high] = 2 * gain_db / TOP_DB
    return lambda image: image + rows


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Two seconds of soft noise."""
    samples = 0.02 * np.random.default_rng(3).standard_normal(2 * RATE)
    return write(tmp_path_factory.mktemp("noise") / "noise.wav", samples.astype(np.float32))


@pytest.fixture(scope="module")
def translated(translation_run, song, tmp_path_factory):
    """The translation of a song by a trained generator, with the recommended recipe."""
    output = tmp_path_factory.mktemp("translated") / "out.wav"
    config = load("translate/recommended", TranslateConfig, ["tiles.overlap_seconds=0.05"])
    return translate(song, output, translation_run, config), output


# Results


def test_the_result_describes_the_written_file(translated, song):
    result, output = translated
    assert (result["output"], result["direction"]) == (str(output), "noise to tones")
    assert (result["sample_rate"], result["channels"]) == (RATE, 1)
    assert result["samples"] == len(read(song)) == len(read(output))
    assert result["audio_seconds"] == pytest.approx(1.9)
    assert result["compute_seconds"] > 0
    assert 0 < result["picture_change"] < 1
    assert 0 < result["picture_error_rendered"] < 1
    assert "interrupted" not in result
    json.dumps(result, allow_nan=False)
    assert np.abs(read(output) - read(song)).max() > 1e-3


def test_the_settings_of_the_sidecar_give_the_same_bytes(
    translated, translation_run, song, tmp_path
):
    result, output = translated
    sidecar = json.loads(output.with_name("out.wav.json").read_text())
    assert (sidecar["command"], sidecar["source"]) == ("translate", str(song))
    assert sidecar["run"]["labels"] == ["noise", "tones"]
    assert (sidecar["result"], sidecar["to"]) == (result, "tones")
    config = validate(sidecar["config"], TranslateConfig, "sidecar")
    translate(song, tmp_path / "again.wav", translation_run, config)
    assert (tmp_path / "again.wav").read_bytes() == output.read_bytes()
    assert {path.name for path in output.parent.iterdir()} == {"out.wav", "out.wav.json"}


def test_the_measures_are_those_of_the_tiles(translated, translation_run, song):
    """Means over tiles, weighted by their samples before padding, of the change and the error."""
    grid = TileGrid(RATE, overlap=400, batch=10)
    images, weights = [], None
    for path in (song, translated[1]):
        with audio.Reader(path) as reader:
            (tiles,) = mid_tiles(reader, RATE, grid)
        images.append(translation_run.frontend(tf.constant(tiles.waveforms)))
        weights = tiles.weights
    original, written = images
    output = (translation_run.generators.forward(2 * original - 1) + 1) / 2
    for name, other in (("picture_change", original), ("picture_error_rendered", written)):
        distances = np.abs(output - other).mean(axis=(1, 2, 3))
        # float32, in batches of another size.
        assert translated[0][name] == pytest.approx(
            np.average(distances, weights=weights), rel=1e-4
        )


@EAGERLY
def test_the_identity_as_generator_leaves_the_file_unchanged(identity, song, tmp_path):
    result = translate(song, tmp_path / "out.wav", identity, recipe(normalize="loudness"))
    # 24 bits, and float32 through an STFT and back.
    np.testing.assert_allclose(read(tmp_path / "out.wav"), read(song), atol=1e-6)
    assert result["picture_change"] == 0
    assert result["picture_error_rendered"] < 1e-4  # rounding to 24 bits


@EAGERLY
def test_the_noise_is_that_of_the_exact_position_late_in_a_file(make_run, monkeypatch):
    white_noise, drawn = gains_and_noise.white_noise, []

    def recorded(starts, samples):
        drawn.append(starts.numpy())
        return white_noise(starts, samples)

    monkeypatch.setattr(gains_and_noise, "white_noise", recorded)
    run = make_run(raising(12))
    translator = Translator(run.generators.forward, run, recipe(canvas=WITH_NOISE))
    starts = np.array([100_000_001])
    channels = np.zeros((1, translator.samples, 1), np.float32)
    translator.process(Tiles(channels, np.ones(1), starts, np.zeros(1, int)))
    assert np.array_equal(drawn, [starts])


@EAGERLY
@pytest.mark.parametrize(
    ("canvas", "deviation_db"), [(WIDE["canvas"], 0.5), (WITH_NOISE, 2)], ids=["gains", "noise"]
)
def test_a_band_is_louder_by_the_change_of_its_image(
    make_run, noise, tmp_path, canvas, deviation_db
):
    config = recipe(canvas=canvas)
    translate(noise, tmp_path / "out.wav", make_run(raising(12)), config, options=FLOAT)
    gain_db = (levels_db(read(tmp_path / "out.wav")) - levels_db(read(noise)))[:, 0]
    # Frames share their samples, and bins their windows' main lobes of four bins.
    np.testing.assert_allclose(gain_db[44:77], 12, atol=deviation_db)  # noise is random
    assert gain_db[44:77].mean() == pytest.approx(12, abs=0.5)
    np.testing.assert_allclose(np.r_[gain_db[2:36], gain_db[85:127]], 0, atol=0.5)


@EAGERLY
@pytest.mark.parametrize("gain_db", [60, -60])
def test_gains_are_bounded(make_run, noise, tmp_path, gain_db):
    config = recipe(canvas={"kind": "gains", "bound_db": 24})
    translate(noise, tmp_path / "out.wav", make_run(raising(gain_db)), config, options=FLOAT)
    found_db = (levels_db(read(tmp_path / "out.wav")) - levels_db(read(noise)))[44:77, 0]
    np.testing.assert_allclose(found_db, 24 * np.tanh(gain_db / 24), atol=1)


@EAGERLY
def test_cells_below_boost_above_db_get_no_louder(make_run, tmp_path):
    """Noise far below a tone, in the band that the generator raises."""
    seconds = np.arange(RATE) / RATE
    weak = 1e-5 * np.random.default_rng(0).standard_normal(RATE)
    tone = 0.3 * np.hanning(RATE) * np.sin(2 * np.pi * 500 * seconds)  # no click at its ends
    path = write(tmp_path / "tone.wav", tone + weak)
    change = make_run(raising(20))
    canvas = {"kind": "gains", "bound_db": 200, "boost_above_db": -60}
    translate(path, tmp_path / "unchanged.wav", change, recipe(canvas=canvas), options=FLOAT)
    translate(path, tmp_path / "raised.wav", change, recipe(**WIDE), options=FLOAT)
    before, unchanged, raised = (
        levels_db(read(each))[44:77].mean()
        for each in (path, tmp_path / "unchanged.wav", tmp_path / "raised.wav")
    )
    assert unchanged == pytest.approx(before, abs=1)
    assert raised > before + 10


@EAGERLY
def test_the_published_recipe_changes_levels(make_run, noise, tmp_path):
    config = load("translate/published", TranslateConfig, ["tiles.overlap_seconds=0.05"])
    change = make_run(raising(-10))
    translate(noise, tmp_path / "out.wav", change, config, options=FLOAT)
    gain_db = (levels_db(read(tmp_path / "out.wav")) - levels_db(read(noise)))[:, 0]
    np.testing.assert_allclose(gain_db[44:77], -10, atol=0.5)


# Channels, silence, masks and sizes


@EAGERLY
def test_length_rate_and_channels_are_those_of_the_source(identity, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "concert.wav"
    soundfile.write(path, 0.1 * rng.standard_normal((round(1.7 * 44100), 2)), 44100, "PCM_24")
    result = translate(path, tmp_path / "out.flac", identity, recipe())
    found = soundfile.info(tmp_path / "out.flac")
    assert (found.frames, found.samplerate, found.channels) == (round(1.7 * 44100), 44100, 2)
    assert (result["sample_rate"], result["channels"]) == (44100, 2)
    # Frequencies above the network's band are unchanged too.
    np.testing.assert_allclose(read(tmp_path / "out.flac"), read(path), atol=1e-5)


@EAGERLY
def test_a_silent_channel_stays_silent(make_run, noise, tmp_path):
    samples = read(noise)
    path = write(tmp_path / "left.wav", np.concatenate([samples, 0 * samples], axis=1))
    translate(path, tmp_path / "out.wav", make_run(raising(12)), recipe(**WIDE), options=FLOAT)
    found = read(tmp_path / "out.wav")
    assert not found[:, 1].any()
    gain_db = levels_db(found)[44:77, 0] - levels_db(samples)[44:77, 0]
    np.testing.assert_allclose(gain_db, 12, atol=0.5)


@EAGERLY
def test_gains_preserve_the_balance_of_the_channels(make_run, noise, tmp_path):
    """The right channel is a third of the left one, also in the band that changes."""
    samples = read(noise)
    path = write(tmp_path / "balanced.wav", np.concatenate([samples, samples / 3], axis=1))
    translate(path, tmp_path / "out.wav", make_run(raising(12)), recipe(**WIDE), options=FLOAT)
    found = read(tmp_path / "out.wav")
    np.testing.assert_allclose(found[:, 1], found[:, 0] / 3, atol=1e-6)
    assert np.abs(found - read(path)).max() > 0.01


@EAGERLY
def test_silence_stays_silent(translation_run, tmp_path):
    path = write(tmp_path / "silence.wav", np.zeros(RATE, np.float32))
    result = translate(path, tmp_path / "out.wav", translation_run, recipe(normalize="loudness"))
    assert not read(tmp_path / "out.wav").any()
    assert np.isfinite(result["picture_error_rendered"])


@EAGERLY
def test_a_mix_of_0_is_the_original(translation_run, noise, tmp_path):
    translate(noise, tmp_path / "out.wav", translation_run, recipe(mix=0), options=FLOAT)
    assert np.array_equal(read(tmp_path / "out.wav"), read(noise))


@EAGERLY
def test_a_mix_of_one_half_is_half_of_the_change(make_run, noise, tmp_path):
    change = make_run(raising(12))
    for mix in (1, 0.5):
        translate(noise, tmp_path / f"{mix}.wav", change, recipe(mix=mix, **WIDE), options=FLOAT)
    full, half = (read(tmp_path / f"{mix}.wav") - read(noise) for mix in (1, 0.5))
    np.testing.assert_allclose(half, full / 2, atol=1e-6)


@EAGERLY
def test_the_strength_scales_the_change_in_decibels(make_run, noise, tmp_path):
    run = make_run(raising(6))
    for strength in (0, 0.5, 2):
        output = tmp_path / f"{strength}.wav"
        translate(noise, output, run, recipe(strength=strength, **WIDE), options=FLOAT)
        change_db = levels_db(read(output)) - levels_db(read(noise))
        assert np.median(change_db[45:75]) == pytest.approx(6 * strength, abs=0.3)


@EAGERLY
def test_a_mask_limits_the_change(make_run, noise, tmp_path):
    config = recipe(mask={"time_seconds": [1.2, 2]}, **WIDE)
    translate(noise, tmp_path / "out.wav", make_run(raising(12)), config, options=FLOAT)
    change = np.abs(read(tmp_path / "out.wav") - read(noise))
    assert change[: round(1.1 * RATE)].max() < 1e-6
    assert change[round(1.3 * RATE) :].max() > 0.01


@EAGERLY
def test_gains_of_resized_images_apply_to_all_bins(make_run, noise, tmp_path):
    """A constant change of the image is a constant gain; details are preserved."""
    small = make_run(lambda image: image + 2 * 6 / TOP_DB, size=(20, 30))
    translate(noise, tmp_path / "out.wav", small, recipe(**WIDE), options=FLOAT)
    np.testing.assert_allclose(read(tmp_path / "out.wav"), 2 * read(noise), rtol=0.01, atol=1e-5)


# Directions


@EAGERLY
def test_each_direction_has_its_generator(make_run, noise, tmp_path):
    run = make_run(raising(12), raising(-12))
    for to, way, gain_db in (("tones", "noise to tones", 12), ("noise", "tones to noise", -12)):
        result = translate(noise, tmp_path / f"{to}.wav", run, recipe(**WIDE), to, options=FLOAT)
        assert result["direction"] == way
        found_db = levels_db(read(tmp_path / f"{to}.wav")) - levels_db(read(noise))
        np.testing.assert_allclose(found_db[44:77], gain_db, atol=0.5)


@EAGERLY
def test_an_unknown_genre_is_an_error_that_lists_the_genres(identity, noise, tmp_path):
    message = r"to='jazz' is not a label of the run; use noise or tones"
    with pytest.raises(ConfigError, match=message):
        translate(noise, tmp_path / "out.wav", identity, recipe(), "jazz")
    assert list(tmp_path.iterdir()) == []


@EAGERLY
def test_tiles_of_another_length_than_clips_are_refused(identity, noise, tmp_path):
    config = recipe(tiles={"seconds": 0.5, "overlap_seconds": 0.05})
    with pytest.raises(ConfigError, match=r"tiles.seconds=0.5.*only clips of 1 s"):
        translate(noise, tmp_path / "out.wav", identity, config)
    assert list(tmp_path.iterdir()) == []


@EAGERLY
def test_an_existing_file_is_replaced_with_force_only(identity, noise, tmp_path):
    (tmp_path / "out.wav").write_text("existing")
    with pytest.raises(AudioError, match="--force"):
        translate(noise, tmp_path / "out.wav", identity, recipe())
    translate(noise, tmp_path / "out.wav", identity, recipe(), options=RenderOptions(force=True))
    assert len(read(tmp_path / "out.wav")) == 2 * RATE


@pytest.mark.parametrize("kind", [Run, TranslationRun])
def test_a_run_of_another_task_is_refused_in_one_line(kind, trained, translation):
    other = translation[0] if kind is Run else trained[0]
    with pytest.raises(
        ModelError, match=r"is a (translation|classifier) .* is required here"
    ) as caught:
        kind.open(other)
    assert len(str(caught.value).splitlines()) == 1


# Progress and stops


@EAGERLY
def test_a_stopped_translation_has_the_full_length_and_the_rest_is_the_original(
    make_run, noise, tmp_path
):
    reports = []

    def stop(done, total, value):
        reports.append((done, total))
        return True

    change = make_run(raising(12))
    result = translate(
        noise, tmp_path / "out.wav", change, recipe(**WIDE), options=FLOAT, progress=stop
    )
    before, after = read(noise), read(tmp_path / "out.wav")
    assert reports == [(1, 3)]
    assert (result["interrupted"], result["changed_seconds"]) == (True, 1.0)
    assert np.array_equal(after[RATE:], before[RATE:])
    assert np.abs(after[: RATE // 2] - before[: RATE // 2]).max() > 0.01
    sidecar = json.loads((tmp_path / "out.wav.json").read_text())
    assert sidecar["result"] == result


@EAGERLY
def test_progress_ends_at_all_batches_of_tiles(identity, noise, tmp_path):
    reports = []
    config = recipe(tiles={"overlap_seconds": 0.05, "batch": 2})
    translate(
        noise, tmp_path / "out.wav", identity, config, progress=lambda *now: reports.append(now)
    )
    assert [report[:2] for report in reports] == [(1, 2), (2, 2)]
    assert np.isnan([value for _, _, value in reports]).all()  # nothing is optimized


# Translator


def test_clips_are_translated_one_by_one(translation_run):
    translator = Translator(translation_run.generators.forward, translation_run, recipe())
    rng = np.random.default_rng(0)
    clips = tf.constant(0.1 * rng.standard_normal((3, RATE, 2)), tf.float32)
    together = translator.translate(clips)
    assert together.shape == clips.shape
    np.testing.assert_allclose(translator.translate(clips[1:2]), together[1:2], atol=1e-4)


def test_gains_of_a_coarse_stft_are_interpolated_at_the_frames_of_a_finer_one():
    coarse, fine = StftSpec(n_fft=64, hop_samples=32), StftSpec(n_fft=64, hop_samples=16)
    assert _finer(coarse) == fine
    gains = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 33)), tf.float32)
    found = _at_frames(gains, coarse, fine, 100).numpy()
    assert found.shape == (2, fine.frames(100), 33)
    np.testing.assert_allclose(found[:, ::2], gains, rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], (gains[:, 0] + gains[:, 1]) / 2, rtol=1e-5)
    assert _at_frames(gains, coarse, coarse, 100) is gains
