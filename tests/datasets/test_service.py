"""The data service: batches computed by workers."""

import itertools
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfdream.datasets import manifest, records, service
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


def test_batches_of_many_workers_may_be_early():
    """The first batch arrives after one from each of the other workers."""
    early = [(step, str(step)) for step in (*range(1, 70), 0)]
    batches = list(service._sort_by_step(early, 0, workers=70))
    assert batches == [str(step) for step in range(70)]


def test_a_lost_batch_is_an_error():
    """The other batches are stored up to a limit."""
    batches = service._sort_by_step(((step, str(step)) for step in itertools.count(1)), 0, 2)
    with pytest.raises(ClusterError, match="lost a batch"):
        next(batches)


@pytest.fixture(scope="module")
def address():
    """The address of a dispatcher with two workers, in this process."""
    dispatcher = service.start_dispatcher(0, ["localhost", "localhost"])
    workers = [service.start_worker(dispatcher.target, "localhost", 0) for _ in range(2)]
    yield dispatcher.target
    del workers, dispatcher


def training_batches(config, dataset, data_service, replica_slice=WHOLE_BATCH):
    frontend = frontends.build(config.frontend, config.prepare.sample_rate)
    pipeline = LabeledPipeline(config, frontend, replica_slice, data_service)
    return pipeline.training(ClipSet.from_folds(dataset, [1, 2]), PLAN).as_numpy_iterator()


@pytest.mark.slow
@pytest.mark.parametrize("codec", [codec for codec in ("pcm16", "flac") if records.decodes(codec)])
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
