"""Comparison of models on one pair: losses in one figure, spectrograms in another, and a table."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfdream import audio
from tfdream.errors import ConfigError
from tfdream.evaluation.measures.style import loudness_of_style
from tfdream.evaluation.model_comparison import (
    apply_models,
    judge_outputs,
    losses_table,
    output_path,
)
from tfdream.figures.losses import plot_losses
from tfdream.figures.parts import sheet
from tfdream.figures.spectrograms import plot_spectrograms
from tfdream.io.atomic import check_output_file, write_csv
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import Run
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.style_transfer import StyleTransfer
from tfdream.synthesis.translate import Translation

RESERVED_NAMES = ("content", "style", "verdicts")
"""Names that no model can have: those of the two recordings and of the table."""


@dataclass(frozen=True)
class Models:
    """The compared models, by name.

    Attributes:
      transfers: styles with a recipe.
      translations: directions of CycleGANs.
      judge: a classifier whose predictions join the table; None if there is none.
    """

    transfers: Mapping[str, StyleTransfer]
    translations: Mapping[str, Translation] = field(default_factory=dict)
    judge: Run | None = None


def compare_models(
    content: str | Path,
    style: str | Path,
    folder: str | Path,
    models: Models,
    options: RenderOptions = DEFAULT_RENDER,
    progress: ProgressFn = no_progress,
    stop_requested: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Apply models to one pair, draw their losses and spectrograms, and judge the outputs.

    Args:
      content: any audio file.
      style: any audio file of 0.4 s or more; all of it is used.
      folder: receives the outputs (see `evaluation.model_comparison.apply_models`), ``losses.png``,
        ``spectrograms.png`` and ``verdicts.csv``. Finished outputs of the same settings remain.
      models: the compared models.
      options: part of the content, and whether to replace existing outputs.
      progress: receives finished and all steps of each model, and the negative loss.
      stop_requested: returns whether to stop before the next model.

    Returns:
      The JSON object of the command: outputs (path by model), losses and spectrograms (the
      figures; losses is None if no model has any), verdicts (see
      `evaluation.model_comparison.judge_outputs`); interrupted, if stopped. A call that is stopped
      before the first output writes no figure and no table; spectrograms is None then, and verdicts
      is empty.

    Raises:
      AudioError, ConfigError, ModelError: if a file or the settings do not fit, the style has no
        loudness, or the folder contains such files, but no output of these models.

    Source: "Music Generation using Style Transfer", section 4.
    """
    folder = Path(folder)
    losses_path, spectrograms_path = folder / "losses.png", folder / "spectrograms.png"
    verdicts_path = folder / "verdicts.csv"
    for figure in (losses_path, spectrograms_path):
        sheet.check_writable(figure)
    by_name = {**models.transfers, **models.translations}
    if not options.force:
        _check_keeps_foreign(folder, by_name, (losses_path, spectrograms_path, verdicts_path))
    loudness_of_style(style)  # the verdicts need it
    outputs = apply_models(content, folder, by_name, options, progress, stop_requested)
    if not outputs:
        return {
            "outputs": {},
            "losses": None,
            "spectrograms": None,
            "verdicts": [],
            "interrupted": True,
        }
    trained = {name: each.run.folder for name, each in models.translations.items()}
    curves = {each.name: each.losses for each in outputs if each.losses}
    has_losses = bool(curves or trained)
    if has_losses:
        sheet.write(plot_losses(curves, trained), losses_path)
    else:
        losses_path.unlink(missing_ok=True)
    with audio.excerpt(content, options.start_seconds, options.seconds) as original:
        sounds = {"content": original, "style": Path(style)}
        sounds |= {each.name: each.path for each in outputs}
        sheet.write(plot_spectrograms([*sounds.values()], [*sounds]), spectrograms_path)
        verdicts = judge_outputs(original, style, outputs, models.judge)
    write_csv(verdicts_path, verdicts)
    result: dict[str, Any] = {
        "outputs": {each.name: str(each.path) for each in outputs},
        "losses": str(losses_path) if has_losses else None,
        "spectrograms": str(spectrograms_path),
        "verdicts": verdicts,
    }
    if any(each.interrupted for each in outputs) or stop_requested():
        result["interrupted"] = True
    return result


def _check_keeps_foreign(folder: Path, models: Collection[str], of_all: Iterable[Path]) -> None:
    """Raise ConfigError if a table or a figure exists without the output it would belong to."""
    without_output = [name for name in models if not output_path(folder, name).exists()]
    tables = [losses_table(folder, name) for name in without_output]
    foreign = [*tables, *of_all] if len(without_output) == len(models) else tables
    for path in foreign:
        check_output_file(path, force=False, error=ConfigError)
