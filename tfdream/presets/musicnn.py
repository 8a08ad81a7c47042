"""Conversion of the networks of musicnn 0.1.0 from their TensorFlow 1 checkpoints.

The wheel is read as data: its checkpoints by TensorFlow, its labels as literals. No code in it is
imported or executed.

For the same inputs, probabilities equal those of the stored graphs to 2e-6. The original program
cuts the spectrogram of a whole song into patches and drops the rest; `tfdream predict` cuts the
samples into clips, whose first and last frames are padded by reflection, and repeats the last clip
to fill it. The mean probabilities of ten songs of 30 s differ by at most 0.03, on average by 0.002.

Source: Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio
tagging".
"""

import ast
import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from tfdream.config import Experiment, ModelConfig, PrepareConfig, StftSpec
from tfdream.errors import ModelError, one_line
from tfdream.io import archives
from tfdream.models import classifiers
from tfdream.presets.card import ModelCard, TrainingData
from tfdream.runs import Run, RunInfo, versions
from tfdream.signal import frontends
from tfdream.signal.frontends.log_mel import LogMelFrontendConfig

SAMPLE_RATE = 16000
FRAMES = 187
"""Frames of an input."""
STFT = StftSpec(n_fft=512, hop_samples=256)

_CONFIGURATION = "musicnn/configuration.py"
_MAX_BYTES = 1 << 26
_DATA = "data-00000-of-00001"


class Collection(NamedTuple):
    """A collection of recordings that networks were trained on, and their labels."""

    name: str
    labels: str
    """Variable of the labels in the wheel."""
    data: TrainingData
    pools: str


_COLLECTIONS = {
    "mtt": Collection(
        "MagnaTagATune",
        "MTT_LABELS",
        TrainingData(
            name="MagnaTagATune",
            license="recordings of Magnatune, CC BY-NC-SA; the version was not checked",
            source="https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset",
        ),
        "magnatagatune",
    ),
    "msd": Collection(
        "Million Song Dataset",
        "MSD_LABELS",
        TrainingData(
            name="Million Song Dataset (tags of Last.fm, previews of 7digital)",
            license="proprietary; previews of commercial recordings",
            source="http://millionsongdataset.com",
        ),
        "million_song",
    ),
}


class Network(NamedTuple):
    """A published network of musicnn.

    Attributes:
      member: its folder in the wheel.
      collection: the recordings that it was trained on.
      vgg: whether it is the baseline in the style of VGG.
      scores: areas under the curves of receiver operating characteristic and precision–recall,
        mean over the tags of the collection's test set, as the wheel states them.
    """

    member: str
    collection: Collection
    vgg: bool
    scores: tuple[float, float]

    @property
    def model(self) -> ModelConfig:
        """Architecture of the network."""
        options: dict[str, Any] = {"multi_label": True}
        if self.vgg:
            return ModelConfig(
                name="musicnn_vgg", options=options | {"pools": self.collection.pools}
            )
        return ModelConfig(name="musicnn", options=options)

    @property
    def experiment(self) -> Experiment:
        """Configuration of the run."""
        return Experiment(
            prepare=PrepareConfig(
                sample_rate=SAMPLE_RATE,
                clip_seconds=(FRAMES - 1) * STFT.hop_samples / SAMPLE_RATE,
                tail="repeat",
            ),
            frontend=LogMelFrontendConfig(kind="log_mel", stft=STFT, bands=96, float16=True),
            model=self.model,
        )

    @property
    def card(self) -> ModelCard:
        """Model card of the run."""
        kind = "the baseline in the style of VGG" if self.vgg else "musicnn"
        roc, precision_recall = self.scores
        return ModelCard(
            title=f"{kind} on {self.collection.name}: 50 tags of music",
            summary=(
                "Independent probabilities of 50 tags for about 3 s of music; converted from the "
                "checkpoint without a change of its weights."
            ),
            source="https://pypi.org/project/musicnn/0.1.0/",
            license="ISC",
            training_data=(self.collection.data,),
            accuracy=(
                f"ROC-AUC {roc:.3f}, PR-AUC {precision_recall:.3f} on the collection's test set, "
                "as published with the weights"
            ),
            dream_layers=("pool2", "conv3", "pool3") if self.vgg else ("timbral", "block3"),
            citation=(
                "Pons and Serra, musicnn: Pre-trained convolutional neural networks for music "
                "audio tagging, ISMIR 2019, late-breaking demo"
            ),
        )


NETWORKS = {
    "musicnn_mtt": Network("MTT_musicnn", _COLLECTIONS["mtt"], False, (0.9067, 0.3831)),
    "musicnn_msd": Network("MSD_musicnn", _COLLECTIONS["msd"], False, (0.8802, 0.2891)),
    "musicnn_vgg_mtt": Network("MTT_vgg", _COLLECTIONS["mtt"], True, (0.9030, 0.3823)),
    "musicnn_vgg_msd": Network("MSD_vgg", _COLLECTIONS["msd"], True, (0.8768, 0.2819)),
}


def convert(file: Path, folder: Path) -> None:
    """Write the run folders of the four networks into `folder`.

    Args:
      file: the wheel.
      folder: an existing folder.

    Raises:
      ModelError: if the wheel is damaged, or lacks a file or a variable.
    """
    for name, network in NETWORKS.items():
        try:
            labels, model = _read(file, network)
        except (OSError, ValueError) as error:
            reason = one_line(error)
            raise ModelError(
                f"'{file}' is not the wheel of musicnn 0.1.0, or damaged ({network.member}: "
                f"{reason}); download it again"
            ) from None
        info = RunInfo(
            labels=labels,
            dataset=network.collection.name,
            dataset_fingerprint="",  # that of no prepared dataset
            test_fold=None,
            validation_fold=None,
            training_folds=[],
            versions=versions() | {"musicnn": "0.1.0"},
        )
        run = Run(folder / name, network.experiment, info)
        run.create()
        run.save_weights(model)
        network.card.write(run.folder)


def _read(file: Path, network: Network) -> tuple[list[str], keras.Model]:
    """Return the labels and the model of a network in the wheel."""
    checkpoint = [f"musicnn/{network.member}/.{part}" for part in ("index", _DATA)]
    configuration, index, data = archives.read_members(
        file, [_CONFIGURATION, *checkpoint], _MAX_BYTES
    )
    labels = _read_labels(configuration, network.collection.labels)
    experiment = network.experiment
    shape = frontends.build(experiment.frontend, SAMPLE_RATE).shape(experiment.input_samples)
    model = classifiers.build(network.model, shape, len(labels))
    set_weights(model, _read_checkpoint(index, data))
    return labels, model


def _read_labels(source: bytes, name: str) -> list[str]:
    """Return a list of texts that Python source assigns to a variable, without running it."""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"{_CONFIGURATION} is damaged: {error}") from None
    for statement in statements:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            labels = ast.literal_eval(statement.value)
            if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
                return labels
    raise ValueError(f"{_CONFIGURATION} has no list of texts {name}")


def _read_checkpoint(index: bytes, data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the variables of a checkpoint of TensorFlow 1, without those of its optimizer."""
    with tempfile.TemporaryDirectory() as temporary:
        prefix = Path(temporary) / "checkpoint"
        prefix.with_suffix(".index").write_bytes(index)
        prefix.with_suffix(f".{_DATA}").write_bytes(data)
        try:
            reader = tf.train.load_checkpoint(str(prefix))
            names = [name for name in reader.get_variable_to_shape_map() if "Adam" not in name]
            return {name: np.asarray(reader.get_tensor(name)) for name in names}
        # TensorFlow's Python code turns some errors of its library into the last two.
        except (tf.errors.OpError, RuntimeError, IndexError) as error:
            raise ValueError(f"the checkpoint cannot be read: {error}") from None


def set_weights(model: keras.Model, variables: dict[str, NDArray[np.float32]]) -> None:
    """Set the weights of a network to the variables of its checkpoint.

    The images of the original are `[batch, time, frequency, 1]`, and its convolutions along time
    have the features as a second image axis.

    Raises:
      ValueError: if a variable is missing or has another shape.
    """
    vgg = model.name == "musicnn_vgg"
    for layer in model.layers:
        if not layer.weights:
            continue
        source = _source(layer.name, vgg)
        suffixes = (
            ("gamma", "beta", "moving_mean", "moving_variance")
            if isinstance(layer, layers.BatchNormalization)
            else ("kernel", "bias")
        )
        weights = []
        for suffix, weight in zip(suffixes, layer.weights, strict=True):
            name = f"{source}/{suffix}"
            if name not in variables:
                raise ValueError(f"the checkpoint has no variable {name}")
            value = _rearrange(variables[name], layer, vgg)
            if value.shape != tuple(weight.shape):
                raise ValueError(
                    f"the variable {name} has the shape {variables[name].shape}, which does not "
                    f"fit {tuple(weight.shape)} of the layer {layer.name}"
                )
            weights.append(value)
        layer.set_weights(weights)


def _source(layer: str, vgg: bool) -> str:
    """Return the name of a layer in the checkpoint, which numbers layers of a type from 0."""
    named = {
        "norm_pooled": "batch_normalization_9",
        "dense": "dense",
        "embedding": "batch_normalization_10",
        "logits": "dense" if vgg else "dense_1",
        "norm0": "batch_normalization",
        "conv1": "1CNN" if vgg else "conv2d",
    }
    if layer in named:
        return named[layer]
    match = re.fullmatch(r"(norm|conv)(\d+)", layer)
    assert match is not None, layer
    number = int(match[2])
    if match[1] == "norm":
        return f"batch_normalization_{number}"
    return f"{number}CNN" if vgg else f"conv2d_{number - 1}"


def _rearrange(value: NDArray[np.float32], layer: keras.Layer, vgg: bool) -> NDArray[np.float32]:
    """Return a variable in the order of the layer's axes."""
    if value.ndim == 4:
        value = value.swapaxes(0, 1)
        along_time = not vgg and layer.input.shape[-1] > 1
        return value.transpose(2, 1, 0, 3) if along_time else value
    if layer.name == "norm_pooled" or (layer.name == "dense" and value.ndim == 2):
        # Maximum and mean of each feature alternate in the original.
        return np.concatenate([value[::2], value[1::2]])
    return value
