import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import RawFrontendConfig, TrainingConfig
from tfdream.datasets import pipeline, records
from tfdream.datasets.prepare import prepare
from tfdream.signal import frontend as frontends

FOLDS = [1, 2]


@pytest.fixture(scope="module")
def description(dataset):
    return records.load(dataset)


@pytest.fixture(scope="module")
def shards(description):
    return description.fold_shards(FOLDS)


@pytest.fixture(scope="module")
def stream(dataset, description, shards):
    """Training batches of the samples themselves, as NumPy arrays."""

    def make(training, first_epoch=0):
        batches = pipeline.training_batches(
            dataset, description, shards, lambda waveform: waveform, training, first_epoch
        )
        return batches.as_numpy_iterator()

    return make


def evaluate(folder, batch_size, frontend=lambda waveform: waveform, folds=FOLDS):
    found = records.load(folder)
    return pipeline.evaluation_batches(
        folder, found, found.fold_shards(folds), frontend, batch_size
    )


@pytest.fixture(scope="module")
def label_of(dataset):
    """The label of each clip of the training folds, by its samples."""
    return {
        waveform.tobytes(): label
        for waveforms, clip in evaluate(dataset, 4).as_numpy_iterator()
        for waveform, label in zip(waveforms, clip["label"], strict=True)
    }


def epoch_of(batches, shards, training):
    """The clips of one epoch in order, as bytes."""
    steps = pipeline.steps_per_epoch(shards, training.batch_size)
    return [clip.tobytes() for inputs, _ in itertools.islice(batches, steps) for clip in inputs]


@pytest.mark.parametrize("shuffle_clips", [1, 8, 2048])
@pytest.mark.parametrize("batch_size", [6, 7])
def test_an_epoch_sees_every_clip_up_to_the_incomplete_batch(
    stream, shards, label_of, shuffle_clips, batch_size
):
    training = TrainingConfig(batch_size=batch_size, shuffle_clips=shuffle_clips)
    batches = stream(training)
    clips = len(label_of)
    for _ in range(2):
        seen = epoch_of(batches, shards, training)
        assert len(seen) == len(set(seen)) == clips - clips % batch_size
        assert set(seen) <= set(label_of)


def test_what_an_incomplete_batch_leaves_out_changes(stream, shards, label_of):
    training = TrainingConfig(batch_size=7)
    batches = stream(training)
    left_out = {
        frozenset(set(label_of) - set(epoch_of(batches, shards, training))) for _ in range(4)
    }
    assert len(left_out) > 1


def test_labels_belong_to_their_clips(stream, label_of):
    for inputs, labels in itertools.islice(stream(TrainingConfig(batch_size=8)), 4):
        assert [label_of[clip.tobytes()] for clip in inputs] == labels.tolist()


def test_epochs_and_seeds_differ_in_order_and_nothing_else_does(stream, shards):
    training = TrainingConfig(batch_size=8)
    batches = stream(training)
    first, second = (epoch_of(batches, shards, training) for _ in range(2))
    assert first != second
    assert first == epoch_of(stream(training), shards, training)
    assert first != epoch_of(stream(training.model_copy(update={"seed": 1})), shards, training)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_resumed_stream_gives_the_batches_of_an_uninterrupted_one(stream, shards, epoch):
    training = TrainingConfig(batch_size=7, shuffle_clips=9)
    skipped = epoch * pipeline.steps_per_epoch(shards, training.batch_size)
    whole = itertools.islice(stream(training), skipped, skipped + 5)
    resumed = itertools.islice(stream(training, first_epoch=epoch), 5)
    for (inputs, labels), (same_inputs, same_labels) in zip(whole, resumed, strict=True):
        assert np.array_equal(inputs, same_inputs)
        assert np.array_equal(labels, same_labels)


def test_a_batch_larger_than_the_data_holds_all_of_it(stream, shards, label_of):
    training = TrainingConfig(batch_size=1000)
    assert pipeline.steps_per_epoch(shards, training.batch_size) == 1
    inputs, _ = next(stream(training))
    assert {clip.tobytes() for clip in inputs} == set(label_of)


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_evaluation_gives_every_clip_once_in_the_order_of_the_shards(
    dataset, description, shards, batch_size
):
    batches = evaluate(dataset, batch_size)
    found = [clip for _, clip in batches.as_numpy_iterator()]
    tracks = [name.decode() for clip in found for name in clip["track"]]
    labels = [label for clip in found for label in clip["label"]]
    assert tracks == [
        track for shard in shards for track, clips in shard.tracks.items() for _ in range(clips)
    ]
    assert [description.labels[label] for label in labels] == [
        track.split("/")[0] for track in tracks
    ]
    assert len(found) == batches.cardinality() == -(-len(tracks) // batch_size)


def test_a_raw_frontend_gets_samples(dataset, experiment):
    frontend = frontends.build(RawFrontendConfig(kind="raw"))
    inputs, _ = next(iter(evaluate(dataset, 5, frontend)))
    assert inputs.shape == (5, experiment.prepare.clip_samples, 1)
    assert inputs.dtype == tf.float32
    assert 0.01 < np.abs(inputs).max() <= 1


def test_a_spectrogram_frontend_gets_images(dataset, experiment):
    frontend = frontends.build(experiment.frontend)
    inputs, _ = next(iter(evaluate(dataset, 5, frontend)))
    assert inputs.shape == (5, *frontend.shape(experiment.prepare.clip_samples))
    assert inputs.dtype == tf.float32
    assert inputs.numpy().min() >= 0
    # The loudest bin of each clip is white.
    np.testing.assert_allclose(inputs.numpy().max(axis=(1, 2, 3)), 1, atol=1e-6)


def test_the_codec_does_not_change_the_samples(dataset, source, experiment, tmp_path):
    flac = experiment.prepare.model_copy(update={"codec": "flac"})
    prepare(source, tmp_path, flac, workers=1)
    for (pcm16, _), (decoded, _) in zip(evaluate(dataset, 8), evaluate(tmp_path, 8), strict=True):
        assert np.array_equal(pcm16, decoded)
