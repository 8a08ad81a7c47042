"""Guides: recordings whose features a dream brings out."""

from pathlib import Path

import numpy as np

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.synthesis.tile_optimizer import Guide


def read_guide(path: Path, sample_rate: int, samples: int) -> Guide:
    """A guide that runs along with the recording, from the start and again when it ends.

    It is held in memory, as a mid signal at the network's rate.

    Args:
      path: any audio file.
      sample_rate: of the network, in Hz.
      samples: of a tile.

    Returns:
      Where tiles begin, in samples → float32 `[batch, samples]`.

    Raises:
      AudioError: if it cannot be read, or holds nothing at that rate.
    """
    with audio.Reader(path) as reader:
        blocks = list(reader.mid(sample_rate))
    if not blocks:
        raise AudioError(
            f"'{path}' is shorter than a sample at {sample_rate} Hz; use another guide"
        )
    signal = np.concatenate(blocks)[:, 0]

    def waveforms(starts: np.ndarray) -> np.ndarray:
        places = starts[:, np.newaxis] + np.arange(samples)
        return signal[places % len(signal)]

    return waveforms
