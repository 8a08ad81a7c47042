"""A recording, changed tile by tile: octaves around `ascend`, and the measures of what came out."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfdream import audio, models
from tfdream.config import CanvasConfig, OctavesConfig, OptimiserConfig, Section, TilesConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.files import check_free, write_json
from tfdream.signal.frontend import SpectrogramFrontend
from tfdream.signal.phase import energy_db, spectral_error
from tfdream.synthesis import canvas as canvases
from tfdream.synthesis.ascend import Size, Slope, ascend
from tfdream.synthesis.listener import Listener
from tfdream.synthesis.objectives import Objective
from tfdream.synthesis.tiles import TileGrid, change_file, mid_tiles
from tfdream.training.runs import versions

Progress = Callable[[int, int, float], None]
"""Called with the steps done, the steps of all tiles and octaves, and the objective."""
Start = Callable[[np.ndarray], np.ndarray]
"""Tiles of the original → the waveforms to start from, the same shape."""


def silent(done: int, total: int, value: float) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Retouch:
    """How to change the tiles of a recording.

    Attributes:
      octaves: the smallest first, the view as it is last: the size of the view, and canvas, network
        and objective there.
      optimiser: how `ascend` climbs.
      grid: of the tiles.
      start: what to start from; the original, if None.
    """

    octaves: list[tuple[Size | None, Slope]]
    optimiser: OptimiserConfig
    grid: TileGrid
    start: Start | None = None

    @property
    def slope(self) -> Slope:
        """Of the view as it is; what is measured, is measured there."""
        return self.octaves[-1][1]

    def change(
        self, tiles: np.ndarray, on_step: Callable[[float], None] = lambda value: None
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Change tiles float32 `[batch, samples]`.

        Returns:
          The changed tiles and, for each of them, every measure before and after (as the optimiser
          saw it), and the energies of what the sound lacks of the wanted spectrum and of that.
        """
        canvas = self.slope.canvas
        context = canvas.analyse(tf.constant(tiles))
        values = unchanged = canvas.start(context)
        if self.start is not None:
            values = canvas.start(canvas.analyse(tf.constant(self.start(tiles))))
        for size, slope in self.octaves:
            values = ascend(slope, values, context, self.optimiser, size, on_step)
        changed = canvas.render(values, context)
        original = self.slope.view(unchanged, context)
        heard = {}
        for when, image in (
            ("before", original),
            ("after", self.slope.view(values, context)),
        ):
            for name, value in self.slope.measure(image, original).items():
                heard[f"{name}_{when}"] = value.numpy()
        if isinstance(canvas.frontend, SpectrogramFrontend):
            wanted = canvas.magnitude(values, context)
            error, energy = spectral_error(changed, wanted, canvas.frontend.spec)
            heard |= {"error_energy": error.numpy(), "wanted_energy": energy.numpy()}
        return changed.numpy(), heard

    def measure_file(self, source: Path, changed: Path, sample_rate: int) -> dict[str, float]:
        """The measures of a written file, tile by tile beside the file it was made of."""
        frontend = tf.function(self.slope.canvas.frontend, reduce_retracing=True)
        measures = _Measures()
        with audio.Reader(source) as before, audio.Reader(changed) as after:
            for (original, weights), (tiles, _) in zip(
                mid_tiles(before, sample_rate, self.grid),
                mid_tiles(after, sample_rate, self.grid),
                strict=False,  # a file that is longer by a sample than its header may have one more
            ):
                image, reference = frontend(tf.constant(tiles)), frontend(tf.constant(original))
                heard = self.slope.measure(image, reference)
                measures.add({name: value.numpy() for name, value in heard.items()}, weights)
        return {f"{name}_rendered": value for name, value in measures.means().items()}


class Recipe(Protocol):
    """What the configurations of all recipes have."""

    @property
    def canvas(self) -> CanvasConfig:
        """What is optimised."""

    @property
    def octaves(self) -> OctavesConfig:
        """Scales of the view."""

    @property
    def optimiser(self) -> OptimiserConfig:
        """How to climb."""

    @property
    def tiles(self) -> TilesConfig:
        """How recordings are cut."""


def build_retouch(
    listener: Listener,
    recipe: Recipe,
    objectives: Callable[[Size | None], tuple[Objective, dict[str, Objective]]],
    source: Path,
    start: Start | None = None,
) -> Retouch:
    """Prepare to change a recording.

    Args:
      listener: network and frontend.
      recipe: its configuration.
      objectives: size of the view → what is maximised there, and what is measured.
      source: the recording.
      start: what to start from; the original, if None.

    Raises:
      ConfigError, ModelError: if layer, canvas, tiles or octaves do not fit the network.
    """
    grid = TileGrid.build(recipe.tiles, listener.clip_samples, listener.sample_rate)
    resampled = audio.info(source).sample_rate != listener.sample_rate
    canvas = canvases.build(recipe.canvas, listener.frontend, grid.samples, resampled)
    shape = listener.frontend.shape(grid.samples)
    octaves = []
    for size in octave_sizes(shape, recipe.octaves):
        objective, measured = objectives(size)
        layers = sorted(objective.layers.union(*(each.layers for each in measured.values())))
        network = models.tap(listener.model, layers) if layers else None
        if network is not None:
            models.check_input(network, shape if size is None else (*size, shape[-1]))
        octaves.append((size, Slope(canvas, network, objective, measured)))
    return Retouch(octaves, recipe.optimiser, grid, start)


def octave_sizes(shape: tuple[int, ...], config: OctavesConfig) -> list[Size | None]:
    """Sizes of the view, the smallest first; the last one is None, the view as it is.

    Raises:
      ConfigError: if the view is no image, or nothing of it is left.
    """
    sizes: list[Size | None] = [None]
    if config.count > 1 and len(shape) != 3:
        raise ConfigError(
            f"octaves.count={config.count} needs a model that sees images; use octaves.count=1"
        )
    for octave in range(1, config.count):
        shrunk = config.scale**octave
        height = shape[0] if config.axes == "time" else round(shape[0] / shrunk)
        width = round(shape[1] / shrunk)
        if min(height, width) < 1:
            raise ConfigError(
                f"octaves.count={config.count} with scale={config.scale:g} leaves nothing of an "
                f"image of {shape[0]}×{shape[1]}; use fewer"
            )
        sizes.insert(0, (height, width))
    return sizes


def change_recording(
    source: Path,
    output: Path,
    listener: Listener,
    retouch: Retouch,
    bits: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Change a file and measure what was written.

    Returns:
      Every measure before, after and rendered (means over the tiles, weighted by how much of a tile
      is signal), spectral_convergence_db, steps, audio_seconds, compute_seconds, and what was
      written: sample_rate, channels, samples, peak.
    """
    started = time.perf_counter()
    info = audio.info(source)
    model_samples = math.ceil(info.samples * listener.sample_rate / info.sample_rate)
    steps = retouch.optimiser.steps * len(retouch.octaves)
    total = -(-retouch.grid.count(model_samples) // retouch.grid.batch) * steps
    measures = _Measures()
    done = 0

    def on_step(value: float) -> None:
        nonlocal done
        done += 1
        progress(min(done, total), total, value)

    def change(tiles: np.ndarray, weights: np.ndarray) -> np.ndarray:
        if not weights.any():  # a click at a high rate may be resampled to nothing
            raise AudioError(
                f"'{source}' is shorter than a sample at {listener.sample_rate} Hz; leave it out"
            )
        changed, heard = retouch.change(tiles, on_step)
        measures.add(heard, weights)
        return changed

    written = change_file(source, output, listener.sample_rate, retouch.grid, change, bits)
    return {
        "output": str(output),
        "objective": retouch.slope.objective.name,
        **measures.means(),
        "spectral_convergence_db": measures.convergence_db(),
        **retouch.measure_file(source, output, listener.sample_rate),
        "steps": done,
        "audio_seconds": written.samples / written.sample_rate,
        "compute_seconds": round(time.perf_counter() - started, 3),
        **written._asdict(),
    }


def check_output(output: Path, bits: int | None, force: bool) -> None:
    """See that `output` may be written, before the work begins.

    Raises:
      AudioError: if it exists, or its extension is none that we write.
    """
    check_free(output, force, AudioError)
    audio.check_writable(output, bits)


def write_sidecar(
    output: Path, command: str, config: Section, result: dict[str, Any], **made_of: Any
) -> None:
    """Write ``<output>.json``: what it takes to make `output` again, and its measures."""
    sidecar = {
        "command": command,
        **made_of,
        "config": config.model_dump(mode="json"),
        "result": result,
        "versions": versions(),
    }
    write_json(output.with_name(output.name + ".json"), sidecar)


class _Measures:
    """Weighted sums over tiles."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.sums: dict[str, float] = {}

    def add(self, heard: dict[str, np.ndarray], weights: np.ndarray) -> None:
        self.weight += float(weights.sum())
        for name, values in heard.items():
            if not np.isfinite(values).all():
                raise ConfigError(
                    f"{name} is not a number; use a smaller optimiser.step_size, or another canvas"
                )
            self.sums[name] = self.sums.get(name, 0.0) + float((values * weights).sum())

    def means(self) -> dict[str, float]:
        return {
            name: total / self.weight
            for name, total in self.sums.items()
            if name not in ("error_energy", "wanted_energy")
        }

    def convergence_db(self) -> float | None:
        if "wanted_energy" not in self.sums:
            return None
        return energy_db(self.sums["error_energy"], self.sums["wanted_energy"])
