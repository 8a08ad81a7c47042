"""Convolutions on the energies of trained filters: a network for raw samples and little data.

A strided convolution is initialized with a mel-spaced filter bank and trained with the other
layers; the logarithm of its energies replaces the spectrogram.

Source: Zeghidour et al., "Learning filterbanks from raw speech"; the layers are tfdream's.
"""

import keras
from keras import layers

from tfdream.config import Count, Share
from tfdream.models.parts.filterbank import LogEnergy, MelGabor, UnitLevel
from tfdream.models.parts.normalization import batch_normalization
from tfdream.models.parts.options import check_lengths
from tfdream.models.parts.outputs import add_outputs

# Strides of the filter bank from one energy window to the next.
_HOP = 4
# Share of bands dropped in training.
_BAND_DROPOUT = 0.15
_normalize = batch_normalization(momentum=0.95)


def build(
    input_shape: tuple[int, int],
    classes: int,
    *,
    filters: Count = 64,
    filter_size: Count = 160,
    stride: Count = 16,
    widths: tuple[Count, ...] = (96, 128, 192),
    convolutions: tuple[Count, ...] = (1, 2, 2),
    dropout: Share = 0.3,
) -> keras.Model:
    """Build the model.

    Args:
      input_shape: number of samples, and one channel; the weights do not depend on the length.
      classes: number of labels.
      filters: filters of the bank, the layer ``filterbank``.
      filter_size: length of each filter in samples.
      stride: stride of the bank in samples.
      widths: filters of the convolutions in each stage after it.
      convolutions: number of convolutions in each stage, ``conv1``, ``conv2``, …, three frames
        wide, each with batch normalization and ReLU; max pooling halves the length between stages.
      dropout: share of ``embedding`` dropped in training.
    """
    check_lengths("filterbank_cnn", widths=widths, convolutions=convolutions)
    samples = keras.Input(input_shape, name="samples")
    x = UnitLevel(name="unit_level")(samples)
    x = layers.Conv1D(
        filters,
        filter_size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=MelGabor(),
        name="filterbank",
    )(x)
    x = _normalize(LogEnergy(_HOP, name="log_energy")(x), "norm0")
    x = layers.SpatialDropout1D(_BAND_DROPOUT, name="band_dropout")(x)
    number = 0
    for stage, (width, count) in enumerate(zip(widths, convolutions, strict=True)):
        if stage:
            x = layers.MaxPooling1D(2, name=f"pool{stage}")(x)
        for _ in range(count):
            number += 1
            x = layers.Conv1D(
                width,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"conv{number}",
            )(x)
            x = layers.ReLU(name=f"relu{number}")(_normalize(x, f"norm{number}"))
    mean = layers.GlobalAveragePooling1D(name="mean_over_time")(x)
    highest = layers.GlobalMaxPooling1D(name="max_over_time")(x)
    x = layers.Concatenate(name="embedding")([mean, highest])
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(samples, add_outputs(x, classes), name="filterbank_cnn")
