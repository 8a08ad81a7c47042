"""A recording changed: tile by tile, written, and measured as a listener gets it."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tfdream import audio
from tfdream.config import Normalization
from tfdream.errors import AudioError, ConfigError
from tfdream.io import documents
from tfdream.io.atomic import check_output_file, naming_errors, temporary_path, write_json
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import versions
from tfdream.signal.phase import energy_db
from tfdream.synthesis.rendering.snapshots import Snapshots, numbered
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, batches_in, change_file, tile_pairs

Sound = Callable[[], np.ndarray]
"""Gives the tiles' channels as they are at the moment."""
OnStep = Callable[[float, Sound], bool | None]
"""Hears the objective of each step; True stops, and keeps what is done."""

_REMEDY = "use a smaller optimizer.step_size, or another canvas"


class TileProcessor(Protocol):
    """What becomes of the tiles of a recording."""

    @property
    def sample_rate(self) -> int:
        """Of the tiles, in Hz."""

    @property
    def grid(self) -> TileGrid:
        """Where they lie."""

    @property
    def steps(self) -> int:
        """For each batch of tiles, at most."""

    def change(
        self, tiles: Tiles, on_step: OnStep = ..., climb: bool = ...
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Change tiles, unless `climb` is false; tell `on_step` of every step.

        Returns:
          The changed channels, and measures of each tile by name.
        """

    def compare(self, original: Tiles, changed: Tiles) -> dict[str, np.ndarray]:
        """Measures of tiles of the written file, beside those that they were made of."""


def process_file(
    source: Path,
    output: Path,
    changer: TileProcessor,
    bits: int | None = None,
    normalize: Normalization = "limit",
    save_every: int | None = None,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Change a file and measure what was written.

    Args:
      source: any audio file.
      output: to be written.
      changer: how its tiles are changed.
      bits: of the output, see `audio.Writer`.
      normalize: of the output, see `config.Normalization`.
      save_every: also write what it is like every so many steps, beside `output`.
      progress: receives finished and all steps; if it returns True, the rest is unchanged.

    Returns:
      Every measure of the tiles, and `_rendered` those of the written file (means over the tiles,
      weighted by how much of a tile is signal), spectral_convergence_db, steps, audio_seconds,
      compute_seconds, and what was written: sample_rate, channels, samples, peak; snapshots, if
      there are; interrupted and changed_seconds, if it was stopped.
    """
    started = time.perf_counter()
    rate, grid = changer.sample_rate, changer.grid
    total = batches_in(source, rate, grid) * changer.steps
    measures = _Measures()
    gain = _level_gain(normalize, source)
    done = 0
    stopped_at: float | None = None

    def change(tiles: Tiles) -> np.ndarray:
        if not tiles.weights.any():  # a click at a high rate may be resampled to nothing
            raise AudioError(f"'{source}' is shorter than a sample at {rate} Hz; leave it out")
        first = done

        def on_step(value: float, sound: Sound) -> bool:
            nonlocal done, stopped_at
            done += 1
            if snapshots.wanted(done - first):
                snapshots.keep(sound())
            if progress(min(done, total), total, value):
                stopped_at = float(tiles.starts[-1] + grid.samples) / rate
            return stopped_at is not None

        changed, heard = changer.change(tiles, on_step, climb=stopped_at is None)
        measures.add(heard, tiles.weights)
        if not np.isfinite(changed).all():
            raise ConfigError(f"the changed sound is not a number; {_REMEDY}")
        snapshots.finish(changed)
        return changed

    with Snapshots(save_every, changer.steps) as snapshots:
        written = change_file(source, output, rate, grid, change, bits, gain)
        paths = []
        for number, replay in snapshots.replays():
            paths.append(numbered(output, number, changer.steps))
            change_file(source, paths[-1], rate, grid, replay, bits, gain)
    audio_seconds = written.samples / written.sample_rate
    result = {
        "output": str(output),
        **measures.means(),
        "spectral_convergence_db": measures.convergence_db(),
        **_measure_file(changer, source, output),
        "steps": done,
        "audio_seconds": audio_seconds,
        "compute_seconds": round(time.perf_counter() - started, 3),
        **written._asdict(),
    }
    if paths:
        result["snapshots"] = [str(path) for path in paths]
    if stopped_at is not None:
        result |= {"interrupted": True, "changed_seconds": min(stopped_at, audio_seconds)}
    return result


def _level_gain(normalize: Normalization, source: Path) -> audio.Gain | None:
    """Return the gain that a recipe's `normalize` requires."""
    if normalize == "limit":
        return None
    if normalize == "loudness":
        original = audio.loudness(source)

        def match(found: audio.Loudness) -> float:
            if not found.peak:
                return 1.0
            same = math.sqrt(original.mean_square / found.mean_square)
            return min(1.0, same, max(original.peak, audio.CEILING) / found.peak)

        return match
    return lambda found: normalize / found.peak if found.peak else 1.0


def _measure_file(changer: TileProcessor, source: Path, changed: Path) -> dict[str, float]:
    """The measures of a written file, tile by tile beside the file it was made of."""
    measures = _Measures()
    for original, tiles in tile_pairs(source, changed, changer.sample_rate, changer.grid):
        measures.add(changer.compare(original, tiles), original.weights)
    return {f"{name}_rendered": value for name, value in measures.means().items()}


def check_output(
    output: Path, bits: int | None, force: bool, inputs: Iterable[Path | None] = ()
) -> None:
    """See that `output` and its sidecar may be written, before the work begins.

    Args:
      output: the file.
      bits: of its samples, see `audio.Writer`.
      force: whether it may be replaced.
      inputs: what it is made of, as far as given, which may not be replaced by it.

    Raises:
      AudioError: if it exists, can never be written, or its extension is none that we write.
    """
    check_output_file(output, force, AudioError)
    is_ours = "command" in read_sidecar(output)
    check_output_file(_sidecar(output), force or is_ours, AudioError)
    audio.check_writable(output, bits)
    for path in inputs:
        if path is not None and path.resolve() == output.resolve():
            raise AudioError(f"output '{output}' would replace what it is made of; name another")


@contextmanager
def claimed(output: Path) -> Iterator[None]:
    """Note that `output` is ours until its sidecar says so: we may be killed between the two.

    The note is the sidecar's own temporary file, so that the finished sidecar takes its place.
    """
    note = temporary_path(_sidecar(output))
    with naming_errors(output):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    try:
        yield
    finally:
        if output.exists() and not _sidecar(output).exists():
            with suppress(OSError):  # what met the sidecar has removed its temporary file, too
                note.touch()
        else:
            note.unlink(missing_ok=True)


def made(output: Path, making: dict[str, Any]) -> Literal["whole", "interrupted"] | None:
    """Whether `output` is there already, made in the same way."""
    if not output.is_file():
        return None
    if temporary_path(_sidecar(output)).is_file():
        return "interrupted"
    sidecar = read_sidecar(output)
    if sidecar.get("result") is None:
        return None
    result = sidecar.pop("result")
    sidecar.pop("versions", None)
    if sidecar != json.loads(json.dumps(making)):
        return None
    return "interrupted" if "interrupted" in result else "whole"


def read_sidecar(output: Path) -> dict[str, Any]:
    """What `write_sidecar` wrote; nothing where that is missing or damaged."""
    try:
        content = documents.read_json(_sidecar(output))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_sidecar(output: Path, making: dict[str, Any], result: dict[str, Any]) -> None:
    """Write ``<output>.json``: what it takes to make `output` again, and its measures.

    Args:
      output: the file.
      making: command, inputs and settings.
      result: the JSON object of the command.
    """
    write_json(_sidecar(output), {**making, "result": result, "versions": versions()})


def _sidecar(output: Path) -> Path:
    return output.with_name(output.name + ".json")


class _Measures:
    """Weighted sums over tiles."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.sums: dict[str, float] = {}

    def add(self, heard: dict[str, np.ndarray], weights: np.ndarray) -> None:
        self.weight += float(weights.sum())
        for name, values in heard.items():
            if not np.isfinite(values).all():
                raise ConfigError(f"{name} is not a number; {_REMEDY}")
            self.sums[name] = self.sums.get(name, 0.0) + float((values * weights).sum())

    def means(self) -> dict[str, float]:
        return {
            name: total / self.weight
            for name, total in self.sums.items()
            if name not in ("error_energy", "wanted_energy")
        }

    def convergence_db(self) -> float | None:
        if "wanted_energy" not in self.sums:
            return None
        return energy_db(self.sums["error_energy"], self.sums["wanted_energy"])
