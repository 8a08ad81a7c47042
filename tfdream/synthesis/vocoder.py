"""Frames to sound, piece by piece: each piece goes on from the samples of the one before."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfdream.config import PhaseConfig
from tfdream.signal.frontends.spectrogram import ImageMetadata, SpectrogramFrontend
from tfdream.signal.phase import PhaseConstraint, energy_db, magnitude_to_waveform, spectral_error

# So much of what was heard is kept, in windows of the STFT: enough for the phase to go on from.
_KEPT_WINDOWS = 2


class StreamingVocoder:
    """Turns the frames of a generator into samples that go on from each other.

    A frame is centered on its own sample. The last half window of a piece has too few frames over it
    to be finished: it is made again with the next piece, held to the samples before.

    Args:
      frontend: whose frames they are.
      reference_db: the level of 1 in them.
      phase: how it is found.
      joint_samples: over so many samples what was heard goes over into what is new.
      seed: of what is random in the phase.
    """

    def __init__(
        self,
        frontend: SpectrogramFrontend,
        reference_db: float,
        phase: PhaseConfig,
        joint_samples: int,
        seed: int,
    ) -> None:
        self.frontend = frontend
        self.spec = frontend.spec
        self.reference_db = tf.fill([1, 1, 1], reference_db)
        self.phase = phase
        self.joint_samples = joint_samples
        self.seed = seed
        self.frames = np.zeros((0, frontend.shape(0)[0]), np.float32)
        self.heard = np.zeros(0, np.float32)
        self.error_energy = self.wanted_energy = 0.0

    @property
    def margin_frames(self) -> int:
        """Frames that a piece needs beyond its last finished sample."""
        return -(-self.spec.n_fft // (2 * self.spec.hop_samples)) + 1

    def hear(self, frames: np.ndarray, waveform: np.ndarray) -> None:
        """Go on from a recording: its frames, and its samples, which may be a few more."""
        first = max(0, len(waveform) - _KEPT_WINDOWS * self.spec.n_fft) // self.spec.hop_samples
        self.frames = frames[first:]
        self.heard = waveform[first * self.spec.hop_samples :]

    def say(self, frames: np.ndarray) -> np.ndarray:
        """The next samples of the sound.

        Args:
          frames: float32 `[frames, bands]`, `margin_frames` of them or more.

        Returns:
          float32 `[samples]`. The first ones are the last `joint_samples` of what was heard before,
          which go over into what is new; the last `joint_samples` are left for the next time.
        """
        frames = np.concatenate([self.frames, frames])
        samples = (len(frames) - 1) * self.spec.hop_samples
        image = tf.constant(frames.T[np.newaxis, :, :, np.newaxis])
        remainder = ImageMetadata(self.reference_db, magnitude=None, phase=None)
        magnitude = self.frontend.image_to_magnitude(image, remainder, samples)
        waveform = magnitude_to_waveform(
            magnitude, self.spec, samples, self.phase, seed=self.seed, held=self._held(samples)
        )
        error, wanted = spectral_error(waveform, magnitude, self.spec)
        self.error_energy += float(error[0])
        self.wanted_energy += float(wanted[0])
        start = max(0, len(self.heard) - self.joint_samples)
        finished = waveform[0, : samples - self.spec.n_fft // 2].numpy()
        self.hear(frames, finished)
        return finished[start : len(finished) - self.joint_samples]

    def end(self) -> np.ndarray:
        """The samples that were left: float32 `[joint_samples]`, or fewer."""
        return self.heard[len(self.heard) - min(self.joint_samples, len(self.heard)) :]

    def convergence_db(self) -> float:
        """How far the sound's spectrum is from its frames, over all pieces."""
        return energy_db(self.error_energy, self.wanted_energy)

    def _held(self, samples: int) -> PhaseConstraint | None:
        if not len(self.heard):
            return None
        stays = len(self.heard) - self.joint_samples
        free_mask = np.clip((np.arange(samples) - stays) / self.joint_samples, 0, 1)
        whole = (stays - self.spec.n_fft // 2) // self.spec.hop_samples + 1
        waveform = np.pad(self.heard, (0, samples - len(self.heard)))
        return PhaseConstraint(
            tf.constant(waveform[np.newaxis]), tf.constant(free_mask, tf.float32), max(0, whole)
        )


def joined(pieces: Iterator[np.ndarray], voice: StreamingVocoder) -> Iterator[np.ndarray]:
    """The samples `[samples, 1]` of pieces of frames, to the last one."""
    for frames in pieces:
        yield voice.say(frames)[:, np.newaxis]
    yield voice.end()[:, np.newaxis]
