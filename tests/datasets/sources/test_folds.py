"""Folds: stratified by label, groups complete."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import seeds
from trees import dataset_error, manifest

from tfdream.datasets.sources.find import read_source
from tfdream.datasets.sources.folds import assign_folds
from tfdream.datasets.sources.tracks import Track


def track(name, label="rock", group=None, fold=None):
    return Track(name, Path(name), label, group or name, fold)


def collection(seed, labels=3, groups=12, largest=4):
    """Artists of one to `largest` tracks, each mostly with one label."""
    rng = np.random.default_rng(seed)
    tracks = []
    for artist in range(groups):
        for number in range(rng.integers(1, largest + 1)):
            other = rng.random() < 0.1
            label = f"label {(artist + other) % labels}"
            tracks.append(track(f"{artist}-{number}", label, f"artist {artist}"))
    return tracks


@given(seeds, st.integers(2, 12))
@example(0, 12)
def test_a_group_never_spans_folds_and_no_fold_is_empty(seed, folds):
    tracks = collection(seed)
    assigned = assign_folds(tracks, folds, seed)
    assert [one._replace(fold=None) for one in assigned] == tracks  # nothing else changes
    assert {one.fold for one in assigned} == set(range(folds))
    folds_of = {(one.group, one.fold) for one in assigned}
    assert len(folds_of) == len({one.group for one in tracks})


@given(seeds, st.integers(1, 4), st.integers(2, 6))
def test_no_fold_is_empty_with_as_many_groups_as_folds(seed, labels, groups):
    """Also if labels are too rare and groups too uneven to be stratified."""
    for variant in range(10):
        tracks = collection(seed + variant, labels, groups, largest=5)
        assert {one.fold for one in assign_folds(tracks, groups, variant)} == set(range(groups))


def test_eleven_folds_hold_out_one_track_in_eleven_of_each_label():
    """The published 2400 training and 240 test clips of two classes."""
    tracks = [
        track(f"{label}-{number}", label) for label in ("c_pop", "metal") for number in range(44)
    ]
    held_out = [one.label for one in assign_folds(tracks, 11, 0) if one.fold == 0]
    assert Counter(held_out) == {"c_pop": 4, "metal": 4}


def test_no_fold_is_empty_where_stratification_leaves_one_empty():
    """Four artists, for which scikit-learn's stratification fills only three of four folds."""
    labels = ["b", "a", "bbbaa", "bb"]
    tracks = [
        track(f"{artist}-{number}", label, f"artist {artist}")
        for artist, songs in enumerate(labels)
        for number, label in enumerate(songs)
    ]
    for seed in range(20):
        assert {one.fold for one in assign_folds(tracks, 4, seed)} == set(range(4))


@given(seeds, st.integers(2, 5))
def test_labels_are_distributed_evenly(seed, folds):
    """If every track is a group, each fold has its share of each label, plus or minus one."""
    counts = {"rock": 40, "jazz": 21, "folk": 9}
    tracks = [
        track(f"{label}-{number}", label)
        for label, count in counts.items()
        for number in range(count)
    ]
    assigned = Counter((one.label, one.fold) for one in assign_folds(tracks, folds, seed))
    for label, count in counts.items():
        for fold in range(folds):
            assert abs(assigned[label, fold] - count / folds) <= 1


def test_a_label_with_fewer_tracks_than_folds_is_allowed():
    tracks = [track(f"{number}") for number in range(10)] + [track("rare", "jazz")]
    assert {one.fold for one in assign_folds(tracks, 5, seed=0)} == set(range(5))


def test_labels_that_are_all_rare_are_distributed_evenly():
    tracks = [track(f"{number}", label=f"label {number}") for number in range(10)]
    folds = Counter(one.fold for one in assign_folds(tracks, 5, seed=0))
    assert folds == dict.fromkeys(range(5), 2)


def test_the_folds_depend_on_the_seed():
    tracks = collection(0)
    first, again, other = (assign_folds(tracks, 4, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_single_fold_has_all_tracks():
    assert {one.fold for one in assign_folds(collection(0), 1, seed=0)} == {0}


@pytest.mark.parametrize("folds", [2, 5])
def test_specified_folds_do_not_change(folds):
    tracks = [track("a", fold=3), track("b", fold=0), track("c", fold=0)]
    assert assign_folds(tracks, folds, seed=0) == tracks


def test_a_specified_fold_that_splits_a_group_is_an_error():
    tracks = [track(str(fold), group="queen", fold=fold) for fold in (10, 2)]
    text = dataset_error(assign_folds, tracks, 2, seed=0)
    assert "'queen'" in text
    assert "in the folds [2, 10]" in text
    assert "--deal-folds" in text


def test_specified_folds_can_be_ignored(tmp_path):
    rows = [f"{number}.wav,rock,artist {number % 3},{number % 2}" for number in range(12)]
    path = manifest(tmp_path, "path,label,group,fold", *rows)
    dataset_error(assign_folds, read_source(path).tracks, 3, seed=0)
    tracks = read_source(path, ignore_folds=True).tracks
    assert {one.fold for one in tracks} == {None}
    assert {one.fold for one in assign_folds(tracks, 3, seed=0)} == {0, 1, 2}


def test_folds_for_only_some_tracks_are_an_error():
    tracks = [track("a", fold=0), track("b")]
    assert "'b' has no fold" in dataset_error(assign_folds, tracks, 2, seed=0)


@pytest.mark.parametrize("folds", [4, 100])
def test_more_folds_than_groups_are_an_error(folds):
    tracks = [track(f"{number}", group=f"artist {number % 3}") for number in range(30)]
    text = dataset_error(assign_folds, tracks, folds, seed=0)
    assert f"folds={folds}" in text
    assert "3 groups" in text
    assert "prepare.folds" in text
