"""Comparison of several models on one pair of content and style: outputs, losses, measures."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfdream.evaluation.measures.style import StyleDistance
from tfdream.evaluation.prediction import Judge
from tfdream.io.atomic import read_csv, write_csv
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import Run
from tfdream.synthesis.rendering.batch import FileRecipe, process_each
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions


@dataclass(frozen=True)
class ModelOutput:
    """The output of one model.

    Attributes:
      name: name of the model.
      path: the written file.
      losses: the loss at each step of each batch of tiles, summed over its tiles; empty for a model
        that optimizes nothing.
      interrupted: whether the rest of the file is unchanged.
    """

    name: str
    path: Path
    losses: Sequence[float]
    interrupted: bool = False


def apply_models(
    content: str | Path,
    folder: str | Path,
    models: Mapping[str, FileRecipe[RenderOptions]],
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
    stop_requested: Callable[[], bool] = lambda: False,
) -> list[ModelOutput]:
    """Apply several models to one file; finished outputs of the same settings remain.

    Args:
      content: any audio file.
      folder: receives ``<name>.flac``, its sidecar, and ``<name>.csv`` with the losses, which
        has no rows for a model that optimizes nothing.
      models: the prepared models by name, such as `StyleTransfer` and `Translation`.
      options: part of the content, and whether to replace existing outputs.
      progress: receives finished and all steps of each model, and the negative loss.
      stop_requested: returns whether to stop before the next model.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit, or an output of
        other settings exists.
    """
    outputs: list[ModelOutput] = []
    for name, model in models.items():
        path = output_path(folder, name)
        recorder = _Recorder(losses_table(folder, name), progress)
        result = process_each({Path(content): path}, model, options, recorder, stop_requested)
        if result["skipped_existing"] and not recorder.table.exists():
            # The process was killed between the output and its losses.
            again = replace(options, force=True)
            result = process_each({Path(content): path}, model, again, recorder, stop_requested)
        if result["files"]:
            recorder.write()
        elif not result["skipped_existing"]:  # stopped before the model began
            break
        losses = [float(row["loss"]) for row in read_csv(recorder.table)]
        outputs.append(ModelOutput(name, path, losses, "interrupted" in result))
    return outputs


def output_path(folder: str | Path, model: str) -> Path:
    """Return the path of the output of a model."""
    return Path(folder) / f"{model}.flac"


def losses_table(folder: str | Path, model: str) -> Path:
    """Return the path of the table with the losses of a model."""
    return Path(folder) / f"{model}.csv"


class _Recorder:
    """A progress callback that records the losses, whose negatives it receives, in a table.

    The table is removed at the first step and complete only after the output: a table that exists
    belongs to the output.
    """

    def __init__(self, table: Path, progress: ProgressFn) -> None:
        self.table = table
        self.progress = progress
        self.losses: list[float] = []

    def __call__(
        self, done: int, total: int, value: float = math.nan, note: str = ""
    ) -> bool | None:
        if not self.losses:
            self.table.unlink(missing_ok=True)
        if not math.isnan(value):  # NaN: nothing is optimized
            self.losses.append(-value)
        return self.progress(done, total, value, note)

    def write(self) -> None:
        """Write the table."""
        rows = [{"step": n, "loss": loss} for n, loss in enumerate(self.losses, 1)]
        write_csv(self.table, rows, ("step", "loss"))


def judge_outputs(
    content: str | Path,
    style: str | Path,
    outputs: Sequence[ModelOutput],
    judge: Run | None = None,
) -> list[dict[str, Any]]:
    """Measure and classify content, style and outputs; return one row for each.

    Args:
      content: the file that the models changed.
      style: the file whose style the outputs should have.
      outputs: the outputs of the models.
      judge: a classifier; None leaves out its predictions.

    Returns:
      sound; style_distance, see `measures.style.StyleDistance` (None without a loudness); and by
      the judge: label and its probability, style_probability (of the label that the style is
      classified as), same_as_style (whether the labels are equal).

    Source: "Music Generation using Style Transfer", sections 1.2 and 4.
    """
    sounds = {"content": Path(content), "style": Path(style)}
    sounds |= {output.name: output.path for output in outputs}
    distance = StyleDistance(style)
    rows: dict[str, dict[str, Any]] = {
        name: {"sound": name, "style_distance": distance.distance_of(path)}
        for name, path in sounds.items()
    }
    if judge is not None:
        classifier = Judge(judge)
        predictions = {name: classifier.classify_file(path) for name, path in sounds.items()}
        target = predictions["style"].label
        for name, prediction in predictions.items():
            rows[name] |= {
                "label": prediction.label,
                "probability": prediction.probabilities[prediction.label],
                "style_probability": prediction.probabilities[target],
                "same_as_style": prediction.label == target,
            }
    return list(rows.values())
