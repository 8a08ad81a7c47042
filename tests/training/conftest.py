"""Content of run folders, and training in other processes: with several devices or machines."""

import csv
import json
import os
import socket
import subprocess
import sys

import h5py
import numpy as np
import pytest

TRAIN = """
import json
import sys
import tensorflow as tf
options = json.loads(sys.argv[1])
devices = options["devices"]
if devices > 1:
    (cpu,) = tf.config.list_physical_devices("CPU")
    part = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [part] * devices)
from tfdream.config import validate_experiment
from tfdream.errors import TfdreamError
from tfdream.training.distributed import ClusterConfig
from tfdream.training.train import TrainOptions, train
cluster = ClusterConfig(options["strategy"])
def progress(done, total):
    print(done, flush=True)
try:
    result = train(
        validate_experiment(options["config"], "the test's configuration"),
        options["dataset"],
        options["run"],
        TrainOptions(options["test_fold"], cluster=cluster),
        progress,
    )
except TfdreamError as error:
    sys.exit(f"Error: {error}")
if cluster.strategy == "auto" and devices > 1:
    assert len(tf.config.list_logical_devices("CPU")) == devices
print(json.dumps(result))
"""
MACHINE_COLUMNS = {"seconds", "examples_per_second", "data_wait_fraction"}


@pytest.fixture
def start_training():
    """A function that starts a process, which trains and prints each step and the result."""
    started = []

    def start(config, dataset, run, test_fold=0, devices=1, strategy="auto", environment=()):
        options = {
            "config": config.model_dump(mode="json"),
            "dataset": str(dataset),
            "run": str(run),
            "test_fold": test_fold,
            "devices": devices,
            "strategy": strategy,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", TRAIN, json.dumps(options)],
            env={**os.environ, **dict(environment)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def start_workers(start_training):
    """A function that starts several such processes, which train together."""

    def start(config, dataset, run, count=2):
        sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
        hosts = [f"localhost:{each.getsockname()[1]}" for each in sockets]
        for each in sockets:
            each.close()
        processes = []
        for index in range(count):
            cluster = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
            processes.append(
                start_training(
                    config,
                    dataset,
                    run.with_name(f"{run.name}-{index}"),  # machines share no folder
                    strategy="multiworker",
                    environment={"TF_CONFIG": json.dumps(cluster)},
                )
            )
        return processes

    return start


@pytest.fixture
def wait_for_result():
    """A function that waits for such a process and returns its result."""

    def wait(process):
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return json.loads(output.splitlines()[-1])

    return wait


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture(scope="session")
def loaded(dataset):
    """The opened dataset."""
    from tfdream.datasets import manifest

    return manifest.load(dataset)


@pytest.fixture(scope="session")
def history():
    """A function that reads a run's history, without what depends on the machine's speed."""

    def read(folder):
        with (folder / "history.csv").open(newline="") as file:
            return [
                {name: float(value) for name, value in row.items() if name not in MACHINE_COLUMNS}
                for row in csv.DictReader(file)
            ]

    return read


@pytest.fixture(scope="session")
def stored_arrays():
    """A function that reads a run's arrays by file and path.

    They are weights, optimizer states, random states and pools.
    """

    def read(folder):
        arrays = {}
        for name in ("model.weights.h5", "resume.weights.h5"):
            with h5py.File(folder / name) as file:

                def add(path, node, name=name):
                    if isinstance(node, h5py.Dataset):
                        arrays[name, path] = node[()]

                file.visititems(add)
        return arrays

    return read


@pytest.fixture(scope="session")
def assert_same_run(history, stored_arrays):
    """A function that checks that two runs are equal bit for bit."""

    def check(folder, other):
        assert history(folder) == history(other)
        first, second = stored_arrays(folder), stored_arrays(other)
        assert first.keys() == second.keys()
        for path, array in first.items():
            assert np.array_equal(array, second[path]), path

    return check


@pytest.fixture(scope="session")
def interrupt_at():
    """A function that returns a `ProgressFn` which raises KeyboardInterrupt at a step."""

    def make(step):
        def progress(done, total):
            if done == step:
                raise KeyboardInterrupt

        return progress

    return make
