"""Beam writes what our own processes write."""

import pytest

from tfdream.config import PrepareConfig
from tfdream.datasets.preparation.beam import Beam
from tfdream.datasets.preparation.prepare import prepare
from tfdream.errors import ConfigError

CONFIG = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=3, shard_clips=5)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_without_beam_its_runners_are_refused_in_one_line(monkeypatch, source, tmp_path):
    monkeypatch.setattr("tfdream.datasets.preparation.beam.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"--runner direct needs Apache Beam.*pip install"):
        prepare(source, tmp_path / "dataset", CONFIG, beam=Beam("direct"))
    assert not (tmp_path / "dataset").exists()


@pytest.mark.slow
def test_a_runner_that_beam_does_not_have_is_refused():
    pytest.importorskip("apache_beam")
    with pytest.raises(ConfigError, match="--runner steam cannot be used: Unexpected pipeline"):
        Beam("steam").check()


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "--direct_num_workers=2"])
def test_the_bytes_are_those_of_our_own_processes(source, tmp_path, options):
    pytest.importorskip("apache_beam")
    prepare(source, tmp_path / "local", CONFIG, workers=1)
    prepare(source, tmp_path / "beam", CONFIG, workers=1, beam=Beam("direct", options))
    assert files(tmp_path / "beam") == files(tmp_path / "local")


@pytest.mark.slow
def test_beam_goes_on_where_our_own_processes_stopped(source, tmp_path):
    pytest.importorskip("apache_beam")

    def interrupt(done, total):
        raise KeyboardInterrupt

    prepare(source, tmp_path / "local", CONFIG, workers=1)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "beam", CONFIG, workers=1, progress=interrupt)
    (first,) = (tmp_path / "beam").glob("*.tfrecord")
    written = first.stat().st_mtime_ns
    prepare(source, tmp_path / "beam", CONFIG, workers=1, beam=Beam("direct"))
    assert files(tmp_path / "beam") == files(tmp_path / "local")
    assert first.stat().st_mtime_ns == written
