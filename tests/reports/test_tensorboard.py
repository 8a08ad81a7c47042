"""TensorBoard events, read from the files and from the running server."""

import json
import urllib.request

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdream.errors import ConfigError
from tfdream.reports.result import ResultSet
from tfdream.reports.tensorboard import EventWriter, check_writable, serve

RATE = 8000


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    path = tmp_path_factory.mktemp("sounds") / "a $name.wav"
    seconds = np.arange(RATE) / RATE
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * seconds), RATE)
    result = {"objective_before": 1.0, "notes": [], "loudness_change_lu": None, "steps": 2}
    settings = {"command": "dream", "config": {"seed": 7}}
    return ResultSet(
        "A dream", {"before": path, "after": path}, {"after": result}, settings, "tfdream dream x"
    )


def events(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def names_of_kind(accumulator, plugin):
    """Names of the summaries that one of TensorBoard's plugins shows."""
    return {
        name
        for name in accumulator.Tags()["tensors"]
        if accumulator.SummaryMetadata(name).plugin_data.plugin_name == plugin
    }


def text(accumulator, name):
    return accumulator.Tensors(name)[0].tensor_proto.string_val[0].decode()


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    with EventWriter(folder) as writer:
        for value in (3.0, 5.0):
            writer.add_step(value)
        writer.add_results(results)
    return folder


def test_steps_are_written_as_scalars(folder):
    steps = events(folder).Tensors("objective")
    assert [each.step for each in steps] == [0, 1]
    assert [float(tf.make_ndarray(each.tensor_proto)) for each in steps] == [3, 5]


def test_results_are_written_as_audio_image_and_text(folder):
    accumulator = events(folder)
    assert names_of_kind(accumulator, "audio") == {"before", "after"}
    assert names_of_kind(accumulator, "images") == {"spectrograms"}
    assert names_of_kind(accumulator, "text") == {"command", "measures/after", "settings"}
    assert names_of_kind(accumulator, "scalars") == {"objective"}
    assert "| `objective_before` | 1 |" in text(accumulator, "measures/after")
    assert text(accumulator, "command") == "    tfdream dream x"
    assert json.loads(text(accumulator, "settings")) == {"command": "dream", "config": {"seed": 7}}


def test_without_a_folder_steps_are_collected_and_nothing_is_written(
    results, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with EventWriter() as writer:
        writer.add_step(2.0)
        writer.add_results(results)
    assert writer.steps == [2]
    assert not list(tmp_path.iterdir())


def test_unwritable_folders_are_rejected(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file", "file/below"):
        with pytest.raises(ConfigError, match=r"file' is not a (writable )?folder"):
            check_writable(tmp_path / name)
    check_writable(tmp_path)
    check_writable(tmp_path / "new" / "new")


# Serving


@pytest.mark.slow
def test_tensorboard_serves_the_written_events(folder):
    url = serve(folder.parent, "localhost", 0)

    def fetch(path):
        with urllib.request.urlopen(f"{url}data/{path}") as response:
            return json.load(response)

    assert folder.name in fetch("runs")
    assert "objective" in fetch("plugin/scalars/tags")[folder.name]
    assert set(fetch("plugin/audio/tags")[folder.name]) == {"before", "after"}
    assert set(fetch("plugin/images/tags")[folder.name]) == {"spectrograms"}
    assert set(fetch("plugin/text/tags")[folder.name]) == {"command", "measures/after", "settings"}
    query = f"run={folder.name}&tag=objective"
    assert [row[2] for row in fetch(f"plugin/scalars/scalars?{query}")] == [3, 5]
