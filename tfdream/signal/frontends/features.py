"""Features computed by librosa: neither differentiable nor invertible."""

from typing import Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.config import FrontendConfig
from tfdream.config.frontends import Spacing
from tfdream.signal import features
from tfdream.signal.features import FeatureSpec
from tfdream.signal.frontends.base import Frontend
from tfdream.signal.images import Size


class FeatureFrontendConfig(FrontendConfig, FeatureSpec):
    """Summary features or an autocorrelogram; see `tfdream.signal.features`."""

    kind: Literal["features", "autocorrelogram"]

    def values(self, samples: int) -> int:
        return self.stft.bins * self.stft.frames(samples)

    def spacings(
        self, shape: tuple[int, ...], samples: int, sample_rate: int
    ) -> tuple[Spacing, ...]:
        if self.kind == "features":
            return ((1, "features"),)
        return ((self.stft.hop_samples / sample_rate, "s"),)


class FeatureFrontend(Frontend):
    """Computes `[batch, features, 1]` outside the graph.

    Attributes:
      spec: parameters of the features; worker processes unpickle it without TensorFlow.
    """

    in_graph = False

    def __init__(self, config: FeatureFrontendConfig, sample_rate: int) -> None:
        self.config = config
        self.spec = FeatureSpec(**config.model_dump())
        self.sample_rate = sample_rate

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        # Stateless: the same samples have the same features.
        values = tf.numpy_function(self._compute_batch, [waveform], tf.float32, stateful=False)
        return tf.ensure_shape(values, [waveform.shape[0], *self.shape(0)])

    def shape(self, samples: int) -> tuple[int, ...]:
        return features.size(self.spec), 1

    def compute(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return features `[features]` of a clip float32 `[samples]`, without TensorFlow."""
        return features.compute(self.spec, self.sample_rate, samples)

    def _compute_batch(self, waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
        values = [self.compute(samples) for samples in waveforms]
        return np.array(values, np.float32).reshape(len(values), *self.shape(0))


def build(config: FeatureFrontendConfig, sample_rate: int) -> FeatureFrontend:
    """Build the frontend."""
    return FeatureFrontend(config, sample_rate)
