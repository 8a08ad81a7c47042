"""SavedModels that take waveforms and need only TensorFlow to run.

Weights are constants of the graph: converters such as TensorFlow Lite's accept it as it is.
"""

import abc
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.config import TranslateConfig, load
from tfdream.errors import ModelError
from tfdream.io.atomic import check_output, replacing
from tfdream.runs import GenerationRun, Run, RunFolder, TranslationRun
from tfdream.synthesis.translate import Translator

_CHECKED_CLIPS = 4
_MAX_DIFFERENCE = 1e-4  # graph rewriting may round differently, by parts in 10⁶
_SAVED_MODEL_PARTS = {"saved_model.pb", "variables", "assets", "fingerprint.pb"}

Outputs = dict[str, tf.Tensor]


class Exported(abc.ABC):
    """The functions and the metadata of a SavedModel.

    `keras.export.ExportArchive` would not make this shorter: it needs the same functions, and
    ``describe``, which has no input, traced beforehand.

    Attributes:
      compared: name of the output that is compared with the run's after reloading.
    """

    compared: str

    def __init__(self, run: RunFolder) -> None:
        self.clip_samples = run.clip_samples
        self.label_names = run.labels
        self.rate = run.sample_rate

    @abc.abstractmethod
    def functions(self) -> dict[str, Callable[[tf.Tensor], Outputs]]:
        """Return functions of waveforms float32 `[batch, clip_samples]`, by signature name."""

    def signatures(self) -> dict[str, Any]:
        """Return all signatures: the functions, and ``describe``."""
        waveform = tf.TensorSpec([None, self.clip_samples], tf.float32, name="waveform")

        @tf.function(input_signature=[])
        def describe() -> Outputs:
            return {
                "labels": tf.constant(self.label_names),
                "sample_rate": tf.constant(self.rate),
                "clip_samples": tf.constant(self.clip_samples),
            }

        traced = {
            name: tf.function(_reject_nan(function), input_signature=[waveform], autograph=False)
            for name, function in self.functions().items()
        }
        return {**traced, "describe": describe}


class ExportedClassifier(Exported):
    """A classifier with its frontend and labels: waveforms to probabilities."""

    compared = "probabilities"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        model = run.model
        self.frontend = run.frontend
        self.network = keras.Model(
            model.input,
            {"probabilities": model.output, "embedding": model.get_layer("embedding").output},
        )
        self._classify = freeze(self.network)

    def functions(self) -> dict[str, Callable[[tf.Tensor], Outputs]]:
        """Return ``serving_default``, which computes probabilities and embedding."""

        def classify(waveform: tf.Tensor) -> Outputs:
            return dict(self._classify(self.frontend(waveform)))

        return {"serving_default": classify}


class ExportedTranslation(Exported):
    """A translation with its frontend: waveforms to waveforms, in both directions."""

    compared = "waveform"

    def __init__(self, run: TranslationRun) -> None:
        super().__init__(run)
        config = load("translate/recommended", TranslateConfig)
        self.translators = {
            direction: Translator(freeze(getattr(run.generators, direction)), run, config)
            for direction in ("forward", "backward")
        }

    def functions(self) -> dict[str, Callable[[tf.Tensor], Outputs]]:
        """Return ``serving_default``, to the second genre, and ``backward``, to the first."""

        def translate_by(translator: Translator) -> Callable[[tf.Tensor], Outputs]:
            def translate(waveform: tf.Tensor) -> Outputs:
                return {"waveform": translator.translate(waveform[..., tf.newaxis])[..., 0]}

            return translate

        return {
            "serving_default": translate_by(self.translators["forward"]),
            "backward": translate_by(self.translators["backward"]),
        }


def _reject_nan(function: Callable[[tf.Tensor], Outputs]) -> Callable[[tf.Tensor], Outputs]:
    """Return NaN for clips with NaN or infinite samples, which maxima in a network would hide."""

    def checked(waveform: tf.Tensor) -> Outputs:
        # A comparison, because TensorFlow Lite has no `is_finite`; NaN compares as False.
        is_finite = tf.reduce_all(tf.abs(waveform) <= tf.float32.max, axis=1, keepdims=True)
        return {
            name: tf.where(is_finite, output, tf.constant(np.nan, output.dtype))
            for name, output in function(waveform).items()
        }

    return checked


def freeze(model: keras.Model) -> Callable[..., Any]:
    """Return a model as a function whose weights are constants of the graph that calls it."""
    trainable = [variable.numpy() for variable in model.trainable_variables]
    others = [variable.numpy() for variable in model.non_trainable_variables]

    def call(inputs: tf.Tensor, training: bool = False) -> Any:
        outputs, _ = model.stateless_call(trainable, others, inputs, training=training)
        return outputs

    return call


def export(run: RunFolder, folder: str | Path, force: bool = False) -> dict[str, Any]:
    """Write a run's networks as a SavedModel, and compare it with the run after reloading.

    The signature ``serving_default`` takes ``waveform`` float32 `[batch, clip_samples]` at the
    run's sample rate. For a classifier, it returns ``probabilities`` `[batch, classes]` and
    ``embedding`` `[batch, units]`; for a translation, ``waveform`` in the second genre, and the
    signature ``backward`` one in the first. ``describe`` returns labels, sample_rate and
    clip_samples. The outputs of a clip with NaN or infinite samples are NaN.

    Args:
      run: run of a classifier or a translation.
      folder: folder of the SavedModel.
      force: replace an existing SavedModel.

    Returns:
      The JSON object of the command: path, max_abs_difference, labels, sample_rate, clip_samples.

    Raises:
      ModelError: if `folder` exists, contains anything but a SavedModel or cannot be written, the
        frontend cannot be part of a graph, the run is that of a sequence model, or the outputs of
        the reloaded model differ.
    """
    folder = Path(folder)
    check_output(folder, force, ModelError)
    if folder.exists() and not _is_replaceable(folder):
        raise ModelError(
            f"'{folder}' exists and is not a SavedModel, so it is not replaced; name another folder"
        )
    if not run.frontend.in_graph:
        raise ModelError(
            f"frontend.kind={run.config.frontend.kind} of the run '{run.folder}' is computed by "
            "librosa and cannot be part of a SavedModel; export a run with frontend.kind=raw or "
            "amplitude"
        )
    if isinstance(run, GenerationRun):
        raise ModelError(
            f"the run '{run.folder}' is that of a sequence model, which takes no clips; use "
            "tfdream generate, or export a classifier or a translation"
        )
    exported: Exported
    if isinstance(run, TranslationRun):
        exported = ExportedTranslation(run)
    else:
        assert isinstance(run, Run)
        exported = ExportedClassifier(run)
    with replacing(folder) as temporary:
        if temporary.exists():
            shutil.rmtree(temporary)
        try:
            signatures = exported.signatures()
            tf.saved_model.save(tf.Module(), str(temporary), signatures=signatures)
        except tf.errors.OpError as error:
            reason = " ".join(error.message.split()).rpartition("}} ")[
                2
            ]  # after the name of a graph node
            raise ModelError(f"'{folder}' cannot be written: {reason}") from None
        difference = compare(exported, temporary)
        if not difference <= _MAX_DIFFERENCE:
            raise ModelError(
                f"the reloaded model differs from the run by {difference:.2g}; nothing was written"
            )
        if folder.exists():
            shutil.rmtree(folder)
    return {
        "path": str(folder),
        "max_abs_difference": difference,
        "labels": run.labels,
        "sample_rate": run.sample_rate,
        "clip_samples": run.clip_samples,
    }


def _is_replaceable(folder: Path) -> bool:
    """Return whether a folder contains only a SavedModel, or nothing."""
    if not folder.is_dir() or folder.is_symlink() or not folder.name:  # the current folder
        return False
    names = {path.name for path in folder.iterdir()}
    return not names or ("saved_model.pb" in names and names <= _SAVED_MODEL_PARTS)


def compare(exported: Exported, folder: Path) -> float:
    """Return the largest absolute difference of the outputs of a run and its SavedModel.

    The inputs are noise at different levels, and silence.
    """
    rng = np.random.default_rng(0)
    samples = exported.clip_samples
    levels = np.logspace(0, -3, _CHECKED_CLIPS - 1)[:, None]
    noise = rng.uniform(-1, 1, (_CHECKED_CLIPS - 1, samples)) * levels
    waveform = tf.constant(np.concatenate([noise, np.zeros((1, samples))]), tf.float32)
    loaded = tf.saved_model.load(str(folder))
    differences = []
    for name, function in exported.functions().items():
        reloaded = loaded.signatures[name](waveform=waveform)[exported.compared]
        original = function(waveform)[exported.compared]
        differences.append(float(tf.reduce_max(tf.abs(reloaded - original))))
    return max(differences)
