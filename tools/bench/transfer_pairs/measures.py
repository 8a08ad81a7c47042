"""Measures of a transfer with a target."""

from collections.abc import Callable
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray

from tfdream.audio import Samples
from tfdream.evaluation.distance import Embedder
from tfdream.evaluation.measures import loudness
from tfdream.evaluation.prediction import clip_batches
from tfdream.runs import Run
from transfer_pairs.pairs import Pair, normalize
from transfer_pairs.scores import SAMPLE_RATE

FloatArray = NDArray[np.floating[Any]]

_N_FFT, _HOP = 2048, 512
_MFCC_TOP_DB, _MFCCS = 80, 13
_SPECTRUM_RANGE_DB = 80
_SOFT_BELOW_DB = 60
_LOWEST_POWER = 1e-12
# Both onsets and notes are computed at this rate; it is the rate of basic-pitch.
_HALF_RATE = 22050
_WINDOW_SAMPLES = 43844
_KEYS = 88
_NOTE_THRESHOLD = 0.3
_TAGGER = "musicnn_msd"


class Measures(NamedTuple):
    """Measures of the output of a transfer, which is scaled to the power of the target first.

    Attributes:
      spectrum_db: log-spectral distance to the target over all STFT cells, within 80 dB of the
        target's maximum.
      timbre: Euclidean distance of the mean MFCC 1 to 13 to those of the target.
      timbre_to_style: the same distance to the style.
      embedding: cosine distance of the mean embedding of a tagger to that of the target; None
        without the tagger.
      notes: Jaccard distance of the notes that basic-pitch transcribes from output and target; None
        for drums, and without basic-pitch.
      onsets: correlation of the onset strength with that of the content.
      floor_db: increase of the power in the cells 60 dB below the content's maximum.
      floor_in_both_db: the same in those of them that are 60 dB below the target's maximum, too.
      loudness_lu: change of the integrated loudness relative to the content, without scaling; None
        if one of them is below −70 LUFS.
    """

    spectrum_db: float
    timbre: float
    timbre_to_style: float
    embedding: float | None
    notes: float | None
    onsets: float
    floor_db: float
    floor_in_both_db: float
    loudness_lu: float | None


class Reference:
    """The spectra, onsets and notes of a pair, computed once for all methods.

    Args:
      pair: content, style and target.
      transcribe: returns the notes of a recording; None skips their measure.
      embed: returns the embedding of a recording, of unit length; None skips its measure.
    """

    def __init__(
        self,
        pair: Pair,
        transcribe: Callable[[Samples], NDArray[np.bool_]] | None = None,
        embed: Callable[[Samples], FloatArray] | None = None,
    ) -> None:
        self.pair = pair
        self.embed = embed
        self.embedding = embed and embed(normalize(pair.target))
        self.transcribe = None if pair.kind == "drums" else transcribe
        self.content = power(normalize(pair.content))
        self.target = power(normalize(pair.target))
        self.timbre = mean_mfcc(self.target)
        self.style_timbre = mean_mfcc(power(normalize(pair.style)))
        self.onsets = onset_strength(normalize(pair.content))
        self.notes = self.transcribe and self.transcribe(normalize(pair.target))

    def measure(self, output: Samples) -> Measures:
        """Measure an output of the same length as the content."""
        scaled = normalize(output)
        spectrum = power(scaled)
        timbre = mean_mfcc(spectrum)
        notes = None
        if self.transcribe and self.notes is not None:
            notes = jaccard_distance(self.transcribe(scaled), self.notes)
        embedding = None
        if self.embed and self.embedding is not None:
            embedding = 1 - float(self.embed(scaled) @ self.embedding)
        soft = is_soft(self.content)
        return Measures(
            spectrum_db=spectral_distance_db(spectrum, self.target),
            timbre=float(np.linalg.norm(timbre - self.timbre)),
            timbre_to_style=float(np.linalg.norm(timbre - self.style_timbre)),
            embedding=embedding,
            notes=notes,
            onsets=correlation(onset_strength(scaled), self.onsets),
            floor_db=rise_db(spectrum, self.content, soft),
            floor_in_both_db=rise_db(spectrum, self.content, soft & is_soft(self.target)),
            loudness_lu=loudness_change_lu(output, self.pair.content),
        )


def power(wave: Samples) -> FloatArray:
    """Return the power of STFT cells `[frames, bins]`; a sine of amplitude 1 has 1."""
    window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    stft = librosa.stft(wave, n_fft=_N_FFT, hop_length=_HOP, window="hann").T
    cells: FloatArray = np.abs(stft * (2 / window.sum())) ** 2
    return cells


def spectral_distance_db(output: FloatArray, target: FloatArray) -> float:
    """Return the root mean square level difference over frequency, averaged over frames."""
    lowest = target.max() * 10 ** (-_SPECTRUM_RANGE_DB / 10)
    level_db = 10 * np.log10(np.maximum(output, lowest) / np.maximum(target, lowest))
    return float(np.sqrt((level_db**2).mean(axis=1)).mean())


def mean_mfcc(cells: FloatArray) -> FloatArray:
    """Return the mean of MFCC 1 to 13 over all frames, up to the Nyquist frequency."""
    level_db = librosa.power_to_db((cells @ _mel_bands()).T, top_db=_MFCC_TOP_DB)
    mfcc: FloatArray = librosa.feature.mfcc(S=level_db, n_mfcc=_MFCCS + 1)[1:].mean(axis=1)
    return mfcc


@cache
def _mel_bands() -> FloatArray:
    bands: FloatArray = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=128).T
    return bands.astype(np.float32)


def is_soft(cells: FloatArray) -> NDArray[np.bool_]:
    """Return which cells are at least 60 dB below the maximum."""
    soft: NDArray[np.bool_] = cells <= cells.max() * 10 ** (-_SOFT_BELOW_DB / 10)
    return soft


def rise_db(output: FloatArray, content: FloatArray, cells: NDArray[np.bool_]) -> float:
    """Return the ratio of the powers in some cells, each at least −120 dB; 0 without cells."""
    if not cells.any():
        return 0.0
    after, before = (
        np.maximum(spectrum, _LOWEST_POWER)[cells].sum(dtype=np.float64)
        for spectrum in (output, content)
    )
    return float(10 * np.log10(after / before))


def onset_strength(wave: Samples) -> FloatArray:
    """Return librosa's onset strength at 22.05 kHz, `[frames]`."""
    strength: FloatArray = librosa.onset.onset_strength(y=_half_rate(wave), sr=_HALF_RATE)
    return strength


def correlation(first: FloatArray, second: FloatArray) -> float:
    """Return the correlation of two series; 0 if one of them is constant."""
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def jaccard_distance(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return 1 − the size of the intersection over that of the union; 0 if both are empty.

    >>> jaccard_distance(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    union = (first | second).sum()
    return float(1 - (first & second).sum() / union) if union else 0.0


def loudness_change_lu(output: Samples, content: Samples) -> float | None:
    """Return the change of the integrated loudness, as in BS.1770."""
    waves = np.stack([output, content], axis=1)
    block = soxr.resample(waves, SAMPLE_RATE, loudness.SAMPLE_RATE)[:, :, None]
    after, before = loudness.integrated_lufs([block])
    return None if after is None or before is None else after - before


def _half_rate(wave: Samples) -> Samples:
    half: Samples = librosa.resample(
        wave, orig_sr=SAMPLE_RATE, target_sr=_HALF_RATE, res_type="soxr_hq"
    )
    return half


class TagEmbedding:
    """The embedding of musicnn, a tagger that no recipe uses: `tfdream models install musicnn`.

    Raises:
      ModelError: if it is not installed.
    """

    def __init__(self) -> None:
        self._embedder = Embedder(Run.open(_TAGGER))

    def __call__(self, wave: Samples) -> FloatArray:
        """Return the mean embedding of the complete clips of a recording, scaled to unit length."""
        run = self._embedder.run
        samples = librosa.resample(wave, orig_sr=SAMPLE_RATE, target_sr=run.sample_rate)
        batches = clip_batches([samples[:, np.newaxis]], run)
        whole = [clips[filled == run.input_samples] for clips, filled in batches]
        mean: FloatArray = self._embedder.embed(np.concatenate(whole)).mean(axis=0)
        return mean / np.linalg.norm(mean)


class Transcriber:
    """basic-pitch's network for polyphonic transcription, run by ONNX Runtime.

    Raises:
      ImportError: if onnxruntime or basic-pitch is not installed.

    Source: Bittner et al., "A lightweight instrument-agnostic model for polyphonic note
    transcription and multipitch estimation", 2022.
    """

    def __init__(self) -> None:
        import onnxruntime

        # The package is not imported: only the network is used, not its dependencies.
        spec = util.find_spec("basic_pitch")
        if spec is None or not spec.submodule_search_locations:
            raise ImportError("No module named 'basic_pitch'")
        folder = Path(spec.submodule_search_locations[0])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(folder / "saved_models" / "icassp_2022" / "nmp.onnx"),
            options,
            providers=["CPUExecutionProvider"],
        )

    def __call__(self, wave: Samples) -> NDArray[np.bool_]:
        """Return which notes sound, `[frames, 88]`."""
        half = _half_rate(wave)
        windows = np.pad(half, (0, -len(half) % _WINDOW_SAMPLES))
        feed = {"serving_default_input_2:0": windows.reshape(-1, _WINDOW_SAMPLES, 1)}
        (activations,) = self._session.run(["StatefulPartitionedCall:1"], feed)
        notes: NDArray[np.bool_] = activations.reshape(-1, _KEYS) > _NOTE_THRESHOLD
        return notes
