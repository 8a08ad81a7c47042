"""Level and phase of an STFT as an image, and its inverse."""

import math
from typing import Literal, NamedTuple

import tensorflow as tf
from pydantic import model_validator

from tfdream.config import NotPositive, PhaseConfig, StftImageConfig
from tfdream.config.frontends import Quantity
from tfdream.errors import ConfigError
from tfdream.signal.frontends.base import Frontend
from tfdream.signal.images import Size, resize, spectra_to_images
from tfdream.signal.mel import MelBands
from tfdream.signal.phase import magnitude_to_waveform
from tfdream.signal.scales import Decibels, Log1p, MinMax, Scale
from tfdream.signal.stft import (
    stft_to_phase,
    stft_to_power,
    stft_to_waveform,
    to_complex,
    waveform_to_stft,
)

_ORIGINAL_PHASE = PhaseConfig()
# Tolerance in turns within which ±π, equal as angles, keep their sign: float32 rounding.
_HALF_TURN_TOLERANCE = 1e-5
_LOWEST_RMS = 1e-4
"""Softer clips are not scaled to the full level: they are silence."""


class SpectrogramFrontendConfig(StftImageConfig):
    """A gray image of the STFT: level, phase, or both as two channels.

    The level is in dB below the clip's maximum, or for kind=log1p the logarithm of one plus the
    magnitude.
    """

    kind: Literal["amplitude", "phase", "amplitude_phase", "log1p"]
    level_dbfs: NotPositive | None = None
    """For kind=log1p: RMS level that each clip is scaled to, so that images do not depend on its
    loudness. An image is inverted to a waveform of this level."""

    @model_validator(mode="after")
    def _level_has_an_effect(self) -> "SpectrogramFrontendConfig":
        if self.level_dbfs is not None and self.kind != "log1p":
            raise ValueError(
                f"level_dbfs has no effect on kind={self.kind}, whose levels are relative to the "
                "maximum of the clip; leave it out, or use kind=log1p"
            )
        return self

    @property
    def channels(self) -> tuple[Quantity, ...]:
        by_kind: dict[str, tuple[Quantity, ...]] = {
            "amplitude": ("level",),
            "phase": ("phase",),
            "amplitude_phase": ("level", "phase"),
            "log1p": ("log_magnitude",),
        }
        return by_kind[self.kind]


class ImageMetadata(NamedTuple):
    """The part of a clip that its image does not show, as `invert` needs it."""

    reference_db: tf.Tensor
    """float32 `[batch, 1, 1]`: the level in dB of image value 1; not used by kind=log1p."""
    magnitude: tf.Tensor | None
    """float32 `[batch, frames, bins]`, for images without a level channel."""
    phase: tf.Tensor | None
    """float32 `[batch, frames, bins]` in radians: the original phase, if available."""
    range_db: tf.Tensor | None = None
    """float32 `[batch, 1, 1]`: range of the levels; level_range=min_max needs it."""


class SpectrogramFrontend(Frontend):
    """Computes images of an STFT and inverts them.

    The level of every bin or mel band is on one of the scales of `signal.scales`; the phase is
    scaled from −π…π to 0…1.

    Args:
      config: size, dynamic range, STFT, and kind of the image.
      bands: mel bands that the bins are gathered in; None shows the bins.
      scale: scale of the levels; by default that of `config`.

    Source: "Dreaming in Music", section III-A; "On the Generation of Music", section 3.
    """

    def __init__(
        self, config: StftImageConfig, bands: MelBands | None = None, scale: Scale | None = None
    ) -> None:
        self.config = config
        self.spec = config.stft
        self.window_samples = config.stft.n_fft
        self.bands = bands
        self.level_dbfs: float | None = getattr(config, "level_dbfs", None)
        self.shows_level = config.channels != ("phase",)
        self.shows_phase = "phase" in config.channels
        logarithm = "log_magnitude" in config.channels
        of_range = {"top_db": Decibels, "min_max": MinMax}[config.level_range]
        self.scale = scale or (Log1p() if logarithm else of_range(config.stft, config.top_db))

    def __call__(self, waveform: tf.Tensor, size: Size | None = None) -> tf.Tensor:
        return self.stft_to_image(waveform_to_stft(self._leveled(waveform), self.spec), size)

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
        """Make the image of levels on the frontend's scale and phases in radians.

        The reference, the loudest level, is excluded from the gradient.

        Args:
          level: float32 `[batch, frames, bins]`.
          phase: float32 of the same shape, with any number of full turns.
          size: size to resize the image to.
        """
        channels = []
        if self.bands:
            channels.append(self._power_to_channel(self.scale.level_to_magnitude(level) ** 2))
        elif self.shows_level:
            reference = tf.stop_gradient(self.scale.reference(level))
            channels.append(self.scale.level_to_channel(level, reference))
        if self.shows_phase:
            turns = phase / (2 * math.pi)
            # Half a turn keeps its sign: real-valued bins have a phase of π or −π.
            whole = tf.where(tf.abs(turns) <= 0.5 + _HALF_TURN_TOLERANCE, 0.0, tf.round(turns))
            channels.append(turns - whole + 0.5)
        return self._to_image(tf.stack(channels, axis=-1), size)

    def analyze(self, waveform: tf.Tensor) -> tuple[tf.Tensor, ImageMetadata]:
        """Return the image and the part of the clip that it does not show."""
        stft = waveform_to_stft(self._leveled(waveform), self.spec)
        power = stft_to_power(stft)
        level = self._power_to_level(power)
        return self.stft_to_image(stft), ImageMetadata(
            reference_db=self.scale.reference(level),
            magnitude=tf.sqrt(power),
            phase=stft_to_phase(stft),
            range_db=self.scale.range_db(level),
        )

    def invert(
        self,
        image: tf.Tensor,
        metadata: ImageMetadata,
        samples: int,
        config: PhaseConfig = _ORIGINAL_PHASE,
        seed: int = 0,
    ) -> tf.Tensor:
        """Reconstruct the waveform of an image.

        A level that the image does not show is taken from `metadata`; a phase that it does not
        show is reconstructed.

        Args:
          image: float32 `[batch, height, width, channels]`.
          metadata: the part that the image does not show.
          samples: length of the result.
          config: phase reconstruction for images without phase; see `phase.magnitude_to_waveform`.
          seed: random seed of the phase reconstruction.

        Returns:
          float32 `[batch, samples]`.

        Raises:
          ConfigError: if level or phase are neither in the image nor in the metadata.
        """
        magnitude = self.image_to_magnitude(image, metadata, samples)
        if not self.shows_phase:
            return magnitude_to_waveform(
                magnitude, self.spec, samples, config, metadata.phase, seed
            )
        phase = (self._from_image(image, samples)[..., -1] - 0.5) * 2 * math.pi
        return stft_to_waveform(to_complex(magnitude, phase), self.spec, samples)

    def image_to_magnitude(
        self, image: tf.Tensor, metadata: ImageMetadata, samples: int
    ) -> tf.Tensor:
        """Return the STFT's magnitude `[batch, frames, bins]` of an image or its metadata.

        Raises:
          ConfigError: if neither contains it.
        """
        if self.shows_level:
            channel = self._from_image(image, samples)[..., 0]
            magnitude = self.scale.channel_to_magnitude(
                channel, metadata.reference_db, metadata.range_db
            )
            return tf.sqrt(self.bands.to_bins(magnitude**2)) if self.bands else magnitude
        if metadata.magnitude is None:
            raise ConfigError(
                f"an image of kind={self.config.kind} shows no level, and its metadata has no "
                "magnitude; give the magnitude, or use an image with a level channel"
            )
        return metadata.magnitude

    def change_to_gain_db(self, change: tf.Tensor, samples: int) -> tf.Tensor:
        """Convert a change of an image to gains of the STFT in dB, `[batch, frames, bins]`.

        Gains have the STFT's full resolution: detail that the image does not show is unchanged.

        Args:
          change: change of the level channel, float32 `[batch, height, width, 1]`.
          samples: length of the waveform.

        Raises:
          ConfigError: if the range of the levels differs between clips.
        """
        if self.config.level_range != "top_db":
            raise ConfigError(
                f"frontend.level_range={self.config.level_range}: a change of the image is no gain "
                "in dB; use frontend.level_range=top_db"
            )
        gain_db = self.config.top_db * self._from_image(change, samples)[..., 0]
        return self.bands.interpolate_to_bins(gain_db) if self.bands else gain_db

    def level_factor(self, waveform: tf.Tensor) -> tf.Tensor | None:
        """Return the factor to the configured level, `[batch, 1]`; None if there is no level."""
        if self.level_dbfs is None:
            return None
        mean_square = tf.reduce_mean(waveform**2, axis=1, keepdims=True)
        return 10 ** (self.level_dbfs / 20) / tf.sqrt(mean_square + _LOWEST_RMS**2)

    def _leveled(self, waveform: tf.Tensor) -> tf.Tensor:
        """Scale waveforms `[batch, samples]` to the level of the configuration, if it has one."""
        factor = self.level_factor(waveform)
        return waveform if factor is None else waveform * factor

    def _to_image(self, channels: tf.Tensor, size: Size | None) -> tf.Tensor:
        sizes = [each for each in (self.config.size, size) if each is not None]
        return spectra_to_images(channels, *sizes)

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


def build(config: SpectrogramFrontendConfig, sample_rate: int) -> SpectrogramFrontend:
    """Build the frontend."""
    return SpectrogramFrontend(config)
