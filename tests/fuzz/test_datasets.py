"""Datasets: changed shards, with and without valid checksums, and changed manifests."""

import json
import shutil

import pytest
import tensorflow as tf
from fuzzing import edits, fuzz, mutate, replace_all, replacements
from hypothesis import strategies as st

from tfdream.datasets import manifest, read_errors, records
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import DatasetError
from tfdream.io.checksums import file_sha256


@pytest.fixture
def folder(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "dataset")


def read(folder):
    """Read every clip of a dataset."""
    try:
        dataset = manifest.load(folder)
        dataset.counts_per_fold()
        with read_errors.report_damaged_shards([dataset]):
            stored = ClipSet(dataset, tuple(dataset.shards)).records_in_order().batch(8)
            for _ in stored.map(lambda batch: records.parse_batch(batch, dataset.config)):
                pass
    except DatasetError as error:
        assert "\n" not in str(error)


def sign(folder):
    """Write the sizes and checksums of all shards into the manifest."""
    path = folder / manifest.MANIFEST
    content = json.loads(path.read_text())
    for shard in content["shards"]:
        file = folder / shard["name"]
        shard |= {"bytes": file.stat().st_size, "sha256": file_sha256(file)}
    path.write_text(json.dumps(content))


@pytest.mark.fuzz
def test_changed_shards_are_read_or_reported(folder):
    dataset = manifest.load(folder)
    shard = folder / dataset.shards[0].name
    valid = shard.read_bytes()

    def tfrecord_bytes(changes, signed):
        shard.write_bytes(mutate(valid, changes))
        if signed:
            sign(folder)
        read(folder)

    fuzz(tfrecord_bytes, edits, st.booleans())


@pytest.mark.fuzz
def test_changed_records_with_valid_checksums_are_read_or_reported(folder):
    dataset = manifest.load(folder)
    shard = folder / dataset.shards[0].name
    valid = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]

    def tfrecord_records(index, changes, removed):
        changed = list(valid)
        changed[index % len(valid)] = mutate(valid[index % len(valid)], changes)
        with tf.io.TFRecordWriter(str(shard)) as writer:
            for record in changed[removed:]:
                writer.write(record)
        sign(folder)
        read(folder)

    fuzz(tfrecord_records, st.integers(0, 20), edits, st.integers(0, 2))


@pytest.mark.fuzz
def test_changed_manifests_are_read_or_reported(folder):
    path = folder / manifest.MANIFEST
    valid = json.loads(path.read_text())

    def dataset_json(changes, mutations):
        content = json.dumps(replace_all(valid, changes)).encode()
        path.write_bytes(mutate(content, mutations) if mutations else content)
        read(folder)

    fuzz(dataset_json, replacements, st.one_of(st.just([]), edits))
