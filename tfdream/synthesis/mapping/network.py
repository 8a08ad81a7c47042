"""Timbre by a trained transfer network, in one pass over the content."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.datasets.clip_set import evenly_spaced
from tfdream.models.transfer import Memory, TransferNetwork
from tfdream.signal.graphs import compiled
from tfdream.signal.timbre import (
    FLOOR_DB,
    Levels,
    MelAnalysis,
    sounding,
    to_reference,
)
from tfdream.synthesis.mapping.base import GainModel, Mapping

_MOST_KEYS = 2048
"""Number of frames, spread over a recording, that the network attends to."""
_FRAMES = 1024
"""Number of frames of which gains are computed together."""


class NetworkTimbre(GainModel[Memory]):
    """See the module.

    Args:
      path: the style.
      network: a transfer network.
    """

    def __init__(self, path: str | Path, network: TransferNetwork) -> None:
        super().__init__(path)
        self.network = network

    def analyze(self, analysis: MelAnalysis, levels: Levels) -> Memory:
        _, memory = self._encode(self._fit(levels))
        return _thin(memory)

    def map(self, analysis: MelAnalysis, levels: Levels) -> Mapping:
        style = self.style(analysis)
        content = self._fit(levels)
        features, memory = self._encode(content)
        memory = _thin(memory)
        context = self.network.context_frames
        parts = []
        for start in range(0, len(levels), _FRAMES):
            first, end = max(0, start - context), start + _FRAMES + context
            part = self._gains(content[:, first:end], features[:, first:end], memory, style)
            parts.append(part[0, start - first :][:_FRAMES].numpy())
        gain_db = self._extend(np.concatenate(parts), levels.shape[1])
        changed = np.maximum(levels + gain_db, levels.max() - FLOOR_DB)
        expected = to_reference(changed)
        gain_db += np.mean(expected - changed)  # the content's loudness
        return Mapping(gain_db, expected, sounding(levels).astype(float))

    def _fit(self, levels: Levels) -> tf.Tensor:
        """Return levels `[1, frames, bands]` with the network's bands; missing ones are empty."""
        bands = self.network.bands
        missing = max(0, bands - levels.shape[1])
        lowest = float(levels.max()) - FLOOR_DB
        padded = np.pad(levels[:, :bands], [(0, 0), (0, missing)], constant_values=lowest)
        return tf.constant(padded[np.newaxis].astype(np.float32))

    def _extend(self, gain_db: NDArray[Any], bands: int) -> NDArray[np.float32]:
        """Use the gain of the network's highest band for those above it."""
        extended: NDArray[np.float32] = gain_db[
            :, np.minimum(np.arange(bands), gain_db.shape[1] - 1)
        ]
        return extended

    @cached_property
    def _encode(self) -> Any:
        levels = tf.TensorSpec([1, None, self.network.bands], tf.float32)
        return compiled(self.network.encode, [levels])

    @cached_property
    def _gains(self) -> Any:
        return compiled(self.network.gains)


def _thin(memory: Memory) -> Memory:
    """Keep at most `_MOST_KEYS` frames, at even distances."""
    chosen = evenly_spaced(memory.keys.shape[1], _MOST_KEYS)
    return Memory(*(tf.gather(values, chosen, axis=1) for values in memory))
