"""Interface of frontends."""

import abc

import tensorflow as tf

from tfdream.signal.images import Size


class Frontend(abc.ABC):
    """Converts waveforms float32 `[batch, samples]` to model inputs float32 `[batch, …]`."""

    in_graph = True
    """Whether it consists of TensorFlow operations, hence has a gradient and can be exported."""

    window_samples = 1
    """Length of the shortest waveforms that fill a window of it."""

    @abc.abstractmethod
    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        """Return the model input; an image is resized to `size`."""

    @abc.abstractmethod
    def shape(self, samples: int) -> tuple[int, ...]:
        """Return the shape of the input that a clip of `samples` samples gives, without batch."""
