import numpy as np
import pytest
import soundfile

from tfdream.config import DreamConfig, OctavesConfig, validate
from tfdream.errors import ConfigError
from tfdream.synthesis.ascent.objectives.layers import layer_norm
from tfdream.synthesis.ascent.objectives.original import content
from tfdream.synthesis.rendering.tiles import Tiles
from tfdream.synthesis.tile_optimizer import build_tile_optimizer, noise, octave_sizes

# What a optimizer does is the same step by step; to build its graph takes longer than a few steps.
pytestmark = pytest.mark.usefixtures("eagerly")

RATE = 8000
GAINS = {"kind": "gains", "stft": {"n_fft": 512, "hop_samples": 128}}
WAVEFORM = {"kind": "waveform"}
OLD_PHASE = {"kind": "log_magnitude", "phase": {"iterations": 0}}
CANVASES = pytest.mark.parametrize("canvas", [GAINS, WAVEFORM, OLD_PHASE], ids=lambda c: c["kind"])
SMALL_STEPS = {"gains": 0.5, "waveform": 1e-3, "log_magnitude": 0.5}


def build(run, objective=None, start=None, guide=None, **changes):
    config = validate({"tiles": {"overlap_seconds": 0.05}} | changes, DreamConfig, "test")
    objective = objective or layer_norm("conv2")
    return build_tile_optimizer(
        run, config, lambda size: (objective, {"objective": objective}), False, start, guide
    )


def climbing(canvas, **changes):
    """Settings of a few small steps on a canvas."""
    optimizer = {"steps": 3, "step_size": SMALL_STEPS[canvas["kind"]], "kind": "gradient"}
    return {"canvas": canvas, "optimizer": optimizer | changes}


@pytest.fixture(scope="module")
def tiles(song):
    """The first two seconds of the song, as two stereo tiles: louder on the left."""
    samples, _ = soundfile.read(song, dtype="float32")
    mono = samples[: 2 * RATE].reshape(2, RATE)
    channels = np.stack([mono, 0.5 * mono], axis=-1)
    return Tiles(channels, np.ones(2), np.array([0, RATE]), np.zeros(2, int))


def of(channels, tiles):
    return tiles._replace(channels=channels)


# Octaves


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        ({}, [None]),
        ({"count": 3, "scale": 2.0}, [(25, 32), (50, 63), None]),
        ({"count": 2, "scale": 1.4}, [(71, 90), None]),
        ({"count": 3, "scale": 2.0, "axes": "time"}, [(100, 32), (100, 63), None]),
    ],
    ids=str,
)
def test_octaves_shrink_the_view_the_smallest_first(config, sizes):
    assert octave_sizes((100, 126, 1), OctavesConfig(**config)) == sizes


def test_octaves_need_something_to_shrink():
    with pytest.raises(ConfigError, match=r"count=9 .*leaves nothing of an image of 100×126"):
        octave_sizes((100, 126, 1), OctavesConfig(count=9, scale=2.0))
    with pytest.raises(ConfigError, match=r"needs a model with images as input"):
        octave_sizes((8000, 1), OctavesConfig(count=2))
    assert octave_sizes((8000, 1), OctavesConfig()) == [None]


@pytest.mark.slow
def test_there_are_steps_for_each_octave_and_repeat(run, tiles):
    optimizer = build(
        run, octaves={"count": 3, "scale": 1.2}, optimizer={"steps": 2}, repeats=2, canvas=GAINS
    )
    heard = []
    optimizer.process(tiles, lambda value, sound: heard.append(value))
    assert len(heard) == optimizer.steps == 12
    assert [compiled.size for compiled in optimizer.octaves][-1] is None
    assert optimizer.compiled is optimizer.octaves[-1]


# Changes


@CANVASES
@pytest.mark.slow
def test_a_change_is_heard_in_every_channel(run, tiles, canvas):
    changed, heard = build(run, **climbing(canvas)).process(tiles)
    assert changed.shape == tiles.channels.shape
    assert changed.dtype == np.float32
    assert (heard["objective_after"] > heard["objective_before"]).all()
    difference = changed - tiles.channels
    assert np.abs(difference).max() > 1e-3
    if canvas is GAINS:  # which multiply: the left is twice as loud, and so is its change
        np.testing.assert_allclose(difference[..., 0], 2 * difference[..., 1], atol=1e-5)
    else:
        np.testing.assert_allclose(difference[..., 0], difference[..., 1], atol=1e-6)


def test_gains_leave_a_silent_channel_silent(run, tiles):
    left_alone = tiles.channels * np.array([1, 0], np.float32)
    changed, _ = build(run, **climbing(GAINS)).process(of(left_alone, tiles))
    assert np.abs(changed[..., 0] - left_alone[..., 0]).max() > 1e-3
    assert np.abs(changed[..., 1]).max() < 1e-7


@CANVASES
def test_the_mean_of_the_changed_channels_is_what_was_optimized(run, tiles, canvas):
    mono = tiles.waveforms[..., np.newaxis]
    together, _ = build(run, **climbing(canvas)).process(tiles)
    alone, _ = build(run, **climbing(canvas)).process(of(mono, tiles))
    # Channel by channel through an STFT and back, in float32.
    np.testing.assert_allclose(together.mean(axis=2), alone[..., 0], atol=1e-5)


def test_without_a_climb_the_tiles_stay_and_are_measured(run, tiles):
    optimizer = build(run, **climbing(GAINS))
    changed, heard = optimizer.process(tiles, apply=False)
    assert np.array_equal(changed, tiles.channels)
    np.testing.assert_allclose(heard["objective_after"], heard["objective_before"], rtol=1e-6)
    _, climbed = optimizer.process(tiles)
    np.testing.assert_allclose(climbed["objective_before"], heard["objective_before"], rtol=1e-6)


@CANVASES
@pytest.mark.slow
def test_repeats_change_the_result_again(run, tiles, canvas):
    settings = climbing(canvas)
    twice, heard = build(run, **settings, repeats=2).process(tiles)
    once = build(run, **settings)
    first, before = once.process(tiles)
    again, after = once.process(of(first, tiles))
    np.testing.assert_allclose(heard["objective_before"], before["objective_before"], rtol=1e-6)
    # Between the two the result is rendered, in float32; steps follow its gradient.
    np.testing.assert_allclose(heard["objective_after"], after["objective_after"], rtol=1e-3)
    far = np.linalg.norm(twice - tiles.channels)
    assert np.linalg.norm(twice - again) < 0.02 * far
    assert np.linalg.norm(first - again) > 0.1 * far


@pytest.mark.slow
def test_repeats_let_gains_exceed_their_bound(run, tiles):
    """Each round its own: two rounds of 3 dB are at most 6."""
    settings = climbing(GAINS | {"bound_db": 3.0}, steps=20, step_size=3.0)
    norms = []
    for repeats in (1, 2):
        changed, _ = build(run, **settings, repeats=repeats).process(tiles)
        norms.append(np.linalg.norm(changed) / np.linalg.norm(tiles.channels))
    assert norms[0] < 10 ** (3 / 20)
    assert norms[1] < 10 ** (6 / 20)
    # A round later, what was brought forward is so again.
    assert norms[1] != pytest.approx(norms[0], rel=0.05)


def test_repeats_remember_the_original(run, tiles):
    """A distance is measured from where the first round began, not the last."""
    plain, far = layer_norm("conv2"), layer_norm("conv2") + content("conv2")
    rounds = []
    for objective in (plain, far):
        values = []
        optimizer = build(run, objective, **climbing(WAVEFORM), repeats=2)
        optimizer.process(tiles, lambda value, sound, heard=values: heard.append(value))
        rounds.append(values)
    # The first step is heard before it is made: there is no distance yet.
    assert rounds[1][0] == pytest.approx(rounds[0][0], rel=1e-5)
    # The second round begins where the first one ended, further away than any step before.
    assert all(np.diff(rounds[1]) > 0)


@CANVASES
@pytest.mark.parametrize("mix", [0.25])
@pytest.mark.slow
def test_mix_is_how_much_of_the_change_is_kept(run, tiles, canvas, mix):
    whole, seen = build(run, **climbing(canvas)).process(tiles)
    some, heard = build(run, **climbing(canvas), mix=mix).process(tiles)
    wanted = tiles.channels + mix * (whole - tiles.channels)
    np.testing.assert_allclose(some, wanted, atol=1e-6)  # float32
    if not mix:
        assert np.array_equal(some, tiles.channels)
    # What the optimizer saw was not mixed.
    np.testing.assert_allclose(heard["objective_after"], seen["objective_after"], rtol=1e-5)


@pytest.mark.slow
def test_jitter_follows_the_seed_and_the_place(run, tiles):
    settings = climbing(WAVEFORM, jitter_seconds=0.1)
    first, again, other = (
        build(run, **settings, seed=seed).process(tiles)[0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    elsewhere = tiles._replace(starts=tiles.starts + 5)
    moved, _ = build(run, **settings, seed=1).process(elsewhere)
    assert not np.array_equal(first, moved)


@pytest.mark.parametrize(
    ("kind", "stop"), [("gradient", 1), ("adam", 2), ("adam", 5), ("lbfgs", 4)]
)
@pytest.mark.slow
def test_who_hears_the_steps_can_stop_and_what_is_done_is_kept(run, tiles, kind, stop):
    """Two octaves and two rounds of two steps: stops in all of them, and between."""
    settings = climbing(WAVEFORM, kind=kind, steps=2) | {
        "octaves": {"count": 2, "scale": 1.2},
        "repeats": 2,
    }
    optimizer = build(run, **settings)
    sounds = []
    optimizer.process(tiles, lambda value, sound: sounds.append(sound()))
    assert len(sounds) == optimizer.steps
    heard = []

    def encode_prompt(value, sound):
        heard.append(value)
        return len(heard) == stop

    changed, measures = optimizer.process(tiles, encode_prompt)
    assert len(heard) == stop
    np.testing.assert_allclose(changed, sounds[stop - 1], atol=1e-6)
    assert np.isfinite(measures["objective_after"]).all()


@CANVASES
def test_the_sound_of_the_last_step_is_the_result(run, tiles, canvas):
    optimizer = build(run, **climbing(canvas), mix=0.7)
    sounds = []
    changed, _ = optimizer.process(tiles, lambda value, sound: sounds.append(sound()))
    assert np.array_equal(sounds[-1], changed)
    assert not np.array_equal(sounds[0], changed)


def test_a_mask_follows_the_place_of_the_tiles(run, tiles):
    """Only the second half of the recording's second second may change."""
    optimizer = build(run, **climbing(GAINS), mask={"time_seconds": [1.5, 9.0]})
    changed, _ = optimizer.process(tiles)
    difference = np.abs(changed - tiles.channels)
    # Through an STFT and back, in float32; a window of 64 ms and an edge of 25 ms beside the limit.
    assert difference[0].max() < 1e-5
    assert difference[1, : round(0.4 * RATE)].max() < 1e-5
    assert difference[1, RATE // 2 :].max() > 1e-3


def test_a_guide_is_asked_for_where_the_tiles_are(run, tiles):
    asked = []

    def guide(starts):
        asked.append(starts.tolist())
        return np.ones((len(starts), RATE), np.float32)

    build(run, guide=guide, **climbing(WAVEFORM)).process(tiles)
    assert asked
    assert all(starts == [0, RATE] for starts in asked)


# From elsewhere


def test_noise_is_as_loud_as_what_it_stands_for(tiles):
    found = noise(tiles.waveforms, np.random.default_rng(0))
    assert (found.dtype, found.shape) == (np.float32, tiles.waveforms.shape)
    # Of 8000 samples, the level of noise is known to 1/√16000.
    np.testing.assert_allclose(found.std(axis=1), tiles.waveforms.std(axis=1), rtol=0.05)
    assert not noise(0 * tiles.waveforms, np.random.default_rng(0)).any()


def test_a_start_from_noise_forgets_the_original_on_request(run, tiles):
    settings = climbing(WAVEFORM, steps=1)
    changed, heard = build(run, start=noise, **settings).process(tiles)
    mono = tiles._replace(channels=changed).waveforms
    for before, after in zip(tiles.waveforms, mono, strict=True):
        # Independent of the original: 8000 samples correlate by 1/√8000 at random.
        assert abs(np.corrcoef(before, after)[0, 1]) < 0.1
    original, _ = build(run, **settings).process(tiles, apply=False)
    assert np.array_equal(original, tiles.channels)
    assert np.isfinite(heard["objective_after"]).all()
