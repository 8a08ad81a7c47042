from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import DreamConfig, OctavesConfig, load, validate
from tfdream.errors import ConfigError
from tfdream.signal.frontends.raw import RawFrontend
from tfdream.synthesis.ascent.objectives import INPUT, Objective
from tfdream.synthesis.ascent.objectives.layers import layer_norm
from tfdream.synthesis.ascent.objectives.original import content
from tfdream.synthesis.canvases import gains_and_noise
from tfdream.synthesis.rendering.processor import Goal
from tfdream.synthesis.rendering.tiles import Tiles
from tfdream.synthesis.tile_optimizer import Objectives, build_tile_optimizer, noise, octave_sizes

# Eager execution gives the same results; tracing graphs takes longer than a few steps.
pytestmark = pytest.mark.usefixtures("eagerly")

RATE = 8000
GAINS = {"kind": "gains", "stft": {"n_fft": 512, "hop_samples": 128}}
WAVEFORM = {"kind": "waveform"}
ORIGINAL_PHASE = {"kind": "log_magnitude", "phase": {"iterations": 0}}
CANVASES = [GAINS, WAVEFORM, ORIGINAL_PHASE]
SMALL_STEPS = {"gains": 0.5, "waveform": 5e-4, "log_magnitude": 0.5}


def build(run, objective=None, start=None, guide=None, **changes):
    config = validate({"tiles": {"overlap_seconds": 0.05}} | changes, DreamConfig, "test")
    objective = objective or layer_norm("conv2")
    objectives = Objectives(lambda size: (objective, {"objective": objective}), Goal("objective"))
    return build_tile_optimizer(run, config, objectives, None, start, guide)


def few_steps(canvas, **changes):
    """Settings of a few small steps on a canvas."""
    optimizer = {"steps": 3, "step_size": SMALL_STEPS[canvas["kind"]], "kind": "gradient"}
    return {"canvas": canvas, "optimizer": optimizer | changes}


@pytest.fixture(scope="module")
def tiles(source):
    """The first two seconds of a track as two stereo tiles, louder on the left."""
    samples, _ = soundfile.read(source / "tones" / "0.wav", dtype="float32")
    mono = samples[: 2 * RATE].reshape(2, RATE)
    channels = np.stack([mono, 0.5 * mono], axis=-1)
    return Tiles(channels, np.ones(2), np.array([0, RATE]), np.zeros(2, int))


@pytest.fixture(scope="module", params=CANVASES, ids=lambda canvas: canvas["kind"])
def optimized(request, run, tiles, step_by_step):
    """A canvas, and the channels and measures of the tiles after a few steps on it."""
    with step_by_step():
        return request.param, *build(run, **few_steps(request.param)).process(tiles)


def with_channels(tiles, channels):
    return tiles._replace(channels=channels)


def objectives_before(optimizer, tiles):
    """The objective before each step."""
    values = []
    optimizer.process(tiles, lambda value, render: values.append(value))
    return values


# Octaves


def test_octaves_shrink_the_view_the_smallest_first():
    for config, sizes in [
        ({}, [None]),
        ({"count": 3, "scale": 2.0}, [(25, 32), (50, 63), None]),
        ({"count": 2, "scale": 1.4}, [(71, 90), None]),
        ({"count": 3, "scale": 2.0, "axes": "time"}, [(100, 32), (100, 63), None]),
    ]:
        assert octave_sizes((100, 126, 1), OctavesConfig(**config)) == sizes


def test_octaves_smaller_than_a_pixel_and_of_samples_are_errors():
    with pytest.raises(ConfigError, match=r"count=9 .*leaves nothing of an image of 100×126"):
        octave_sizes((100, 126, 1), OctavesConfig(count=9, scale=2.0))
    with pytest.raises(ConfigError, match=r"needs a model with images as input"):
        octave_sizes((8000, 1), OctavesConfig(count=2))
    assert octave_sizes((8000, 1), OctavesConfig()) == [None]


@pytest.mark.slow
def test_every_octave_and_repeat_takes_all_steps(run, tiles):
    optimizer = build(
        run, octaves={"count": 3, "scale": 1.2}, optimizer={"steps": 2}, repeats=2, canvas=GAINS
    )
    assert len(objectives_before(optimizer, tiles)) == optimizer.steps == 12
    assert [compiled.size for compiled in optimizer.octaves][-1] is None
    assert optimizer.compiled is optimizer.octaves[-1]


# Changes


def test_every_channel_changes(tiles, optimized):
    canvas, changed, measures = optimized
    assert changed.shape == tiles.channels.shape
    assert changed.dtype == np.float32
    assert (measures["objective_after"] > measures["objective_before"]).all()
    difference = changed - tiles.channels
    assert np.abs(difference).max() > 1e-3
    if canvas is GAINS:  # gains multiply: the left is twice as loud, and so is its change
        np.testing.assert_allclose(difference[..., 0], 2 * difference[..., 1], atol=1e-5)
    else:
        np.testing.assert_allclose(difference[..., 0], difference[..., 1], atol=1e-6)


def test_gains_leave_a_silent_channel_unchanged(run, tiles):
    left_only = tiles.channels * np.array([1, 0], np.float32)
    changed, _ = build(run, **few_steps(GAINS)).process(with_channels(tiles, left_only))
    assert np.abs(changed[..., 0] - left_only[..., 0]).max() > 1e-3
    assert np.abs(changed[..., 1]).max() < 1e-7


def test_the_mean_of_the_changed_channels_is_the_optimized_mid_signal(run, tiles, optimized):
    canvas, changed, _ = optimized
    mono = with_channels(tiles, tiles.waveforms[..., np.newaxis])
    mid, _ = build(run, **few_steps(canvas)).process(mono)
    # Channel by channel through an STFT and back, in float32.
    np.testing.assert_allclose(changed.mean(axis=2), mid[..., 0], atol=1e-5)


def test_without_steps_the_tiles_are_measured_and_unchanged(run, tiles, optimized):
    canvas, _, optimized_measures = optimized
    channels, measures = build(run, **few_steps(canvas)).process(tiles, apply=False)
    assert np.array_equal(channels, tiles.channels)
    before = measures["objective_before"]
    np.testing.assert_allclose(measures["objective_after"], before, rtol=1e-6)
    np.testing.assert_allclose(optimized_measures["objective_before"], before, rtol=1e-6)


@pytest.mark.slow
def test_a_repeat_starts_from_the_changed_channels(run, tiles, optimized):
    canvas, first, before = optimized
    settings = few_steps(canvas)
    repeated, measures = build(run, **settings, repeats=2).process(tiles)
    again, after = build(run, **settings).process(with_channels(tiles, first))
    np.testing.assert_allclose(measures["objective_before"], before["objective_before"], rtol=1e-6)
    # Between the two the result is rendered, in float32; steps follow its gradient.
    np.testing.assert_allclose(measures["objective_after"], after["objective_after"], rtol=1e-3)
    change = np.linalg.norm(repeated - tiles.channels)
    assert np.linalg.norm(repeated - again) < 0.02 * change
    assert np.linalg.norm(first - again) > 0.1 * change


@pytest.mark.slow
def test_the_bound_of_gains_applies_to_each_repeat(run, tiles):
    """Two repeats of 3 dB are at most 6 dB."""
    settings = few_steps(GAINS | {"bound_db": 3.0}, steps=20, step_size=3.0)
    norms = []
    for repeats in (1, 2):
        changed, _ = build(run, **settings, repeats=repeats).process(tiles)
        norms.append(np.linalg.norm(changed) / np.linalg.norm(tiles.channels))
    assert norms[0] < 10 ** (3 / 20)
    assert norms[1] < 10 ** (6 / 20)
    # The second repeat increases the same cells again.
    assert norms[1] != pytest.approx(norms[0], rel=0.05)


def test_repeats_measure_the_distance_from_the_original(run, tiles):
    plain, with_distance = (
        objectives_before(build(run, objective, **few_steps(WAVEFORM), repeats=2), tiles)
        for objective in (layer_norm("conv2"), layer_norm("conv2") + content("conv2"))
    )
    # Before the first step the distance is zero.
    assert with_distance[0] == pytest.approx(plain[0], rel=1e-5)
    # The second repeat starts where the first one ended, further away than any step before.
    assert all(np.diff(with_distance) > 0)


def test_the_result_is_the_change_of_the_last_step(run, tiles, optimized):
    """A share of it is mixed with the original where tiles are joined, see `rendering.process`."""
    canvas, whole, _ = optimized
    rendered = []
    changed, _ = build(run, **few_steps(canvas), mix=0.25).process(
        tiles, lambda value, render: rendered.append(render())
    )
    assert np.array_equal(rendered[-1], changed)
    assert not np.array_equal(rendered[0], changed)
    np.testing.assert_allclose(changed, whole, atol=1e-6)


@pytest.mark.slow
def test_jitter_depends_on_the_seed_and_the_start_of_the_tiles(run, tiles):
    settings = few_steps(WAVEFORM, jitter_seconds=0.1)
    first, again, other = (
        build(run, **settings, seed=seed).process(tiles)[0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    elsewhere = tiles._replace(starts=tiles.starts + 5)
    moved, _ = build(run, **settings, seed=1).process(elsewhere)
    assert not np.array_equal(first, moved)


@pytest.mark.slow
def test_a_callback_can_stop_after_any_step(run, tiles):
    """Two octaves and two repeats of two steps: the stops are in all of them, and between."""
    for kind, stops in [("gradient", [1]), ("adam", [2, 5]), ("lbfgs", [4])]:
        optimizer = build(
            run,
            **few_steps(WAVEFORM, kind=kind, steps=2),
            octaves={"count": 2, "scale": 1.2},
            repeats=2,
        )
        rendered = []
        optimizer.process(tiles, lambda value, render, out=rendered: out.append(render()))
        assert len(rendered) == optimizer.steps
        for stop in stops:
            values = []

            def stop_after(value, render, stop=stop, values=values):
                values.append(value)
                return len(values) == stop

            changed, measures = optimizer.process(tiles, stop_after)
            assert len(values) == stop
            np.testing.assert_allclose(changed, rendered[stop - 1], atol=1e-6)
            assert np.isfinite(measures["objective_after"]).all()


def test_the_times_of_a_mask_are_those_of_the_file(run, tiles):
    """Only the last half of the file's second second may change."""
    optimizer = build(run, **few_steps(GAINS), mask={"time_seconds": [1.5, 9.0]})
    changed, _ = optimizer.process(tiles)
    difference = np.abs(changed - tiles.channels)
    # Through an STFT and back, in float32; a window of 64 ms and an edge of 25 ms beside the limit.
    assert difference[0].max() < 1e-5
    assert difference[1, : round(0.4 * RATE)].max() < 1e-5
    assert difference[1, RATE // 2 :].max() > 1e-3


def test_the_noise_is_that_of_the_exact_position_late_in_a_file(run, tiles, monkeypatch):
    white_noise, drawn = gains_and_noise.white_noise, []

    def recorded(starts, samples):
        drawn.append(starts.numpy())
        return white_noise(starts, samples)

    monkeypatch.setattr(gains_and_noise, "white_noise", recorded)
    optimizer = build(run, canvas={"kind": "gains_and_noise"}, mask={"time_seconds": [0, 20_000]})
    late = tiles._replace(starts=tiles.starts + 100_000_001)
    optimizer.process(late, apply=False)
    assert np.array_equal(drawn[0], late.starts)


def test_octaves_share_the_network(run):
    built = build(run, octaves={"count": 3, "scale": 1.2}).octaves
    assert len({id(compiled.network) for compiled in built}) == 1


def test_the_guide_is_read_at_the_starts_of_the_tiles(run, tiles):
    calls = []

    def guide(starts):
        calls.append(starts.tolist())
        return np.ones((len(starts), RATE), np.float32)

    build(run, guide=guide, **few_steps(WAVEFORM)).process(tiles)
    assert calls
    assert all(starts == [0, RATE] for starts in calls)


# Initial values


def test_noise_has_the_level_of_the_waveforms(tiles):
    result = noise(tiles.waveforms, tiles.starts, 0)
    assert (result.dtype, result.shape) == (np.float32, tiles.waveforms.shape)
    # The level of 8000 random samples has a relative deviation of 1/√16000.
    np.testing.assert_allclose(result.std(axis=1), tiles.waveforms.std(axis=1), rtol=0.05)
    assert not noise(0 * tiles.waveforms, tiles.starts, 0).any()


def test_tiles_have_the_same_noise_where_they_overlap(tiles):
    starts = np.array([0, RATE // 4])
    first, second = noise(np.ones_like(tiles.waveforms), starts, 1)
    assert np.array_equal(first[RATE // 4 :], second[: -RATE // 4])
    assert not np.array_equal(first, noise(np.ones_like(tiles.waveforms), starts, 2)[0])


def test_a_start_from_noise_is_independent_of_the_original(run, tiles):
    settings = few_steps(WAVEFORM, steps=1)
    changed, measures = build(run, start=noise, **settings).process(tiles)
    mono = tiles._replace(channels=changed).waveforms
    for before, after in zip(tiles.waveforms, mono, strict=True):
        # Independent waveforms of 8000 samples have a correlation of about 1/√8000.
        assert abs(np.corrcoef(before, after)[0, 1]) < 0.1
    original, _ = build(run, **settings).process(tiles, apply=False)
    assert np.array_equal(original, tiles.channels)
    assert np.isfinite(measures["objective_after"]).all()


# Samples without a bound


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3"])
def test_the_published_raw_dreams_have_no_bound(layer):
    config = load(f"dream/raw_{layer}", DreamConfig)
    assert config.canvas.model_dump() == {"kind": "waveform", "bound": None, "peak": 0.9}
    assert (config.objective, config.normalize) == (f"layer_energy({layer})", 0.9)
    assert (config.optimizer.kind, config.octaves.count) == ("lbfgs", 1)


def test_samples_that_diverge_are_scaled_before_they_are_measured(run, tiles):
    """A sum of squares grows beyond the range of float32, and each tile is scaled to 0.9."""
    squares = Objective(
        "squares()",
        frozenset(),
        lambda activations, targets: tf.reduce_sum(activations[INPUT] ** 2, axis=[1, 2]),
    )
    raw = SimpleNamespace(
        model=run.model, frontend=RawFrontend(), sample_rate=RATE, input_samples=RATE
    )
    mono = with_channels(tiles, tiles.channels[..., :1])
    lbfgs = {"kind": "lbfgs", "steps": 100, "step_size": 0.01}
    results = {}
    for name, scaled in (("bounded", {"bound": 1}), ("unbounded", {"peak": 0.9})):
        optimizer = build(raw, squares, canvas=WAVEFORM | scaled, optimizer=lbfgs)
        results[name], measures = optimizer.process(mono)
        assert np.isfinite(measures["objective_after"]).all()
    np.testing.assert_allclose(np.abs(results["unbounded"]).max(axis=(1, 2)), 0.9, rtol=1e-5)
    # Bounds turn every sample into 1 or −1; without them the waveform keeps its shape.
    crest = {name: np.abs(values).max() / values.std() for name, values in results.items()}
    assert crest["bounded"] < 1.5
    original = mono.channels[0].ravel()
    assert np.corrcoef(results["unbounded"][0].ravel(), original)[0, 1] > 0.99
