"""What a run keeps; and training in processes of their own, with other devices or machines."""

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
from pathlib import Path
import tensorflow as tf
config, dataset, folder, fold, devices, strategy, service = json.loads(sys.argv[1])
if devices > 1:
    (cpu,) = tf.config.list_physical_devices("CPU")
    part = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [part] * devices)
from tfdream.config import Experiment, validate_experiment
from tfdream.errors import TfdreamError
from tfdream.training.fit import train
from tfdream.training.translation import train_translation
from tfdream.training.workers import Machines
experiment = validate_experiment(config, "the test's")
function = train if isinstance(experiment, Experiment) else train_translation
def progress(done, total):
    print(done, flush=True)
machines = Machines(strategy, service)
try:
    result = function(
        experiment, Path(dataset), Path(folder), fold, progress=progress, machines=machines
    )
except TfdreamError as error:
    sys.exit(f"Error: {error}")
if strategy == "auto" and devices > 1:
    assert len(tf.config.list_logical_devices("CPU")) == devices
print(json.dumps(result))
"""


@pytest.fixture
def start_training():
    """A function that starts a process that trains, and prints each step done and the result."""
    started = []

    def start(
        config, dataset, folder, fold=0, devices=1, strategy="auto", service=None, environment=()
    ):
        what = [config.model_dump(mode="json"), str(dataset), str(folder), fold, devices, strategy]
        process = subprocess.Popen(
            [sys.executable, "-c", TRAIN, json.dumps([*what, service])],
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

    def start(config, dataset, folder, count=2, **how):
        sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
        hosts = [f"localhost:{each.getsockname()[1]}" for each in sockets]
        for each in sockets:
            each.close()
        return [
            start_training(
                config,
                dataset,
                # Each has a folder of its own, as on machines that share none.
                folder.with_name(f"{folder.name}-{index}"),
                strategy="multiworker",
                environment={
                    "TF_CONFIG": json.dumps(
                        {
                            "cluster": {"worker": hosts},
                            "task": {"type": "worker", "index": index},
                        }
                    )
                },
                **how,
            )
            for index in range(count)
        ]

    return start


@pytest.fixture
def ended():
    """A function that waits for such a process, and gives its result."""

    def wait(process):
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return json.loads(output.splitlines()[-1])

    return wait


MEASURED = {"seconds", "examples_per_second", "data_wait_fraction"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture(scope="session")
def history():
    """The rows of a run's history, without what depends on the machine's speed."""

    def read(folder):
        with (folder / "history.csv").open(newline="") as file:
            return [
                {name: float(value) for name, value in row.items() if name not in MEASURED}
                for row in csv.DictReader(file)
            ]

    return read


@pytest.fixture(scope="session")
def state():
    """Every array that a run keeps, by file and place: weights, optimizers, random state, pools."""

    def read(folder):
        found = {}

        def take(name, node):
            if isinstance(node, h5py.Dataset):
                found[file.filename.rpartition("/")[2], name] = node[()]

        for name in ("model.weights.h5", "resume.weights.h5"):
            with h5py.File(folder / name) as file:
                file.visititems(take)
        return found

    return read


@pytest.fixture(scope="session")
def assert_same_run(history, state):
    """Bit for bit."""

    def check(folder, other):
        assert history(folder) == history(other)
        first, second = state(folder), state(other)
        assert first.keys() == second.keys()
        for place, array in first.items():
            assert np.array_equal(array, second[place]), place

    return check
