"""Contiguous segments of long mixes as folds."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from trees import dataset_error

from tfdream.config import PrepareConfig
from tfdream.datasets import manifest, records
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.preparation.segments import divide
from tfdream.datasets.sources.tracks import Track

RATE = 8000
CONFIG = PrepareConfig(
    sample_rate=RATE, clip_seconds=0.5, folds=3, split="segments", gap_seconds=1.0, shard_clips=4
)
ONE_WORKER = PrepareOptions(workers=1)


def write(path, seconds):
    """Write a mix in which every sample has the number of its clip as value."""
    path.parent.mkdir(exist_ok=True)
    numbers = np.arange(round(seconds * RATE)) // round(0.5 * RATE)
    soundfile.write(path, (numbers + 1).astype(np.int16), RATE, "PCM_16")


@pytest.fixture
def mixes(tmp_path):
    """One long mix of each of two genres: 25 and 20 clips."""
    (tmp_path / "mixes").mkdir()
    write(tmp_path / "mixes/rock/rock.wav", 12.6)
    write(tmp_path / "mixes/jazz/jazz.wav", 10.0)
    return tmp_path / "mixes"


def clips_of(folder):
    """The numbers of the clips of each label and fold."""
    dataset = manifest.load(folder)
    numbers = {}
    for shard in dataset.shards:
        for record in tf.data.TFRecordDataset(str(folder / shard.name)):
            clip = records.parse(record, dataset.config)
            values = np.unique(np.round(clip["waveform"].numpy() * 32768))
            assert len(values) == 1
            key = dataset.labels[int(clip["label"])], shard.fold
            numbers.setdefault(key, []).append(int(values[0]) - 1)
    return {key: sorted(values) for key, values in numbers.items()}


def test_every_fold_has_one_contiguous_segment_of_each_mix(mixes, tmp_path):
    result = prepare(mixes, tmp_path / "dataset", CONFIG, ONE_WORKER)
    numbers = clips_of(tmp_path / "dataset")
    assert set(numbers) == {(label, fold) for label in ("jazz", "rock") for fold in range(3)}
    for label, clips, sizes in (("rock", 25, [7, 7, 7]), ("jazz", 20, [6, 5, 5])):
        parts = sorted(numbers[label, fold] for fold in range(3))
        assert [len(part) for part in parts] == sizes
        for part in parts:
            assert part == list(range(part[0], part[0] + len(part)))
        # A gap of one second: two clips.
        assert [after[0] - before[-1] for before, after in pairwise(parts)] == [3, 3]
        assert (parts[0][0], parts[-1][-1]) == (0, clips - 1)
    assert (result["clips"], result["tracks"]) == (37, 6)


def test_a_mix_that_is_too_short_is_skipped_with_the_reason(mixes, tmp_path):
    write(mixes / "jazz/short.wav", 3.0)  # 6 clips, of which 4 are gaps
    result = prepare(mixes, tmp_path / "dataset", CONFIG, ONE_WORKER)
    (skipped,) = result["skipped"]
    assert skipped["path"] == "jazz/short.wav"
    assert "6 clips are too few for 3 segments with gaps of 2 clips" in skipped["reason"]
    for path in mixes.rglob("*.wav"):
        write(path, 3.0)
    text = dataset_error(prepare, mixes, tmp_path / "other", CONFIG, ONE_WORKER)
    assert "can be divided" in text
    assert "use fewer folds" in text


def test_a_truncated_file_is_divided_by_its_real_length(mixes, tmp_path):
    path = mixes / "rock/rock.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    noise = np.random.default_rng(0).integers(-3000, 3000, len(samples), np.int16)
    soundfile.write(path.with_suffix(".flac"), noise, rate)
    path.unlink()
    content = path.with_suffix(".flac").read_bytes()
    path.with_suffix(".flac").write_bytes(content[: len(content) * 9 // 10])
    result = prepare(mixes, tmp_path / "dataset", CONFIG, ONE_WORKER)
    assert result["tracks"] == 6  # three parts of each mix
    assert result["skipped"] == []


def test_a_recording_is_among_others_whatever_its_division(mixes, tmp_path):
    whole, thirds, halves = (
        manifest.load(tmp_path / name)
        for name, settings in (
            ("whole", {"split": "tracks", "folds": 2}),
            ("thirds", {}),
            ("halves", {"folds": 2}),
        )
        if prepare(mixes, tmp_path / name, CONFIG.model_copy(update=settings), ONE_WORKER)
    )
    first = thirds.track_digests([0, 1])
    assert [len(thirds.tracks_among(first, fold)) for fold in range(3)] == [2, 2, 0]
    for other in (whole, halves):
        assert all(other.tracks_among(first, fold) for fold in range(2))
    every = whole.track_digests([0, 1])
    assert [len(thirds.tracks_among(every, fold)) for fold in range(3)] == [2, 2, 2]


def test_segments_at_the_same_place_of_identical_files_share_a_fold(tmp_path):
    write(tmp_path / "a/a.wav", 10.0)
    path = tmp_path / "a/a.wav"
    both = [Track(name, path, "a", group="same") for name in ("one", "two")]
    folds = [[segment.fold for segment in divide([track], CONFIG).tracks] for track in both]
    assert folds[0] == folds[1]
    assert sorted(folds[0]) == [0, 1, 2]


def test_folds_of_the_source_are_refused(tmp_path):
    track = Track("a", tmp_path / "a.wav", "a", "a", fold=1)
    assert "'a' has fold 1, but prepare.split=segments" in dataset_error(divide, [track], CONFIG)
