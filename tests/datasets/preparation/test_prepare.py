import json
import os
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfdream.config import PrepareConfig
from tfdream.datasets import records
from tfdream.datasets.preparation.prepare import prepare
from tfdream.errors import DatasetError

CONFIG = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=3, shard_clips=5)


def files(folder):
    """What lies in a folder, to the byte."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def stop_after(calls):
    """A progress callback that is interrupted, as by Ctrl-C, after so many shards."""
    heard = []

    def progress(done, total):
        heard.append(done)
        if len(heard) == calls:
            raise KeyboardInterrupt

    return progress


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """A dataset that was written at one go, and what was said of it."""
    folder = tmp_path_factory.mktemp("whole") / "dataset"
    return folder, prepare(source, folder, CONFIG, workers=1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "dataset"


@pytest.fixture
def own_source(source, tmp_path):
    """A source that may be changed."""
    return shutil.copytree(source, tmp_path / "source")


def read_records(folder):
    """Pairs of track and label of every record, by shard."""
    dataset = records.load(folder)
    for shard in dataset.shards:
        found = [
            records.parse(one, dataset.config)
            for one in tf.data.TFRecordDataset(str(folder / shard.name))
        ]
        yield shard, [(clip["track"].numpy().decode(), int(clip["label"])) for clip in found]


def test_counts_add_up(whole):
    folder, result = whole
    dataset = records.load(folder)
    written = Counter(clip for _, clips in read_records(folder) for clip in clips)
    # Six tracks of 3.3 s for each label, one of them of 4.3 s.
    assert result["clips"] == written.total() == dataset.clips == 6 * 3 + 6 * 3 + 1
    assert result["tracks"] == len(written) == dataset.tracks == 12
    assert result["audio_seconds"] == 37.0
    assert result["clips_per_label"] == {"noise": 19, "tones": 18}
    assert result["shards"] == len(list(folder.glob("*.tfrecord")))
    assert result["skipped"] == []
    assert result["wall_seconds"] > 0


def test_shards_hold_what_the_description_says(whole):
    folder, _ = whole
    for shard, clips in read_records(folder):
        assert Counter(track for track, _ in clips) == shard.tracks
        assert len(clips) == shard.clips


def test_a_track_has_the_label_of_its_folder(whole):
    labels = records.load(whole[0]).labels
    for _, clips in read_records(whole[0]):
        assert all(labels[label] == track.split("/")[0] for track, label in clips)


def test_the_clips_of_a_track_stay_in_one_fold(whole):
    folds = {}
    for shard, clips in read_records(whole[0]):
        for track, _ in clips:
            assert folds.setdefault(track, shard.fold) == shard.fold
    assert Counter(folds.values()) == {0: 4, 1: 4, 2: 4}


def test_a_group_stays_in_one_fold(own_source, folder):
    names = [f"{label}/{number}.wav" for label in ("noise", "tones") for number in range(6)]
    rows = [f"{name},{name.split('/')[0]},artist{int(name[-5]) // 2}" for name in names]
    (own_source / "manifest.csv").write_text("\n".join(["path,label,group", *rows]))
    prepare(own_source, folder, CONFIG, workers=1)
    folds = {}
    for shard in records.load(folder).shards:
        for track in shard.tracks:
            folds.setdefault(int(track[-5]) // 2, set()).add(shard.fold)
    assert len(folds) == 3
    assert all(len(found) == 1 for found in folds.values())


def test_only_shards_and_their_description_are_left(whole):
    folder, _ = whole
    shards = {shard.name for shard in records.load(folder).shards}
    assert set(files(folder)) == shards | {records.DESCRIPTION}


def test_a_second_call_does_nothing(whole, source):
    folder, result = whole
    before = files(folder), times(folder)
    again = prepare(source, folder, CONFIG, workers=1)
    assert (files(folder), times(folder)) == before
    assert again | {"wall_seconds": 0} == result | {"wall_seconds": 0}


def test_the_same_source_gives_the_same_bytes_wherever_it_lies(whole, own_source, folder):
    prepare(own_source, folder, CONFIG, workers=1)
    assert files(folder) == files(whole[0])


@pytest.mark.parametrize("shards", [1, 4])
def test_an_interrupted_call_goes_on_where_it_stopped(whole, source, folder, shards):
    with pytest.raises(KeyboardInterrupt):
        prepare(source, folder, CONFIG, workers=1, progress=stop_after(shards))
    finished = {path.name: times(folder)[path.name] for path in folder.glob("*.tfrecord")}
    assert len(finished) == shards
    with pytest.raises(DatasetError, match="not a finished dataset"):
        records.load(folder)
    prepare(source, folder, CONFIG, workers=1)
    assert files(folder) == files(whole[0])
    assert finished.items() <= times(folder).items()  # what was done is not done again


def test_a_shard_that_the_journal_does_not_know_is_written_again(whole, source, folder):
    with pytest.raises(KeyboardInterrupt):
        prepare(source, folder, CONFIG, workers=1, progress=stop_after(3))
    min(folder.glob(".journal/*.json")).unlink()
    min(folder.glob("*.tfrecord")).write_bytes(b"half")
    prepare(source, folder, CONFIG, workers=1)
    assert files(folder) == files(whole[0])


def test_shards_are_of_even_size(tmp_path, folder):
    seconds = np.random.default_rng(0).uniform(1.5, 6, 60)
    for number, length in enumerate(seconds):
        path = tmp_path / "source/label" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(round(8000 * length)), 8000)
    prepare(tmp_path / "source", folder, CONFIG.model_copy(update={"shard_clips": 20}), workers=1)
    sizes = [shard.clips for shard in records.load(folder).shards]
    assert sum(sizes) == np.floor(seconds).sum()
    # Tracks stay whole, of up to five clips; and those of a fold hardly ever fill shards.
    assert 20 - 5 <= min(sizes) <= max(sizes) <= 20 + 5


def test_progress_ends_at_all_tracks(source, folder):
    heard = []
    prepare(source, folder, CONFIG, workers=1, progress=lambda *numbers: heard.append(numbers))
    done, totals = zip(*heard, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {12} == {done[-1]}


def test_workers_change_nothing(whole, source, folder):
    prepare(source, folder, CONFIG, workers=2)
    assert files(folder) == files(whole[0])


KILLED = """
import os, signal, sys
from pathlib import Path
from tfdream.config import PrepareConfig
from tfdream.datasets.prepare import prepare

def die(done, total):
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    config = PrepareConfig.model_validate_json(sys.argv[3])
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), config, workers=2, progress=die)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_no_worker_and_a_dataset_to_go_on_with(
    whole, source, folder, tmp_path
):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    # Workers that outlived it would hold its standard output open, and this call up.
    done = subprocess.run(
        [sys.executable, script, source, folder, CONFIG.model_dump_json()],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -9
    assert list(folder.glob("*.tfrecord"))
    prepare(source, folder, CONFIG, workers=1)
    assert files(folder) == files(whole[0])


@pytest.mark.parametrize("change", [{"clip_seconds": 0.5}, {"seed": 1}, {"gain": 0.5}])
def test_other_settings_are_refused(whole, source, change):
    folder, _ = whole
    before = files(folder)
    with pytest.raises(DatasetError, match=r"other settings.*--force"):
        prepare(source, folder, CONFIG.model_copy(update=change), workers=1)
    assert files(folder) == before


def test_other_settings_are_refused_halfway_too(source, folder):
    with pytest.raises(KeyboardInterrupt):
        prepare(source, folder, CONFIG, workers=1, progress=stop_after(1))
    before = files(folder)
    with pytest.raises(DatasetError, match=r"other settings.*--force"):
        prepare(source, folder, CONFIG.model_copy(update={"gain": 0.5}), workers=1)
    assert files(folder) == before


def test_a_source_that_changed_is_refused(own_source, folder):
    prepare(own_source, folder, CONFIG, workers=1)
    shutil.copy(own_source / "tones/0.wav", own_source / "tones/9.wav")
    with pytest.raises(DatasetError, match="another state of the source"):
        prepare(own_source, folder, CONFIG, workers=1)


def test_force_starts_anew_and_leaves_no_old_shard(source, folder):
    prepare(source, folder, CONFIG.model_copy(update={"shard_clips": 1}), workers=1)
    many = len(list(folder.glob("*.tfrecord")))
    prepare(source, folder, CONFIG, workers=1, force=True)
    shards = {shard.name for shard in records.load(folder).shards}
    assert {path.name for path in folder.glob("*.tfrecord")} == shards
    assert len(shards) < many


def test_force_forgets_an_unfinished_dataset(whole, source, folder):
    with pytest.raises(KeyboardInterrupt):
        prepare(
            source,
            folder,
            CONFIG.model_copy(update={"gain": 0.5}),
            workers=1,
            progress=stop_after(2),
        )
    prepare(source, folder, CONFIG, workers=1, force=True)
    assert files(folder) == files(whole[0])


def test_force_mends_a_damaged_shard(whole, source, folder):
    shutil.copytree(whole[0], folder)
    shard = next(folder.glob("*.tfrecord"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DatasetError, match=rf"{shard.name}' has 100 bytes.*--force"):
        prepare(source, folder, CONFIG, workers=1)
    prepare(source, folder, CONFIG, workers=1, force=True)
    assert files(folder) == files(whole[0])


def test_files_that_give_nothing_are_listed_with_their_reasons(own_source, folder):
    (own_source / "noise/notes.txt").write_text("none")
    (own_source / "stray.wav").write_bytes((own_source / "noise/0.wav").read_bytes())
    (own_source / "noise/damaged.wav").write_bytes(b"RIFF" + bytes(100))
    soundfile.write(own_source / "tones/short.flac", np.zeros(800), 8000)
    soundfile.write(own_source / "tones/nan.wav", np.full(16000, np.nan), 8000, "FLOAT")
    result = prepare(own_source, folder, CONFIG, workers=1)
    reasons = {entry["path"]: entry["reason"] for entry in result["skipped"]}
    assert reasons.pop("noise/notes.txt").startswith("'.txt' is not the extension")
    assert reasons.pop("stray.wav") == "not inside the sub-folder of a label"
    assert reasons.pop("noise/damaged.wav").startswith("cannot be decoded")
    assert reasons.pop("tones/short.flac").startswith("0.10 s between the trims are shorter")
    assert reasons.pop("tones/nan.wav").startswith("holds NaN")
    assert reasons == {}
    assert (result["tracks"], result["clips"]) == (12, 37)
    described = json.loads((folder / records.DESCRIPTION).read_text())["skipped"]
    assert described == [[entry["path"], entry["reason"]] for entry in result["skipped"]]


def test_skipped_files_survive_an_interruption(own_source, folder, tmp_path):
    for label in ("noise", "tones"):
        for number in range(6):
            (own_source / label / f"damaged{number}.wav").write_bytes(b"RIFF")
    prepare(own_source, tmp_path / "whole", CONFIG, workers=1)
    with pytest.raises(KeyboardInterrupt):
        prepare(own_source, folder, CONFIG, workers=1, progress=stop_after(2))
    result = prepare(own_source, folder, CONFIG, workers=1)
    assert len(result["skipped"]) == 12
    assert files(folder) == files(tmp_path / "whole")


def test_a_source_without_a_usable_file_is_an_error_with_a_reason(tmp_path, folder):
    for number in range(3):
        path = tmp_path / "source/label" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"none")
    with pytest.raises(DatasetError, match=r"gave a clip \(label/0.wav: cannot be decoded"):
        prepare(tmp_path / "source", folder, CONFIG, workers=1)
    assert list(folder.iterdir()) == []


def test_a_link_to_nowhere_is_told(own_source, folder):
    (own_source / "tones/gone.wav").symlink_to("nowhere.wav")
    (skipped,) = prepare(own_source, folder, CONFIG, workers=1)["skipped"]
    assert skipped == {"path": "tones/gone.wav", "reason": "does not exist or is not a file"}


def test_a_name_that_is_not_unicode_is_skipped(own_source, folder):
    odd = own_source / os.fsdecode(b"tones/caf\xe9.wav")
    shutil.copy(own_source / "tones/0.wav", odd)
    (skipped,) = prepare(own_source, folder, CONFIG, workers=1)["skipped"]
    assert skipped["path"] == r"tones/caf\udce9.wav"
    assert "Unicode" in skipped["reason"]
