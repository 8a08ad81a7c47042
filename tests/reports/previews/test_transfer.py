"""Events of the preview of a transfer network in training."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import tensorflow as tf

from tfdream.config import TimbreConfig
from tfdream.datasets import manifest
from tfdream.datasets.clip_set import ClipSet
from tfdream.reports.previews.transfer import TransferPreview

ROLES = ("content", "style", "target", "transfer")
SETTINGS = TimbreConfig(method="timbre")


@pytest.fixture(scope="module")
def clip_set(aligned_dataset):
    return ClipSet.from_folds(manifest.load(aligned_dataset), [0])


@pytest.fixture(scope="module")
def events(transfer_run, clip_set, step_by_step, read_events, tmp_path_factory):
    """The events of the previews of a fresh and of the trained network."""
    run = SimpleNamespace(
        sample_rate=transfer_run.sample_rate, events_path=tmp_path_factory.mktemp("events")
    )
    preview = TransferPreview(run, clip_set, SETTINGS)
    with step_by_step():
        for epoch, network in ((0, transfer_run.build_network()), (2, transfer_run.network)):
            preview(SimpleNamespace(network=network), epoch)
    return read_events(run.events_path / "transfers")


def test_previews_have_audio_and_spectrograms(events, names_of_kind):
    examples = {"example 1", "example 2"}
    assert names_of_kind(events, "images") == examples
    names = {f"{example}, {role}" for example in examples for role in ROLES}
    assert names_of_kind(events, "audio") == names
    for name in examples | names:
        assert [event.step for event in events.Tensors(name)] == [0, 2]


def test_the_transfer_changes_and_the_other_recordings_do_not(events):
    def audio(role, event):
        return tf.make_ndarray(events.Tensors(f"example 1, {role}")[event].tensor_proto)[0, 0]

    for role in ROLES[:3]:
        assert audio(role, 0) == audio(role, 1)
    assert len({audio(role, 1) for role in ROLES}) == len(ROLES)
    assert audio("transfer", 0) != audio("transfer", 1)


@pytest.mark.usefixtures("eagerly")
def test_a_preview_logs_no_notes_on_its_temporary_files(
    transfer_run, clip_set, monkeypatch, tmp_path, caplog
):
    def waveform(self, clip_id):
        return 0.01 * tf.sin(0.02 * tf.range(8000, dtype=tf.float32)) + 0.2  # an offset

    monkeypatch.setattr(ClipSet, "waveform", waveform)
    run = SimpleNamespace(sample_rate=transfer_run.sample_rate, events_path=tmp_path)
    preview = TransferPreview(run, replace(clip_set), SETTINGS)
    del preview._examples[1:]
    preview(SimpleNamespace(network=transfer_run.network), 1)
    assert caplog.messages == []


def test_silent_clips_are_no_examples(transfer_run, clip_set, monkeypatch, tmp_path):
    run = SimpleNamespace(sample_rate=transfer_run.sample_rate, events_path=tmp_path)
    assert len(TransferPreview(run, clip_set, SETTINGS)._examples) == 2
    monkeypatch.setattr(ClipSet, "waveform", lambda *_: tf.zeros(8000))
    assert TransferPreview(run, replace(clip_set), SETTINGS)._examples == []
