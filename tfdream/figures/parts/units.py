"""Units of the axes and of the channels of a model input."""

from typing import NamedTuple


class Spacing(NamedTuple):
    """The distance of neighboring cells of a model input along one axis.

    >>> Spacing(0.01, "s").in_ms
    Spacing(size=10.0, unit='ms')
    >>> Spacing(0.01, "s").frequency_label
    'frequency / Hz'
    """

    size: float
    unit: str

    @property
    def in_ms(self) -> "Spacing":
        """This distance in milliseconds if its unit is seconds."""
        return Spacing(1000 * self.size, "ms") if self.unit == "s" else self

    @property
    def label(self) -> str:
        """Label of an axis in this unit."""
        return f"time / {self.unit}" if self.unit in ("s", "ms") else self.unit

    @property
    def frequency_label(self) -> str:
        """Label of the frequency axis after a Fourier transform along this axis."""
        return "frequency / Hz" if self.unit == "s" else f"cycles / {self.unit.removesuffix('s')}"


class Channel(NamedTuple):
    """The unit and the color map of one channel of an input image.

    Attributes:
      label: quantity and unit.
      zero, one: the quantity at values 0 and 1.
      color_map: name of the color map.
      unbounded: values may exceed 1.
    """

    label: str
    zero: float
    one: float
    color_map: str
    unbounded: bool = False
