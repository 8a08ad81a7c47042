"""TensorBoard's view: read from the events that are written, and over its own interface."""

import json
import urllib.request

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdream.datasets import records
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError
from tfdream.reports.result import ResultSet
from tfdream.reports.tensorboard import Board, ClassifierBoard, check_writable, serve
from tfdream.runs import Run

RATE = 8000


@pytest.fixture(scope="module")
def exhibit(tmp_path_factory):
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


def of_kind(found, plugin):
    """Names of what TensorBoard shows in one of its tabs."""
    return {
        name
        for name in found.Tags()["tensors"]
        if found.SummaryMetadata(name).plugin_data.plugin_name == plugin
    }


def text(found, name):
    return found.Tensors(name)[0].tensor_proto.string_val[0].decode()


@pytest.fixture(scope="module")
def shown(exhibit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    with Board(folder) as board:
        for value in (3.0, 5.0):
            board.step(value)
        board.show(exhibit)
    return folder


def test_every_step_is_told_as_it_goes(shown):
    found = events(shown).Tensors("objective")
    assert [each.step for each in found] == [0, 1]
    assert [float(tf.make_ndarray(each.tensor_proto)) for each in found] == [3, 5]


def test_what_came_out_is_heard_seen_and_read(shown):
    found = events(shown)
    assert of_kind(found, "audio") == {"before", "after"}
    assert of_kind(found, "images") == {"spectrograms"}
    assert of_kind(found, "text") == {"command", "measures/after", "settings"}
    assert of_kind(found, "scalars") == {"objective"}
    assert "| `objective_before` | 1 |" in text(found, "measures/after")
    assert text(found, "command") == "    tfdream dream x"
    assert json.loads(text(found, "settings")) == {"command": "dream", "config": {"seed": 7}}


def test_without_a_folder_steps_are_kept_and_nothing_is_written(exhibit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Board() as board:
        board.step(2.0)
        board.show(exhibit)
    assert board.steps == [2]
    assert not list(tmp_path.iterdir())


# Training


@pytest.fixture(scope="module")
def classifier(trained, dataset, tmp_path_factory):
    """A run whose folder may be written to, and the events of its board."""
    known = Run.open(trained[0])
    run = Run(tmp_path_factory.mktemp("run"), known.config, known.info)
    found = records.load(dataset)
    shards = found.fold_shards([0])
    board = ClassifierBoard(run, [ClipSet(dataset, found, shards, label) for label in found.labels])
    board(0, None)
    board(1, np.array([[3, 1], [0, 4]]))
    return events(run.events_path / "clips")


def test_a_clip_of_each_label_is_heard_and_seen_before_training(classifier):
    assert of_kind(classifier, "audio") == {"noise", "tones"}
    assert {"spectrograms", "noise, as seen", "tones, as seen"} < of_kind(classifier, "images")
    # An image `[frequency, time]` comes as width, height and the PNG.
    (seen,) = classifier.Tensors("tones, as seen")
    assert [int(size) for size in seen.tensor_proto.string_val[:2]] == [126, 129]


def test_the_confusion_of_each_epoch_is_a_picture(classifier):
    found = classifier.Tensors("confusion of validation clips")
    assert [each.step for each in found] == [1]


def test_events_that_can_never_be_written_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file", "file/below"):
        with pytest.raises(ConfigError, match=r"file' is (not a|no) folder"):
            check_writable(tmp_path / name)
    check_writable(tmp_path)
    check_writable(tmp_path / "new" / "new")


# Serving


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="gone"):
        serve(tmp_path / "gone", "localhost", 0)


@pytest.mark.slow
def test_tensorboard_answers_with_what_was_written(shown):
    url = serve(shown.parent, "localhost", 0)

    def ask(path):
        with urllib.request.urlopen(f"{url}data/{path}") as answer:
            return json.load(answer)

    assert shown.name in ask("runs")
    assert "objective" in ask("plugin/scalars/tags")[shown.name]
    assert set(ask("plugin/audio/tags")[shown.name]) == {"before", "after"}
    assert set(ask("plugin/images/tags")[shown.name]) == {"spectrograms"}
    assert set(ask("plugin/text/tags")[shown.name]) == {"command", "measures/after", "settings"}
    query = f"run={shown.name}&tag=objective"
    assert [row[2] for row in ask(f"plugin/scalars/scalars?{query}")] == [3, 5]
