"""Loading experiments of any task; their key `task` selects the schema."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfdream.config.classification import Experiment
from tfdream.config.generation import GenerationExperiment
from tfdream.config.loading import read, validate
from tfdream.config.training import BaseExperiment
from tfdream.config.transfer_networks import TransferExperiment
from tfdream.config.translation import TranslationExperiment
from tfdream.errors import ConfigError

_CLASSIFY = "classify"
_SCHEMAS: dict[str, type[BaseExperiment]] = {
    _CLASSIFY: Experiment,
    "translate": TranslationExperiment,
    "generate": GenerationExperiment,
    "transfer": TransferExperiment,
}


def load_experiment(name_or_path: str | Path, overrides: Iterable[str] = ()) -> BaseExperiment:
    """Read the configuration of an experiment of any task; see `load`.

    >>> type(load_experiment("small_cyclegan")).__name__
    'TranslationExperiment'
    """
    return validate_experiment(read(name_or_path, overrides), f"config '{name_or_path}'")


def validate_experiment(content: Any, origin: str) -> BaseExperiment:
    """Validate the content of an experiment by the schema of its task.

    Raises:
      ConfigError: naming `origin` and every invalid setting.
    """
    task = content.get("task", _CLASSIFY) if isinstance(content, dict) else _CLASSIFY
    if not isinstance(task, str) or task not in _SCHEMAS:
        raise ConfigError(f"{origin}: task={task!r} is not one of: {', '.join(_SCHEMAS)}")
    return validate(content, _SCHEMAS[task], origin)
