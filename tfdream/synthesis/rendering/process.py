"""Processing of a file: change its tiles, write the output, and measure the written file."""

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.audio.notes import examine
from tfdream.config import FilterConfig, Normalization, RenderConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.goals import GoalCheck
from tfdream.synthesis.rendering.measures import REMEDY, WeightedMeans
from tfdream.synthesis.rendering.mixdown import seam
from tfdream.synthesis.rendering.notes import (
    level_notes,
    log_notes,
    mask_notes,
    phase_notes,
    start_notes,
    step_notes,
)
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.processor import RenderFn, TileProcessor
from tfdream.synthesis.rendering.snapshots import Snapshots, snapshot_path, snapshot_steps
from tfdream.synthesis.rendering.sources import Source
from tfdream.synthesis.rendering.tiles import (
    Finish,
    TileGrid,
    Tiles,
    batches_in,
    change_file,
    tile_pairs,
)
from tfdream.synthesis.rendering.timelines import Timeline

_logger = logging.getLogger(__name__)
_DEFAULT_CONFIG = RenderConfig()


def check_outputs(
    output: Path, options: RenderOptions, max_steps: int, inputs: Iterable[str | Path | None]
) -> None:
    """Check that an output and all its snapshots can be written; see `sidecar.check_output`.

    Args:
      output: the audio file.
      options: bits, force, the steps of the snapshots, and other outputs.
      max_steps: largest number of steps for each tile.
      inputs: files that no output must replace; None is ignored.

    Raises:
      AudioError: if a file cannot be written, or a snapshot would replace another output.
    """
    inputs = list(inputs)
    sidecar.check_output(output, options.bits, options.force, inputs)
    if options.save_every is not None and options.save_every >= max_steps:
        _logger.warning(
            "'%s' has no intermediate results: its number of steps is %d", output, max_steps
        )
    for step in snapshot_steps(options.save_every, max_steps):
        path = snapshot_path(output, step, max_steps)
        if path in options.other_outputs or "command" in sidecar.read(path):
            raise AudioError(
                f"snapshot '{path}' of '{output.name}' would replace the output of the same name; "
                "write one of them into another folder"
            )
        sidecar.check_output(path, options.bits, options.force, inputs)


def process_file(
    source: Path | Source,
    output: Path,
    processor: TileProcessor,
    config: RenderConfig = _DEFAULT_CONFIG,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Change a file, or an excerpt or component of it, and measure the written file.

    Args:
      source: any audio file, of which `options` select the range that is processed, or a prepared
        source, which has its own range.
      output: the file to write.
      processor: changes the tiles.
      config: share of the change, filters and level of the output.
      options: bits, range of the source, tag of the output, and snapshots, which have no tag;
        `force` is checked by the caller.
      progress: receives finished and all steps; if it returns True, the rest stays unchanged.

    Returns:
      Every measure of the tiles, and with the suffix `_rendered` those of the written file (means
      over the tiles, weighted by their share of signal), spectral_convergence_db, steps,
      audio_seconds, compute_seconds, and the properties of the output, see `audio.Written`; for a
      loop, seam_step and largest_step, see `mixdown.seam`; for a processor with a goal, `Goal.key`
      and unchanged_tiles, the number of tiles that were left unchanged because the goal's measure
      got worse; snapshots, if there are any; interrupted and changed_seconds, if stopped; notes on
      the input (see `audio.notes`), the level and the goal.
    """
    if isinstance(source, Path):
        source = Source(source, options.start_seconds, options.seconds)
    with audio.part_of(source.path, source.start_seconds, source.seconds) as excerpt:
        return _Job(source, excerpt, output, processor, config, options, progress).run()


@dataclass
class _Job:
    """The processing of one file.

    Attributes:
      source: the file with its range, curves and mixdown.
      excerpt: the range of `source.path`, whose tiles are changed.
      output: the file to write.
    """

    source: Source
    excerpt: audio.Part
    output: Path
    processor: TileProcessor
    config: RenderConfig
    options: RenderOptions
    progress: ProgressFn
    measures: WeightedMeans = field(default_factory=WeightedMeans)
    goal_check: GoalCheck = field(init=False)
    total: int = 0
    done: int = 0
    stopped_at_seconds: float | None = None

    def __post_init__(self) -> None:
        self.goal_check = GoalCheck(self.processor, self.options.keep_falling)

    @property
    def named(self) -> Path:
        """The recording that the caller gave, for messages."""
        return self.source.named or self.source.path

    @property
    def original(self) -> Path:
        """The recording or excerpt that the output replaces, whose loudness it may have."""
        return self.source.original or self.excerpt.path

    @property
    def reference(self) -> Path:
        """The file that the changed component is compared with."""
        return self.source.reference or self.excerpt.path

    @cached_property
    def grid(self) -> TileGrid:
        """The positions of the tiles; those of a short loop contain its repetition."""
        loop_samples = self.source.mixdown.loop_samples
        if loop_samples is None:
            return self.processor.grid
        ratio = self.processor.sample_rate / audio.info(self.excerpt.path).sample_rate
        return replace(self.processor.grid, period=max(1, round(loop_samples * ratio)))

    def run(self) -> dict[str, Any]:
        started = time.perf_counter()
        rate, grid = self.processor.sample_rate, self.grid
        excerpt = self.excerpt.path
        input_notes = self._input_notes()
        log_notes(self.named, input_notes)
        self.total = batches_in(excerpt, rate, grid) * self.processor.steps
        gain = normalizing_gain(self.config.normalize, self.original, self.config.filter)
        finish = Finish(self.options.bits, gain, self.config.filter, self.source.mixdown)
        tagged = replace(finish, tag=self.options.tag)
        paths = []
        with Snapshots(self.options.save_every, self.processor.steps) as snapshots:

            def change(tiles: Tiles) -> NDArray[Any]:
                return self._change(tiles, snapshots)

            written = change_file(excerpt, self.output, rate, grid, change, tagged)
            for step, replay in snapshots.replays(self.stopped_at_seconds is not None):
                paths.append(snapshot_path(self.output, step, self.processor.steps))
                change_file(excerpt, paths[-1], rate, grid, replay, finish)
        audio_seconds = written.samples / written.sample_rate
        result = {
            "output": str(self.output),
            **self.measures.means(),
            "spectral_convergence_db": self.measures.convergence_db(),
            **self._measure_file(written, finish),
            "steps": self.done,
            "audio_seconds": audio_seconds,
            "compute_seconds": round(time.perf_counter() - started, 3),
            **written._asdict(),
        }
        result |= self.goal_check.result(result)
        notes = [
            *level_notes(written),
            *mask_notes(self.config, written),
            *step_notes(self.config),
            *phase_notes(self.config, self.goal_check.tile_count),
            *start_notes(self.config, written, rate),
            *self.goal_check.notes(result),
        ]
        log_notes(self.output, notes)
        result["notes"] = [*input_notes, *notes]
        if self.source.mixdown.loop_samples is not None:
            result |= seam(self.output)
        if paths:
            result["snapshots"] = [str(path) for path in paths]
        if self.stopped_at_seconds is not None:
            changed_seconds = min(self.stopped_at_seconds, audio_seconds)
            result |= {"interrupted": True, "changed_seconds": changed_seconds}
        return result

    def _input_notes(self) -> list[str]:
        """Return the notes on the recording, and those on its component that differ from them."""
        rate, seconds = self.processor.sample_rate, self.grid.samples / self.processor.sample_rate
        is_loop = self.source.mixdown.loop_samples is not None
        damage = self.source.damage or self.excerpt.damage
        notes = examine(self.original, rate, None if is_loop else seconds, damage)
        if self.options.part is None:
            return notes
        component_notes = examine(self.reference, rate, None, self.source.stem_damage)
        prefix = f"the part '{self.options.part}': "
        return notes + [prefix + each for each in component_notes if each not in notes]

    def _change(self, tiles: Tiles, snapshots: Snapshots) -> NDArray[Any]:
        """Process a batch of tiles, unless the job was stopped before."""
        rate = self.processor.sample_rate
        if not tiles.weights.any():  # a very short file at a high rate may be resampled to nothing
            raise AudioError(f"'{self.named}' is shorter than a sample at {rate} Hz; remove it")
        first = self.done

        def on_step(value: float, render: RenderFn) -> bool:
            self.done += 1
            if snapshots.includes(self.done - first):
                snapshots.add(self._blend(tiles, render()))
            if self.options.preview is not None:
                self.options.preview(
                    self.done,
                    float(tiles.starts[0]) / rate,
                    rate,
                    lambda: self._blend(tiles, render())[0],
                )
            if self.progress(min(self.done, self.total), self.total, value):
                end = tiles.starts[-1] + self.processor.grid.samples
                self.stopped_at_seconds = float(end) / rate
            return self.stopped_at_seconds is not None

        apply = self.stopped_at_seconds is None
        changed, measures = self.processor.process(tiles, on_step, apply)
        if apply:
            changed, measures = self.goal_check.revert_worse(tiles, changed, measures)
        self.measures.add(measures, tiles.weights)
        if not np.isfinite(changed).all():
            raise ConfigError(f"the changed audio contains NaN or infinite values; {REMEDY}")
        changed = self._blend(tiles, changed)
        snapshots.finish(changed)
        return changed

    def _blend(self, tiles: Tiles, changed: NDArray[Any]) -> NDArray[Any]:
        """Blend original and changed channels; `mix` 0 is the original, 1 the change."""
        mix: Any = self.source.timelines.continuous.get("mix", self.config.mix)
        if isinstance(mix, Timeline):
            seconds = tiles.starts[:, np.newaxis] + np.arange(changed.shape[1])
            mix = mix(seconds / self.processor.sample_rate)[..., np.newaxis]
        elif mix == 1:
            return changed
        blended: NDArray[Any] = tiles.channels + np.float32(mix) * (changed - tiles.channels)
        return blended

    def _measure_file(self, written: audio.Written, finish: Finish) -> dict[str, float]:
        """Return the measures of the written file, compared with its source tile by tile.

        Of an output that has a rest, only the component is measured, see `Finish.extract`.
        """
        measures = WeightedMeans()
        pairs = tile_pairs(
            self.reference,
            self.output,
            self.processor.sample_rate,
            self.grid,
            finish,
            10 ** (written.gain_db / 20),
        )
        for original, tiles in pairs:
            measures.add(self.processor.compare(original, tiles), original.weights)
        return {f"{name}_rendered": value for name, value in measures.means().items()}


def normalizing_gain(
    normalize: Normalization, source: Path, filters: FilterConfig
) -> audio.Gain | None:
    """Return the gain that a recipe's `normalize` requires.

    Args:
      normalize: of the recipe.
      source: the original.
      filters: of the output; an output that is filtered gets the loudness of the filtered original.
    """
    if normalize == "limit":
        return None
    if normalize == "loudness":
        original = audio.measure_level(source, filters)

        def match(written: audio.Level) -> float:
            if not written.mean_square:
                return 1.0
            return math.sqrt(original.mean_square / written.mean_square)

        return match
    return lambda written: normalize / written.peak if written.peak else 1.0
