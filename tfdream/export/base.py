"""Interface of exported networks: functions of tensors by name, with examples of their inputs."""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfdream.runs import RunFolder

TOLERANCE = 1e-4
"""Largest difference of outputs: other graphs round differently. Measured at full scale: 3e-5 of
the embedding of ResNet-18 in TensorFlow Lite, and 5e-5 of that of musicnn, whose bands are rounded
to either of two values of float16 by the last digit of their Fourier transform."""
Inputs = Mapping[str, tf.Tensor]
Outputs = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Signature:
    """A function of an exported network.

    Attributes:
      call: function of the inputs, in the order of `inputs`.
      inputs: specification of each input; its name is that of the input.
      examples: inputs whose outputs are compared after the export.
    """

    call: Callable[..., Outputs]
    inputs: Sequence[tf.TensorSpec]
    examples: Sequence[Inputs]


class Exported(abc.ABC):
    """The functions, the weights and the description of an exported network.

    `keras.export.ExportArchive` would not make this shorter: it needs the same functions, and
    ``describe``, which has no input, traced beforehand.

    Attributes:
      module: owner of the variables that the functions use, if there are any.
    """

    def __init__(self, run: RunFolder) -> None:
        self.input_samples = run.input_samples
        self.labels = run.labels
        self.sample_rate = run.sample_rate
        self.module = tf.Module()

    @abc.abstractmethod
    def signatures(self) -> dict[str, Signature]:
        """Return the functions by name."""

    def description(self) -> dict[str, Any]:
        """Return the values of the signature ``describe``: texts and numbers."""
        return {
            "labels": self.labels,
            "sample_rate": self.sample_rate,
            "clip_samples": self.input_samples,
        }

    def graphs(self) -> dict[str, Any]:
        """Return all signatures as graphs: the functions, and ``describe``."""
        description = self.description()

        @tf.function(input_signature=[], autograph=False)
        def describe() -> Outputs:
            return {name: tf.constant(value) for name, value in description.items()}

        graphs = {
            name: tf.function(signature.call, input_signature=signature.inputs, autograph=False)
            for name, signature in self.signatures().items()
        }
        return {**graphs, "describe": describe}


def compare(exported: Exported, compute: Callable[[str, Inputs], Mapping[str, Any]]) -> float:
    """Return the largest difference of the outputs of a run and its exported network.

    Outputs that exceed 1, such as an embedding, are compared in units of their peak.

    Args:
      exported: the network of the run.
      compute: computes the outputs of a signature of the reloaded network, by their names.
    """
    differences = [0.0]
    for name, signature in exported.signatures().items():
        for inputs in signature.examples:
            reloaded = compute(name, inputs)
            for output, value in signature.call(**inputs).items():
                unit = tf.maximum(tf.reduce_max(tf.abs(value)), 1.0)
                difference = tf.reduce_max(tf.abs(reloaded[output] - value)) / unit
                differences.append(float(difference))
    # Unlike Python's maximum, this is NaN if any difference is.
    return float(tf.reduce_max(differences))
