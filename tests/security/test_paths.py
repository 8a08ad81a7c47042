"""Attacks by paths: names in manifests and datasets that lead out of their folder."""

import json
import shutil

import pytest

from tfdream.datasets import manifest
from tfdream.datasets.sources.find import read_source
from tfdream.errors import DatasetError

OUTSIDE = ["../secret", "/etc/passwd", "..", ".", "a/../../secret", "a/b", "..\\secret", "a\0b"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_shards_stay_in_the_folder_of_the_dataset(name, dataset, tmp_path):
    """CVE-2025-12060, CVE-2025-12638: names of members that lead out of the folder."""
    folder = shutil.copytree(dataset, tmp_path / "dataset")
    content = json.loads((folder / manifest.MANIFEST).read_text())
    content["shards"][0]["name"] = name
    (folder / manifest.MANIFEST).write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"shards\.0\.name"):
        manifest.load(folder)


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "a/../../secret.wav", "link.wav"])
def test_tracks_stay_below_the_manifest(name, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (tmp_path / "secret.wav").write_bytes(b"")
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    (folder / "manifest.csv").write_text(f"path,label\n{name},a\n")
    with pytest.raises(DatasetError, match="is outside the manifest's folder"):
        read_source(folder)


def test_a_name_with_a_null_character_is_rejected(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,label\na\0.wav,a\n")
    with pytest.raises(DatasetError):
        read_source(tmp_path)
