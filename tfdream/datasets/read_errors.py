"""Errors of TensorFlow that are due to damaged shards."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tensorflow as tf

from tfdream.datasets import pipelines, records
from tfdream.datasets.manifest import Dataset, Shard, damaged_shards, shard_message
from tfdream.errors import DatasetError, one_line, without_node_name

# Messages of TensorFlow may contain bytes of the record, which Python cannot decode.
_READ_ERRORS = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    UnicodeDecodeError,
)


@contextmanager
def report_damaged_shards(datasets: Iterable[Dataset]) -> Iterator[None]:
    """Turn TensorFlow's read errors inside the block into one that names the damaged shard.

    Every record has a checksum, so TensorFlow detects damage where it reads, but its message does
    not name the file. The shards' bytes are compared with the manifest only after such an error.

    Args:
      datasets: the datasets that are read inside the block.

    Raises:
      DatasetError: naming the damaged shard.
    """
    try:
        yield
    except _READ_ERRORS:
        for dataset in datasets:
            for shard, problem in damaged_shards(dataset):
                raise DatasetError(shard_message(dataset, shard, problem)) from None
            for shard, problem in _undecodable_shards(dataset):
                raise DatasetError(shard_message(dataset, shard, problem)) from None
        raise


def _undecodable_shards(dataset: Dataset) -> Iterator[tuple[Shard, str]]:
    """Yield the shards that no `prepare` wrote: with valid checksums, but other records."""
    for shard in dataset.shards:
        stored = tf.data.TFRecordDataset(str(dataset.folder / shard.name))
        clips = pipelines.untuned(stored.map(lambda record: records.parse(record, dataset.config)))
        try:
            count = sum(1 for _ in clips)
        except _READ_ERRORS as error:
            reason = without_node_name(one_line(error))
            yield shard, f"has records that cannot be decoded ({reason})"
        else:
            if count != shard.clips:
                yield shard, f"has {count} records instead of {shard.clips}"
