"""Looking at a generator while it learns: what it makes of the first frame of a clip."""

from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tfdream.config import GenerateConfig
from tfdream.datasets.clip_set import ClipSet
from tfdream.models.sequence import SequenceModel
from tfdream.runs import GenerationRun
from tfdream.signal.frontend import SpectrogramFrontend
from tfdream.training.generation import image_to_frames


class Preview:
    """Shows clips, and beside them what a generator makes of their first frames, in TensorBoard.

    Called with a generator and the number of epochs that it learnt, it writes a picture of each
    (left the clip, right what is generated) and both sounds.

    Args:
      run: of the generator.
      side: clips to begin with.
      config: temperature, phase and seed.
    """

    def __init__(self, run: GenerationRun, side: ClipSet, config: GenerateConfig) -> None:
        frontend = run.frontend
        assert isinstance(frontend, SpectrogramFrontend)
        self.run = run
        self.frontend = frontend
        self.side = side
        self.config = config

    @cached_property
    def _writer(self) -> Any:
        """Opened when there is something to write: a run that starts anew is cleared before."""
        return tf.summary.create_file_writer(str(self.run.events_path / "generated"))

    def __call__(self, generator: SequenceModel, epoch: int) -> None:
        """Show them."""
        clips = np.stack(list(self.side.waveforms(self.run.config.training.preview_clips)))
        image, remainder = self.frontend.analyze(tf.constant(clips))
        generated = self._generate(generator, image)
        sound = self.frontend.invert(
            generated, remainder, clips.shape[1], self.config.phase, self.config.seed
        )
        beside = tf.concat([image, generated], axis=2)[:, ::-1]  # high frequencies on top
        with self._writer.as_default(epoch):
            tf.summary.image("generated", beside, max_outputs=len(clips))
            for name, waveforms in (("original", clips), ("generated", sound)):
                tf.summary.audio(
                    name, waveforms[..., np.newaxis], self.run.sample_rate, max_outputs=len(clips)
                )
        self._writer.flush()

    def _generate(self, generator: SequenceModel, image: tf.Tensor) -> tf.Tensor:
        """Pictures of the same size that begin with the same frames."""
        frames = image_to_frames(image)
        first = frames[:, :1]
        temperature = self.config.temperature
        following, _ = tf.function(generator.generate_frames)(
            generator.encode_prompt(first),
            tf.constant(0),
            tf.constant(frames.shape[1] - 1),
            tf.constant(generator.temperature if temperature is None else temperature, tf.float32),
            tf.constant(self.config.seed, tf.int64),
        )
        whole = tf.concat([first, following], axis=1)
        return tf.transpose(whole, [0, 2, 1])[..., tf.newaxis]
