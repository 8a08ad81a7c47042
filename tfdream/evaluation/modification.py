"""What a change did to a recording, measured on the two files.

Both are read in blocks, several times, so that memory does not grow with their length (but for a
few numbers per frame). No network is asked.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from librosa.filters import chroma as chroma_filters
from librosa.filters import mel as mel_filters
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import rfft
from scipy.signal import sosfilt
from scipy.signal.windows import hann

from tfdream import audio
from tfdream.errors import AudioError

_N_FFT = 2048
_HOP_SAMPLES = 512
_WINDOW = hann(_N_FFT, sym=False).astype(np.float32)

# librosa's own rate, for which its chroma and its onsets are made.
_MUSIC_RATE = 22050
# The noise of 16 bits in one cell: what lies below cannot be in most files.
_SILENCE_DB = -120.0
_RANGE_DB = 80.0
_FLOOR_DB = 60.0
# The largest sample that 16 bits hold; a limiter stays below.
_FULL_SCALE = 1 - 2.0**-15
# Resamplers and codecs may be off by some samples.
_LENGTH_TOLERANCE_SECONDS = 0.01
# What is equal has no error at all; JSON has no infinity.
_LEAST_DB = -200.0

_LOUDNESS_RATE = 48000
_LOUDNESS_STEP_SAMPLES = 4800  # a quarter of the 0.4 s over which loudness is measured
# "K-weighting": a shelf for the head and a high-pass, at 48 kHz. Source: ITU-R BS.1770-4, tables 1
# and 2.
_K_WEIGHTING = np.array([
    [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
    [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
])  # fmt: skip


def compare(original: Path, result: Path) -> dict[str, Any]:
    """Measure how far a changed recording is from what it was made of.

    Spectra have windows of 2048 samples and a hop of 512, at the original's rate and of every
    channel; chroma and onsets are those of the mid signal at 22 050 Hz. A cell is a bin of one
    frame, its level that of a sine in dB relative to full scale. A result of another rate is
    resampled; of another number of channels, the two mid signals are compared; of another length,
    what both have. `notes` says so.

    Args:
      original: any audio file.
      result: what was made of it.

    Returns:
      The JSON object of the command. A measure is None where it means nothing, as brackets say.

      log_spectral_distance_db: mean over frames of the root mean square over bins of the difference
        of the levels, which count from 80 dB below the original's loudest cell.
      spectral_convergence_db: energy of the difference of the magnitudes over the original's, at
        least −200 (None: the original is silent).
      content_chroma_similarity: 1 is the same harmony; mean over frames of the cosine similarity of
        chroma vectors, tuned to 440 Hz. A frame weighs as much as its amplitude in the original, so
        that silence does not count (None: the original is silent). Pitch classes overlap: pieces
        that have nothing to do with each other are at 0.55 to 0.8, not at 0.
      onset_correlation: of the envelopes of onset strength, 1 is the same rhythm (None: one of the
        files has no onset).
      floor_rise_db: how much more power there is in the cells that lie 60 dB or more below the
        original's loudest one. None of them counts as softer than −120 dB (None: no such cells).
        They are chosen because the original is soft there, so whatever moves sound in time or
        frequency fills them too.
      floor_cells_share: how many cells those are, of all.
      loudness_change_lu: of the integrated loudness, all channels weighing the same (None: one of
        the files is shorter than 0.4 s or softer than −70 LUFS).
      difference_db: energy of the difference of the samples over the original's, at least −200
        (None: rate, channels or length differ, or the original is silent).
      peak: the result's largest absolute sample.
      clipped_samples: of the result, at or above full scale of 16 bits.
      samples, sample_rate, channels: of the result.
      compared_seconds: how much both files have.
      notes: list of sentences.

    Raises:
      AudioError: if a file cannot be read, or both have less than 0.1 s in common.

    Source: Gray and Markel, "Distance measures for speech processing" (distance); ITU-R BS.1770-4
    (loudness); the rest is as named above.
    """
    before, after = _extent(original), _extent(result)
    compared_seconds = min(before.seconds, after.seconds)
    if compared_seconds < _N_FFT / _MUSIC_RATE:
        raise AudioError(
            f"'{original}' ({before.seconds:.3f} s) and '{result}' ({after.seconds:.3f} s) have "
            f"too little in common to compare; both need {_N_FFT / _MUSIC_RATE:.3f} s"
        )
    pair = _Pair(original, result, mid=before.channels != after.channels)
    loudest = pair.loudest(before.sample_rate)
    difference = _Difference()
    return {
        **_spectral(difference.hear(pair.blocks(before.sample_rate)), loudest),
        **_musical(pair.blocks(_MUSIC_RATE, mid=True), loudest),
        "loudness_change_lu": _loudness_change(pair.blocks(_LOUDNESS_RATE)),
        "difference_db": difference.db() if before.shape == after.shape else None,
        "peak": after.peak,
        "clipped_samples": after.clipped_samples,
        "samples": after.samples,
        "sample_rate": after.sample_rate,
        "channels": after.channels,
        "compared_seconds": compared_seconds,
        "notes": list(_notes(before, after)),
    }


class _Extent(NamedTuple):
    """What a file holds, counted: a header may be wrong."""

    sample_rate: int
    channels: int
    samples: int
    peak: float
    clipped_samples: int

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    @property
    def shape(self) -> tuple[int, int, int]:
        return self[:3]


@dataclass(frozen=True)
class _Pair:
    """Two files beside each other; `mid`, if only their mid signals can be compared."""

    original: Path
    result: Path
    mid: bool

    def blocks(self, sample_rate: int, mid: bool = False) -> Iterator[np.ndarray]:
        """Both, at one rate, as far as both go: float32 `[samples, 2, channels]`."""
        with audio.Reader(self.original) as before, audio.Reader(self.result) as after:
            streams = [
                audio.rechunk(_stream(reader, sample_rate, mid or self.mid), audio.BLOCK_SAMPLES)
                for reader in (before, after)
            ]
            for pair in zip(*streams, strict=False):
                length = min(map(len, pair))
                yield np.stack([block[:length] for block in pair], axis=1)

    def loudest(self, sample_rate: int) -> float:
        """Power of the original's loudest cell."""
        with audio.Reader(self.original) as reader:
            cells = _power(_stream(reader, sample_rate, self.mid))
            return max(float(power.max()) for power in cells)


def _extent(path: Path) -> _Extent:
    samples, peak, clipped = 0, 0.0, 0
    with audio.Reader(path) as reader:
        for block in reader.blocks():
            level = np.abs(block)
            samples += len(block)
            peak = max(peak, float(level.max()))
            clipped += int(np.count_nonzero(level >= _FULL_SCALE))
        return _Extent(reader.info.sample_rate, reader.info.channels, samples, peak, clipped)


def _stream(reader: audio.Reader, sample_rate: int, mid: bool) -> Iterator[np.ndarray]:
    return reader.mid(sample_rate) if mid else reader.resampled(sample_rate)


def _notes(before: _Extent, after: _Extent) -> Iterator[str]:
    if before.sample_rate != after.sample_rate:
        yield f"resampled from {after.sample_rate} to {before.sample_rate} Hz for the spectra"
    if before.channels != after.channels:
        yield f"compared in the mid signal: channels are {before.channels} and {after.channels}"
    if abs(before.seconds - after.seconds) > _LENGTH_TOLERANCE_SECONDS:
        yield (
            f"compared over the first {min(before.seconds, after.seconds):.2f} s: lengths are "
            f"{before.seconds:.2f} and {after.seconds:.2f} s"
        )
    if before.shape != after.shape:
        yield "no difference_db: it needs the same rate, channels and number of samples"


def _power(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Power spectra of a stream `[samples, …]`: float32 `[frames, …, bins]`, a sine of 1 is 1.

    Half a window of silence goes before and after, so that every sample counts.
    """
    held: np.ndarray | None = None
    for block in _between_silence(blocks):
        held = block if held is None else np.concatenate([held, block])
        if len(held) < _N_FFT:
            continue
        frames = sliding_window_view(held, _N_FFT, axis=0)[::_HOP_SAMPLES]
        spectrum = rfft(frames * (2 / _WINDOW.sum() * _WINDOW))
        yield spectrum.real**2 + spectrum.imag**2
        held = held[len(frames) * _HOP_SAMPLES :]


def _between_silence(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    silence = None
    for block in blocks:
        if silence is None:
            silence = np.zeros((_N_FFT // 2, *block.shape[1:]), np.float32)
            yield silence
        yield block
    if silence is not None:
        yield silence


def _spectral(blocks: Iterable[np.ndarray], loudest: float) -> dict[str, float | None]:
    """What is told from levels and magnitudes of `[samples, 2, channels]`."""
    lowest = max(loudest * _power_ratio(-_RANGE_DB), _power_ratio(_SILENCE_DB))
    highest_of_floor = loudest * _power_ratio(-_FLOOR_DB)
    distance_sum, spectra = 0.0, 0
    error, energy = 0.0, 0.0
    floor_cells, floor_powers = 0, np.zeros(2)
    for power in _power(blocks):
        levels_db = _db(np.maximum(power, lowest))
        squares = (levels_db[:, 1] - levels_db[:, 0]) ** 2
        distance_sum += float(np.sqrt(squares.mean(axis=-1)).sum())
        spectra += squares[..., 0].size

        magnitude = np.sqrt(power)
        error += _energy(magnitude[:, 1] - magnitude[:, 0])
        energy += _energy(magnitude[:, 0])

        in_floor = power[:, 0] <= highest_of_floor
        floor_cells += int(np.count_nonzero(in_floor))
        audible = np.maximum(power, _power_ratio(_SILENCE_DB))
        floor_powers += [audible[:, which][in_floor].sum(dtype=float) for which in (0, 1)]
    return {
        "log_spectral_distance_db": distance_sum / spectra,
        "spectral_convergence_db": _ratio_db(error, energy),
        "floor_rise_db": _ratio_db(floor_powers[1], floor_powers[0]),
        "floor_cells_share": floor_cells / (spectra * (_N_FFT // 2 + 1)),
    }


def _musical(blocks: Iterable[np.ndarray], loudest: float) -> dict[str, float | None]:
    """What is told from chroma and onsets of `[samples, 2, 1]` at 22 050 Hz."""
    chroma_bank = chroma_filters(sr=_MUSIC_RATE, n_fft=_N_FFT, tuning=0.0)
    mel_bank = mel_filters(sr=_MUSIC_RATE, n_fft=_N_FFT, norm=None)
    lowest = max(loudest * _power_ratio(-_RANGE_DB), _power_ratio(_SILENCE_DB))
    similarity, weight = 0.0, 0.0
    envelopes: list[np.ndarray] = []
    last: np.ndarray | None = None
    for power in _power(blocks):
        spectra = power[:, :, 0].astype(float)
        chroma = spectra @ chroma_bank.T
        weights = np.sqrt(chroma[:, 0].sum(axis=-1))
        similarity += float(weights @ _cosine(chroma[:, 0], chroma[:, 1]))
        weight += float(weights.sum())

        levels_db = _db(np.maximum(spectra @ mel_bank.T, lowest))
        rises_db = np.diff(levels_db, axis=0, prepend=levels_db[:1] if last is None else last)
        envelopes.append(np.maximum(rises_db, 0).mean(axis=-1))
        last = levels_db[-1:]
    return {
        "content_chroma_similarity": similarity / weight if weight else None,
        "onset_correlation": _correlation(*np.concatenate(envelopes).T),
    }


def _cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of vectors `[frames, …]`; 0 where one of them is."""
    norms = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    return (left * right).sum(axis=-1) / np.where(norms > 0, norms, 1)


def _correlation(left: np.ndarray, right: np.ndarray) -> float | None:
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    return float(np.corrcoef(left, right)[0, 1])


def _loudness_change(blocks: Iterable[np.ndarray]) -> float | None:
    """Of `[samples, 2, channels]` at 48 kHz, in LU."""
    state: np.ndarray | None = None
    steps: list[np.ndarray] = []
    for block in audio.rechunk(blocks, 16 * _LOUDNESS_STEP_SAMPLES):
        if state is None:
            state = np.zeros((len(_K_WEIGHTING), 2, *block.shape[1:]))
        heard, state = sosfilt(_K_WEIGHTING, block, axis=0, zi=state)
        whole = heard[: len(heard) - len(heard) % _LOUDNESS_STEP_SAMPLES]
        parts = whole.reshape(-1, _LOUDNESS_STEP_SAMPLES, *block.shape[1:])
        steps.append((parts**2).mean(axis=1).sum(axis=-1))
    powers = np.concatenate(steps)
    before, after = (_loudness_lufs(powers[:, which]) for which in (0, 1))
    return None if before is None or after is None else after - before


def _loudness_lufs(powers: np.ndarray) -> float | None:
    """Integrate K-weighted powers of steps of 0.1 s, `[steps]`; None if all is too short or soft.

    Source: ITU-R BS.1770-4, annex 1: windows of 0.4 s count above −70 LUFS, and then above 10 LU
    below the loudness of those.
    """
    if len(powers) < 4:
        return None
    windows = sliding_window_view(powers, 4).mean(axis=-1)
    gated = windows[windows > _power_ratio(-70 + 0.691)]
    if not len(gated):
        return None
    gated = gated[gated > gated.mean() * _power_ratio(-10)]
    return -0.691 + 10 * math.log10(gated.mean())


class _Difference:
    """Of the samples of a stream `[samples, 2, channels]`, heard as it passes by."""

    def __init__(self) -> None:
        self.error = self.energy = 0.0

    def hear(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for block in blocks:
            self.error += _energy(block[:, 1] - block[:, 0])
            self.energy += _energy(block[:, 0])
            yield block

    def db(self) -> float | None:
        return _ratio_db(self.error, self.energy)


def _energy(values: np.ndarray) -> float:
    return float(np.square(values).sum(dtype=float))


def _ratio_db(part: float, whole: float) -> float | None:
    if not whole:
        return None
    return 10 * math.log10(max(part / whole, _power_ratio(_LEAST_DB)))


def _power_ratio(db: float) -> float:
    return float(10 ** (db / 10))


def _db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(power)
