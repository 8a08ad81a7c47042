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
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.audio.notes import examine
from tfdream.audio.render import temporary_wav
from tfdream.config import ExplainConfig
from tfdream.errors import AudioError, ConfigError, did_you_mean
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import Run
from tfdream.synthesis.explainer import Explainer, Sound
from tfdream.synthesis.rendering import sidecar, tags
from tfdream.synthesis.rendering.measures import WeightedMeans
from tfdream.synthesis.rendering.notes import level_notes, log_notes
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.tiles import (
    Tiles,
    batches_in,
    channel_tiles,
    merge,
    overlap_add,
)

_LEAST_CONFIDENCE = 1e-6


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
      with a larger confidence for the part); confidence_rendered, for the written file; the
      properties of the output; and notes on the recording (see `audio.notes`) and the level.

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
        rate = explainer.sample_rate
        input_notes = examine(part.path, rate, explainer.grid.samples / rate, part.damage)
        log_notes(source, input_notes)
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
            job = _Explanation(explainer, source, part.path, index, progress)
            written = job.write(outputs, options.bits)
            notes = [list(level_notes(file)) for file in written]
            for path, each in zip(outputs, notes, strict=True):
                log_notes(path, each)
            result = {
                "output": str(output),
                "label": run.labels[index],
                **job.scores(),
                "confidence_rendered": float(explainer.mean_probabilities(output)[index]),
                "audio_seconds": written[0].samples / written[0].sample_rate,
                "compute_seconds": round(time.perf_counter() - started, 3),
                **written[0]._asdict(),
                "notes": [*input_notes, *notes[0]],
            }
            if rest is not None:
                result["rest"] = str(rest)
            if job.stopped:
                result["interrupted"] = True
            for path, file, each in zip(outputs, written, notes, strict=True):
                own = {"output": str(path), **file._asdict(), "notes": [*input_notes, *each]}
                sidecar.write(path, provenance, {**result, **own})
    return result


class _Explanation:
    """The explanation of one file, or of a part of it; messages contain the name of the file."""

    def __init__(
        self, explainer: Explainer, named: Path, source: Path, label: int, progress: ProgressFn
    ) -> None:
        self.explainer = explainer
        self.named = named
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
            for path in outputs:
                audio.check_supported(path, bits, rate, channels)
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
            raise AudioError(f"'{self.named}' is shorter than a sample; remove it")
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
            "average_drop": np.maximum(confidence - masked.kept, 0)
            / np.maximum(confidence, _LEAST_CONFIDENCE),
            "average_increase": (masked.kept > confidence).astype(float),
        }
        self._means.add(measures, tiles.weights)


def _label(run: Run, label: str) -> int:
    if label not in run.labels:
        raise ConfigError(
            f"label '{label}' is not one of the run '{run.folder}'"
            f"{did_you_mean(label, run.labels)}: {', '.join(run.labels)}"
        )
    return run.labels.index(label)
