"""Experiments of every task, told apart by their key `task`."""

from collections.abc import Iterable
from typing import Any

from tfdream.config.generation import GenerationExperiment
from tfdream.config.learning import BaseExperiment, Experiment
from tfdream.config.loading import read, validate
from tfdream.config.translation import TranslationExperiment
from tfdream.errors import ConfigError

_CLASSIFY = "classify"
_SCHEMAS: dict[str, type[BaseExperiment]] = {
    _CLASSIFY: Experiment,
    "translate": TranslationExperiment,
    "generate": GenerationExperiment,
}


def load_experiment(name_or_path: str, overrides: Iterable[str] = ()) -> BaseExperiment:
    """Read the configuration of an experiment, whatever its task; see `load`."""
    return validate_experiment(read(name_or_path, overrides), f"config '{name_or_path}'")


def validate_experiment(content: Any, origin: str) -> BaseExperiment:
    """Check it against the schema of its task.

    Raises:
      ConfigError: naming `origin` and every setting that does not fit.
    """
    task = content.get("task", _CLASSIFY) if isinstance(content, dict) else _CLASSIFY
    if not isinstance(task, str) or task not in _SCHEMAS:
        raise ConfigError(f"{origin}: task={task!r} is not one of: {', '.join(_SCHEMAS)}")
    return validate(content, _SCHEMAS[task], origin)
