import csv
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdream import audio
from tfdream.config import TranslateConfig
from tfdream.datasets import records
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError
from tfdream.evaluation.classification import Judge, predict
from tfdream.reports.previews.translation import Preview, read_judged
from tfdream.runs import TranslationRun
from tfdream.synthesis.translate import Translator

HOW = TranslateConfig(tiles={"overlap_seconds": 0.05})
MEASURES = {
    f"{measure}_{label}_{when}"
    for measure in ("share_to", "probability_of")
    for label in ("noise", "tones")
    for when in ("before", "after")
}


@pytest.fixture(scope="module")
def sides(dataset):
    """The clips that the run held out."""
    found = records.load(dataset)
    return tuple(ClipSet(dataset, found, found.fold_shards([0]), label) for label in found.labels)


@pytest.fixture
def copy(translation, tmp_path):
    """A run that may be changed."""
    return TranslationRun.open(shutil.copytree(translation[0], tmp_path / "run"))


@pytest.fixture(scope="module")
def events(translation):
    """What TensorBoard shows of the translations."""
    folder = translation[0] / "tensorboard/translations"
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def of_kind(events, plugin):
    """Names of what TensorBoard shows in one of its tabs."""
    return {
        name
        for name in events.Tags()["tensors"]
        if events.SummaryMetadata(name).plugin_data.plugin_name == plugin
    }


# What is written


def test_verdicts_are_written_before_training_and_at_the_end(translation_run):
    rows = read_judged(translation_run)
    assert [row.pop("epoch") for row in rows] == [0, 2]
    for row in rows:
        assert set(row) == MEASURES
        assert all(0 <= value <= 1 for value in row.values())
    before = [{name: row[name] for name in MEASURES if name.endswith("before")} for row in rows]
    assert before[0] == before[1]


def test_verdicts_are_those_of_the_classifier(translation_run, run, sides):
    """Of a clip as it is and as the kept generators translate it."""
    row = read_judged(translation_run)[-1]
    for side, way, target in zip(sides, ("forward", "backward"), ("tones", "noise"), strict=True):
        generator = getattr(translation_run.generators, way)
        translator = Translator(generator, translation_run, HOW)
        clips = np.stack(list(side.waveforms()))
        translated = translator.translate(tf.constant(clips[..., np.newaxis]))[..., 0]
        index = run.labels.index(target)
        for when, waveforms in (("before", clips), ("after", translated)):
            heard = run.model(run.frontend(tf.constant(waveforms)), training=False).numpy()
            # Float32 in other batches; no clip lies between two genres by chance.
            assert row[f"probability_of_{target}_{when}"] == pytest.approx(
                heard[:, index].mean(), abs=1e-4
            )
            share = np.mean(heard.argmax(axis=1) == index)
            assert row[f"share_to_{target}_{when}"] == pytest.approx(share)


def test_pictures_and_sounds_of_both_directions_are_shown(events, translation_run):
    assert of_kind(events, "images") == {"to tones", "to noise"}
    assert of_kind(events, "audio") == {
        f"to {label}, {which}"
        for label in ("tones", "noise")
        for which in ("original", "translated")
    }
    shown = translation_run.config.training.preview_clips
    for name in of_kind(events, "images"):
        found = events.Tensors(name)
        assert [event.step for event in found] == [0, 2]
        width, height, *pictures = tf.make_ndarray(found[0].tensor_proto)
        assert (int(width), int(height)) == (3 * 32, 32)  # as it is, there, and back
        assert len(pictures) == shown


def test_verdicts_are_curves_too(events):
    assert of_kind(events, "scalars") == {f"judge/{name}" for name in MEASURES}


@pytest.mark.slow
def test_rows_of_this_epoch_and_later_ones_are_replaced(copy, run, sides):
    first, last = read_judged(copy)
    watcher = Preview(copy, sides, HOW, judge=run)
    watcher(copy.generators, 2)
    assert read_judged(copy) == [first, pytest.approx(last)]
    watcher(copy.generators, 1)
    rows = read_judged(copy)
    assert [row["epoch"] for row in rows] == [0, 1]
    assert rows[0] == first


def test_without_a_judge_nothing_is_judged(copy, sides):
    copy.judged_path.unlink()
    Preview(copy, sides, HOW)(copy.generators, 2)
    assert read_judged(copy) == []
    assert not copy.judged_path.exists()


def test_a_judge_that_does_not_know_a_genre_is_refused(translation_run, run, sides):
    info = translation_run.info.model_copy(update={"labels": ["noise", "jazz"]})
    stranger = TranslationRun(translation_run.folder, translation_run.config, info)
    with pytest.raises(ConfigError, match=r"knows noise, tones, but not jazz; give one"):
        Preview(stranger, sides, HOW, judge=run)


def test_the_table_is_one_that_others_can_read(translation_run):
    with translation_run.judged_path.open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head[0] == "epoch"
    assert {len(row) for row in rows} == {len(head)}


# The judge


def test_a_judge_hears_what_predict_says(run, song, source):
    judge = Judge(run)
    paths = [song, source / "noise/0.wav"]
    told = predict(run, paths)["files"]
    for path, file in zip(paths, told, strict=True):
        with audio.Reader(path) as reader:
            probabilities, samples = judge(reader.mid(run.sample_rate))
        assert list(file["probabilities"].values()) == probabilities.tolist()
        assert file["seconds"] == samples / run.sample_rate
        assert probabilities.sum() == pytest.approx(1)


def test_a_judge_of_clips_is_the_network(run, sides):
    judge = Judge(run)
    (clip,) = sides[0].waveforms(1)
    probabilities, samples = judge([clip[:3000, np.newaxis], clip[3000:, np.newaxis]])
    wanted = run.model(run.frontend(tf.constant(clip[np.newaxis])), training=False)
    assert samples == len(clip)
    np.testing.assert_allclose(probabilities, wanted[0], atol=1e-5)


def test_a_judge_that_hears_nothing_has_no_opinion(run):
    probabilities, samples = Judge(run)([])
    assert samples == 0
    assert not probabilities.any()
