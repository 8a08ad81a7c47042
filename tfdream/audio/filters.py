"""Filters of sample streams: a band, and a gate for each part of the spectrum.

All are aligned in time: the band filters have linear phase and no delay, so that a filtered result
can be mixed with its original.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tfdream.audio.streams import Counted, Samples, frames, padded, trim
from tfdream.errors import ConfigError

if TYPE_CHECKING:  # the processes that decode import this package without settings
    from tfdream.config import FilterConfig

_STOP_DB = 60.0
# Widths of the transitions, relative to the frequency.
_LOW_TRANSITION, _HIGH_TRANSITION = 1.0, 0.25
_GATE_N_FFT, _GATE_HOP = 2048, 512
_GATE_MARGIN = _GATE_N_FFT - _GATE_HOP
_GATE_SLOPE = 2.0
_SILENCE = 1e-10


def apply_filters(
    blocks: Iterable[Samples], sample_rate: int, config: "FilterConfig"
) -> Iterator[Samples]:
    """Filter a stream of blocks float32 `[samples, channels]`; its length does not change.

    A band limit above half the sample rate has no effect.

    Args:
      blocks: the samples.
      sample_rate: in Hz.
      config: band and gate; without any, the samples are unchanged.

    Raises:
      ConfigError: if the band begins above half the sample rate.

    >>> from tfdream.config import FilterConfig
    >>> blocks = [np.ones((5000, 1), np.float32)] * 2
    >>> filtered = np.concatenate(list(apply_filters(blocks, 8000, FilterConfig(low_hz=100))))
    >>> filtered.shape, bool(abs(filtered[5000, 0]) < 1e-3)
    ((10000, 1), True)
    """
    nyquist_hz = sample_rate / 2
    filtered = iter(blocks)
    if config.low_hz is not None:
        if config.low_hz >= nyquist_hz:
            raise ConfigError(
                f"filter.low_hz={config.low_hz:g} leaves nothing of audio at {sample_rate} Hz; use "
                f"less than {nyquist_hz:g}"
            )
        kernel = _kernel(config.low_hz, _LOW_TRANSITION * config.low_hz, sample_rate, high=True)
        filtered = convolve(filtered, kernel)
    if config.high_hz is not None and config.high_hz < nyquist_hz:
        kernel = _kernel(config.high_hz, _HIGH_TRANSITION * config.high_hz, sample_rate, high=False)
        filtered = convolve(filtered, kernel)
    if config.gate_db is not None:
        filtered = gate(filtered, config.gate_db, config.gate_reduction_db)
    return filtered


def filter_reach(sample_rate: int, config: "FilterConfig") -> int:
    """Return within how many samples a sample influences those before and after it.

    >>> from tfdream.config import FilterConfig
    >>> filter_reach(8000, FilterConfig()), filter_reach(8000, FilterConfig(low_hz=20))
    (0, 726)
    """
    samples = 0
    if config.low_hz is not None:
        samples += _taps(_LOW_TRANSITION * config.low_hz, sample_rate)[0] // 2
    if config.high_hz is not None:
        samples += _taps(_HIGH_TRANSITION * config.high_hz, sample_rate)[0] // 2
    return samples + (_GATE_N_FFT if config.gate_db is not None else 0)


def _kernel(cutoff_hz: float, transition_hz: float, sample_rate: int, high: bool) -> Samples:
    """Design a high-pass or low-pass filter with linear phase, by a Kaiser window."""
    from scipy.signal import firwin

    taps, beta = _taps(transition_hz, sample_rate)
    kernel: Samples = firwin(
        taps, cutoff_hz, window=("kaiser", beta), pass_zero=not high, fs=sample_rate
    ).astype(np.float32)
    return kernel


def _taps(transition_hz: float, sample_rate: int) -> tuple[int, float]:
    """Return the odd length of a kernel, and the parameter of its Kaiser window."""
    from scipy.signal import kaiserord

    taps, beta = kaiserord(_STOP_DB, 2 * transition_hz / sample_rate)
    return taps | 1, beta


def convolve(blocks: Iterable[Samples], kernel: Samples) -> Iterator[Samples]:
    """Convolve a stream with a kernel of odd length, centered: the length does not change.

    >>> blocks = [np.array([[0.0], [1.0]]), np.array([[2.0], [0.0]])]
    >>> np.concatenate(list(convolve(blocks, np.array([1.0, 0.0, 0.5]))))[:, 0].round(9).tolist()
    [1.0, 2.0, 0.5, 1.0]
    """
    delay = len(kernel) // 2
    return trim(_convolve_fully(blocks, kernel[:, None]), delay, delay)


def _convolve_fully(blocks: Iterable[Samples], kernel: Samples) -> Iterator[Samples]:
    from scipy.signal import oaconvolve

    tail: Samples | None = None
    for block in blocks:
        if not len(block):
            continue
        whole: Samples = oaconvolve(block, kernel, axes=0)
        if tail is not None:
            whole[: len(tail)] += tail[: len(whole)]
        yield whole[: len(block)]
        tail = whole[len(block) :]
    if tail is not None:
        yield tail


def gate(blocks: Iterable[Samples], gate_db: float, reduction_db: float) -> Iterator[Samples]:
    """Attenuate the time-frequency bins of an STFT below a level.

    All channels have the gain of the loudest. A bin that is d dB below the level is attenuated by
    2·d dB, up to a limit: a gradual expander has fewer isolated tones ("musical noise") than a
    switch. The length does not change.

    Args:
      blocks: float32 `[samples, channels]`.
      gate_db: the level, in dB relative to a sine of full scale.
      reduction_db: largest attenuation in dB.

    >>> hiss = np.random.default_rng(0).normal(0, 1e-4, (8000, 1))
    >>> gated = np.concatenate(list(gate([hiss], gate_db=-60, reduction_db=20)))
    >>> round(20 * np.log10(gated.std() / hiss.std()))
    -20
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_GATE_N_FFT) / _GATE_N_FFT)
    window /= np.sqrt(np.sum(window**2) / _GATE_HOP)  # squares of overlapping windows add up to 1
    full_scale = window.sum() / 2
    counted = Counted(blocks)
    # Zeros before and after, so that every sample is in as many frames as overlap.
    filled = padded(counted, _GATE_MARGIN, _GATE_MARGIN + _GATE_HOP - 1)
    overlap_add = _OverlapAdd(_GATE_HOP)

    def gated() -> Iterator[Samples]:
        for batch in frames(filled, _GATE_N_FFT, _GATE_HOP):
            spectra = np.fft.rfft(batch * window)
            magnitude = np.abs(spectra).max(axis=1, keepdims=True)
            level_db = 20 * np.log10(magnitude / full_scale + _SILENCE)
            gain_db = np.clip(_GATE_SLOPE * (level_db - gate_db), -reduction_db, 0)
            yield overlap_add(np.fft.irfft(spectra * 10 ** (gain_db / 20)) * window)

    position = 0
    for block in trim(gated(), _GATE_MARGIN, 0):
        yield block[: counted.samples - position]  # without the padding
        position += len(block)


class _OverlapAdd:
    """Adds overlapping frames of a stream.

    Args:
      hop: samples from the start of a frame to that of the next one.
    """

    def __init__(self, hop: int) -> None:
        self.hop = hop
        self._tail: Samples | None = None

    def __call__(self, batch: Samples) -> Samples:
        """Return the samples that are complete after some frames `[frames, channels, length]`.

        Returns:
          float32 `[frames * hop, channels]`.
        """
        count, channels, length = batch.shape
        whole = np.zeros((length + self.hop * (count - 1), channels))
        for number, frame in enumerate(batch):
            whole[number * self.hop :][:length] += frame.T
        if self._tail is not None:
            whole[: len(self._tail)] += self._tail
        ready = self.hop * count
        self._tail = whole[ready:]
        return whole[:ready].astype(np.float32)
