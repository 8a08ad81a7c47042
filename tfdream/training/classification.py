"""Training of classifiers."""

from collections.abc import Sequence
from dataclasses import replace

import keras
import tensorflow as tf

from tfdream.config import Experiment, TrainingConfig
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.shuffling import EpochPlan
from tfdream.datasets.views import window_starts
from tfdream.errors import ConfigError, DatasetError
from tfdream.models.parts.outputs import logits_loss
from tfdream.runs import Run, RunInfo
from tfdream.training import optimizers, pretrained, splits
from tfdream.training.callbacks import Row
from tfdream.training.distillation import Distillation
from tfdream.training.distributed import Workers
from tfdream.training.earlier_runs import trained_tracks
from tfdream.training.metrics import Confusion
from tfdream.training.population_statistics import PopulationStatistics
from tfdream.training.task import Task
from tfdream.training.timed_model import TimedModel

# Number of clips, spread over the training clips, from which inputs are standardized. On 1111 clips
# of music, the means of mel bands differ from those of all clips by at most 2 % of their standard
# deviation, and the deviations by at most 4 %.
_STANDARDIZATION_CLIPS = 512


class Classifier(TimedModel, keras.Model):
    """The network of a classifier up to the logits, with a confusion matrix as a metric."""

    confusion: Confusion
    distillation: Distillation | None = None

    @property
    def symbolic_batch(self) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Inputs, and labels with the shape of the outputs."""
        return self.input, self.output

    def compute_loss(
        self,
        x: tf.Tensor = None,
        y: tf.Tensor = None,
        y_pred: tf.Tensor = None,
        sample_weight: tf.Tensor = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Compute the loss of the labels, and in training that of the teachers."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training and self.distillation is not None:
            return self.distillation.mix(loss, x, y_pred)
        return loss

    def compute_metrics(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Update the confusion matrix beside Keras' metrics."""
        self.confusion.update_state(y, y_pred, sample_weight)
        results: dict[str, tf.Tensor] = super().compute_metrics(x, y, y_pred, sample_weight)
        return results


def build_classifier(
    network: keras.Model, training: TrainingConfig, steps_per_epoch: int
) -> Classifier:
    """Compile the network of a classifier for `fit`."""
    inputs = network.inputs
    if training.trainable == "head":
        inputs = [network.get_layer(training.features).output]
    model = Classifier(inputs, network.get_layer("logits").output)
    model.confusion = Confusion(model.output.shape[-1])
    model.compile(
        optimizer=optimizers.build(training, steps_per_epoch),
        loss=logits_loss(network, training.label_smoothing),
        weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    return model


class ClassificationTask(Task):
    """Trains a classifier on the clips of all labels."""

    run_type = Run
    uses_data_service = True
    run: Run

    def __init__(self, run: Run, datasets: Sequence[Dataset], workers: Workers) -> None:
        (self.dataset,) = datasets
        self.run = run
        self.workers = workers
        self.pipeline = LabeledPipeline(run.config, run.frontend, workers.replica_slice)
        # Raises an error if the frontend cannot follow waveforms that change at random.
        self.pipeline.is_cached(self.dataset.clips)
        self.clips = ClipSet.from_folds(self.dataset, run.info.training_folds)
        self.batch_size = min(run.config.training.batch_size, self.clips.clips)
        clips_in_batches = self.clips.clips // self.batch_size
        self.steps = max(run.config.training.least_steps, clips_in_batches)
        self._validation_clips = None
        if run.info.validation_fold is not None:
            folds = [run.info.validation_fold]
            self._validation_clips = ClipSet.from_folds(self.dataset, folds)

    @classmethod
    def describe(
        cls, config: Experiment, datasets: Sequence[Dataset], test_fold: int | None
    ) -> RunInfo:
        if config.model is None:
            raise ConfigError("the configuration has no section 'model', which training needs")
        (dataset,) = datasets
        if len(dataset.labels) < 2:
            raise DatasetError(
                f"'{dataset.folder}' has one label ('{dataset.labels[0]}'); a classifier needs two "
                "or more: prepare a folder with a sub-folder for each"
            )
        info = splits.split(dataset, config.training.validate_on, test_fold)
        splits.check_labels(dataset, info)
        trained = dataset.track_digests(fold for fold in dataset.folds if fold != test_fold)
        earlier = trained_tracks(config.training, test_fold)
        return info.model_copy(update={"trained_tracks": sorted({*trained, *earlier})})

    def build(self) -> tuple[Classifier, keras.Model]:
        network = self.run.build_model()
        if self.run.config.training.pretrained is not None:
            pretrained.load_weights(network, self.run, self.dataset)
        if self.run.config.training.trainable == "head":
            frontend = pretrained.FeatureExtractor(
                self.run.frontend, network, self.run.config.training.features
            )
            self.pipeline = LabeledPipeline(self.run.config, frontend, self.workers.replica_slice)
        model = build_classifier(network, self.run.config.training, self.steps)
        if self.run.config.training.teachers:
            model.distillation = Distillation(self.run, network, self.dataset)
        return model, network

    def adapt(self, network: keras.Model) -> None:
        """Compute the mean and deviation of layers that standardize inputs or features of them.

        Pretrained networks have those of the inputs that they were trained on.
        """
        if self.run.config.training.pretrained is not None:
            return
        for layer in network.layers:
            if isinstance(layer, keras.layers.Normalization):
                before = keras.Model(network.input, layer.input)
                sample = self.pipeline.sample(self.clips, _STANDARDIZATION_CLIPS)
                layer.adapt(sample.map(before))

    def training_batches(self, first_epoch: int) -> tf.data.Dataset:
        plan = EpochPlan(self.batch_size, self.steps, self.run.config.training.seed, first_epoch)
        return self.pipeline.training(self.clips, plan, self.workers.service())

    def callbacks(self, history: list[Row]) -> list[keras.callbacks.Callback]:
        if self.run.config.training.normalization_statistics == "moving":
            return []
        batches = self.pipeline.evaluation(self.clips, self.batch_size, repeated=True)
        return [PopulationStatistics(batches.map(lambda inputs, _: inputs))]

    def validation_batches(self) -> tf.data.Dataset | None:
        if self._validation_clips is None:
            return None
        clips, batch_size = self._validation_clips.clips, self.batch_size
        excess = -clips % batch_size
        # Without it, an incomplete batch may leave a device without a clip: a crash or a NaN.
        fill = self.workers.count > 1 or bool(self.workers.devices > 1 and excess)
        batches = self.pipeline.evaluation(
            self._validation_clips, batch_size, repeated=True, fill=fill
        )
        windows = len(window_starts(self.run.config))

        def label(inputs: tf.Tensor, clip: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            labels = tf.one_hot(clip["label"], len(self.dataset.labels))
            return inputs, tf.repeat(labels, windows, axis=0)

        labeled = batches.map(label)
        if not fill:
            return labeled
        # Keras divides the loss by the number of all clips, including those that fill the batch.
        weight = (clips + excess) / clips

        def weigh(
            pair: tuple[tf.Tensor, tf.Tensor], index: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            weights = tf.where(index < clips, weight, 0.0)
            return *pair, tf.repeat(weights, windows)

        indices = tf.data.Dataset.range(clips + excess).batch(batch_size)
        indices = self.workers.replica_slice.apply(indices, batch_size)
        return tf.data.Dataset.zip(labeled, indices).map(weigh)

    @property
    def preview_sets(self) -> tuple[ClipSet, ...]:
        """The validation clips of each label; without validation, the training clips."""
        clips = self._validation_clips or self.clips
        return tuple(replace(clips, label=label) for label in self.dataset.labels)
