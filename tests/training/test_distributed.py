import json
import os
import signal
import threading

import h5py
import pytest
import tensorflow as tf

from tfdream.datasets.partition import ReplicaSlice
from tfdream.errors import ClusterError, ConfigError
from tfdream.training.distributed import ClusterConfig, _interruptible_at_once
from tfdream.training.train import train

SMALL = ("training.batch_size=6", "model.options.dropout=0", "training.memory_gigabytes=0")


def weights(folder):
    """Read a run's weights, without scalars."""
    arrays = {}

    def add(name, node):
        if isinstance(node, h5py.Dataset) and node.shape:
            arrays[name] = node[()]

    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(add)
    return arrays


def test_an_invalid_tf_config_is_refused(monkeypatch, tmp_path):
    for text in (
        None,
        "none",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ):
        monkeypatch.delenv("TF_CONFIG", raising=False)
        if text is not None:
            monkeypatch.setenv("TF_CONFIG", text)
        with (
            pytest.raises(ConfigError, match=r"TF_CONFIG is .* on the first machine"),
            ClusterConfig("multiworker").joined(tmp_path),
        ):
            raise AssertionError


@pytest.mark.parametrize(("shown", "logs"), [("", ""), ("1", "a message\n")])
def test_a_port_in_use_is_one_error_without_messages_of_libraries(
    monkeypatch, tmp_path, capfd, shown, logs
):
    def fail():
        os.write(2, b"a message\n")
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", fail)
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    monkeypatch.setenv("TFDREAM_LIBRARY_LOGS", shown)
    message = r"use a free port \(TensorFlow: Could not start gRPC server\)"
    with (
        pytest.raises(ClusterError, match=message),
        ClusterConfig("multiworker").joined(tmp_path),
    ):
        raise AssertionError
    assert capfd.readouterr().err == logs


def test_a_single_process_is_worker_0_and_computes_complete_batches(tmp_path):
    with ClusterConfig().joined(tmp_path) as workers:
        assert (workers.folder, workers.is_chief, workers.devices) == (tmp_path, True, 1)
        assert workers.replica_slice == ReplicaSlice(0, 1)
        assert workers.broadcast(b"content") == b"content"
        assert workers.service() is None
        workers.check_same("settings")


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="only the main thread receives signals",
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_handlers_of_signals_are_restored_after_the_connection(number):
    before = signal.getsignal(number)
    with _interruptible_at_once():
        assert signal.getsignal(number) == signal.SIG_DFL
        signal.signal(number, lambda *_: None)  # as TensorFlow does
    assert signal.getsignal(number) == before


def test_a_worker_with_other_settings_is_refused(tmp_path, monkeypatch):
    with ClusterConfig().joined(tmp_path) as workers:
        monkeypatch.setattr(workers, "broadcast", lambda content: b"other settings")
        with pytest.raises(ClusterError, match="settings or dataset differ from worker 0's"):
            workers.check_same("settings")


@pytest.mark.slow
def test_workers_train_like_one_process(
    configure, dataset, tmp_path, start_workers, wait_for_result, history
):
    config = configure(*SMALL)
    processes = start_workers(config, dataset, tmp_path / "run")
    results = [wait_for_result(process) for process in processes]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert results[0]["epochs"] == 2
    assert not (tmp_path / "run-1").exists()  # only worker 0 writes

    train(config, dataset, tmp_path / "one")
    # Gradients are summed in another order: errors of 10⁻⁷ per step, for eight steps.
    expected = [pytest.approx(row, rel=1e-4) for row in history(tmp_path / "one")]
    assert history(tmp_path / "run-0") == expected
    one = weights(tmp_path / "one")
    for name, array in weights(tmp_path / "run-0").items():
        assert array == pytest.approx(one[name], rel=1e-3, abs=1e-4), name


@pytest.mark.slow
def test_workers_train_a_translation_like_one_process(
    configure_translation, dataset, tmp_path, start_workers, wait_for_result, history
):
    config = configure_translation(
        "model={name: small_cyclegan, options: {}}",
        "frontend.size=[64,64]",
        "training.adversarial=cross_entropy",
        "training.learning_rate=0.0001",
    )
    processes = start_workers(config, dataset, tmp_path / "run")
    results = [wait_for_result(process) for process in processes]
    assert results[0]["metrics"] == results[1]["metrics"]

    train(config, dataset, tmp_path / "one")
    # Gradients are summed in another order: errors that Adam's steps of a fixed size amplify where
    # a gradient is almost zero. Weights may differ by several of the eight steps of 0.0001.
    expected = [pytest.approx(row, rel=3e-4) for row in history(tmp_path / "one")]
    assert history(tmp_path / "run-0") == expected
    one = weights(tmp_path / "one")
    for name, array in weights(tmp_path / "run-0").items():
        assert array == pytest.approx(one[name], abs=5e-4), name


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_training_continues_after_a_worker_was_killed(
    configure, dataset, tmp_path, start_workers, wait_for_result, history, killed
):
    config = configure(*SMALL, "training.epochs=6")
    processes = start_workers(config, dataset, tmp_path / "run")
    while int(processes[killed].stdout.readline()) < 5:  # of four steps per epoch
        pass
    processes[killed].kill()
    other = processes[1 - killed]
    _, errors = other.communicate(timeout=120)
    assert other.returncode == 1
    (line,) = (line for line in errors.splitlines() if line.startswith("Error: "))
    assert "another worker stopped or cannot be reached" in line
    assert "Traceback" not in errors
    processes[killed].communicate()

    assert 1 <= len(history(tmp_path / "run-0")) < 6
    again = [
        wait_for_result(process) for process in start_workers(config, dataset, tmp_path / "run")
    ]
    assert again[0]["metrics"] == again[1]["metrics"]
    assert len(history(tmp_path / "run-0")) == again[0]["epochs"] == 6


@pytest.mark.slow
def test_every_worker_reports_an_error_of_worker_0(configure, dataset, tmp_path, start_workers):
    train(configure(*SMALL, "training.epochs=1"), dataset, tmp_path / "run-0")
    other = configure(*SMALL, "training.seed=1")
    processes = start_workers(other, dataset, tmp_path / "run")
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert "contains a run with other settings" in errors[0]
    assert "worker 0 failed: " in errors[1]
    assert [process.returncode for process in processes] == [1, 1]
    assert json.loads((tmp_path / "run-0" / "metrics.json").read_text())["epochs"] == 1
