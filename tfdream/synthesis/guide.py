"""Guides: audio files whose features a dream increases."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.synthesis.tile_optimizer import Guide


def read_guide(path: str | Path, sample_rate: int, samples: int) -> Guide:
    """Read a guide that is aligned with the processed file and repeats when it ends.

    It is stored in memory, as a mid signal at the network's sample rate.

    Args:
      path: any audio file.
      sample_rate: sample rate of the network in Hz.
      samples: length of a tile.

    Returns:
      A function of the starts of tiles in samples; it returns float32 `[batch, samples]`.

    Raises:
      AudioError: if the file cannot be read, or is empty at that sample rate.
    """
    with audio.Reader(path) as reader:
        blocks = list(reader.mid(sample_rate))
    if not blocks:
        raise AudioError(
            f"'{path}' is shorter than a sample at {sample_rate} Hz; use another guide"
        )
    signal = np.concatenate(blocks)[:, 0]

    def waveforms(starts: NDArray[Any]) -> NDArray[Any]:
        indices = starts[:, np.newaxis] + np.arange(samples)
        tiles: NDArray[Any] = signal[indices % len(signal)]
        return tiles

    return waveforms
