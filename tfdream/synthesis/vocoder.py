"""Streaming vocoder: frames to samples, chunk by chunk, each continuing the samples before."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.config import PhaseConfig
from tfdream.signal.frontends.spectrogram import ImageMetadata, SpectrogramFrontend
from tfdream.signal.phase import PhaseConstraint, energy_db, magnitude_to_waveform, spectral_error

# Shortest context that the phase reconstruction continues, in windows of the STFT.
_CONTEXT_WINDOWS = 2


class StreamingVocoder:
    """Renders the frames of a sequence model as one continuous waveform.

    A frame is centered on its first sample. The last half window of a chunk overlaps too few frames
    to be final: it is rendered again with the next chunk, constrained to the samples before.

    Args:
      frontend: the frontend of the frames.
      reference_db: level in dB of the value 1 in the frames.
      phase: phase reconstruction.
      crossfade_samples: length of the crossfade from earlier samples to new ones.
      seed: random seed of the phase reconstruction.
    """

    def __init__(
        self,
        frontend: SpectrogramFrontend,
        reference_db: float,
        phase: PhaseConfig,
        crossfade_samples: int,
        seed: int,
    ) -> None:
        self.frontend = frontend
        self.spec = frontend.spec
        self.reference_db = tf.fill([1, 1, 1], reference_db)
        self.phase = phase
        self.crossfade_samples = crossfade_samples
        self.context_samples = max(
            _CONTEXT_WINDOWS * self.spec.n_fft, crossfade_samples + self.spec.n_fft
        )
        self.seed = seed
        self._chunks = 0
        self._frames = np.zeros((0, frontend.shape(0)[0]), np.float32)
        self._waveform = np.zeros(0, np.float32)
        self._error_energy = self._target_energy = 0.0

    @property
    def margin_frames(self) -> int:
        """Number of frames that a chunk needs beyond its last final sample."""
        return -(-self.spec.n_fft // (2 * self.spec.hop_samples)) + 1

    def prime(self, frames: NDArray[Any], waveform: NDArray[Any]) -> None:
        """Set the context that the next chunk continues.

        Args:
          frames: float32 `[frames, bands]`.
          waveform: the samples of these frames, and possibly a few more, float32 `[samples]`.
        """
        hop = self.spec.hop_samples
        first = max(0, len(waveform) - self.context_samples) // hop
        self._frames = frames[first:]
        self._waveform = waveform[first * hop :]

    def synthesize(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Render the next chunk.

        Args:
          frames: float32 `[frames, bands]`, at least `margin_frames`.

        Returns:
          float32 `[samples]`. The first `crossfade_samples` crossfade from the context to the new
          samples; the last `crossfade_samples` are returned with the next chunk, or by `finish`.
        """
        frames = np.concatenate([self._frames, frames])
        samples = (len(frames) - 1) * self.spec.hop_samples
        image = tf.constant(frames.T[np.newaxis, :, :, np.newaxis])
        metadata = ImageMetadata(self.reference_db, magnitude=None, phase=None)
        magnitude = self.frontend.image_to_magnitude(image, metadata, samples)
        waveform = magnitude_to_waveform(
            magnitude,
            self.spec,
            samples,
            self.phase,
            seed=self._chunk_seed(),
            constraint=self._constraint(samples),
        )
        error, target = spectral_error(waveform, magnitude, self.spec)
        self._error_energy += float(error[0])
        self._target_energy += float(target[0])
        start = max(0, len(self._waveform) - self.crossfade_samples)
        final: NDArray[Any] = waveform[0, : samples - self.spec.n_fft // 2].numpy()
        self.prime(frames, final)
        return final[start : max(start, len(final) - self.crossfade_samples)]

    def finish(self) -> NDArray[Any]:
        """Return the remaining samples: float32 `[crossfade_samples]`, or fewer."""
        count = min(self.crossfade_samples, len(self._waveform))
        return self._waveform[len(self._waveform) - count :]

    def stream(self, chunks: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Render chunks of frames to the last sample, as blocks `[samples, 1]`."""
        for frames in chunks:
            yield self.synthesize(frames)[:, np.newaxis]
        yield self.finish()[:, np.newaxis]

    def convergence_db(self) -> float:
        """Return the spectral convergence in dB of all chunks so far."""
        return energy_db(self._error_energy, self._target_energy)

    def _chunk_seed(self) -> int:
        """Return the seed of the next chunk, whose phases are independent of the last one's."""
        sequence = np.random.SeedSequence([self.seed, self._chunks])
        self._chunks += 1
        return int(sequence.generate_state(1)[0] >> 1)  # 31 bits

    def _constraint(self, samples: int) -> PhaseConstraint | None:
        """Return the constraint of a chunk of `samples` samples to the context."""
        if not len(self._waveform):
            return None
        fixed = len(self._waveform) - self.crossfade_samples
        free_mask = np.clip((np.arange(samples) - fixed) / self.crossfade_samples, 0, 1)
        frames = (fixed - self.spec.n_fft // 2) // self.spec.hop_samples + 1
        waveform = np.pad(self._waveform, (0, samples - len(self._waveform)))
        return PhaseConstraint(
            tf.constant(waveform[np.newaxis]), tf.constant(free_mask, tf.float32), max(0, frames)
        )
