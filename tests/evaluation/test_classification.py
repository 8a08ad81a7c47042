import shutil

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from tfdream.datasets import manifest
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import DatasetError
from tfdream.evaluation import classification
from tfdream.evaluation.classification import Predictions, evaluate, predict_dataset, score
from tfdream.evaluation.prediction import predict
from tfdream.evaluation.scores import intervals
from tfdream.runs import Run

# Eager execution gives the same results; tracing a graph takes longer than a few clips. Fixtures of
# the module use graphs.
pytestmark = pytest.mark.usefixtures("eagerly")

RATE = 8000


@pytest.fixture(scope="module")
def held_out(run, dataset):
    return evaluate(run, dataset)


def test_held_out_fold_is_evaluated_by_default(run, dataset, held_out):
    shards = manifest.load(dataset).fold_shards([0])
    assert held_out["folds"] == [0] == [run.info.test_fold]
    assert held_out["clips"] == sum(shard.clips for shard in shards)
    assert held_out["tracks"] == sum(len(shard.tracks) for shard in shards)


def test_noise_and_tones_are_distinguished(held_out):
    assert held_out["labels"] == ["noise", "tones"]
    assert held_out["clip_accuracy"] > 0.8
    assert held_out["track_accuracy"] > 0.7  # three of four
    assert held_out["macro_f1"] > 0.8


def test_confusion_counts_every_clip_once(held_out):
    confusion = np.array(held_out["confusion"])
    assert confusion.sum() == held_out["clips"]
    assert np.trace(confusion) / confusion.sum() == pytest.approx(held_out["clip_accuracy"])
    assert confusion.sum(axis=1).max() / confusion.sum() == held_out["majority_share"]


def test_given_folds_are_evaluated(run, dataset):
    everything = evaluate(run, dataset, [2, 0, 1, 0])
    assert everything["folds"] == [0, 1, 2]
    assert (everything["clips"], everything["tracks"]) == (37, 12)
    assert np.array(everything["confusion"]).sum(axis=1).tolist() == [19, 18]


def test_missing_folds_are_rejected(run, dataset):
    with pytest.raises(DatasetError, match="fold 5 is not in the dataset"):
        evaluate(run, dataset, [5])


def test_probabilities_and_labels_have_their_order(run, dataset):
    predictions = predict_dataset(run, manifest.load(dataset), [1])
    assert predictions.probabilities.shape == (len(predictions.labels), 2)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-6)  # float32
    labels = ["noise", "tones"]
    assert [labels[label] for label in predictions.labels] == [
        track.split("/")[0] for track in predictions.tracks
    ]


def test_probabilities_are_the_mean_over_playback_speeds(run, dataset, source):
    def at(*speeds):
        changed = Run(run.folder, run.config.model_copy(update={"test_speeds": speeds}), run.info)
        clips = predict_dataset(changed, manifest.load(dataset), [0]).probabilities
        (file,) = predict(changed, [source / "tones/1.wav"])["files"]
        return clips, np.array(list(file["probabilities"].values()))

    for fast, slow, mean in zip(at(1.5), at(0.5), at(1.5, 0.5), strict=True):
        assert np.abs(fast - slow).max() > 0.01
        np.testing.assert_allclose(mean, (fast + slow) / 2, atol=1e-6)


def test_scores_of_an_example(run, dataset, monkeypatch):
    # Track a: wrong in two clips of three, but right in their mean. Track b: the reverse.
    chance = {"a": [0.9, 0.4, 0.4], "b": [0.95, 0.4, 0.4], "c": [0.2]}
    truth = {"a": 0, "b": 1, "c": 1}
    first = np.concatenate(list(chance.values()))
    tracks = np.array([name for name in chance for _ in chance[name]])
    predictions = Predictions(
        np.stack([first, 1 - first], axis=1), np.array([truth[name] for name in tracks]), tracks
    )
    monkeypatch.setattr(classification, "predict_dataset", lambda *_: predictions)
    result = evaluate(run, dataset)
    assert result["confusion"] == [[1, 2], [1, 3]]
    assert result["clip_accuracy"] == pytest.approx(4 / 7)
    assert result["track_accuracy"] == pytest.approx(2 / 3)  # b's mean is 0.58 for the wrong label
    assert result["macro_f1"] == pytest.approx((2 * 1 / (2 + 3) + 2 * 3 / (6 + 3)) / 2)
    assert result["majority_share"] == pytest.approx(4 / 7)
    assert (result["clips"], result["tracks"]) == (7, 3)


@pytest.mark.parametrize("change", ["prepare.sample_rate=16000", "prepare.clip_seconds=0.5"])
def test_datasets_of_other_clips_are_rejected(run, source, configure, tmp_path, change):
    prepare(source, tmp_path, configure(change).prepare, PrepareOptions(workers=1))
    with pytest.raises(DatasetError, match=r"has clips of .* the run needs 1 s at 8000 Hz"):
        evaluate(run, tmp_path)


def test_datasets_of_other_labels_are_rejected(run, source, experiment, tmp_path):
    shutil.copytree(source, tmp_path / "source")
    (tmp_path / "source/tones").rename(tmp_path / "source/drones")
    prepare(
        tmp_path / "source", tmp_path / "dataset", experiment.prepare, PrepareOptions(workers=1)
    )
    with pytest.raises(DatasetError, match=r"labels drones, which the run lacks; it has noise"):
        evaluate(run, tmp_path / "dataset")


def test_a_dataset_may_have_some_labels_of_the_run(run, dataset, source, configure, tmp_path):
    config = configure("prepare.labels={tones: [tones]}").prepare
    prepare(source, tmp_path, config, PrepareOptions(workers=1))
    result = evaluate(run, tmp_path, range(3))
    assert result["labels"] == ["noise", "tones"]
    assert result["confusion"] == [[0, 0], evaluate(run, dataset, range(3))["confusion"][1]]


def test_labels_of_the_run_may_have_another_order(run, dataset, held_out):
    labels = run.labels[::-1]
    other = Run(run.folder, run.config, run.info.model_copy(update={"labels": labels}))
    result = evaluate(other, dataset)  # the outputs are those of the other label
    assert result["labels"] == labels
    assert result["clip_accuracy"] == pytest.approx(1 - held_out["clip_accuracy"])
    assert [row["clips"] for row in result["per_class"]] == [
        row["clips"] for row in held_out["per_class"][::-1]
    ]


def test_all_folds_of_other_datasets_are_evaluated(run, source, configure, tmp_path, caplog):
    """A warning is logged if every fold has tracks of the training folds."""
    config = configure("prepare.seed=5", "prepare.folds=2").prepare
    prepare(source, tmp_path / "other folds", config, PrepareOptions(workers=1))
    result = evaluate(run, tmp_path / "other folds")
    assert (result["folds"], result["clips"]) == ([0, 1], 37)
    (warning,) = caplog.messages
    assert "every fold" in warning
    assert "(8 of 12)" in warning  # those of two folds of three
    for path in shutil.copytree(source, tmp_path / "source").rglob("*.wav"):
        path.rename(path.with_stem(f"other{path.stem}"))
    prepare(tmp_path / "source", tmp_path / "dataset", config, PrepareOptions(workers=1))
    assert evaluate(run, tmp_path / "dataset")["folds"] == [0, 1]
    assert len(caplog.messages) == 1


def test_the_held_out_fold_does_not_depend_on_how_clips_are_stored(
    run, source, configure, tmp_path, held_out, caplog
):
    config = configure("prepare.shard_clips=64").prepare
    prepare(source, tmp_path, config, PrepareOptions(workers=1))
    result = evaluate(run, tmp_path)
    assert result["folds"] == [0]
    assert {row["path"] for row in result["per_track"]} == {
        row["path"] for row in held_out["per_track"]
    }
    assert not caplog.messages


def test_names_of_tracks_may_have_letters_beyond_ascii(run, source, configure, tmp_path):
    shutil.copytree(source, tmp_path / "source")
    (tmp_path / "source/tones/0.wav").rename(tmp_path / "source/tones/Übung № 1.wav")
    config = configure("prepare.folds=1").prepare
    prepare(tmp_path / "source", tmp_path / "dataset", config, PrepareOptions(workers=1))
    rows = evaluate(run, tmp_path / "dataset")["per_track"]
    assert "tones/Übung № 1.wav" in [row["path"] for row in rows]


def test_runs_without_held_out_fold_need_a_fold(run, dataset):
    full = Run(run.folder, run.config, run.info.model_copy(update={"test_fold": None}))
    with pytest.raises(DatasetError, match="nothing is held out"):
        evaluate(full, dataset)
    assert evaluate(full, dataset, [1])["folds"] == [1]


# Classes, tracks and intervals


def score_tracks(right_per_track):
    """Score tracks with two alternating labels and five clips, of which so many are right."""
    clips = np.arange(len(right_per_track) * 5)
    track = clips // 5
    truth = track % 2
    right = clips % 5 < np.array(right_per_track)[track]
    predicted = np.where(right, truth, 1 - truth)
    names = np.array([f"{number:05}" for number in track])
    return score(Predictions(np.eye(2)[predicted] * 0.8 + 0.1, truth, names), ["a", "b"])


def width(interval):
    return interval[1] - interval[0]


INTERVALS = ("clip_accuracy_interval", "track_accuracy_interval")


def test_scores_of_classes_equal_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels = ["a", "b", "c", "never predicted", "never true", "neither"]
    truth = rng.integers(0, 4, 200)
    predicted = np.where(rng.random(200) < 0.6, truth, rng.integers(0, 5, 200))
    predicted[predicted == 3] = 0
    result = score(Predictions(np.eye(6)[predicted], truth, truth.astype(str)), labels)
    expected = precision_recall_fscore_support(truth, predicted, labels=range(6), zero_division=0.0)
    for row, *numbers in zip(result["per_class"], labels, *expected, strict=True):
        assert list(row) == ["label", "precision", "recall", "f1", "clips"]
        assert list(row.values()) == [numbers[0], *(pytest.approx(n) for n in numbers[1:])]
    macro_f1 = f1_score(truth, predicted, average="macro", zero_division=0.0)
    assert result["macro_f1"] == pytest.approx(macro_f1)


def test_each_track_has_a_row(held_out, dataset):
    rows = {row["path"]: row for row in held_out["per_track"]}
    shards = manifest.load(dataset).fold_shards([0])
    assert {path: row["clips"] for path, row in rows.items()} == {
        track: clips for shard in shards for track, clips in shard.tracks.items()
    }
    assert all(row["label"] == path.split("/")[0] for path, row in rows.items())
    assert all(0.5 <= row["probability"] <= 1 for row in rows.values())  # of two labels
    right = sum(row["clips_right"] for row in rows.values())
    assert right / held_out["clips"] == pytest.approx(held_out["clip_accuracy"])
    right = sum(row["label"] == row["predicted"] for row in rows.values())
    assert right / held_out["tracks"] == held_out["track_accuracy"]


def test_track_rows_of_an_example():
    # Two clips of three are wrong, but the mean of their probabilities is right.
    first = np.array([0.9, 0.4, 0.4, 0.2])
    tracks = np.array(["x", "x", "x", "y"])
    predictions = Predictions(np.stack([first, 1 - first], axis=1), np.zeros(4, int), tracks)
    x, y = score(predictions, ["a", "b"])["per_track"]
    assert x["probability"] == pytest.approx(1.7 / 3)
    assert y["probability"] == pytest.approx(0.8)
    del x["probability"], y["probability"]
    assert x == {"path": "x", "label": "a", "predicted": "a", "clips": 3, "clips_right": 1}
    assert y == {"path": "y", "label": "a", "predicted": "b", "clips": 1, "clips_right": 0}


@pytest.mark.parametrize("name", INTERVALS)
def test_interval_contains_the_accuracy_and_narrows_with_more_tracks(name):
    widths = []
    for tracks in (10, 40, 160, 640):
        result = score_tracks([5, 0, 4, 2, 5] * (tracks // 5))
        low, high = result[name]
        assert 0 <= low < result[name.removesuffix("_interval")] < high <= 1
        widths.append(high - low)
    # Four times the tracks, half the width; ten tracks have steps of a tenth.
    assert widths[1:] == pytest.approx([widths[0] / 2, widths[0] / 4, widths[0] / 8], rel=0.25)


@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_of_all_right_and_all_wrong_predictions_are_points(name):
    assert score_tracks([5] * 8)[name] == [1, 1]
    assert score_tracks([0] * 8)[name] == [0, 0]


def test_clips_of_a_track_are_not_independent():
    together = score_tracks([5, 5, 5, 0] * 10)  # tracks are right or wrong as a whole
    spread = score_tracks([4, 4, 4, 3] * 10)  # the same clips, but tracks hardly differ
    assert together["clip_accuracy"] == spread["clip_accuracy"] == 0.75
    # As 40 trials, not as 200: 2 × 1.96 × √(0.75 × 0.25 / 40).
    assert width(together["clip_accuracy_interval"]) == pytest.approx(0.268, rel=0.1)
    # Tracks differ by a fifth of what they did.
    assert width(spread["clip_accuracy_interval"]) == pytest.approx(0.268 / 5, rel=0.1)


@pytest.mark.slow
def test_coverage_of_the_interval_is_about_95_percent():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        # 60 tracks of two to six clips, of a chance that differs from track to track: 0.7 in all.
        clips = rng.integers(2, 7, 60)
        right = rng.binomial(clips, rng.beta(3.5, 1.5, 60))
        rows = [
            {"clips": each, "clips_right": hits, "label": "a", "predicted": "a"}
            for each, hits in zip(clips, right, strict=True)
        ]
        low, high = intervals(rows)["clip_accuracy_interval"]
        covered += low <= 0.7 <= high
    # 95 %, with a deviation of 1.3 points; a bootstrap of 60 falls short by about one.
    assert 0.90 <= covered / 300 <= 0.99


def test_interval_is_deterministic():
    rows = score_tracks([5, 3, 4, 1] * 5)["per_track"]
    assert intervals(rows) == intervals(rows[::-1]) != intervals(rows, seed=1)
