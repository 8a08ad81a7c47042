"""The losses of transfers by gradients, and their weighted sum."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import tensorflow as tf

from tfdream.config import TransferConfig
from tfdream.errors import ConfigError
from tfdream.signal.images import Size
from tfdream.synthesis.ascent import musical
from tfdream.synthesis.ascent.gram import extract_grams, style
from tfdream.synthesis.ascent.objectives import Objective
from tfdream.synthesis.ascent.objectives.base import relative, total
from tfdream.synthesis.ascent.objectives.original import content
from tfdream.synthesis.ascent.statistics import statistic_loss
from tfdream.synthesis.audio_model import AudioModel


def transfer_losses(
    style_path: str | Path,
    audio_model: AudioModel,
    config: TransferConfig,
    size: Size | None,
    features: Mapping[str, int] | None = None,
) -> dict[str, Objective]:
    """Return the losses by name.

    They are those of the style's Gram matrices, of the content if it has layers, of the style's
    statistics, and of what is kept.

    Args:
      style_path: any audio file.
      audio_model: network and frontend.
      config: layers, weights and statistics.
      size: size of an octave, to which the view is resized; None for the view as it is.
      features: number of features of the style layers in the published network, if `audio_model`
        has an equivalent one with fewer features.

    Raises:
      ConfigError: if the network has no input that a loss needs.
    """
    grams = extract_grams(style_path, audio_model, config, size)
    published = features or {}
    styles = [
        style(
            layer,
            weight,
            target=grams[layer],
            over=config.gram,
            normalization=config.gram_normalization,
            features=published.get(layer),
        )
        for layer, weight in config.style_layers.items()
    ]
    losses = {"style_loss": total(styles)}
    if config.content_layers:
        contents = [weight * content(layer) for layer, weight in config.content_layers.items()]
        losses["content_loss"] = total(contents)
    for name in config.style_statistics:
        losses[f"{name}_loss"] = statistic_loss(name, style_path, audio_model, config, size)
    for kept in config.keep:
        losses[f"{kept}_loss"] = _kept(kept, audio_model)
    return losses


def _kept(feature: Literal["rhythm", "harmony"], audio_model: AudioModel) -> Objective:
    """Return the distance of a feature that is kept from that of the content."""
    if feature == "harmony":
        return musical.harmony(audio_model.frontend, audio_model.sample_rate)
    if len(audio_model.frontend.shape(audio_model.input_samples)) != 3:
        raise ConfigError(
            "keep=rhythm needs a network with images as input, which this network's frontend does "
            "not give; leave it out"
        )
    return musical.rhythm()


def weighted_loss(losses: dict[str, Objective], config: TransferConfig) -> Objective:
    """Return the weighted sum of all losses.

    With `style_strength`, `style_statistics` or `keep` the losses are relative: to those of the
    original, and to the energy of the original's activations for the content, so that none
    dominates because of its scale.
    """
    style_loss, content_loss = losses["style_loss"], losses.get("content_loss")
    style_weight, content_weight = config.style_weight, config.content_weight
    if config.style_strength is not None:
        style_weight, content_weight = config.style_strength, 1 - config.style_strength
    if config.style_strength is not None or config.style_statistics or config.keep:
        style_loss = relative(style_loss, to=tf.identity)
        content_loss = content_loss and relative(content_loss, to=tf.zeros_like)
    weighted = style_weight * style_loss
    if content_loss is not None and content_weight:
        weighted += content_weight * content_loss
    for name, weight in config.style_statistics.items():
        weighted += style_weight * weight * relative(losses[f"{name}_loss"], to=tf.identity)
    for kept in config.keep:
        weighted += config.keep_weight * losses[f"{kept}_loss"]
    return weighted
