"""Trainable filter banks for raw samples."""

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

_TINY = 1e-6


class MelGabor(keras.initializers.Initializer):
    """Initializes kernels `[samples, 1, filters]` with Gabor filters, spaced on the mel scale.

    Frequencies are in cycles per sample, independent of the sample rate. Each filter has unit
    energy; filters with an odd index are sines, the others cosines.

    Source: Zeghidour et al., "Learning filterbanks from raw speech", with the spacing of
    O'Shaughnessy's mel formula, whose 700 Hz are `corner` here.

    Args:
      corner: frequency up to which the scale is about linear.
      lowest: lower edge of the first filter.
      highest: upper edge of the last filter.
    """

    def __init__(
        self, corner: float = 0.0875, lowest: float = 0.01, highest: float = 0.4875
    ) -> None:
        self.corner = corner
        self.lowest = lowest
        self.highest = highest

    def __call__(self, shape: tuple[int, int, int], dtype: Any = None) -> Any:
        size, channels, filters = shape
        if channels != 1:
            raise ValueError(
                f"the input has {channels} channels; a filter bank accepts one channel"
            )
        low, high = (math.log1p(edge / self.corner) for edge in (self.lowest, self.highest))
        edges = self.corner * np.expm1(np.linspace(low, high, filters + 2))
        center, bandwidth = edges[1:-1], (edges[2:] - edges[:-2]) / 2
        width = np.minimum(1.2 / (2 * np.pi * bandwidth), size / 5)
        time = (np.arange(size) - (size - 1) / 2)[:, np.newaxis]
        phase = np.where(np.arange(filters) % 2, np.pi / 2, 0.0)
        waves = np.exp(-0.5 * (time / width) ** 2) * np.cos(2 * np.pi * center * time + phase)
        waves /= np.sqrt((waves**2).sum(axis=0))
        return ops.convert_to_tensor(waves[:, np.newaxis], dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"corner": self.corner, "lowest": self.lowest, "highest": self.highest}


class UnitLevel(layers.Layer):
    """Scales samples `[batch, samples, 1]` to a root mean square of 1; silence stays silence."""

    def call(self, samples: Any) -> Any:
        """Scale each example of the batch."""
        power = ops.mean(ops.square(samples), axis=1, keepdims=True)
        return samples / ops.sqrt(power + _TINY**2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the same shape."""
        return input_shape


class LogEnergy(layers.Layer):
    """Computes the logarithm of the mean energy in windows that overlap by half.

    Args:
      hop: frames from one window to the next; a window has twice as many.
      offset: added to the energy, so that the logarithm of silence is finite.
    """

    def __init__(self, hop: int = 4, offset: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hop = hop
        self.offset = offset

    def call(self, filtered: Any) -> Any:
        """Map `[batch, frames, filters]` to `[batch, ⌈frames / hop⌉, filters]`."""
        energy = ops.average_pool(
            ops.square(filtered), 2 * self.hop, self.hop, "same", data_format="channels_last"
        )
        return ops.log(energy + self.offset)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape with ⌈frames / hop⌉ frames."""
        batch, frames, filters = input_shape
        return batch, None if frames is None else -(-frames // self.hop), filters

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "hop": self.hop, "offset": self.offset}
