"""Events and scores of the preview of a CycleGAN in training."""

import csv
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfdream import audio
from tfdream.config import TranslateConfig
from tfdream.errors import ConfigError
from tfdream.evaluation.prediction import Judge, predict
from tfdream.reports.previews.translation import (
    TranslationPreview,
    read_judged,
    read_judged_epoch,
)
from tfdream.runs import TranslationRun
from tfdream.synthesis.translate import Translator

SETTINGS = TranslateConfig(tiles={"overlap_seconds": 0.05})
SCORES = {
    f"{score}_{label}_{when}"
    for score in ("share_to", "probability_of")
    for label in ("noise", "tones")
    for when in ("before", "after")
}


@pytest.fixture
def copy(translation, tmp_path):
    """A run that a test may change."""
    return TranslationRun.open(shutil.copytree(translation[0], tmp_path / "run"))


@pytest.fixture(scope="module")
def events(translation, read_events):
    return read_events(translation[0] / "tensorboard/translations")


def show(preview, run, epoch):
    """Show the stored generators of a run."""
    preview(SimpleNamespace(stored=run.generators), epoch)


# Files


def test_scores_are_written_before_training_and_at_the_end(translation_run):
    rows = read_judged(translation_run)
    assert [row.pop("epoch") for row in rows] == [0, 2]
    for row in rows:
        assert set(row) == SCORES
        assert all(0 <= value <= 1 for value in row.values())
    before = [{name: row[name] for name in SCORES if name.endswith("before")} for row in rows]
    assert before[0] == before[1]


def test_scores_are_those_of_the_classifier(translation_run, run, held_out):
    """For clips and for their translations by the stored generators."""
    row = read_judged(translation_run)[-1]
    for clip_set, direction, target in zip(
        held_out, ("forward", "backward"), ("tones", "noise"), strict=True
    ):
        generator = getattr(translation_run.generators, direction)
        translator = Translator(generator, translation_run, SETTINGS)
        clips = np.stack(list(clip_set.waveforms()))
        translated = translator.translate(tf.constant(clips[..., np.newaxis]))[..., 0]
        index = run.labels.index(target)
        for when, waveforms in (("before", clips), ("after", translated)):
            inputs = run.frontend(tf.constant(waveforms))
            probabilities = run.model(inputs, training=False).numpy()
            # Float32 in other batches; no probability is near one half.
            assert row[f"probability_of_{target}_{when}"] == pytest.approx(
                probabilities[:, index].mean(), abs=1e-4
            )
            share = np.mean(probabilities.argmax(axis=1) == index)
            assert row[f"share_to_{target}_{when}"] == pytest.approx(share)


def test_images_and_audio_of_both_directions_are_written(events, names_of_kind, translation_run):
    assert names_of_kind(events, "images") == {"to tones", "to noise"}
    assert names_of_kind(events, "audio") == {
        f"to {label}, {version}"
        for label in ("tones", "noise")
        for version in ("original", "translated")
    }
    clips = translation_run.config.training.preview_clips
    for name in names_of_kind(events, "images"):
        images = events.Tensors(name)
        assert [event.step for event in images] == [0, 2]
        width, height, *encoded = tf.make_ndarray(images[0].tensor_proto)
        assert (int(width), int(height)) == (3 * 32, 32)  # original, translated, translated back
        assert len(encoded) == clips


def test_scores_are_curves_too(events, names_of_kind):
    assert names_of_kind(events, "scalars") == {f"judge/{name}" for name in SCORES}


@pytest.mark.slow
def test_rows_of_this_epoch_and_later_ones_are_replaced(copy, run, held_out):
    first, last = read_judged(copy)
    preview = TranslationPreview(copy, held_out, SETTINGS, judge=run)
    show(preview, copy, 2)
    assert read_judged(copy) == [first, pytest.approx(last)]
    show(preview, copy, 1)
    rows = read_judged(copy)
    assert [row["epoch"] for row in rows] == [0, 1]
    assert rows[0] == first


def test_without_a_judge_there_are_no_scores(copy, held_out):
    copy.judged_path.unlink()
    show(TranslationPreview(copy, held_out, SETTINGS), copy, 2)
    assert read_judged(copy) == []
    assert not copy.judged_path.exists()


def test_the_scores_are_those_of_one_epoch(copy, run, caplog):
    assert read_judged_epoch(copy, 2, run) == read_judged(copy)[-1:]
    assert not caplog.messages
    assert read_judged_epoch(copy, 1, run) == []
    copy.judged_path.unlink()
    assert read_judged_epoch(copy, 2, run) == []
    for epoch, message in zip((1, 2), caplog.messages, strict=True):
        assert message.startswith(f"no scores of epoch {epoch}: --judge scores translations during")
        assert f"'{copy.folder}' was trained up to this epoch without it" in message


def test_the_scores_of_another_judge_are_not_those_of_this_one(copy, run, held_out, caplog):
    fingerprint = run.fingerprint()
    text = copy.judged_path.read_text()
    copy.judged_path.write_text(text.replace(fingerprint, "another"))
    assert read_judged_epoch(copy, 2, run) == []
    assert f"with another judge than '{run.folder}'; use --force" in caplog.text
    show(TranslationPreview(copy, held_out, SETTINGS, judge=run), copy, 3)
    assert [row["epoch"] for row in read_judged(copy)] == [3]
    assert "another" not in copy.judged_path.read_text()


def test_a_judge_without_one_of_the_labels_is_refused(translation_run, run, held_out):
    info = translation_run.info.model_copy(update={"labels": ["noise", "jazz"]})
    other = TranslationRun(translation_run.folder, translation_run.config, info)
    with pytest.raises(ConfigError, match=r"has the labels noise, tones, but not jazz; give one"):
        TranslationPreview(other, held_out, SETTINGS, judge=run)


def test_the_table_is_a_csv_file(translation_run):
    with translation_run.judged_path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:2] == ["epoch", "judge"]
    assert {len(row) for row in rows} == {len(header)}


# The classifier of the scores


def test_a_judge_has_the_probabilities_of_predict(run, song, source):
    judge = Judge(run)
    paths = [song, source / "noise/0.wav"]
    for path, file in zip(paths, predict(run, paths)["files"], strict=True):
        with audio.Reader(path) as reader:
            probabilities, samples = judge(reader.mid(run.sample_rate))
        assert list(file["probabilities"].values()) == probabilities.tolist()
        assert file["seconds"] == samples / run.sample_rate
        assert probabilities.sum() == pytest.approx(1)


def test_a_judge_of_a_single_clip_is_the_network(run, held_out):
    (clip,) = held_out[0].waveforms(1)
    probabilities, samples = Judge(run)([clip[:3000, np.newaxis], clip[3000:, np.newaxis]])
    expected = run.model(run.frontend(tf.constant(clip[np.newaxis])), training=False)
    assert samples == len(clip)
    np.testing.assert_allclose(probabilities, expected[0], atol=1e-5)


def test_a_judge_of_an_empty_stream_returns_zeros(run):
    probabilities, samples = Judge(run)([])
    assert samples == 0
    assert not probabilities.any()
