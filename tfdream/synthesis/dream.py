"""`dream`: change a file so that an objective of a network's activations rises."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfdream import audio
from tfdream.config import DreamConfig
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models import inspect
from tfdream.presets import ModelCard
from tfdream.runs import Run
from tfdream.synthesis.ascent.expressions import layer_norms, parse
from tfdream.synthesis.guide import read_guide
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.curved_processor import Adjustment, curved
from tfdream.synthesis.rendering.names import PLAIN, Names
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.processor import Goal, TileProcessor
from tfdream.synthesis.rendering.sidecar import Provenance
from tfdream.synthesis.rendering.sources import Source
from tfdream.synthesis.rendering.tile_recipe import TileRecipe
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timelines
from tfdream.synthesis.tile_optimizer import (
    MAX_OPTIMIZERS,
    UNCOMPILED,
    Objectives,
    TileOptimizer,
    build_tile_optimizer,
    noise,
    passband,
    tile_grid,
)

LAYER = "{layer}"
"""Placeholder of the layer in the output names of `dream_layers`."""


class Dreamer(TileRecipe):
    """A network and a recipe, compiled once for any number of files.

    Args:
      run: the network.
      config: objective, canvas, octaves, optimizer and tiles.
      guide: audio file of a guided objective.

    Raises:
      AudioError, ConfigError, ModelError: if the settings do not fit the network.

    Source: "Dreaming in Music", section III-C.
    """

    config: DreamConfig

    def __init__(self, run: Run, config: DreamConfig, guide: str | Path | None = None) -> None:
        self.run = run
        self.config = config
        self.guide = Path(guide) if guide else None
        self.other_inputs = (self.guide,)
        self.objective = parse(config.objective, lambda: default_layer(run), run.labels)
        inspect.find_layers(run.model, self.objective.layers)  # raises for a missing layer
        if self.objective.guided and guide is None:
            raise ConfigError(
                f"objective '{self.objective.name}' needs a guide; give one with --guide"
            )
        if guide is not None and not self.objective.guided:
            raise ConfigError(
                f"objective '{self.objective.name}' does not use a guide; remove --guide, or use "
                "an objective such as guide_match()"
            )
        grid = tile_grid(run, config)
        self._guide = read_guide(guide, run.sample_rate, grid.samples) if guide else None
        self._optimizers: dict[float | None, TileOptimizer] = {}

    def tile_optimizer(self, file_rate: int) -> TileOptimizer:
        """Return the tile optimizer for files of a sample rate in Hz."""
        share = passband(file_rate, self.run.sample_rate)
        if share not in self._optimizers:
            if len(self._optimizers) == MAX_OPTIMIZERS:
                self._optimizers.clear()
            self._optimizers[share] = self._build(self.config, share)
        return self._optimizers[share]

    def _build(
        self, config: DreamConfig, share: float | None, timelines: Timelines = NO_TIMELINES
    ) -> TileOptimizer:
        return build_tile_optimizer(
            self.run,
            config,
            Objectives(
                lambda size: (self.objective, {"objective": self.objective}),
                # From noise, the objective of the original is no baseline: that of its own content
                # is 0, the maximum.
                Goal("objective") if config.init == "original" else None,
            ),
            share,
            noise if config.init == "noise" else None,
            self._guide,
            timelines,
        )

    def processor(self, source: Source) -> TileProcessor:
        file_rate = audio.info(source.path).sample_rate
        if source.timelines == NO_TIMELINES:
            return self.tile_optimizer(file_rate)
        return curved(
            self.config,
            source.timelines,
            lambda config: self._build(
                config, passband(file_rate, self.run.sample_rate), source.timelines
            ),
            Adjustment(UNCOMPILED, TileOptimizer.with_recipe),
        )

    def identify(self, source: str | Path) -> Provenance:
        return {
            "command": "dream",
            "source": str(source),
            "guide": self.guide and str(self.guide),
            "run": self.run.describe(),
        }

    def details(self, processor: TileProcessor) -> dict[str, Any]:
        return {"objective": self.objective.name}


def default_layer(run: Run) -> str:
    """Return the layer of objectives that name none.

    It is the first of the layers that the run's model card recommends for dreams; without a card,
    the convolution in the middle, because deeper ones move the spectrum less and the notes more.
    """
    card = ModelCard.read(run.folder)
    if card is not None and card.dream_layers:
        return card.dream_layers[0]
    return inspect.middle_convolution(run.model)


def dream(
    source: str | Path,
    output: str | Path,
    run: Run,
    config: DreamConfig,
    guide: str | Path | None = None,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Dream one file; see `Dreamer` and its call.

    Args:
      source: any audio file, of any length.
      output: wav, flac or ogg, by its extension.
      run: the network.
      config: objective, canvas, octaves, optimizer and tiles.
      guide: audio file of a guided objective.
      options: part of the source, format, snapshots, and whether to overwrite.
      progress: receives finished and all steps; if it returns True, the rest stays unchanged.

    Returns:
      The JSON object of the command.
    """
    return Dreamer(run, config, guide)(source, output, options, progress)


def layer_outputs(
    output: str | Path, layers: Iterable[str], names: Names = PLAIN
) -> dict[str, Path]:
    """Return the path of the output of each layer.

    Args:
      output: path with ``{layer}`` in its name.
      layers: names of the layers.
      names: whether outputs are numbered instead of refusing names that exist.
    """
    output = Path(output)
    outputs: dict[str, Path] = {}
    for layer in dict.fromkeys(layers):
        path = output.with_name(output.name.replace(LAYER, layer.replace("/", "-")))
        outputs[layer] = names.free(path, taken=outputs.values())
    return outputs


def dream_layers(
    source: str | Path,
    outputs: Mapping[str, Path],
    run: Run,
    config: DreamConfig,
    guide: str | Path | None = None,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Dream a file once for each layer.

    Args:
      source: any audio file.
      outputs: paths by the name of the layer, see `layer_outputs`.
      run: the network.
      config: the recipe; its objective is replaced by the norm of each layer.
      guide: as for `dream`.
      options: as for `dream`.
      progress: as for `dream`.

    Returns:
      files: the results; interrupted, if the last one was interrupted.
    """
    inspect.find_layers(run.model, outputs)  # raises for a missing layer before the work begins
    for path in outputs.values():
        sidecar.check_output(path, options.bits, options.force, (source, guide))
    result: dict[str, Any] = {"files": []}
    for layer, path in outputs.items():
        recipe = config.model_copy(update={"objective": layer_norms([layer])})
        result["files"].append(dream(source, path, run, recipe, guide, options, progress))
        if "interrupted" in result["files"][-1]:
            result["interrupted"] = True
            break
    return result
