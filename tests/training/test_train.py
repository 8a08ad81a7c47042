"""The entry point of training: behavior that is the same for every task."""

import json
import re
import shutil
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdream.config import SupervisedTrainingConfig
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import ConfigError, DatasetError
from tfdream.runs import open_run
from tfdream.runs.info import EXCERPT_FILES
from tfdream.training.distributed import ClusterConfig
from tfdream.training.task import Task
from tfdream.training.train import TASKS, TrainOptions, train

FILES = {
    *("run.json", "config.yaml", "model.weights.h5", "resume.weights.h5", "history.csv"),
    *("metrics.json", "tensorboard"),
}


@pytest.fixture(scope="module")
def experiments(configure, configure_translation, configure_generation, configure_transfer):
    """Functions that configure the experiment of each task."""
    return {
        "classify": configure,
        "translate": configure_translation,
        "generate": configure_generation,
        "transfer": configure_transfer,
    }


@pytest.fixture(scope="module")
def results(trained, translation, generation, transfer):
    """The run folder and the result of each task."""
    return {
        "classify": trained,
        "translate": translation,
        "generate": generation,
        "transfer": transfer,
    }


@pytest.fixture(scope="module")
def datasets(dataset, aligned_dataset):
    """The dataset of each task."""
    tasks = ("classify", "translate", "generate")
    return dict.fromkeys(tasks, dataset) | {"transfer": aligned_dataset}


def read_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_every_task_is_tested(experiments, results):
    assert set(TASKS) == set(experiments) == set(results)


def test_every_task_trains_and_returns_its_result(experiments, results):
    for task, (folder, result) in results.items():
        assert experiments[task]().task == task
        assert type(open_run(folder)) is TASKS[task].run_type
        assert (result["run"], result["epochs"], result["test_fold"]) == (str(folder), 2, 0)
        assert result["examples_per_second"] > 0
        assert 0 <= result["data_wait_fraction"] <= 1
        assert result["seconds"] > 0
        assert result["parameters"] > 0
        assert {"loss", "val_loss"} <= set(result["metrics"])
        assert json.loads((folder / "metrics.json").read_text()) == result


def test_the_metrics_are_those_of_the_epoch_whose_weights_are_stored():
    settings = SupervisedTrainingConfig(checkpoint="best", validate_on="next")
    task = SimpleNamespace(
        run=SimpleNamespace(
            config=SimpleNamespace(training=settings), info=SimpleNamespace(test_fold=0)
        ),
        facts={"clips": 12},
        count_parameters=lambda network: 3,
    )
    machine = {"seconds": 1.0, "examples_per_second": 1.0, "data_wait_fraction": 0.0}
    rows = [machine | {"epoch": 1 + n, "val_loss": loss} for n, loss in enumerate((3, 1, 2))]
    result = Task.summary(task, None, rows)
    assert (result["epochs"], result["kept_epoch"], result["metrics"]) == (3, 2, {"val_loss": 1})
    assert (result["clips"], result["parameters"]) == (12, 3)


def test_the_loss_decreases(results, history):
    for folder, _ in results.values():
        first, second = history(folder)
        assert second["loss"] < first["loss"]


def test_run_folders_are_complete_and_have_no_temporary_files(results):
    for task, (folder, _) in results.items():
        further = {"judged.csv", *EXCERPT_FILES} if task == "translate" else set()
        assert {path.name for path in folder.iterdir()} == FILES | further
        assert list((folder / "tensorboard").rglob("events.*"))


# Options that only some tasks use


def test_a_second_dataset_is_refused_by_tasks_of_one(experiments, datasets, folder):
    for task in ("classify", "generate", "transfer"):
        options = TrainOptions(second_dataset="other")
        with pytest.raises(ConfigError) as raised:
            train(experiments[task](), datasets[task], folder, options)
        assert str(raised.value) == (
            "a second dataset ('other') is used by translations only; remove it, or use a "
            "configuration with task=translate"
        )
        assert not folder.exists()


def test_a_data_service_is_refused_by_tasks_without_labels(experiments, datasets, folder):
    for task in ("translate", "generate", "transfer"):
        options = TrainOptions(cluster=ClusterConfig(data_service="grpc://host:5050"))
        with pytest.raises(ConfigError) as raised:
            train(experiments[task](), datasets[task], folder, options)
        assert str(raised.value) == (
            "--data-service=grpc://host:5050 makes batches for classifiers only; remove it"
        )
        assert not folder.exists()


# Previews


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("task", "overrides", "labels", "epochs"),
    [
        ("classify", [], ["noise", "tones"], [0, 1, 2, 3]),
        pytest.param(
            *("translate", ["training.pool_images=0"], ["noise", "tones"], [0, 2, 3]),
            marks=pytest.mark.slow,
        ),
        pytest.param(*("generate", ["examples=12"], ["tones"], [0, 2, 3]), marks=pytest.mark.slow),
        pytest.param(*("transfer", [], [None], [0, 1, 2, 3]), marks=pytest.mark.slow),
    ],
)
def test_previews_are_shown_at_the_first_every_few_and_the_last_epoch(
    experiments, datasets, folder, task, overrides, labels, epochs
):
    shown = []

    def make_preview(run, clip_sets):
        assert run.folder == folder
        assert [clips.label for clips in clip_sets] == labels
        assert {shard.fold for clips in clip_sets for shard in clips.shards} == {0}
        return lambda model, epoch: shown.append((type(model).__name__, epoch))

    config = experiments[task]("training.epochs=3", "training.batch_size=12", *overrides)
    train(config, str(datasets[task]), str(folder), preview=make_preview)
    models = {
        "classify": "Classifier",
        "translate": "CycleGAN",
        "generate": "SequenceModelTraining",
        "transfer": "TransferTraining",
    }
    assert shown == [(models[task], epoch) for epoch in epochs]


def test_an_epoch_whose_preview_was_interrupted_is_repeated(
    configure, dataset, folder, trained, assert_same_run
):
    shown = []

    def show(model, epoch):
        shown.append(epoch)
        if shown == [0, 1, 2]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(configure(), dataset, folder, preview=lambda *_: show)
    train(configure(), dataset, folder, preview=lambda *_: show)
    assert shown == [0, 1, 2, 2]
    assert_same_run(folder, trained[0])
    events = EventAccumulator(str(folder / "tensorboard" / "train")).Reload()
    assert [each.step for each in events.Tensors("epoch_loss")] == [1, 2]


# Existing runs


def test_a_finished_run_does_not_change(experiments, results, datasets, tmp_path):
    for task, (original, result) in results.items():
        folder = shutil.copytree(original, tmp_path / task)
        info = json.loads((folder / "run.json").read_text())
        info["versions"]["tfdream"] = "0.0"  # an earlier one
        (folder / "run.json").write_text(json.dumps(info))
        before = read_files(folder)

        def fail(*_):
            raise AssertionError

        for config in (experiments[task](), experiments[task]("training.epochs=1")):
            again = train(config, datasets[task], folder, progress=fail, preview=fail)
            assert again | {"run": ""} == result | {"run": ""}
            assert read_files(folder) == before
    (folder / "metrics.json").unlink()  # as if the training had been killed before
    assert train(config, datasets[task], folder) == again
    assert read_files(folder).keys() == before.keys()


@pytest.mark.usefixtures("eagerly")
def test_the_result_of_fewer_epochs_is_removed_when_more_begin(
    configure, dataset, trained, tmp_path, interrupt_at
):
    folder = shutil.copytree(trained[0], tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(
            configure("training.epochs=3"), dataset, folder, progress=interrupt_at(13)
        )  # of 6 steps per epoch
    assert not (folder / "metrics.json").exists()
    assert (folder / "model.weights.h5").exists()


@pytest.mark.parametrize("overrides", [["frontend={kind: features}", "input_seconds=0.5"], []])
def test_a_call_that_fails_does_not_remove_the_run_to_replace(
    configure, dataset, trained, tmp_path, monkeypatch, overrides
):
    def fail(*_):
        raise ConfigError("no batches")

    folder = shutil.copytree(trained[0], tmp_path / "run")
    before = read_files(folder)
    monkeypatch.setattr(TASKS["classify"], "training_batches", fail)
    message = "waveforms that change" if overrides else "no batches"
    with pytest.raises(ConfigError, match=message):
        train(configure(*overrides), dataset, folder, TrainOptions(force=True))
    assert read_files(folder) == before


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_force_removes_the_files_of_every_task(configure, dataset, translation, tmp_path):
    folder = shutil.copytree(translation[0], tmp_path / "run")
    train(configure("training.epochs=1"), dataset, folder, TrainOptions(force=True))
    assert {path.name for path in folder.iterdir()} == FILES


def test_force_refuses_to_replace_a_network_with_a_card(configure, dataset, trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "run")
    (folder / "card.yaml").write_text("title: mine")
    before = read_files(folder)
    with pytest.raises(ConfigError, match=r"card.yaml' describes the network that --force replace"):
        train(configure(), dataset, folder, TrainOptions(force=True))
    assert read_files(folder) == before


def test_other_settings_are_refused(experiments, results, datasets):
    changes = {
        "classify": [
            *("training.seed=1", "training.learning_rate=0.1", "model.options.filters=[4, 9]"),
        ],
        "translate": [
            *("training.seed=1", "training.cycle_weight=5", "training.pool_images=17"),
            *("model.options.filters=3", "labels=[tones, noise]"),
        ],
        "generate": ["training.seed=1", "label=noise", "model.options.units=7"],
        "transfer": ["training.seed=1", "training.onset_weight=1", "model.options.units=6"],
    }
    for task, (folder, _) in results.items():
        before = read_files(folder)
        for change in changes[task]:
            name = re.escape(change.partition("=")[0].split("[")[0])
            with pytest.raises(ConfigError, match=rf"other settings.*\({name}.*--force"):
                train(experiments[task](change), datasets[task], folder)
        with pytest.raises(ConfigError, match=r"another dataset \(the data\).*--force"):
            train(experiments[task](), datasets[task], folder, TrainOptions(test_fold=1))
        assert read_files(folder) == before


def test_another_dataset_is_refused(configure, source, trained, tmp_path):
    settings = configure("prepare.seed=1").prepare
    prepare(source, tmp_path, settings, PrepareOptions(workers=1))
    with pytest.raises(ConfigError, match=r"another dataset.*--force"):
        train(configure(), tmp_path, trained[0])


def test_a_run_of_another_task_is_not_continued(experiments, results, datasets):
    tasks = list(TASKS)
    for task, other in zip(tasks, tasks[1:] + tasks[:1], strict=True):
        with pytest.raises(ConfigError, match=r"other settings.*--force"):
            train(experiments[task](), datasets[task], results[other][0])


# Datasets


def test_unsuitable_datasets_leave_no_run_behind(experiments, datasets, tmp_path, folder):
    for task, configure in experiments.items():
        with pytest.raises(DatasetError, match="run tfdream prepare first"):
            train(configure(), tmp_path / "missing", folder)
        for setting, value in (("sample_rate", 16000), ("clip_seconds", 0.5)):
            config = configure(f"prepare.{setting}={value}")
            with pytest.raises(DatasetError, match=rf"{setting}=.*--set prepare"):
                train(config, datasets[task], folder)
        with pytest.raises(ConfigError, match="test_fold=3 is not in the dataset"):
            train(configure(), datasets[task], folder, TrainOptions(test_fold=3))
        assert not folder.exists(), task
