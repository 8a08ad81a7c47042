import itertools
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import (
    ModelConfig,
    PrepareConfig,
    StftSpec,
    TranslationExperiment,
    TranslationTrainingConfig,
)
from tfdream.datasets import records, unpaired
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.preparation.prepare import prepare
from tfdream.errors import DatasetError
from tfdream.signal import frontends
from tfdream.signal.frontends.spectrogram import SpectrogramFrontendConfig

FRONTEND = SpectrogramFrontendConfig(
    kind="amplitude", stft=StftSpec(n_fft=256, hop_samples=64), size=(16, 16)
)


@pytest.fixture(scope="module")
def side(dataset):
    """Clips of a label in some folds."""
    description = records.load(dataset)

    def make(label, *folds):
        shards = description.fold_shards(folds or description.folds)
        return ClipSet(dataset, description, shards, label)

    return make


@pytest.fixture(scope="module")
def sides(side):
    """Nineteen clips of noise and six of tones, or so."""
    found = side("noise"), side("tones", 1)
    assert found[0].clips > 2 * found[1].clips > 4
    return found


@pytest.fixture(scope="module")
def hear(dataset):
    """An experiment whose images are computed for every batch, unless they may take memory."""

    def make(**training):
        settings = {"batch_size": 4, "pool_images": 0, "memory_gigabytes": 0}
        return TranslationExperiment(
            task="translate",
            prepare=records.load(dataset).config,
            frontend=FRONTEND,
            model=ModelConfig(name="cyclegan"),
            training=TranslationTrainingConfig(**settings | training),
        )

    return make


either_way = pytest.mark.parametrize("memory", [0, 2], ids=["from shards", "from memory"])


@pytest.fixture(scope="module")
def numbered():
    """Tells the clips of a side by their images: the number of each in its side's order."""
    frontend = frontends.build(FRONTEND, 8000)

    known = {}

    def of(side, images):
        key = side.label, *(shard.name for shard in side.shards)
        if key not in known:
            known[key] = frontend(tf.constant(np.stack(list(side.waveforms())))).numpy()
        distance_to = np.abs(known[key][None] - np.asarray(images)[:, None]).max(axis=(2, 3, 4))
        assert (distance_to.min(axis=1) < 1e-3).all()  # float16
        assert (np.sort(distance_to, axis=1)[:, 1] > 1e-2).all()
        return distance_to.argmin(axis=1).tolist()

    return of


def epochs_of(sides, config, numbered, count=1, first_epoch=0):
    """The numbers of the clips of both sides, for each epoch."""
    steps = unpaired.steps_per_epoch(sides, config.training.batch_size)
    batches = unpaired.training_batches(sides, config, first_epoch).as_numpy_iterator()
    found = []
    for _ in range(count):
        both = zip(*itertools.islice(batches, steps), strict=True)
        found.append(
            tuple(
                numbered(side, np.concatenate(images))
                for side, images in zip(sides, both, strict=True)
            )
        )
    return found


@either_way
def test_images_are_those_of_the_frontend_and_as_many_of_both(sides, hear, memory):
    config = hear(memory_gigabytes=memory)
    first, second = next(iter(unpaired.training_batches(sides, config)))
    assert first.shape == second.shape == (4, 16, 16, 1)
    assert first.dtype == second.dtype == tf.float32
    assert 0 <= float(tf.reduce_min(first)) < float(tf.reduce_max(first)) <= 1


@either_way
def test_an_epoch_has_every_clip_of_the_larger_side_once(sides, hear, numbered, memory):
    config = hear(batch_size=1, memory_gigabytes=memory)
    ((larger, smaller),) = epochs_of(sides, config, numbered)
    assert sorted(larger) == list(range(sides[0].clips))
    counts = Counter(smaller)
    assert set(counts) == set(range(sides[1].clips))
    assert max(counts.values()) - min(counts.values()) <= 1
    clips = sides[1].clips
    rounds = smaller[:clips], smaller[clips : 2 * clips]
    assert sorted(rounds[0]) == sorted(rounds[1])
    assert rounds[0] != rounds[1]


def test_what_does_not_fill_a_batch_waits_for_another_epoch(sides, hear, numbered):
    config = hear(batch_size=4)
    assert unpaired.steps_per_epoch(sides, 4) == sides[0].clips // 4
    found = epochs_of(sides, config, numbered, count=6)
    for larger, smaller in found:
        assert len(larger) == len(set(larger)) == sides[0].clips // 4 * 4
        assert len(smaller) == len(larger)
    assert {clip for larger, _ in found for clip in larger} == set(range(sides[0].clips))


def test_it_does_not_matter_which_side_is_the_larger_one(sides, hear, numbered):
    ((smaller, larger),) = epochs_of(sides[::-1], hear(batch_size=1), numbered)
    assert sorted(larger) == list(range(sides[0].clips))
    assert len(smaller) == len(larger)


def test_a_batch_larger_than_both_sides_repeats_them(sides, hear, numbered):
    few = sides[1], sides[1]
    size = sides[1].clips + 3
    assert unpaired.steps_per_epoch(few, size) == 1
    ((first, second),) = epochs_of(few, hear(batch_size=size), numbered)
    for clips in (first, second):
        assert len(clips) == size
        assert set(Counter(clips).values()) == {1, 2}


def test_every_epoch_and_every_side_has_an_order_of_its_own(sides, hear, numbered):
    same = sides[0], sides[0]
    found = epochs_of(same, hear(batch_size=1), numbered, count=3)
    orders = [tuple(order) for epoch in found for order in epoch]
    assert len(set(orders)) == 6
    # No clip keeps its partner: of 19, one in the mean does so by chance.
    for first, second in found:
        assert sum(one == other for one, other in zip(first, second, strict=True)) < 8
    assert tuple(range(sides[0].clips)) not in orders


@either_way
def test_a_stream_that_begins_later_is_the_tail_of_the_whole(sides, hear, numbered, memory):
    config = hear(memory_gigabytes=memory)
    whole = epochs_of(sides, config, numbered, count=4)
    assert epochs_of(sides, config, numbered, count=2, first_epoch=2) == whole[2:]


def test_the_seed_decides_the_order(sides, hear, numbered):
    orders = [epochs_of(sides, hear(seed=seed, memory_gigabytes=2), numbered) for seed in (1, 2)]
    assert orders[0] != orders[1]


def test_a_small_window_shuffles_less_and_loses_nothing(sides, hear, numbered):
    ((larger, _),) = epochs_of(sides, hear(batch_size=1, shuffle_clips=2), numbered)
    assert sorted(larger) == list(range(sides[0].clips))
    assert larger != sorted(larger)


# Evaluation


def test_held_out_clips_come_in_order_and_in_full_batches(sides, hear, numbered):
    config = hear(batch_size=4)
    batches = unpaired.evaluation_batches(sides, config)
    count = -(-sides[0].clips // 4)
    assert int(batches.cardinality()) == count
    first, second = zip(*batches.as_numpy_iterator(), strict=True)
    assert {len(images) for images in (*first, *second)} == {4}
    for own, images in zip(sides, (first, second), strict=True):
        wanted = [clip % own.clips for clip in range(4 * count)]
        assert numbered(own, np.concatenate(images)) == wanted


# Sides


def test_a_side_has_the_clips_of_its_label_alone(side, dataset):
    description = records.load(dataset)
    for index, label in enumerate(description.labels):
        chosen = side(label, 1)
        batches = records.read(dataset, description, description.fold_shards([1]), 4)
        wanted = [
            waveform.tobytes()
            for clips in batches.as_numpy_iterator()
            for waveform, own in zip(clips["waveform"], clips["label"], strict=True)
            if own == index
        ]
        found = [waveform.tobytes() for waveform in chosen.waveforms()]
        assert sorted(found) == sorted(wanted)
        assert chosen.clips == len(wanted)


def test_the_clips_of_all_labels_are_those_of_each(side):
    assert side(None).clips == side("noise").clips + side("tones").clips == 37


def test_only_clips_that_are_wanted_are_read(side, dataset, tmp_path):
    """All shards but the first are garbage: to read a record of them is an error."""
    copy = shutil.copytree(dataset, tmp_path / "dataset")
    whole = side(None)
    for shard in whole.shards[1:]:
        (copy / shard.name).write_bytes(bytes(shard.bytes))
    damaged = replace(whole, folder=copy)
    assert damaged.clips == whole.clips
    (first,) = damaged.waveforms(1)
    assert np.array_equal(first, next(whole.waveforms()))
    with pytest.raises(tf.errors.DataLossError):
        list(damaged.waveforms(2))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_some_clips_are_spread_over_all(side, count):
    chosen = side("noise")
    everything = [waveform.tobytes() for waveform in chosen.waveforms()]
    places = [everything.index(waveform.tobytes()) for waveform in chosen.waveforms(count)]
    assert places == sorted(set(places))
    assert len(places) == count
    assert places[0] == 0
    assert count == 1 or places[-1] == chosen.clips - 1
    assert np.ptp(np.diff(places)) <= 1 if count > 2 else True


def test_more_clips_than_there_are_are_all(side):
    chosen = side("tones", 1)
    assert len(list(chosen.waveforms(100))) == chosen.clips


def test_folds_without_a_clip_of_a_label_are_an_error(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("rare/0.wav", "common/0.wav", "common/1.wav", "common/2.wav"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "source" / name, rng.uniform(-0.1, 0.1, 4000), 8000)
    settings = PrepareConfig(sample_rate=8000, clip_seconds=0.5, folds=3)
    prepare(tmp_path / "source", tmp_path / "dataset", settings, workers=1)
    description = records.load(tmp_path / "dataset")
    counts = {}
    for fold in description.folds:
        rare = ClipSet(tmp_path / "dataset", description, description.fold_shards([fold]), "rare")
        try:
            counts[fold] = rare.clips
        except DatasetError as error:
            assert f"no clip of 'rare' in the folds [{fold}]; use another --test-fold" in str(error)
    assert list(counts.values()) == [1]
