"""Optimization of the tiles of a file: octaves around `ascend`."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import OctavesConfig, Precision, Recipe
from tfdream.errors import ConfigError
from tfdream.models import inspect
from tfdream.models.freeze import freeze
from tfdream.signal import graphs
from tfdream.signal.images import Size
from tfdream.signal.noise import white_noise
from tfdream.synthesis import canvases
from tfdream.synthesis.ascent.ascend import AscentOptions, CompiledObjective, ascend
from tfdream.synthesis.ascent.objectives import Objective
from tfdream.synthesis.audio_model import AudioModel
from tfdream.synthesis.canvases import CanvasSpec, Context
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.processor import Goal, OnStep
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timelines

InitFn = Callable[[NDArray[Any], NDArray[Any], int], NDArray[Any]]
"""Waveforms of the original's tiles, their starts in samples, and a seed → initial waveforms of the
canvas, of the same shape."""
Guide = Callable[[NDArray[Any]], NDArray[Any]]
"""Starts of tiles in samples → waveforms of the guide there, float32 `[batch, samples]`."""
MAX_OPTIMIZERS = 4
"""Compiled optimizers for files of different rates and lengths that are cached, for folders."""
UNCOMPILED = ("optimizer", "repeats")
"""Settings and sections that no compiled function contains."""


@dataclass(frozen=True)
class Objectives:
    """The objectives of a recipe.

    Attributes:
      build: size of the view → the objective that is maximized, and the measured ones by name.
      goal: the measured objective that should improve relative to the original; None if the
        original is not the start.
    """

    build: Callable[[Size | None], tuple[Objective, dict[str, Objective]]]
    goal: Goal | None


class TileFunctions:
    """Compiled functions of tiles, so that the intermediate tensors of a batch are freed with it.

    Args:
      compiled: the compiled objective at full size.

    Attributes:
      frontend: waveforms → view.
      analyze: waveforms and starts in seconds → context.
      render: values, context and channels of the original → changed channels.
      measure: values and context, context of the original, guide → measures before and after.
    """

    def __init__(self, compiled: CompiledObjective) -> None:
        canvas = compiled.canvas

        def measure(
            values: tf.Tensor, context: Context, unchanged: Context, guide: tf.Tensor | None
        ) -> dict[str, tf.Tensor]:
            original = compiled.view(canvas.start(unchanged), unchanged)
            measures = {}
            for when, image in (("before", original), ("after", compiled.view(values, context))):
                for name, value in compiled.measure(image, original, guide).items():
                    measures[f"{name}_{when}"] = value
            return measures | canvas.inconsistency(values, context)

        self.frontend = graphs.compiled(canvas.frontend)
        self.analyze = graphs.compiled(canvas.analyze)
        self.render = graphs.compiled(canvas.render_channels)
        self.measure = graphs.compiled(measure)


@dataclass(frozen=True)
class TileOptimizer:
    """Optimizes the tiles of a file; a `rendering.processor.TileProcessor`.

    Attributes:
      octaves: the compiled objective at each size of the view, the smallest first; the last one
        is at full size.
      recipe: settings of the optimization.
      grid: positions of the tiles.
      sample_rate: sample rate of the tiles in Hz.
      goal: the measure that should improve relative to the original, if there is one.
      functions: compiled functions of the last octave.
      init: initial waveforms; None starts from the original.
      guide: waveforms of the guide, for guided objectives.
    """

    octaves: list[CompiledObjective]
    recipe: Recipe
    grid: TileGrid
    sample_rate: int
    goal: Goal | None
    functions: TileFunctions
    init: InitFn | None = None
    guide: Guide | None = None

    @property
    def compiled(self) -> CompiledObjective:
        """The compiled objective at full size, which measures."""
        return self.octaves[-1]

    @property
    def steps(self) -> int:
        """Largest number of steps for each batch of tiles."""
        return total_steps(self.recipe)

    def process(
        self, tiles: Tiles, on_step: OnStep = lambda value, render: None, apply: bool = True
    ) -> tuple[NDArray[Any], Measures]:
        """Optimize tiles.

        Args:
          tiles: tiles of the original.
          on_step: called after every step.
          apply: if False, the tiles are only measured and stay unchanged.

        Returns:
          The changed channels and, for each tile, every measure before and after (for the view of
          the canvas), and the energies of the spectral error and of the target magnitude.
        """
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float64)
        guide = self.guide_at(tiles.starts)
        context = unchanged = self.functions.analyze(tf.constant(tiles.waveforms), seconds)
        values = self.compiled.canvas.start(context)
        channels = tiles.channels
        if apply:
            values, context, channels = self._optimize(tiles, unchanged, seconds, guide, on_step)
        measures = self.functions.measure(values, context, unchanged, guide)
        return channels, {name: value.numpy() for name, value in measures.items()}

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Evaluate every measure for tiles of the written file, compared with the original's."""
        reference = self.functions.frontend(tf.constant(original.waveforms))
        image = self.functions.frontend(tf.constant(changed.waveforms))
        measures = self.compiled.measure(image, reference, self.guide_at(original.starts))
        return {name: value.numpy() for name, value in measures.items()}

    def with_recipe(self, recipe: Recipe) -> "TileOptimizer":
        """Return an optimizer with the same compiled functions.

        Args:
          recipe: settings that differ in `UNCOMPILED` alone.
        """
        return replace(self, recipe=recipe)

    def guide_at(self, starts: NDArray[Any]) -> tf.Tensor | None:
        """Return the guide's waveforms for tiles with these starts in samples."""
        return None if self.guide is None else tf.constant(self.guide(starts))

    def _optimize(
        self,
        tiles: Tiles,
        unchanged: Context,
        seconds: tf.Tensor,
        guide: tf.Tensor | None,
        on_step: OnStep,
    ) -> tuple[tf.Tensor, Context, NDArray[Any]]:
        """Return the final values, the context that they belong to, and the changed channels."""
        canvas, context = self.compiled.canvas, unchanged
        channels = tf.constant(tiles.channels)
        values = canvas.start(context)
        rng = np.random.default_rng([self.recipe.seed, *tiles.starts])
        if self.init is not None:
            initial = tf.constant(self.init(tiles.waveforms, tiles.starts, self.recipe.seed))
            values = canvas.start(self.functions.analyze(initial, seconds))
        tile_seconds = self.grid.samples / self.sample_rate
        options = AscentOptions(self.recipe.optimizer, tile_seconds, rng)
        targets = [compiled.precompute(unchanged, guide) for compiled in self.octaves]
        final, stopped = values, False

        def render(values: tf.Tensor) -> NDArray[Any]:
            changed: NDArray[Any] = self.functions.render(values, context, channels).numpy()
            return changed

        def step(value: float, values: tf.Tensor) -> bool:
            nonlocal stopped
            stopped = bool(on_step(value, lambda: render(canvas.finish(values, context))))
            return stopped

        for repeat in range(self.recipe.repeats):
            if repeat:
                channels = self.functions.render(final, context, channels)
                context = self.functions.analyze(tf.reduce_mean(channels, axis=2), seconds)
                values = canvas.start(context)
            for compiled, octave_targets in zip(self.octaves, targets, strict=True):
                values = canvas.resize_values(values, context, compiled.size)
                values = ascend(compiled, values, context, octave_targets, options, step)
                if stopped:
                    break
            final = canvas.finish(values, context)
            if stopped:
                break
        return final, context, render(final)


def build_tile_optimizer(
    audio_model: AudioModel,
    recipe: Recipe,
    objectives: Objectives,
    passband: float | None = None,
    init: InitFn | None = None,
    guide: Guide | None = None,
    timelines: Timelines = NO_TIMELINES,
) -> TileOptimizer:
    """Build the tile optimizer of a recipe.

    Args:
      audio_model: network and frontend.
      recipe: settings of canvas, octaves, tiles and optimization.
      objectives: the maximized and the measured objectives, and the goal.
      passband: see `passband`; None for files of the model's sample rate.
      init: initial waveforms; None starts from the original.
      guide: waveforms of the guide.
      timelines: curves of settings that vary within tiles.

    Raises:
      ConfigError, ModelError: if layers, canvas, tiles or octaves do not fit the network.
    """
    rate = audio_model.sample_rate
    grid = tile_grid(audio_model, recipe)
    mask = Mask.build(recipe.mask, rate, timelines)
    bound_db = timelines.continuous.get("canvas.bound_db")
    spec = CanvasSpec(
        audio_model.frontend, grid.samples, rate, mask, passband, recipe.seed, bound_db
    )
    canvas = canvases.build(recipe.canvas, spec)
    shape = audio_model.frontend.shape(grid.samples)
    if recipe.optimizer.jitter_pixels and len(shape) != 3:
        raise ConfigError(
            f"optimizer.jitter_pixels={recipe.optimizer.jitter_pixels} needs a model with images "
            "as input; use optimizer.jitter_seconds"
        )
    networks = functools.cache(lambda layers: _Networks(audio_model, layers, recipe.precision))
    octaves = []
    for size in octave_sizes(shape, recipe.octaves):
        objective, measured = objectives.build(size)
        _check_jitter(recipe, objective)
        layers = objective.layers.union(*(each.layers for each in measured.values()))
        network = measuring = None
        if layers:
            of_layers = networks(layers)
            inspect.check_input(of_layers.tapped, shape, size)
            network, measuring = of_layers.optimizing, of_layers.measuring
        octaves.append(CompiledObjective(canvas, network, objective, measured, size, measuring))
    functions = TileFunctions(octaves[-1])
    return TileOptimizer(octaves, recipe, grid, rate, objectives.goal, functions, init, guide)


def passband(file_rate: int, model_rate: int) -> float | None:
    """Return the share of a model's band that a file has, or None for equal sample rates.

    >>> passband(8000, 16000), passband(44100, 16000), passband(16000, 16000)
    (0.5, 1.0, None)
    """
    return None if file_rate == model_rate else min(1.0, file_rate / model_rate)


class _Networks:
    """The networks from the input to some layers.

    Attributes:
      tapped: with the layers of the model.
      optimizing: the network with fewer operations, of the recipe's precision.
      measuring: the same in float32.
    """

    def __init__(
        self, audio_model: AudioModel, layers: frozenset[str], precision: Precision
    ) -> None:
        self.tapped = inspect.tap(audio_model.model, sorted(layers))
        self.optimizing = freeze(self.tapped, precision)
        self.measuring = self.optimizing if precision == "float32" else freeze(self.tapped)


def _check_jitter(recipe: Recipe, objective: Objective) -> None:
    """Refuse shifts of the network's input if an objective compares it with the unshifted one."""
    for setting in ("jitter_seconds", "jitter_pixels"):
        value = getattr(recipe.optimizer, setting)
        if value and objective.aligned:
            raise ConfigError(
                f"optimizer.{setting}={value:g} shifts the activations that '{objective.name}' "
                "compares with those of the original at the same position; remove it, or the "
                "content from the objective"
            )


def tile_grid(audio_model: AudioModel, recipe: Recipe) -> TileGrid:
    """Return the positions of the tiles of a recipe.

    Raises:
      ConfigError: if tiles are shorter than a window of the frontend, or the overlap is too long.
    """
    return TileGrid.build(
        recipe.tiles,
        audio_model.input_samples,
        audio_model.sample_rate,
        audio_model.frontend.window_samples,
    )


def total_steps(recipe: Recipe) -> int:
    """Return the largest number of steps for each batch of tiles.

    >>> total_steps(Recipe(repeats=2, optimizer={"steps": 5}, octaves={"count": 3}))
    30
    """
    return recipe.optimizer.steps * recipe.octaves.count * recipe.repeats


def octave_sizes(shape: tuple[int, ...], config: OctavesConfig) -> list[Size | None]:
    """Return the sizes of the view, the smallest first; the last one is None, the full size.

    Raises:
      ConfigError: if the view is not an image, or an octave is smaller than one pixel.

    >>> octave_sizes((100, 120, 1), OctavesConfig(count=3, scale=2))
    [(25, 30), (50, 60), None]
    """
    sizes: list[Size | None] = [None]
    if config.count > 1 and len(shape) != 3:
        raise ConfigError(
            f"octaves.count={config.count} needs a model with images as input; use octaves.count=1"
        )
    for octave in range(1, config.count):
        factor = config.scale**octave
        height = shape[0] if config.axes == "time" else round(shape[0] / factor)
        width = round(shape[1] / factor)
        if min(height, width) < 1:
            raise ConfigError(
                f"octaves.count={config.count} with scale={config.scale:g} leaves nothing of an "
                f"image of {shape[0]}×{shape[1]}; use fewer"
            )
        sizes.insert(0, (height, width))
    return sizes


def octave_views(
    path: str | Path, audio_model: AudioModel, recipe: Recipe, start_seconds: float = 0.0
) -> list[NDArray[Any]]:
    """Return the model's input for one tile of a file at each octave, the smallest first.

    Args:
      path: any audio file; it is padded with zeros.
      audio_model: network and frontend.
      recipe: settings of octaves and tiles.
      start_seconds: start of the tile.

    Returns:
      float32 `[height, width, channels]` of each octave.

    Raises:
      AudioError, ConfigError: if the file cannot be read, or the octaves do not fit the network.
    """
    rate = audio_model.sample_rate
    samples = tile_grid(audio_model, recipe).samples
    sizes = octave_sizes(audio_model.frontend.shape(samples), recipe.octaves)
    tile = tf.constant(audio.clip(path, start_seconds, samples, rate)[np.newaxis])
    return [audio_model.frontend(tile, size)[0].numpy() for size in sizes]


def noise(waveforms: NDArray[Any], starts: NDArray[Any], seed: int) -> NDArray[Any]:
    """Return white noise with the level of waveforms `[batch, samples]`: an `InitFn`.

    Where tiles overlap, they have the same noise, so that it is not attenuated there.
    """
    level = np.sqrt(np.mean(waveforms**2, axis=1, keepdims=True))
    white = white_noise(tf.constant(starts, tf.int64), waveforms.shape[1], seed).numpy()
    scaled: NDArray[Any] = (level * white).astype(np.float32)
    return scaled
