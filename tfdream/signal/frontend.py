"""Frontends: waveform → what a network sees, differentiable, batched and as invertible as may be.

`build` makes the one that a configuration names. A spectrogram frontend gives images
`[batch, frequency, time, channels]` in [0, 1], frequency ascending; what an image leaves out (the
clip's level, its phase) comes beside it as a `ImageMetadata`, which `invert` takes back. Features by
librosa are neither differentiable nor invertible.
"""

import abc
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfdream.config import (
    ConstantQFrontendConfig,
    FeatureFrontendConfig,
    FrontendConfig,
    MelFrontendConfig,
    PhaseConfig,
    RawFrontendConfig,
    SpectrogramFrontendConfig,
)
from tfdream.errors import ConfigError
from tfdream.signal import features
from tfdream.signal.constant_q import LIKE_BINS_OF, ConstantQ
from tfdream.signal.images import Size, resize, turn
from tfdream.signal.mel import MelBands
from tfdream.signal.phase import magnitude_to_waveform
from tfdream.signal.scales import Decibels, Log1p
from tfdream.signal.stft import (
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)

_FROM_THE_ORIGINAL = PhaseConfig()
# Half a turn is this far from itself in float32.
_TINY_TURN = 1e-5


class ImageMetadata(NamedTuple):
    """What an image leaves out; `invert` takes what it has and finds the rest."""

    reference_db: tf.Tensor
    """float32 `[batch, 1, 1]`: the level, in dB, of image value 1; kind=log1p needs none."""
    magnitude: tf.Tensor | None
    """float32 `[batch, frames, bins]`, for images that show no level."""
    phase: tf.Tensor | None
    """float32 `[batch, frames, bins]` in radians: the original's, where it is known."""


class Frontend(abc.ABC):
    """Waveforms float32 `[batch, samples]` → model inputs float32 `[batch, …]`."""

    in_graph = True
    """Whether it consists of TensorFlow operations, hence has a gradient and can be exported."""

    @abc.abstractmethod
    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        """The model's input; of an image, resized to `size`."""

    @abc.abstractmethod
    def shape(self, samples: int) -> tuple[int, ...]:
        """Shape of one clip's input, without the batch."""


class RawFrontend(Frontend):
    """The samples themselves: `[batch, samples, 1]`."""

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        return waveform[..., tf.newaxis]

    def shape(self, samples: int) -> tuple[int, ...]:
        return samples, 1


class SpectrogramFrontend(Frontend):
    """A gray image of the STFT: level, phase, or both as two channels.

    The level is on one of the `scales`, of every bin or of mel bands; the phase is scaled from −π…π
    to 0…1.

    Source: "Dreaming in Music", section III-A; "On the Generation of Music", section 3.
    """

    def __init__(
        self, config: SpectrogramFrontendConfig | MelFrontendConfig, sample_rate: int
    ) -> None:
        self.config = config
        self.spec = config.stft
        self.bands = (
            MelBands(config, sample_rate) if isinstance(config, MelFrontendConfig) else None
        )
        self.shows_level = config.kind != "phase"
        self.shows_phase = config.kind in ("phase", "amplitude_phase")
        self.scale = Log1p() if config.kind == "log1p" else Decibels(config.stft, config.top_db)

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        return self.stft_to_image(waveform_to_stft(waveform, self.spec), size)

    def shape(self, samples: int) -> tuple[int, ...]:
        size = self.config.size or self._full_size(samples)
        return *size, int(self.shows_level) + int(self.shows_phase)

    def stft_to_image(self, stft: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        """complex64 `[batch, frames, bins]` → float32 `[batch, height, width, channels]`."""
        channels = []
        if self.shows_level:
            channels.append(self._power_to_channel(stft_to_power(stft)))
        if self.shows_phase:
            channels.append(stft_to_phase(stft) / (2 * math.pi) + 0.5)
        return self._to_image(tf.stack(channels, axis=-1), size)

    def parts_to_image(
        self, level: tf.Tensor, phase: tf.Tensor, size: Size | None = None
    ) -> tf.Tensor:
        """Levels on the frontend's scale and phases in radians → image of what it shows of them.

        Args:
          level: float32 `[batch, frames, bins]`.
          phase: the same, of any turn.
          size: to resize the image to.

        Levels are measured against the loudest as it is: making that softer changes the others in
        the image, but has no part in the gradient.
        """
        channels = []
        if self.bands:
            channels.append(self._power_to_channel(self.scale.level_to_magnitude(level) ** 2))
        elif self.shows_level:
            reference = tf.stop_gradient(self.scale.reference(level))
            channels.append(self.scale.level_to_channel(level, reference))
        if self.shows_phase:
            turns = phase / (2 * math.pi)
            # Half a turn stays as it is, to either side: bins of real numbers have it.
            whole = tf.where(tf.abs(turns) <= 0.5 + _TINY_TURN, 0.0, tf.round(turns))
            channels.append(turns - whole + 0.5)
        return self._to_image(tf.stack(channels, axis=-1), size)

    def analyze(self, waveform: tf.Tensor) -> tuple[tf.Tensor, ImageMetadata]:
        """The image, and what it leaves out."""
        stft = waveform_to_stft(waveform, self.spec)
        power = stft_to_power(stft)
        reference = self.scale.reference(self._power_to_level(power))
        return self.stft_to_image(stft), ImageMetadata(
            reference, tf.sqrt(power), stft_to_phase(stft)
        )

    def invert(
        self,
        image: tf.Tensor,
        remainder: ImageMetadata,
        samples: int,
        config: PhaseConfig = _FROM_THE_ORIGINAL,
        seed: int = 0,
    ) -> tf.Tensor:
        """The waveform of an image.

        What the image shows comes from the image: a level it does not show from `remainder`, a
        phase it does not show as `config` says.

        Args:
          image: float32 `[batch, height, width, channels]`.
          remainder: what the image leaves out.
          samples: length of the result.
          config, seed: see `phase.magnitude_to_waveform`; for images that do not show their phase.

        Returns:
          float32 `[batch, samples]`.

        Raises:
          ConfigError: if something is neither in the image nor in the remainder.
        """
        magnitude = self.image_to_magnitude(image, remainder, samples)
        if not self.shows_phase:
            return magnitude_to_waveform(
                magnitude, self.spec, samples, config, remainder.phase, seed
            )
        phase = (self._from_image(image, samples)[..., -1] - 0.5) * 2 * math.pi
        return stft_to_waveform(to_complex(magnitude, phase), self.spec, samples)

    def image_to_magnitude(
        self, image: tf.Tensor, remainder: ImageMetadata, samples: int
    ) -> tf.Tensor:
        """The STFT's magnitude `[batch, frames, bins]` that an image shows, or its remainder has.

        Raises:
          ConfigError: if neither has it.
        """
        if self.shows_level:
            channel = self._from_image(image, samples)[..., 0]
            magnitude = self.scale.channel_to_magnitude(channel, remainder.reference_db)
            return tf.sqrt(self.bands.to_bins(magnitude**2)) if self.bands else magnitude
        if remainder.magnitude is None:
            raise ConfigError(
                f"an image of kind={self.config.kind} shows no level, and none is given beside it"
            )
        return remainder.magnitude

    def change_to_gain_db(self, change: tf.Tensor, samples: int) -> tf.Tensor:
        """What a change of an image means for the STFT: gains in dB `[batch, frames, bins]`.

        At the STFT's own resolution: what the image does not show stays as it is.

        Args:
          change: of the level's channel, float32 `[batch, height, width, 1]`.
          samples: of the waveform.
        """
        gain_db = self.config.top_db * self._from_image(change, samples)[..., 0]
        return self.bands.spread(gain_db) if self.bands else gain_db

    def _to_image(self, channels: tf.Tensor, size: Size | None) -> tf.Tensor:
        return turn(channels, *_sizes(self.config.size, size))

    def _from_image(self, image: tf.Tensor, samples: int) -> tf.Tensor:
        if self.config.size:
            image = resize(image, self._full_size(samples))
        return tf.transpose(image, [0, 2, 1, 3])

    def _full_size(self, samples: int) -> tuple[int, int]:
        return self.bands.count if self.bands else self.spec.bins, self.spec.frames(samples)

    def _power_to_level(self, power: tf.Tensor) -> tf.Tensor:
        return self.scale.power_to_level(self.bands.from_bins(power) if self.bands else power)

    def _power_to_channel(self, power: tf.Tensor) -> tf.Tensor:
        level = self._power_to_level(power)
        return self.scale.level_to_channel(level, self.scale.reference(level))


class ConstantQFrontend(Frontend):
    """A gray image of the constant-Q transform, without an inverse: `[batch, bands, frames, 1]`."""

    def __init__(self, config: ConstantQFrontendConfig, sample_rate: int) -> None:
        self.config = config
        self.transform = ConstantQ(config, sample_rate)
        self.scale = Decibels(LIKE_BINS_OF, config.top_db)

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        level = self.scale.power_to_level(self.transform.waveform_to_power(waveform))
        channel = self.scale.level_to_channel(level, self.scale.reference(level))
        return turn(channel[..., tf.newaxis], *_sizes(self.config.size, size))

    def shape(self, samples: int) -> tuple[int, ...]:
        size = self.config.size or (self.config.bands, self.config.frames(samples))
        return *size, 1


class FeatureFrontend(Frontend):
    """Hand-made features, computed by librosa outside the graph: `[batch, features, 1]`."""

    in_graph = False

    def __init__(self, config: FeatureFrontendConfig, sample_rate: int) -> None:
        self.config = config
        self.sample_rate = sample_rate

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        # Without state: the same samples have the same features.
        found = tf.numpy_function(self._compute_batch, [waveform], tf.float32, stateful=False)
        return tf.ensure_shape(found, [waveform.shape[0], *self.shape(0)])

    def shape(self, samples: int) -> tuple[int, ...]:
        return features.size(self.config), 1

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """One clip's features `[features]` of samples float32 `[samples]`, without TensorFlow."""
        return features.compute(self.config, self.sample_rate, samples)

    def _compute_batch(self, waveforms: np.ndarray) -> np.ndarray:
        found = [self.compute(samples) for samples in waveforms]
        return np.array(found, np.float32).reshape(len(found), *self.shape(0))


def build(config: FrontendConfig, sample_rate: int) -> Frontend:
    """The frontend that a configuration names, for waveforms of a rate in Hz."""
    if isinstance(config, FeatureFrontendConfig):
        return FeatureFrontend(config, sample_rate)
    if isinstance(config, RawFrontendConfig):
        return RawFrontend()
    if isinstance(config, ConstantQFrontendConfig):
        return ConstantQFrontend(config, sample_rate)
    return SpectrogramFrontend(config, sample_rate)


def _sizes(*sizes: Size | None) -> list[Size]:
    return [size for size in sizes if size is not None]
