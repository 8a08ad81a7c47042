"""TensorBoard previews of models in training, one module per task."""

from pathlib import Path
from typing import Any

from tfdream import config
from tfdream.config import BaseExperiment
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError
from tfdream.reports.previews.classification import ClassifierPreview
from tfdream.reports.previews.generation import GenerationPreview
from tfdream.reports.previews.transfer import TransferPreview
from tfdream.reports.previews.translation import TranslationPreview
from tfdream.runs import Run
from tfdream.training.task import PreviewFactory, PreviewFn


def preview_factory(experiment: BaseExperiment, judge: str | Path | None = None) -> PreviewFactory:
    """Return a function that makes the preview of a run of this experiment.

    Args:
      experiment: the experiment to be trained.
      judge: run of a classifier that scores translated clips; translations only.

    Raises:
      ConfigError: if a judge is given for another task, or without validation clips to score.
      ModelError: if the judge is not a run of a classifier.
    """
    if judge is None:
        return _FACTORIES[experiment.task]
    if experiment.task != "translate":
        raise ConfigError(
            f"--judge={judge} scores translations; remove it, or use a configuration with "
            "task=translate"
        )
    if getattr(experiment.training, "validate_on", None) == "none":
        raise ConfigError(
            f"--judge={judge} scores validation clips, but training.validate_on=none; use "
            "validate_on=test"
        )
    judge_run = Run.open(judge)
    return lambda run, domains: _translation(run, domains, judge_run)


def _classification(run: Any, clip_sets: tuple[ClipSet, ...]) -> PreviewFn:
    return ClassifierPreview(run, clip_sets)


def _generation(run: Any, clip_sets: tuple[ClipSet, ...]) -> PreviewFn:
    settings = config.load("generate/recommended", config.GenerateConfig)
    return GenerationPreview(run, clip_sets[0], settings)


def _transfer(run: Any, clip_sets: tuple[ClipSet, ...]) -> PreviewFn:
    settings = config.load("transfer/timbre", config.TimbreConfig)
    return TransferPreview(run, clip_sets[0], settings)


def _translation(run: Any, domains: tuple[ClipSet, ...], judge: Run | None = None) -> PreviewFn:
    first, second = domains
    settings = config.load("translate/recommended", config.TranslateConfig)
    return TranslationPreview(run, (first, second), settings, judge)


_FACTORIES: dict[str, PreviewFactory] = {
    "classify": _classification,
    "translate": _translation,
    "generate": _generation,
    "transfer": _transfer,
}
