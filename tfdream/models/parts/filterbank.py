"""A bank of filters that starts as hearing does, and goes on learning."""

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

_TINY = 1e-6


class MelGabor(keras.initializers.Initializer):
    """Kernels `[samples, 1, filters]`: waves under a bell, spaced as on the mel scale.

    Frequencies are in cycles per sample, so that they go with any sample rate. Each wave has unit
    energy; every second one is a sine, the others cosines.

    Source: Zeghidour et al., "Learning filterbanks from raw speech", with the spacing of
    O'Shaughnessy's mel formula, whose 700 Hz are `corner` here.
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
            raise ValueError(f"a bank of filters hears one channel, not {channels}")
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
        """The arguments that make it again."""
        return {"corner": self.corner, "lowest": self.lowest, "highest": self.highest}


class UnitLevel(layers.Layer):
    """Samples `[batch, samples, 1]` at a root mean square of 1; silence stays silence."""

    def call(self, samples: Any) -> Any:
        """Scale each example."""
        power = ops.mean(ops.square(samples), axis=1, keepdims=True)
        return samples / ops.sqrt(power + _TINY**2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same."""
        return input_shape


class LogEnergy(layers.Layer):
    """Filtered samples → the logarithm of their energy in windows that overlap by half.

    Args:
      hop: frames from one window to the next; a window has twice as many.
      offset: under the logarithm, which silence would not have otherwise.
    """

    def __init__(self, hop: int = 4, offset: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hop = hop
        self.offset = offset

    def call(self, filtered: Any) -> Any:
        """`[batch, frames, filters]` → `[batch, frames / hop, filters]`."""
        energy = ops.average_pool(
            ops.square(filtered), 2 * self.hop, self.hop, "same", data_format="channels_last"
        )
        return ops.log(energy + self.offset)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Fewer frames."""
        batch, frames, filters = input_shape
        return batch, None if frames is None else -(-frames // self.hop), filters

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "hop": self.hop, "offset": self.offset}
