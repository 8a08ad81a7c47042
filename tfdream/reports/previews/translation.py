"""TensorBoard preview of a CycleGAN in training: images, audio and the scores of a classifier."""

import itertools
import logging
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import TranslateConfig
from tfdream.errors import ConfigError
from tfdream.evaluation.prediction import Judge
from tfdream.io.atomic import read_csv, write_csv
from tfdream.runs import Run, TranslationRun
from tfdream.runs.info import JUDGE_COLUMN
from tfdream.synthesis.translate import Translator
from tfdream.training.cyclegan import CycleGAN
from tfdream.training.translation import DomainPair

logger = logging.getLogger(__name__)

_BATCH_SIZE = 8
_JUDGED_CLIPS = 48
_DIRECTIONS = ("forward", "backward")


class TranslationPreview:
    """Writes translations of held-out clips of both labels to TensorBoard, and scores them.

    Called with the model in training and the number of finished epochs, it writes images of some
    clips (original, translated, translated back), the audio of their translations and, given a
    classifier, two scores of the target label among the two labels, before and after: the share of
    clips and the mean probability. The scores are also written to the run's ``judged.csv``.

    Args:
      run: the run of the CycleGAN.
      domains: held-out clips of both labels.
      config: how images become audio.
      judge: run of a classifier of both labels; None for no scores.

    Raises:
      ConfigError: if the classifier lacks one of the labels.
    """

    def __init__(
        self,
        run: TranslationRun,
        domains: DomainPair,
        config: TranslateConfig,
        judge: Run | None = None,
    ) -> None:
        self.run = run
        self.domains = domains
        self.config = config
        self.judge = _build_judge(judge, run.labels) if judge else None
        self._fingerprint = judge.fingerprint() if judge else ""
        self._writer = tf.summary.create_file_writer(str(run.events_path / "translations"))
        self._probabilities_before: dict[int, list[NDArray[np.float32]]] = {}

    def __call__(self, model: CycleGAN, epoch: int) -> None:
        """Write the preview and the scores of one epoch."""
        scores: dict[str, float] = {}
        translators = [
            Translator(getattr(model.stored, direction), self.run, self.config)
            for direction in _DIRECTIONS
        ]
        for number, (there, back) in enumerate(itertools.permutations(translators)):
            with self._writer.as_default(epoch):
                self._write_clips(number, there, back)
                if self.judge is not None:
                    scores |= self._score(self.judge, number, there)
        self._writer.flush()
        if scores:
            self._write_scores(epoch, scores)

    def _write_clips(self, number: int, there: Translator, back: Translator) -> None:
        """Write some clips of one domain: images and audio."""
        name = f"to {self.run.labels[1 - number]}"
        count = self.run.config.training.preview_clips
        clips = np.stack(list(self.domains[number].waveforms(count)))
        images = [there.frontend(tf.constant(clips))]
        images.append(there.translate_images(images[0]))
        images.append(back.translate_images(images[1]))
        beside = tf.concat(images, axis=2)[:, ::-1]  # high frequencies on top
        tf.summary.image(name, beside, max_outputs=len(clips), description="clip, there, back")
        translated = there.translate(tf.constant(clips[..., np.newaxis]))
        for version, waveforms in (
            ("original", clips[..., np.newaxis]),
            ("translated", translated),
        ):
            tf.summary.audio(
                f"{name}, {version}", waveforms, self.run.sample_rate, max_outputs=len(clips)
            )

    def _score(self, judge: Judge, number: int, translator: Translator) -> dict[str, float]:
        """Compute the judge's scores of the target label, before and after translation."""
        source, target = self.run.labels[number], self.run.labels[1 - number]
        columns = [judge.run.labels.index(label) for label in (source, target)]
        clips = list(self.domains[number].waveforms(_JUDGED_CLIPS))
        translated: list[NDArray[np.float32]] = []
        for start in range(0, len(clips), _BATCH_SIZE):
            batch = np.stack(clips[start : start + _BATCH_SIZE])[..., np.newaxis]
            translated += list(translator.translate(tf.constant(batch)).numpy())
        if number not in self._probabilities_before:
            self._probabilities_before[number] = [
                self._probabilities(judge, clip[:, np.newaxis]) for clip in clips
            ]
        scores = {}
        for when, probabilities in (
            ("before", self._probabilities_before[number]),
            ("after", [self._probabilities(judge, waveform) for waveform in translated]),
        ):
            of_both = np.stack(probabilities)[:, columns]
            of_target = of_both[:, 1] / of_both.sum(axis=1)
            scores[f"share_to_{target}_{when}"] = float(np.mean(of_target > 0.5))
            scores[f"probability_of_{target}_{when}"] = float(of_target.mean())
        return scores

    def _probabilities(self, judge: Judge, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks = audio.resample([waveform], self.run.sample_rate, judge.run.sample_rate)
        probabilities, _ = judge(blocks)
        return probabilities

    def _write_scores(self, epoch: int, scores: dict[str, float]) -> None:
        """Write the scores of an epoch.

        Rows of this and later epochs, and those of another judge, are removed.
        """
        with self._writer.as_default(epoch):
            for name, value in scores.items():
                tf.summary.scalar(f"judge/{name}", value)
        self._writer.flush()
        rows = [
            row
            for row in read_csv(self.run.judged_path)
            if float(row["epoch"]) < epoch and row.get(JUDGE_COLUMN) == self._fingerprint
        ]
        row = {"epoch": epoch, JUDGE_COLUMN: self._fingerprint, **scores}
        write_csv(self.run.judged_path, [*rows, row])
        shares = [
            f"{scores[f'share_to_{label}_after']:.0%} of translated clips classified as {label}"
            for label in reversed(self.run.labels)
        ]
        logger.info("after epoch %d: %s", epoch, ", ".join(shares))


def read_judged(run: TranslationRun) -> list[dict[str, float]]:
    """Read the scores of a run, a row per preview; empty if it had no judge."""
    return [_scores(row) for row in read_csv(run.judged_path)]


def read_judged_epoch(run: TranslationRun, epoch: int, judge: Run) -> list[dict[str, float]]:
    """Read a judge's scores of one epoch: one row; empty, with a warning, if there are none."""
    rows = [row for row in read_csv(run.judged_path) if float(row["epoch"]) == epoch]
    fingerprint = judge.fingerprint()
    own = [row for row in rows if row.get(JUDGE_COLUMN) == fingerprint]
    if not own:
        other = f"with another judge than '{judge.folder}'" if rows else "without it"
        logger.warning(
            "no scores of epoch %d: --judge scores translations during the training, and '%s' was "
            "trained up to this epoch %s; use --force to train again",
            epoch,
            run.folder,
            other,
        )
    return [_scores(row) for row in own]


def _scores(row: Mapping[str, str]) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if value and name != JUDGE_COLUMN}


def _build_judge(run: Run, labels: list[str]) -> Judge:
    missing = [label for label in labels if label not in run.labels]
    if missing:
        raise ConfigError(
            f"the judge '{run.folder}' has the labels {', '.join(run.labels)}, but not "
            f"{', '.join(missing)}; give one that was trained on both labels"
        )
    return Judge(run)
