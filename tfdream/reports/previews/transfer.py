"""TensorBoard preview of a transfer network in training: contents on the instruments of styles."""

import itertools
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import TimbreConfig
from tfdream.datasets.aligned import AlignedClips
from tfdream.datasets.clip_set import ClipSet, evenly_spaced
from tfdream.figures.parts import sheet
from tfdream.figures.spectrograms import plot_spectrograms
from tfdream.reports.tensorboard import decode_image
from tfdream.runs import TransferRun
from tfdream.synthesis.mapping import ContentGains, GainProcessor, NetworkTimbre
from tfdream.synthesis.rendering.process import normalizing_gain
from tfdream.synthesis.rendering.tiles import Finish, change_file
from tfdream.training.transfer import TransferTraining

_EXAMPLES = 2
_CANDIDATES = 16
_SEEDS = ((0, 0), (0, 1))
_LOWEST_PEAK = 1e-3
"""Largest sample below which a clip counts as silent."""
_ROLES = ("content", "style", "target")


class TransferPreview:
    """Writes transfers of held-out clips to TensorBoard.

    Called with the model in training and the number of finished epochs, it writes audio and
    spectrograms of two examples: the content, the style, the content on the instrument of the style
    (the target), and the transfer.

    Args:
      run: the run of the transfer network.
      clip_set: held-out clips, aligned as in training.
      config: how gains are applied to contents.
    """

    def __init__(self, run: TransferRun, clip_set: ClipSet, config: TimbreConfig) -> None:
        self.run = run
        self.clip_set = clip_set
        self.config = config
        self._writer = tf.summary.create_file_writer(str(run.events_path / "transfers"))

    def __call__(self, model: TransferTraining, epoch: int) -> None:
        """Write the preview of one epoch."""
        with self._writer.as_default(epoch):
            for number, waveforms in enumerate(self._examples, 1):
                self._write(model, f"example {number}", waveforms)
        self._writer.flush()

    def _write(
        self, model: TransferTraining, name: str, waveforms: dict[str, NDArray[np.float32]]
    ) -> None:
        """Write one example: audio and spectrograms."""
        rate = self.run.sample_rate
        with tempfile.TemporaryDirectory() as folder:
            paths = {role: Path(folder) / f"{role}.wav" for role in (*_ROLES, "transfer")}
            for role, waveform in waveforms.items():
                audio.write(paths[role], waveform, rate)
            timbre = NetworkTimbre(paths["style"], model.network)
            content = ContentGains.from_file(paths["content"], timbre, self.config.style_strength)
            processor = GainProcessor(content, self.config)
            gain = normalizing_gain(self.config.normalize, paths["content"], self.config.filter)
            change_file(
                paths["content"],
                paths["transfer"],
                processor.sample_rate,
                processor.grid,
                processor.change,
                Finish(gain=gain, filters=self.config.filter),
            )
            for role, path in paths.items():
                tf.summary.audio(f"{name}, {role}", audio.read(path)[0][np.newaxis], rate)
            figure = plot_spectrograms(list(paths.values()), list(paths))
        # TensorBoard shows a name in one tab only, so it differs from those of the audio.
        tf.summary.image(name, decode_image(sheet.encode(figure)))

    @cached_property
    def _examples(self) -> list[dict[str, NDArray[np.float32]]]:
        """Waveforms of content, style and target of the first examples that are not silent."""
        return list(itertools.islice(self._candidates(), _EXAMPLES))

    def _candidates(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        aligned = AlignedClips(self.clip_set)
        places = evenly_spaced(len(aligned.content_ids), _CANDIDATES)
        contents = tf.constant(aligned.content_ids[places])
        targets, styles = aligned.draw(contents, tf.constant(_SEEDS))
        for ids in zip(contents, styles, targets, strict=True):
            waveforms = [self.clip_set.waveform(clip_id).numpy() for clip_id in ids]
            if min(np.abs(waveform).max() for waveform in waveforms) > _LOWEST_PEAK:
                yield dict(zip(_ROLES, waveforms, strict=True))
