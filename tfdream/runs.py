"""Run folders: saved models with configuration, labels, weights, metrics and resume state."""

import json
import platform
import warnings
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import h5py
import keras
import numpy as np
import yaml
from pydantic import TypeAdapter

from tfdream import __version__
from tfdream.config import (
    BaseExperiment,
    Config,
    Experiment,
    GenerationExperiment,
    ModelConfig,
    TranslationExperiment,
    validate,
    validate_experiment,
)
from tfdream.errors import ConfigError, ModelError
from tfdream.io import archives, documents
from tfdream.io.atomic import check_format, replacing, write_json, write_text
from tfdream.models import classifiers, gan, sequence
from tfdream.signal import frontends
from tfdream.signal.frontends import (
    Frontend,
)

FORMAT = 1
# Size of the resume state in multiples of the weights: weights, two moments, temporary copy.
_RESUME_COPIES = 4

# Exceptions of h5py and Keras for foreign or damaged weights.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, UserWarning)
_HISTORY = TypeAdapter(list[dict[str, int | float]])

Kind = TypeVar("Kind", bound="RunFolder")


class RunInfo(Config):
    """Content of ``run.json``: labels, dataset, folds and software versions."""

    format: int = FORMAT
    labels: list[str]
    dataset: str
    dataset_fingerprint: str
    test_fold: int | None
    validation_fold: int | None
    training_folds: list[int]
    versions: dict[str, str]


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
        write_json(self.folder / "run.json", self.info.model_dump(mode="json"))

    @classmethod
    def open(cls: type[Kind], folder: str | Path) -> Kind:
        """Open a run folder.

        Raises:
          ModelError: if it is not a run folder, damaged, of another format, or of another task.
        """
        folder = Path(folder)
        config, info = _read(folder)
        if not isinstance(config, cls.schema):
            required, actual = (_DESCRIPTIONS[kind] for kind in (cls.schema, type(config)))
            raise ModelError(f"the run '{folder}' is {actual}; {required} is required here")
        return cls(folder, config, info)

    @property
    def labels(self) -> list[str]:
        """Labels in the order of the model's outputs."""
        return self.info.labels

    def check_continues(self) -> None:
        """Check that the folder contains no run, or one with the same settings and dataset.

        The number of epochs may differ, unless the learning rate depends on it.

        Raises:
          ConfigError: if it contains another run.
        """
        if not (self.folder / "run.json").exists():
            return
        before = open_run(self.folder)
        ignored = {"versions": {}, "dataset": ""}
        same_data = self.info.model_copy(update=ignored) == before.info.model_copy(update=ignored)
        if not same_data or _resumable(self.config) != _resumable(before.config):
            raise ConfigError(
                f"'{self.folder}' contains a run with other settings or another dataset; "
                "give another folder, or use --force to replace it"
            )

    def clear(self) -> None:
        """Remove the files that training wrote."""
        for path in (self.resume_path, self.weights_path, self.history_path, self.metrics_path):
            path.unlink(missing_ok=True)
        for event in self.events_path.rglob("events.*"):
            event.unlink()

    @property
    def sample_rate(self) -> int:
        """Sample rate of the model's input in Hz."""
        return self.config.prepare.sample_rate

    @property
    def clip_samples(self) -> int:
        """Length of the model's input in samples."""
        return self.config.input_samples

    @cached_property
    def frontend(self) -> Frontend:
        """The frontend that the networks were trained with."""
        return frontends.build(self.config.frontend, self.sample_rate)

    def describe(self) -> dict[str, Any]:
        """Return the run's folder, labels, folds and versions, for sidecars."""
        return {"folder": str(self.folder), **self.info.model_dump(mode="json")}

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.folder / "config.yaml"

    @property
    def weights_path(self) -> Path:
        """Weights of the model."""
        return self.folder / "model.weights.h5"

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
            _save_weights(model, temporary)

    def load_weights(self, model: keras.Model) -> None:
        """Load the stored weights into a model.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged or do not fit the model.
        """
        if not self.weights_path.is_file():
            raise ModelError(f"the run '{self.folder}' has no weights; train at least one epoch")
        try:
            _load_weights(model, self.weights_path)
        except _UNREADABLE as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"'{self.weights_path}' cannot be loaded: {reason}") from None
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise ModelError(
                f"'{self.weights_path}' contains NaN or infinite weights; train again with --force"
            )

    def save_resume_state(self, model: keras.Model, history: list[dict[str, float]]) -> None:
        """Write the weights and optimizer state of `model` and the history to one file."""
        with replacing(self.resume_path) as temporary:
            _save_weights(model, temporary, copies=_RESUME_COPIES)
            with h5py.File(temporary, "a") as file:
                file.attrs["history"] = json.dumps(history)

    def load_resume_state(self, model: keras.Model) -> list[dict[str, float]]:
        """Restore a `TimedModel` and its optimizers; return the history of the finished epochs."""
        if not self.resume_path.is_file():
            return []
        try:
            model.build_optimizers()
            _load_weights(model, self.resume_path)
            with h5py.File(self.resume_path, "r") as file:
                text = str(file.attrs["history"])
            history: list[dict[str, float]] = _HISTORY.validate_python(documents.parse_json(text))
        except _UNREADABLE as error:
            raise ModelError(
                f"'{self.resume_path}' is damaged ({' '.join(str(error).split())}); "
                "use --force to train again"
            ) from None
        return history


class Run(RunFolder):
    """The run of a classifier."""

    schema = Experiment
    config: Experiment

    def build_model(self) -> keras.Model:
        """Build the network with initial weights."""
        return self._build(self._model_config)

    @property
    def _model_config(self) -> ModelConfig:
        if self.config.model is None:
            raise ModelError(f"the run '{self.folder}' has no section 'model'")
        return self.config.model

    def _build(self, config: ModelConfig) -> keras.Model:
        return classifiers.build(config, self.frontend.shape(self.clip_samples), len(self.labels))

    @cached_property
    def model(self) -> keras.Model:
        """The network with the stored weights.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        # A stored run loads no other file and downloads nothing.
        config = self._model_config
        if "weights" in config.options:
            config = config.model_copy(update={"options": config.options | {"weights": "random"}})
        model = self._build(config)
        self.load_weights(model)
        return model


class TranslationRun(RunFolder):
    """The run of a CycleGAN."""

    schema = TranslationExperiment
    config: TranslationExperiment

    @property
    def judged_path(self) -> Path:
        """Measures of a judge over the epochs, if training had one."""
        return self.folder / "judged.csv"

    def clear(self) -> None:
        super().clear()
        self.judged_path.unlink(missing_ok=True)

    def build_networks(self) -> gan.GanNetworks:
        """Build generator and discriminator of one direction with initial weights."""
        return gan.build(self.config.model, self.frontend.shape(self.clip_samples))

    @cached_property
    def generators(self) -> gan.BidirectionalModel:
        """The generators of both directions with the stored weights.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        model = gan.BidirectionalModel(
            self.build_networks().generator, self.build_networks().generator
        )
        self.load_weights(model)
        return model


class GenerationRun(RunFolder):
    """The run of a sequence model."""

    schema = GenerationExperiment
    config: GenerationExperiment

    def build_sequence_model(self) -> sequence.SequenceModel:
        """Build the sequence model with initial weights."""
        return sequence.build(self.config.model, self.frontend.shape(self.clip_samples))

    @cached_property
    def sequence_model(self) -> sequence.SequenceModel:
        """The sequence model with the stored weights.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        model = self.build_sequence_model()
        self.load_weights(model)
        return model


def open_run(folder: str | Path) -> RunFolder:
    """Open a run folder of any task; see `RunFolder.open`."""
    config, info = _read(Path(folder))
    return _RUN_TYPES[type(config)](Path(folder), config, info)


_RUN_TYPES: dict[type[BaseExperiment], type[RunFolder]] = {
    run_type.schema: run_type for run_type in (Run, TranslationRun, GenerationRun)
}
_DESCRIPTIONS: dict[type[BaseExperiment], str] = {
    Experiment: "a classifier (tfdream train lil_data …)",
    TranslationExperiment: "a translation (tfdream train recommended_cyclegan …)",
    GenerationExperiment: "a sequence model (tfdream train recommended_generator …)",
}


def _save_weights(model: keras.Model, path: Path, copies: int = 1) -> None:
    arrays = [weight.nbytes for weight in model.get_weights()] * copies
    archives.reserve_hdf5(path, arrays)
    model.save_weights(path)


def _load_weights(model: keras.Model, path: Path) -> None:
    """Load all weights of a model from one file, whose arrays must have the weights' shapes."""
    # Optimizers have moments in the shapes of the weights, and scalars.
    shapes = {(), *(tuple(weight.shape) for weight in model.variables)}
    archives.check_hdf5(path, shapes)
    with warnings.catch_warnings():
        # Keras only warns if the file lacks the weights of a layer.
        warnings.simplefilter("error", UserWarning)
        model.load_weights(path)


def _resumable(config: BaseExperiment) -> BaseExperiment:
    """Return the settings that must be equal for a run to be continued."""
    if config.training.ends_with_epochs:
        return config
    training = config.training.model_copy(update={"epochs": 1})
    return config.model_copy(update={"training": training})


def _read(folder: Path) -> tuple[BaseExperiment, RunInfo]:
    try:
        content = documents.read_json(folder / "run.json")
        config = documents.read_yaml(folder / "config.yaml")
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise ModelError(
            f"'{folder}' is not a run folder (no {missing}); give a folder that tfdream train wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"the run '{folder}' cannot be read: {error}") from None
    check_format(content, FORMAT, folder, ModelError)
    try:
        info = validate(content, RunInfo, f"'{folder / 'run.json'}'")
        experiment = validate_experiment(config, f"'{folder / 'config.yaml'}'")
    except ConfigError as error:
        raise ModelError(f"the run '{folder}' is damaged or of another program: {error}") from None
    return experiment, info


def versions() -> dict[str, str]:
    """Return the versions of tfdream, Python and the packages that results depend on."""
    installed = {"tfdream": __version__, "python": platform.python_version()}
    packages = ("tensorflow", "tensorflow-io", "keras", "numpy", "librosa", "soxr", "soundfile")
    for name in packages:
        with suppress(metadata.PackageNotFoundError):  # some are optional
            installed[name] = metadata.version(name)
    return installed
