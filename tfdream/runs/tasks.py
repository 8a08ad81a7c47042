"""The runs of classifiers, translations, sequence models and transfer networks."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import keras
import tensorflow as tf

from tfdream.config import (
    BaseExperiment,
    Experiment,
    GenerationExperiment,
    ModelConfig,
    TransferExperiment,
    TranslationExperiment,
)
from tfdream.errors import ModelError
from tfdream.models import classifiers, gan, sequence, transfer
from tfdream.runs.folder import RunFolder, read
from tfdream.runs.info import EXCERPT_FILES, JUDGED_FILE
from tfdream.runs.named import locate
from tfdream.signal.graphs import compiled


class Run(RunFolder):
    """The run of a classifier."""

    schema = Experiment
    config: Experiment

    def build_model(self, initial_weights: bool = True) -> keras.Model:
        """Build the network.

        Args:
          initial_weights: whether it starts with the weights that `model.options` may name.
            Otherwise no other file is loaded and nothing is downloaded, as for a stored run.
        """
        config = self._model_config
        if "weights" in config.options and not initial_weights:
            config = config.model_copy(update={"options": config.options | {"weights": "random"}})
        shape = self.frontend.shape(self.input_samples)
        return classifiers.build(config, shape, len(self.labels))

    def load_networks(self) -> keras.Model:
        return self.load_weights(self.build_model(initial_weights=False))

    @property
    def _model_config(self) -> ModelConfig:
        if self.config.model is None:
            raise ModelError(f"the run '{self.folder}' has no section 'model'")
        return self.config.model

    @cached_property
    def model(self) -> keras.Model:
        """The network with the stored weights.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        return self.load_networks()

    @cached_property
    def classify(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The network, compiled: inputs `[batch, …]` → probabilities `[batch, labels]`.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        model = self.model  # loaded here, because inside the graph, loading would only be traced

        def classify(inputs: tf.Tensor) -> tf.Tensor:
            return model(inputs, training=False)

        return compiled(classify)


class TranslationRun(RunFolder):
    """The run of a CycleGAN."""

    schema = TranslationExperiment
    config: TranslationExperiment

    @property
    def judged_path(self) -> Path:
        """Measures of a judge over the epochs, if training had one."""
        return self.folder / JUDGED_FILE

    def excerpt_path(self, label: str) -> Path:
        """The recording with excerpts of the training clips of a label, one after the other."""
        return self.folder / EXCERPT_FILES[self.labels.index(label)]

    def existing_excerpts(self, label: str) -> Path:
        """Return the recording with excerpts of a label.

        Raises:
          ModelError: if the run has none.
        """
        path = self.excerpt_path(label)
        if not path.exists():
            raise ModelError(
                f"the run '{self.folder}' has no excerpts of {label} ({path.name}) to compose a "
                "translation of; train it again, or use --config translate/recommended"
            )
        return path

    def build_networks(self) -> gan.GanNetworks:
        """Build generator and discriminator of one direction with initial weights."""
        return gan.build(self.config.model, self.frontend.shape(self.input_samples))

    def build_generators(self) -> gan.BidirectionalModel:
        """Build the generators of both directions with initial weights."""
        return gan.BidirectionalModel(
            self.build_networks().generator, self.build_networks().generator
        )

    def load_networks(self) -> gan.BidirectionalModel:
        return self.load_weights(self.build_generators())

    @cached_property
    def generators(self) -> gan.BidirectionalModel:
        """The generators of both directions with the stored weights.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        return self.load_networks()


class GenerationRun(RunFolder):
    """The run of a sequence model."""

    schema = GenerationExperiment
    config: GenerationExperiment

    def build_sequence_model(self) -> sequence.SequenceModel:
        """Build the sequence model with initial weights."""
        return sequence.build(self.config.model, self.frontend.shape(self.input_samples))

    def load_networks(self) -> sequence.SequenceModel:
        return self.load_weights(self.build_sequence_model())

    @cached_property
    def sequence_model(self) -> sequence.SequenceModel:
        """The sequence model with the stored weights.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        return self.load_networks()


class TransferRun(RunFolder):
    """The run of a transfer network."""

    schema = TransferExperiment
    config: TransferExperiment

    def build_network(self) -> transfer.TransferNetwork:
        """Build the network with initial weights."""
        return transfer.build(self.config.model, self.frontend.shape(self.input_samples))

    def load_networks(self) -> transfer.TransferNetwork:
        return self.load_weights(self.build_network())

    @cached_property
    def network(self) -> transfer.TransferNetwork:
        """The network with the stored weights.

        Raises:
          ModelError: if no epoch is finished, or the weights are damaged.
        """
        return self.load_networks()


def open_run(folder: str | Path) -> RunFolder:
    """Open the run of any task; see `RunFolder.open`."""
    folder = locate(folder)
    config, info = read(folder)
    return _RUN_TYPES[type(config)](folder, config, info)


_RUN_TYPES: dict[type[BaseExperiment], type[RunFolder]] = {
    run_type.schema: run_type for run_type in (Run, TranslationRun, GenerationRun, TransferRun)
}
