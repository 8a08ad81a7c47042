"""`transfer`: one recording in the style of another.

Style and content are objectives of a network's activations; all else is as in `dream`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.config import FeatureNetworkConfig, TransferConfig
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models import inspect
from tfdream.runs import Run
from tfdream.signal.images import Size
from tfdream.synthesis.ascent.gram import GramAccumulator, GramMatrix, relative, style, total
from tfdream.synthesis.ascent.objectives import Objective, content
from tfdream.synthesis.audio_model import AudioModel, FeatureNetwork
from tfdream.synthesis.rendering.process import (
    check_output,
    process_file,
    write_sidecar,
)
from tfdream.synthesis.tile_optimizer import Start, TileOptimizer, build_tile_optimizer, noise


def transfer(
    content_path: Path,
    style_path: Path,
    output: Path,
    config: TransferConfig,
    run: Run | None = None,
    force: bool = False,
    bits: int | None = None,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Give a recording the style of another, and measure the written file.

    Args:
      content_path: any audio file, of any length; the output has its rate, length and channels.
      style_path: any audio file, of any length; all of it counts.
      output: wav, flac or ogg, by its extension. Beside it goes a sidecar, ``<output>.json``.
      config: network, layers, weights, canvas and optimizer.
      run: the network, where the configuration says ``network.kind=run``.
      force: overwrite `output`.
      bits: of the output, see `audio.Writer`.
      progress: hears how far it is, and the weighted loss with a minus sign.

    Returns:
      The JSON object of the command: style_loss and content_loss, each _before, _after (as the
      optimizer left it) and _rendered (of the written file), and what
      `recording.process_file` adds. Losses carry the weights of their layers, not those of the
      two sides.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style"; see `configs/transfer`
    for the published systems.
    """
    check_output(output, bits, force, (content_path, style_path))
    listener = build_audio_model(config, run)

    resampled = audio.info(content_path).sample_rate != listener.sample_rate
    retouch = style_tile_optimizer(style_path, listener, config, resampled)
    result = process_file(content_path, output, retouch, bits, config.normalize, progress=progress)
    result["objective"] = retouch.slope.objective.name
    making = {
        "command": "transfer",
        "content": str(content_path),
        "style": str(style_path),
        "run": run and run.describe(),
        "config": config.model_dump(mode="json"),
        "bits": bits,
    }
    write_sidecar(output, making, result)
    return result


def style_tile_optimizer(
    style_path: Path, listener: AudioModel, config: TransferConfig, resampled: bool
) -> TileOptimizer:
    """How tiles are changed toward the style of a recording.

    Args:
      style_path: any audio file, of any length.
      listener: network and frontend.
      config: as for `transfer`.
      resampled: whether the contents have another rate than the listener.

    Raises:
      AudioError, ConfigError, ModelError: if the style or the settings do not fit.
    """

    def objectives(size: Size | None) -> tuple[Objective, dict[str, Objective]]:
        textures = extract_grams(style_path, listener, config, size)
        styles = [
            style(layer, weight, textures[layer], config.gram, config.gram_normalization)
            for layer, weight in config.style_layers.items()
        ]
        losses = {"style_loss": total(styles)}
        if config.content_layers:
            sides = [weight * content(layer) for layer, weight in config.content_layers.items()]
            losses["content_loss"] = total(sides)
        return -weighted(losses, config), losses

    start = _start(config, style_path, listener)
    return build_tile_optimizer(listener, config, objectives, resampled, start)


def weighted(losses: dict[str, Objective], config: TransferConfig) -> Objective:
    """The loss: both sides by their weights, or by `style_strength` as shares.

    A share of the style is of its distance at the start, a share of the content of the energy that
    its activations have: so that neither side dominates for its scale alone.
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


def extract_grams(
    path: Path, listener: AudioModel, config: TransferConfig, size: Size | None = None
) -> dict[str, GramMatrix]:
    """The textures of a whole recording, by layer; see `GramExtractor`."""
    return GramExtractor(listener, config, size)(path)


class GramExtractor:
    """Reads the textures of recordings; compiled once for all of them.

    Args:
      listener: network and frontend.
      config: whose style layers are read.
      size: of the view, an octave; None for the view as it is.
    """

    def __init__(
        self, listener: AudioModel, config: TransferConfig, size: Size | None = None
    ) -> None:
        self.listener = listener
        self.config = config
        network = inspect.tap(listener.model, sorted(config.style_layers))
        if size is not None:
            inspect.check_input(network, (*size, network.input.shape[-1]))

        @tf.function(reduce_retracing=True)
        def hear(tile: tf.Tensor) -> dict[str, tf.Tensor]:
            return dict(network(listener.frontend(tile, size), training=False))

        self._hear = hear

    def __call__(self, path: Path, gain: float = 1.0) -> dict[str, GramMatrix]:
        """The textures of a whole recording, by layer.

        Args:
          path: any audio file.
          gain: how much louder it is heard than it is.
        """
        readers = {layer: GramAccumulator(self.config.gram) for layer in self.config.style_layers}
        for tile in _style_tiles(path, self.listener, self.config):
            heard = self._hear(tf.constant(tile * np.float32(gain)))
            for layer, activations in heard.items():
                readers[layer].add(activations)
        return {layer: reader.texture() for layer, reader in readers.items()}


def _style_tiles(path: Path, listener: AudioModel, config: TransferConfig) -> Iterator[np.ndarray]:
    """Full tiles `[1, samples]` that cover a recording; a short one is repeated."""
    samples = listener.clip_samples
    if config.tiles.seconds is not None:
        samples = round(config.tiles.seconds * listener.sample_rate)
    before: np.ndarray | None = None
    with audio.Reader(path) as reader:
        for piece in audio.rechunk(reader.mid(listener.sample_rate), samples):
            tile = piece[:, 0]
            if len(tile) < samples:
                # The end of the recording, with as much of what was before as fills the tile.
                tile = (
                    np.resize(tile, samples)
                    if before is None
                    else np.concatenate([before, tile])[-samples:]
                )
            yield tile[np.newaxis]
            before = tile


def build_audio_model(config: TransferConfig, run: Run | None) -> AudioModel:
    """The network that a transfer listens with.

    Raises:
      ConfigError: if there is a run and the configuration names another network, or the reverse.
    """
    if isinstance(config.network, FeatureNetworkConfig):
        if run is not None:
            raise ConfigError(
                f"--model does not go with network.name={config.network.name}; leave it out, or "
                "use --config transfer/lil_data"
            )
        return FeatureNetwork.build(config.network)
    if run is None:
        raise ConfigError("network.kind=run needs the run of a network; give one with --model")
    return run


def _start(config: TransferConfig, style_path: Path, listener: AudioModel) -> Start | None:
    if config.init == "content":
        return None
    if config.init == "style":
        first = next(_style_tiles(style_path, listener, config))
        return lambda tiles, rng: np.repeat(first, len(tiles), axis=0)
    return noise
