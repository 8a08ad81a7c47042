"""Loading experiments of any task; their key `task` selects the schema."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfdream.config.classification import Experiment
from tfdream.config.generation import GenerationExperiment
from tfdream.config.loading import read, select_schema, validate
from tfdream.config.training import BaseExperiment
from tfdream.config.transfer_networks import TransferExperiment
from tfdream.config.translation import TranslationExperiment

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
    return validate(content, select_schema(content, "task", _SCHEMAS, _CLASSIFY, origin), origin)
