"""Power spectra of streams of samples, computed by NumPy in blocks."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from tfdream import audio
from tfdream.signal.windows import hann

# Size of a batch of frames, which bounds the memory at short hops.
_BATCH_SAMPLES = 1 << 21

FloatArray = NDArray[np.floating[Any]]


def power_spectra(
    blocks: Iterable[FloatArray], n_fft: int, hop_samples: int
) -> Iterator[FloatArray]:
    """Yield power spectra of a stream `[samples, …]`, float32 `[frames, …, bins]`.

    A sine of amplitude 1 has power 1. The stream is padded with half a window of silence at both
    ends, so that every sample counts.

    >>> sine = np.sin(np.pi / 4 * np.arange(128, dtype=np.float32))
    >>> power = np.concatenate(list(power_spectra([sine], n_fft=64, hop_samples=32)))
    >>> power.shape, int(power[2].argmax()), round(float(power[2].max()), 3)
    ((5, 33), 8, 1.0)
    """
    window = hann(n_fft).astype(np.float32)
    window = 2 / window.sum() * window
    batch = max(1, _BATCH_SAMPLES // n_fft)
    filled = audio.padded(blocks, n_fft // 2, n_fft // 2)
    for frames in audio.frames(filled, n_fft, hop_samples):
        for start in range(0, len(frames), batch):
            spectrum = scipy.fft.rfft(frames[start : start + batch] * window)
            yield spectrum.real**2 + spectrum.imag**2
