import itertools
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfdream.datasets import pipeline, records, service
from tfdream.datasets.partition import WHOLE, ReplicaSlice
from tfdream.datasets.preparation.prepare import prepare
from tfdream.datasets.service import Service
from tfdream.errors import ClusterError, ConfigError

AUGMENTED = "training.augmentation=[{kind: gain, db: 6}, {kind: input_noise, deviation: 0.1}]"


@pytest.mark.parametrize("address", ["host:5050", "grpc://host", "grpc://:1", "grpc://host:port"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigError, match=r"not the address of a dispatcher; .* grpc://host:5050"):
        service.check_address(address)


def test_an_address_where_nobody_answers_is_refused():
    with socket.create_server(("localhost", 0)) as server:
        address = f"grpc://localhost:{server.getsockname()[1]}"
        assert service.check_address(address) == address
    with pytest.raises(ClusterError, match=r"no dispatcher answers at .* --dispatcher"):
        service.check_address(address)


@pytest.fixture(scope="module")
def address():
    """Of a dispatcher with two workers, in this process."""
    dispatcher = service.start_dispatcher(0, ["localhost", "localhost"])
    workers = [service.start_worker(dispatcher.target, "localhost", 0) for _ in range(2)]
    yield dispatcher.target
    del workers, dispatcher


@pytest.mark.slow
@pytest.mark.parametrize("codec", [codec for codec in ("pcm16", "flac") if records.decodes(codec)])
def test_the_batches_are_those_of_one_process(configure, source, tmp_path, address, codec):
    """Augmentation and order included, from an odd step on."""
    dataset = tmp_path / codec
    prepare(source, dataset, configure(f"prepare.codec={codec}").prepare, workers=1)
    found = records.load(dataset)
    shards = found.fold_shards([1, 2])
    config = configure("training.batch_size=8", "training.memory_gigabytes=0", AUGMENTED)

    def batches(used):
        stream = pipeline.training_batches(dataset, found, shards, config, 1, WHOLE, used)
        return itertools.islice(stream.as_numpy_iterator(), 8)

    spread = batches(Service(address, service.new_job()))
    for own, other in zip(batches(None), spread, strict=True):
        for one, same in zip(own, other, strict=True):
            assert np.array_equal(one, same)


@pytest.mark.slow
def test_those_who_train_together_read_their_portions(configure, dataset, address):
    found = records.load(dataset)
    shards = found.fold_shards([1, 2])
    config = configure("training.batch_size=8", "training.memory_gigabytes=0")

    def stream(portion, used):
        batches = pipeline.training_batches(dataset, found, shards, config, 0, portion, used)
        return batches.as_numpy_iterator()

    def labels(batches):
        return [batch for _, batch in itertools.islice(batches, 6)]

    job = service.new_job()
    # Each waits for the other at every step: neither may end before the other one has read.
    with ThreadPoolExecutor(2) as pool:
        streams = list(
            pool.map(lambda index: stream(ReplicaSlice(index, 2), Service(address, job)), range(2))
        )
        parts = list(pool.map(labels, streams))
    for whole, *own in zip(labels(stream(WHOLE, None)), *parts, strict=True):
        assert np.array_equal(np.concatenate(own), whole)
