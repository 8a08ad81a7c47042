"""Listeners: a network with the frontend that it listens through."""

from dataclasses import dataclass
from typing import Protocol

import keras

from tfdream.config import FeatureNetworkConfig
from tfdream.models import feature_networks
from tfdream.signal import frontends
from tfdream.signal.frontends import (
    Frontend,
)


class AudioModel(Protocol):
    """What a recipe needs to know of a network; a run is one."""

    @property
    def model(self) -> keras.Model:
        """From the frontend's output on."""

    @property
    def frontend(self) -> Frontend:
        """From the waveform to the model's input."""

    @property
    def sample_rate(self) -> int:
        """In Hz."""

    @property
    def clip_samples(self) -> int:
        """The length that the model was trained on, or that suits it."""


@dataclass(frozen=True)
class FeatureNetwork:
    """A feature network, which was not trained here."""

    model: keras.Model
    frontend: Frontend
    sample_rate: int
    clip_samples: int

    @classmethod
    def build(cls, config: FeatureNetworkConfig) -> "FeatureNetwork":
        """Build what a configuration describes."""
        frontend = frontends.build(config.frontend, config.sample_rate)
        samples = round(config.clip_seconds * config.sample_rate)
        model = feature_networks.build(config, frontend.shape(samples))
        return cls(model, frontend, config.sample_rate, samples)
