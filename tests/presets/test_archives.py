import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tfdream.errors import ModelError
from tfdream.presets import archives

FILES = {
    **{"run.json": b"{}", "config.yaml": b"a: 1", "model.weights.h5": bytes(1000)},
    "excerpts_first.flac": b"fLaC",
}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


def write_tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "outer" / "target"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize("prefix", ["", "run/", "../../run/", "/tmp/run/"])
def test_only_the_files_of_the_run_are_written_and_only_into_the_folder(
    tmp_path, target, write, prefix
):
    further = {f"{prefix}resume.weights.h5": b"x", "../escaped.txt": b"x", "other/card.yaml": b"x"}
    files = {prefix + name: content for name, content in FILES.items()} | further
    archives.unpack(write(tmp_path / "archive", files), target)
    assert contents(target) == FILES
    assert contents(tmp_path / "outer") == FILES


def test_archives_without_one_run_are_refused(tmp_path, target):
    for count, files in (
        (0, {"readme.txt": b""}),
        (2, {"a/run.json": b"{}", "b/run.json": b"{}"}),
    ):
        path = write_zip(tmp_path / "archive.zip", files)
        with pytest.raises(ModelError, match=f"contains {count} run folders"):
            archives.unpack(path, target)


def test_other_and_damaged_files_are_refused(tmp_path, target):
    path = tmp_path / "archive"
    path.write_bytes(b"no archive")
    with pytest.raises(ModelError, match="neither a run folder nor"):
        archives.unpack(path, target)
    complete = write_zip(path, {"run.json": bytes(range(256)) * 40}).read_bytes()
    path.write_bytes(complete[:60] + bytes(40) + complete[100:])
    with pytest.raises(ModelError, match="cannot be unpacked"):
        archives.unpack(path, target)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_damaged_tar_archives_are_refused(tmp_path, target, mode):
    """Random values, in which a changed byte of a compressed stream is a changed byte of a file."""
    path = tmp_path / "archive.tar"
    weights = np.random.default_rng(0).bytes(1_000_000)  # more than a block of bzip2
    damaged = bytearray(write_tar(path, FILES | {"model.weights.h5": weights}, mode).read_bytes())
    for place in (len(damaged) - 6, 950_000):
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=f"^'{path}' cannot be unpacked"):
            archives.unpack(path, target)


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_a_full_disk_is_no_damage(tmp_path, target, write, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write(tmp_path / "archive", FILES)
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        archives.unpack(path, target)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, target, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 999)
    with pytest.raises(ModelError, match="1000 bytes, more than 999"):
        archives.unpack(write_zip(tmp_path / "archive.zip", FILES), target)


def test_links_of_a_tar_are_not_followed(tmp_path, target):
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w") as packed:
        member = tarfile.TarInfo("run.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(member)
    with pytest.raises(ModelError, match="contains 0 run folders"):
        archives.unpack(path, target)
