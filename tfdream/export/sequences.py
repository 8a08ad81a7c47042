"""Exported sequence models: frames from a seed, or from the frames before."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream.export.base import Exported, Outputs, Signature
from tfdream.models.sequence import DecoderState
from tfdream.runs import GenerationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend

SEEDS = 1 << 16
"""Seeds that select the same opening as `tfdream generate`; larger ones select by the remainder."""
_EXAMPLE_FRAMES = 8

_SETTINGS = {
    "seed": tf.TensorSpec([], tf.int64, name="seed"),
    "count": tf.TensorSpec([], tf.int32, name="count"),
    "temperature": tf.TensorSpec([], tf.float32, name="temperature"),
}


@functools.cache
def _frame_numbers(count: int) -> NDArray[np.uint8]:
    """Return the number below `count` that each of `SEEDS` seeds selects."""
    numbers = [np.random.default_rng(seed).integers(count) for seed in range(SEEDS)]
    return np.array(numbers, np.uint8)


class ExportedSequenceModel(Exported):
    """A sequence model: it generates frames without a prompt, or after the frames of one.

    The weights are variables, because the graphs of both signatures share them.
    """

    def __init__(self, run: GenerationRun) -> None:
        super().__init__(run)
        assert isinstance(run.frontend, SpectrogramFrontend)  # validated by the experiment
        self.frontend = run.frontend
        self.frontend_json = run.config.frontend.model_dump_json()
        self.model = run.sequence_model
        self.module.weights = [weight.value for weight in self.model.variables]
        count = int(self.model.initial_frames.shape[0])
        # The graph cannot compute NumPy's random numbers, so that it selects from a table.
        self._frame_numbers = _frame_numbers(count)

    def description(self) -> dict[str, Any]:
        """Return what is needed to choose arguments and to render frames as well."""
        spec = self.frontend.spec
        return {
            **super().description(),
            "bands": self.model.bands,
            "n_fft": spec.n_fft,
            "hop_samples": spec.hop_samples,
            "top_db": self.frontend.config.top_db,
            "reference_db": float(self.model.reference_db),
            "temperature": self.model.temperature,
            "frontend": self.frontend_json,
        }

    def signatures(self) -> dict[str, Signature]:
        """Return ``serving_default``, without a prompt, and ``continue_frames``."""
        frames = tf.TensorSpec([1, None, self.model.bands], tf.float32, name="frames")
        example = {
            "seed": tf.constant(1, tf.int64),
            "count": tf.constant(_EXAMPLE_FRAMES),
            "temperature": tf.constant(self.model.temperature, tf.float32),
        }
        prompt = tf.convert_to_tensor(self.model.initial_frames)[tf.newaxis, :_EXAMPLE_FRAMES]
        prompts = [{"frames": prompt[:, :length]} | example for length in (1, _EXAMPLE_FRAMES)]
        return {
            "serving_default": Signature(self._generate, [*_SETTINGS.values()], [example]),
            "continue_frames": Signature(self._continue, [frames, *_SETTINGS.values()], prompts),
        }

    def _generate(self, seed: tf.Tensor, count: tf.Tensor, temperature: tf.Tensor) -> Outputs:
        number = tf.gather(tf.constant(self._frame_numbers), tf.math.floormod(seed, SEEDS))
        frame = tf.gather(
            tf.convert_to_tensor(self.model.initial_frames), tf.cast(number, tf.int32)
        )
        state = self.model.encode_prompt(frame[tf.newaxis, tf.newaxis])
        return self._after(state, seed, count, temperature)

    def _continue(
        self, frames: tf.Tensor, seed: tf.Tensor, count: tf.Tensor, temperature: tf.Tensor
    ) -> Outputs:
        # Recurrent layers do not accept the empty sequence before a single frame.
        state = tf.cond(
            tf.shape(frames)[1] > 1,
            lambda: self.model.encode_prompt(frames),
            lambda: self.model.encode_prompt(frames[:, :1]),
        )
        return self._after(state, seed, count, temperature)

    def _after(
        self, state: DecoderState, seed: tf.Tensor, count: tf.Tensor, temperature: tf.Tensor
    ) -> Outputs:
        frames, _ = self.model.compiled_generate_frames(
            state, tf.constant(0), count, temperature, seed
        )
        return {"frames": frames}
