"""Contracts of all augmentations, and the physics of each."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from extensions import extension

from tfdream.config import AugmentationConfig, Experiment, validate
from tfdream.config.registry import sections
from tfdream.datasets import augmentation
from tfdream.datasets.pipelines import without_autograph
from tfdream.errors import ConfigError

PACKAGE = "tfdream.datasets.augmentation"
RATE = 8000
BATCH = 6
SEED = [3, 1]

SECTIONS = sections(PACKAGE, AugmentationConfig)
OF_WAVEFORMS = [kind for kind, section in SECTIONS.items() if section.changes_waveforms]
OF_INPUTS = [kind for kind in SECTIONS if kind not in OF_WAVEFORMS]
OF_IMAGES = [kind for kind, section in SECTIONS.items() if section.needs_images]


def config(kind, **settings):
    return SECTIONS[kind](kind=kind, **settings)


def change(kind, values, seed=SEED, **settings):
    """Apply a single augmentation to waveforms or inputs."""
    apply = compiled(kind, tuple(settings.items()))
    return apply(tf.constant(values), labels(len(values)), tf.constant(seed, tf.int64))[0].numpy()


@functools.cache
def compiled(kind, settings):
    """Build the graph of an augmentation once for all values of a shape."""
    return tf.function(composed([config(kind, **dict(settings))]), autograph=False)


@pytest.fixture(scope="module", autouse=True)
def _release_graphs():
    yield
    compiled.cache_clear()
    noise.cache_clear()


def composed(configs):
    """Compose augmentations of both domains: (values, labels, seed) → (values, labels)."""
    on_waveforms = augmentation.waveform_augmentation(configs, RATE)
    on_inputs = augmentation.input_augmentation(configs)

    def apply(values, labels, seed=SEED):
        values, labels = tf.convert_to_tensor(values), tf.convert_to_tensor(labels)
        return on_inputs(on_waveforms(values, seed), labels, seed)

    return apply


def labels(batch):
    return tf.one_hot(tf.range(batch) % 3, 3)


@functools.cache
def noise(*shape):
    return np.random.default_rng(0).uniform(0.1, 1, shape).astype(np.float32)


def waveforms(batch=BATCH, samples=1000):
    return noise(batch, samples) - np.float32(0.5)


def images(batch=BATCH, height=40, width=50, channels=1):
    return noise(batch, height, width, channels)


def example_of(kind):
    return swelling_waveforms() if kind in OF_WAVEFORMS else images()


def swelling_waveforms():
    """Return waveforms that rise by 60 dB and fall again."""
    values = waveforms()
    level_db = -60 * np.abs(np.linspace(-1, 1, values.shape[1]))
    return values * (10 ** (level_db / 20)).astype(np.float32)


def tone(samples, hertz):
    """A sine of amplitude 1, `[1, samples]`."""
    return np.sin(2 * np.pi * hertz / RATE * np.arange(samples)).astype(np.float32)[None]


def pitch(waveform):
    """Return the loudest frequency in Hz, to about half a cycle per length."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return spectrum.argmax() * RATE / len(waveform)


# Contracts


@pytest.fixture(params=SECTIONS)
def kind(request):
    return request.param


EXTRA = """
from typing import Literal
from tfdream.config import WaveformAugmentationConfig

class InvertConfig(WaveformAugmentationConfig):
    kind: Literal["invert"]

def augment(waveform, seed, config, sample_rate):
    return -waveform
"""


def test_a_placed_module_is_an_augmentation(tmp_path):
    settings = {"frontend": {"kind": "raw"}, "training": {"augmentation": [{"kind": "invert"}]}}
    with extension(PACKAGE, tmp_path, "invert", EXTRA):
        assert "invert" in sections(PACKAGE, AugmentationConfig)
        configs = validate(settings, Experiment, "it").training.augmentation
        assert augmentation.changes_waveforms(configs)
        result, _ = composed(configs)(waveforms(), labels(BATCH))
        assert np.array_equal(result, -waveforms())
        settings["training"]["augmentation"] = [{"kind": "echo"}]
        with pytest.raises(ConfigError, match=r"kind='echo' is not one of: .*gain, .*invert"):
            validate(settings, Experiment, "it")


def test_stored_settings_can_be_read_again(kind):
    """A run stores defaults, too, which pydantic does not validate where nothing is given."""
    settings = {
        "frontend": {"kind": "raw" if kind in OF_WAVEFORMS else "mel"},
        "training": {"augmentation": [config(kind).model_dump(mode="json")]},
    }
    assert validate(settings, Experiment, "it").training.augmentation == (config(kind),)


def test_shapes_and_types_do_not_change(kind):
    if kind in OF_WAVEFORMS:
        shapes = [waveforms(), waveforms(1, 1)]
    else:
        shapes = [images(), images(channels=2), images(1, 2, 2)]
        if kind not in OF_IMAGES:
            shapes.append(noise(BATCH, 72, 1))
    for values in shapes:
        mixed, mixed_labels = composed([config(kind)])(values, labels(len(values)), SEED)
        assert (mixed.shape, mixed.dtype) == (values.shape, tf.float32)
        assert (mixed_labels.shape, mixed_labels.dtype) == ((len(values), 3), tf.float32)
        assert np.isfinite(mixed).all()


def test_the_result_follows_from_the_seed(kind):
    values = example_of(kind)
    first = change(kind, values)
    assert np.array_equal(first, change(kind, values))
    assert not np.array_equal(first, change(kind, values, seed=[3, 2]))
    assert not np.array_equal(first, change(kind, values, seed=[4, 1]))
    assert not np.array_equal(first, values)


# Blends of equal examples are equal, and a band limit leaves half of them: see their tests below.
@pytest.mark.parametrize(
    "kind", [kind for kind in SECTIONS if kind not in {"mixup", "between_class", "band_limit"}]
)
def test_every_example_has_its_own_draws(kind):
    alike = np.repeat(example_of(kind)[:1], BATCH, axis=0)
    changed = change(kind, alike)
    assert len({example.tobytes() for example in changed}) > BATCH / 2  # a mask may be empty twice


def test_a_pipeline_of_unknown_batch_size_gives_the_same(kind):
    values = example_of(kind)
    apply = composed([config(kind)])
    batches = tf.data.Dataset.from_tensor_slices((values, labels(BATCH))).batch(BATCH)
    batches = batches.map(without_autograph(lambda values, labels: apply(values, labels, SEED)))
    assert [spec.shape[0] for spec in batches.element_spec] == [None, None]
    assert batches.element_spec[0].shape[1:] == values.shape[1:]
    result, _ = next(iter(batches))
    # The graph's optimizer may reorder products: parts in 10⁷.
    np.testing.assert_allclose(result, change(kind, values), atol=1e-6)


def test_seeds_have_64_bits(kind):
    values = example_of(kind)
    changed = change(kind, values, seed=[2**32 - 1, 2**40])
    assert not np.array_equal(changed, change(kind, values))


def test_gradients_reach_the_values_and_are_finite(kind):
    values = tf.constant(example_of(kind))
    with tf.GradientTape() as tape:
        tape.watch(values)
        changed, _ = composed([config(kind)])(values, labels(BATCH), SEED)
        total = tf.reduce_sum(changed**2)
    gradient = tape.gradient(total, values).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_silence_gives_finite_inputs_and_silent_waveforms(kind):
    changed = change(kind, np.zeros_like(example_of(kind)))
    assert np.isfinite(changed).all()
    assert kind in OF_INPUTS or not changed.any()


@pytest.mark.parametrize("kind", OF_INPUTS)
def test_labels_stay_distributions(kind):
    _, changed = composed([config(kind)])(images(), labels(BATCH), SEED)
    np.testing.assert_allclose(tf.reduce_sum(changed, axis=1), 1, atol=1e-6)
    assert (changed.numpy() >= 0).all()
    assert SECTIONS[kind].changes_labels == (not np.array_equal(changed, labels(BATCH)))


# Composition


def test_an_appended_augmentation_does_not_affect_those_before_it():
    gain, shift = config("gain"), config("time_shift")
    alone, _ = composed([gain])(waveforms(), labels(BATCH))
    followed, _ = composed([gain, shift])(waveforms(), labels(BATCH))
    assert not np.array_equal(alone, followed)
    np.testing.assert_array_equal(np.sort(alone, axis=1), np.sort(followed, axis=1))


def test_a_repeated_augmentation_draws_again():
    once, _ = composed([config("gain")])(waveforms(), labels(BATCH))
    twice, _ = composed([config("gain")] * 2)(waveforms(), labels(BATCH))
    assert not np.allclose(twice / waveforms(), (once / waveforms()) ** 2, rtol=1e-3)


def test_each_domain_skips_the_augmentations_of_the_other():
    both = [config("gain"), config("brightness")]
    gained = augmentation.waveform_augmentation(both, RATE)(tf.constant(waveforms()), SEED)
    assert np.array_equal(gained, change("gain", waveforms()))
    brighter, _ = augmentation.input_augmentation(both)(tf.constant(images()), labels(BATCH), SEED)
    assert np.ptp(brighter - images(), axis=(1, 2, 3)).max() < 1e-6  # an offset, and no factor


def test_waveforms_change_if_one_augmentation_changes_them():
    for kind in SECTIONS:
        assert augmentation.changes_waveforms([config(kind)]) == (kind in OF_WAVEFORMS)
    assert augmentation.changes_waveforms([config("gain"), config("mixup")])
    assert not augmentation.changes_waveforms(())


def test_no_augmentation_changes_nothing():
    values, unchanged = composed(())(images(), labels(BATCH))
    assert np.array_equal(values, images())
    assert np.array_equal(unchanged, labels(BATCH))


# Waveforms


def test_gain_is_uniform_in_db():
    values = waveforms(500, 10)
    factors = change("gain", values, db=6) / values
    np.testing.assert_allclose(factors, factors[:, :1] * np.ones(10), rtol=1e-5)
    gain_db = 20 * np.log10(factors[:, 0])
    assert np.abs(gain_db).max() <= 6 + 1e-4  # float32
    # Deciles of 500 uniform numbers: their deviation is at most √(0.25/500) of the range, 0.27 dB.
    np.testing.assert_allclose(
        np.quantile(gain_db, np.arange(1, 10) / 10), np.linspace(-4.8, 4.8, 9), atol=1.1
    )


def test_a_time_shift_is_circular():
    values = waveforms()
    for before, after in zip(values, change("time_shift", values), strict=True):
        (shift,) = np.flatnonzero(after == before[0])
        assert np.array_equal(after, np.roll(before, shift))


def test_a_time_shift_is_limited():
    impulse = np.zeros((2000, 200), np.float32)
    impulse[:, 100] = 1
    for seconds, farthest in ((0.0101, 81), (None, 100), (9, 100)):
        places = change("time_shift", impulse, seconds=seconds).argmax(axis=1)
        assert np.abs(places - 100).max() == farthest


def test_noise_has_the_requested_snr_in_loud_and_soft_examples():
    values = waveforms(20, 20_000) * np.geomspace(1e-4, 1, 20, dtype=np.float32)[:, None]
    added = change("noise", values, min_snr_db=10, max_snr_db=30) - values
    snr_db = 10 * np.log10(np.mean(values**2, axis=1) / np.mean(added**2, axis=1))
    # The power of 20 000 samples of noise deviates by √(2/20 000), 0.04 dB.
    assert 9.8 < snr_db.min() < 14
    assert 26 < snr_db.max() < 30.2
    exact = change("noise", values, min_snr_db=15, max_snr_db=15) - values
    snr_db = 10 * np.log10(np.mean(values**2, axis=1) / np.mean(exact**2, axis=1))
    np.testing.assert_allclose(snr_db, 15, atol=0.2)


def test_noise_is_white():
    values = tone(2**14, 440)
    added = (change("noise", values) - values)[0]
    power = np.abs(np.fft.rfft(added)[:8192]) ** 2
    bands = power.reshape(8, -1).mean(axis=1)
    # A band is the mean of 1024 exponential numbers: it deviates by 1/√1024 of itself, 3 %.
    np.testing.assert_allclose(bands / bands.mean(), 1, atol=0.15)


def test_noise_leaves_padding_silent():
    values = np.pad(waveforms(), [(0, 0), (300, 200)])
    values[:, 500] = 0  # a zero within the recording is not padding
    changed = change("noise", values)
    recorded = changed != 0
    assert (recorded == (np.abs(np.arange(values.shape[1]) - 799.5) < 500)).all()


def test_trim_silences_what_is_softer_than_a_level_at_the_edges():
    level_db = np.array([-30, -8, -20, 0, -45, 0, -12, -28, -60])  # of frames of 10 ms at 8 kHz
    values = np.repeat(10.0 ** (level_db / 20), RATE // 100).astype(np.float32)
    values = np.repeat(values[np.newaxis], 400, axis=0)
    # The ends are softer than any level of −25 to −10 dB, and −12 dB than two of 15.
    changed = change("trim", values, min_db=-25, max_db=-10).reshape(400, 9, -1)
    remaining = (changed > 0).mean(axis=2)
    assert set(np.unique(remaining)) == {0, 1}
    share = remaining.mean(axis=0)
    np.testing.assert_array_equal(share[[0, 1, 2, 3, 4, 5, 7, 8]], [0, 1, 1, 1, 1, 1, 0, 0])
    assert share[6] == pytest.approx(13 / 15, abs=0.06)
    np.testing.assert_array_equal(changed[changed > 0], values.reshape(400, 9, -1)[changed > 0])


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_speed_multiplies_the_pitch_and_divides_the_length(factor):
    samples = 8000
    result = change("speed", tone(samples, 500), min_factor=factor, max_factor=factor)[0]
    length = min(samples, round(samples / factor))
    assert pitch(result[:length]) == pytest.approx(500 * factor, abs=RATE / length)
    assert not result[length + 1 :].any()
    assert np.abs(result[length - 20 : length - 1]).max() > 0.1


def test_speed_is_drawn_between_its_bounds():
    result = change(
        "speed", np.repeat(tone(8000, 1000), 100, axis=0), min_factor=0.8, max_factor=1.25
    )
    pitches = [pitch(waveform[:6400]) for waveform in result]  # the length of the shortest one
    assert 800 - 1 < min(pitches) < 820
    assert 1220 < max(pitches) < 1250 + 1


def test_speed_one_changes_nothing():
    values = waveforms()
    assert np.array_equal(change("speed", values, min_factor=1, max_factor=1), values)


@pytest.mark.parametrize(("share_of_rate", "error_db"), [(1 / 20, -68), (1 / 5, -30)])
def test_the_interpolation_error_of_speed_is_as_documented(share_of_rate, error_db):
    """At the start and at the end of a clip of two million samples."""
    samples, factor = 2**21, 1.0123
    values = tone(samples, share_of_rate * RATE)
    result = change("speed", values, min_factor=factor, max_factor=factor)[0]
    ideal = tone(samples, share_of_rate * RATE * factor)[0]
    end = int(samples / factor)
    for part in (slice(100, 10_000), slice(end - 10_000, end - 100)):
        error = result[part] - ideal[part] * (result[part] @ ideal[part]) / (
            ideal[part] @ ideal[part]
        )
        assert 10 * np.log10(np.mean(error**2) / np.mean(ideal[part] ** 2)) < error_db


def test_a_crop_is_a_piece_of_its_example_from_a_random_position():
    count, samples, length = 500, 40, 25
    values = np.arange(count * samples, dtype=np.float32).reshape(count, samples)
    crop = tf.function(lambda seed: augmentation.random_crop(tf.constant(values), length, seed))
    result = crop(SEED).numpy()
    assert np.array_equal(result, result[:, :1] + np.arange(length))
    starts = result[:, 0] - values[:, 0]
    assert set(starts) == set(range(samples - length + 1))
    assert np.array_equal(result, crop(SEED))
    assert not np.array_equal(result, crop([5, 5]))


def test_a_crop_of_the_whole_is_the_whole():
    assert np.array_equal(
        augmentation.random_crop(tf.constant(waveforms()), 1000, SEED), waveforms()
    )


def test_a_crop_in_a_pipeline_has_a_static_length():
    batches = tf.data.Dataset.from_tensor_slices(waveforms()).batch(4)
    batches = batches.map(lambda values: augmentation.random_crop(values, 300, SEED))
    assert batches.element_spec.shape.as_list() == [None, 300]
    assert [len(batch) for batch in batches] == [4, 2]


def test_a_crop_longer_than_the_clip_is_an_error():
    with pytest.raises(ConfigError, match=r"1001 samples .*1000"):
        augmentation.random_crop(tf.constant(waveforms()), 1001, SEED)


# Model inputs


def test_roll_is_circular_along_time():
    values = images(channels=2)
    for before, after in zip(values, change("roll", values), strict=True):
        shift = np.flatnonzero((after == before[:, :1]).all(axis=(0, 2))).item()
        assert np.array_equal(after, np.roll(before, shift, axis=1))


def test_roll_is_limited_to_its_share():
    impulse = np.zeros((1000, 1, 50, 1), np.float32)
    impulse[:, :, 25] = 1
    for share, farthest in ((0.1, 5), (1.0, 25)):
        places = change("roll", impulse, share=share).argmax(axis=2)
        assert np.abs(places - 25).max() == farthest


each_mask = pytest.mark.parametrize(("kind", "axis"), [("frequency_mask", 1), ("time_mask", 2)])


def black(kind, axis, **settings):
    """Return the masked rows or columns `[batch, size]`; check that the others are unchanged."""
    values = images(600, 40, 40, 2)
    changed = change(kind, values, **settings)
    others = tuple({1, 2, 3} - {axis})
    masked = (changed == 0).all(axis=others)
    unmasked = ~np.expand_dims(masked, others)
    np.testing.assert_array_equal(changed, values * unmasked)
    return masked


@each_mask
def test_a_mask_is_no_wider_than_its_share(kind, axis):
    for width, widest in ((0.001, 1), (0.1, 4), (0.999, 40)):
        masked = black(kind, axis, width=width)
        assert set(masked.sum(axis=1)) == set(range(widest + 1))
        assert (np.diff(masked.astype(int)) == 1).sum(axis=1).max() == 1  # in one piece


@each_mask
def test_the_number_of_masks_is_as_requested(kind, axis):
    masked = np.pad(black(kind, axis, width=0.1, count=3), [(0, 0), (1, 0)])
    assert (np.diff(masked.astype(int)) == 1).sum(axis=1).max() == 3
    assert masked.sum(axis=1).max() == 3 * 4


@pytest.mark.slow
@each_mask
def test_masks_are_distributed_as_those_of_tensorflow_io(kind, axis):
    tfio = pytest.importorskip("tensorflow_io")
    draws, size, width = 4000, 30, 0.3
    theirs = {"frequency_mask": tfio.audio.freq_mask, "time_mask": tfio.audio.time_mask}[kind]
    # In tfio, the width is below `param`, frequency is the second axis, and a call makes one mask.
    param = round(width * size) + 1
    one = tf.ones([1, size] if kind == "frequency_mask" else [size, 1])

    @tf.function
    def draw():
        # Parallel steps would draw in any order.
        steps = tf.map_fn(
            lambda _: theirs(one, param),
            tf.range(draws),
            fn_output_signature=tf.float32,
            parallel_iterations=1,
        )
        return tf.reshape(steps, [draws, size])

    tf.random.set_seed(0)
    shape = [draws, 1, 1, 1]
    shape[axis] = size
    changed = change(kind, np.ones(shape, np.float32), width=width).reshape(draws, size)
    for masked in (changed == 0, draw().numpy() == 0):
        widths = np.bincount(masked.sum(axis=1), minlength=param) / draws
        deviation = np.sqrt(1 / param * (1 - 1 / param) / draws)
        np.testing.assert_allclose(widths, 1 / param, atol=4 * deviation)
        # Probability of each position by the formulas of tfio, and the deviation of its estimate.
        expected = np.array(
            [
                np.mean([starts_over(place, wide, size) / (size - wide) for wide in range(param)])
                for place in range(size)
            ]
        )
        deviation = np.sqrt(expected * (1 - expected) / draws)
        # The last position is never masked: a start is below size − width.
        assert expected[-1] == 0
        assert (np.abs(masked.mean(axis=0) - expected) <= 4 * deviation).all()


def starts_over(place, width, size):
    """Count the starts in 0 … size − width − 1 whose mask covers a position."""
    return sum(start <= place < start + width for start in range(size - width))


def test_mixup_blends_inputs_and_labels_alike():
    """Inputs equal to their labels stay equal to them."""
    batch = 1000
    identity = np.eye(batch, dtype=np.float32)
    apply = composed([config("mixup", alpha=0.4)])
    inputs, mixed = apply(identity[..., None], identity, SEED)
    np.testing.assert_array_equal(inputs[..., 0], mixed)
    partners = np.count_nonzero(mixed, axis=1)
    assert set(partners) == {1, 2}
    assert (partners == 2).mean() > 0.9
    assert np.count_nonzero(mixed, axis=0).max() <= 2  # every example is the partner of one
    weight = np.diagonal(mixed)[partners == 2]
    # Beta(α, α): mean ½, variance 1/(4(2α + 1)). Their deviations for 1000 draws are 0.012, 0.003.
    assert weight.mean() == pytest.approx(0.5, abs=0.05)
    assert weight.var() == pytest.approx(1 / (4 * 1.8), abs=0.015)


@pytest.mark.parametrize("alpha", [1e-4, 1e4])
def test_mixup_is_finite_for_any_alpha(alpha):
    apply = composed([config("mixup", alpha=alpha)])
    inputs, mixed = apply(images(100), labels(100), SEED)
    assert np.isfinite(inputs).all()
    np.testing.assert_allclose(tf.reduce_sum(mixed, axis=1), 1, atol=1e-6)


def test_between_class_adds_powers_and_mixes_labels_by_pressures():
    """One example is loud in the first row, the other one in the second."""
    pair = np.zeros((2, 2, 1, 1), np.float32)
    pair[0, 0] = pair[1, 1] = 1
    apply = composed([config("between_class", range_db=60)])
    mixtures = 0
    for seed in range(20):
        mixed, ratios = apply(pair, np.eye(2, dtype=np.float32), [seed, 0])
        for image, ratio in zip(mixed.numpy()[:, :, 0, 0], ratios.numpy(), strict=True):
            if ratio.min() > 0.01:  # mixed with the other one
                mixtures += 1
                level_db = 60 * (image - 1)
                assert level_db.max() == pytest.approx(0, abs=1e-4)
                expected_db = 20 * np.log10(ratio[0] / ratio[1])
                assert level_db[0] - level_db[1] == pytest.approx(expected_db, abs=0.01)
    assert mixtures > 10


def test_between_class_has_the_range_of_the_images():
    content = {
        "frontend": {"kind": "amplitude", "top_db": 60},
        "training": {"augmentation": [{"kind": "between_class"}]},
    }
    with pytest.raises(ConfigError, match=r"range_db=80, but frontend\.top_db=60"):
        validate(content, Experiment, "it")
    content["training"]["augmentation"][0]["range_db"] = 60
    validate(content, Experiment, "it")
    for other, message in (
        ({"kind": "magnitude"}, "kind=magnitude does not give levels .* 'between_class' needs"),
        ({"kind": "amplitude_phase"}, "kind=amplitude_phase does not give levels"),
        ({"kind": "mel", "level_range": "min_max"}, "level_range=min_max depends on each clip"),
    ):
        content["frontend"] = {"top_db": 60, **other}
        with pytest.raises(ConfigError, match=message):
            validate(content, Experiment, "it")


def test_band_limits_are_between_the_limits_in_their_share_of_the_examples():
    changed = change("band_limit", images(1000, 50, 2), probability=0.4, lowest=0.6, highest=0.8)
    rows = (changed[:, :, 0, 0] > 0).sum(axis=1)
    limited = rows[rows < 50]
    assert len(limited) / len(rows) == pytest.approx(0.4, abs=0.05)
    assert set(limited) == set(range(31, 41))
    np.testing.assert_array_equal(changed[:, :30], images(1000, 50, 2)[:, :30])


def test_brightness_is_one_offset_per_image():
    offsets = change("brightness", images(500, 4, 5), level=0.2) - images(500, 4, 5)
    assert np.ptp(offsets, axis=(1, 2, 3)).max() < 1e-6  # float32
    assert -0.2 - 1e-6 < offsets.min() < -0.19
    assert 0.19 < offsets.max() < 0.2 + 1e-6


@pytest.mark.parametrize(
    ("settings", "axis"),
    [
        ({"time_factor": 1.5}, 2),
        ({"time_factor": 1, "frequency_factor": 1.5}, 1),
    ],
)
def test_stretch_scales_one_axis_about_a_point_of_the_image(settings, axis):
    """Interpolation is exact on a ramp, which reveals the factor and the center."""
    shape = [300, 3, 3, 1]
    shape[axis] = 60
    ramp = np.ones(shape, np.float32)
    ramp *= np.arange(1, 61).reshape([60 if number == axis else 1 for number in range(4)])
    changed = np.moveaxis(change("stretch", ramp, **settings), axis, 1)[..., 0]
    np.testing.assert_allclose(changed, changed[:, :, :1] * np.ones(3), rtol=1e-5)
    slopes = []
    for line in changed[:, :, 0]:
        inner = np.flatnonzero(line > 1)  # positions between samples of the ramp
        slope, offset = np.polyfit(inner[1:-1], line[inner[1:-1]] - 1, 1)
        assert np.abs(np.polyval([slope, offset], inner[1:-1]) + 1 - line[inner[1:-1]]).max() < 1e-3
        assert -0.01 < offset / (1 - slope) < 59.01 or abs(1 - slope) < 0.01
        slopes.append(slope)
        read = slope * np.arange(60) + offset
        assert not line[(read < -1) | (read > 60)].any()  # black beyond the edges
    assert 1 / 1.5 - 0.001 < min(slopes) < 0.7
    assert 1.43 < max(slopes) < 1.5 + 0.001


def test_a_frequency_shift_moves_whole_rows_and_repeats_the_border():
    image = images(batch=40)
    for before, after in zip(image, change("frequency_shift", image, bands=3), strict=True):
        rows = len(before)
        shifts = [
            shift
            for shift in range(-3, 4)
            if np.array_equal(after, before[np.clip(np.arange(rows) - shift, 0, rows - 1)])
        ]
        assert len(shifts) == 1


def test_an_equalizer_is_a_curve_through_its_knots_and_leaves_black_alone():
    image = images(batch=4).copy()
    image[:, 10:20, 5:9] = 0
    changed = change("equalizer", image, deviation=0.1, knots=3)
    assert not changed[:, 10:20, 5:9].any()
    curves = (changed - image)[:, :, 0, 0]
    knots = curves[:, [0, 39]]
    # Straight from knot to knot: no bend but at the middle one. float32 of values about 1.
    bends = np.abs(np.diff(curves, n=2, axis=1))
    assert bends[:, :18].max() < 1e-6 > bends[:, 20:].max()
    assert np.abs(knots).max() < 0.5
    np.testing.assert_allclose(
        changed - image, np.where(image > 0, curves[..., None, None], 0), atol=1e-6
    )


def test_equalizer_curves_have_the_requested_deviation():
    changed = change("equalizer", np.ones((2000, 2, 1, 1), np.float32), deviation=0.2, knots=2)
    assert np.std(changed[:, 0] - 1) == pytest.approx(0.2, rel=0.1)  # of 2000 draws: 1.6 %


def test_the_deviation_of_input_noise_is_limited():
    deviations = np.std(
        change("input_noise", np.zeros((200, 40, 50, 1), np.float32), deviation=0.1), (1, 2, 3)
    )
    assert 0.09 < deviations.max() < 0.105  # a deviation estimated from 2000 values: 1.6 %
    assert deviations.min() < 0.01
    assert deviations.mean() == pytest.approx(0.05, rel=0.15)  # the mean of 200 draws: 4 %


@pytest.mark.parametrize("kind", ["time_mask", "frequency_mask"])
def test_masks_are_filled_with_the_mean_on_request(kind):
    image = images(batch=20)
    changed = change(kind, image, fill="mean", width=0.5)
    for before, after in zip(image, changed, strict=True):
        masked = after != before
        np.testing.assert_allclose(after[masked], before.mean(), rtol=1e-5)  # a sum in float32
    assert (changed != image).any()


def test_a_filter_is_short_and_preserves_the_power():
    click = np.zeros((30, 100), np.float32)
    click[:, 50] = 1
    changed = change("filter", click, taps=4)
    assert not changed[:, :50].any()
    assert not changed[:, 56:].any()  # the click, a tap for the tilt, and four
    # float32 sums.
    np.testing.assert_allclose((changed**2).sum(axis=1), 1, rtol=1e-5)
    assert not change("filter", np.zeros((2, 100), np.float32)).any()


def test_a_filter_is_the_same_for_all_of_an_example():
    """Convolution is linear: the filtered sum is the sum of the filtered parts, up to a gain."""
    values = waveforms(1, 400)
    first, last = values.copy(), values.copy()
    first[:, 200:], last[:, :200] = 0, 0
    whole, early, late = (change("filter", part)[0] for part in (values, first, last))
    level = [np.sqrt((part**2).mean()) for part in (values, first, last)]
    parts = np.stack([early / level[1], late / level[2]], axis=1)
    weights, residual, *_ = np.linalg.lstsq(parts, whole / level[0], rcond=None)
    assert residual[0] < 1e-6 * len(whole)
    assert (weights > 0).all()
