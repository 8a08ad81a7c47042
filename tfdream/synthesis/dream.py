"""`dream`: let a network hear more of what it hears in a recording already."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdream import audio, models
from tfdream.config import DreamConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.files import check_free, write_json
from tfdream.signal.frontend import SpectrogramFrontend
from tfdream.signal.phase import energy_db, spectral_error
from tfdream.synthesis import canvas as canvases
from tfdream.synthesis import objectives
from tfdream.synthesis.ascend import Size, Slope, ascend
from tfdream.synthesis.tiles import TileGrid, change_file, mid_tiles
from tfdream.training.runs import Run, versions


def dream(
    source: Path,
    output: Path,
    run: Run,
    config: DreamConfig,
    force: bool = False,
    bits: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Change a recording so that the objective rises, and measure the written file.

    Args:
      source: any audio file, of any length.
      output: wav, flac or ogg, by its extension; of the source's rate, length and channels. Beside
        it goes a sidecar, ``<output>.json``, with all settings and measures.
      run: the network.
      config: objective, canvas, octaves, optimiser and tiles.
      force: overwrite `output`.
      bits: of the output, see `audio.Writer`.
      progress: hears the steps done and the steps of all tiles and octaves.

    Returns:
      The JSON object of the command. Objectives are means over the tiles, weighted by how much of a
      tile is signal: of the original, as the optimiser left it, and of the written file.

    Raises:
      AudioError, ConfigError, ModelError: if the file or the settings do not fit.

    Source: "Dreaming in Music", section III-C.
    """
    check_free(output, force, AudioError)
    audio.check_writable(output, bits)
    tf.random.set_seed(config.seed)
    started = time.perf_counter()
    dreamer = Dreamer.build(run, config)
    info = audio.info(source)
    model_samples = math.ceil(info.samples * run.sample_rate / info.sample_rate)
    total = dreamer.grid.count(model_samples) * len(dreamer.sizes) * config.optimiser.steps
    measures = _Measures()
    done = 0

    def on_step() -> None:
        nonlocal done
        done += 1
        progress(min(done, total), total)

    def change(tiles: np.ndarray, weights: np.ndarray) -> np.ndarray:
        changed, heard = dreamer.change(tf.constant(tiles), on_step)
        measures.add(heard, weights)
        return changed.numpy()

    written = change_file(source, output, run.sample_rate, dreamer.grid, change, bits)
    progress(total, total)
    result = {
        "output": str(output),
        "objective": dreamer.slope.objective.name,
        **measures.result(),
        "objective_rendered": dreamer.measure_file(output, run.sample_rate),
        "audio_seconds": written.samples / written.sample_rate,
        "compute_seconds": round(time.perf_counter() - started, 3),
        **written._asdict(),
    }
    sidecar = {
        "command": "dream",
        "source": str(source),
        "run": {"folder": str(run.folder), **run.info.model_dump(mode="json")},
        "config": config.model_dump(mode="json"),
        "result": result,
        "versions": versions(),
    }
    write_json(output.with_name(output.name + ".json"), sidecar)
    return result


@dataclass(frozen=True)
class Dreamer:
    """What it takes to dream on tiles: octaves around `ascend`."""

    slope: Slope
    config: DreamConfig
    grid: TileGrid
    sizes: list[Size | None]
    """The view's size in each octave, the smallest first; None for the view as it is."""

    @classmethod
    def build(cls, run: Run, config: DreamConfig) -> "Dreamer":
        """Prepare to dream with the network of a run.

        Raises:
          ConfigError, ModelError: if layer, canvas or octaves do not fit the network.
        """
        grid = TileGrid.build(config.tiles, run.clip_samples, run.sample_rate)
        canvas = canvases.build(config.canvas, run.frontend, grid.samples)
        default_layer = models.deepest_convolution(run.model)
        objective = objectives.parse(config.objective, default_layer)
        network = models.tap(run.model, sorted(objective.layers)) if objective.layers else None
        shape = run.frontend.shape(grid.samples)
        any_size = network is None or models.takes_any_size(network)
        if not any_size and shape != run.frontend.shape(run.clip_samples):
            raise ConfigError(
                f"objective '{objective.name}' needs tiles of the {run.clip_samples} samples that "
                "the model was trained on; leave tiles.seconds out"
            )
        if config.octaves.count > 1 and not (any_size and len(shape) == 3):
            raise ConfigError(
                f"octaves.count={config.octaves.count}: objective '{objective.name}' needs the "
                f"model's own input of shape {shape}; use octaves.count=1 or a convolution"
            )
        return cls(Slope(canvas, network, objective), config, grid, _octaves(shape, config))

    def change(
        self, waveform: tf.Tensor, on_step: Callable[[], None] = lambda: None
    ) -> tuple[tf.Tensor, dict[str, np.ndarray]]:
        """Dream on tiles `[batch, samples]`.

        Returns:
          The changed tiles and, for each of them, objective_before, objective_after, and the
          energies of what the sound lacks of the wanted spectrum and of that spectrum.
        """
        canvas = self.slope.canvas
        context = canvas.analyse(waveform)
        start = values = canvas.start(context)
        for size in self.sizes:
            values = ascend(self.slope, values, context, self.config.optimiser, size, on_step)
        changed = canvas.render(values, context)
        heard = {
            "objective_before": self.slope.value(start, context),
            "objective_after": self.slope.value(values, context),
        }
        if isinstance(canvas.frontend, SpectrogramFrontend):
            wanted = canvas.magnitude(values, context)
            error, energy = spectral_error(changed, wanted, canvas.frontend.spec)
            heard |= {"error_energy": error, "wanted_energy": energy}
        return changed, {name: value.numpy() for name, value in heard.items()}

    def measure_file(self, path: Path, sample_rate: int) -> float:
        """The objective of a file's mid signal, tile by tile as it was dreamt."""
        listen = tf.function(
            lambda tiles: self.slope.of_input(self.slope.canvas.frontend(tiles)),
            reduce_retracing=True,
        )
        total = weight = 0.0
        with audio.Reader(path) as reader:
            for tiles, weights in mid_tiles(reader, sample_rate, self.grid):
                total += float((listen(tf.constant(tiles)).numpy() * weights).sum())
                weight += float(weights.sum())
        return total / weight


class _Measures:
    """Sums over tiles."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.sums: dict[str, float] = {}

    def add(self, heard: dict[str, np.ndarray], weights: np.ndarray) -> None:
        self.weight += float(weights.sum())
        for name, values in heard.items():
            self.sums[name] = self.sums.get(name, 0.0) + float((values * weights).sum())

    def result(self) -> dict[str, float | None]:
        convergence = None
        if "wanted_energy" in self.sums:
            convergence = energy_db(self.sums["error_energy"], self.sums["wanted_energy"])
        return {
            "objective_before": self.sums["objective_before"] / self.weight,
            "objective_after": self.sums["objective_after"] / self.weight,
            "spectral_convergence_db": convergence,
        }


def _octaves(shape: tuple[int, ...], config: DreamConfig) -> list[Size | None]:
    sizes: list[Size | None] = [None]
    for octave in range(1, config.octaves.count):
        shrunk = config.octaves.scale**octave
        height, width = round(shape[0] / shrunk), round(shape[1] / shrunk)
        if min(height, width) < 1:
            raise ConfigError(
                f"octaves.count={config.octaves.count} with scale={config.octaves.scale:g} leaves "
                f"nothing of an image of {shape[0]}×{shape[1]}; use fewer"
            )
        sizes.insert(0, (height, width))
    return sizes
