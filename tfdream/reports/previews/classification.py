"""TensorBoard preview of a classifier in training: one example per label and confusion matrices."""

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.datasets.clip_set import ClipSet
from tfdream.figures.confusion import plot_confusion
from tfdream.figures.parts import sheet
from tfdream.figures.spectrograms import plot_spectrograms
from tfdream.reports.tensorboard import decode_image
from tfdream.runs import Run
from tfdream.training.classification import Classifier

_MAX_EXAMPLES = 16
"""Labels with an example; a dataset of hundreds of labels would take minutes to draw."""


class ClassifierPreview:
    """Writes previews of a classifier's training to TensorBoard, beside the curves.

    Called with the model in training and the number of finished epochs, it writes an image of the
    confusion matrix on the validation clips. Before the first epoch it writes one clip of each
    label instead, of at most 16 labels: its audio, its spectrogram and the model input.

    Args:
      run: the classifier's run.
      clip_sets: the clips of each label.
    """

    def __init__(self, run: Run, clip_sets: Iterable[ClipSet]) -> None:
        self.run = run
        self.clip_sets = clip_sets
        self._writer = tf.summary.create_file_writer(str(run.events_path / "clips"))

    def __call__(self, model: Classifier, epoch: int) -> None:
        """Write the preview of one epoch."""
        with self._writer.as_default(epoch):
            if epoch == 0:
                self._write_examples()
            elif self.run.info.validation_fold is not None:
                counts = model.confusion.matrix().round().astype(int).tolist()
                figure = plot_confusion(self.run.labels, counts)
                image = decode_image(sheet.encode(figure))
                tf.summary.image("confusion of validation clips", image)
        self._writer.flush()

    def _write_examples(self) -> None:
        """Write one clip of each label: audio, spectrogram and model input."""
        rate = self.run.sample_rate
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            examples = itertools.islice(self._examples(), _MAX_EXAMPLES)
            for number, (label, waveform) in enumerate(examples):
                paths.append((Path(folder) / f"{number}.wav", label))
                audio.write(paths[-1][0], waveform, rate)
                tf.summary.audio(label, waveform[np.newaxis, :, np.newaxis], rate)
                self._write_input(waveform[: self.run.input_samples], f"{label}, model input")
            if paths:
                files, labels = zip(*paths, strict=True)
                figure = plot_spectrograms(files, labels)
                tf.summary.image("spectrograms", decode_image(sheet.encode(figure)))

    def _examples(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield the first clip of each label that has one."""
        for clip_set in self.clip_sets:
            for waveform in itertools.islice(clip_set.waveforms(), 1):
                yield str(clip_set.label), waveform

    def _write_input(self, waveform: NDArray[np.float32], name: str) -> None:
        """Write the model input if it is an image: high frequencies on top, one image a channel."""
        model_input = self.run.frontend(tf.constant(waveform[np.newaxis]))
        if model_input.shape.rank == 4:
            channels = tf.transpose(model_input[:, ::-1], [3, 1, 2, 0])
            tf.summary.image(name, channels)
