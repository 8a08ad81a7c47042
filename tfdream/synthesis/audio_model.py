"""Audio models: a network together with the frontend that computes its input."""

from dataclasses import dataclass
from typing import Protocol

import keras

from tfdream.config import FeatureNetworkConfig
from tfdream.models import feature_networks
from tfdream.signal import frontends
from tfdream.signal.frontends import Frontend


class AudioModel(Protocol):
    """The interface that recipes need from a network; a `Run` implements it."""

    @property
    def model(self) -> keras.Model:
        """The network on the frontend's output."""

    @property
    def frontend(self) -> Frontend:
        """The frontend, from the waveform to the model's input."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the waveforms, in Hz."""

    @property
    def input_samples(self) -> int:
        """Length of the model's input in samples, or one that suits it."""


@dataclass(frozen=True)
class FeatureNetwork:
    """A network of `models.feature_networks`, with random or pretrained weights."""

    model: keras.Model
    frontend: Frontend
    sample_rate: int
    input_samples: int

    @classmethod
    def build(cls, config: FeatureNetworkConfig) -> "FeatureNetwork":
        """Build the network and frontend of a configuration."""
        frontend = frontends.build(config.frontend, config.sample_rate)
        samples = round(config.clip_seconds * config.sample_rate)
        model = feature_networks.build(config, frontend.shape(samples))
        return cls(model, frontend, config.sample_rate, samples)
