"""Events of the preview of a classifier in training."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdream.datasets import records
from tfdream.datasets.clip_set import ClipSet
from tfdream.reports.previews.classification import ClassifierPreview
from tfdream.runs import Run


def names_of_kind(events, plugin):
    """Names of the summaries that one of TensorBoard's plugins shows."""
    return {
        name
        for name in events.Tags()["tensors"]
        if events.SummaryMetadata(name).plugin_data.plugin_name == plugin
    }


@pytest.fixture(scope="module")
def events(trained, dataset, tmp_path_factory):
    """The events of a preview, in a writable copy of the run's folder."""
    shared = Run.open(trained[0])
    run = Run(tmp_path_factory.mktemp("run"), shared.config, shared.info)
    loaded = records.load(dataset)
    shards = loaded.fold_shards([0])
    clip_sets = [ClipSet(dataset, loaded, shards, label) for label in loaded.labels]
    preview = ClassifierPreview(run, clip_sets)
    preview(0, None)
    preview(1, np.array([[3, 1], [0, 4]]))
    accumulator = EventAccumulator(str(run.events_path / "clips"), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def test_one_clip_of_each_label_is_written_before_training(events):
    assert names_of_kind(events, "audio") == {"noise", "tones"}
    assert {"spectrograms", "noise, as seen", "tones, as seen"} < names_of_kind(events, "images")
    # An image `[frequency, time]` is stored as width, height and the PNG.
    (model_input,) = events.Tensors("tones, as seen")
    assert [int(size) for size in model_input.tensor_proto.string_val[:2]] == [126, 129]


def test_confusion_matrix_is_written_after_each_epoch(events):
    matrices = events.Tensors("confusion of validation clips")
    assert [event.step for event in matrices] == [1]
