"""`translate`: a recording translated to another label by the generator of a CycleGAN."""

import math
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import StftSpec, TranslateConfig
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import TranslationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.graphs import compiled
from tfdream.synthesis import canvases
from tfdream.synthesis.canvases import CanvasSpec
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.composed_translation import ComposedTranslator, translated_power
from tfdream.synthesis.musaic import Dictionary, Musaic
from tfdream.synthesis.rendering.curved_processor import curved
from tfdream.synthesis.rendering.measures import Measures
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.processor import OnStep, TileProcessor
from tfdream.synthesis.rendering.sidecar import Provenance
from tfdream.synthesis.rendering.sources import Source
from tfdream.synthesis.rendering.tile_recipe import TileRecipe
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timelines


class Translator:
    """Applies a generator's change of an image to audio; a `rendering.processor.TileProcessor`.

    The generator's input is the (resized) image of a tile. Its change of the image, in dB, is
    resized to the full resolution of the STFT and applied by a canvas: as gains on the original, or
    to its log magnitude. So detail that the image does not show is preserved.

    Args:
      generator: maps images float32 `[batch, height, width, 1]` in [−1, 1] to such images.
      run: provides the frontend and clip length of the training.
      config: canvas, mask.
      timelines: curves of settings that vary within tiles.

    Raises:
      ConfigError: if the canvas does not fit the frontend.
    """

    def __init__(
        self,
        generator: keras.Model,
        run: TranslationRun,
        config: TranslateConfig,
        timelines: Timelines = NO_TIMELINES,
    ) -> None:
        frontend = run.frontend
        assert isinstance(frontend, SpectrogramFrontend)  # validated by the experiment
        self.generator = generator
        self.frontend = frontend
        canvas = config.canvas.with_stft(_finer(frontend.spec))
        self.gain_stft = canvas.gain_stft(frontend.spec)
        self.config = config.model_copy(update={"canvas": canvas})
        self.samples = run.input_samples
        self.sample_rate = run.sample_rate
        mask = Mask.build(config.mask, run.sample_rate, timelines)
        bound_db = timelines.continuous.get("canvas.bound_db")
        spec = CanvasSpec(frontend, self.samples, run.sample_rate, mask, bound_db=bound_db)
        self.canvas = canvases.build(canvas, spec)

    @cached_property
    def grid(self) -> TileGrid:
        """Positions of the tiles.

        Raises:
          ConfigError: if the generator cannot process tiles of the configured length.
        """
        grid = TileGrid.build(self.config.tiles, self.samples, self.sample_rate)
        if grid.samples != self.samples:
            raise ConfigError(
                f"tiles.seconds={self.config.tiles.seconds:g}: the generator processes only clips "
                f"of {self.samples / self.sample_rate:g} s; remove it"
            )
        return grid

    @property
    def steps(self) -> int:
        """Number of steps for each batch of tiles."""
        return 1

    @property
    def goal(self) -> None:
        """None: a generator maximizes nothing."""
        return None

    def translate_images(self, images: tf.Tensor) -> tf.Tensor:
        """Translate images float32 `[batch, height, width, 1]` in [0, 1]; the same shape."""
        return (self.generator(2 * images - 1, training=False) + 1) / 2

    def _change(self, image: tf.Tensor) -> tf.Tensor:
        """Return the change of images `[batch, height, width, 1]` in [0, 1], times the strength."""
        return self.config.strength * (self.translate_images(image) - image)

    def translate(self, channels: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> tf.Tensor:
        """Translate clips.

        Args:
          channels: float32 `[batch, samples, channels]` at the run's rate; the generator's input
            is the image of their mean.
          start_seconds: start of each clip in its file, for the mask.

        Returns:
          The translated channels, of the same shape.
        """
        return self._translate(channels, start_seconds)[0]

    def _translate(
        self, channels: tf.Tensor, start_seconds: tf.Tensor | float
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return the translated channels, and the measures of each clip."""
        waveform = tf.reduce_mean(channels, axis=2)
        image = self.frontend(waveform)
        change = self._change(image)
        context = self.canvas.analyze(waveform, start_seconds)
        gain_db = self.frontend.change_to_gain_db(change, self.samples)
        gain_db = _at_frames(gain_db, self.frontend.spec, self.gain_stft, self.samples)
        values = self.canvas.gains_to_values(gain_db, context)
        changed = self.canvas.render_channels(values, context, channels)
        measures = {
            "picture_change": _mean_absolute(change),
            **self.canvas.inconsistency(values, context),
        }
        return changed, measures

    def process(
        self, tiles: Tiles, on_step: OnStep = lambda value, render: None, apply: bool = True
    ) -> tuple[NDArray[Any], Measures]:
        """Translate tiles; see `rendering.processor.TileProcessor`."""
        if not apply:
            return tiles.channels, {"picture_change": np.zeros(len(tiles.channels))}
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float64)
        changed, measures = self._compiled(tf.constant(tiles.channels), seconds)
        channels: NDArray[Any] = changed.numpy()
        on_step(math.nan, lambda: channels)
        return channels, {name: value.numpy() for name, value in measures.items()}

    def compare(self, original: Tiles, changed: Tiles) -> Measures:
        """Measure how far the change of a written file's image is from the intended change."""
        error = self._picture_error(tf.constant(original.waveforms), tf.constant(changed.waveforms))
        return {"picture_error": error.numpy()}

    @cached_property
    def _compiled(self) -> Callable[..., tuple[tf.Tensor, dict[str, tf.Tensor]]]:
        return compiled(self._translate)

    @cached_property
    def _picture_error(self) -> Callable[..., tf.Tensor]:
        def error(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
            image = self.frontend(before)
            return _mean_absolute(self.frontend(after) - image - self._change(image))

        return compiled(error)


def _finer(spec: StftSpec) -> StftSpec:
    """Return an STFT whose windows overlap by at least three quarters, so that gains may vary."""
    return spec.model_copy(update={"hop_samples": min(spec.hop_samples, spec.n_fft // 4)})


def _at_frames(gain_db: tf.Tensor, coarse: StftSpec, fine: StftSpec, samples: int) -> tf.Tensor:
    """Interpolate gains `[batch, frames, bins]` of an STFT linearly at the frames of another."""
    if coarse == fine:
        return gain_db
    places = np.arange(fine.frames(samples)) * (fine.hop_samples / coarse.hop_samples)
    last = coarse.frames(samples) - 1
    low = np.minimum(places.astype(int), last)
    share = tf.constant((places - low)[:, np.newaxis], tf.float32)
    before, after = (tf.gather(gain_db, np.minimum(low + step, last), axis=1) for step in (0, 1))
    return before + share * (after - before)


def _mean_absolute(difference: tf.Tensor) -> tf.Tensor:
    """Return the mean absolute difference of each image."""
    return tf.reduce_mean(tf.abs(difference), axis=[1, 2, 3])


def direction(run: TranslationRun, to: str | None) -> str:
    """Return the direction to a label, ``forward`` or ``backward``; None is the second label.

    Raises:
      ConfigError: if the run does not have the label.
    """
    first, second = run.labels
    if to in (None, second):
        return "forward"
    if to == first:
        return "backward"
    raise ConfigError(f"to='{to}' is not a label of the run; use {first} or {second}")


class Translation(TileRecipe):
    """A direction of a CycleGAN and a recipe, compiled once for any number of files.

    Args:
      run: run of a CycleGAN.
      config: canvas, tiles, mix.
      to: the target label; None is the second one of the run.

    Raises:
      ConfigError: if the settings do not fit the run.
    """

    config: TranslateConfig

    def __init__(self, run: TranslationRun, config: TranslateConfig, to: str | None = None) -> None:
        translated = direction(run, to)
        first, second = run.labels if translated == "forward" else reversed(run.labels)
        self.run = run
        self.to = second
        self.direction = f"{first} to {second}"
        self.generator = getattr(run.generators, translated)
        self.translator = Translator(self.generator, run, config)
        self.config = self.translator.config

    def processor(self, source: Source) -> TileProcessor:
        """Return the translator of a file, or that of compositions.

        The mean spectrum of the translation is that without curves, measured once.
        """
        self.translator.grid  # noqa: B018

        @cache
        def read_power() -> NDArray[np.float64]:
            assert self.musaic is not None
            with audio.excerpt(source.path, source.start_seconds, source.seconds) as excerpt:
                return translated_power(excerpt, self.translator, self.musaic.analysis)

        def composed(translator: Translator, musaic: Musaic | None) -> TileProcessor:
            return ComposedTranslator(translator, musaic, read_power) if musaic else translator

        if source.timelines == NO_TIMELINES:
            return composed(self.translator, self.musaic)
        return curved(
            self.config,
            source.timelines,
            lambda config: composed(
                Translator(self.generator, self.run, config, source.timelines),
                self._build_musaic(config, source.timelines),
            ),
        )

    @cached_property
    def musaic(self) -> Musaic | None:
        """The composition of translations without curves; compiled once.

        Raises:
          AudioError, ModelError: if the run has no excerpts of the label, or damaged ones.
        """
        return self._build_musaic(self.config, NO_TIMELINES)

    def _build_musaic(self, config: TranslateConfig, timelines: Timelines) -> Musaic | None:
        if config.composition is None:
            return None
        mask = Mask.build(config.mask, self.run.sample_rate, timelines)
        share = min(config.strength, 1.0)
        return Musaic(self._dictionary, config.composition, share, mask)

    @cached_property
    def _dictionary(self) -> Dictionary:
        """The frames of the target label; composition is configured."""
        assert self.config.composition is not None
        path = self.run.existing_excerpts(self.to)
        return Dictionary.from_file(path, self.run.sample_rate, self.config.composition)

    def identify(self, source: str | Path) -> Provenance:
        return {
            "command": "translate",
            "source": str(source),
            "run": self.run.describe(),
            "to": self.to,
        }

    def details(self, processor: TileProcessor) -> dict[str, Any]:
        return {"direction": self.direction}


def translate(
    source: str | Path,
    output: str | Path,
    run: TranslationRun,
    config: TranslateConfig,
    to: str | None = None,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Translate a file, and measure the written file.

    Args:
      source: any audio file, of any length.
      output: wav, flac or ogg, by its extension; with the source's rate and channels. Its sidecar
        is ``<output>.json``.
      run: run of a CycleGAN.
      config: canvas, tiles, mix.
      to: the target label; None is the second one of the run.
      options: part of the source, format, and whether to overwrite.
      progress: receives finished and all batches of tiles; if it returns True, the rest stays
        unchanged.

    Returns:
      The JSON object of the command: direction, picture_change (mean absolute change of the image,
      relative to its range: the difference of the generator's output and input times the strength),
      picture_error_rendered (mean absolute difference of the change of the written file's image
      from that), and the result of `process_file`.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit.
    """
    return Translation(run, config, to)(source, output, options, progress)
