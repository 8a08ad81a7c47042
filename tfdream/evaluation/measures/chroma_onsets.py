"""Similarity of harmony and rhythm, from chroma vectors and onset envelopes of the mid signal."""

from collections.abc import Iterable

import numpy as np
from librosa.filters import chroma as chroma_filters
from librosa.filters import mel as mel_filters

from tfdream.evaluation.measures.levels import FloatArray, power_to_db
from tfdream.evaluation.measures.spectra import N_FFT, Thresholds, power_spectra
from tfdream.signal.onsets import onset_strength

SAMPLE_RATE = 22050
"""librosa's default, which its chroma and onset parameters are designed for."""


def measure(blocks: Iterable[FloatArray], thresholds: Thresholds) -> dict[str, float | None]:
    """Compute the measures from a stream `[samples, 2, 1]` at `SAMPLE_RATE`."""
    chroma_bank = chroma_filters(sr=SAMPLE_RATE, n_fft=N_FFT, tuning=0.0)
    mel_bank = mel_filters(sr=SAMPLE_RATE, n_fft=N_FFT, norm=None)
    similarity, weight = 0.0, 0.0
    envelopes: list[FloatArray] = []
    last: FloatArray | None = None
    for power in power_spectra(blocks):
        spectra = power[:, :, 0].astype(float)
        chroma = spectra @ chroma_bank.T
        weights = np.sqrt(chroma[:, 0].sum(axis=-1))
        similarity += float(weights @ _cosine(chroma[:, 0], chroma[:, 1]))
        weight += float(weights.sum())

        levels_db = power_to_db(np.maximum(spectra @ mel_bank.T, thresholds.lowest))
        envelopes.append(onset_strength(levels_db, before=last))
        last = levels_db[-1:]
    return {
        "content_chroma_similarity": similarity / weight if weight else None,
        "onset_correlation": _correlation(*np.concatenate(envelopes).T),
    }


def _cosine(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the cosine similarity of vectors `[frames, …]`; 0 where one of them is 0."""
    norms = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    similarity: FloatArray = (left * right).sum(axis=-1) / np.where(norms > 0, norms, 1)
    return similarity


def _correlation(left: FloatArray, right: FloatArray) -> float | None:
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    return float(np.corrcoef(left, right)[0, 1])
