import itertools
import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from tfdream.config import Experiment, TrainingConfig
from tfdream.datasets import batches, manifest, views
from tfdream.datasets.batches import InputPipeline, LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.partition import WHOLE_BATCH, ReplicaSlice
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.shuffling import EpochPlan
from tfdream.signal import frontends
from tfdream.signal.frontends.raw import RawFrontendConfig

RAW = RawFrontendConfig(kind="raw")
FOLDS = [1, 2]
CACHED_OR_NOT = (2, 0)
"""Memory limits in gigabytes: enough for all inputs, and none."""


def build(
    loaded, kind=LabeledPipeline, replica_slice=WHOLE_BATCH, frontend=RAW, seconds=None, **training
):
    """Build a pipeline, by default one whose inputs are the samples themselves."""
    config = Experiment(
        prepare=loaded.config,
        frontend=frontend,
        input_seconds=seconds,
        training=TrainingConfig(**training),
    )
    return kind(config, frontends.build(frontend, loaded.config.sample_rate), replica_slice)


def identify(clips):
    """Return checksums of clips as float16, which is how a cache stores them."""
    return [zlib.crc32(np.asarray(clip, np.float16)) for clip in clips]


@pytest.fixture(scope="module")
def training_clips(loaded):
    """25 clips of both labels, or so."""
    return ClipSet.from_folds(loaded, FOLDS)


@pytest.fixture(scope="module")
def few_clips(loaded):
    """Six clips, or so, among those of another label."""
    return ClipSet.from_folds(loaded, [1], "tones")


@pytest.fixture(scope="module")
def label_of(loaded, training_clips):
    """The label of each training clip."""
    evaluation = build(loaded).evaluation(training_clips, 8)
    return {
        clip: label
        for inputs, clips in evaluation
        for clip, label in zip(identify(inputs), clips["label"].numpy().tolist(), strict=True)
    }


@pytest.fixture(scope="module")
def ids_of(few_clips):
    """The position of each of the few clips in their interleaved order."""
    return {clip: index for index, clip in enumerate(identify(few_clips.waveforms()))}


def plan_for(clip_set, batch_size, first_epoch=0, seed=0):
    """Plan epochs with every clip at most once."""
    return EpochPlan(batch_size, clip_set.clips // batch_size, seed, first_epoch)


def collect(stream, epochs, steps):
    """Return the batches of each epoch."""
    iterator = stream.as_numpy_iterator()
    return [list(itertools.islice(iterator, steps)) for _ in range(epochs)]


def identify_epochs(epochs, labeled=True):
    """Return the clips of each epoch in order."""
    return [
        [clip for batch in epoch for clip in identify(batch[0] if labeled else batch)]
        for epoch in epochs
    ]


# Shuffled inputs


def check_shuffled(loaded, few_clips, ids_of, cached, plan, shuffle_clips):
    """Check three epochs and a later start; return the order of the clips in each epoch.

    An epoch has as many rounds over the clips as it needs.
    """
    pipeline = build(loaded, InputPipeline, shuffle_clips=shuffle_clips)
    epochs = collect(pipeline.shuffled(few_clips, plan, cached), 3, plan.steps)
    shapes = {batch.shape for epoch in epochs for batch in epoch}
    assert shapes == {(plan.batch_size, 8000, 1)}
    orders = []
    for clips in identify_epochs(epochs, labeled=False):
        ids = [ids_of[clip] for clip in clips]
        assert len(ids) == plan.clips
        for start in range(0, len(ids), few_clips.clips):
            in_round = ids[start : start + few_clips.clips]
            assert len(set(in_round)) == len(in_round)
        orders.append(ids)
    later = replace(plan, first_epoch=1)
    resumed = collect(pipeline.shuffled(few_clips, later, cached), 2, plan.steps)
    assert np.array_equal(resumed, epochs[1:])
    return orders


def test_an_epoch_repeats_the_clips_only_after_all_occurred(loaded, few_clips, ids_of):
    """Rounds, epochs and seeds have different orders."""
    clips = few_clips.clips
    for cached, shuffle_clips in ((True, 2048), (False, clips)):
        plan = EpochPlan(clips // 2, 4, seed=1)  # two rounds
        orders = check_shuffled(loaded, few_clips, ids_of, cached, plan, shuffle_clips)
        pipeline = build(loaded, InputPipeline, shuffle_clips=shuffle_clips)
        other_seed = pipeline.shuffled(few_clips, replace(plan, seed=2), cached)
        (found,) = identify_epochs(collect(other_seed, 1, plan.steps), labeled=False)
        orders.append([ids_of[clip] for clip in found])
        halves = [tuple(half) for order in orders for half in (order[:clips], order[clips:])]
        assert len(set(halves)) == len(halves) == 8
        assert tuple(range(clips)) not in halves


def test_an_epoch_may_end_within_a_round(loaded, few_clips, ids_of):
    check_shuffled(loaded, few_clips, ids_of, False, EpochPlan(1, 5, seed=3), shuffle_clips=2)


@pytest.mark.slow
@settings(max_examples=6)
@given(
    cached=st.booleans(),
    batch_size=st.integers(1, 9),
    steps=st.integers(1, 5),
    shuffle_clips=st.sampled_from([1, 2, 2048]),
    seed=seeds,
)
def test_epochs_of_any_plan_repeat_the_clips_only_after_all_occurred(
    loaded, few_clips, ids_of, cached, batch_size, steps, shuffle_clips, seed
):
    plan = EpochPlan(batch_size, steps, seed)
    check_shuffled(loaded, few_clips, ids_of, cached, plan, shuffle_clips)


def test_a_small_window_shuffles_little(loaded, training_clips):
    positions = {clip: index for index, clip in enumerate(identify(training_clips.waveforms()))}
    plan = EpochPlan(1, training_clips.clips, seed=0)
    stream = build(loaded, InputPipeline, shuffle_clips=2).shuffled(training_clips, plan, False)
    ((*order,),) = identify_epochs(collect(stream, 1, plan.steps), labeled=False)
    shuffled = [positions[clip] for clip in order]
    assert sorted(shuffled) == list(range(training_clips.clips))
    assert shuffled != sorted(shuffled)


def test_inputs_are_those_of_the_frontend(loaded, few_clips, experiment):
    frontend = frontends.build(experiment.frontend, 8000)
    images = frontend(tf.constant(np.stack(list(few_clips.waveforms())))).numpy()
    pipeline = build(loaded, InputPipeline, frontend=experiment.frontend)
    for cached in (True, False):
        batch = next(iter(pipeline.shuffled(few_clips, EpochPlan(4, 1, 0), cached)))
        assert batch.dtype == tf.float32
        for image in batch.numpy():
            distances = np.abs(images - image).max(axis=(1, 2, 3))
            assert np.sort(distances)[0] < 1e-3  # float16
            assert np.sort(distances)[1] > 1e-2


# Inputs in order


def test_ordered_batches_start_over_after_the_last_clip(loaded, few_clips, ids_of):
    stream = build(loaded, InputPipeline).ordered(few_clips, batch_size=4, count=5)
    found = [[ids_of[clip] for clip in identify(batch)] for batch in stream.as_numpy_iterator()]
    assert np.array_equal(found, np.arange(20).reshape(5, 4) % few_clips.clips)


def test_batches_with_known_length_declare_it(loaded, few_clips):
    stream = build(loaded, InputPipeline).ordered(few_clips, batch_size=4, count=3)
    assert int(batches.with_known_length(stream, 3).cardinality()) == 3


# Labeled training batches


def check_epochs(pipeline, training_clips, label_of, batch_size):
    """Check three epochs, and a resumed stream; return the clips of each epoch in order."""
    plan = plan_for(training_clips, batch_size)
    epochs = collect(pipeline.training(training_clips, plan), 3, plan.steps)
    orders = identify_epochs(epochs)
    for seen in orders:
        assert len(seen) == len(set(seen)) == len(label_of) - len(label_of) % batch_size
        assert set(seen) <= set(label_of)
    for inputs, labels in itertools.chain.from_iterable(epochs):
        assert [label_of[clip] for clip in identify(inputs)] == labels.argmax(axis=1).tolist()
        assert (labels.sum(axis=1) == 1).all()
    later = plan_for(training_clips, batch_size, first_epoch=1)
    resumed = collect(pipeline.training(training_clips, later), 2, plan.steps)
    assert_same_batches(itertools.chain(*epochs[1:]), itertools.chain(*resumed))
    return orders


def assert_same_batches(batches, others):
    for batch, other in zip(batches, others, strict=True):
        for values, same_values in zip(batch, other, strict=True):
            assert np.array_equal(values, same_values)


def test_an_epoch_has_every_clip_once_up_to_the_incomplete_batch(loaded, training_clips, label_of):
    """A resumed stream has the same batches; epochs and seeds differ in order and left-out clips.

    Batches have 7 clips, so that the window of 9 is not a multiple.
    """
    for memory, shuffle_clips in zip(CACHED_OR_NOT, (2048, 9), strict=True):
        pipeline = build(loaded, memory_gigabytes=memory, shuffle_clips=shuffle_clips)
        first, *others = orders = check_epochs(pipeline, training_clips, label_of, 7)
        assert first not in others
        left_out = {frozenset(set(label_of) - set(seen)) for seen in orders}
        assert len(left_out) > 1
        plan = plan_for(training_clips, 7, seed=1)
        other_seed = collect(pipeline.training(training_clips, plan), 1, plan.steps)
        assert identify_epochs(other_seed) != [first]


@pytest.mark.slow
@settings(max_examples=6)
@given(
    memory=st.sampled_from(CACHED_OR_NOT),
    batch_size=st.integers(3, 25),
    shuffle_clips=st.sampled_from([1, 8, 9, 2048]),
)
def test_epochs_of_any_batch_size_have_every_clip_once(
    loaded, training_clips, label_of, memory, batch_size, shuffle_clips
):
    pipeline = build(loaded, memory_gigabytes=memory, shuffle_clips=shuffle_clips)
    check_epochs(pipeline, training_clips, label_of, batch_size)


def test_training_crops_long_clips_at_random(loaded, training_clips):
    """Whether or not there is memory for complete clips."""
    clips = [
        (waveform[:, 0], label)
        for inputs, clip in build(loaded).evaluation(training_clips, 8).as_numpy_iterator()
        for waveform, label in zip(inputs, clip["label"], strict=True)
    ]
    for memory in CACHED_OR_NOT:
        pipeline = build(loaded, seconds=0.5, memory_gigabytes=memory)
        inputs, labels = next(iter(pipeline.training(training_clips, plan_for(training_clips, 6))))
        assert inputs.shape == (6, 4000, 1)
        for piece, label in zip(inputs[..., 0].numpy(), np.argmax(labels, axis=1), strict=True):
            assert label in [
                own_label
                for clip, own_label in clips
                for start in np.flatnonzero(clip[:4001] == piece[0])
                if np.array_equal(clip[start : start + 4000], piece)
            ]


def test_augmentation_depends_on_the_step_alone(loaded, training_clips):
    plan, later = (plan_for(training_clips, 6, first_epoch) for first_epoch in (0, 1))
    for memory, augmentation in zip(
        CACHED_OR_NOT, ([{"kind": "mixup"}], [{"kind": "gain"}, {"kind": "mixup"}]), strict=True
    ):
        pipeline = build(loaded, memory_gigabytes=memory, augmentation=augmentation, seed=3)
        _, second = collect(pipeline.training(training_clips, plan), 2, plan.steps)
        (resumed,) = collect(pipeline.training(training_clips, later), 1, plan.steps)
        assert_same_batches(second, resumed)
        assert any((labels.max(axis=1) < 1).any() for _, labels in second)


# Evaluation


def test_evaluation_has_every_clip_once_in_the_order_of_the_records(loaded, training_clips):
    expected = [
        track
        for shard in training_clips.shards
        for track, clips in shard.tracks.items()
        for _ in range(clips)
    ]
    for batch_size in (5, 100):
        evaluation = build(loaded).evaluation(training_clips, batch_size)
        clips = [clip for _, clip in evaluation.as_numpy_iterator()]
        tracks = [name.decode() for clip in clips for name in clip["track"]]
        labels = [loaded.labels[label] for clip in clips for label in clip["label"]]
        assert tracks == expected
        assert labels == [track.split("/")[0] for track in tracks]
        assert len(clips) == evaluation.cardinality() == math.ceil(len(tracks) / batch_size)


def test_raw_inputs_are_samples_and_spectrograms_are_images(loaded, training_clips, experiment):
    inputs, _ = next(iter(build(loaded).evaluation(training_clips, 5)))
    assert inputs.shape == (5, loaded.config.clip_samples, 1)
    assert inputs.dtype == tf.float32
    assert 0.01 < np.abs(inputs).max() <= 1
    frontend = frontends.build(experiment.frontend, loaded.config.sample_rate)
    pipeline = build(loaded, frontend=experiment.frontend)
    images, _ = next(iter(pipeline.evaluation(training_clips, 5)))
    assert images.shape == (5, *frontend.shape(loaded.config.clip_samples))
    assert images.dtype == tf.float32
    assert images.numpy().min() >= 0
    # The loudest bin of each clip is white.
    np.testing.assert_allclose(images.numpy().max(axis=(1, 2, 3)), 1, atol=1e-6)


def test_cached_inputs_are_those_from_the_shards(loaded, training_clips, experiment):
    """To the precision of float16: eleven bits."""
    pipeline = build(loaded, frontend=experiment.frontend)
    computed, cached = (
        pipeline.evaluation(training_clips, 5, repeated=repeated) for repeated in (False, True)
    )
    for (image, clip), (same, same_clip) in zip(computed, cached, strict=True):
        np.testing.assert_allclose(same, image, atol=2**-11)
        assert np.array_equal(clip["track"], same_clip["track"])
        assert np.array_equal(clip["label"], same_clip["label"])


def test_evaluation_classifies_a_long_clip_window_by_window(loaded, training_clips):
    (complete, clip), (windows, same) = (
        next(iter(build(loaded, seconds=seconds).evaluation(training_clips, 4)))
        for seconds in (None, 0.5)
    )
    assert windows.shape == (8, 4000, 1)
    assert np.array_equal(np.reshape(windows, complete.shape), complete)
    assert np.array_equal(clip["label"], same["label"])


def test_evaluation_plays_clips_at_every_speed(loaded, training_clips):
    (recorded, _), (inputs, _) = (
        next(iter(build(loaded).evaluation(training_clips, 4, speeds=speeds)))
        for speeds in ((1.0,), (1.0, 0.5, 2.0))
    )
    same, slow, fast = np.moveaxis(np.reshape(inputs, (4, 3, 8000)), 1, 0)
    recorded = recorded.numpy()[..., 0]
    assert np.array_equal(same, recorded)
    assert np.array_equal(slow[:, ::2], recorded[:, :4000])
    assert np.array_equal(fast[:, :4000], recorded[:, ::2])
    assert not fast[:, 4000:].any()


@given(seconds=st.floats(0.05, 1))
def test_windows_cover_the_clip_evenly(seconds):
    config = Experiment(
        prepare={"sample_rate": 8000, "clip_seconds": 1.0}, frontend=RAW, input_seconds=seconds
    )
    starts = views.window_starts(config)
    assert starts[0] == 0
    assert len(starts) == 1 or starts[-1] + config.input_samples == config.prepare.clip_samples
    distances = [late - early for early, late in itertools.pairwise(starts)]
    assert all(distance <= config.input_samples for distance in distances)
    assert not distances or max(distances) - min(distances) <= 1


def test_the_codec_does_not_change_the_samples(loaded, source, experiment, tmp_path):
    pytest.importorskip("tensorflow_io")
    config = experiment.prepare.model_copy(update={"codec": "flac"})
    prepare(source, tmp_path, config, PrepareOptions(workers=1))
    flac = manifest.load(tmp_path)
    streams = [
        build(each).evaluation(ClipSet.from_folds(each, FOLDS), 8) for each in (loaded, flac)
    ]
    for (samples, _), (decoded, _) in zip(*streams, strict=True):
        assert np.array_equal(samples, decoded)


# Samples and memory


def test_a_sample_is_spread_over_all_clips(loaded, training_clips):
    pipeline = build(loaded, batch_size=5)
    evaluation = pipeline.evaluation(training_clips, 5)
    every = [clip for inputs, _ in evaluation for clip in identify(inputs)]
    for count in (1, 12, 1000):
        sample = pipeline.sample(training_clips, count)
        places = [every.index(clip) for inputs in sample for clip in identify(inputs)]
        assert len(places) == min(count, len(every))
        assert places == sorted(set(places))
        assert count == 1 or (places[0], places[-1]) == (0, len(every) - 1)


def test_inputs_are_cached_if_they_fit_in_memory_and_do_not_change(loaded):
    gigabytes = loaded.clips * loaded.config.clip_samples * 2 / 1e9
    for limit, fits in ((gigabytes, True), (0.99 * gigabytes, False)):
        pipeline = build(loaded, memory_gigabytes=limit)
        assert pipeline.fits_in_memory(loaded.clips) == fits
        assert pipeline.is_cached(loaded.clips) == fits
    for settings_ in ({"seconds": 0.5}, {"augmentation": [{"kind": "noise"}]}):
        assert not build(loaded, **settings_).is_cached(loaded.clips)
    assert build(loaded, augmentation=[{"kind": "mixup"}]).is_cached(loaded.clips)


def test_pipelines_are_built_without_reading_a_clip(copy, damage):
    """So that training does not wait for clips that it needs later.

    Their iterators close at once: none waits for a thread that tunes it.
    """
    loaded = manifest.load(copy)
    damage.erase(copy, loaded.shards)
    clips = ClipSet.from_folds(loaded, FOLDS)
    plan = plan_for(clips, 4)
    cached, computed = (build(loaded, memory_gigabytes=memory) for memory in CACHED_OR_NOT)
    for stream in (
        *(pipeline.training(clips, plan) for pipeline in (cached, computed)),
        *(pipeline.evaluation(clips, 4, repeated=True) for pipeline in (cached, computed)),
        *(cached.shuffled(clips, plan, in_memory) for in_memory in (True, False)),
        cached.ordered(clips, 4, 2),
        cached.sample(clips, 4),
    ):
        assert not stream.options().autotune.enabled
        with pytest.raises(tf.errors.DataLossError):
            next(iter(stream))


# Replicas


def test_slices_of_training_batches_are_slices_of_the_batches(loaded, training_clips, few_clips):
    def streams(memory, replica_slice=WHOLE_BATCH):
        pipeline = build(loaded, replica_slice=replica_slice, memory_gigabytes=memory)
        labeled = pipeline.training(training_clips, plan_for(training_clips, 6))
        if memory:
            return labeled.take(5).as_numpy_iterator()
        inputs = pipeline.shuffled(few_clips, EpochPlan(6, 1, 0), cached=False)
        return tf.data.Dataset.zip(labeled, inputs).take(5).as_numpy_iterator()

    for memory, index in zip(CACHED_OR_NOT, (0, 1), strict=True):
        slices = streams(memory, ReplicaSlice(index, 2))
        for complete, part in zip(streams(memory), slices, strict=True):
            for values, own in zip(tf.nest.flatten(complete), tf.nest.flatten(part), strict=True):
                assert len(own) == 3
                assert np.array_equal(own, values[3 * index : 3 * index + 3])


def test_slices_of_an_evaluation_fill_up_its_last_batch(loaded, training_clips):
    clips = np.concatenate(
        [clip["track"] for _, clip in build(loaded).evaluation(training_clips, 4)]
    )
    count = math.ceil(len(clips) / 4)
    assert len(clips) % 4
    for repeated in (False, True):
        parts = [
            [
                clip["track"].numpy()
                for _, clip in build(loaded, replica_slice=ReplicaSlice(index, 2)).evaluation(
                    training_clips, 4, repeated=repeated, fill=True
                )
            ]
            for index in range(2)
        ]
        assert {len(part) for tracks in parts for part in tracks} == {2}
        filled = np.concatenate([np.concatenate(pair) for pair in zip(*parts, strict=True)])
        assert len(filled) == 4 * count
        assert np.array_equal(filled, np.concatenate([clips, clips[: len(filled) - len(clips)]]))


def test_replicas_have_equal_inputs_but_other_random_numbers(loaded, training_clips):
    """Augmentation is drawn for each slice alone."""
    plan = plan_for(training_clips, 6)
    noise = [{"kind": "input_noise", "deviation": 0.1}]
    plain, _ = next(iter(build(loaded).training(training_clips, plan)))
    drawn = []
    for index, inputs in enumerate(np.split(plain, 2)):
        pipeline = build(loaded, replica_slice=ReplicaSlice(index, 2), augmentation=noise)
        noisy, _ = next(iter(pipeline.training(training_clips, plan)))
        drawn.append(noisy - inputs)
        assert np.std(drawn[-1]) > 0.01
    assert not np.allclose(drawn[0], drawn[1], atol=1e-2)
