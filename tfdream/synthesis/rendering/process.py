"""Processing of a file: change its tiles, write the output, and measure the written file."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import Normalization
from tfdream.errors import AudioError, ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.signal.phase import energy_db
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.sidecar import check_output
from tfdream.synthesis.rendering.snapshots import Snapshots, numbered, snapshot_steps
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, batches_in, change_file, tile_pairs

RenderFn = Callable[[], NDArray[Any]]
"""Returns the channels of the tiles at the current step, float32 `[batch, samples, channels]`."""
OnStep = Callable[[float, RenderFn], bool | None]
"""Receives the objective of each step; returns True to stop with the current result."""
Measures = dict[str, NDArray[Any]]
"""Measures by name, one number for each tile."""

_REMEDY = "use a smaller optimizer.step_size, or another canvas"
# Measures that only enter `spectral_convergence_db`.
_ENERGIES = ("error_energy", "target_energy")


class TileProcessor(Protocol):
    """Interface for processing the tiles of a file."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the tiles in Hz."""

    @property
    def grid(self) -> TileGrid:
        """Positions of the tiles."""

    @property
    def steps(self) -> int:
        """Largest number of steps for each batch of tiles."""

    def process(
        self, tiles: Tiles, on_step: OnStep = ..., apply: bool = ...
    ) -> tuple[NDArray[Any], Measures]:
        """Change tiles and measure the change.

        Args:
          tiles: tiles of the original.
          on_step: called after every step.
          apply: if False, the tiles are only measured and stay unchanged.

        Returns:
          The changed channels, and the measures of each tile.
        """

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure tiles of the written file, compared with those of the original."""


def check_outputs(
    output: Path, options: RenderOptions, steps: int, inputs: Iterable[str | Path | None]
) -> None:
    """Check that an output and all its snapshots can be written; see `sidecar.check_output`.

    Args:
      output: the audio file.
      options: bits, force, and the steps of the snapshots.
      steps: largest number of steps for each tile.
      inputs: files that no output must replace; None is ignored.
    """
    inputs = list(inputs)
    numbers = snapshot_steps(options.save_every, steps)
    for path in (output, *(numbered(output, step, steps) for step in numbers)):
        check_output(path, options.bits, options.force, inputs)


def process_file(
    source: Path,
    output: Path,
    processor: TileProcessor,
    normalize: Normalization = "limit",
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Change a file, or a part of it, and measure the written file.

    Args:
      source: any audio file.
      output: the file to write.
      processor: changes the tiles.
      normalize: level of the output, see `config.Normalization`.
      options: bits, part of the source, and snapshots; `force` is checked by the caller.
      progress: receives finished and all steps; if it returns True, the rest stays unchanged.

    Returns:
      Every measure of the tiles, and with the suffix `_rendered` those of the written file (means
      over the tiles, weighted by their share of signal), spectral_convergence_db, steps,
      audio_seconds, compute_seconds, and the properties of the output: sample_rate, channels,
      samples, peak; snapshots, if there are any; interrupted and changed_seconds, if stopped.
    """
    with audio.excerpt(source, options.start_seconds, options.seconds) as original:
        return _Job(original, output, processor, options, progress).run(normalize)


class WeightedMeans:
    """Weighted means of measures over all tiles."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.sums: dict[str, float] = {}

    def add(self, measures: Measures, weights: NDArray[Any]) -> None:
        """Add the measures of tiles.

        Raises:
          ConfigError: if one is NaN or infinite.
        """
        self.weight += float(weights.sum())
        for name, values in measures.items():
            if not np.isfinite(values).all():
                raise ConfigError(f"{name} is NaN or infinite; {_REMEDY}")
            self.sums[name] = self.sums.get(name, 0.0) + float((values * weights).sum())

    def means(self) -> dict[str, float]:
        """Return the weighted mean of each measure, without the energies."""
        return {
            name: total / self.weight for name, total in self.sums.items() if name not in _ENERGIES
        }

    def convergence_db(self) -> float | None:
        """Return the spectral convergence in dB; None if the view is not a spectrogram."""
        error, target = (self.sums.get(name) for name in _ENERGIES)
        if error is None or target is None:
            return None
        return energy_db(error, target)


@dataclass
class _Job:
    """The processing of one file."""

    source: Path
    output: Path
    processor: TileProcessor
    options: RenderOptions
    progress: ProgressFn
    measures: WeightedMeans = field(default_factory=WeightedMeans)
    total: int = 0
    done: int = 0
    stopped_at_seconds: float | None = None

    def run(self, normalize: Normalization) -> dict[str, Any]:
        started = time.perf_counter()
        rate, grid = self.processor.sample_rate, self.processor.grid
        self.total = batches_in(self.source, rate, grid) * self.processor.steps
        gain = _normalizing_gain(normalize, self.source)
        bits = self.options.bits
        paths = []
        with Snapshots(self.options.save_every, self.processor.steps) as snapshots:

            def change(tiles: Tiles) -> NDArray[Any]:
                return self._change(tiles, snapshots)

            written = change_file(self.source, self.output, rate, grid, change, bits, gain)
            for step, replay in snapshots.replays():
                paths.append(numbered(self.output, step, self.processor.steps))
                change_file(self.source, paths[-1], rate, grid, replay, bits, gain)
        audio_seconds = written.samples / written.sample_rate
        result = {
            "output": str(self.output),
            **self.measures.means(),
            "spectral_convergence_db": self.measures.convergence_db(),
            **_measure_file(self.processor, self.source, self.output),
            "steps": self.done,
            "audio_seconds": audio_seconds,
            "compute_seconds": round(time.perf_counter() - started, 3),
            **written._asdict(),
        }
        if paths:
            result["snapshots"] = [str(path) for path in paths]
        if self.stopped_at_seconds is not None:
            changed_seconds = min(self.stopped_at_seconds, audio_seconds)
            result |= {"interrupted": True, "changed_seconds": changed_seconds}
        return result

    def _change(self, tiles: Tiles, snapshots: Snapshots) -> NDArray[Any]:
        """Process a batch of tiles, unless the job was stopped before."""
        rate = self.processor.sample_rate
        if not tiles.weights.any():  # a very short file at a high rate may be resampled to nothing
            raise AudioError(f"'{self.source}' is shorter than a sample at {rate} Hz; remove it")
        first = self.done

        def on_step(value: float, render: RenderFn) -> bool:
            self.done += 1
            if snapshots.includes(self.done - first):
                snapshots.add(render())
            if self.progress(min(self.done, self.total), self.total, value):
                end = tiles.starts[-1] + self.processor.grid.samples
                self.stopped_at_seconds = float(end) / rate
            return self.stopped_at_seconds is not None

        apply = self.stopped_at_seconds is None
        changed, measures = self.processor.process(tiles, on_step, apply)
        self.measures.add(measures, tiles.weights)
        if not np.isfinite(changed).all():
            raise ConfigError(f"the changed audio contains NaN or infinite values; {_REMEDY}")
        snapshots.finish(changed)
        return changed


def _normalizing_gain(normalize: Normalization, source: Path) -> audio.Gain | None:
    """Return the gain that a recipe's `normalize` requires."""
    if normalize == "limit":
        return None
    if normalize == "loudness":
        original = audio.loudness(source)

        def match(written: audio.Loudness) -> float:
            if not written.peak:
                return 1.0
            same = math.sqrt(original.mean_square / written.mean_square)
            return min(1.0, same, max(original.peak, audio.CEILING) / written.peak)

        return match
    return lambda written: normalize / written.peak if written.peak else 1.0


def _measure_file(processor: TileProcessor, source: Path, changed: Path) -> dict[str, float]:
    """Return the measures of a written file, compared with its source tile by tile."""
    measures = WeightedMeans()
    for original, tiles in tile_pairs(source, changed, processor.sample_rate, processor.grid):
        measures.add(processor.compare(original, tiles), original.weights)
    return {f"{name}_rendered": value for name, value in measures.means().items()}
