"""Events of the preview of a classifier in training."""

from types import SimpleNamespace

import numpy as np
import pytest

from tfdream.figures.parts import sheet
from tfdream.reports.previews import classification
from tfdream.reports.previews.classification import ClassifierPreview
from tfdream.runs import Run


@pytest.fixture(scope="module")
def events(run, held_out, read_events, tmp_path_factory):
    """The events of a preview, in another folder than the run's."""
    writable = Run(tmp_path_factory.mktemp("run"), run.config, run.info)
    preview = ClassifierPreview(writable, held_out)
    counts = np.array([[3, 1], [0, 4]], np.float32)
    model = SimpleNamespace(confusion=SimpleNamespace(matrix=lambda: counts))
    preview(model, 0)
    preview(model, 1)
    return read_events(writable.events_path / "clips")


def test_one_clip_of_each_label_is_written_before_training(events, names_of_kind):
    assert names_of_kind(events, "audio") == {"noise", "tones"}
    names = {"spectrograms", "noise, model input", "tones, model input"}
    assert names < names_of_kind(events, "images")
    # An image `[frequency, time]` is stored as width, height and the PNG.
    (model_input,) = events.Tensors("tones, model input")
    assert model_input.step == 0
    assert [int(size) for size in model_input.tensor_proto.string_val[:2]] == [126, 129]


def test_the_confusion_matrix_is_written_after_each_epoch(events):
    matrices = events.Tensors("confusion of validation clips")
    assert [event.step for event in matrices] == [1]


def test_examples_are_limited_to_16_labels(run, read_events, names_of_kind, tmp_path, monkeypatch):
    """Hundreds of labels would take minutes to draw; labels without a clip do not count."""
    read, drawn = [], []

    def draw(files, labels):
        drawn.extend(labels)
        return sheet.new_figure(height=1)

    def clip_set(number):
        def waveforms():
            read.append(number)
            return [np.full(run.input_samples, 0.1, np.float32)] if number else []

        return SimpleNamespace(label=f"label {number}", waveforms=waveforms)

    monkeypatch.setattr(classification, "plot_spectrograms", draw)
    writable = Run(tmp_path, run.config, run.info)
    ClassifierPreview(writable, map(clip_set, range(200)))(None, 0)
    events = read_events(writable.events_path / "clips")
    labels = [f"label {number}" for number in range(1, 17)]
    assert names_of_kind(events, "audio") == set(labels)
    assert drawn == labels
    assert read == list(range(17))
