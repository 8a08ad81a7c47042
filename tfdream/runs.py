"""The run folder: everything that a trained network needs to be used again, wherever it lies."""

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

from tfdream import __version__
from tfdream.config import (
    BaseExperiment,
    Config,
    Experiment,
    GenerationExperiment,
    TranslationExperiment,
    validate,
    validate_experiment,
)
from tfdream.errors import ConfigError, ModelError
from tfdream.io import archives, documents
from tfdream.io.atomic import check_format, replacing, write_json, write_text
from tfdream.models import classifiers, gan, sequence
from tfdream.signal import frontend as frontends
from tfdream.signal.frontend import Frontend

FORMAT = 1
# The weights, two moments of each, and the largest of one of them.
_OF_AN_OPTIMIZER = 4

Kind = TypeVar("Kind", bound="RunFolder")


class RunInfo(Config):
    """What ``run.json`` holds beside the configuration."""

    format: int = FORMAT
    labels: list[str]
    dataset: str
    dataset_fingerprint: str
    test_fold: int | None
    validation_fold: int | None
    training_folds: list[int]
    versions: dict[str, str]


class RunFolder:
    """A run folder, opened: what all runs have, whatever their networks are for."""

    schema: ClassVar[type[BaseExperiment]] = BaseExperiment
    config: BaseExperiment

    def __init__(self, folder: Path, config: BaseExperiment, info: RunInfo) -> None:
        self.folder = folder
        self.config = config
        self.info = info

    def create(self) -> None:
        """Write the folder's description."""
        text = yaml.safe_dump(self.config.model_dump(mode="json"), sort_keys=False)
        write_text(self.config_path, text)
        write_json(self.folder / "run.json", self.info.model_dump(mode="json"))

    @classmethod
    def open(cls: type[Kind], folder: Path) -> Kind:
        """Read the folder's description.

        Raises:
          ModelError: if it is not a run folder, a damaged one, one of a newer version, or its
            networks are for another task.
        """
        config, info = _read(folder)
        if not isinstance(config, cls.schema):
            wanted, found = (_FOR[kind] for kind in (cls.schema, type(config)))
            raise ModelError(f"the run '{folder}' is {found}; this takes {wanted}")
        return cls(folder, config, info)

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the model's outputs."""
        return self.info.labels

    def check_continues(self) -> None:
        """See that the folder holds nothing yet, or a run of the same settings and data.

        The number of epochs may be another, unless the learning rate depends on it.

        Raises:
          ConfigError: if it holds another run.
        """
        if not (self.folder / "run.json").exists():
            return
        before = open_run(self.folder)
        elsewhere = {"versions": {}, "dataset": ""}
        same_data = self.info.model_copy(update=elsewhere) == before.info.model_copy(
            update=elsewhere
        )
        if not same_data or _lasting(self.config) != _lasting(before.config):
            raise ConfigError(
                f"'{self.folder}' holds a run of other settings or another dataset; "
                "name another folder or use --force to train anew"
            )

    def clear(self) -> None:
        """Remove what training wrote."""
        for path in (self.resume_path, self.weights_path, self.history_path, self.metrics_path):
            path.unlink(missing_ok=True)
        for event in self.events_path.rglob("events.*"):
            event.unlink()

    @property
    def sample_rate(self) -> int:
        """Of the clips, in Hz."""
        return self.config.prepare.sample_rate

    @property
    def clip_samples(self) -> int:
        """Samples that the model hears at a time."""
        return self.config.input_samples

    @cached_property
    def frontend(self) -> Frontend:
        """The frontend that the networks were trained on."""
        return frontends.build(self.config.frontend, self.sample_rate)

    def describe(self) -> dict[str, Any]:
        """Which run this is, for the sidecar of what is made with it."""
        return {"folder": str(self.folder), **self.info.model_dump(mode="json")}

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.folder / "config.yaml"

    @property
    def weights_path(self) -> Path:
        """Weights of the model alone."""
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
        """What `train` returned."""
        return self.folder / "metrics.json"

    @property
    def events_path(self) -> Path:
        """TensorBoard's events."""
        return self.folder / "tensorboard"

    def save_weights(self, model: keras.Model) -> None:
        """Keep these weights."""
        with replacing(self.weights_path) as temporary:
            _save_weights(model, temporary)

    def load_weights(self, model: keras.Model) -> None:
        """Give a model the weights that the run keeps.

        Raises:
          ModelError: if training has not finished an epoch, or the weights are damaged, or of
            another architecture.
        """
        if not self.weights_path.is_file():
            raise ModelError(
                f"the run '{self.folder}' has no weights yet; train at least one epoch"
            )
        try:
            _load_weights(model, self.weights_path)
        except (OSError, ValueError, KeyError, UserWarning) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"'{self.weights_path}' cannot be loaded: {reason}") from None
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise ModelError(f"'{self.weights_path}' holds NaN or infinite weights; train anew")

    def save_resume_state(self, model: keras.Model, history: list[dict[str, float]]) -> None:
        """Write the weights and optimizer of `model` and the history so far as one file."""
        with replacing(self.resume_path) as temporary:
            _save_weights(model, temporary, copies=_OF_AN_OPTIMIZER)
            with h5py.File(temporary, "a") as file:
                file.attrs["history"] = json.dumps(history)

    def load_resume_state(self, model: keras.Model) -> list[dict[str, float]]:
        """Bring a `FitModel` and its optimizers to the last finished epoch; return the history."""
        if not self.resume_path.is_file():
            return []
        try:
            archives.check_hdf5(self.resume_path)
            with h5py.File(self.resume_path, "r") as file:
                history: list[dict[str, float]] = json.loads(file.attrs["history"])
            model.build_optimizers()
            _load_weights(model, self.resume_path)
        except (OSError, ValueError, KeyError, UserWarning) as error:
            raise ModelError(
                f"'{self.resume_path}' is damaged ({' '.join(str(error).split())}); "
                "use --force to train anew"
            ) from None
        return history


class Run(RunFolder):
    """The run of a classifier."""

    schema = Experiment
    config: Experiment

    def build_model(self) -> keras.Model:
        """The architecture with fresh weights."""
        if self.config.model is None:
            raise ModelError(f"the run '{self.folder}' names no model")
        return classifiers.build(
            self.config.model, self.frontend.shape(self.clip_samples), len(self.labels)
        )

    @cached_property
    def model(self) -> keras.Model:
        """The model with the weights that the run keeps.

        Raises:
          ModelError: if training has not finished an epoch, or the weights are damaged.
        """
        model = self.build_model()
        self.load_weights(model)
        return model


class TranslationRun(RunFolder):
    """The run of a CycleGAN."""

    schema = TranslationExperiment
    config: TranslationExperiment

    @property
    def judged_path(self) -> Path:
        """What a classifier heard now and then, if one was asked."""
        return self.folder / "judged.csv"

    def clear(self) -> None:
        super().clear()
        self.judged_path.unlink(missing_ok=True)

    def build_networks(self) -> gan.GanNetworks:
        """Generator and discriminator of one direction, with fresh weights."""
        return gan.build(self.config.model, self.frontend.shape(self.clip_samples))

    @cached_property
    def generators(self) -> gan.BidirectionalModel:
        """Those of both directions, with the weights that the run keeps.

        Raises:
          ModelError: if training has not finished an epoch, or the weights are damaged.
        """
        found = gan.BidirectionalModel(
            self.build_networks().generator, self.build_networks().generator
        )
        self.load_weights(found)
        return found


class GenerationRun(RunFolder):
    """The run of a generator."""

    schema = GenerationExperiment
    config: GenerationExperiment

    def build_sequence_model(self) -> sequence.SequenceModel:
        """The generator with fresh weights."""
        return sequence.build(self.config.model, self.frontend.shape(self.clip_samples))

    @cached_property
    def generator(self) -> sequence.SequenceModel:
        """The generator with the weights that the run keeps.

        Raises:
          ModelError: if training has not finished an epoch, or the weights are damaged.
        """
        generator = self.build_sequence_model()
        self.load_weights(generator)
        return generator


def open_run(folder: Path) -> RunFolder:
    """The run of a folder, whatever its networks are for; see `RunFolder.open`."""
    config, _ = _read(folder)
    return next(kind for kind in _KINDS if isinstance(config, kind.schema)).open(folder)


_KINDS: list[type[RunFolder]] = [Run, TranslationRun, GenerationRun]
_FOR: dict[type[BaseExperiment], str] = {
    Experiment: "one of a classifier (tfdream train lil_data …)",
    TranslationExperiment: "one of a translation (tfdream train recommended_cyclegan …)",
    GenerationExperiment: "one of a generator (tfdream train recommended_generator …)",
}


def _save_weights(model: keras.Model, path: Path, copies: int = 1) -> None:
    arrays = [weight.nbytes for weight in model.get_weights()] * copies
    archives.reserve_hdf5(path, arrays)
    model.save_weights(path)


def _load_weights(model: keras.Model, path: Path) -> None:
    """Give a model all of its weights, and from this file alone."""
    archives.check_hdf5(path)
    with warnings.catch_warnings():
        # Keras only warns where it leaves a part of a network as it was.
        warnings.simplefilter("error", UserWarning)
        model.load_weights(path)


def _lasting(config: BaseExperiment) -> BaseExperiment:
    """What must be the same for a run to be continued."""
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
            f"'{folder}' is not a run folder (no {missing}); give one that tfdream train wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"the run '{folder}' cannot be read: {error}") from None
    check_format(content, FORMAT, folder, ModelError)
    try:
        info = validate(content, RunInfo, f"'{folder / 'run.json'}'")
        experiment = validate_experiment(config, f"'{folder / 'config.yaml'}'")
    except ConfigError as error:
        raise ModelError(f"the run '{folder}' is damaged or foreign: {error}") from None
    return experiment, info


def versions() -> dict[str, str]:
    """Of tfdream and of what its results depend on, as far as it is installed."""
    found = {"tfdream": __version__, "python": platform.python_version()}
    packages = ("tensorflow", "tensorflow-io", "keras", "numpy", "librosa", "soxr", "soundfile")
    for name in packages:
        with suppress(metadata.PackageNotFoundError):  # some are optional
            found[name] = metadata.version(name)
    return found
