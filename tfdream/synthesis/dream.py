"""`dream`: let a network hear more of what it hears in a recording already."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfdream import audio
from tfdream.config import DreamConfig
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models import inspect
from tfdream.runs import Run
from tfdream.synthesis.ascent.expressions import layer_norms, parse
from tfdream.synthesis.guide import read_guide
from tfdream.synthesis.rendering.batch import change_each, destinations, recordings
from tfdream.synthesis.rendering.process import (
    check_output,
    claimed,
    process_file,
    write_sidecar,
)
from tfdream.synthesis.rendering.snapshots import numbered, snapshot_steps
from tfdream.synthesis.rendering.tiles import TileGrid
from tfdream.synthesis.tile_optimizer import TileOptimizer, build_tile_optimizer, noise

LAYER = "{layer}"
"""What stands for the layer in the names of outputs of `dream_layers`."""


class Dreamer:
    """A network and what it is to dream of; compiled once, for any number of recordings.

    Args:
      run: the network.
      config: objective, canvas, octaves, optimizer and tiles.
      guide: a recording, for objectives that heed one.

    Raises:
      AudioError, ConfigError, ModelError: if the settings do not fit the network.

    Source: "Dreaming in Music", section III-C.
    """

    def __init__(self, run: Run, config: DreamConfig, guide: Path | None = None) -> None:
        self.run = run
        self.config = config
        self.guide = guide
        self.objective = parse(config.objective, inspect.deepest_convolution(run.model), run.labels)
        inspect.find_layers(run.model, self.objective.layers)  # refuses one that is not there
        if self.objective.guided and guide is None:
            raise ConfigError(
                f"objective '{self.objective.name}' needs a guide; give a recording with --guide"
            )
        if guide is not None and not self.objective.guided:
            raise ConfigError(
                f"objective '{self.objective.name}' heeds no guide; leave it out, or use an "
                "objective such as guide_match()"
            )
        grid = TileGrid.build(config.tiles, run.clip_samples, run.sample_rate)
        self._guide = read_guide(guide, run.sample_rate, grid.samples) if guide else None
        self._retouches: dict[bool, TileOptimizer] = {}

    def retouch(self, resampled: bool) -> TileOptimizer:
        """How tiles are changed; `resampled` if the recording has another rate than the network."""
        if resampled not in self._retouches:
            self._retouches[resampled] = build_tile_optimizer(
                self.run,
                self.config,
                lambda size: (self.objective, {"objective": self.objective}),
                resampled,
                noise if self.config.init == "noise" else None,
                self._guide,
            )
        return self._retouches[resampled]

    def __call__(
        self,
        source: Path,
        output: Path,
        *,
        start_seconds: float = 0.0,
        seconds: float | None = None,
        force: bool = False,
        bits: int | None = None,
        save_every: int | None = None,
        progress: ProgressFn = no_progress,
    ) -> dict[str, Any]:
        """Change a recording so that the objective rises, and measure the written file.

        Args:
          source: any audio file, of any length.
          output: wav, flac or ogg, by its extension; of the source's rate and channels. Beside it
            goes a sidecar, ``<output>.json``, with all settings and measures.
          start_seconds, seconds: the part of the source that is dreamt and written; all, if None.
          force: overwrite `output`.
          bits: of the output, see `audio.Writer`.
          save_every: also write what it is like every so many steps, beside `output`.
          progress: receives finished and all steps; if it returns True, the rest is unchanged.

        Returns:
          The JSON object of the command: objective_before, objective_after (as the optimizer left
          it), objective_rendered (of the written file), and what `recording.process_file` adds.

        Raises:
          AudioError, ConfigError: if the file or the settings do not fit.
        """
        resampled = audio.info(source).sample_rate != self.run.sample_rate
        retouch = self.retouch(resampled)
        kept = snapshot_steps(save_every, retouch.steps)
        for path in (output, *(numbered(output, step, retouch.steps) for step in kept)):
            check_output(path, bits, force, (source, self.guide))
        making = self.making(source, start_seconds=start_seconds, seconds=seconds, bits=bits)
        with claimed(output), audio.excerpt(source, start_seconds, seconds) as original:
            result = process_file(
                original, output, retouch, bits, self.config.normalize, save_every, progress
            )
            result["objective"] = self.objective.name
            write_sidecar(output, making, result)
        return result

    def making(
        self,
        source: Path,
        *,
        start_seconds: float = 0.0,
        seconds: float | None = None,
        bits: int | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """What decides how a recording's dream sounds; arguments as for a call."""
        return {
            "command": "dream",
            "source": str(source),
            "start_seconds": start_seconds,
            "seconds": seconds,
            "guide": self.guide and str(self.guide),
            "run": self.run.describe(),
            "config": self.config.model_dump(mode="json"),
            "bits": bits,
        }


def dream(
    source: Path,
    output: Path,
    run: Run,
    config: DreamConfig,
    guide: Path | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Dream one recording; see `Dreamer`, whose call takes the options."""
    return Dreamer(run, config, guide)(source, output, **options)


def dream_folder(
    sources: Iterable[Path], folder: Path, dreamer: Dreamer, force: bool = False, **options: Any
) -> dict[str, Any]:
    """Dream recordings, and those in folders, into a folder; see `batch.change_each`.

    Args:
      sources: files and folders.
      folder: where they go, under their own names.
      dreamer: the dream.
      force: keep nothing of what is there.
      options: of a dreamer's call.
    """

    def change(source: Path, output: Path, replace: bool) -> dict[str, Any]:
        return dreamer(source, output, force=replace, **options)

    outputs = destinations(recordings(sources, folder), folder)
    return change_each(outputs, change, lambda source: dreamer.making(source, **options), force)


def dream_layers(
    source: Path,
    output: Path,
    run: Run,
    config: DreamConfig,
    layers: Iterable[str],
    guide: Path | None = None,
    force: bool = False,
    bits: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Dream a recording once for each layer.

    Args:
      source: any audio file.
      output: with ``{layer}`` in its name.
      run: the network.
      config: of all; its objective is replaced.
      layers: whose norm is maximized.
      guide, force, bits, options: see `Dreamer` and its call.

    Returns:
      files: the results; interrupted, if one was: then it is the last.
    """
    outputs = {
        layer: output.with_name(output.name.replace(LAYER, layer.replace("/", "-")))
        for layer in layers
    }
    inspect.find_layers(run.model, layers)  # refuses one that is not there, before the work
    for path in outputs.values():
        check_output(path, bits, force, (source, guide))
    result: dict[str, Any] = {"files": []}
    for layer, path in outputs.items():
        own = config.model_copy(update={"objective": layer_norms([layer])})
        dreamer = Dreamer(run, own, guide)
        result["files"].append(dreamer(source, path, force=force, bits=bits, **options))
        if "interrupted" in result["files"][-1]:
            result["interrupted"] = True
            break
    return result
