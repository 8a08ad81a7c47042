"""Beam writes the same bytes as local processes."""

import pytest

from tfdream.config import PrepareConfig
from tfdream.datasets.preparation.beam import Beam
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import ConfigError

CONFIG = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=3, shard_clips=5)
LOCAL = PrepareOptions(workers=1)
DIRECT = PrepareOptions(workers=1, beam=Beam("direct"))


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_missing_installation_is_an_error_of_one_line(monkeypatch, source, tmp_path):
    monkeypatch.setattr("tfdream.datasets.preparation.beam.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"--runner direct requires Apache Beam.*pip install"):
        prepare(source, tmp_path / "dataset", CONFIG, DIRECT)
    assert not (tmp_path / "dataset").exists()


@pytest.mark.slow
def test_an_unavailable_runner_is_an_error():
    pytest.importorskip("apache_beam")
    with pytest.raises(ConfigError, match="--runner steam is not available: Unexpected pipeline"):
        Beam("steam").check()


@pytest.mark.slow
@pytest.mark.parametrize("beam_options", ["", "--direct_num_workers=2"])
def test_the_bytes_equal_those_of_local_processes(source, tmp_path, beam_options):
    pytest.importorskip("apache_beam")
    beam = PrepareOptions(workers=1, beam=Beam("direct", beam_options))
    prepare(source, tmp_path / "local", CONFIG, LOCAL)
    prepare(source, tmp_path / "beam", CONFIG, beam)
    assert files(tmp_path / "beam") == files(tmp_path / "local")


@pytest.mark.slow
def test_beam_resumes_a_dataset_of_local_processes(source, tmp_path):
    pytest.importorskip("apache_beam")

    def interrupt(done, total, note=""):
        raise KeyboardInterrupt

    prepare(source, tmp_path / "local", CONFIG, LOCAL)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "beam", CONFIG, LOCAL, progress=interrupt)
    (first,) = (tmp_path / "beam").glob("*.tfrecord")
    written = first.stat().st_mtime_ns
    prepare(source, tmp_path / "beam", CONFIG, DIRECT)
    assert files(tmp_path / "beam") == files(tmp_path / "local")
    assert first.stat().st_mtime_ns == written
