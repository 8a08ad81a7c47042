"""`transfer`: a recording in the style of another.

Style and content are objectives of a network's activations; everything else is as in `dream`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.config import FeatureNetworkConfig, TransferConfig
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import Run
from tfdream.signal.images import Size
from tfdream.synthesis.ascent.gram import extract_grams, full_tiles, style
from tfdream.synthesis.ascent.objectives import Objective
from tfdream.synthesis.ascent.objectives.base import relative, total
from tfdream.synthesis.ascent.objectives.original import content
from tfdream.synthesis.audio_model import AudioModel, FeatureNetwork
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.process import check_outputs, process_file
from tfdream.synthesis.tile_optimizer import (
    InitFn,
    TileOptimizer,
    build_tile_optimizer,
    noise,
    total_steps,
)


def transfer(
    content_path: str | Path,
    style_path: str | Path,
    output: str | Path,
    config: TransferConfig,
    run: Run | None = None,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Give a file the style of another, and measure the written file.

    Args:
      content_path: any audio file, of any length; the output has its rate and channels.
      style_path: any audio file, of any length; all of it is used.
      output: wav, flac or ogg, by its extension. Its sidecar is ``<output>.json``.
      config: network, layers, weights, canvas and optimizer.
      run: the network, if the configuration has ``network.kind=run``.
      options: part of the content, format, snapshots, and whether to overwrite.
      progress: receives finished and all steps, and the negative weighted loss; if it returns True,
        the rest stays unchanged.

    Returns:
      The JSON object of the command: style_loss and content_loss, each with the suffixes _before,
      _after (for the optimized view) and _rendered (for the written file), and the result of
      `process_file`. Losses include the weights of layers, not those of style and content.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style"; see `configs/transfer`
    for the published systems.
    """
    content_path, style_path, output = Path(content_path), Path(style_path), Path(output)
    check_outputs(output, options, total_steps(config), (content_path, style_path))
    audio_model = build_audio_model(config, run)
    resampled = audio.info(content_path).sample_rate != audio_model.sample_rate
    optimizer = style_tile_optimizer(style_path, audio_model, config, resampled)
    with sidecar.claim(output):
        result = process_file(content_path, output, optimizer, config.normalize, options, progress)
        result["objective"] = optimizer.compiled.objective.name
        provenance = {
            "command": "transfer",
            "content": str(content_path),
            "style": str(style_path),
            "run": run and run.describe(),
            "config": config.model_dump(mode="json"),
            **options.settings(),
        }
        sidecar.write(output, provenance, result)
    return result


def style_tile_optimizer(
    style_path: str | Path, audio_model: AudioModel, config: TransferConfig, resampled: bool
) -> TileOptimizer:
    """Build the tile optimizer for the style of a file.

    Args:
      style_path: any audio file, of any length.
      audio_model: network and frontend.
      config: as for `transfer`.
      resampled: whether the content has another sample rate than the model.

    Raises:
      AudioError, ConfigError, ModelError: if the style or the settings do not fit.
    """

    def objectives(size: Size | None) -> tuple[Objective, dict[str, Objective]]:
        losses = transfer_losses(style_path, audio_model, config, size)
        return -weighted_loss(losses, config), losses

    init = _init(config, style_path, audio_model)
    return build_tile_optimizer(audio_model, config, objectives, resampled, init)


def transfer_losses(
    style_path: str | Path, audio_model: AudioModel, config: TransferConfig, size: Size | None
) -> dict[str, Objective]:
    """Return the style loss and, if there are content layers, the content loss, by name."""
    grams = extract_grams(style_path, audio_model, config, size)
    styles = [
        style(layer, weight, grams[layer], config.gram, config.gram_normalization)
        for layer, weight in config.style_layers.items()
    ]
    losses = {"style_loss": total(styles)}
    if config.content_layers:
        contents = [weight * content(layer) for layer, weight in config.content_layers.items()]
        losses["content_loss"] = total(contents)
    return losses


def weighted_loss(losses: dict[str, Objective], config: TransferConfig) -> Objective:
    """Return the weighted sum of style and content loss.

    With `style_strength` the losses are relative: to the style loss of the original, and to the
    energy of the original's activations, so that neither dominates because of its scale.
    """
    style_loss, content_loss = losses["style_loss"], losses.get("content_loss")
    style_weight, content_weight = config.style_weight, config.content_weight
    if config.style_strength is not None:
        style_weight, content_weight = config.style_strength, 1 - config.style_strength
        style_loss = relative(style_loss, to=tf.identity)
        content_loss = content_loss and relative(content_loss, to=tf.zeros_like)
    if content_loss is None or not content_weight:
        return style_weight * style_loss
    return style_weight * style_loss + content_weight * content_loss


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
        return lambda tiles, rng: np.repeat(first, len(tiles), axis=0)
    return noise
