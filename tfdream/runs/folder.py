"""The part of a run folder that is the same for every task."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import h5py
import keras
import numpy as np
import yaml
from pydantic import TypeAdapter

from tfdream.config import BaseExperiment, validate, validate_experiment
from tfdream.config.differences import differences
from tfdream.errors import ConfigError, ModelError, one_line
from tfdream.io import documents
from tfdream.io.atomic import check_format, replacing, write_json, write_text
from tfdream.io.checksums import file_sha256
from tfdream.runs import weights
from tfdream.runs.info import (
    CONFIG_FILE,
    EXCERPT_FILES,
    FORMAT,
    INFO_FILE,
    JUDGED_FILE,
    WEIGHTS_FILE,
    RunInfo,
    essential_paths,
)
from tfdream.runs.named import is_run, locate, no_run, user_folder
from tfdream.signal import frontends
from tfdream.signal.frontends import Frontend

# Size of the resume state in multiples of the weights: weights, two moments, temporary copy.
_RESUME_COPIES = 4
_NAMED_DIFFERENCES = 3
_HISTORY = TypeAdapter(list[dict[str, int | float]])

Kind = TypeVar("Kind", bound="RunFolder")
Network = TypeVar("Network", bound=keras.Model)


class RunFolder:
    """An opened run folder: the part that is the same for every task.

    Args:
      folder: location of the run.
      config: resolved experiment.
      info: labels, folds and versions.
    """

    schema: ClassVar[type[BaseExperiment]] = BaseExperiment
    config: BaseExperiment

    def __init__(self, folder: Path, config: BaseExperiment, info: RunInfo) -> None:
        self.folder = folder
        self.config = config
        self.info = info

    def create(self) -> None:
        """Write the configuration and ``run.json``."""
        text = yaml.safe_dump(self.config.model_dump(mode="json"), sort_keys=False)
        write_text(self.config_path, text)
        write_json(self.folder / INFO_FILE, self.info.model_dump(mode="json"))

    @classmethod
    def open(cls: type[Kind], folder: str | Path) -> Kind:
        """Open a run.

        Args:
          folder: a run folder, or the name of a preset.

        Raises:
          ModelError: if it is neither, damaged, of another format, or of another task.
        """
        folder = locate(folder)
        config, info = read(folder)
        if not isinstance(config, cls.schema):
            required, actual = cls.schema.run_description, config.run_description
            raise ModelError(f"the run '{folder}' is {actual}; {required} is required here")
        return cls(folder, config, info)

    @property
    def labels(self) -> list[str]:
        """The labels; for a classifier, in the order of its outputs."""
        return self.info.labels

    def check_continues(self) -> None:
        """Check that the folder contains no run, or one with the same settings and dataset.

        The number of epochs may differ, unless the learning rate depends on it.

        Raises:
          ConfigError: if it contains another run.
        """
        if not is_run(self.folder):
            return
        config, info = read(self.folder)
        names = differences(_resumable(config), _resumable(self.config))
        if names == ["training.epochs"]:
            names = ["training.epochs, on which the learning rate depends"]
        ignored = {"versions": {}, "dataset": "", "trained_tracks": []}
        if self.info.model_copy(update=ignored) != info.model_copy(update=ignored):
            names.append("the data")
        if names:
            named = ", ".join(names[:_NAMED_DIFFERENCES])
            further = ", …" if len(names) > _NAMED_DIFFERENCES else ""
            raise ConfigError(
                f"'{self.folder}' contains a run with other settings or another dataset ({named}"
                f"{further}); give another folder, or use --force to replace it"
            )

    def clear(self) -> None:
        """Remove the files that the training of any task wrote."""
        files = (self.resume_path, self.weights_path, self.history_path, self.metrics_path)
        others = (self.folder / name for name in (JUDGED_FILE, *EXCERPT_FILES))
        for path in (*files, *others):
            path.unlink(missing_ok=True)
        for event in self.events_path.rglob("events.*"):
            event.unlink()

    @property
    def sample_rate(self) -> int:
        """Sample rate of the model's input in Hz."""
        return self.config.prepare.sample_rate

    @property
    def input_samples(self) -> int:
        """Length of the model's input in samples."""
        return self.config.input_samples

    @cached_property
    def frontend(self) -> Frontend:
        """The frontend that the networks were trained with."""
        return frontends.build(self.config.frontend, self.sample_rate)

    def describe(self) -> dict[str, Any]:
        """Return the run's folder, labels, folds and versions, for sidecars."""
        info = self.info.model_dump(mode="json", exclude={"trained_tracks"})
        return {"folder": str(self.folder), **info}

    def fingerprint(self) -> str:
        """Return the SHA-256 of the files that determine the outputs, see `essential_paths`.

        Raises:
          ModelError: if a file is missing.
        """
        try:
            return file_sha256(*essential_paths(self.folder))
        except OSError as error:
            raise ModelError(f"the run '{self.folder}' cannot be read: {error}") from None

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.folder / CONFIG_FILE

    @property
    def weights_path(self) -> Path:
        """Weights of the model."""
        return self.folder / WEIGHTS_FILE

    @property
    def resume_path(self) -> Path:
        """Weights, optimizer state and progress of the last finished epoch."""
        return self.folder / "resume.weights.h5"

    @property
    def history_path(self) -> Path:
        """One row per epoch."""
        return self.folder / "history.csv"

    @property
    def metrics_path(self) -> Path:
        """Result of `train`."""
        return self.folder / "metrics.json"

    @property
    def events_path(self) -> Path:
        """TensorBoard events."""
        return self.folder / "tensorboard"

    def save_weights(self, model: keras.Model) -> None:
        """Store the weights of a model."""
        with replacing(self.weights_path) as temporary:
            weights.save(model, temporary)

    def load_networks(self) -> keras.Model:
        """Build the networks whose weights the run stores, and load these.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        raise NotImplementedError

    def load_weights(self, model: Network) -> Network:
        """Load the stored weights into a model and return it.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged or do not fit the model.
        """
        if not self.weights_path.is_file():
            raise ModelError(f"the run '{self.folder}' has no weights; train at least one epoch")
        try:
            weights.load(model, self.weights_path)
        except weights.UNREADABLE as error:
            reason = one_line(error)
            raise ModelError(f"'{self.weights_path}' cannot be loaded: {reason}") from None
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise ModelError(
                f"'{self.weights_path}' contains NaN or infinite weights; train again with --force"
            )
        return model

    def save_resume_state(self, model: keras.Model, history: list[dict[str, float]]) -> None:
        """Write the weights and optimizer state of `model` and the history to one file."""
        with replacing(self.resume_path) as temporary:
            weights.save(model, temporary, copies=_RESUME_COPIES)
            with h5py.File(temporary, "a") as file:
                file.attrs["history"] = json.dumps(history)

    def load_resume_state(self, model: keras.Model) -> list[dict[str, float]]:
        """Restore a `TimedModel` and its optimizers; return the history of the finished epochs.

        The optimizers are built in any case: if the first step created their variables, TensorFlow
        would trace it twice.
        """
        model.build_optimizers()
        if not self.resume_path.is_file():
            return []
        try:
            weights.load(model, self.resume_path)
            with h5py.File(self.resume_path, "r") as file:
                text = str(file.attrs["history"])
            history: list[dict[str, float]] = _HISTORY.validate_python(documents.parse_json(text))
        except weights.UNREADABLE as error:
            raise ModelError(
                f"'{self.resume_path}' is damaged ({one_line(error)}); use --force to train again"
            ) from None
        return history


def _resumable(config: BaseExperiment) -> BaseExperiment:
    """Return the settings that must be equal for a run to be continued."""
    if config.training.ends_with_epochs:
        return config
    training = config.training.model_copy(update={"epochs": 1})
    return config.model_copy(update={"training": training})


def read(folder: Path) -> tuple[BaseExperiment, RunInfo]:
    """Read the configuration and ``run.json`` of a run folder.

    Raises:
      ModelError: if it is not a run folder, damaged, or of another format.
    """
    try:
        content = documents.read_json(folder / INFO_FILE)
        config = documents.read_yaml(folder / CONFIG_FILE)
    except FileNotFoundError as error:
        raise no_run(folder, Path(error.filename).name) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"the run '{folder}' cannot be read: {error}") from None
    check_format(content, FORMAT, folder, ModelError)
    try:
        info = validate(content, RunInfo, f"'{folder / INFO_FILE}'")
        experiment = validate_experiment(config, f"'{folder / CONFIG_FILE}'")
    except ConfigError as error:
        again = "train it again"
        if folder.parent == user_folder():
            again = (
                f"install it again: tfdream models install {folder.name} --force, with --from FILE "
                "unless it is a download"
            )
        raise ModelError(
            f"the run '{folder}' is damaged, or of another program or version ({error}); {again}"
        ) from None
    return experiment, info
