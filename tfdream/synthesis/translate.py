"""`translate`: a recording of one genre as a CycleGAN's generator has it in the other."""

import math
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.config import GainCanvasConfig, TranslateConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.signal.frontend import SpectrogramFrontend
from tfdream.synthesis import canvases
from tfdream.synthesis.canvases import Surroundings
from tfdream.synthesis.masks import Mask
from tfdream.synthesis.recording import (
    Progress,
    check_output,
    level_gain,
    silent,
    write_sidecar,
)
from tfdream.synthesis.tiles import TileGrid, Tiles, change_file, mid_tiles
from tfdream.training.runs import TranslationRun


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
            self.config.canvas, Surroundings(frontend, self.samples, run.sample_rate, mask)
        )

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
        waveform = tf.reduce_mean(channels, axis=2)
        image = self.frontend(waveform)
        gain_db = self.frontend.change_to_gain_db(self.imagine(image) - image, self.samples)
        context = self.canvas.analyse(waveform, start_seconds)
        values = self.canvas.values_of_gains(gain_db, context)
        changed = self.canvas.render_channels(values, context, channels)
        return channels + self.config.mix * (changed - channels)

    @cached_property
    def change(self) -> Any:
        """`translate`, compiled, of tiles: what becomes of their channels."""
        translate = tf.function(self.translate, reduce_retracing=True, autograph=False)

        def change(tiles: Tiles) -> np.ndarray:
            seconds = tf.constant(tiles.starts / self.sample_rate, tf.float32)
            changed: np.ndarray = translate(tf.constant(tiles.channels), seconds).numpy()
            return changed

        return change


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
    progress: Progress = silent,
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
      progress: hears how far it is; where it returns True, the rest stays as it is.

    Returns:
      The JSON object of the command: direction, picture_change (mean absolute difference of what
      the generator made and what it saw, 1 is all of the picture's range), picture_error_rendered
      (of what it made and the picture of the written file), audio_seconds, compute_seconds,
      and what was written: sample_rate, channels, samples, peak.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit.
    """
    check_output(output, bits, force)
    started = time.perf_counter()
    way = direction(run, to)
    translator = Translator(getattr(run.generators, way), run, config)
    grid = TileGrid.build(config.tiles, run.clip_samples, run.sample_rate)
    if grid.samples != run.clip_samples:
        raise ConfigError(
            f"tiles.seconds={config.tiles.seconds:g}: the generator takes clips of "
            f"{run.clip_samples / run.sample_rate:g} s alone; leave it out"
        )
    info = audio.info(source)
    total = grid.count(math.ceil(info.samples * run.sample_rate / info.sample_rate))
    done = 0
    stopped_at: float | None = None

    def change(tiles: Tiles) -> np.ndarray:
        nonlocal done, stopped_at
        if not tiles.weights.any():  # a click at a high rate may be resampled to nothing
            raise AudioError(
                f"'{source}' is shorter than a sample at {run.sample_rate} Hz; leave it out"
            )
        if stopped_at is not None:
            return tiles.channels
        done += len(tiles.channels)
        changed = translator.change(tiles)
        if progress(min(done, total), total, 0.0):
            stopped_at = float(tiles.starts[-1] + grid.samples) / run.sample_rate
        return changed

    gain = level_gain(config.level, source)
    written = change_file(source, output, run.sample_rate, grid, change, bits, gain)
    audio_seconds = written.samples / written.sample_rate
    first, second = run.labels if way == "forward" else reversed(run.labels)
    result = {
        "output": str(output),
        "direction": f"{first} to {second}",
        **_pictures(translator, source, output, grid),
        "audio_seconds": audio_seconds,
        "compute_seconds": round(time.perf_counter() - started, 3),
        **written._asdict(),
    }
    if stopped_at is not None:
        result |= {"interrupted": True, "changed_seconds": min(stopped_at, audio_seconds)}
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


def _pictures(
    translator: Translator, source: Path, output: Path, grid: TileGrid
) -> dict[str, float]:
    """How far the pictures of a written file are from those that the generator made."""

    @tf.function(reduce_retracing=True)
    def differences(before: tf.Tensor, after: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        seen, heard = translator.frontend(before), translator.frontend(after)
        wanted = translator.imagine(seen)
        axes = [1, 2, 3]
        return tf.reduce_mean(tf.abs(wanted - seen), axes), tf.reduce_mean(
            tf.abs(heard - wanted), axes
        )

    sums, weight = np.zeros(2), 0.0
    rate = translator.sample_rate
    with audio.Reader(source) as before, audio.Reader(output) as after:
        for own, other in zip(
            mid_tiles(before, rate, grid),
            mid_tiles(after, rate, grid),
            strict=False,  # a file that is longer by a sample than its header may have one more
        ):
            found = differences(tf.constant(own.waveforms), tf.constant(other.waveforms))
            sums += [float(each.numpy() @ own.weights) for each in found]
            weight += float(own.weights.sum())
    change, error = sums / weight
    return {"picture_change": float(change), "picture_error_rendered": float(error)}
