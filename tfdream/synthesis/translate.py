"""`translate`: a recording of one genre as a CycleGAN's generator has it in the other."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import GainCanvasConfig, TranslateConfig
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import TranslationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.synthesis import canvases
from tfdream.synthesis.canvases import CanvasSpec
from tfdream.synthesis.canvases.masks import Mask
from tfdream.synthesis.rendering.process import (
    OnStep,
    check_output,
    process_file,
    write_sidecar,
)
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles


class Translator:
    """A generator, and what its change of the picture does to the sound.

    The generator sees the (resized) picture of a tile. What it changes there, in dB, is brought
    back to the full resolution of the STFT and given to a canvas: to gains on the original, or to
    its log magnitude. So what the picture does not show is kept.

    Args:
      generator: from images float32 `[batch, height, width, 1]` in [−1, 1] to such.
      run: whose frontend and clips it was trained on.
      config: canvas, mask, mix.

    Raises:
      ConfigError: if the canvas does not fit the frontend.
    """

    def __init__(
        self, generator: keras.Model, run: TranslationRun, config: TranslateConfig
    ) -> None:
        frontend = run.frontend
        assert isinstance(frontend, SpectrogramFrontend)
        self.generator = generator
        self.frontend = frontend
        self.config = _on_stft_of(frontend, config)
        self.samples = run.clip_samples
        self.sample_rate = run.sample_rate
        mask = Mask.build(config.mask, run.sample_rate)
        self.canvas = canvases.build(
            self.config.canvas, CanvasSpec(frontend, self.samples, run.sample_rate, mask)
        )

    @cached_property
    def grid(self) -> TileGrid:
        """Of the tiles of a recording.

        Raises:
          ConfigError: if the generator does not take them.
        """
        grid = TileGrid.build(self.config.tiles, self.samples, self.sample_rate)
        if grid.samples != self.samples:
            raise ConfigError(
                f"tiles.seconds={self.config.tiles.seconds:g}: the generator takes clips of "
                f"{self.samples / self.sample_rate:g} s alone; leave it out"
            )
        return grid

    @property
    def steps(self) -> int:
        """For each batch of tiles."""
        return 1

    def imagine(self, image: tf.Tensor) -> tf.Tensor:
        """Images float32 `[batch, height, width, 1]` in [0, 1] → as the other genre has them."""
        return (self.generator(2 * image - 1, training=False) + 1) / 2

    def translate(self, channels: tf.Tensor, start_seconds: tf.Tensor | float = 0.0) -> tf.Tensor:
        """Translate clips.

        Args:
          channels: float32 `[batch, samples, channels]` at the run's rate; the generator hears
            their mean.
          start_seconds: where each begins in its recording, for the mask.

        Returns:
          The same shape.
        """
        return self._translate(channels, start_seconds)[0]

    def _translate(
        self, channels: tf.Tensor, start_seconds: tf.Tensor | float
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The same, and measures of each clip."""
        waveform = tf.reduce_mean(channels, axis=2)
        image = self.frontend(waveform)
        change = self.imagine(image) - image
        context = self.canvas.analyze(waveform, start_seconds)
        gain_db = self.frontend.change_to_gain_db(change, self.samples)
        values = self.canvas.values_of_gains(gain_db, context)
        changed = self.canvas.render_channels(values, context, channels)
        measures = {"picture_change": _size(change), **self.canvas.inconsistency(values, context)}
        return channels + self.config.mix * (changed - channels), measures

    def change(
        self, tiles: Tiles, on_step: OnStep = lambda value, sound: None, climb: bool = True
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Translate tiles; see `recording.TileProcessor`."""
        if not climb:
            return tiles.channels, {"picture_change": np.zeros(len(tiles.channels))}
        seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
        changed, measures = self._compiled(tf.constant(tiles.channels), seconds)
        channels = changed.numpy()
        on_step(0.0, lambda: channels)
        return channels, {name: value.numpy() for name, value in measures.items()}

    def compare(self, original: Tiles, changed: Tiles) -> dict[str, np.ndarray]:
        """How far the picture of a written file is from what the generator made."""
        error = self._picture_error(tf.constant(original.waveforms), tf.constant(changed.waveforms))
        return {"picture_error": error.numpy()}

    @cached_property
    def _compiled(self) -> Callable[..., tuple[tf.Tensor, dict[str, tf.Tensor]]]:
        return tf.function(self._translate, reduce_retracing=True, autograph=False)

    @cached_property
    def _picture_error(self) -> Callable[..., tf.Tensor]:
        def error(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
            return _size(self.frontend(after) - self.imagine(self.frontend(before)))

        return tf.function(error, reduce_retracing=True, autograph=False)


def _size(difference: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of each image."""
    return tf.reduce_mean(tf.abs(difference), axis=[1, 2, 3])


def _on_stft_of(frontend: SpectrogramFrontend, config: TranslateConfig) -> TranslateConfig:
    """Gains lie on the frontend's STFT."""
    canvas = config.canvas
    if not isinstance(canvas, GainCanvasConfig) or canvas.stft == frontend.spec:
        return config
    if "stft" in canvas.model_fields_set:
        raise ConfigError(
            "canvas.stft: the gains of a translation lie on the STFT of the run's frontend; leave "
            "it out"
        )
    return config.model_copy(update={"canvas": canvas.model_copy(update={"stft": frontend.spec})})


def direction(run: TranslationRun, to: str | None) -> str:
    """The direction that leads to a genre, the second one if None: ``forward`` or ``backward``.

    Raises:
      ConfigError: if the run does not know it.
    """
    first, second = run.labels
    if to in (None, second):
        return "forward"
    if to == first:
        return "backward"
    raise ConfigError(f"the run translates to {first} and to {second}, not to '{to}'")


def translate(
    source: Path,
    output: Path,
    run: TranslationRun,
    config: TranslateConfig,
    to: str | None = None,
    force: bool = False,
    bits: int | None = None,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Translate a recording, and measure the written file.

    Args:
      source: any audio file, of any length.
      output: wav, flac or ogg, by its extension; of the source's rate, length and channels. Beside
        it goes a sidecar, ``<output>.json``.
      run: of a CycleGAN.
      config: canvas, tiles, mix.
      to: the genre to translate to; the run's second one, if None.
      force: overwrite `output`.
      bits: of the output, see `audio.Writer`.
      progress: receives finished and all steps; if it returns True, the rest is unchanged.

    Returns:
      The JSON object of the command: direction, picture_change (mean absolute difference of what
      the generator made and what it saw, 1 is all of the picture's range), picture_error_rendered
      (of what it made and the picture of the written file), and what
      `recording.process_file` adds.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit.
    """
    check_output(output, bits, force, (source,))
    way = direction(run, to)
    translator = Translator(getattr(run.generators, way), run, config)
    result = process_file(source, output, translator, bits, config.normalize, progress=progress)
    first, second = run.labels if way == "forward" else reversed(run.labels)
    result["direction"] = f"{first} to {second}"
    making = {
        "command": "translate",
        "source": str(source),
        "run": run.describe(),
        "direction": result["direction"],
        "config": translator.config.model_dump(mode="json"),
        "bits": bits,
    }
    write_sidecar(output, making, result)
    return result
