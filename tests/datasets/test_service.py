"""The data service: batches computed by workers."""

import itertools
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from tfdream.datasets import codecs, manifest, service
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.partition import WHOLE_BATCH, ReplicaSlice
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.service import Service
from tfdream.datasets.shuffling import EpochPlan
from tfdream.errors import ClusterError, ConfigError
from tfdream.signal import frontends

AUGMENTED = "training.augmentation=[{kind: gain, db: 6}, {kind: input_noise, deviation: 0.1}]"
PLAN = EpochPlan(batch_size=8, steps=3, seed=9, first_epoch=1)


@pytest.mark.parametrize("address", ["host:5050", "grpc://host", "grpc://:1", "grpc://host:port"])
def test_an_invalid_address_is_rejected(address):
    with pytest.raises(ConfigError, match=r"not the address of a dispatcher; .* grpc://host:5050"):
        service.check_address(address)


def test_an_address_without_a_dispatcher_is_rejected():
    with socket.create_server(("localhost", 0)) as server:
        address = f"grpc://localhost:{server.getsockname()[1]}"
        assert service.check_address(address) == address
    with pytest.raises(ClusterError, match=r"no dispatcher answers at .* --dispatcher"):
        service.check_address(address)


def test_a_worker_that_the_dispatcher_does_not_list_is_refused():
    dispatcher = service.start_dispatcher(0, ["host1", "host2"])
    message = r"list .* 'host3:\d+'.* host1, host2\); use --host .* --worker host3, once"
    with pytest.raises(ClusterError, match=message):
        service.start_worker(dispatcher.target, "host3", 0)


def test_the_wait_for_workers_does_not_block_the_main_thread(monkeypatch, caplog):
    """Which alone handles signals."""

    def wait(self):
        assert threading.current_thread() is not threading.main_thread()
        raise TimeoutError

    monkeypatch.setattr(Service, "_wait_for_workers", wait)
    caplog.set_level("INFO", "tfdream")
    with pytest.raises(TimeoutError):
        distributed(Service("grpc://host:5050", "job"), WHOLE_BATCH)
    assert "grpc://host:5050" in caplog.text


WAIT = """
import os, sys, threading
import tensorflow as tf
from tfdream.commands.stops import exit_on_stop
from tfdream.datasets import service
from tfdream.datasets.partition import WHOLE_BATCH
dispatcher = service.start_dispatcher(0, ["localhost"])
job = service.Service(dispatcher.target, "job")
with exit_on_stop():
    threading.Timer(2, os.kill, (os.getpid(), int(sys.argv[1]))).start()
    job.distribute(tf.data.Dataset.counter(), 0, 1, lambda values, *_: values, WHOLE_BATCH)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, -2), (signal.SIGTERM, 143)])
def test_the_wait_for_workers_can_be_stopped(number, status):
    command = [sys.executable, "-c", WAIT, str(int(number))]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert done.returncode == status, done.stderr


def distributed(job, replica_slice):
    """Return the batches [0, 1], [1, 2], … that a service computes."""
    batches = tf.data.Dataset.counter().map(lambda step: tf.range(step, step + 2))
    return job.distribute(batches, 0, 2, lambda values, *_: values, replica_slice)


def sorted_by_step(steps, workers):
    """Return the results of received steps, which are equal to the steps."""
    received = tf.data.Dataset.from_tensor_slices((np.array(steps), np.array(steps)))
    return service._sort_by_step(received, 0, workers).as_numpy_iterator()


def test_batches_of_many_workers_may_be_early():
    """The first batch arrives after one from each of the other workers."""
    assert list(sorted_by_step([*range(1, 70), 0], workers=70)) == list(range(70))


def test_batches_of_one_worker_may_be_early():
    assert list(sorted_by_step([1, 3, 5, 7, 0, 2, 4, 6], workers=2)) == list(range(8))


@pytest.mark.parametrize(
    "steps",
    [[0, 1, 2, 5, 4], [0, 1, 2, 3, 1], range(1, 200, 2)],
    ids=["missing batch", "restarted worker", "missing worker"],
)
def test_a_lost_batch_is_an_error(steps):
    """The batches of other workers are stored up to a limit."""
    with (
        pytest.raises(ClusterError, match=r"^the data service lost a batch: .* restart dispatcher"),
        service.report_lost_batches(),
    ):
        list(sorted_by_step(steps, workers=2))


def test_a_worker_that_cannot_be_reached_is_an_error():
    """TensorFlow reports it where a batch is read, after an hour."""
    message = "failed to connect to all addresses [Op:IteratorGetNext]"
    with pytest.raises(ClusterError, match="lost a batch"), service.report_lost_batches():
        raise tf.errors.UnavailableError(None, None, message)
    with pytest.raises(tf.errors.UnavailableError), service.report_lost_batches():
        raise tf.errors.UnavailableError(None, None, "Collective ops is aborted")


SERVERS = """
import sys
from tfdream.datasets import service
dispatcher = service.start_dispatcher(0, ["localhost", "localhost"])
workers = [service.start_worker(dispatcher.target, "localhost", 0) for _ in range(2)]
print(dispatcher.target, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def address():
    """The address of a dispatcher with two workers.

    They run in another process, because TensorFlow cannot cancel a read from a worker in its own.
    """
    command = [sys.executable, "-c", SERVERS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as servers:
        yield servers.stdout.readline().strip()
        servers.kill()


def training_batches(config, dataset, data_service, replica_slice=WHOLE_BATCH):
    frontend = frontends.build(config.frontend, config.prepare.sample_rate)
    pipeline = LabeledPipeline(config, frontend, replica_slice)
    clips = ClipSet.from_folds(dataset, [1, 2])
    return pipeline.training(clips, PLAN, data_service).as_numpy_iterator()


@pytest.mark.slow
@pytest.mark.parametrize("codec", [codec for codec in ("pcm16", "flac") if codecs.decodes(codec)])
def test_the_batches_equal_those_of_one_process(configure, source, tmp_path, address, codec):
    """Including augmentation and order, from an odd step on."""
    config = configure(
        "training.batch_size=8", "training.memory_gigabytes=0", f"prepare.codec={codec}", AUGMENTED
    )
    prepare(source, tmp_path / codec, config.prepare, PrepareOptions(workers=1))
    dataset = manifest.load(tmp_path / codec)
    local = itertools.islice(training_batches(config, dataset, None), 8)
    remote = training_batches(config, dataset, Service(address, service.new_job()))
    for expected, batch in zip(local, remote, strict=False):
        for values, others in zip(expected, batch, strict=True):
            assert np.array_equal(values, others)


@pytest.mark.slow
def test_each_replica_reads_its_slice(configure, loaded, address):
    config = configure("training.batch_size=8", "training.memory_gigabytes=0")

    def labels(batches):
        return [batch for _, batch in itertools.islice(batches, 6)]

    job = Service(address, service.new_job())
    # Each replica waits for the other at every step: both have to read at the same time.
    with ThreadPoolExecutor(2) as pool:
        streams = pool.map(
            lambda index: training_batches(config, loaded, job, ReplicaSlice(index, 2)), range(2)
        )
        slices = list(pool.map(labels, list(streams)))
    complete = labels(training_batches(config, loaded, None))
    for batch, *parts in zip(complete, *slices, strict=True):
        assert np.array_equal(np.concatenate(parts), batch)


@pytest.mark.slow
def test_a_replica_that_waits_for_another_one_can_be_closed(address):
    """The second replica still requests batches when the first one has stopped."""
    job = Service(address, service.new_job())
    replicas = [
        distributed(job, ReplicaSlice(index, 2)).prefetch(prefetched).as_numpy_iterator()
        for index, prefetched in enumerate((1, 1000))
    ]
    with ThreadPoolExecutor(2) as pool:
        values = list(pool.map(lambda replica: [next(replica) for _ in range(3)], replicas))
    assert values == [[0, 1, 2], [1, 2, 3]]
    del replicas[0]
    closing = threading.Thread(target=replicas.clear, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()
