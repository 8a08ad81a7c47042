import shutil
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def loaded(dataset):
    """The opened dataset."""
    from tfdream.datasets import manifest

    return manifest.load(dataset)


@pytest.fixture
def copy(dataset, tmp_path):
    """The folder of a dataset that a test may damage."""
    return shutil.copytree(dataset, tmp_path / "dataset")


@pytest.fixture(scope="session")
def damage():
    """Functions that damage shards without changing their size."""

    def flip_bit(folder, shard):
        path = folder / shard.name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def erase(folder, shards):
        """Make reading any record of the shards an error."""
        for shard in shards:
            (folder / shard.name).write_bytes(bytes(shard.bytes))

    return SimpleNamespace(flip_bit=flip_bit, erase=erase)
