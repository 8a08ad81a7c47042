"""Autocorrelation of the onset strength of audio files over time."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from tfdream import config
from tfdream.config.base import Positive
from tfdream.errors import ConfigError
from tfdream.figures.base import AudioFigureOptions, Drawing, Option, Overrides, Recipe, overridden
from tfdream.figures.parts.sheet import (
    VALUE_MAP,
    FloatArray,
    add_color_bar,
    new_subplots,
    set_title,
)


class Options(AudioFigureOptions):
    """Draw the autocorrelation of the onsets of AUDIO files over time, one below the other."""

    recipe: Recipe = "autocorrelogram_cnn"
    seconds: Annotated[Positive, Option(metavar="S")] = Field(
        5.0, description="Length of the audio around each column."
    )
    overrides: Overrides = overridden("prepare.sample_rate=16000")


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot autocorrelograms`."""
    from tfdream.signal.features import running_autocorrelogram
    from tfdream.signal.frontends.features import FeatureFrontendConfig

    settings = config.load(options.recipe, config.Experiment, options.overrides)
    frontend, rate = settings.frontend, settings.prepare.sample_rate
    if not isinstance(frontend, FeatureFrontendConfig) or frontend.kind == "features":
        raise ConfigError(
            f"frontend.kind={frontend.kind} of config '{options.recipe}' has no lags; name one of "
            "kind=autocorrelogram"
        )
    images = [
        running_autocorrelogram(path, rate, frontend, options.seconds) for path in options.audio
    ]
    lag_seconds = frontend.stft.hop_samples / rate
    return Drawing(plot_autocorrelograms(images, lag_seconds, options.names))


def plot_autocorrelograms(
    images: Sequence[tuple[FloatArray, FloatArray]], lag_seconds: float, titles: Sequence[str]
) -> Figure:
    """Draw the autocorrelation of onsets over time, one file below the other.

    Args:
      images: for each file, the edges of the columns in seconds `[columns + 1]`, and the
        autocorrelation float32 `[lags, columns]`, which is 1 at lag 0.
      lag_seconds: distance of the lags.
      titles: titles of the files.

    Source: "Music generation using style transfer", the classifier on autocorrelograms.
    """
    figure, axes = new_subplots(len(images))
    for axis, (edges, image), title in zip(axes, images, titles, strict=True):
        lags = (np.arange(len(image) + 1) - 0.5) * lag_seconds
        mesh = axis.pcolormesh(edges, lags, image, vmin=0, vmax=1, cmap=VALUE_MAP, rasterized=True)
        axis.set(ylim=(0, lags[-1]), xlim=(0, max(each[0][-1] for each in images)))
        axis.set_ylabel("lag / s")
        set_title(axis, title)
        add_color_bar(axis, mesh, "autocorrelation")
    axes[-1].set_xlabel("time / s")
    return figure
