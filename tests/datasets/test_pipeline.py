import itertools
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfdream.config import (
    Experiment,
    TrainingConfig,
)
from tfdream.datasets import inputs as inputs_of
from tfdream.datasets import pipeline, records
from tfdream.datasets.partition import WHOLE, ReplicaSlice
from tfdream.datasets.preparation.prepare import prepare
from tfdream.signal import frontends
from tfdream.signal.frontends.raw import RawFrontendConfig

FOLDS = [1, 2]


@pytest.fixture(scope="module")
def description(dataset):
    return records.load(dataset)


@pytest.fixture(scope="module")
def shards(description):
    return description.fold_shards(FOLDS)


def hear(folder, training=None, **settings):
    """An experiment on the samples themselves."""
    raw = {"frontend": RawFrontendConfig(kind="raw"), "prepare": records.load(folder).config}
    return Experiment(**{**raw, **settings}, training=training or TrainingConfig())


@pytest.fixture(scope="module", params=[0, 2], ids=["from shards", "from memory"])
def memory(request):
    """Gigabytes."""
    return request.param


@pytest.fixture(scope="module")
def train_with(memory):
    return lambda **settings: TrainingConfig(memory_gigabytes=memory, **settings)


@pytest.fixture(scope="module")
def stream(dataset, description, shards):
    """Training batches of the samples themselves, as NumPy arrays."""

    def make(training, first_epoch=0, portion=WHOLE, **settings):
        config = hear(dataset, training, **settings)
        batches = pipeline.training_batches(
            dataset, description, shards, config, first_epoch, portion
        )
        return batches.as_numpy_iterator()

    return make


def evaluate(folder, batch_size, folds=FOLDS, once=True, portion=None, **settings):
    found = records.load(folder)
    config = hear(folder, **settings)
    return pipeline.evaluation_batches(
        folder, found, found.fold_shards(folds), config, batch_size, once, portion
    )


@pytest.fixture(scope="module")
def label_of(dataset, memory):
    """The label of each clip of the training folds, by its samples."""
    return {
        waveform.tobytes(): label
        for once in (memory == 0,)
        for waveforms, clip in evaluate(dataset, 4, once=once).as_numpy_iterator()
        for waveform, label in zip(waveforms, clip["label"], strict=True)
    }


def epoch_of(batches, shards, training):
    """The clips of one epoch in order, as bytes."""
    steps = pipeline.steps_per_epoch(shards, training.batch_size)
    return [clip.tobytes() for inputs, _ in itertools.islice(batches, steps) for clip in inputs]


@pytest.mark.parametrize(
    ("shuffle_clips", "batch_size"),
    [
        (8, 7),
        *(
            pytest.param(clips, size, marks=pytest.mark.slow)
            for clips, size in [(1, 6), (1, 7), (8, 6), (2048, 6), (2048, 7)]
        ),
    ],
)
def test_an_epoch_sees_every_clip_up_to_the_incomplete_batch(
    stream, train_with, shards, label_of, shuffle_clips, batch_size
):
    training = train_with(batch_size=batch_size, shuffle_clips=shuffle_clips)
    batches = stream(training)
    clips = len(label_of)
    for _ in range(2):
        seen = epoch_of(batches, shards, training)
        assert len(seen) == len(set(seen)) == clips - clips % batch_size
        assert set(seen) <= set(label_of)


def test_what_an_incomplete_batch_leaves_out_changes(stream, train_with, shards, label_of):
    training = train_with(batch_size=7)
    batches = stream(training)
    left_out = {
        frozenset(set(label_of) - set(epoch_of(batches, shards, training))) for _ in range(4)
    }
    assert len(left_out) > 1


def test_labels_belong_to_their_clips(stream, train_with, label_of):
    for inputs, labels in itertools.islice(stream(train_with(batch_size=8)), 4):
        assert [label_of[clip.tobytes()] for clip in inputs] == labels.argmax(axis=1).tolist()
        assert (labels.sum(axis=1) == 1).all()


def test_epochs_and_seeds_differ_in_order_and_nothing_else_does(stream, train_with, shards):
    training = train_with(batch_size=8)
    batches = stream(training)
    first, second = (epoch_of(batches, shards, training) for _ in range(2))
    assert first != second
    assert first == epoch_of(stream(training), shards, training)
    assert first != epoch_of(stream(training.model_copy(update={"seed": 1})), shards, training)


@pytest.mark.parametrize("epoch", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_resumed_stream_gives_the_batches_of_an_uninterrupted_one(
    stream, train_with, shards, epoch
):
    training = train_with(batch_size=7, shuffle_clips=9)
    skipped = epoch * pipeline.steps_per_epoch(shards, training.batch_size)
    whole = itertools.islice(stream(training), skipped, skipped + 5)
    resumed = itertools.islice(stream(training, first_epoch=epoch), 5)
    for (inputs, labels), (same_inputs, same_labels) in zip(whole, resumed, strict=True):
        assert np.array_equal(inputs, same_inputs)
        assert np.array_equal(labels, same_labels)


def test_a_batch_larger_than_the_data_holds_all_of_it(stream, train_with, shards, label_of):
    training = train_with(batch_size=1000)
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
    inputs, _ = next(iter(evaluate(dataset, 5)))
    assert inputs.shape == (5, experiment.prepare.clip_samples, 1)
    assert inputs.dtype == tf.float32
    assert 0.01 < np.abs(inputs).max() <= 1


def test_a_spectrogram_frontend_gets_images(dataset, experiment):
    frontend = frontends.build(experiment.frontend, experiment.prepare.sample_rate)
    inputs, _ = next(iter(evaluate(dataset, 5, frontend=experiment.frontend)))
    assert inputs.shape == (5, *frontend.shape(experiment.prepare.clip_samples))
    assert inputs.dtype == tf.float32
    assert inputs.numpy().min() >= 0
    # The loudest bin of each clip is white.
    np.testing.assert_allclose(inputs.numpy().max(axis=(1, 2, 3)), 1, atol=1e-6)


def test_memory_holds_what_the_shards_give(dataset, experiment):
    """To the precision of float16: eleven bits."""
    fresh, kept = (
        evaluate(dataset, 5, once=once, frontend=experiment.frontend) for once in (True, False)
    )
    for (image, clip), (same, same_clip) in zip(fresh, kept, strict=True):
        np.testing.assert_allclose(same, image, atol=2**-11)
        assert np.array_equal(clip["track"], same_clip["track"])
        assert np.array_equal(clip["label"], same_clip["label"])


@pytest.fixture
def garbage(dataset, tmp_path):
    """A dataset whose records are all damaged: to read one is an error."""
    copy = shutil.copytree(dataset, tmp_path / "dataset")
    for shard in records.load(copy).shards:
        (copy / shard.name).write_bytes(bytes(shard.bytes))
    return copy


def test_streams_are_made_without_reading_a_clip(
    garbage, description, shards, experiment, train_with
):
    """So that training does not wait for what it needs later."""
    config = experiment.model_copy(update={"training": train_with(batch_size=4)})
    streams = [
        pipeline.training_batches(garbage, description, shards, config),
        pipeline.evaluation_batches(garbage, description, shards, config, 4, once=False),
    ]
    for stream in streams:
        with pytest.raises(tf.errors.DataLossError):
            next(iter(stream))


@pytest.mark.parametrize("count", [1, 5, 12, 1000])
def test_some_inputs_are_spread_over_all(dataset, description, shards, count):
    config = hear(dataset, TrainingConfig(batch_size=5))
    found = [
        clip.tobytes()
        for batch in pipeline.some_inputs(dataset, description, shards, config, count)
        for clip in batch.numpy()
    ]
    every = [clip.tobytes() for inputs, _ in evaluate(dataset, 5) for clip in inputs.numpy()]
    places = [every.index(clip) for clip in found]
    assert len(places) == min(count, len(every))
    assert places == sorted(set(places))
    assert count == 1 or (places[0], places[-1]) == (0, len(every) - 1)


def test_too_large_a_dataset_is_not_kept(dataset, description):
    bytes_of_all = description.clips * description.config.clip_samples * 2
    for gigabytes, kept in ((bytes_of_all / 1e9, True), (0.99 * bytes_of_all / 1e9, False)):
        config = hear(dataset, TrainingConfig(memory_gigabytes=gigabytes))
        assert inputs_of.fit_memory(description, config) == kept


@pytest.mark.parametrize("seconds", [0.4, 0.5, 0.7, 1.0])
def test_windows_cover_the_clip_evenly(dataset, seconds):
    config = hear(dataset, input_seconds=seconds)
    starts = pipeline.window_starts(config)
    assert starts[0] == 0
    assert len(starts) == 1 or starts[-1] + config.input_samples == config.prepare.clip_samples
    assert all(late - early <= config.input_samples for early, late in itertools.pairwise(starts))


def test_evaluation_hears_a_long_clip_window_by_window(dataset):
    (whole, clip), (windows, same) = (
        next(iter(evaluate(dataset, 4, input_seconds=seconds))) for seconds in (None, 0.5)
    )
    assert windows.shape == (8, 4000, 1)
    assert np.array_equal(np.reshape(windows, whole.shape), whole)
    assert np.array_equal(clip["label"], same["label"])


def test_training_hears_a_random_piece_of_a_long_clip(stream, dataset, train_with):
    """Whether or not there is memory for whole clips."""
    batches = stream(train_with(batch_size=6), input_seconds=0.5)
    (first, labels), (second, _) = next(batches), next(batches)
    assert first.shape == second.shape == (6, 4000, 1)
    known = [
        (waveform[:, 0], label)
        for waveforms, clip in evaluate(dataset, 4).as_numpy_iterator()
        for waveform, label in zip(waveforms, clip["label"], strict=True)
    ]
    for piece, label in zip(first, labels.argmax(axis=1), strict=True):
        found = [
            name for clip, name in known for start in np.flatnonzero(clip[:4001] == piece[0, 0])
            if np.array_equal(clip[start : start + 4000], piece[:, 0])
        ]  # fmt: skip
        assert label in found


def test_augmentation_depends_on_the_step_alone(stream, shards, train_with):
    training = train_with(batch_size=6, augmentation=[{"kind": "gain"}, {"kind": "mixup"}], seed=3)
    whole = list(itertools.islice(stream(training), 8))
    steps = pipeline.steps_per_epoch(shards, 6)
    resumed = list(itertools.islice(stream(training, first_epoch=1), 8 - steps))
    for (inputs, labels), (same, same_labels) in zip(whole[steps:], resumed, strict=True):
        assert np.array_equal(inputs, same)
        assert np.array_equal(labels, same_labels)
    assert any((labels.max(axis=1) < 1).any() for _, labels in whole)


def test_the_codec_does_not_change_the_samples(dataset, source, experiment, tmp_path):
    pytest.importorskip("tensorflow_io")
    flac = experiment.prepare.model_copy(update={"codec": "flac"})
    prepare(source, tmp_path, flac, workers=1)
    for (pcm16, _), (decoded, _) in zip(evaluate(dataset, 8), evaluate(tmp_path, 8), strict=True):
        assert np.array_equal(pcm16, decoded)


# Portions


def test_the_portions_of_a_batch_are_the_batch(stream, train_with):
    training = train_with(batch_size=6)
    whole = itertools.islice(stream(training), 5)
    portions = [stream(training, portion=ReplicaSlice(index, 3)) for index in range(3)]
    for (inputs, labels), *parts in zip(whole, *portions, strict=False):
        own_inputs, own_labels = zip(*parts, strict=True)
        assert {len(part) for part in own_inputs} == {2}
        assert np.array_equal(np.concatenate(own_inputs), inputs)
        assert np.array_equal(np.concatenate(own_labels), labels)


def test_portions_of_an_evaluation_fill_up_its_last_batch(dataset, memory):
    once = memory == 0
    whole = [clip["track"] for _, clip in evaluate(dataset, 4, once=once).as_numpy_iterator()]
    clips = np.concatenate(whole)
    parts = [
        [
            clip["track"]
            for _, clip in evaluate(
                dataset, 4, once=once, portion=ReplicaSlice(index, 2)
            ).as_numpy_iterator()
        ]
        for index in range(2)
    ]
    assert len(clips) % 4
    filled = np.concatenate([np.concatenate(pair) for pair in zip(*parts, strict=True)])
    assert {len(part) for own in parts for part in own} == {2}
    assert len(filled) == 4 * len(whole)
    assert np.array_equal(filled, np.concatenate([clips, clips[: len(filled) - len(clips)]]))


def test_what_varies_is_drawn_for_each_portion_by_itself():
    seed = tf.constant([1, 2], tf.int64)
    drawn = {tuple(ReplicaSlice(index, 3).seed(seed).numpy()) for index in range(3)}
    assert len(drawn) == 3
    assert WHOLE.seed(seed) is seed
