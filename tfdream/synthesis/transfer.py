"""`transfer`: a recording in the style of another.

By gradients, style and content are objectives of a network's activations, and everything else is as
in `dream`. By timbre, gains follow the notes of the content. A musaic is composed of frames of the
style.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from tfdream import audio
from tfdream.config import (
    AnyTransfer,
    FeatureNetworkConfig,
    MusaicConfig,
    RhythmConfig,
    RunNetworkConfig,
    TimbreConfig,
    TransferConfig,
)
from tfdream.errors import ConfigError, ModelError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models.reduce import reduce_features
from tfdream.runs import Run, RunFolder, TransferRun
from tfdream.signal.images import Size
from tfdream.signal.timbre import check_frontend
from tfdream.synthesis.ascent.gram import full_tiles
from tfdream.synthesis.ascent.losses import transfer_losses, weighted_loss
from tfdream.synthesis.ascent.objectives import Objective
from tfdream.synthesis.audio_model import AudioModel, FeatureNetwork
from tfdream.synthesis.mapping import (
    ContentGains,
    GainModel,
    GainProcessor,
    NetworkTimbre,
    RegressionTimbre,
    RhythmModel,
)
from tfdream.synthesis.musaic import ContentSpectrum, Dictionary, Musaic, MusaicProcessor
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.curved_processor import Adjustment, CurvedProcessor, curved
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.processor import Goal, TileProcessor
from tfdream.synthesis.rendering.sources import Source
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timelines
from tfdream.synthesis.style_transfer import StyleTransfer
from tfdream.synthesis.tile_optimizer import (
    MAX_OPTIMIZERS,
    UNCOMPILED,
    InitFn,
    Objectives,
    TileOptimizer,
    build_tile_optimizer,
    noise,
    passband,
    tile_grid,
)


class MappingTransfer(StyleTransfer):
    """Applies gains computed from a style to contents, in one pass; see `synthesis.mapping`.

    Args:
      style_path: any audio file, of any length; all of it is used.
      config: what is transferred, transfer network, strength and added sound.

    Raises:
      AudioError: if the style cannot be read or is silent.
      ModelError: if the transfer network cannot be loaded, or was trained on other levels than
        those of transfers.
    """

    config: TimbreConfig | RhythmConfig

    def __init__(self, style_path: str | Path, config: TimbreConfig | RhythmConfig) -> None:
        super().__init__(style_path, config)
        self.model: GainModel[Any]
        if isinstance(config, RhythmConfig):
            self.model = RhythmModel(style_path, config.beats_per_bar)
        elif config.model is None:
            self.model = RegressionTimbre(style_path, config.residual_share)
        else:
            self.run = TransferRun.open(config.model)
            try:
                check_frontend(self.run.config)
            except ConfigError as error:
                raise ModelError(f"the run '{self.run.folder}' cannot be used: {error}") from None
            self.model = NetworkTimbre(style_path, self.run.network)
        self.read_notes(self.model.sample_rate)

    def processor(self, source: Source) -> TileProcessor:
        strength = source.timelines.continuous.get("style_strength", self.config.style_strength)
        content = ContentGains.from_file(
            source.path, self.model, strength, source.start_seconds, source.seconds
        )
        return curved(
            self.config,
            source.timelines,
            lambda config: GainProcessor(content, config, source.timelines),
        )


class MusaicTransfer(StyleTransfer):
    """Composes contents of frames of the style; see `synthesis.musaic`.

    Args:
      style_path: any audio file, of any length.
      config: dictionary, restrictions and strength.

    Raises:
      AudioError: if the style cannot be read or is silent.
    """

    config: MusaicConfig

    def __init__(self, style_path: str | Path, config: MusaicConfig) -> None:
        super().__init__(style_path, config)
        self.read_notes(audio.info(style_path).sample_rate)
        self._musaics: dict[int, Musaic] = {}

    def processor(self, source: Source) -> TileProcessor:
        rate = audio.info(source.path).sample_rate
        if rate not in self._musaics:
            dictionary = Dictionary.from_file(self.style_path, rate, self.config)
            # Only the dictionary of the last sample rate is cached, because it is large.
            self._musaics = {rate: Musaic.of_transfer(dictionary, self.config)}
        musaic, tiles = self._musaics[rate], self.config.tiles
        with audio.excerpt(source.path, source.start_seconds, source.seconds) as excerpt:
            content = ContentSpectrum.from_file(excerpt, musaic.analysis)
        if source.timelines == NO_TIMELINES:
            return MusaicProcessor(content, musaic, tiles)
        dictionary = musaic.dictionary
        return curved(
            self.config,
            source.timelines,
            lambda config: MusaicProcessor(
                content, Musaic.of_transfer(dictionary, config, source.timelines), tiles
            ),
        )


class GradientTransfer(StyleTransfer):
    """Optimizes contents toward the activations that a network has for a style.

    Args:
      style_path: any audio file, of any length; all of it is used.
      config: network, layers, weights, canvas and optimizer.
      run: the network, if the configuration has ``network.kind=run``.

    Raises:
      AudioError, ConfigError, ModelError: if the style cannot be read or is silent, or the settings
        do not fit.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style"; see `configs/transfer`
    for the published systems.
    """

    config: TransferConfig

    def __init__(
        self, style_path: str | Path, config: TransferConfig, run: Run | None = None
    ) -> None:
        super().__init__(style_path, config)
        self.run = run
        self.audio_model = build_audio_model(config, run)
        self.read_notes(self.audio_model.sample_rate)
        self._optimizers: dict[tuple[float | None, float | None], TileOptimizer] = {}

    def details(self, processor: TileProcessor) -> dict[str, Any]:
        if isinstance(processor, CurvedProcessor):
            processor = processor.base
        assert isinstance(processor, TileOptimizer)
        return {"objective": processor.compiled.objective.name}

    def tile_optimizer(self, file_rate: int, samples: int = 0) -> TileOptimizer:
        """Return the tile optimizer for contents.

        Args:
          file_rate: sample rate of the contents in Hz.
          samples: their length at the rate of the model; see `config.TilesConfig.tolerance`.
        """
        config = self._fitted(samples)
        key = passband(file_rate, self.audio_model.sample_rate), config.tiles.seconds
        if key not in self._optimizers:
            if len(self._optimizers) == MAX_OPTIMIZERS:
                self._optimizers.clear()
            self._optimizers[key] = style_tile_optimizer(
                self.style_path, self.audio_model, config, file_rate
            )
        return self._optimizers[key]

    def _fitted(self, samples: int) -> TransferConfig:
        """Return the recipe with the tiles for contents of a length."""
        grid, tiles = tile_grid(self.audio_model, self.config), self.config.tiles
        fitted = grid.fitted(samples, tiles.tolerance)
        if fitted == grid:
            return self.config
        seconds = fitted.samples / self.audio_model.sample_rate
        tiles = tiles.model_copy(update={"seconds": seconds})
        return self.config.model_copy(update={"tiles": tiles})

    def processor(self, source: Source) -> TileProcessor:
        info, rate = audio.info(source.path), self.audio_model.sample_rate
        seconds = info.estimated_samples / info.sample_rate - source.start_seconds
        if source.seconds is not None:
            seconds = min(seconds, source.seconds)
        file_rate, samples = info.sample_rate, math.ceil(seconds * rate)
        if source.timelines == NO_TIMELINES:
            return self.tile_optimizer(file_rate, samples)
        return curved(
            self._fitted(samples),
            source.timelines,
            lambda config: style_tile_optimizer(
                self.style_path, self.audio_model, config, file_rate, source.timelines
            ),
            Adjustment(UNCOMPILED, TileOptimizer.with_recipe),
        )


def transfer(
    content_path: str | Path,
    style_path: str | Path,
    output: str | Path,
    config: AnyTransfer,
    run: Run | None = None,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Give a file the style of another, and measure the written file.

    Args:
      content_path: any audio file, of any length; the output has its rate and channels.
      style_path: any audio file, of any length; all of it is used.
      output: wav, flac or ogg, by its extension. Its sidecar is ``<output>.json``.
      config: the recipe; see `config.load_transfer`.
      run: the network, if the configuration has ``network.kind=run``.
      options: part of the content, format, snapshots, and whether to overwrite.
      progress: receives finished and all steps, and the negative weighted loss; if it returns True,
        the rest stays unchanged.

    Returns:
      The JSON object of the command: style_loss and content_loss, each with the suffixes _before,
      _after (for the optimized view) and _rendered (for the written file), and the result of
      `process_file`. Losses by gradients include the weights of layers, not those of style and
      content; those of timbre are in dB², and those of a musaic are described by `Musaic.measure`.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit.
    """
    sidecar.check_output(output, options.bits, options.force, (content_path, style_path))
    style_transfer = build_transfer(style_path, config, run)
    return style_transfer(content_path, output, options, progress)


def build_transfer(
    style_path: str | Path, config: AnyTransfer, run: Run | None = None
) -> StyleTransfer:
    """Prepare the transfer of a style by the method of a recipe.

    Raises:
      AudioError, ConfigError, ModelError: if the style or the settings do not fit.
    """
    if isinstance(config, TransferConfig):
        return GradientTransfer(style_path, config, run)
    if run is not None:
        raise ConfigError(f"method={config.method} uses no classifier; remove --model")
    if isinstance(config, MusaicConfig):
        return MusaicTransfer(style_path, config)
    return MappingTransfer(style_path, config)


def takes_model(config: AnyTransfer, run: RunFolder) -> bool:
    """Return whether a recipe uses a run: of a classifier, or of a transfer network."""
    if isinstance(config, TimbreConfig):
        return isinstance(run, TransferRun)
    network = config.network if isinstance(config, TransferConfig) else None
    return isinstance(run, Run) and isinstance(network, RunNetworkConfig)


def with_model(
    config: AnyTransfer, model: Run | str | Path | None
) -> tuple[AnyTransfer, Run | None]:
    """Return a recipe and its classifier, with a model that replaces the recipe's own.

    Args:
      config: the recipe. With method=timbre, the model is a transfer network, which becomes a
        setting; otherwise it is a classifier, which `build_transfer` takes.
      model: a run folder, or the name of a preset, or an open classifier; None changes nothing.

    Raises:
      ModelError: if the classifier cannot be opened.
    """
    if not model:
        return config, None
    if isinstance(config, TimbreConfig):
        return config.model_copy(update={"model": str(model)}), None
    return config, model if isinstance(model, Run) else Run.open(model)


def style_tile_optimizer(
    style_path: str | Path,
    audio_model: AudioModel,
    config: TransferConfig,
    file_rate: int | None = None,
    timelines: Timelines = NO_TIMELINES,
) -> TileOptimizer:
    """Build the tile optimizer for the style of a file.

    Args:
      style_path: any audio file, of any length.
      audio_model: network and frontend.
      config: as for `transfer`.
      file_rate: sample rate of the content in Hz; by default that of the model.
      timelines: curves of settings that vary within tiles.

    Raises:
      AudioError, ConfigError, ModelError: if the style or the settings do not fit.
    """
    rate = audio_model.sample_rate
    share = passband(file_rate or rate, rate)
    audio_model, features = _reduced(audio_model, config)

    def build(size: Size | None) -> tuple[Objective, dict[str, Objective]]:
        losses = transfer_losses(style_path, audio_model, config, size, features)
        return -weighted_loss(losses, config), losses

    goal = Goal("style_loss", rises=False, reverts=config.init == "content")
    init = _init(config, style_path, audio_model)
    return build_tile_optimizer(
        audio_model, config, Objectives(build, goal), share, init, timelines=timelines
    )


def _reduced(
    audio_model: AudioModel, config: TransferConfig
) -> tuple[AudioModel, dict[str, int] | None]:
    """Return an audio model with the same losses and fewer features, and the original numbers.

    A rotation of the features changes neither the distances of their Gram matrices nor those of
    their values, but it changes Gram matrices over time.
    """
    layer = audio_model.model.layers[-1]
    if config.gram != "channels" or layer.name not in config.style_layers:
        return audio_model, None
    model = reduce_features(audio_model.model)
    reduced = FeatureNetwork(
        model, audio_model.frontend, audio_model.sample_rate, audio_model.input_samples
    )
    return reduced, {layer.name: layer.output.shape[-1]}


def build_audio_model(config: TransferConfig, run: Run | None) -> AudioModel:
    """Build the network of a transfer.

    Raises:
      ConfigError: if there is a run and the configuration names another network, or the reverse.
    """
    if isinstance(config.network, FeatureNetworkConfig):
        if run is not None:
            raise ConfigError(
                f"--model cannot be used with network.name={config.network.name}; remove it, or "
                "use --config transfer/lil_data"
            )
        return FeatureNetwork.build(config.network)
    if run is None:
        raise ConfigError("network.kind=run needs the run of a network; give one with --model")
    return run


def _init(config: TransferConfig, style_path: str | Path, audio_model: AudioModel) -> InitFn | None:
    """Return the initial waveforms that a configuration requires."""
    if config.init == "content":
        return None
    if config.init == "style":
        first = next(full_tiles(style_path, audio_model, config))
        return lambda tiles, starts, seed: np.repeat(first, len(tiles), axis=0)
    return noise
