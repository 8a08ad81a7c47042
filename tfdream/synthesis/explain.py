"""`explain`: extract the part of a recording that supports a label.

A mask of the spectrogram is optimized so that a classifier gives the label to what the mask keeps,
and not to what it removes, while it keeps as little as possible.

Source: Fong and Vedaldi, "Interpretable explanations of black boxes by meaningful perturbation",
sections 4.2 and 4.3 (optimized masks with a penalty); Paissan et al., "Listenable maps for audio
classifiers", sections 3.1 and 4.1 (kept and removed sound of a spectrogram, and the scores).
"""

import contextlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import expit

from tfdream import audio
from tfdream.audio.render import temporary_wav
from tfdream.config import ExplainConfig, StftSpec
from tfdream.errors import AudioError, ConfigError, did_you_mean
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models import inspect
from tfdream.models.freeze import freeze
from tfdream.runs import Run
from tfdream.signal.blur import CellBlur
from tfdream.signal.stft import (
    power_to_dbfs,
    scale_cells,
    stft_to_power,
    stft_to_waveform,
    waveform_to_stft,
)
from tfdream.synthesis.ascent.ascend import Problem, maximize
from tfdream.synthesis.rendering import sidecar, tags
from tfdream.synthesis.rendering.measures import WeightedMeans
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.tiles import (
    TileGrid,
    Tiles,
    batches_in,
    channel_tiles,
    merge,
    mid_tiles,
    overlap_add,
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
        self.grid = TileGrid.build(config.tiles, run.clip_samples, run.sample_rate, window)
        tapped = inspect.tap(run.model, [PROBABILITIES])
        inspect.check_input(tapped, run.frontend.shape(self.grid.samples))
        self._network = freeze(tapped)
        self._blur = CellBlur(config.blur_seconds, config.blur_hz, config.stft, run.sample_rate)
        self.classify = tf.function(self._classify, reduce_retracing=True, autograph=False)
        self._evaluate = tf.function(self._masked, reduce_retracing=True, autograph=False)
        self._value_and_gradient = tf.function(
            self._differentiate, reduce_retracing=True, autograph=False
        )
        self._remove = tf.function(self._removed_channels, reduce_retracing=True, autograph=False)

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


def explain(
    source: str | Path,
    output: str | Path,
    run: Run,
    config: ExplainConfig,
    label: str | None = None,
    rest: str | Path | None = None,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Write the part of a recording that supports a label.

    Args:
      source: any audio file.
      output: the part that supports the label: wav, flac or ogg, with the source's channels and the
        classifier's sample rate, beyond whose band the classifier has no input.
      run: run of the classifier.
      config: mask, objective, optimizer and tiles.
      label: one of the classifier's labels; by default the most probable one of the file.
      rest: where to write what is left of the recording without this part; None does not write it.
      options: part of the source, format, and whether to overwrite.
      progress: receives finished and all steps; if it returns True, nothing more is removed.

    Returns:
      The JSON object of the command, means over the tiles of the file: label; confidence, the
      label's probability for the recording, confidence_kept for the part, confidence_removed for
      the rest; share_kept, the share of the sound that the part contains, weighted by its level in
      dB; random_kept and random_removed, the confidences for random masks of the same shares and
      smoothness; faithfulness (confidence − confidence_removed), average_drop (relative loss of
      confidence for the part, in tiles where there is one) and average_increase (share of tiles
      with a larger confidence for the part); confidence_rendered, for the written file; and the
      properties of the output.

    Raises:
      AudioError, ConfigError: if the file or the settings do not fit.
    """
    source, output = Path(source), Path(output)
    outputs = [Path(path) for path in (output, rest) if path is not None]
    explainer = Explainer(run, config)
    for path in outputs:
        sidecar.check_output(path, options.bits, options.force, (source,))
    if rest is not None and Path(rest).resolve() == output.resolve():
        raise AudioError(f"the rest '{rest}' would replace the output; name another file")
    started = time.perf_counter()
    with audio.part_of(source, options.start_seconds, options.seconds) as part:
        if label is None:
            index = int(explainer.mean_probabilities(part.path).argmax())
        else:
            index = _label(run, label)
        provenance = {
            "command": "explain",
            "source": str(source),
            "run": run.describe(),
            "label": run.labels[index],
            "config": config.model_dump(mode="json"),
            **options.settings(),
        }
        provenance = tags.with_inputs(provenance)
        with contextlib.ExitStack() as claims:
            for path in outputs:
                claims.enter_context(sidecar.claim(path, provenance))
            job = _Explanation(explainer, part.path, index, progress)
            written = job.write(outputs, options.bits)
            result = {
                "output": str(output),
                "label": run.labels[index],
                **job.scores(),
                "confidence_rendered": float(explainer.mean_probabilities(output)[index]),
                "audio_seconds": written[0].samples / written[0].sample_rate,
                "compute_seconds": round(time.perf_counter() - started, 3),
                **written[0]._asdict(),
            }
            if rest is not None:
                result["rest"] = str(rest)
            if job.stopped:
                result["interrupted"] = True
            for path, file in zip(outputs, written, strict=True):
                sidecar.write(path, provenance, {**result, "output": str(path), **file._asdict()})
    return result


class _Explanation:
    """The explanation of one file."""

    def __init__(
        self, explainer: Explainer, source: Path, label: int, progress: ProgressFn
    ) -> None:
        self.explainer = explainer
        self.source = source
        self.label = label
        self.progress = progress
        self.stopped = False
        self._means = WeightedMeans()
        self._batches = 0
        rate, grid = explainer.sample_rate, explainer.grid
        self._total = batches_in(source, rate, grid) * explainer.config.optimizer.steps

    def write(self, outputs: list[Path], bits: int | None) -> list[audio.Written]:
        """Write the part and, if there is a second output, the rest."""
        rate = self.explainer.sample_rate
        output, *rests = outputs
        with (
            tempfile.TemporaryDirectory(prefix="tfdream-") as folder,
            temporary_wav(Path(folder) / "removed.wav", output) as removed,
            audio.Reader(self.source) as reader,
        ):
            channels = reader.info.channels
            tiles = channel_tiles(reader, rate, self.explainer.grid)
            changes = overlap_add(tiles, self.explainer.grid, self._keep)
            audio.write_floats(removed, (-change for change in changes), rate, channels)
            with audio.Reader(self.source) as original, audio.Reader(removed) as parts:
                kept = merge(original.resampled(rate), (-block for block in parts.blocks()))
                written = [audio.write_blocks(output, kept, rate, channels, bits)]
            for rest in rests:
                with audio.Reader(removed) as parts:
                    blocks = audio.head(parts.blocks(), written[0].samples)  # without padding
                    written.append(audio.write_blocks(rest, blocks, rate, channels, bits))
        return written

    def scores(self) -> dict[str, float]:
        """Return the means over the tiles."""
        means = self._means.means()
        means["faithfulness"] = means["confidence"] - means["confidence_removed"]
        return means

    def _keep(self, tiles: Tiles) -> NDArray[Any]:
        """Return the kept part of every channel of a batch of tiles."""
        explainer = self.explainer
        if not tiles.weights.any():
            raise AudioError(f"'{self.source}' is shorter than a sample; remove it")
        if self.stopped:
            return tiles.channels
        first = self._batches * explainer.config.optimizer.steps

        def report(done: int, total: int, value: float = 0.0, note: str = "") -> bool:
            return bool(self.progress(min(first + done, self._total), self._total, value))

        sound = explainer.analyze(tiles)
        mask, self.stopped = explainer.optimize(sound, self.label, report)
        self._batches += 1
        self._measure(tiles, sound, mask)
        kept: NDArray[Any] = tiles.channels - explainer.removed(tiles, mask)
        return kept

    def _measure(self, tiles: Tiles, sound: Sound, mask: tf.Tensor) -> None:
        explainer = self.explainer
        confidence = explainer.classify(tf.constant(tiles.waveforms)).numpy()[:, self.label]
        masked = explainer.evaluate(sound, mask, self.label)
        random_mask = explainer.random_mask(sound, masked.share, tiles.starts)
        random = explainer.evaluate(sound, random_mask, self.label)
        measures = {
            "confidence": confidence,
            "confidence_kept": masked.kept,
            "confidence_removed": masked.removed,
            "share_kept": masked.share,
            "random_kept": random.kept,
            "random_removed": random.removed,
            "average_drop": np.maximum(confidence - masked.kept, 0) / np.maximum(confidence, _TINY),
            "average_increase": (masked.kept > confidence).astype(float),
        }
        self._means.add(measures, tiles.weights)


def _audibility(stft: tf.Tensor, spec: StftSpec) -> tf.Tensor:
    """Return each cell's share of the sound, by its level above −60 dB, `[batch, frames, bins]`."""
    level_db = power_to_dbfs(stft_to_power(stft), spec)
    loudest = tf.reduce_max(level_db, [1, 2], keepdims=True)
    weight = tf.nn.relu(level_db - loudest + _RANGE_DB)
    return weight / (tf.reduce_sum(weight, [1, 2], keepdims=True) + _TINY)


def _label(run: Run, label: str) -> int:
    if label not in run.labels:
        raise ConfigError(
            f"label '{label}' is not one of the run '{run.folder}'"
            f"{did_you_mean(label, run.labels)}: {', '.join(run.labels)}"
        )
    return run.labels.index(label)
