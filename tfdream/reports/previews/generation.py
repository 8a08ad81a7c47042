"""TensorBoard preview of a sequence model in training: continuations of first frames."""

import numpy as np
import tensorflow as tf

from tfdream.config import GenerateConfig
from tfdream.datasets.clip_set import ClipSet
from tfdream.models.sequence import SequenceModel
from tfdream.runs import GenerationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.training.generation import SequenceModelTraining, image_to_frames


class GenerationPreview:
    """Writes clips and what the model generates from their first frames to TensorBoard.

    Called with the model in training and the number of finished epochs, it writes an image of each
    clip (left the clip, right the generated frames) and the audio of both.

    Args:
      run: the run of the sequence model.
      clip_set: clips whose first frames are continued.
      config: temperature, phase reconstruction and seed.
    """

    def __init__(self, run: GenerationRun, clip_set: ClipSet, config: GenerateConfig) -> None:
        frontend = run.frontend
        assert isinstance(frontend, SpectrogramFrontend)
        self.run = run
        self.frontend = frontend
        self.clip_set = clip_set
        self.config = config
        self._writer = tf.summary.create_file_writer(str(run.events_path / "generated"))

    def __call__(self, model: SequenceModelTraining, epoch: int) -> None:
        """Write the preview of one epoch."""
        clips = np.stack(list(self.clip_set.waveforms(self.run.config.training.preview_clips)))
        image, metadata = self.frontend.analyze(tf.constant(clips))
        generated = self._generate(model.sequence_model, image)
        rendered = self.frontend.invert(
            generated, metadata, clips.shape[1], self.config.phase, self.config.seed
        )
        beside = tf.concat([image, generated], axis=2)[:, ::-1]  # high frequencies on top
        with self._writer.as_default(epoch):
            # TensorBoard shows a name in one tab only, so it differs from those of the audio.
            tf.summary.image("original and generated", beside, max_outputs=len(clips))
            for name, waveforms in (("original", clips), ("generated", rendered)):
                tf.summary.audio(
                    name, waveforms[..., np.newaxis], self.run.sample_rate, max_outputs=len(clips)
                )
        self._writer.flush()

    def _generate(self, model: SequenceModel, image: tf.Tensor) -> tf.Tensor:
        """Generate images of the same size that start with the same frame."""
        frames = image_to_frames(image)
        first = frames[:, :1]
        temperature = self.config.temperature
        following, _ = model.compiled_generate_frames(
            model.encode_prompt(first),
            tf.constant(0),
            tf.constant(frames.shape[1] - 1),
            tf.constant(model.temperature if temperature is None else temperature, tf.float32),
            tf.constant(self.config.seed, tf.int64),
        )
        generated = tf.concat([first, following], axis=1)
        return tf.transpose(generated, [0, 2, 1])[..., tf.newaxis]
