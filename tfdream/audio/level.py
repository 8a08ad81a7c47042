"""Level of a file: largest sample, and power as loud as it is perceived.

Source: ITU-R BS.1770-4, table 1 and 2 (K-weighting at 48 kHz); for other rates, the same analog
filters, whose parameters are those of libebur128.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfdream.audio.files import Reader
from tfdream.audio.filters import apply_filters

if TYPE_CHECKING:  # the processes that decode import this package without settings
    from tfdream.config import FilterConfig

# A shelf that models the head, and a high-pass: frequency in Hz, quality, gain in dB.
_SHELF_HZ, _SHELF_QUALITY, _SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
_SHELF_EXPONENT = 0.4996667741545416
_HIGH_PASS_HZ, _HIGH_PASS_QUALITY = 38.13547087602444, 0.5003270373238773


class Level(NamedTuple):
    """The level of a file, over the samples of all channels."""

    peak: float
    """The largest absolute sample."""
    mean_square: float
    """The mean square of the K-weighted samples; its root is proportional to the loudness."""


def measure_level(path: str | Path, filters: "FilterConfig | None" = None) -> Level:
    """Measure the level of a file.

    Args:
      path: any audio file.
      filters: applied before; see `filters.apply_filters`.
    """
    # Decoder processes import this module; SciPy would take most of their start.
    from scipy.signal import sosfilt

    peak = energy = 0.0
    count = 0
    with Reader(path) as reader:
        rate, blocks = reader.info.sample_rate, reader.blocks()
        weighting = k_weighting(rate)
        state = np.zeros((len(weighting), 2, reader.info.channels))
        for block in blocks if filters is None else apply_filters(blocks, rate, filters):
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            weighted, state = sosfilt(weighting, block, axis=0, zi=state)
            energy += float(np.sum(weighted**2))
            count += block.size
    return Level(peak, energy / count)


def k_weighting(sample_rate: int) -> NDArray[Any]:
    """Return the K-weighting as second-order sections.

    At rates too low for the shelf, whose gain begins above 1 kHz, there is only the high-pass.

    >>> k_weighting(48000).round(4).tolist()
    [[1.5351, -2.6917, 1.1984, 1.0, -1.6907, 0.7325], [1.0, -2.0, 1.0, 1.0, -1.99, 0.9901]]
    """
    high_pass = _denominator(_HIGH_PASS_HZ, _HIGH_PASS_QUALITY, sample_rate)
    sections = [np.array([1, -2, 1, *high_pass / high_pass[0]])]
    if sample_rate > 4 * _SHELF_HZ:
        tangent = math.tan(math.pi * _SHELF_HZ / sample_rate)
        high = 10 ** (_SHELF_DB / 20)
        middle = high**_SHELF_EXPONENT * tangent / _SHELF_QUALITY
        zeros = [high + middle + tangent**2, 2 * (tangent**2 - high), high - middle + tangent**2]
        poles = _denominator(_SHELF_HZ, _SHELF_QUALITY, sample_rate)
        sections.insert(0, np.array([*zeros, *poles]) / poles[0])
    return np.stack(sections)


def _denominator(hertz: float, quality: float, sample_rate: int) -> NDArray[Any]:
    """Return the denominator of a digital resonance (bilinear transform)."""
    tangent = math.tan(math.pi * hertz / sample_rate)
    return np.array(
        [
            1 + tangent / quality + tangent**2,
            2 * (tangent**2 - 1),
            1 - tangent / quality + tangent**2,
        ]
    )
