"""Looking at a CycleGAN while it learns: pictures, sounds, and what a classifier says of them."""

import itertools
import logging
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.config import TranslateConfig
from tfdream.datasets.unpaired import Sides
from tfdream.errors import ConfigError
from tfdream.evaluation.classification import Judge
from tfdream.io.atomic import read_csv, write_csv
from tfdream.models.gan import BidirectionalModel
from tfdream.runs import Run, TranslationRun
from tfdream.synthesis.translate import Translator

logger = logging.getLogger(__name__)

_BATCH_SIZE = 8
_JUDGED_CLIPS = 48
_WAYS = ("forward", "backward")


class Preview:
    """Shows held-out clips of both genres, translated, in TensorBoard, and has them judged.

    Called with generators and the number of epochs that they learnt, it writes pictures of some
    clips (as they are, there, there and back), the sound of their translations, and, given a
    classifier, which of the two genres it hears rather: the share of clips that are the target's,
    and its mean probability of the two, before and after. These go to ``judged.csv``, too, in the
    run's folder.

    Args:
      run: of the CycleGAN.
      sides: held-out clips.
      config: how pictures become sound.
      judge: a classifier that knows both genres; None for no verdicts.

    Raises:
      ConfigError: if the classifier does not know them.
    """

    def __init__(
        self, run: TranslationRun, sides: Sides, config: TranslateConfig, judge: Run | None = None
    ) -> None:
        self.run = run
        self.sides = sides
        self.config = config
        self.judge = _judge(judge, run.labels) if judge else None
        self._heard_before: dict[int, list[np.ndarray]] = {}

    @cached_property
    def _writer(self) -> Any:
        """Opened when there is something to write: a run that starts anew is cleared before."""
        return tf.summary.create_file_writer(str(self.run.events_path / "translations"))

    def __call__(self, generators: BidirectionalModel, epoch: int) -> None:
        """Show and judge."""
        measures: dict[str, float] = {}
        translators = [Translator(getattr(generators, way), self.run, self.config) for way in _WAYS]
        for number, (there, back) in enumerate(itertools.permutations(translators)):
            with self._writer.as_default(epoch):
                self._show(number, there, back)
                if self.judge is not None:
                    measures |= self._verdicts(number, there)
        self._writer.flush()
        if measures:
            self._keep(epoch, measures)

    def _show(self, number: int, there: Translator, back: Translator) -> None:
        name = f"to {self.run.labels[1 - number]}"
        clips = np.stack(list(self.sides[number].waveforms(self.run.config.training.preview_clips)))
        images = [there.frontend(tf.constant(clips))]
        images.append(there.imagine(images[0]))
        images.append(back.imagine(images[1]))
        beside = tf.concat(images, axis=2)[:, ::-1]  # high frequencies on top
        tf.summary.image(name, beside, max_outputs=len(clips), description="clip, there, back")
        sound = there.translate(tf.constant(clips[..., np.newaxis]))
        for each, waveforms in (("original", clips[..., np.newaxis]), ("translated", sound)):
            tf.summary.audio(
                f"{name}, {each}", waveforms, self.run.sample_rate, max_outputs=len(clips)
            )

    def _verdicts(self, number: int, translator: Translator) -> dict[str, float]:
        """Which of the two genres the judge hears rather in some clips, before and after."""
        assert self.judge is not None
        own, target = self.run.labels[number], self.run.labels[1 - number]
        both = [self.judge.run.labels.index(label) for label in (own, target)]
        clips = list(self.sides[number].waveforms(_JUDGED_CLIPS))
        translated: list[np.ndarray] = []
        for start in range(0, len(clips), _BATCH_SIZE):
            batch = np.stack(clips[start : start + _BATCH_SIZE])[..., np.newaxis]
            translated += list(translator.translate(tf.constant(batch)).numpy())
        if number not in self._heard_before:
            self._heard_before[number] = [self._hear(clip[:, np.newaxis]) for clip in clips]
        measures = {}
        for when, probabilities in (
            ("before", self._heard_before[number]),
            ("after", [self._hear(waveform) for waveform in translated]),
        ):
            of_both = np.stack(probabilities)[:, both]
            of_target = of_both[:, 1] / of_both.sum(axis=1)
            measures[f"share_to_{target}_{when}"] = float(np.mean(of_target > 0.5))
            measures[f"probability_of_{target}_{when}"] = float(of_target.mean())
        return measures

    def _hear(self, waveform: np.ndarray) -> np.ndarray:
        assert self.judge is not None
        blocks = audio.resample([waveform], self.run.sample_rate, self.judge.run.sample_rate)
        probabilities, _ = self.judge(blocks)
        return probabilities

    def _keep(self, epoch: int, measures: dict[str, float]) -> None:
        """Write them down; those of this epoch or later, from a run before, are replaced."""
        with self._writer.as_default(epoch):
            for name, value in measures.items():
                tf.summary.scalar(f"judge/{name}", value)
        self._writer.flush()
        rows = [row for row in read_judged(self.run) if row["epoch"] < epoch]
        rows.append({"epoch": epoch, **measures})
        write_csv(self.run.judged_path, rows)
        told = [
            f"{measures[f'share_to_{label}_after']:.0%} of clips heard as {label}"
            for label in reversed(self.run.labels)
        ]
        logger.info("after epoch %d, translated: %s", epoch, ", ".join(told))


def read_judged(run: TranslationRun) -> list[dict[str, float]]:
    """What a watcher wrote, a row for each time; nothing if it did not."""
    rows = read_csv(run.judged_path)
    return [{name: float(value) for name, value in row.items() if value} for row in rows]


def _judge(run: Run, labels: list[str]) -> Judge:
    unknown = [label for label in labels if label not in run.labels]
    if unknown:
        raise ConfigError(
            f"the judge '{run.folder}' knows {', '.join(run.labels)}, but not "
            f"{', '.join(unknown)}; give one that was trained on both genres"
        )
    return Judge(run)
