"""Distillation: a classifier also learns the probabilities that trained classifiers output.

Source: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", section 2, with a
temperature of 1; teachers of the same architecture as in Furlanello et al., "Born-again neural
networks", section 3.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfdream.config import TrainingConfig
from tfdream.datasets.manifest import Dataset
from tfdream.errors import ConfigError
from tfdream.models.parts.outputs import logits_loss
from tfdream.runs import Run
from tfdream.training.earlier_runs import open_earlier
from tfdream.training.timed_model import precision


class Distillation:
    """The loss between the output of a network and the mean output of its teachers.

    Args:
      run: the run to train, with `training.teachers`.
      network: its network.
      dataset: its dataset.

    Raises:
      ConfigError: if a teacher has other inputs or labels, or was trained on a track that this
        training holds out.
      ModelError: if a teacher cannot be opened.
    """

    def __init__(self, run: Run, network: keras.Model, dataset: Dataset) -> None:
        training: TrainingConfig = run.config.training
        self.weight = training.teacher_weight
        with precision(False):
            self._teachers: list[Callable[[tf.Tensor], tf.Tensor]] = [
                _open(path, run, dataset).classify for path in training.teachers
            ]
        self._compare = logits_loss(network)

    def mix(self, loss: tf.Tensor, inputs: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Add the loss between the logits and the teachers' probabilities to that of the labels.

        Args:
          loss: the loss of the labels, float32 `[]`.
          inputs: the model's inputs, as they were augmented, float32 `[batch, …]`.
          logits: the model's output for them, float32 `[batch, labels]`.
        """
        targets = tf.add_n([teacher(inputs) for teacher in self._teachers]) / len(self._teachers)
        distance = self._compare(tf.stop_gradient(targets), logits)
        return (1 - self.weight) * loss + self.weight * distance


def _open(teacher: str, run: Run, dataset: Dataset) -> Run:
    """Open a teacher, and check that it has the inputs and labels of the run to train."""
    opened = open_earlier("training.teachers", teacher, run, dataset)
    key = f"training.teachers: '{teacher}'"
    if opened.input_samples != run.input_samples:
        raise ConfigError(
            f"{key} has inputs of {opened.input_samples} samples instead of {run.input_samples}; "
            "train it with the same prepare.clip_seconds and input_seconds"
        )
    if opened.labels != run.labels:
        raise ConfigError(
            f"{key} has the labels {', '.join(opened.labels)} instead of {', '.join(run.labels)}"
        )
    return opened
