"""Augmentation: what varies at random while a network learns, and follows from a seed alone.

An augmentation is a function named as its kind, and a line in one of the tables at the end. Those
of waveforms change float32 `[batch, samples]`, those of inputs what the frontend made of it:
images `[batch, frequency, time, channels]` or other inputs `[batch, n, 1]`.

Every example of a batch has draws of its own. None comes from a generator with a state (as those
of tensorflow-io's masks do), so that a resumed training sees the batches of an uninterrupted one.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import (
    AugmentationConfig,
    BrightnessConfig,
    Config,
    EqualizerConfig,
    FilterConfig,
    FrequencyMaskConfig,
    FrequencyShiftConfig,
    GainConfig,
    InputNoiseConfig,
    MixupConfig,
    NoiseConfig,
    RollConfig,
    SpeedConfig,
    StretchConfig,
    TimeMaskConfig,
    TimeShiftConfig,
    WaveformAugmentationConfig,
)
from tfdream.errors import ConfigError

# Each tap of a random filter has so much of the one before it.
_TAP_DECAY = 0.7
# Axes of an image.
_FREQUENCY, _TIME = 1, 2


def of_waveforms(configs: Iterable[AugmentationConfig]) -> bool:
    """Whether there is one that changes samples, so that the frontend has to hear each anew."""
    return any(isinstance(config, WaveformAugmentationConfig) for config in configs)


def waveform_augmentation(
    configs: Iterable[AugmentationConfig], sample_rate: int
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """All that happens to samples, as one function.

    Args:
      configs: in the order they are applied; those of inputs are passed over.
      sample_rate: of the samples, in Hz.

    Returns:
      Waveform float32 `[batch, samples]` and seed int64 `[2]` → waveform of the same shape.
    """
    steps = _steps(configs, _OF_WAVEFORMS)

    def augment(waveform: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for number, config, function in steps:
            own_seed = tf.random.experimental.stateless_fold_in(seed, number)
            changed = function(waveform, own_seed, config, sample_rate)
            waveform = tf.ensure_shape(changed, waveform.shape)
        return waveform

    return augment


def input_augmentation(
    configs: Iterable[AugmentationConfig],
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """All that happens to a frontend's output, as one function.

    Args:
      configs: in the order they are applied; those of waveforms are passed over.

    Returns:
      Inputs float32 `[batch, …]`, labels float32 `[batch, classes]` (one-hot) and seed int64 `[2]`
      → inputs and labels of the same shapes.
    """
    steps = _steps(configs, _OF_INPUTS)

    def augment(
        inputs: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        for number, config, function in steps:
            own_seed = tf.random.experimental.stateless_fold_in(seed, number)
            inputs = tf.ensure_shape(function(inputs, own_seed, config), inputs.shape)
            if isinstance(config, MixupConfig):  # the same seed: the same partners and weights
                labels = tf.ensure_shape(mixup(labels, own_seed, config), labels.shape)
        return inputs, labels

    return augment


def random_crop(waveform: tf.Tensor, samples_out: int, seed: tf.Tensor) -> tf.Tensor:
    """A piece of each example, from anywhere in it.

    Args:
      waveform: float32 `[batch, samples]`.
      samples_out: length of the pieces.
      seed: int64 `[2]`.

    Returns:
      float32 `[batch, samples_out]`.

    Raises:
      ConfigError: if the examples are shorter.
    """
    samples = waveform.shape[1]
    if samples_out > samples:
        raise ConfigError(
            f"cannot crop {samples_out} samples from clips of {samples}; use a shorter input"
        )
    if samples_out == samples:
        return waveform
    start = _draw(waveform, seed, 0, samples - samples_out + 1, tf.int32)
    return tf.map_fn(
        lambda example: tf.slice(example[0], [example[1]], [samples_out]),
        (waveform, start),
        fn_output_signature=tf.TensorSpec([samples_out], waveform.dtype),
    )


# Of waveforms


def gain(waveform: tf.Tensor, seed: tf.Tensor, config: GainConfig, sample_rate: int) -> tf.Tensor:
    """Change the level, uniformly in dB."""
    gain_db = _draw(waveform, seed, -config.db, config.db)
    return waveform * _for_each(_db_to_amplitude(gain_db), waveform)


def time_shift(
    waveform: tf.Tensor, seed: tf.Tensor, config: TimeShiftConfig, sample_rate: int
) -> tf.Tensor:
    """Shift in a circle, so that nothing is lost."""
    limit = waveform.shape[1]
    if config.seconds is not None:
        limit = min(limit, math.ceil(config.seconds * sample_rate))
    return _roll(waveform, seed, limit, axis=1)


def noise(waveform: tf.Tensor, seed: tf.Tensor, config: NoiseConfig, sample_rate: int) -> tf.Tensor:
    """Add white Gaussian noise at a random distance from the example's mean power."""
    snr_seed, noise_seed = _split(seed, 2)
    snr_db = _draw(waveform, snr_seed, config.min_snr_db, config.max_snr_db)
    level = tf.sqrt(tf.reduce_mean(waveform**2, axis=1, keepdims=True))
    deviation = level * _for_each(_db_to_amplitude(-snr_db), waveform)
    return waveform + deviation * tf.random.stateless_normal(tf.shape(waveform), noise_seed)


def speed(waveform: tf.Tensor, seed: tf.Tensor, config: SpeedConfig, sample_rate: int) -> tf.Tensor:
    """Read the samples faster or slower, from the first one on; zeros follow the last.

    Between samples goes a cubic (Catmull–Rom), whose error lies 68 dB below a tone at 1/20 of the
    sample rate and 30 dB below one at 1/5. What rises beyond half the sample rate is folded back:
    there is little of it in music, and a windowed sinc costs three to five times as much.
    """
    samples = waveform.shape[1]
    low, high = math.log(config.min_factor), math.log(config.max_factor)
    factor = tf.exp(_draw(waveform, seed, low, high, tf.float64))
    # float64: a place of seven digits would leave a long clip two for what lies between samples.
    place = tf.minimum(factor[:, tf.newaxis] * tf.range(samples, dtype=tf.float64), samples)
    index = tf.cast(place, tf.int32)
    t = tf.cast(place - tf.floor(place), tf.float32)
    padded = tf.pad(waveform, [[0, 0], [1, 3]])
    a, b, c, d = (tf.gather(padded, index + tap, batch_dims=1) for tap in range(4))
    return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def filter(
    waveform: tf.Tensor, seed: tf.Tensor, config: FilterConfig, sample_rate: int
) -> tf.Tensor:
    """Convolve with a short random response, at the level that the example had."""
    tilt_seed, tap_seed = _split(seed, 2)
    tilt = _draw(waveform, tilt_seed, -config.emphasis / 2, config.emphasis)
    decay = config.deviation * _TAP_DECAY ** np.arange(config.taps, dtype=np.float32)
    taps = tf.random.stateless_normal([tf.shape(waveform)[0], config.taps], tap_seed) * decay
    changed = waveform - _for_each(tilt, waveform) * _delay(waveform, 1)
    changed += tf.add_n(
        [taps[:, tap : tap + 1] * _delay(changed, tap + 1) for tap in range(config.taps)]
    )
    before, after = (tf.reduce_mean(x**2, axis=1, keepdims=True) for x in (waveform, changed))
    return changed * tf.sqrt(tf.math.divide_no_nan(before, after))


def _delay(waveform: tf.Tensor, samples: int) -> tf.Tensor:
    return tf.pad(waveform, [[0, 0], [samples, 0]])[:, : waveform.shape[1]]


# Of inputs


def roll(image: tf.Tensor, seed: tf.Tensor, config: RollConfig) -> tf.Tensor:
    """Shift in a circle along time."""
    return _roll(image, seed, math.ceil(config.share * image.shape[_TIME]), _TIME)


def time_mask(image: tf.Tensor, seed: tf.Tensor, config: TimeMaskConfig) -> tf.Tensor:
    """Make stretches of time black, or as bright as the image is in the mean.

    Source: Park et al., "SpecAugment", section 2; distributed as in `tfio.audio.time_mask`.
    """
    return _mask(image, seed, config, _TIME)


def frequency_mask(image: tf.Tensor, seed: tf.Tensor, config: FrequencyMaskConfig) -> tf.Tensor:
    """Make bands of frequency black, or as bright as the image is in the mean.

    Source: Park et al., "SpecAugment", section 2; distributed as in `tfio.audio.freq_mask`.
    """
    return _mask(image, seed, config, _FREQUENCY)


def mixup(values: tf.Tensor, seed: tf.Tensor, config: MixupConfig) -> tf.Tensor:
    """Blend each example with one from a shuffled order of the batch, which may be itself.

    Args:
      values: float32 `[batch, …]`, inputs or labels: the same seed blends them alike.
      seed: int64 `[2]`.
      config: the weights' distribution.

    Source: Zhang et al., "mixup: Beyond empirical risk minimization", with a weight per example.
    """
    order_seed, weight_seed = _split(seed, 2)
    batch = tf.shape(values)[0]
    order = tf.random.experimental.stateless_shuffle(tf.range(batch), order_seed)
    # Beta(α, α) from two gammas. Those of a small α may both vanish: then the other one counts.
    gammas = tf.random.stateless_gamma([2, batch], weight_seed, config.alpha, dtype=tf.float64)
    weight = tf.cast(tf.math.divide_no_nan(gammas[0], gammas[0] + gammas[1]), values.dtype)
    others = tf.gather(values, order)
    return others + _for_each(weight, values) * (values - others)


def brightness(image: tf.Tensor, seed: tf.Tensor, config: BrightnessConfig) -> tf.Tensor:
    """Add an offset to all of an image. It is not clipped, as not every scale ends at 1."""
    return image + _for_each(_draw(image, seed, -config.level, config.level), image)


def input_noise(inputs: tf.Tensor, seed: tf.Tensor, config: InputNoiseConfig) -> tf.Tensor:
    """Add Gaussian noise, to some examples more than to others."""
    level_seed, noise_seed = _split(seed, 2)
    deviation = _for_each(_draw(inputs, level_seed, 0.0, config.deviation), inputs)
    return inputs + deviation * tf.random.stateless_normal(tf.shape(inputs), noise_seed)


def frequency_shift(image: tf.Tensor, seed: tf.Tensor, config: FrequencyShiftConfig) -> tf.Tensor:
    """Move up or down: on a logarithmic axis, another pitch."""
    shift = _draw(image, seed, -config.bands, config.bands + 1, tf.int32)
    rows = image.shape[_FREQUENCY]
    sources = tf.clip_by_value(tf.range(rows) - shift[:, tf.newaxis], 0, rows - 1)
    return tf.gather(image, sources, axis=_FREQUENCY, batch_dims=1)


def equalizer(image: tf.Tensor, seed: tf.Tensor, config: EqualizerConfig) -> tf.Tensor:
    """Add a curve along frequency, wherever there is sound."""
    shape = [tf.shape(image)[0], config.knots]
    heights = tf.random.stateless_normal(shape, seed, 0.0, config.deviation)
    rows = image.shape[_FREQUENCY]
    # Each row's share of each knot: a hat around the knot.
    place = tf.linspace(0.0, config.knots - 1.0, rows)[:, tf.newaxis]
    shares = tf.maximum(0.0, 1 - tf.abs(place - tf.range(config.knots, dtype=tf.float32)))
    curve = tf.matmul(heights, shares, transpose_b=True)
    return tf.where(image > 0, image + curve[:, :, tf.newaxis, tf.newaxis], image)


def stretch(image: tf.Tensor, seed: tf.Tensor, config: StretchConfig) -> tf.Tensor:
    """Stretch or shrink the axes about a random point, by bilinear interpolation.

    What a shrunk image leaves free is black: that is silence, and what masks leave, while a
    repeated edge would be a tone or a click that no recording has.
    """
    time_seed, frequency_seed = _split(seed, 2)
    x_slope, x_offset = _draw_axis_map(image, time_seed, config.time_factor, _TIME)
    y_slope, y_offset = _draw_axis_map(image, frequency_seed, config.frequency_factor, _FREQUENCY)
    zero = tf.zeros_like(x_slope)
    rows = [x_slope, zero, x_offset, zero, y_slope, y_offset, zero, zero]
    return keras.ops.image.affine_transform(
        image, tf.stack(rows, axis=1), "bilinear", "constant", 0.0, data_format="channels_last"
    )


def _draw_axis_map(
    image: tf.Tensor, seed: tf.Tensor, limit: float, axis: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Slope and offset `[batch]` of output position → input position."""
    factor_seed, centre_seed = _split(seed, 2)
    slope = tf.exp(_draw(image, factor_seed, -math.log(limit), math.log(limit)))
    center = _draw(image, centre_seed, 0.0, image.shape[axis] - 1.0)
    return slope, center * (1 - slope)


def _mask(
    image: tf.Tensor, seed: tf.Tensor, config: TimeMaskConfig | FrequencyMaskConfig, axis: int
) -> tf.Tensor:
    width_seed, start_seed = _split(seed, 2)
    size = image.shape[axis]
    widest = max(1, round(config.width * size))
    shape = [tf.shape(image)[0], config.count, 1]
    width = tf.random.stateless_uniform(shape, width_seed, 0, widest + 1, tf.int32)
    start = tf.random.stateless_uniform(shape, start_seed) * tf.cast(size - width, tf.float32)
    start = tf.cast(start, tf.int32)
    place = tf.range(size)
    masked = tf.reduce_any((place >= start) & (place < start + width), axis=1)
    along = [-1, 1, 1, 1]
    along[axis] = size
    masked = tf.reshape(masked, along)
    if config.fill == "black":
        return tf.where(masked, tf.zeros_like(image), image)
    return tf.where(masked, tf.reduce_mean(image, axis=[1, 2, 3], keepdims=True), image)


def _roll(values: tf.Tensor, seed: tf.Tensor, limit: int, axis: int) -> tf.Tensor:
    shift = _draw(values, seed, -limit, limit + 1, tf.int32)
    # tf.roll moves blocks of memory: three times as fast as gathering single values.
    return tf.map_fn(
        lambda example: tf.roll(example[0], example[1], axis - 1),
        (values, shift),
        fn_output_signature=tf.TensorSpec(values.shape[1:], values.dtype),
    )


def _steps(
    configs: Iterable[AugmentationConfig], functions: dict[type[Config], Callable[..., tf.Tensor]]
) -> list[tuple[int, AugmentationConfig, Callable[..., tf.Tensor]]]:
    """Those of one domain with their place among all, from which their seeds follow."""
    return [
        (number, config, functions[type(config)])
        for number, config in enumerate(configs)
        if type(config) in functions
    ]


def _split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    return tf.unstack(tf.random.experimental.stateless_split(seed, count))


def _draw(
    values: tf.Tensor, seed: tf.Tensor, low: float, high: float, dtype: Any = tf.float32
) -> tf.Tensor:
    """A number for each example, uniform from `low` to below `high`: `[batch]`."""
    return tf.random.stateless_uniform(tf.shape(values)[:1], seed, low, high, dtype)


def _for_each(numbers: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """One number per example `[batch]`, to be spread over values `[batch, …]`."""
    return tf.reshape(numbers, [-1] + [1] * (values.shape.rank - 1))


def _db_to_amplitude(db: tf.Tensor) -> tf.Tensor:
    return tf.exp(math.log(10) / 20 * db)


_OF_WAVEFORMS: dict[type[Config], Callable[..., tf.Tensor]] = {
    GainConfig: gain,
    TimeShiftConfig: time_shift,
    NoiseConfig: noise,
    SpeedConfig: speed,
    FilterConfig: filter,
}
_OF_INPUTS: dict[type[Config], Callable[..., tf.Tensor]] = {
    RollConfig: roll,
    TimeMaskConfig: time_mask,
    FrequencyMaskConfig: frequency_mask,
    MixupConfig: mixup,
    BrightnessConfig: brightness,
    FrequencyShiftConfig: frequency_shift,
    EqualizerConfig: equalizer,
    InputNoiseConfig: input_noise,
    StretchConfig: stretch,
}
