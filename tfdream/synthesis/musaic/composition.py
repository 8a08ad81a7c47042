"""Composition of waveforms from the frames of a dictionary, and its measures."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from tfdream.config.musaic import CompositionConfig, MusaicConfig
from tfdream.signal.decibels import power_to_db
from tfdream.signal.graphs import compiled
from tfdream.signal.stft import scale_cells, stft_to_power, stft_to_waveform
from tfdream.synthesis.canvases.masks import Mask, frame_seconds
from tfdream.synthesis.musaic.activations import activate
from tfdream.synthesis.musaic.analysis import BANDS_PER_OCTAVE
from tfdream.synthesis.musaic.dictionary import Dictionary
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timeline, Timelines

# The equalizer does not amplify bands that are softer than this below the mean.
_EQUALIZED_DB = 60.0
# Largest correction of the level of a frame.
_MAX_GAIN = 10.0
_RANGE = 1e-9
_SILENCE = 1e-12
_TINY = 1e-9


class Musaic:
    """Replaces contents by combinations of the frames of a style.

    The target of the activations is the magnitude of the content with the smoothed mean spectrum of
    the style: otherwise the frames would have the timbre of the content. Every channel
    receives the same combination of frames, at its own level in each frame.

    Args:
      dictionary: frames of the style.
      config: equalizer, note mask and restrictions.
      strength: share of the musaic in the output, or its curve.
      mask: where the output changes.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        config: CompositionConfig,
        strength: float | Timeline = 1.0,
        mask: Mask | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.analysis = dictionary.analysis
        self.config = config
        self.strength = strength
        self.mask = mask

    @classmethod
    def of_transfer(
        cls, dictionary: Dictionary, config: MusaicConfig, timelines: Timelines = NO_TIMELINES
    ) -> "Musaic":
        """Build the musaic of a recipe of `transfer` and the curves of its settings."""
        strength = timelines.continuous.get("style_strength", config.style_strength)
        mask = Mask.build(config.mask, dictionary.analysis.sample_rate, timelines)
        return cls(dictionary, config, strength, mask)

    def equalizer(self, power: NDArray[Any]) -> tf.Tensor:
        """Return factors for the smoothed mean spectrum of the style, but not for its level.

        Args:
          power: of the content's bands, summed over its frames, `[bands]`.

        Returns:
          Factors of the power, float32 `[bands]`.
        """
        content, style = (
            each / max(each.mean(), _TINY) + 10 ** (-_EQUALIZED_DB / 10)
            for each in map(self._without_notes, (power, self.dictionary.power))
        )
        return tf.constant(style / content, tf.float32)

    def _without_notes(self, power: NDArray[Any]) -> NDArray[Any]:
        """Smooth a spectrum `[bands]`, so that the equalizer does not add the style's notes."""
        bands = self.config.equalizer_semitones * BANDS_PER_OCTAVE / 12
        if not bands:
            return power
        smoothed: NDArray[Any] = gaussian_filter1d(power, bands, mode="nearest")
        return smoothed

    @cached_property
    def compose(self) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
        """Compiled function that replaces a share of channels by the musaic.

        Its arguments are channels, float32 `[batch, samples, channels]`; the factors of the
        equalizer, `[bands]`; the start of each example in its file in seconds, `[batch]`. It
        returns the changed channels.
        """
        return compiled(self._compose, any_shape=False)

    @cached_property
    def measure(self) -> Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]:
        """Compiled function that computes the losses of original and changed channels.

        They are those of the mid signals, for each example: ``style_loss`` is the mean square
        difference of the mean levels of mel bands from those of the style, in dB² and independent
        of the volume; ``content_loss`` is 1 − the cosine similarity of the magnitudes of a frame's
        bands with those of the original, averaged with the magnitude of the original as weight.
        """
        return compiled(self._measure, any_shape=False)

    def _compose(self, channels: tf.Tensor, equalizer: tf.Tensor, seconds: tf.Tensor) -> tf.Tensor:
        samples = channels.shape[1]
        originals = [self.analysis.stft(each) for each in tf.unstack(channels, axis=-1)]
        powers = [equalizer * self.analysis.power(each) for each in originals]
        target = tf.sqrt(tf.reduce_mean(tf.stack(powers), axis=0))
        activations = activate(target, self.dictionary.magnitudes, self.config.activations)
        musaic = self._match_envelopes(self._combine(activations), target)
        musaic = self._mask_notes(musaic, target)
        weight: tf.Tensor | float
        spec = self.analysis.spec
        if isinstance(self.strength, float):
            weight = self.strength
        else:
            rate = self.analysis.sample_rate
            weight = self.strength.at(frame_seconds(originals[0], spec, rate, seconds))
        if self.mask is not None:
            mid = self.analysis.stft(tf.reduce_mean(channels, axis=2))
            weight *= self.mask(mid, spec, seconds)
        power = tf.reduce_sum(self.analysis.power(musaic), axis=-1, keepdims=True)
        changed = []
        for original, own in zip(originals, powers, strict=True):
            own_power = tf.reduce_sum(own, axis=-1, keepdims=True)
            gain = tf.minimum(tf.sqrt(own_power / (power + _TINY)), _MAX_GAIN)
            change = scale_cells(scale_cells(musaic, gain) - original, weight)
            changed.append(stft_to_waveform(original + change, spec, samples))
        return tf.stack(changed, axis=-1)

    def _match_envelopes(self, musaic: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Scale bands so that smoothed spectra are those of targets `[batch, frames, bands]`."""
        deviation = self.config.envelope_semitones * BANDS_PER_OCTAVE / 12
        if not deviation:
            return musaic
        weights = smoothing(target.shape[-1], deviation)
        target_power, power = (
            tf.matmul(each, weights) + _TINY for each in (target**2, self.analysis.power(musaic))
        )
        gain = tf.minimum(tf.sqrt(target_power / power), _MAX_GAIN)
        return scale_cells(musaic, self.analysis.spread(gain))

    def _mask_notes(self, musaic: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Attenuate bands that are louder than their targets `[batch, frames, bands]`."""
        if not self.config.note_mask:
            return musaic
        power = self.analysis.power(musaic)
        level = tf.reduce_sum(target**2, axis=-1, keepdims=True) / (
            tf.reduce_sum(power, axis=-1, keepdims=True) + _TINY
        )
        excess = (level * power + _TINY) / (target**2 + _TINY)
        gain = tf.maximum(excess, 1.0) ** (-self.config.note_mask / 2)
        return scale_cells(musaic, self.analysis.spread(gain))

    def _combine(self, activations: tf.Tensor) -> tf.Tensor:
        """Sum the STFTs of activated frames, complex64 `[batch, frames, bins]`."""
        segments, atoms, bins = self.dictionary.stft.shape
        frames = tf.reshape(self.dictionary.stft, [segments * atoms, bins])
        batch_and_time = tf.unstack(tf.shape(activations)[:2])
        weights = tf.reshape(activations, [*batch_and_time, segments * atoms])
        parts = (tf.matmul(weights, part(frames)) for part in (tf.math.real, tf.math.imag))
        return tf.complex(*parts)

    def _measure(self, original: tf.Tensor, changed: tf.Tensor) -> dict[str, tf.Tensor]:
        before, after = (
            self.analysis.stft(tf.reduce_mean(each, axis=-1)) for each in (original, changed)
        )
        mel_power = tf.reduce_mean(self.analysis.mel.from_bins(stft_to_power(after)), axis=1)
        difference = _shape_db(mel_power) - _shape_db(self.dictionary.mel_power[np.newaxis])
        silent = tf.reduce_max(mel_power, axis=1) <= _SILENCE
        style = tf.where(silent, 0.0, tf.reduce_mean(difference**2, axis=1))
        old, new = (tf.sqrt(self.analysis.power(each)) for each in (before, after))
        norms = tf.norm(old, axis=-1)
        similarity = tf.reduce_sum(old * new, axis=-1) / (norms * tf.norm(new, axis=-1) + _TINY)
        content = tf.reduce_sum(norms * (1 - similarity), axis=1) / (
            tf.reduce_sum(norms, axis=1) + _TINY
        )
        return {"style_loss": style, "content_loss": content}


def smoothing(bands: int, deviation: float) -> NDArray[np.float32]:
    """Return weights `[bands, bands]`: spectra `[…, bands]`, multiplied by them, are smoothed.

    >>> spectrum = np.array([0, 0, 1, 0, 0, 8], np.float32)
    >>> np.allclose(spectrum @ smoothing(6, 1.0), gaussian_filter1d(spectrum, 1.0, mode="nearest"))
    True
    """
    identity = np.eye(bands, dtype=np.float32)
    weights: NDArray[np.float32] = gaussian_filter1d(identity, deviation, axis=1, mode="nearest")
    return weights


def _shape_db(power: tf.Tensor) -> tf.Tensor:
    """Return the levels of bands `[batch, bands]` relative to their mean, within 90 dB."""
    lowest = tf.maximum(_RANGE * tf.reduce_max(power, axis=1, keepdims=True), _SILENCE)
    level_db = power_to_db(tf.maximum(power, lowest))
    return level_db - tf.reduce_mean(level_db, axis=1, keepdims=True)
