import json
import shutil
import statistics

import numpy as np
import pytest
import soundfile

from tfdream.datasets import records
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import ConfigError, DatasetError
from tfdream.evaluation import crossvalidation
from tfdream.evaluation.classification import predict_dataset
from tfdream.evaluation.crossvalidation import crossvalidate
from tfdream.runs import Run
from tfdream.training.classification import train

# Networks of a few steps, all of them alike: to build each one's graph takes longer.
pytestmark = pytest.mark.usefixtures("eagerly")

ALBUMS = 4
"""Per label, of two tracks each."""


@pytest.fixture(scope="module")
def albums(tmp_path_factory):
    """Sixteen tracks in eight groups, and the group of each."""
    folder = tmp_path_factory.mktemp("albums")
    rng = np.random.default_rng(3)
    group, lines = {}, ["path,label,group"]
    for label in ("noise", "tones"):
        for number in range(2 * ALBUMS):
            name = f"{label}{number}.wav"
            group[name] = f"{label} album {number // 2}"
            lines.append(f"{name},{label},{group[name]}")
            samples = 8000 * (1 + number % 3)
            sound = rng.uniform(-0.3, 0.3, samples)
            if label == "tones":
                sound = 0.01 * sound + 0.2 * np.sin(np.arange(samples) * rng.uniform(0.3, 2))
            soundfile.write(folder / name, sound, 8000)
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder, group


@pytest.fixture(scope="module")
def settings(configure):
    """No validation: what is not held out is learnt from."""
    return configure("training.validate_on=none")


@pytest.fixture(scope="module")
def grouped(albums, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grouped") / "dataset"
    prepare(albums[0], folder, settings.prepare, PrepareOptions(workers=1))
    return folder


@pytest.fixture(scope="module")
def finished(settings, grouped, step_by_step, tmp_path_factory):
    """A folder that is not to be changed, the result, and the progress that was reported."""
    out = tmp_path_factory.mktemp("crossvalidated") / "out"
    heard = []
    with step_by_step():
        result = crossvalidate(
            settings, grouped, out, progress=lambda *report: heard.append(report), name="tiny"
        )
    return out, result, heard


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "out")


@pytest.fixture
def calls(monkeypatch):
    """Which folds are trained a step, and which are judged."""
    trained, judged = [], []

    def spy_on_training(config, dataset, run, fold, force, progress):
        def heard(done, total):
            trained.append(fold)
            progress(done, total)

        return train(config, dataset, run, fold, force, heard)

    def spy_on_evaluation(run, dataset, folds):
        judged.extend(folds)
        return evaluate(run, dataset, folds)

    evaluate = crossvalidation.evaluate
    monkeypatch.setattr(crossvalidation, "train", spy_on_training)
    monkeypatch.setattr(crossvalidation, "evaluate", spy_on_evaluation)
    return trained, judged


def evaluation(out, fold):
    """But for the digest of the weights' file, which says when it was written."""
    content = json.loads((out / f"fold{fold}/evaluation.json").read_text())
    assert len(content.pop("weights_sha256")) == 64
    return content


def evaluations(out):
    return [evaluation(out, fold) for fold in range(3)]


def weights(run):
    return Run.open(run).model.get_weights()


def written(out):
    """When each of the files of weights was."""
    return {path: path.stat().st_mtime_ns for path in out.rglob("*.weights.h5")}


# What it is


def test_every_clip_is_judged_once_by_a_network_that_never_saw_its_group(finished, grouped, albums):
    dataset, group = records.load(grouped), albums[1]
    clips_of_track = {}
    for shard in dataset.shards:
        for track, clips in shard.tracks.items():
            clips_of_track[track] = clips_of_track.get(track, 0) + clips
    judged = {}
    for fold, evaluation in enumerate(evaluations(finished[0])):
        info = Run.open(finished[0] / f"fold{fold}").info
        own = {row["path"]: row["clips"] for row in evaluation["per_track"]}
        learnt = {
            group[track]
            for shard in dataset.fold_shards(info.training_folds)
            for track in shard.tracks
        }
        assert evaluation["folds"] == [fold]
        assert fold not in info.training_folds
        assert learnt.isdisjoint(group[track] for track in own)
        assert learnt | {group[track] for track in own} == set(group.values())
        assert judged.keys().isdisjoint(own)
        judged |= own
    assert judged == clips_of_track
    assert finished[1]["clips"] == sum(judged.values()) == dataset.clips
    assert finished[1]["tracks"] == len(judged) == 4 * ALBUMS


def test_a_network_is_the_same_whatever_its_held_out_clips_are(
    finished, settings, grouped, tmp_path, calls
):
    """Here they are garbage, which cannot even be read. A fold trained by itself is taken up."""
    damaged = shutil.copytree(grouped, tmp_path / "dataset")
    for shard in records.load(damaged).fold_shards([1]):
        (damaged / shard.name).write_bytes(bytes(shard.bytes))
    run = tmp_path / "out/fold1"
    train(settings, damaged, run, test_fold=1)
    crossvalidate(settings, grouped, tmp_path / "out", [1])
    assert calls == ([], [1])
    for own, its in zip(weights(run), weights(finished[0] / "fold1"), strict=True):
        assert np.array_equal(own, its)
    assert evaluation(tmp_path / "out", 1) == evaluation(finished[0], 1)


def test_the_evaluation_is_that_of_the_kept_weights(finished, grouped):
    run, evaluation = Run.open(finished[0] / "fold2"), evaluations(finished[0])[2]
    found = predict_dataset(run, grouped, records.load(grouped), [2])
    guessed = found.probabilities.argmax(axis=1)
    for row in evaluation["per_track"]:
        own = found.tracks == row["path"]
        assert row["clips"] == own.sum()
        assert row["clips_right"] == (guessed == found.labels)[own].sum()
        mean = found.probabilities[own].mean(axis=0)
        assert run.labels[mean.argmax()] == row["predicted"]
        assert row["probability"] == pytest.approx(mean.max())
        assert {run.labels[label] for label in found.labels[own]} == {row["label"]}


@pytest.mark.parametrize("name", ["clip_accuracy", "track_accuracy", "macro_f1"])
def test_mean_and_deviation_are_those_of_the_folds(finished, name):
    values = [evaluation[name] for evaluation in evaluations(finished[0])]
    result = finished[1]
    assert [row[name] for row in result["folds"]] == values
    assert result[name] == pytest.approx(np.mean(values))
    assert result[f"{name}_deviation"] == pytest.approx(np.std(values, ddof=1))


def test_all_clips_are_pooled_alike(finished):
    result, folds = finished[1], evaluations(finished[0])
    confusion = np.array(result["confusion"])
    assert np.array_equal(confusion, sum(np.array(fold["confusion"]) for fold in folds))
    right = sum(row["clips_right"] for fold in folds for row in fold["per_track"])
    assert np.trace(confusion) == right
    low, high = result["clip_accuracy_interval"]
    assert low <= right / result["clips"] <= high
    assert [row["label"] for row in result["per_class"]] == result["labels"] == ["noise", "tones"]
    assert [row["clips"] for row in result["per_class"]] == confusion.sum(axis=1).tolist()
    recall = [row["recall"] for row in result["per_class"]]
    assert recall == pytest.approx(np.diagonal(confusion) / confusion.sum(axis=1))


def test_the_result_says_what_was_run(finished, grouped):
    out, result, _ = finished
    assert (result["config"], result["model"]) == ("tiny", "lil_data")
    assert (result["dataset"], result["epochs"]) == ("dataset", 2)
    runs = [json.loads((out / f"fold{fold}/metrics.json").read_text()) for fold in range(3)]
    assert {run["parameters"] for run in runs} == {result["parameters"]}
    assert result["seconds"] == pytest.approx(sum(run["seconds"] for run in runs))
    speeds = [run["examples_per_second"] for run in runs]
    assert result["examples_per_second"] == statistics.median(speeds)
    assert json.loads((out / "crossvalidation.json").read_text()) == result
    assert {path.name for path in out.iterdir()} == {
        *("fold0", "fold1", "fold2", "crossvalidation.json"),
    }


def test_progress_is_that_of_all_folds(finished):
    steps, totals, notes = zip(*finished[2], strict=True)
    assert list(steps) == list(range(1, totals[-1] + 1))
    assert list(dict.fromkeys(notes)) == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    # A fold may have a batch more than another, in each of two epochs.
    assert max(totals) - min(totals) <= 3 * 2


# Going on


def test_a_second_call_does_nothing(copy, finished, settings, grouped, calls):
    before = written(copy)
    assert crossvalidate(settings, grouped, copy, name="tiny") == finished[1]
    assert calls == ([], [])
    assert written(copy) == before
    assert len(before) == 6


@pytest.mark.slow
def test_interrupted_it_goes_on_as_if_nothing_had_happened(
    finished, settings, grouped, tmp_path, calls
):
    def interrupt(done, total, note):
        if note == "fold 2 of 2" and done == total - 1:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        crossvalidate(settings, grouped, out, [0, 1], progress=interrupt)
    assert {path.name for path in out.iterdir()} == {"fold0", "fold1"}
    assert not (out / "fold1/evaluation.json").exists()
    first = written(out / "fold0")
    heard = []
    crossvalidate(settings, grouped, out, [0, 1], progress=lambda *report: heard.append(report))
    assert calls[1] == [0, 1]  # in two calls
    assert written(out / "fold0") == first
    # Of the two epochs of the second fold, the second one was repeated.
    total = heard[0][1]
    assert heard == [(done, total, "fold 2 of 2") for done in range(total // 2 + 1, total + 1)]
    for fold in (0, 1):
        assert evaluation(out, fold) == evaluation(finished[0], fold)


@pytest.mark.parametrize("content", [None, "{", '{"folds": [1]}'])
def test_a_fold_without_an_evaluation_is_judged_but_not_trained(
    copy, finished, settings, grouped, calls, content
):
    path = copy / "fold1/evaluation.json"
    path.unlink() if content is None else path.write_text(content)
    before = written(copy)
    crossvalidate(settings, grouped, copy, [1])
    assert calls == ([], [1])
    assert written(copy) == before
    assert path.read_bytes() == (finished[0] / "fold1/evaluation.json").read_bytes()


def test_more_epochs_go_on_and_are_judged_anew(copy, finished, settings, configure, grouped, calls):
    more = configure("training.validate_on=none", "training.epochs=3")
    result = crossvalidate(more, grouped, copy, [0])
    assert set(calls[0]) == {0}
    assert calls[1] == [0]
    assert (result["epochs"], [row["fold"] for row in result["folds"]]) == (3, [0])
    assert result["clip_accuracy_deviation"] == 0
    assert Run.open(copy / "fold0").config.training.epochs == 3
    # Now there is one of three epochs and two of two.
    with pytest.raises(ConfigError, match=r"fold0' was begun with training.epochs=3, more than 2"):
        crossvalidate(settings, grouped, copy)


# Refusals


@pytest.mark.parametrize("change", ["training.seed=1", "model.options.filters=[4, 9]"])
def test_other_settings_are_refused_before_anything_is_trained(
    copy, configure, grouped, calls, change
):
    shutil.rmtree(copy / "fold0")
    other = configure("training.validate_on=none", change)
    with pytest.raises(ConfigError, match=r"fold1' holds a run of other settings.*--force"):
        crossvalidate(other, grouped, copy)
    assert calls == ([], [])
    assert not (copy / "fold0").exists()


def test_another_dataset_is_refused(copy, settings, dataset, finished):
    with pytest.raises(ConfigError, match=r"another dataset.*--force"):
        crossvalidate(settings, dataset, copy)
    assert json.loads((copy / "crossvalidation.json").read_text()) == finished[1]


def test_force_starts_anew(copy, configure, grouped, calls):
    other = configure("training.validate_on=none", "training.epochs=1", "training.seed=1")
    result = crossvalidate(other, grouped, copy, [2], force=True)
    assert (set(calls[0]), calls[1]) == ({2}, [2])
    assert result["epochs"] == 1
    assert Run.open(copy / "fold2").config == other


def test_an_old_result_goes_when_its_networks_do(copy, configure, grouped):
    def interrupt(done, total, note):
        raise KeyboardInterrupt

    more = configure("training.validate_on=none", "training.epochs=3")
    with pytest.raises(KeyboardInterrupt):
        crossvalidate(more, grouped, copy, progress=interrupt)
    # It was of all folds with two epochs, and one of them has begun a third.
    assert not (copy / "crossvalidation.json").exists()


def test_a_fold_that_is_not_there_is_refused_first(settings, grouped, tmp_path):
    with pytest.raises(DatasetError, match="fold 5 is not in the dataset"):
        crossvalidate(settings, grouped, tmp_path / "out", [0, 5])
    assert not (tmp_path / "out").exists()


def test_a_dataset_of_one_fold_is_refused(configure, albums, tmp_path):
    config = configure("prepare.folds=1", "training.validate_on=none")
    prepare(albums[0], tmp_path / "one", config.prepare, PrepareOptions(workers=1))
    with pytest.raises(DatasetError, match=r"has one fold.*prepare\.folds=2"):
        crossvalidate(config, tmp_path / "one", tmp_path / "out")
    assert not (tmp_path / "out").exists()
