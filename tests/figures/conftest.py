"""What the tests of figures share."""

import pytest

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(scope="session")
def assert_picture():
    """Sees that a file is a picture of its extension, and that nothing unfinished is beside it."""

    def check(path):
        assert path.read_bytes().startswith(MAGIC[path.suffix])
        assert [other.name for other in path.parent.iterdir() if "partial" in other.name] == []

    return check
