"""How the tiles of a recording are changed: octaves around `ascend`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.config import OctavesConfig, Recipe
from tfdream.errors import ConfigError
from tfdream.models import inspect
from tfdream.models.freeze import freeze
from tfdream.signal.images import Size
from tfdream.synthesis import canvases
from tfdream.synthesis.ascent.ascend import AscentConfig, CompiledObjective, ascend
from tfdream.synthesis.ascent.objectives import Objective
from tfdream.synthesis.audio_model import AudioModel
from tfdream.synthesis.canvases import CanvasSpec, Context
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.rendering.process import OnStep
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles

Start = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Waveforms of the original's tiles → those to start from, the same shape."""
Guide = Callable[[np.ndarray], np.ndarray]
"""Where tiles begin, in samples → the guide's waveforms there, float32 `[batch, samples]`."""


@dataclass(frozen=True)
class TileOptimizer:
    """How to change the tiles of a recording.

    Attributes:
      octaves: canvas, network and objective at each size of the view, the smallest first, the view
        as it is last.
      recipe: how to climb, how often, how much of it is kept.
      grid: of the tiles.
      sample_rate: of the tiles, in Hz.
      start: what to start from; the original, if None.
      guide: the waveforms of a guide, for objectives that heed one.
    """

    octaves: list[CompiledObjective]
    recipe: Recipe
    grid: TileGrid
    sample_rate: int
    start: Start | None = None
    guide: Guide | None = None

    @property
    def slope(self) -> CompiledObjective:
        """Of the view as it is; what is measured, is measured there."""
        return self.octaves[-1]

    @property
    def steps(self) -> int:
        """For each batch of tiles, at most."""
        return self.recipe.optimizer.steps * len(self.octaves) * self.recipe.repeats

    def change(
        self, tiles: Tiles, on_step: OnStep = lambda value, sound: None, climb: bool = True
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Change tiles.

        Args:
          tiles: of the original.
          on_step: called after every step.
          climb: without, the tiles stay as they are, and are only measured.

        Returns:
          The changed channels and, for each tile, every measure before and after (as the optimizer
          saw it), and the energies of what the sound lacks of the wanted spectrum and of that.
        """
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
        guide = self.guide_at(tiles.starts)
        context = unchanged = self._analyze(tf.constant(tiles.waveforms), seconds)
        values = self.slope.canvas.start(context)
        channels = tiles.channels
        if climb:
            values, context, channels = self._optimize(tiles, unchanged, seconds, guide, on_step)
        heard = self._measure(values, context, unchanged, guide)
        return channels, {name: value.numpy() for name, value in heard.items()}

    def compare(self, original: Tiles, changed: Tiles) -> dict[str, np.ndarray]:
        """Every measure of tiles of a written file, beside those of the original."""
        reference = self._frontend(tf.constant(original.waveforms))
        image = self._frontend(tf.constant(changed.waveforms))
        heard = self.slope.measure(image, reference, self.guide_at(original.starts))
        return {name: value.numpy() for name, value in heard.items()}

    # Compiled: all that is done for each batch of tiles, so that nothing of it outlives the batch.

    @cached_property
    def _frontend(self) -> Callable[..., tf.Tensor]:
        return tf.function(self.slope.canvas.frontend, reduce_retracing=True)

    @cached_property
    def _analyze(self) -> Callable[..., Context]:
        return tf.function(self.slope.canvas.analyze, reduce_retracing=True, autograph=False)

    @cached_property
    def _render(self) -> Callable[..., tf.Tensor]:
        return tf.function(
            self.slope.canvas.render_channels, reduce_retracing=True, autograph=False
        )

    @cached_property
    def _measure(self) -> Callable[..., dict[str, tf.Tensor]]:
        slope, canvas = self.slope, self.slope.canvas

        def measure(
            values: tf.Tensor, context: Context, unchanged: Context, guide: tf.Tensor | None
        ) -> dict[str, tf.Tensor]:
            original = slope.view(canvas.start(unchanged), unchanged)
            heard = {}
            for when, image in (("before", original), ("after", slope.view(values, context))):
                for name, value in slope.measure(image, original, guide).items():
                    heard[f"{name}_{when}"] = value
            return heard | canvas.inconsistency(values, context)

        return tf.function(measure, reduce_retracing=True, autograph=False)

    def _optimize(
        self,
        tiles: Tiles,
        unchanged: Context,
        seconds: tf.Tensor,
        guide: tf.Tensor | None,
        on_step: OnStep,
    ) -> tuple[tf.Tensor, Context, np.ndarray]:
        """The values at the end, the context that they belong to, and the changed channels."""
        canvas, context = self.slope.canvas, unchanged
        channels = tf.constant(tiles.channels)
        values = canvas.start(context)
        rng = np.random.default_rng([self.recipe.seed, *tiles.starts])
        if self.start is not None:
            begun = tf.constant(self.start(tiles.waveforms, rng))
            values = canvas.start(self._analyze(begun, seconds))
        climb = AscentConfig(self.recipe.optimizer, self.grid.samples / self.sample_rate, rng)
        memories = [slope.precompute(unchanged, guide) for slope in self.octaves]
        stopped = False

        def sound(values: tf.Tensor) -> np.ndarray:
            changed = self._render(values, context, channels).numpy()
            return tiles.channels + np.float32(self.recipe.mix) * (changed - tiles.channels)

        def step(value: float, values: tf.Tensor) -> bool:
            nonlocal stopped
            stopped = bool(on_step(value, lambda: sound(values)))
            return stopped

        for repeat in range(self.recipe.repeats):
            if repeat:
                channels = self._render(values, context, channels)
                context = self._analyze(tf.reduce_mean(channels, axis=2), seconds)
                values = canvas.start(context)
            for slope, memory in zip(self.octaves, memories, strict=True):
                values = ascend(slope, values, context, memory, climb, step)
                if stopped:
                    return values, context, sound(values)
        return values, context, sound(values)

    def guide_at(self, starts: np.ndarray) -> tf.Tensor | None:
        """The guide's waveforms for tiles that begin there, in samples."""
        return None if self.guide is None else tf.constant(self.guide(starts))


def build_tile_optimizer(
    listener: AudioModel,
    recipe: Recipe,
    objectives: Callable[[Size | None], tuple[Objective, dict[str, Objective]]],
    resampled: bool,
    start: Start | None = None,
    guide: Guide | None = None,
) -> TileOptimizer:
    """Prepare to change recordings.

    Args:
      listener: network and frontend.
      recipe: its configuration.
      objectives: size of the view → what is maximized there, and what is measured.
      resampled: whether the recordings have another rate than the listener.
      start: what to start from; the original, if None.
      guide: the waveforms of a guide.

    Raises:
      ConfigError, ModelError: if layer, canvas, tiles or octaves do not fit the network.
    """
    rate = listener.sample_rate
    grid = TileGrid.build(recipe.tiles, listener.clip_samples, rate)
    surroundings = CanvasSpec(
        listener.frontend, grid.samples, rate, Mask.build(recipe.mask, rate), resampled
    )
    canvas = canvases.build(recipe.canvas, surroundings)
    shape = listener.frontend.shape(grid.samples)
    octaves = []
    for size in octave_sizes(shape, recipe.octaves):
        objective, measured = objectives(size)
        layers = sorted(objective.layers.union(*(each.layers for each in measured.values())))
        network = judge = None
        if layers:
            tapped = inspect.tap(listener.model, layers)
            inspect.check_input(tapped, shape if size is None else (*size, shape[-1]))
            network = freeze(tapped, recipe.precision)
            judge = network if recipe.precision == "float32" else freeze(tapped)
        octaves.append(CompiledObjective(canvas, network, objective, measured, size, judge))
    return TileOptimizer(octaves, recipe, grid, rate, start, guide)


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


def octave_views(
    path: Path, listener: AudioModel, recipe: Recipe, start_seconds: float = 0.0
) -> list[np.ndarray]:
    """What a network sees of one tile of a recording at each octave, the smallest first.

    Args:
      path: any audio file; behind its end it is silent.
      listener: network and frontend.
      recipe: whose octaves and length of tiles count.
      start_seconds: where the tile begins.

    Returns:
      float32 `[height, width, channels]` of each octave.

    Raises:
      AudioError, ConfigError: if the file cannot be read, or the octaves do not fit the network.
    """
    rate = listener.sample_rate
    samples = TileGrid.build(recipe.tiles, listener.clip_samples, rate).samples
    sizes = octave_sizes(listener.frontend.shape(samples), recipe.octaves)
    tile = tf.constant(audio.clip(path, start_seconds, samples, rate)[np.newaxis])
    return [listener.frontend(tile, size)[0].numpy() for size in sizes]


def noise(waveforms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White noise as loud as waveforms `[batch, samples]`: something to start from."""
    level = np.sqrt(np.mean(waveforms**2, axis=1, keepdims=True))
    return (rng.standard_normal(waveforms.shape) * level).astype(np.float32)
