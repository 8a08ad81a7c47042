"""SavedModels that take waveforms and need nothing but TensorFlow to run."""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdream.errors import ModelError
from tfdream.files import check_free, replacing
from tfdream.training.runs import Run

_CHECKED_CLIPS = 4


class ExportedClassifier(tf.Module):
    """Waveforms to probabilities; frontend, network and labels in one, without the optimizer."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        model = run.model
        self.frontend = run.frontend
        self.network = keras.Model(
            model.input,
            {"probabilities": model.output, "embedding": model.get_layer("embedding").output},
        )
        self.weights = self.network.variables
        self.clip_samples = run.clip_samples
        self.label_names = run.labels
        self.rate = run.sample_rate

    def signatures(self) -> dict[str, Any]:
        """What can be called: ``classify`` is the default signature."""
        waveform = tf.TensorSpec([None, self.clip_samples], tf.float32, name="waveform")

        @tf.function(input_signature=[waveform])
        def classify(waveform: tf.Tensor) -> dict[str, tf.Tensor]:
            return dict(self.network(self.frontend(waveform), training=False))

        @tf.function(input_signature=[])
        def describe() -> dict[str, tf.Tensor]:
            return {
                "labels": tf.constant(self.label_names),
                "sample_rate": tf.constant(self.rate),
                "clip_samples": tf.constant(self.clip_samples),
            }

        return {"serving_default": classify, "describe": describe}


def export(run: Run, folder: Path, force: bool = False) -> dict[str, Any]:
    """Write a run's network as a SavedModel, and compare it with the run after reloading.

    The signature ``serving_default`` takes ``waveform`` float32 `[batch, clip_samples]` at the
    run's sample rate and gives ``probabilities`` `[batch, classes]` and ``embedding``
    `[batch, units]`; ``describe`` gives labels, sample_rate and clip_samples.

    Args:
      run: of the network.
      folder: of the SavedModel.
      force: replace it if it exists.

    Returns:
      The JSON object of the command: path, max_abs_difference, labels, sample_rate, clip_samples.

    Raises:
      ModelError: if `folder` exists, the frontend is no part of a graph, or the reloaded model
        answers differently.
    """
    check_free(folder, force, ModelError)
    if not run.frontend.in_graph:
        raise ModelError(
            f"the run '{run.folder}' hears frontend.kind={run.config.frontend.kind}, which librosa "
            "computes and a SavedModel cannot hold; export one of frontend.kind=raw or amplitude"
        )
    exported = ExportedClassifier(run)
    with replacing(folder) as temporary:
        if temporary.exists():
            shutil.rmtree(temporary)
        tf.saved_model.save(exported, str(temporary), signatures=exported.signatures())
        difference = compare(run, temporary)
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


def compare(run: Run, folder: Path) -> float:
    """The largest difference of probabilities between a run and its SavedModel.

    On noise of different levels and silence, which every network takes.
    """
    rng = np.random.default_rng(0)
    levels = np.logspace(0, -3, _CHECKED_CLIPS - 1)[:, None]
    noise = rng.uniform(-1, 1, (_CHECKED_CLIPS - 1, run.clip_samples)) * levels
    waveform = tf.constant(np.concatenate([noise, np.zeros((1, run.clip_samples))]), tf.float32)
    loaded = tf.saved_model.load(str(folder))
    there = loaded.signatures["serving_default"](waveform=waveform)["probabilities"]
    here = run.model(run.frontend(waveform), training=False)
    return float(tf.reduce_max(tf.abs(there - here)))
