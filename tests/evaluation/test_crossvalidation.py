import json
import shutil
import statistics

import numpy as np
import pytest
import soundfile

from tfdream.datasets import manifest
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import ConfigError, DatasetError, TfdreamError
from tfdream.evaluation import crossvalidation
from tfdream.evaluation.classification import predict_dataset
from tfdream.evaluation.crossvalidation import crossvalidate
from tfdream.io.processes import ProcessEndedError
from tfdream.runs import Run
from tfdream.training.train import TrainOptions, train

# Tracing the graph of each network takes longer than its few steps.
pytestmark = pytest.mark.usefixtures("eagerly")

ALBUMS = 3
"""Albums per label, of two tracks each."""

# No validation: all clips that are not held out are trained on, in few steps of a small network.
TRAINING = ("training.validate_on=none", "training.batch_size=12", "model={name: softmax}")


@pytest.fixture(scope="module")
def albums(tmp_path_factory):
    """Twelve tracks in six groups, and the group of each."""
    folder = tmp_path_factory.mktemp("albums")
    rng = np.random.default_rng(3)
    group, lines = {}, ["path,label,group"]
    for label in ("noise", "tones"):
        for number in range(2 * ALBUMS):
            name = f"{label}{number}.wav"
            group[name] = f"{label} album {number // 2}"
            lines.append(f"{name},{label},{group[name]}")
            samples = 8000 * (1 + number % 2)
            sound = rng.uniform(-0.3, 0.3, samples)
            if label == "tones":
                sound = 0.01 * sound + 0.2 * np.sin(np.arange(samples) * rng.uniform(0.3, 2))
            soundfile.write(folder / name, sound, 8000)
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder, group


@pytest.fixture(scope="module")
def settings(configure):
    return configure(*TRAINING)


@pytest.fixture(scope="module")
def grouped(albums, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grouped") / "dataset"
    prepare(albums[0], folder, settings.prepare, PrepareOptions(workers=1))
    return folder


@pytest.fixture(scope="module")
def finished(settings, grouped, step_by_step, tmp_path_factory):
    """A folder that tests must not change, the result, and the reported progress."""
    out = tmp_path_factory.mktemp("crossvalidated") / "out"
    reports = []

    def record(done, total, note):
        reports.append((done, total, note))

    with step_by_step():
        result = crossvalidate(settings, grouped, out, progress=record, name="tiny")
    return out, result, reports


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "out")


@pytest.fixture
def calls(monkeypatch):
    """The fold of each training step, and of each evaluation."""
    trained, evaluated = [], []

    def spy_on_training(config, dataset, run, options, progress):
        def record(done, total):
            trained.append(options.test_fold)
            progress(done, total)

        return train(config, dataset, run, options, record)

    def spy_on_evaluation(run, dataset, folds):
        evaluated.extend(folds)
        return evaluate(run, dataset, folds)

    evaluate = crossvalidation.evaluate
    monkeypatch.setattr(crossvalidation, "train", spy_on_training)
    monkeypatch.setattr(crossvalidation, "evaluate", spy_on_evaluation)
    return trained, evaluated


def evaluation(out, fold):
    """Read an evaluation without the digest of the weights, which contains their time."""
    content = json.loads((out / f"fold{fold}/evaluation.json").read_text())
    assert len(content.pop("weights_sha256")) == 64
    return content


def evaluations(out):
    return [evaluation(out, fold) for fold in range(3)]


def weights(run):
    return Run.open(run).model.get_weights()


def written(out):
    """Return the modification time of each file of weights."""
    return {path: path.stat().st_mtime_ns for path in out.rglob("*.weights.h5")}


# Results


def test_each_clip_is_evaluated_by_a_network_not_trained_on_its_group(finished, grouped, albums):
    dataset, group = manifest.load(grouped), albums[1]
    clips_of_track = {}
    for shard in dataset.shards:
        for track, clips in shard.tracks.items():
            clips_of_track[track] = clips_of_track.get(track, 0) + clips
    evaluated = {}
    for fold, evaluation in enumerate(evaluations(finished[0])):
        info = Run.open(finished[0] / f"fold{fold}").info
        held_out = {row["path"]: row["clips"] for row in evaluation["per_track"]}
        trained = {
            group[track]
            for shard in dataset.fold_shards(info.training_folds)
            for track in shard.tracks
        }
        assert evaluation["folds"] == [fold]
        assert fold not in info.training_folds
        assert trained.isdisjoint(group[track] for track in held_out)
        assert trained | {group[track] for track in held_out} == set(group.values())
        assert evaluated.keys().isdisjoint(held_out)
        evaluated |= held_out
    assert evaluated == clips_of_track
    assert finished[1]["clips"] == sum(evaluated.values()) == dataset.clips
    assert finished[1]["tracks"] == len(evaluated) == 4 * ALBUMS


def test_held_out_clips_do_not_influence_the_network(finished, settings, grouped, tmp_path, calls):
    """The held-out clips are unreadable here. A fold that `train` trained is continued."""
    damaged = shutil.copytree(grouped, tmp_path / "dataset")
    for shard in manifest.load(damaged).fold_shards([1]):
        (damaged / shard.name).write_bytes(bytes(shard.bytes))
    run = tmp_path / "out/fold1"
    train(settings, damaged, run, TrainOptions(test_fold=1))
    crossvalidate(settings, grouped, tmp_path / "out", [1])
    assert calls == ([], [1])
    for weight, expected in zip(weights(run), weights(finished[0] / "fold1"), strict=True):
        assert np.array_equal(weight, expected)
    assert evaluation(tmp_path / "out", 1) == evaluation(finished[0], 1)


def test_evaluation_is_that_of_the_saved_weights(finished, grouped):
    run, evaluation = Run.open(finished[0] / "fold2"), evaluations(finished[0])[2]
    predictions = predict_dataset(run, manifest.load(grouped), [2])
    predicted = predictions.probabilities.argmax(axis=1)
    for row in evaluation["per_track"]:
        in_track = predictions.tracks == row["path"]
        assert row["clips"] == in_track.sum()
        assert row["clips_right"] == (predicted == predictions.labels)[in_track].sum()
        mean = predictions.probabilities[in_track].mean(axis=0)
        assert run.labels[mean.argmax()] == row["predicted"]
        assert row["probability"] == pytest.approx(mean.max())
        assert {run.labels[label] for label in predictions.labels[in_track]} == {row["label"]}


@pytest.mark.parametrize("name", ["clip_accuracy", "track_accuracy", "macro_f1"])
def test_mean_and_deviation_are_over_the_folds(finished, name):
    values = [evaluation[name] for evaluation in evaluations(finished[0])]
    result = finished[1]
    assert [row[name] for row in result["folds"]] == values
    assert result[name] == pytest.approx(np.mean(values))
    assert result[f"{name}_deviation"] == pytest.approx(np.std(values, ddof=1))


def test_pooled_scores_weight_all_clips_equally(finished):
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


def test_result_describes_the_runs(finished, grouped):
    out, result, _ = finished
    assert (result["config"], result["model"]) == ("tiny", "softmax")
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


def test_progress_covers_all_folds(finished):
    steps, totals, notes = zip(*finished[2], strict=True)
    assert list(steps) == list(range(1, totals[-1] + 1))
    assert list(dict.fromkeys(notes)) == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    # A fold may have a batch more than another, in each of two epochs.
    assert max(totals) - min(totals) <= 3 * 2


# Continuing


def test_second_call_does_nothing(copy, finished, settings, grouped, calls):
    before = written(copy)
    assert crossvalidate(settings, grouped, copy, name="tiny") == finished[1]
    assert calls == ([], [])
    assert written(copy) == before
    assert len(before) == 6


@pytest.mark.slow
def test_interrupted_call_is_continued_exactly(finished, settings, grouped, tmp_path, calls):
    def interrupt(done, total, note):
        if note == "fold 2 of 2" and done == total:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        crossvalidate(settings, grouped, out, [0, 1], progress=interrupt)
    assert {path.name for path in out.iterdir()} == {"fold0", "fold1"}
    assert not (out / "fold1/evaluation.json").exists()
    first = written(out / "fold0")
    reports = []

    def record(done, total, note):
        reports.append((done, total, note))

    crossvalidate(settings, grouped, out, [0, 1], progress=record)
    assert calls[1] == [0, 1]  # in two calls
    assert written(out / "fold0") == first
    # Of the two epochs of the second fold, the second one was repeated.
    total = reports[0][1]
    assert reports == [(done, total, "fold 2 of 2") for done in range(total // 2 + 1, total + 1)]
    for fold in (0, 1):
        assert evaluation(out, fold) == evaluation(finished[0], fold)


@pytest.mark.parametrize("content", [None, "{", '{"folds": [1]}'])
def test_fold_without_evaluation_is_evaluated_but_not_trained(
    copy, finished, settings, grouped, calls, content
):
    path = copy / "fold1/evaluation.json"
    path.unlink() if content is None else path.write_text(content)
    before = written(copy)
    crossvalidate(settings, grouped, copy, [1])
    assert calls == ([], [1])
    assert written(copy) == before
    assert path.read_bytes() == (finished[0] / "fold1/evaluation.json").read_bytes()


def test_more_epochs_are_evaluated_again(copy, finished, settings, configure, grouped, calls):
    more = configure(*TRAINING, "training.epochs=3")
    result = crossvalidate(more, grouped, copy, [0])
    assert set(calls[0]) == {0}
    assert calls[1] == [0]
    assert (result["epochs"], [row["fold"] for row in result["folds"]]) == (3, [0])
    assert result["clip_accuracy_deviation"] == 0
    assert Run.open(copy / "fold0").config.training.epochs == 3
    # Now there is one of three epochs and two of two.
    with pytest.raises(ConfigError, match=r"fold0' was started with training.epochs=3, more"):
        crossvalidate(settings, grouped, copy)


# Rejected calls


@pytest.mark.parametrize("change", ["training.seed=1", "training.learning_rate=0.5"])
def test_other_settings_are_rejected_before_training(copy, configure, grouped, calls, change):
    shutil.rmtree(copy / "fold0")
    other = configure(*TRAINING, change)
    with pytest.raises(ConfigError, match=r"fold1' contains a run with other settings.*--force"):
        crossvalidate(other, grouped, copy)
    assert calls == ([], [])
    assert not (copy / "fold0").exists()


def test_other_datasets_are_rejected(copy, settings, dataset, finished):
    with pytest.raises(ConfigError, match=r"another dataset.*--force"):
        crossvalidate(settings, dataset, copy)
    assert json.loads((copy / "crossvalidation.json").read_text()) == finished[1]


def test_force_replaces_runs(copy, configure, grouped, calls):
    other = configure(*TRAINING, "training.epochs=1", "training.seed=1")
    result = crossvalidate(other, grouped, copy, [2], force=True)
    assert (set(calls[0]), calls[1]) == ({2}, [2])
    assert result["epochs"] == 1
    assert Run.open(copy / "fold2").config == other


def test_the_result_of_all_folds_is_not_replaced_by_that_of_one(copy, finished, settings, grouped):
    result = crossvalidate(settings, grouped, copy, [1], name="tiny")
    assert [row["fold"] for row in result["folds"]] == [1]
    assert json.loads((copy / "crossvalidation.json").read_text()) == finished[1]
    (copy / "crossvalidation.json").write_text("{")
    crossvalidate(settings, grouped, copy, [1], name="tiny")
    assert json.loads((copy / "crossvalidation.json").read_text()) == result


def test_old_result_is_removed_when_its_networks_change(copy, configure, grouped):
    def interrupt(done, total, note):
        raise KeyboardInterrupt

    more = configure(*TRAINING, "training.epochs=3")
    with pytest.raises(KeyboardInterrupt):
        crossvalidate(more, grouped, copy, progress=interrupt)
    # It was that of two epochs in all folds, and one fold has started a third.
    assert not (copy / "crossvalidation.json").exists()


def test_missing_folds_are_rejected_first(settings, grouped, tmp_path):
    with pytest.raises(DatasetError, match="fold 5 is not in the dataset"):
        crossvalidate(settings, grouped, tmp_path / "out", [0, 5])
    assert not (tmp_path / "out").exists()


def test_datasets_with_one_fold_are_rejected(configure, albums, tmp_path):
    config = configure(*TRAINING, "prepare.folds=1")
    prepare(albums[0], tmp_path / "one", config.prepare, PrepareOptions(workers=1))
    with pytest.raises(DatasetError, match=r"has one fold.*prepare\.folds=2"):
        crossvalidate(config, tmp_path / "one", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [("prepare.sample_rate=16000", "sample_rate=8000"), ("model=null", "no section 'model'")],
)
def test_what_does_not_fit_is_rejected_before_a_process_starts(
    configure, grouped, tmp_path, monkeypatch, changes, words
):
    monkeypatch.setattr("tfdream.io.processes.call_apart", pytest.fail)
    with pytest.raises((ConfigError, DatasetError), match=words):
        crossvalidate(configure(changes), grouped, tmp_path / "out", apart=True)


def test_a_process_that_is_killed_is_one_clear_error(settings, grouped, tmp_path, monkeypatch):
    def end(*_):
        raise ProcessEndedError("the process ended with status -9")

    monkeypatch.setattr("tfdream.io.processes.call_apart", end)
    words = "fold 1 of 1, number 2 held out: the process ended with status -9; .* smaller"
    with pytest.raises(TfdreamError, match=words):
        crossvalidate(settings, grouped, tmp_path / "out", [2], apart=True)


@pytest.mark.slow
def test_folds_in_processes_of_their_own_have_the_same_results(
    settings, grouped, finished, tmp_path
):
    steps = []
    result = crossvalidate(
        settings,
        grouped,
        tmp_path,
        [0],
        progress=lambda done, total, value=0.0, note="": steps.append(done),
        apart=True,
    )
    (fold,) = result["folds"]
    assert fold == finished[1]["folds"][0]
    assert steps == list(range(1, len(steps) + 1))
