"""Gram matrices of audio files, as a style transfer computes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from tfdream import config
from tfdream.errors import ConfigError
from tfdream.figures.base import AudioFigureOptions, Drawing, Option, Overrides, Recipe, overridden
from tfdream.figures.parts.sheet import (
    LEVEL_MAP,
    WIDTH_INCHES,
    FloatArray,
    new_subplots,
    power_to_level_db,
    set_title,
)

# A larger Gram matrix is drawn as so many blocks along each axis.
_MAX_BLOCKS = 400
_RANGE_DB = 30.0
_PANEL_INCHES = 3.6
_MAX_TITLE_LENGTH = 40


class Options(AudioFigureOptions):
    """Draw the Gram matrices of AUDIO files beside each other, as a style transfer computes them.

    The title gives the norm of the difference from the last file's matrix, relative to the norm of
    that matrix.
    """

    run: Annotated[Path | None, Option("--model", "RUN")] = Field(
        None, description="A run folder, or the name of a preset, for a CONFIG that needs one."
    )
    recipe: Recipe = "transfer/texture"
    layers: Annotated[tuple[str, ...], Option("--layer")] = Field(
        (), description="A layer, repeatable; by default the style layers."
    )
    overrides: Overrides = overridden("gram=time")


def draw(options: Options) -> Drawing:
    """Draw the figure of `tfdream plot gram`.

    Raises:
      ConfigError: if the method of the recipe has no Gram matrices.
    """
    from tfdream.runs import Run
    from tfdream.synthesis.ascent.gram import extract_grams
    from tfdream.synthesis.transfer import build_audio_model

    settings = config.load_transfer(options.recipe, options.overrides)
    if not isinstance(settings, config.TransferConfig):
        raise ConfigError(
            f"config '{options.recipe}' with method={settings.method} has no Gram matrices; use a "
            "transfer by gradients, such as --config transfer/texture"
        )
    if options.layers:
        settings = settings.model_copy(update={"style_layers": dict.fromkeys(options.layers, 1.0)})
    model = build_audio_model(settings, Run.open(options.run) if options.run else None)
    grams = [extract_grams(path, model, settings) for path in options.audio]
    matrices = [
        {layer: gram.matrix().numpy() for layer, gram in by_layer.items()} for by_layer in grams
    ]
    return Drawing(plot_grams(matrices, options.names), {"layers": list(settings.style_layers)})


def plot_grams(matrices: Sequence[Mapping[str, FloatArray]], titles: Sequence[str]) -> Figure:
    """Draw the Gram matrices of audio files beside each other, one layer below the other.

    Colors are levels in dB below the maximum of a layer over all files. The title of each matrix
    gives the norm of its difference from the last file's, relative to the norm of that one. With
    more than 400 features, each pixel shows the mean of a block.

    Args:
      matrices: for each file, float32 `[features, features]` by layer.
      titles: titles of the files.

    Source: Gatys, Ecker and Bethge, "A neural algorithm of artistic style".
    """
    layers = list(matrices[-1])
    figure, panels = new_subplots(
        len(layers),
        len(matrices),
        height=_PANEL_INCHES * len(layers),
        width=max(WIDTH_INCHES * 0.6, _PANEL_INCHES * len(matrices)),
    )
    axes = iter(panels)
    for layer in layers:
        target = matrices[-1][layer]
        blocks = [_blocks(np.abs(each[layer])) for each in matrices]
        peak = max(float(each.max()) for each in blocks)
        norm = max(float(np.linalg.norm(target)), 1e-20)
        for by_layer, image, title in zip(matrices, blocks, titles, strict=True):
            axis = next(axes)
            size = len(by_layer[layer])
            drawn = axis.imshow(
                # An entry is a mean of products of features, that is, a power.
                power_to_level_db(image, peak, _RANGE_DB),
                vmin=-_RANGE_DB,
                vmax=0,
                cmap=LEVEL_MAP,
                interpolation="nearest",
                extent=(0, size, size, 0),
            )
            set_title(axis, title, _MAX_TITLE_LENGTH)
            difference = float(np.linalg.norm(by_layer[layer] - target)) / norm
            is_target = by_layer is matrices[-1]
            subtitle = layer if is_target else f"{layer}: relative difference {difference:.3g}"
            axis.set_title(f"{axis.get_title()}\n{subtitle}", parse_math=False)
            axis.set(xlabel="feature", ylabel="feature")
        figure.colorbar(drawn, ax=axis, label="level / dB", pad=0.02, shrink=0.8)
    return figure


def _blocks(matrix: FloatArray) -> FloatArray:
    """Reduce a matrix to at most 400 × 400 blocks, each the mean of its entries."""
    count = min(len(matrix), _MAX_BLOCKS)
    starts = np.linspace(0, len(matrix), count, endpoint=False).astype(int)
    sizes = np.diff(starts, append=len(matrix))
    sums = np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1)
    means: FloatArray = sums / np.outer(sizes, sizes)
    return means
