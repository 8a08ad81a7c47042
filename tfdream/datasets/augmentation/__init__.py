"""Augmentation: random changes of training examples, which follow from a seed alone.

Each module of this package is an augmentation, except `base` and those that start with an
underscore: a section (an `AugmentationConfig` with its kind) and a function ``augment``. Modules
are discovered by listing the package. Augmentations of waveforms change float32 `[batch, samples]`
and take the sample rate as their fourth argument; the others change the frontend's output: images
`[batch, frequency, time, channels]` or other inputs `[batch, n, 1]`.

Every example of a batch has its own draws. They are stateless, so that a resumed training has the
same batches as an uninterrupted one.
"""

from collections.abc import Callable, Iterable

import tensorflow as tf

from tfdream.config import AugmentationConfig
from tfdream.config.registry import module_of
from tfdream.datasets.augmentation.base import draw
from tfdream.errors import ConfigError


def changes_waveforms(configs: Iterable[AugmentationConfig]) -> bool:
    """Whether any augmentation changes samples, so that inputs cannot be cached."""
    return any(config.changes_waveforms for config in configs)


def waveform_augmentation(
    configs: Iterable[AugmentationConfig], sample_rate: int
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Compose the augmentations of waveforms to one function.

    Args:
      configs: in the order they are applied; augmentations of inputs are skipped.
      sample_rate: sample rate of the waveforms, in Hz.

    Returns:
      Waveform float32 `[batch, samples]` and seed int64 `[2]` → waveform of the same shape.
    """
    steps = [
        (number, config, module_of(config).augment)
        for number, config in enumerate(configs)
        if config.changes_waveforms
    ]

    def augment(waveform: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for number, config, change in steps:
            step_seed = tf.random.experimental.stateless_fold_in(seed, number)
            changed = change(waveform, step_seed, config, sample_rate)
            waveform = tf.ensure_shape(changed, waveform.shape)
        return waveform

    return augment


def input_augmentation(
    configs: Iterable[AugmentationConfig],
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Compose the augmentations of a frontend's output to one function.

    Args:
      configs: in the order they are applied; augmentations of waveforms are skipped.

    Returns:
      Inputs float32 `[batch, …]`, labels float32 `[batch, classes]` (one-hot) and seed int64 `[2]`
      → inputs and labels of the same shapes.
    """
    steps = [
        (number, config, module_of(config).augment)
        for number, config in enumerate(configs)
        if not config.changes_waveforms
    ]

    def augment(
        inputs: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        for number, config, change in steps:
            step_seed = tf.random.experimental.stateless_fold_in(seed, number)
            inputs = tf.ensure_shape(change(inputs, step_seed, config), inputs.shape)
            if config.changes_labels:  # the same seed gives the same draws
                labels = tf.ensure_shape(change(labels, step_seed, config), labels.shape)
        return inputs, labels

    return augment


def random_crop(waveform: tf.Tensor, samples_out: int, seed: tf.Tensor) -> tf.Tensor:
    """Cut a piece from a random position of each example.

    Args:
      waveform: float32 `[batch, samples]`.
      samples_out: length of the pieces in samples.
      seed: int64 `[2]`.

    Returns:
      float32 `[batch, samples_out]`.

    Raises:
      ConfigError: if the examples are shorter than the pieces.
    """
    samples = waveform.shape[1]
    if samples_out > samples:
        raise ConfigError(
            f"cannot crop {samples_out} samples from clips of {samples}; use a shorter input"
        )
    if samples_out == samples:
        return waveform
    start = draw(waveform, seed, 0, samples - samples_out + 1, tf.int32)
    return tf.map_fn(
        lambda example: tf.slice(example[0], [example[1]], [samples_out]),
        (waveform, start),
        fn_output_signature=tf.TensorSpec([samples_out], waveform.dtype),
    )
