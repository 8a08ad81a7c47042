"""The run folder: everything that a trained network needs to be used again, wherever it lies."""

import json
import platform
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import keras
import yaml

from tfdream import __version__, models
from tfdream.config import Experiment, Section, validate
from tfdream.errors import ConfigError, ModelError
from tfdream.files import replacing, write_json, write_text
from tfdream.signal import frontend as frontends
from tfdream.signal.frontend import Frontend

FORMAT = 1


class RunInfo(Section):
    """What ``run.json`` holds beside the configuration."""

    format: int = FORMAT
    labels: list[str]
    dataset: str
    dataset_fingerprint: str
    test_fold: int | None
    validation_fold: int | None
    training_folds: list[int]
    versions: dict[str, str]


class Run:
    """A run folder, opened."""

    def __init__(self, folder: Path, config: Experiment, info: RunInfo) -> None:
        self.folder = folder
        self.config = config
        self.info = info

    @classmethod
    def create(cls, folder: Path, config: Experiment, info: RunInfo) -> "Run":
        """Write the folder's description."""
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        write_text(folder / "config.yaml", text)
        write_json(folder / "run.json", info.model_dump(mode="json"))
        return cls(folder, config, info)

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Read the folder's description.

        Raises:
          ModelError: if it is not a run folder, a damaged one, or one of a newer version.
        """
        try:
            content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            missing = Path(error.filename).name
            raise ModelError(
                f"'{folder}' is not a run folder (no {missing}); give one that tfdream train wrote"
            ) from None
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"the run '{folder}' cannot be read: {reason}") from None
        version = content.get("format") if isinstance(content, dict) else None
        if isinstance(version, int) and version > FORMAT:
            raise ModelError(f"'{folder}' was written by a newer tfdream; update this one")
        try:
            info = validate(content, RunInfo, f"'{folder / 'run.json'}'")
            experiment = validate(config, Experiment, f"'{folder / 'config.yaml'}'")
        except ConfigError as error:
            raise ModelError(f"the run '{folder}' is damaged or foreign: {error}") from None
        return cls(folder, experiment, info)

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the model's outputs."""
        return self.info.labels

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
        """The frontend that the model was trained on."""
        return frontends.build(self.config.frontend, self.sample_rate)

    def describe(self) -> dict[str, Any]:
        """Which run this is, for the sidecar of what is made with it."""
        return {"folder": str(self.folder), **self.info.model_dump(mode="json")}

    def build_model(self) -> keras.Model:
        """The architecture with fresh weights."""
        if self.config.model is None:
            raise ModelError(f"the run '{self.folder}' names no model")
        return models.build(
            self.config.model, self.frontend.shape(self.clip_samples), len(self.labels)
        )

    @cached_property
    def model(self) -> keras.Model:
        """The model with the weights that the run keeps.

        Raises:
          ModelError: if training has not finished an epoch, or the weights are damaged.
        """
        model = self.build_model()
        if not self.weights_path.is_file():
            raise ModelError(
                f"the run '{self.folder}' has no weights yet; train at least one epoch"
            )
        try:
            model.load_weights(self.weights_path)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"'{self.weights_path}' cannot be loaded: {reason}") from None
        return model

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
            model.save_weights(temporary)

    def save_resume_state(self, model: keras.Model, history: list[dict[str, float]]) -> None:
        """Write the weights and optimizer of `model` and the history so far as one file."""
        with replacing(self.resume_path) as temporary:
            model.save_weights(temporary)
            with h5py.File(temporary, "a") as file:
                file.attrs["history"] = json.dumps(history)

    def load_resume_state(self, model: keras.Model) -> list[dict[str, float]]:
        """Bring `model` and its optimizer to the last finished epoch; return the history."""
        if not self.resume_path.is_file():
            return []
        try:
            with h5py.File(self.resume_path, "r") as file:
                history: list[dict[str, float]] = json.loads(file.attrs["history"])
            model.optimizer.build(model.trainable_variables)
            model.load_weights(self.resume_path)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"'{self.resume_path}' is damaged ({' '.join(str(error).split())}); "
                "use --force to train anew"
            ) from None
        return history


def versions() -> dict[str, str]:
    """Of tfdream and of what its results depend on."""
    packages = ("tensorflow", "tensorflow-io", "keras", "numpy", "librosa", "soxr", "soundfile")
    found: dict[str, Any] = {name: metadata.version(name) for name in packages}
    return {"tfdream": __version__, "python": platform.python_version(), **found}
