"""Transfer learning: networks that start with the weights of another run."""

import logging

import keras
import tensorflow as tf

from tfdream.config import TrainingConfig
from tfdream.datasets.manifest import Dataset
from tfdream.errors import ConfigError
from tfdream.models import inspect
from tfdream.models.freeze import freeze
from tfdream.runs import Run
from tfdream.signal.frontends import Frontend
from tfdream.signal.images import Size
from tfdream.training.earlier_runs import open_earlier

logger = logging.getLogger(__name__)

_EMBEDDING = "embedding"
"""The layer that every classifier has before the layers that depend on the labels."""


def load_weights(network: keras.Model, run: Run, dataset: Dataset) -> None:
    """Set the weights of a network's layers to those of the run in `training.pretrained`.

    Layers with another name or other shapes keep their initial weights, as do the layers after
    ``embedding`` unless the labels are the same.

    Args:
      network: a new network.
      run: the run to train.
      dataset: its dataset.

    Raises:
      ConfigError: if the earlier run has another frontend or sample rate, no layer in common, lacks
        one that is not trained, or was trained on a track that this training holds out.
      ModelError: if it cannot be opened.
    """
    training: TrainingConfig = run.config.training
    assert training.pretrained is not None
    earlier = open_earlier("training.pretrained", training.pretrained, run, dataset)
    of_labels = [] if earlier.labels == run.labels else layers_after(network, _EMBEDDING)
    sources = {layer.name: layer.get_weights() for layer in earlier.model.layers}
    copied, fresh = [], []
    for layer in network.layers:
        shapes = [weight.shape for weight in layer.get_weights()]
        if not shapes:
            continue
        source = sources.get(layer.name, [])
        if layer.name not in of_labels and [weight.shape for weight in source] == shapes:
            layer.set_weights(source)
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()  # it computes with copies of its weights
            copied.append(layer.name)
        else:
            fresh.append(layer.name)
    if not copied:
        raise ConfigError(
            f"no layer of the model '{network.name}' has the name and shapes of one in "
            f"training.pretrained={training.pretrained}; use the same model.name and "
            "model.options"
        )
    missing: list[str] = []
    if training.trainable == "head":
        trained = layers_after(network, training.features)
        missing = [name for name in fresh if name not in trained]
    if missing:
        raise ConfigError(
            f"training.pretrained={training.pretrained} has no weights for the layers "
            f"{', '.join(missing)}, which training.trainable=head does not train; use the same "
            "model.options, or trainable=all"
        )
    logger.info(
        "%d layers start with the weights of %s; new: %s",
        len(copied),
        earlier.folder.name,
        ", ".join(fresh) or "none",
    )


def layers_after(network: keras.Model, name: str) -> list[str]:
    """Return the names of the layers after one, in the network's order.

    Raises:
      ModelError: if there is no layer of this name.
    """
    inspect.find_layers(network, [name])
    names = [layer.name for layer in network.layers]
    return names[names.index(name) + 1 :]


class FeatureExtractor(Frontend):
    """Converts waveforms to the output of a layer, with fixed weights.

    Args:
      frontend: the frontend of the network.
      network: a classifier.
      layer: name of the layer.
    """

    def __init__(self, frontend: Frontend, network: keras.Model, layer: str) -> None:
        self._frontend = frontend
        self._layer = layer
        with tf.device("CPU:0"):  # where the pipelines run
            self._network = freeze(inspect.tap(network, [layer]))
        self._shape = tuple(network.get_layer(layer).output.shape[1:])

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        inputs = self._frontend(waveform, size)
        return self._network(inputs, training=False)[self._layer]

    def shape(self, samples: int) -> tuple[int, ...]:
        return self._shape
