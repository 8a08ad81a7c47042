"""Notes about an audio file: sentences on properties that make results unreliable.

A file is examined while it is read, block by block: `Examination.observe` passes the blocks on.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from tfdream.audio.decoders.base import Damage
from tfdream.audio.files import Reader
from tfdream.audio.streams import Samples, mean_of_channels

SILENCE = 1e-4
"""Signals with a smaller amplitude are silent: −80 dB, the range of most spectrogram images."""
_BAND_RANGE_DB = 70.0
"""Frequencies this far below the loudest one count as absent: noise of 16 bits has −79 dB."""
_MAX_BAND_SHARE = 0.8
"""Narrower files, relative to the band of the network, get a note."""
_SEGMENT = 4096
_LOBE = 4
"""Half the main lobe of a squared Hann window in bins; its side lobes decay by 30 dB per octave."""
_FULL_SCALE = 32766 / 32768
_ABOVE_FULL_SCALE = 1.0001
_MIN_CLIPPED_SHARE = 1e-4
_MIN_CLIPPED_SAMPLES = 10
_MIN_OVERLOAD_DB = 3.0  # decoded mp3 exceeds the original's peak by 1 or 2 dB
_MIN_OFFSET, _MIN_OFFSET_SHARE = 0.01, 0.05


class Examination:
    """Measures of one audio file, accumulated while its blocks are read.

    Args:
      sample_rate: of the file, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.samples = 0
        self._values = 0
        self._clipped = 0
        self._peak = 0.0
        self._sum = self._squares = 0.0
        self._mid_range = (np.inf, -np.inf)
        self._power: NDArray[np.floating[Any]] = np.zeros(_SEGMENT // 2 + 1)
        self._window = (np.hanning(_SEGMENT) ** 2).astype(np.float32)

    def observe(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield blocks `[samples, channels]` unchanged, and measure each."""
        for block in blocks:
            self._add(block)
            yield block

    def _add(self, block: Samples) -> None:
        mid = mean_of_channels(block)
        self._clipped += count_clipped(block)
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
        self._sum += float(mid.sum(dtype=float))
        self._squares += float(np.square(mid, dtype=float).sum())
        lowest, highest = self._mid_range
        self._mid_range = min(lowest, float(mid.min())), max(highest, float(mid.max()))
        whole = len(mid) - len(mid) % _SEGMENT
        segments = mid[:whole].reshape(-1, _SEGMENT)
        if not self.samples and not whole:  # a very short file
            segments = np.pad(mid, (0, _SEGMENT - len(mid)))[np.newaxis]
        spectra = scipy.fft.rfft(segments * self._window, axis=1)
        self._power += np.square(np.abs(spectra)).sum(axis=0)
        self.samples += len(block)
        self._values += block.size

    @property
    def is_silent(self) -> bool:
        """Whether the mid signal is constant within −80 dB of full scale."""
        lowest, highest = self._mid_range
        return bool(self.samples) and (highest - lowest) / 2 < SILENCE

    @property
    def highest_hz(self) -> float:
        """The highest frequency whose mean level is within 70 dB of the loudest one."""
        power = self._power[1:]
        (present,) = np.nonzero(power > power.max() * 10 ** (-_BAND_RANGE_DB / 10))
        highest = present[-1] + 1 - _LOBE if len(present) else 0
        return max(0.0, float(highest)) * self.sample_rate / _SEGMENT

    def notes(
        self, network_rate: int, clip_seconds: float | None = None, damage: Damage | None = None
    ) -> list[str]:
        """Return the notes, after the last block.

        Args:
          network_rate: sample rate of the network, in Hz: its band ends at half the rate.
          clip_seconds: shorter files are padded to this length.
          damage: of the file's reader.
        """
        return [
            *self._level_notes(),
            *self._length_notes(clip_seconds, damage),
            *self._band_notes(network_rate),
        ]

    def _level_notes(self) -> Iterator[str]:
        mean = self._sum / max(self.samples, 1)
        rms = np.sqrt(self._squares / max(self.samples, 1))
        if self.is_silent:
            cancels = self._peak - abs(mean) >= SILENCE
            yield "silent: its channels cancel each other" if cancels else "silent"
        if abs(mean) > max(_MIN_OFFSET, _MIN_OFFSET_SHARE * rms):
            yield f"DC offset of {mean:.2f}"
        if self._clipped > max(_MIN_CLIPPED_SAMPLES, _MIN_CLIPPED_SHARE * self._values):
            yield f"clipped: {100 * self._clipped / self._values:.2g} % of the samples"
        overload_db = 20 * np.log10(max(self._peak, 1.0))
        if overload_db > _MIN_OVERLOAD_DB:
            yield f"peaks {overload_db:.1f} dB above full scale"

    def _length_notes(self, clip_seconds: float | None, damage: Damage | None) -> Iterator[str]:
        seconds = self.samples / self.sample_rate
        if clip_seconds is not None and round(seconds, 3) < clip_seconds:
            length = f"{seconds:.2f} s" if seconds >= 0.005 else f"{self.samples} samples"
            yield f"padded from {length}"
        if damage is None:
            return
        if damage.truncated:
            decoded = damage.decoded_samples / self.sample_rate
            if damage.expected_samples is None:
                yield f"truncated: the end is missing after {decoded:.2f} s"
            else:
                expected = damage.expected_samples / self.sample_rate
                yield f"truncated: header states {expected:.2f} s, decoded {decoded:.2f} s"
        if damage.errors:
            yield f"damaged packets skipped: {damage.errors}"

    def _band_notes(self, network_rate: int) -> Iterator[str]:
        highest = self.highest_hz
        if not self.is_silent and highest < _MAX_BAND_SHARE * network_rate / 2:
            yield f"nothing above {highest / 1000:.2g} kHz"


def count_clipped(block: Samples) -> int:
    """Return the number of clipped samples of a block `[samples, channels]`.

    These are the samples at full scale whose previous sample is at full scale, too: a single one is
    the peak of a normalized file. Samples above full scale are not clipped.

    >>> count_clipped(np.array([[1.0], [0.5], [1.0], [1.0], [-1.0], [1.5]]))
    1
    """
    magnitude = np.abs(block)
    full = (magnitude >= _FULL_SCALE) & (magnitude <= _ABOVE_FULL_SCALE)
    if not full.any():
        return 0
    flat = full[1:] & full[:-1] & (np.sign(block[1:]) == np.sign(block[:-1]))
    return int(np.count_nonzero(flat))


def examine(
    path: str | Path,
    network_rate: int,
    clip_seconds: float | None = None,
    damage: Damage | None = None,
) -> list[str]:
    """Read a file and return its notes.

    Args:
      path: any audio file.
      network_rate: as for `Examination.notes`.
      clip_seconds: as for `Examination.notes`.
      damage: of the file that `path` is a part of; None if it is a whole file.

    Raises:
      AudioError: if it cannot be read.
    """
    with Reader(path) as reader:
        examination = Examination(reader.info.sample_rate)
        for _ in examination.observe(reader.blocks()):
            pass
        return examination.notes(network_rate, clip_seconds, damage or reader.damage)
