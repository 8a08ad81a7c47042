"""SavedModels that take waveforms and need nothing but TensorFlow to run."""

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
_PARTS = {"saved_model.pb", "variables", "assets", "fingerprint.pb"}
"""Of a SavedModel."""


Answers = dict[str, tf.Tensor]


class Exported(tf.Module, abc.ABC):
    """What a SavedModel holds: functions of waveforms, and what there is to know about them."""

    compared: str
    """The answer that is compared with the run's after reloading."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.clip_samples = run.clip_samples
        self.label_names = run.labels
        self.rate = run.sample_rate

    @abc.abstractmethod
    def functions(self) -> dict[str, Callable[[tf.Tensor], Answers]]:
        """By the names of their signatures: waveforms float32 `[batch, clip_samples]` → answers."""

    def signatures(self) -> dict[str, Any]:
        """What can be called: the functions, and ``describe``."""
        waveform = tf.TensorSpec([None, self.clip_samples], tf.float32, name="waveform")

        @tf.function(input_signature=[])
        def describe() -> Answers:
            return {
                "labels": tf.constant(self.label_names),
                "sample_rate": tf.constant(self.rate),
                "clip_samples": tf.constant(self.clip_samples),
            }

        traced = {
            name: tf.function(function, input_signature=[waveform], autograph=False)
            for name, function in self.functions().items()
        }
        return {**traced, "describe": describe}


class ExportedClassifier(Exported):
    """Waveforms to probabilities; frontend, network and labels in one, without the optimizer."""

    compared = "probabilities"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        model = run.model
        self.frontend = run.frontend
        self.network = keras.Model(
            model.input,
            {"probabilities": model.output, "embedding": model.get_layer("embedding").output},
        )
        self.weights = self.network.variables

    def functions(self) -> dict[str, Callable[[tf.Tensor], Answers]]:
        """``serving_default`` gives probabilities and embedding."""

        def classify(waveform: tf.Tensor) -> Answers:
            return dict(self.network(self.frontend(waveform), training=False))

        return {"serving_default": classify}


class ExportedTranslation(Exported):
    """Waveforms to waveforms, in both directions, by gains on the STFT."""

    compared = "waveform"

    def __init__(self, run: TranslationRun) -> None:
        super().__init__(run)
        config = load("translate/recommended", TranslateConfig)
        self.ways = {
            way: Translator(getattr(run.generators, way), run, config)
            for way in ("forward", "backward")
        }
        self.weights = run.generators.variables

    def functions(self) -> dict[str, Callable[[tf.Tensor], Answers]]:
        """``serving_default`` translates to the second genre, ``backward`` to the first."""

        def translate(way: str) -> Callable[[tf.Tensor], Answers]:
            def give(waveform: tf.Tensor) -> Answers:
                changed = self.ways[way].translate(waveform[..., tf.newaxis])
                return {"waveform": changed[..., 0]}

            return give

        return {"serving_default": translate("forward"), "backward": translate("backward")}


def export(run: RunFolder, folder: Path, force: bool = False) -> dict[str, Any]:
    """Write a run's networks as a SavedModel, and compare it with the run after reloading.

    The signature ``serving_default`` takes ``waveform`` float32 `[batch, clip_samples]` at the
    run's sample rate. Of a classifier, it gives ``probabilities`` `[batch, classes]` and
    ``embedding`` `[batch, units]`; of a translation, ``waveform`` in the second genre, and the
    signature ``backward`` in the first. ``describe`` gives labels, sample_rate and clip_samples.

    Args:
      run: of the networks.
      folder: of the SavedModel.
      force: replace it if it exists.

    Returns:
      The JSON object of the command: path, max_abs_difference, labels, sample_rate, clip_samples.

    Raises:
      ModelError: if `folder` exists, holds something else than a SavedModel or cannot be written,
        the frontend is no part of a graph, the run is of a generator, or the reloaded model answers
        differently.
    """
    check_output(folder, force, ModelError)
    if folder.exists() and not _may_go(folder):
        raise ModelError(
            f"'{folder}' is there and is no SavedModel, so it is not replaced; name another folder"
        )
    if not run.frontend.in_graph:
        raise ModelError(
            f"the run '{run.folder}' hears frontend.kind={run.config.frontend.kind}, which librosa "
            "computes and a SavedModel cannot hold; export one of frontend.kind=raw or amplitude"
        )
    if isinstance(run, GenerationRun):
        raise ModelError(
            f"the run '{run.folder}' is one of a generator, which goes on alone and takes no "
            "clips; use tfdream generate, or export a classifier or a translation"
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
            tf.saved_model.save(exported, str(temporary), signatures=exported.signatures())
        except tf.errors.OpError as error:
            reason = " ".join(error.message.split()).rpartition("}} ")[2]  # behind the graph's node
            raise ModelError(f"'{folder}' cannot be written: {reason}") from None
        difference = compare(exported, temporary)
        if not difference <= 1e-4:  # graph rewriting may round differently, by parts in 10⁶
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


def _may_go(folder: Path) -> bool:
    """Whether what is there holds nothing but a SavedModel."""
    if not folder.is_dir() or folder.is_symlink() or not folder.name:  # the one we are in
        return False
    found = {path.name for path in folder.iterdir()}
    return not found or ("saved_model.pb" in found and found <= _PARTS)


def compare(exported: Exported, folder: Path) -> float:
    """The largest difference of answers between what was exported and the SavedModel.

    On noise of different levels and silence, which every network takes.
    """
    rng = np.random.default_rng(0)
    samples = exported.clip_samples
    levels = np.logspace(0, -3, _CHECKED_CLIPS - 1)[:, None]
    noise = rng.uniform(-1, 1, (_CHECKED_CLIPS - 1, samples)) * levels
    waveform = tf.constant(np.concatenate([noise, np.zeros((1, samples))]), tf.float32)
    loaded = tf.saved_model.load(str(folder))
    differences = []
    for name, function in exported.functions().items():
        there = loaded.signatures[name](waveform=waveform)[exported.compared]
        here = function(waveform)[exported.compared]
        differences.append(float(tf.reduce_max(tf.abs(there - here))))
    return max(differences)
