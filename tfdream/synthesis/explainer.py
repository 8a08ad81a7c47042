"""Masks of spectrograms that explain a classification.

Source: Fong and Vedaldi, "Interpretable explanations of black boxes by meaningful perturbation",
sections 4.2 and 4.3 (optimized masks with a penalty); Paissan et al., "Listenable maps for audio
classifiers", sections 3.1 and 4.1 (kept and removed sound of a spectrogram, and the scores).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import expit

from tfdream import audio
from tfdream.config import ExplainConfig, StftSpec
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn
from tfdream.models import inspect
from tfdream.models.freeze import freeze
from tfdream.runs import Run
from tfdream.signal.blur import CellBlur
from tfdream.signal.graphs import compiled
from tfdream.signal.stft import (
    power_to_dbfs,
    scale_cells,
    stft_to_power,
    stft_to_waveform,
    waveform_to_stft,
)
from tfdream.synthesis.ascent.ascend import Problem, maximize
from tfdream.synthesis.rendering.tiles import (
    TileGrid,
    Tiles,
    mid_tiles,
)

PROBABILITIES = "probabilities"

# Level relative to the loudest cell of a tile below which sound does not count as kept.
_RANGE_DB = 60.0
# Smallest probability in a logarithm.
_TINY = 1e-6
# Steepness of the masks of the baseline in logits; optimized masks are about as steep.
_BASELINE_LOGITS = 8.0
_BISECTIONS = 30


class Sound(NamedTuple):
    """The mid signals of a batch of tiles.

    Attributes:
      stft: complex64 `[batch, frames, bins]`.
      audible: share of each cell in the sound of its tile, see `_audibility`.
    """

    stft: tf.Tensor
    audible: tf.Tensor


@dataclass(frozen=True)
class Masked:
    """Confidence in the label for one batch of tiles, float `[batch]` each.

    Attributes:
      kept: for what a mask keeps.
      removed: for what it removes.
      share: the share of the sound that the mask keeps.
    """

    kept: NDArray[Any]
    removed: NDArray[Any]
    share: NDArray[Any]


class Explainer:
    """A classifier and settings, compiled once for any number of files.

    Args:
      run: run of the classifier.
      config: mask, objective, optimizer and tiles.

    Raises:
      ConfigError: if the frontend has no gradient, or the tiles do not fit.
    """

    def __init__(self, run: Run, config: ExplainConfig) -> None:
        if not run.frontend.in_graph:
            raise ConfigError(
                f"the frontend kind={run.config.frontend.kind} of the run '{run.folder}' has no "
                "gradient; use a run with frontend.kind=mel, constant_q, amplitude or raw"
            )
        self.run = run
        self.config = config
        self.sample_rate = run.sample_rate
        window = max(config.stft.n_fft, run.frontend.window_samples)
        self.grid = TileGrid.build(config.tiles, run.input_samples, run.sample_rate, window)
        tapped = inspect.tap(run.model, [PROBABILITIES])
        inspect.check_input(tapped, run.frontend.shape(self.grid.samples))
        self._network = freeze(tapped)
        self._blur = CellBlur(config.blur_seconds, config.blur_hz, config.stft, run.sample_rate)
        self.classify = compiled(self._classify)
        self._evaluate = compiled(self._masked)
        self._value_and_gradient = compiled(self._differentiate)
        self._remove = compiled(self._removed_channels)

    def analyze(self, tiles: Tiles) -> Sound:
        """Return what masks of tiles apply to."""
        stft = waveform_to_stft(tf.constant(tiles.waveforms), self.config.stft)
        return Sound(stft, _audibility(stft, self.config.stft))

    def mean_probabilities(self, path: Path) -> NDArray[Any]:
        """Return the mean probability of each label for a file, `[labels]`."""
        total, weight = np.zeros(len(self.run.labels)), 0.0
        with audio.Reader(path) as reader:
            for tiles in mid_tiles(reader, self.sample_rate, self.grid):
                total += tiles.weights @ self.classify(tf.constant(tiles.waveforms)).numpy()
                weight += float(tiles.weights.sum())
        return total / weight

    def optimize(self, sound: Sound, label: int, progress: ProgressFn) -> tuple[tf.Tensor, bool]:
        """Return the masks `[batch, frames, bins]` of tiles, and whether a stop was requested."""
        stopped = False
        done = 0

        def step(value: float, values: tf.Tensor) -> bool:
            nonlocal stopped, done
            done += 1
            stopped = bool(progress(done, self.config.optimizer.steps, value))
            return stopped

        problem = Problem(
            lambda logits: self._value_and_gradient(logits, *sound, tf.constant(label)),
            self.config.optimizer,
            step,
        )
        return self._mask(maximize(problem, tf.zeros(sound.stft.shape))), stopped

    def evaluate(self, sound: Sound, mask: tf.Tensor, label: int) -> Masked:
        """Classify masked tiles and their remainders."""
        masked = self._evaluate(mask, *sound, tf.constant(label))
        return Masked(*(values.numpy() for values in masked))

    def random_mask(
        self, sound: Sound, share: NDArray[Any], starts: NDArray[np.integer[Any]]
    ) -> tf.Tensor:
        """Return random masks that keep given shares of the sound and are as smooth.

        Args:
          sound: the tiles.
          share: the share of each, `[batch]`.
          starts: start of each tile in samples, which selects its random numbers.
        """
        audible = sound.audible.numpy()
        rng = np.random.default_rng([self.config.seed, *starts])
        noise = self._blur(tf.constant(rng.standard_normal(audible.shape), tf.float32)).numpy()
        noise *= _BASELINE_LOGITS / max(float(noise.std()), _TINY)
        low = np.full(len(share), -10 * _BASELINE_LOGITS)
        high = -low
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            mask = expit(noise + middle[:, None, None])
            above = (mask * audible).sum((1, 2)) > share
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return tf.constant(mask, tf.float32)

    def removed(self, tiles: Tiles, mask: tf.Tensor) -> NDArray[Any]:
        """Return the removed part of every channel, float32 `[batch, samples, channels]`."""
        removed: NDArray[Any] = self._remove(tf.constant(tiles.channels), mask).numpy()
        return removed

    def _mask(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(self._blur(logits))

    def _classify(self, waveform: tf.Tensor) -> tf.Tensor:
        return self._network(self.run.frontend(waveform), training=False)[PROBABILITIES]

    def _masked(
        self, mask: tf.Tensor, stft: tf.Tensor, audible: tf.Tensor, label: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        parts = [scale_cells(stft, weight) for weight in (mask, 1 - mask)]
        waveforms = stft_to_waveform(tf.concat(parts, 0), self.config.stft, self.grid.samples)
        confidence = tf.gather(self._classify(waveforms), label, axis=1)
        kept, removed = tf.split(confidence, 2)
        return kept, removed, tf.reduce_sum(mask * audible, [1, 2])

    def _differentiate(
        self, logits: tf.Tensor, stft: tf.Tensor, audible: tf.Tensor, label: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            kept, removed, share = self._masked(self._mask(logits), stft, audible, label)
            value = (
                tf.math.log(kept + _TINY)
                + self.config.removal_weight * tf.math.log(1 - removed + _TINY)
                - self.config.sparsity * share
            )
        return value, tape.gradient(value, logits)

    def _removed_channels(self, channels: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        count = channels.shape[2]
        waveforms = tf.reshape(tf.transpose(channels, [0, 2, 1]), [-1, self.grid.samples])
        stft = waveform_to_stft(waveforms, self.config.stft)
        removed = tf.repeat(1 - mask, count, axis=0)
        parts = stft_to_waveform(scale_cells(stft, removed), self.config.stft, self.grid.samples)
        return tf.transpose(tf.reshape(parts, [-1, count, self.grid.samples]), [0, 2, 1])


def _audibility(stft: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Return each cell's share of the sound, by its level above −60 dB, `[batch, frames, bins]`."""
    level_db = power_to_dbfs(stft_to_power(stft), spec)
    loudest = tf.reduce_max(level_db, [1, 2], keepdims=True)
    weight = tf.nn.relu(level_db - loudest + _RANGE_DB)
    return weight / (tf.reduce_sum(weight, [1, 2], keepdims=True) + _TINY)
