"""Tests on a full disk: a small one in memory; mounting it requires the rights of root."""

import shutil
import subprocess
import tempfile

import numpy as np
import pytest

from tfdream import audio
from tfdream.datasets import manifest
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import OutputError, TfdreamError
from tfdream.export import export
from tfdream.figures.parts import sheet
from tfdream.figures.spectrograms import plot_spectrograms
from tfdream.runs import Run
from tfdream.synthesis.rendering.snapshots import Snapshots

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("mount"), reason="Linux")]


@pytest.fixture
def disk(tmp_path):
    """A function that mounts a disk of a size in KiB, or changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kilobytes, how=""):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"{how}size={kilobytes}k", "tmpfs", str(folder)],
            check=False,
            capture_output=True,
        )
        if done.returncode:
            pytest.skip("mounting a disk requires the rights of root")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_preparing_resumes_after_space_is_freed(disk, source, experiment, dataset):
    folder = disk(200) / "dataset"
    # Either the shard or its journal entry does not fit.
    with pytest.raises((TfdreamError, OSError), match=r"free some space|No space left"):
        prepare(source, folder, experiment.prepare, PrepareOptions(workers=1))
    finished = left(folder)
    assert finished and not any("partial" in name for name in finished)
    disk(4096, "remount,")
    prepare(source, folder, experiment.prepare, PrepareOptions(workers=1))
    assert manifest.load(folder).model_dump() == manifest.load(dataset).model_dump()
    manifest.check(folder)


def test_weights_are_complete_or_missing(disk, run):
    """HDF5 would abort the process, so that space is reserved first."""
    elsewhere = Run(disk(40), run.config, run.info)
    with pytest.raises(OSError, match="No space left"):
        elsewhere.save_weights(run.model)
    assert left(elsewhere.folder) == []
    disk(4096, "remount,")
    elsewhere.save_weights(run.model)
    assert left(elsewhere.folder) == ["model.weights.h5"]


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg"])
def test_audio_is_complete_or_missing(disk, song, extension):
    folder = disk(8)
    samples, rate = audio.read(song)
    with pytest.raises(OutputError):
        audio.write(folder / f"a{extension}", samples.repeat(20), rate)
    assert left(folder) == []


@pytest.mark.parametrize("extension", [".png", ".svg", ".pdf"])
def test_a_figure_is_complete_or_missing(disk, song, extension):
    folder = disk(8)
    with pytest.raises(OSError, match="No space left"):
        sheet.write(plot_spectrograms([song]), folder / f"a{extension}")
    assert left(folder) == []


def test_a_full_temporary_folder_is_named(disk, song, monkeypatch):
    folder = disk(8)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with (
        pytest.raises(OutputError, match=f"temporary folder '{folder}.*TMPDIR"),
        audio.excerpt(song, 0.5, 2.0),
    ):
        pass
    with Snapshots(1, 2) as snapshots, pytest.raises(OSError, match="No space") as caught:
        snapshots.finish(np.zeros(10_000, np.float32))
    assert str(folder) in caught.value.filename
    assert left(folder) == []


def test_an_export_is_complete_or_missing(disk, run):
    folder = disk(60)
    with pytest.raises(TfdreamError, match="cannot be written"):
        export(run, folder / "saved")
    assert left(folder) == []
