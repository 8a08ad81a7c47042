import csv
import json

import h5py
import pytest

from tfdream.datasets.partition import ReplicaSlice
from tfdream.errors import ClusterError, ConfigError
from tfdream.training.classification import train
from tfdream.training.distributed import ClusterConfig
from tfdream.training.translation import train_translation

SMALL = ("training.batch_size=6", "model.options.dropout=0", "training.memory_gigabytes=0")


def weights(folder):
    with h5py.File(folder / "model.weights.h5") as file:
        found = {}
        file.visititems(
            lambda name, node: (
                found.update({name: node[()]} if node.shape else {})
                if isinstance(node, h5py.Dataset)
                else None
            )
        )
        return found


def metrics(folder):
    with (folder / "history.csv").open(newline="") as file:
        return [
            {name: float(row[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "none",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_tf_config_that_is_none_is_refused(monkeypatch, tmp_path, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with (
        pytest.raises(ConfigError, match=r"TF_CONFIG is .* on the first machine"),
        ClusterConfig("multiworker").joined(tmp_path),
    ):
        raise AssertionError


def test_alone_everything_is_ones_own(tmp_path):
    with ClusterConfig().joined(tmp_path) as workers:
        assert (workers.folder, workers.is_chief, workers.devices) == (tmp_path, True, 1)
        assert workers.portion == ReplicaSlice(0, 1)
        assert workers.broadcast(b"told") == b"told"
        workers.check_same("settings")


def test_a_worker_that_was_started_otherwise_is_refused(tmp_path, monkeypatch):
    with ClusterConfig().joined(tmp_path) as workers:
        monkeypatch.setattr(workers, "from_chief", lambda content: b"other settings")
        with pytest.raises(ClusterError, match="settings or dataset are not the chief's"):
            workers.check_same("settings")


@pytest.mark.slow
def test_workers_learn_what_one_process_learns(configure, dataset, tmp_path, start_workers, ended):
    config = configure(*SMALL)
    processes = start_workers(config, dataset, tmp_path / "run")
    results = [ended(process) for process in processes]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert results[0]["epochs"] == 2
    assert not (tmp_path / "run-1").exists()  # the chief alone writes

    train(config, dataset, tmp_path / "one")
    # Gradients are summed in another order: parts in 10⁷ a step, for eight steps.
    for own, other in zip(metrics(tmp_path / "run-0"), metrics(tmp_path / "one"), strict=True):
        assert own == pytest.approx(other, rel=1e-4)
    one = weights(tmp_path / "one")
    for name, array in weights(tmp_path / "run-0").items():
        assert array == pytest.approx(one[name], rel=1e-3, abs=1e-4), name


@pytest.mark.slow
def test_workers_learn_the_translation_that_one_process_learns(
    configure_translation, dataset, tmp_path, start_workers, ended, history
):
    config = configure_translation(
        "model={name: small_cyclegan, options: {}}",
        "frontend.size=[64,64]",
        "training.adversarial=cross_entropy",
        "training.learning_rate=0.0001",
    )
    processes = start_workers(config, dataset, tmp_path / "run")
    results = [ended(process) for process in processes]
    assert results[0]["metrics"] == results[1]["metrics"]

    train_translation(config, dataset, tmp_path / "one")
    # Gradients are summed in another order, which Adam's steps of a fixed size enlarge where a
    # gradient is nearly nothing: weights may lie some of the eight steps of 0.0001 apart.
    for own, other in zip(history(tmp_path / "run-0"), history(tmp_path / "one"), strict=True):
        assert own == pytest.approx(other, rel=3e-4)
    one = weights(tmp_path / "one")
    for name, array in weights(tmp_path / "run-0").items():
        assert array == pytest.approx(one[name], abs=5e-4), name


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_others_and_training_goes_on(
    configure, dataset, tmp_path, start_workers, ended, victim
):
    config = configure(*SMALL, "training.epochs=6")
    processes = start_workers(config, dataset, tmp_path / "run")
    while int(processes[victim].stdout.readline()) < 5:  # of four steps an epoch
        pass
    processes[victim].kill()
    survivor = processes[1 - victim]
    _, errors = survivor.communicate(timeout=120)
    assert survivor.returncode == 1
    (line,) = (line for line in errors.splitlines() if line.startswith("Error: "))
    assert "another worker ended" in line
    assert "Traceback" not in errors
    processes[victim].communicate()

    done = len(metrics(tmp_path / "run-0"))
    assert 1 <= done < 6
    again = [ended(process) for process in start_workers(config, dataset, tmp_path / "run")]
    assert again[0]["metrics"] == again[1]["metrics"]
    assert len(metrics(tmp_path / "run-0")) == again[0]["epochs"] == 6


@pytest.mark.slow
def test_workers_that_disagree_say_so(configure, dataset, tmp_path, start_workers):
    train(configure(*SMALL, "training.epochs=1"), dataset, tmp_path / "run-0")
    other = configure(*SMALL, "training.seed=1")
    processes = start_workers(other, dataset, tmp_path / "run")
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert "holds a run of other settings" in errors[0]
    assert "the chief says: " in errors[1]
    assert [process.returncode for process in processes] == [1, 1]
    assert json.loads((tmp_path / "run-0" / "metrics.json").read_text())["epochs"] == 1
