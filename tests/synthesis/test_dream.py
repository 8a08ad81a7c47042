import copy
import json
import shutil

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream import audio
from tfdream.config import DreamConfig, ModelConfig, validate
from tfdream.errors import AudioError, ConfigError, ModelError, TfdreamError
from tfdream.models import classifiers, inspect
from tfdream.synthesis.dream import Dreamer, dream
from tfdream.synthesis.rendering.options import RenderOptions

RATE = 8000
# Tiles of the clips' length, with a short overlap: most samples are in one tile only.
SHORT = {"optimizer": {"steps": 10}, "tiles": {"overlap_seconds": 0.05}}
WAVEFORM = {"canvas": {"kind": "waveform"}, "optimizer": {"steps": 5, "step_size": 1e-3}}

# Eager execution gives the same results; tracing the graph takes longer than a few steps, and less
# time than forty.
EAGERLY = pytest.mark.usefixtures("eagerly")

PATIENT = {"steps": 40}
GENTLE = {"kind": "gradient", "steps": 5, "step_size": 1e-5}


def recipe(**changes):
    return validate(SHORT | changes, DreamConfig, "test")


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def written(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def song(song, tmp_path_factory):
    """Two tiles of the song, the second one not quite full."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, read(song)[:15000], RATE, "PCM_16")
    return path


@pytest.fixture(scope="module")
def dreamt(run, song, tmp_path_factory):
    """The result of a dream, and its file."""
    output = tmp_path_factory.mktemp("dreamt") / "dream.wav"
    return dream(song, output, run, recipe(optimizer=PATIENT)), output


@pytest.fixture
def concert(tmp_path):
    """Stereo at 44.1 kHz: a chord, noise that differs by channel, and a tone of 15 kHz."""
    rng = np.random.default_rng(2)
    seconds = np.arange(round(1.7 * 44100)) / 44100
    chord = sum(np.sin(2 * np.pi * hz * seconds) for hz in (330, 415, 1480)) / 6
    high = 0.1 * np.sin(2 * np.pi * 15_000 * seconds)
    ambience = 0.02 * rng.standard_normal((2, len(seconds)))
    path = tmp_path / "concert.wav"
    # Soft enough for every gain: the limiter would change the side signal too.
    soundfile.write(path, 0.3 * (chord + high + ambience).T, 44100, "PCM_24")
    return path


def mean_norm(run, path, layer="conv2"):
    """The norm of a layer over the tiles of a mono file, weighted by their new samples."""
    samples = read(path)[:, 0]
    hop = round(0.95 * RATE)
    starts = np.arange(0, len(samples) - RATE + hop, hop)
    weights = [min(1, (len(samples) - start) / RATE) for start in starts]
    starts[-1] = len(samples) - RATE
    tiles = np.stack([samples[start : start + RATE] for start in starts])
    activations = inspect.tap(run.model, [layer])(run.frontend(tf.constant(tiles)))[layer]
    norms = np.linalg.norm(activations.numpy().reshape(len(tiles), -1), axis=1)
    return np.average(norms, weights=weights)


# Results


def test_the_objective_rises_in_the_written_file_too(dreamt):
    result, _ = dreamt
    assert result["objective"] == "layer_norm(conv2)"
    assert result["objective_after"] > 1.05 * result["objective_before"]
    # Fades, 24 bits and the limiter are applied after the optimization. Their share depends on the
    # trained weights, which differ between processors by rounding: 1 to 3.1 % were seen.
    assert result["objective_rendered"] == pytest.approx(result["objective_after"], rel=0.05)


def test_the_measures_are_those_of_the_files(dreamt, run, song):
    result, output = dreamt
    # float32 sums over a whole image, in another order.
    assert result["objective_before"] == pytest.approx(mean_norm(run, song), rel=1e-4)
    assert result["objective_rendered"] == pytest.approx(mean_norm(run, output), rel=1e-4)


def test_the_result_describes_the_written_file(dreamt, song):
    result, output = dreamt
    samples = read(output)
    assert samples.shape == read(song).shape
    assert (result["sample_rate"], result["channels"]) == (RATE, 1)
    assert result["samples"] == len(samples)
    assert result["audio_seconds"] == pytest.approx(15000 / RATE)
    assert result["compute_seconds"] > 0
    assert result["peak"] == pytest.approx(np.abs(samples).max(), abs=2**-23)  # 24 bits
    assert result["spectral_convergence_db"] < 0
    json.dumps(result, allow_nan=False)


def test_the_settings_of_the_sidecar_give_the_same_bytes(dreamt, run, song, tmp_path):
    result, output = dreamt
    sidecar = json.loads(output.with_name("dream.wav.json").read_text())
    assert sidecar["command"] == "dream"
    assert sidecar["source"] == str(song)
    assert sidecar["result"] == result
    assert sidecar["run"]["labels"] == run.labels
    assert {"tfdream", "tensorflow", "numpy"} <= set(sidecar["versions"])
    config = validate(sidecar["config"], DreamConfig, "sidecar")
    assert config == recipe(optimizer=PATIENT)
    dream(song, tmp_path / "again.wav", run, config)
    assert (tmp_path / "again.wav").read_bytes() == output.read_bytes()
    assert written(output.parent) == ["dream.wav", "dream.wav.json"]


@EAGERLY
def test_length_rate_and_channels_are_those_of_the_source(run, concert, tmp_path):
    output = tmp_path / "out.flac"
    result = dream(concert, output, run, recipe(optimizer={"steps": 4}))
    before, after = read(concert), read(output)
    assert after.shape == before.shape
    assert soundfile.info(output).samplerate == 44100
    assert (result["sample_rate"], result["channels"], result["samples"]) == (
        44100,
        2,
        len(before),
    )
    assert result["objective_rendered"] > result["objective_before"]
    assert np.abs(after - before).max() > 0.01


@EAGERLY
def test_gains_move_nothing_between_channels(run, tmp_path):
    """A tone on the left and another on the right: each gets its own gain, in its own channel."""
    seconds = np.arange(RATE) / RATE
    left, right = (0.2 * np.sin(2 * np.pi * hz * seconds) for hz in (500, 1500))
    path = tmp_path / "both.wav"
    soundfile.write(path, np.stack([left, right], axis=1), RATE, "FLOAT")
    options = RenderOptions(bits=32, keep_falling=True)
    dream(path, tmp_path / "out.wav", run, recipe(optimizer={"steps": 4}), options=options)
    spectra = np.abs(np.fft.rfft(read(tmp_path / "out.wav") * np.hanning(RATE)[:, None], axis=0))
    assert np.abs(read(tmp_path / "out.wav") - read(path)).max() > 0.01
    # The gains are 8 dB and −8 dB at most. In the other channel, only the window's tail of a tone
    # remains: a Hann window leaves it below −80 dB.
    assert spectra[500, 1] < 1e-3 * spectra[500, 0]
    assert spectra[1500, 0] < 1e-3 * spectra[1500, 1]


@EAGERLY
def test_a_waveform_canvas_adds_the_same_to_all_channels(run, concert, tmp_path):
    few = {"steps": 3, "step_size": 1e-3}
    dream(concert, tmp_path / "out.flac", run, recipe(**WAVEFORM | {"optimizer": few}))
    before, after = read(concert), read(tmp_path / "out.flac")
    assert np.abs(after - before).max() > 1e-3
    # The side signal is unchanged, up to the rounding of either channel to 24 bits.
    np.testing.assert_allclose(np.diff(after), np.diff(before), atol=2**-22)


@pytest.mark.slow
@EAGERLY
def test_frequencies_above_the_band_of_the_network_are_unchanged(run, concert, tmp_path):
    dream(concert, tmp_path / "out.flac", run, recipe())
    levels = [
        np.abs(np.fft.rfft(read(path)[:, 0] * np.hanning(len(read(path)))))
        for path in (concert, tmp_path / "out.flac")
    ]
    above = slice(round(12_000 * 1.7), round(20_000 * 1.7))  # bins are 1/1.7 Hz apart
    strongest = levels[0].max()
    # −80 dB of the loudest bin: the stop band of the resampler.
    np.testing.assert_allclose(levels[1][above], levels[0][above], atol=1e-4 * strongest)


@EAGERLY
def test_the_extension_selects_the_format(run, song, tmp_path):
    dream(song, tmp_path / "out.ogg", run, recipe(optimizer={"steps": 1}))
    found = soundfile.info(tmp_path / "out.ogg")
    assert (found.subtype, found.frames) == ("VORBIS", len(read(song)))


# Recipes


@EAGERLY
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"optimizer": {"kind": "lbfgs", "steps": 4, "step_size": 0.1}}, marks=pytest.mark.slow
        ),
        {"octaves": {"count": 3, "scale": 1.3}, "optimizer": {"steps": 2}},
        pytest.param(
            {"octaves": {"count": 2, "axes": "time"}, "optimizer": {"steps": 5}},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"objective": "2*layer_norm(conv1) - 0.1*total_variation()"}, marks=pytest.mark.slow
        ),
        pytest.param(
            {"objective": "layer_norm(embedding)", "tiles": {"overlap_seconds": 0.05, "batch": 2}},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"tiles": {"seconds": 1.5, "overlap_seconds": 0.1}, "objective": "-total_variation()"},
            marks=pytest.mark.slow,
        ),
        WAVEFORM,
        pytest.param({"canvas": {"kind": "waveform"}, "optimizer": GENTLE}, marks=pytest.mark.slow),
        pytest.param(
            {"canvas": {"kind": "log_magnitude", "phase": {"iterations": 0}}},
            marks=pytest.mark.slow,
        ),
        {
            "canvas": {"kind": "log_magnitude", "phase": {"init": "pghi", "iterations": 2}},
            "octaves": {"count": 2},
            "optimizer": {"steps": 2},
        },
        pytest.param({"canvas": {"kind": "mixture"}}, marks=pytest.mark.slow),
        {
            "mask": {"frequency_hz": [300, 3000], "protect_below_db": -60},
            "optimizer": {"steps": 3},
        },
        pytest.param({"repeats": 2, "optimizer": {"steps": 4}}, marks=pytest.mark.slow),
        pytest.param({"optimizer": {"steps": 10, "jitter_seconds": 0.01}}, marks=pytest.mark.slow),
        pytest.param(
            {"optimizer": {"steps": 10, "smoothing": {"kind": "gaussian"}}}, marks=pytest.mark.slow
        ),
        pytest.param(
            {"optimizer": {"steps": 10, "smoothing": {"kind": "laplacian"}}}, marks=pytest.mark.slow
        ),
        pytest.param(
            {"objective": "class_logit(noise) - class_logit(tones)"}, marks=pytest.mark.slow
        ),
        pytest.param({"objective": "channel(conv1, 2)"}, marks=pytest.mark.slow),
        pytest.param({"objective": "layer_energy() - 10*distance()"}, marks=pytest.mark.slow),
        pytest.param({"init": "noise", **WAVEFORM}, marks=pytest.mark.slow),
    ],
    ids=lambda changes: "-".join(f"{name}={value}" for name, value in changes.items())[:60],
)
def test_recipes_raise_their_objective(run, song, tmp_path, changes):
    # Both tiles are in one batch, which is faster than two.
    config = recipe(**{"tiles": SHORT["tiles"] | {"batch": 2}} | changes)
    result = dream(song, tmp_path / "out.wav", run, config)
    assert result["objective_after"] > result["objective_before"]
    assert np.isfinite(result["objective_rendered"])


@EAGERLY
@pytest.mark.parametrize(
    "objective",
    [pytest.param("guide_dot(conv1)", marks=pytest.mark.slow), "guide_match(conv2)"],
)
def test_the_objective_depends_on_the_guide(run, song, source, tmp_path, objective):
    guide = source / "noise" / "0.wav"
    output = tmp_path / "out.wav"
    config = recipe(objective=objective, optimizer={"steps": 2})
    result = dream(song, output, run, config, guide)
    assert result["objective"] == objective
    assert result["objective_after"] > result["objective_before"]
    assert result["objective_rendered"] > result["objective_before"]
    assert json.loads((tmp_path / "out.wav.json").read_text())["guide"] == str(guide)
    other = dream(song, tmp_path / "two.wav", run, config, song)
    assert other["objective_before"] != pytest.approx(result["objective_before"], rel=0.01)


@pytest.mark.slow
def test_dreams_in_bfloat16_are_close_to_those_in_float32(run, song, dreamt, tmp_path):
    result = dream(song, tmp_path / "out.wav", run, recipe(precision="bfloat16", optimizer=PATIENT))
    # Activations of three digits, whose errors mostly cancel in a norm of many of them.
    assert result["objective_before"] == pytest.approx(dreamt[0]["objective_before"], rel=0.01)
    assert result["objective_after"] == pytest.approx(dreamt[0]["objective_after"], rel=0.03)
    assert result["objective_after"] > 1.05 * result["objective_before"]


@pytest.mark.parametrize(("init", "compared"), [("original", True), ("noise", False)])
def test_only_dreams_from_the_original_are_compared_with_it(run, init, compared):
    """-content() of the original is 0, and always falls from there."""
    config = recipe(objective="-content()", init=init, **WAVEFORM)
    goal = Dreamer(run, config).tile_optimizer(RATE).goal
    assert (goal is not None) == compared


@pytest.mark.slow
def test_a_dream_from_noise_is_independent_of_the_original(run, song, tmp_path):
    output = tmp_path / "out.wav"
    config = recipe(init="noise", mask={}, **WAVEFORM)
    dream(song, output, run, config)
    before, after = read(song)[:, 0], read(output)[:, 0]
    # Independent: 15000 samples correlate by 1/√15000 at random.
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.1
    assert after.std() == pytest.approx(before.std(), rel=0.2)
    dream(song, tmp_path / "again.wav", run, config)
    assert (tmp_path / "again.wav").read_bytes() == output.read_bytes()
    dream(song, tmp_path / "other.wav", run, config.model_copy(update={"seed": 1}))
    assert (tmp_path / "other.wav").read_bytes() != output.read_bytes()


@pytest.mark.parametrize("kind", ["gains", "gains_and_noise", "mixture", "phase"])
def test_canvases_that_change_the_original_cannot_start_from_noise(kind):
    with pytest.raises(ConfigError, match="init=noise needs a canvas that can add sound"):
        recipe(init="noise", canvas={"kind": kind})


def test_a_canvas_that_does_not_change_the_input_is_an_error(run, song, tmp_path):
    words = r"canvas.kind=phase changes the phase, which is not part of the model's input"
    refused(run, song, tmp_path / "out.wav", ConfigError, words, canvas={"kind": "phase"})


@pytest.mark.parametrize(("level", "extension"), [(1.0, "wav"), (0.25, "flac")])
@pytest.mark.slow
def test_the_largest_sample_is_the_configured_level(run, song, tmp_path, level, extension):
    output = tmp_path / f"out.{extension}"
    result = dream(song, output, run, recipe(normalize=level))
    found = np.abs(read(output)).max()
    assert found == pytest.approx(level, abs=2**-22)  # of 24 bits; full scale is one step less
    assert result["peak"] == pytest.approx(level, abs=2**-22)
    assert written(tmp_path) == [f"out.{extension}", f"out.{extension}.json"]


def root_mean_square(path):
    return np.sqrt(np.mean(read(path).astype(np.float64) ** 2))


@pytest.mark.slow
def test_a_dream_can_have_the_loudness_of_its_original(run, song, dreamt, tmp_path):
    dream(song, tmp_path / "out.wav", run, recipe(normalize="loudness", optimizer=PATIENT))
    level = audio.measure_level(song).mean_square
    assert audio.measure_level(tmp_path / "out.wav").mean_square == pytest.approx(level, rel=2e-4)
    assert audio.measure_level(dreamt[1]).mean_square != pytest.approx(level, rel=0.02)
    # Only the level differs.
    unscaled, scaled = read(dreamt[1])[:, 0], read(tmp_path / "out.wav")[:, 0]
    assert np.corrcoef(unscaled, scaled)[0, 1] > 1 - 1e-6


@pytest.mark.slow
def test_a_dream_that_would_exceed_full_scale_is_softer_than_its_original(run, tmp_path):
    """Any change of a square wave at full scale has larger samples."""
    square = 0.998 * np.sign(np.sin(2 * np.pi * 330 * np.arange(RATE) / RATE))
    soundfile.write(tmp_path / "loud.wav", square, RATE, "PCM_16")
    result = dream(tmp_path / "loud.wav", tmp_path / "out.wav", run, recipe(normalize="loudness"))
    assert result["peak"] == pytest.approx(0.999, abs=1e-6)
    assert root_mean_square(tmp_path / "out.wav") < root_mean_square(tmp_path / "loud.wav")


@pytest.mark.parametrize("level", ["loudness", 0.5])
@pytest.mark.slow
def test_silence_is_not_scaled(run, tmp_path, level):
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    dream(tmp_path / "silence.wav", tmp_path / "out.wav", run, recipe(normalize=level))
    assert not read(tmp_path / "out.wav").any()


@pytest.mark.slow
def test_mix_interpolates_between_the_original_and_the_dream(run, song, dreamt, tmp_path):
    dream(song, tmp_path / "none.wav", run, recipe(optimizer=PATIENT, mix=0.0))
    assert np.array_equal(read(tmp_path / "none.wav"), read(song))
    dream(song, tmp_path / "half.wav", run, recipe(optimizer=PATIENT, mix=0.5))
    before, half, whole = (read(path) for path in (song, tmp_path / "half.wav", dreamt[1]))
    np.testing.assert_allclose(half, (before + whole) / 2, atol=2**-22)  # two files of 24 bits


# Parts of recordings


@EAGERLY
@pytest.mark.slow
def test_a_part_gives_the_result_of_a_file_of_it(run, song, tmp_path):
    output = tmp_path / "out.wav"
    config = recipe(optimizer={"steps": 3})
    result = dream(song, output, run, config, options=RenderOptions(start_seconds=0.5, seconds=1.2))
    part = read(song)[4000 : 4000 + 9600]
    assert read(output).shape == part.shape
    assert result["audio_seconds"] == pytest.approx(1.2)
    soundfile.write(tmp_path / "part.wav", part, RATE, "FLOAT")
    dream(tmp_path / "part.wav", tmp_path / "same.wav", run, config)
    assert np.array_equal(read(output), read(tmp_path / "same.wav"))
    sidecar = json.loads((tmp_path / "out.wav.json").read_text())
    assert sidecar["source"] == str(song)
    assert (sidecar["start_seconds"], sidecar["seconds"]) == (0.5, 1.2)
    assert sidecar["result"]["output"] == str(output)


@pytest.mark.parametrize(("start", "seconds", "samples"), [(1.5, None, 3000), (1.5, 9.0, 3000)])
@pytest.mark.slow
def test_a_part_ends_with_the_recording(run, song, tmp_path, start, seconds, samples):
    config = recipe(optimizer={"steps": 1})
    where = RenderOptions(start_seconds=start, seconds=seconds)
    assert dream(song, tmp_path / "out.wav", run, config, options=where)["samples"] == samples


def test_a_part_beyond_the_end_is_refused(run, song, tmp_path):
    with pytest.raises(AudioError, match=r"start=9 s is beyond the end of '.*song.wav' \(1.88 s\)"):
        dream(song, tmp_path / "out.wav", run, recipe(), options=RenderOptions(start_seconds=9.0))
    assert written(tmp_path) == []


def test_a_part_too_short_for_the_network_names_the_recording(run, concert, tmp_path):
    with pytest.raises(AudioError, match=r"concert\.wav'.* shorter than a sample at 8000 Hz"):
        dream(concert, tmp_path / "out.wav", run, recipe(), options=RenderOptions(seconds=1e-5))


# Several recordings, and snapshots


@pytest.mark.slow
def test_one_dreamer_processes_several_files(run, song, concert, dreamt, tmp_path):
    dreamer = Dreamer(run, recipe(optimizer=PATIENT))
    dreamer(song, tmp_path / "first.wav")
    dreamer(concert, tmp_path / "second.wav")
    dreamer(song, tmp_path / "third.wav")
    assert (tmp_path / "first.wav").read_bytes() == dreamt[1].read_bytes()
    assert (tmp_path / "third.wav").read_bytes() == dreamt[1].read_bytes()
    assert soundfile.info(tmp_path / "second.wav").samplerate == 44100


@EAGERLY
@pytest.mark.slow
def test_snapshots_are_written_every_few_steps(run, song, tmp_path):
    config = recipe(optimizer={"steps": 6})
    output = tmp_path / "out.wav"
    result = dream(song, output, run, config, options=RenderOptions(save_every=2))
    names = ["out-2.wav", "out-4.wav", "out-6.wav"]
    assert result["snapshots"] == [str(tmp_path / name) for name in names]
    assert written(tmp_path) == [*names, "out.wav", "out.wav.json"]
    assert np.array_equal(read(tmp_path / "out-6.wav"), read(output))  # which has tags, too
    distances = [np.linalg.norm(read(tmp_path / name) - read(song)) for name in names]
    assert 0 < distances[0] < distances[1] < distances[2]
    dream(song, tmp_path / "two.wav", run, recipe(optimizer={"steps": 2}))
    assert np.array_equal(read(tmp_path / "two.wav"), read(tmp_path / "out-2.wav"))


@pytest.mark.slow
def test_snapshots_are_numbered_over_octaves_and_have_the_rate_and_channels(run, concert, tmp_path):
    config = recipe(octaves={"count": 2}, repeats=2, optimizer={"steps": 5}, normalize=0.5)
    result = dream(
        concert, tmp_path / "out.flac", run, config, options=RenderOptions(save_every=10)
    )
    assert written(tmp_path) == [
        *("concert.wav", "out-10.flac", "out-20.flac", "out.flac", "out.flac.json"),
    ]
    assert result["steps"] == 2 * 20  # two tiles
    assert np.array_equal(read(tmp_path / "out-20.flac"), read(tmp_path / "out.flac"))
    assert read(tmp_path / "out-10.flac").shape == read(concert).shape
    assert np.abs(read(tmp_path / "out-10.flac")).max() == pytest.approx(0.5, abs=2**-22)


def test_snapshots_overwrite_nothing_without_force(run, song, tmp_path):
    existing = tmp_path / "out-2.wav"
    shutil.copy(song, existing)
    config = recipe(optimizer={"steps": 2})
    with pytest.raises(AudioError, match="--force"):
        dream(existing, tmp_path / "out.wav", run, config, options=RenderOptions(save_every=2))
    assert written(tmp_path) == ["out-2.wav"]
    assert existing.read_bytes() == song.read_bytes()


# Stops


def stop_at(step):
    return lambda done, total, value: done == step


@EAGERLY
@pytest.mark.parametrize("step", [2, 4])
def test_a_stopped_dream_has_the_full_length_and_the_rest_is_the_original(
    run, song, tmp_path, step
):
    output = tmp_path / "out.wav"
    config = recipe(optimizer={"steps": 4})
    result = dream(song, output, run, config, progress=stop_at(step))
    before, after = read(song), read(output)
    assert after.shape == before.shape
    assert result["interrupted"] is True
    assert result["changed_seconds"] == pytest.approx(1.0)  # the first tile
    assert result["steps"] == step
    assert np.array_equal(after[RATE:], before[RATE:])
    assert np.abs(after[: RATE // 2] - before[: RATE // 2]).max() > 1e-3
    assert result["objective_rendered"] > result["objective_before"]
    sidecar = json.loads((tmp_path / "out.wav.json").read_text())
    assert sidecar["result"] == result
    assert written(tmp_path) == ["out.wav", "out.wav.json"]


@pytest.mark.slow
def test_the_part_before_a_stop_is_that_of_the_complete_dream(run, song, tmp_path):
    dream(song, tmp_path / "complete.wav", run, recipe())
    result = dream(song, tmp_path / "part.wav", run, recipe(), progress=stop_at(12))
    assert result["changed_seconds"] == pytest.approx(15000 / RATE)
    complete, part = read(tmp_path / "complete.wav"), read(tmp_path / "part.wav")
    alone = slice(round(0.95 * RATE))  # before the second tile begins
    assert np.array_equal(part[alone], complete[alone])
    assert not np.array_equal(part[RATE:], complete[RATE:])


def test_a_complete_dream_has_no_keys_of_a_stop_or_snapshots(dreamt):
    assert not {"interrupted", "changed_seconds", "snapshots"} & set(dreamt[0])


@pytest.mark.slow
def test_a_stopped_dream_has_the_snapshots_of_the_steps_before(run, song, tmp_path):
    result = dream(
        song,
        tmp_path / "out.wav",
        run,
        recipe(),
        options=RenderOptions(save_every=5),
        progress=stop_at(7),
    )
    assert result["snapshots"] == [str(tmp_path / "out-05.wav")]
    assert not np.array_equal(read(tmp_path / "out-05.wav"), read(tmp_path / "out.wav"))
    assert np.array_equal(read(tmp_path / "out-05.wav")[RATE:], read(song)[RATE:])


@pytest.mark.slow
def test_a_smaller_bound_changes_less(run, song, dreamt, tmp_path):
    output = tmp_path / "out.wav"
    dream(song, output, run, recipe(canvas={"kind": "gains", "bound_db": 0.5}))
    small, usual = (
        np.sqrt(np.mean((read(path) - read(song)) ** 2)) for path in (output, dreamt[1])
    )
    assert 0 < small < usual
    # No cell is louder or softer than by half a dB, 6 % of its magnitude.
    assert small < 0.06 * np.sqrt(np.mean(read(song) ** 2))


@pytest.mark.slow
def test_tiles_of_a_batch_give_the_results_of_single_ones(run, song, dreamt, tmp_path):
    tiles = {"overlap_seconds": 0.05, "batch": 3}
    result = dream(song, tmp_path / "out.wav", run, recipe(tiles=tiles, optimizer=PATIENT))
    assert result["objective_after"] == pytest.approx(dreamt[0]["objective_after"], rel=0.01)
    # Adam makes steps of rounding errors where a gradient is almost nothing, forty times.
    before, single, together = (read(path) for path in (song, dreamt[1], tmp_path / "out.wav"))
    assert np.std(single - together) < 0.2 * np.std(single - before)


@EAGERLY
def test_progress_ends_at_all_steps_of_all_tiles_and_octaves(run, song, tmp_path):
    reports = []
    config = recipe(octaves={"count": 2}, optimizer={"steps": 2})
    dream(song, tmp_path / "out.wav", run, config, progress=lambda *now: reports.append(now[:2]))
    # Two tiles, two octaves, two steps.
    assert reports == [(done, 2 * 2 * 2) for done in range(1, 2 * 2 * 2 + 1)]


# Unusual recordings


@EAGERLY
def test_silence_stays_silent_and_is_measured(run, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros((12000, 2)), RATE)
    config = recipe(optimizer={"steps": 2})
    result = dream(tmp_path / "silence.wav", tmp_path / "out.wav", run, config)
    assert not read(tmp_path / "out.wav").any()
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(("samples", "rate"), [(1, RATE), (500, 48000)])
@pytest.mark.slow
def test_a_click_can_be_the_source(run, tmp_path, samples, rate):
    soundfile.write(tmp_path / "click.wav", np.full(samples, 0.5), rate)
    result = dream(tmp_path / "click.wav", tmp_path / "out.wav", run, recipe())
    assert (result["samples"], result["sample_rate"]) == (samples, rate)
    assert np.isfinite(read(tmp_path / "out.wav")).all()
    json.dumps(result, allow_nan=False)


def test_a_click_too_short_for_the_network_is_refused(run, tmp_path):
    soundfile.write(tmp_path / "click.wav", [0.5], 44100)
    output = tmp_path / "out.wav"
    refused(run, tmp_path / "click.wav", output, AudioError, "shorter than a sample at 8000 Hz")


@EAGERLY
def test_a_recording_at_full_scale_is_limited(run, tmp_path):
    seconds = np.arange(RATE) / RATE
    square = np.sign(np.sin(2 * np.pi * 330 * seconds))
    soundfile.write(tmp_path / "loud.wav", square, RATE, "PCM_16")
    config = recipe(optimizer={"steps": 4})
    result = dream(tmp_path / "loud.wav", tmp_path / "out.wav", run, config)
    assert 0.9 < result["peak"] < 1


# Errors


def refused(run, source, output, error, words, **changes):
    """Check that a dream fails with a message of one line, and writes nothing."""
    before = written(output.parent)
    with pytest.raises(error, match=words) as caught:
        dream(source, output, run, recipe(**changes))
    assert "\n" not in str(caught.value)
    assert written(output.parent) == before


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"objective": "layer_norm(conv7)"}, ModelError, "'conv7' is not in the model.*conv2"),
        ({"objective": "layer_norm("}, ConfigError, "cannot be parsed"),
        (
            {
                "objective": "layer_norm(conv1) - content(conv2)",
                "optimizer": {"jitter_pixels": 2},
            },
            ConfigError,
            r"optimizer.jitter_pixels=2 shifts the activations",
        ),
        ({"objective": "class_logit(jazz)"}, ConfigError, "labels are noise, tones"),
        (
            {"objective": "channel(conv1, 4)"},
            ConfigError,
            "conv1 has no channel index=4: it has 4, from 0",
        ),
        ({"objective": "guide_dot(conv1)"}, ConfigError, "needs a guide; .*--guide"),
        ({"octaves": {"count": 30}}, ConfigError, "octaves.count=30 .*use fewer"),
        ({"octaves": {"count": 13}}, ConfigError, r"\(2, 2, 1\) is too small .* fewer octaves"),
        (
            {"objective": "layer_norm(embedding)", "octaves": {"count": 2}},
            ConfigError,
            r"embedding require .*octaves.count=1",
        ),
        (
            {"objective": "layer_norm(embedding)", "tiles": {"seconds": 2.0}},
            ConfigError,
            r"embedding require .*do not set tiles.seconds",
        ),
        ({"tiles": {"overlap_seconds": 0.6}}, ConfigError, "overlap_seconds=0.6 is more than half"),
        (
            {"tiles": {"seconds": 0.1, "overlap_seconds": 0}},
            ConfigError,
            "800 samples is too short for n_fft=2048",
        ),
        (
            {
                **WAVEFORM,
                "objective": "-total_variation()",
                "tiles": {"seconds": 0.01, "overlap_seconds": 0},
            },
            ConfigError,
            "tiles of 80 samples, fewer than the window of 256; use at least 0.032 s",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(run, song, tmp_path, changes, error, words):
    refused(run, song, tmp_path / "out.wav", error, words, **changes)


def test_a_network_without_convolutions_needs_the_name_of_a_layer(run):
    config = ModelConfig(name="softmax")
    model = classifiers.build(config, run.frontend.shape(run.input_samples), len(run.labels))
    other = copy.copy(run)
    other.__dict__["model"] = model
    with pytest.raises(ModelError, match="has no convolution"):
        Dreamer(other, recipe())
    assert Dreamer(other, recipe(objective="layer_norm(logits)")).objective.layers == {"logits"}


def test_an_unused_guide_is_refused(run, song, tmp_path):
    with pytest.raises(
        ConfigError, match=r"'layer_norm\(conv2\)' does not use a guide; remove --guide"
    ):
        dream(song, tmp_path / "out.wav", run, recipe(), song)
    assert written(tmp_path) == []


def test_a_missing_guide_is_refused(run, song, tmp_path):
    config = recipe(objective="guide_match()")
    with pytest.raises(AudioError, match=r"gone\.wav' does not exist"):
        dream(song, tmp_path / "out.wav", run, config, tmp_path / "gone.wav")
    assert written(tmp_path) == []


@pytest.mark.parametrize("name", ["out.mp3", "out", "out.txt"])
def test_a_format_that_cannot_be_written_is_refused_at_once(run, song, tmp_path, name):
    refused(run, song, tmp_path / name, AudioError, r"does not end in one of \.wav, \.flac")


def test_bits_that_do_not_fit_are_refused_at_once(run, song, tmp_path):
    with pytest.raises(AudioError, match=r"bits=32 is not available for \.flac"):
        dream(song, tmp_path / "out.flac", run, recipe(), options=RenderOptions(bits=32))


def test_a_missing_recording_is_refused(run, tmp_path):
    refused(run, tmp_path / "gone.wav", tmp_path / "out.wav", AudioError, "does not exist")


def test_a_file_without_audio_is_refused(run, tmp_path):
    (tmp_path / "text.wav").write_text("none")
    refused(run, tmp_path / "text.wav", tmp_path / "out.wav", AudioError, "cannot be decoded")


@EAGERLY
def test_an_existing_file_is_replaced_with_force_only(run, song, tmp_path):
    output = tmp_path / "out.wav"
    output.write_text("existing")
    refused(run, song, output, AudioError, "--force")
    assert output.read_text() == "existing"
    dream(song, output, run, recipe(optimizer={"steps": 1}), options=RenderOptions(force=True))
    assert written(tmp_path) == ["out.wav", "out.wav.json"]
    assert len(read(output)) == len(read(song))


@EAGERLY
def test_an_interrupted_dream_leaves_no_file(run, song, tmp_path):
    def interrupt(done, *_):
        if done == 5:  # in the second tile, when the first one is written
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        config = recipe(optimizer={"steps": 3})
        dream(song, tmp_path / "out.wav", run, config, progress=interrupt)
    assert written(tmp_path) == []


@EAGERLY
def test_infinite_values_are_an_error_and_leave_no_file(run, song, tmp_path):
    wild = {"kind": "gradient", "steps": 3, "step_size": 1e30}
    with pytest.raises(TfdreamError, match="step_size"):
        dream(song, tmp_path / "out.wav", run, recipe(**(WAVEFORM | {"optimizer": wild})))
    assert written(tmp_path) == []
