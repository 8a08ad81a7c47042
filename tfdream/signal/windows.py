"""Windows of the short-time Fourier transform."""

import numpy as np
from numpy.typing import NDArray


def hann(samples: int) -> NDArray[np.float64]:
    """Return the periodic Hann window float64 `[samples]`.

    Its bits are those of ``scipy.signal.windows.hann(samples, sym=False)``. SciPy's package takes
    0.4 s to import, which `prepare` and errors about arguments would take as well.

    >>> hann(4)
    array([0. , 0.5, 1. , 0.5])
    """
    window: NDArray[np.float64] = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, samples + 1)[:-1])
    return window
