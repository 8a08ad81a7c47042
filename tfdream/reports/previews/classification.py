"""TensorBoard preview of a classifier in training: one example per label and confusion matrices."""

import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdream import audio, figures
from tfdream.datasets.clip_set import ClipSet
from tfdream.reports.result import render_png
from tfdream.reports.tensorboard import decode_image
from tfdream.runs import Run


class ClassifierPreview:
    """Writes previews of a classifier's training to TensorBoard, beside the curves.

    Called with the number of finished epochs and the confusion matrix on the validation clips, it
    writes an image of the matrix. Before the first epoch it also writes one clip of each label: its
    audio, its spectrogram and the model input.

    Args:
      run: the classifier's run.
      sides: the clips of each label.
    """

    def __init__(self, run: Run, sides: Iterable[ClipSet]) -> None:
        self.run = run
        self.sides = sides
        self._writer = tf.summary.create_file_writer(str(run.events_path / "clips"))

    def __call__(self, epoch: int, confusion: np.ndarray | None) -> None:
        """Write the preview of one epoch."""
        with self._writer.as_default(epoch):
            if epoch == 0:
                self._write_examples()
            if confusion is not None:
                counts = confusion.round().astype(int).tolist()
                image = render_png(lambda path: figures.confusion(self.run.labels, counts, path))
                tf.summary.image("confusion of validation clips", decode_image(image))
        self._writer.flush()

    def _write_examples(self) -> None:
        """Write one clip of each label: audio, spectrogram and model input."""
        rate = self.run.sample_rate
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, side in enumerate(self.sides):
                for waveform in itertools.islice(side.waveforms(), 1):
                    paths.append((Path(folder) / f"{number}.wav", str(side.label)))
                    audio.write(paths[-1][0], waveform, rate)
                    tf.summary.audio(side.label, waveform[np.newaxis, :, np.newaxis], rate)
                    self._write_input(waveform[: self.run.clip_samples], f"{side.label}, as seen")
            if paths:
                files, labels = zip(*paths, strict=True)
                image = render_png(lambda path: figures.spectrograms(files, path, labels))
                tf.summary.image("spectrograms", decode_image(image))

    def _write_input(self, waveform: np.ndarray, name: str) -> None:
        """Write the model input if it is an image: high frequencies on top, one image a channel."""
        model_input = self.run.frontend(tf.constant(waveform[np.newaxis]))
        if model_input.shape.rank == 4:
            channels = tf.transpose(model_input[:, ::-1], [3, 1, 2, 0])
            tf.summary.image(name, channels)
