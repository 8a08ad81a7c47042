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
from tfdream.datasets import feature_files, manifest, records
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.errors import DatasetError

CONFIG = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=3, shard_clips=5)
ONE_WORKER = PrepareOptions(workers=1)
FORCED = PrepareOptions(workers=1, force=True)


def files(folder):
    """The content of every file in a folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def stop_after(calls):
    """A progress function that raises KeyboardInterrupt after some shards."""
    reports = []

    def progress(done, total, note=""):
        reports.append(done)
        if len(reports) == calls:
            raise KeyboardInterrupt

    return progress


@pytest.fixture(scope="module")
def complete(source, tmp_path_factory):
    """A dataset that was written without interruption, and the result of the call."""
    folder = tmp_path_factory.mktemp("complete") / "dataset"
    return folder, prepare(source, folder, CONFIG, ONE_WORKER)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "dataset"


@pytest.fixture
def editable_source(source, tmp_path):
    """A copy of the source for tests that change it."""
    return shutil.copytree(source, tmp_path / "source")


def read_records(folder):
    """Pairs of track and label of every record, by shard."""
    dataset = manifest.load(folder)
    for shard in dataset.shards:
        parsed = [
            records.parse(one, dataset.config)
            for one in tf.data.TFRecordDataset(str(folder / shard.name))
        ]
        yield shard, [(clip["track"].numpy().decode(), int(clip["label"])) for clip in parsed]


def test_counts_add_up(complete):
    folder, result = complete
    dataset = manifest.load(folder)
    written = Counter(clip for _, clips in read_records(folder) for clip in clips)
    # Six tracks of 3.3 s for each label, one of them of 4.3 s.
    assert result["clips"] == written.total() == dataset.clips == 6 * 3 + 6 * 3 + 1
    assert result["tracks"] == len(written) == dataset.tracks == 12
    assert result["audio_seconds"] == 37.0
    assert result["clips_per_label"] == {"noise": 19, "tones": 18}
    assert result["shards"] == len(list(folder.glob("*.tfrecord")))
    assert result["skipped"] == []
    assert result["wall_seconds"] > 0


def test_the_manifest_describes_the_shards(complete):
    folder, _ = complete
    for shard, clips in read_records(folder):
        assert Counter(track for track, _ in clips) == shard.tracks
        assert len(clips) == shard.clips


def test_a_track_has_the_label_of_its_folder(complete):
    labels = manifest.load(complete[0]).labels
    for _, clips in read_records(complete[0]):
        assert all(labels[label] == track.split("/")[0] for track, label in clips)


def test_the_clips_of_a_track_stay_in_one_fold(complete):
    folds = {}
    for shard, clips in read_records(complete[0]):
        for track, _ in clips:
            assert folds.setdefault(track, shard.fold) == shard.fold
    assert Counter(folds.values()) == {0: 4, 1: 4, 2: 4}


def test_a_group_stays_in_one_fold(editable_source, folder):
    names = [f"{label}/{number}.wav" for label in ("noise", "tones") for number in range(6)]
    rows = [f"{name},{name.split('/')[0]},artist{int(name[-5]) // 2}" for name in names]
    (editable_source / "manifest.csv").write_text("\n".join(["path,label,group", *rows]))
    prepare(editable_source, folder, CONFIG, ONE_WORKER)
    folds = {}
    for shard in manifest.load(folder).shards:
        for track in shard.tracks:
            folds.setdefault(int(track[-5]) // 2, set()).add(shard.fold)
    assert len(folds) == 3
    assert all(len(numbers) == 1 for numbers in folds.values())


def test_the_folder_contains_only_shards_and_the_manifest(complete):
    folder, _ = complete
    shards = {shard.name for shard in manifest.load(folder).shards}
    assert set(files(folder)) == shards | {manifest.MANIFEST}


def test_a_second_call_writes_nothing(complete, source):
    folder, result = complete
    before = files(folder), times(folder)
    again = prepare(source, folder, CONFIG, ONE_WORKER)
    assert (files(folder), times(folder)) == before
    assert again | {"wall_seconds": 0} == result | {"wall_seconds": 0}


def test_the_bytes_do_not_depend_on_the_location_of_the_source(complete, editable_source, folder):
    prepare(editable_source, folder, CONFIG, ONE_WORKER)
    assert files(folder) == files(complete[0])


@pytest.mark.parametrize("shards", [1, 4])
def test_a_call_after_an_interruption_writes_only_missing_shards(complete, source, folder, shards):
    with pytest.raises(KeyboardInterrupt):
        prepare(source, folder, CONFIG, ONE_WORKER, progress=stop_after(shards))
    finished = {path.name: times(folder)[path.name] for path in folder.glob("*.tfrecord")}
    assert len(finished) == shards
    with pytest.raises(DatasetError, match="not a finished dataset"):
        manifest.load(folder)
    prepare(source, folder, CONFIG, ONE_WORKER)
    assert files(folder) == files(complete[0])
    assert finished.items() <= times(folder).items()  # finished shards are not written again


def test_a_shard_without_a_journal_entry_is_written_again(complete, source, folder):
    with pytest.raises(KeyboardInterrupt):
        prepare(source, folder, CONFIG, ONE_WORKER, progress=stop_after(3))
    min(folder.glob(".journal/*.json")).unlink()
    min(folder.glob("*.tfrecord")).write_bytes(b"half")
    prepare(source, folder, CONFIG, ONE_WORKER)
    assert files(folder) == files(complete[0])


def test_shards_are_of_even_size(tmp_path, folder):
    seconds = np.random.default_rng(0).uniform(1.5, 6, 60)
    for number, length in enumerate(seconds):
        path = tmp_path / "source/label" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(round(8000 * length)), 8000)
    prepare(tmp_path / "source", folder, CONFIG.model_copy(update={"shard_clips": 20}), ONE_WORKER)
    sizes = [shard.clips for shard in manifest.load(folder).shards]
    assert sum(sizes) == np.floor(seconds).sum()
    # Tracks of up to five clips are not split, so that shards are rarely filled exactly.
    assert 20 - 5 <= min(sizes) <= max(sizes) <= 20 + 5


def test_progress_ends_at_all_tracks(source, folder):
    reports = []
    prepare(source, folder, CONFIG, ONE_WORKER, progress=lambda *numbers: reports.append(numbers))
    done, totals = zip(*reports, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {12} == {done[-1]}


def test_the_bytes_do_not_depend_on_the_number_of_workers(complete, source, folder):
    prepare(source, folder, CONFIG, PrepareOptions(workers=2))
    assert files(folder) == files(complete[0])


KILLED = """
import os, signal, sys
from pathlib import Path
from tfdream.config import PrepareConfig
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare

def die(done, total, note=""):
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    config = PrepareConfig.model_validate_json(sys.argv[3])
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), config, PrepareOptions(workers=2), progress=die)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_no_worker_and_a_dataset_that_can_be_completed(
    complete, source, folder, tmp_path
):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    # A surviving worker would keep standard output open, and this call waiting.
    done = subprocess.run(
        [sys.executable, script, source, folder, CONFIG.model_dump_json()],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -9
    assert list(folder.glob("*.tfrecord"))
    prepare(source, folder, CONFIG, ONE_WORKER)
    assert files(folder) == files(complete[0])


@pytest.mark.parametrize("change", [{"clip_seconds": 0.5}, {"seed": 1}, {"tail": "zeros"}])
def test_other_settings_are_rejected(complete, source, change):
    folder, _ = complete
    before = files(folder)
    with pytest.raises(DatasetError, match=r"other settings.*--force"):
        prepare(source, folder, CONFIG.model_copy(update=change), ONE_WORKER)
    assert files(folder) == before


def test_other_settings_are_rejected_for_an_unfinished_dataset_too(source, folder):
    with pytest.raises(KeyboardInterrupt):
        prepare(source, folder, CONFIG, ONE_WORKER, progress=stop_after(1))
    before = files(folder)
    with pytest.raises(DatasetError, match=r"other settings.*--force"):
        prepare(source, folder, CONFIG.model_copy(update={"tail": "zeros"}), ONE_WORKER)
    assert files(folder) == before


def test_a_changed_source_is_rejected(editable_source, folder):
    prepare(editable_source, folder, CONFIG, ONE_WORKER)
    shutil.copy(editable_source / "tones/0.wav", editable_source / "tones/9.wav")
    with pytest.raises(DatasetError, match="another state of the source"):
        prepare(editable_source, folder, CONFIG, ONE_WORKER)


def test_a_file_that_was_edited_in_place_is_another_state(editable_source, folder):
    prepare(editable_source, folder, CONFIG, ONE_WORKER)
    path = editable_source / "tones/0.wav"
    samples, rate = soundfile.read(path)
    size = path.stat().st_size
    soundfile.write(path, 0.5 * samples, rate, "PCM_16")
    assert path.stat().st_size == size
    with pytest.raises(DatasetError, match="another state of the source"):
        prepare(editable_source, folder, CONFIG, ONE_WORKER)


def test_a_number_of_folds_that_the_source_overrides_is_noted(editable_source, folder, caplog):
    rows = [f"{label}/{number}.wav,{label},{number % 2}" for label in ("noise", "tones")
            for number in range(6)]  # fmt: skip
    (editable_source / "manifest.csv").write_text("\n".join(["path,label,fold", *rows]))
    prepare(editable_source, folder, CONFIG, ONE_WORKER)
    assert "specifies 2 folds, so prepare.folds=3 is not used; --deal-folds" in caplog.text


def test_force_removes_the_old_shards(source, folder):
    prepare(source, folder, CONFIG.model_copy(update={"shard_clips": 1}), ONE_WORKER)
    many = len(list(folder.glob("*.tfrecord")))
    prepare(source, folder, CONFIG, FORCED)
    shards = {shard.name for shard in manifest.load(folder).shards}
    assert {path.name for path in folder.glob("*.tfrecord")} == shards
    assert len(shards) < many


def test_force_removes_stored_features_and_no_other_files(source, folder):
    stored = folder / feature_files.FOLDER / "features-0123456789ab" / "fold0-00000.tfrecord.h5"
    other = folder / feature_files.FOLDER / "other" / "fold0-00000.tfrecord.h5"
    unfinished = feature_files._temporary_path(stored, "killed")
    for path in (stored, unfinished, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    prepare(source, folder, CONFIG, FORCED)
    assert not stored.parent.exists()
    assert other.exists()
    shutil.copytree(other.parent, stored.parent)
    shutil.rmtree(other.parent)
    prepare(source, folder, CONFIG, FORCED)
    assert not (folder / feature_files.FOLDER).exists()


def test_force_discards_an_unfinished_dataset(complete, source, folder):
    with pytest.raises(KeyboardInterrupt):
        prepare(
            source,
            folder,
            CONFIG.model_copy(update={"tail": "zeros"}),
            ONE_WORKER,
            progress=stop_after(2),
        )
    prepare(source, folder, CONFIG, FORCED)
    assert files(folder) == files(complete[0])


def test_force_replaces_a_damaged_shard(complete, source, folder):
    shutil.copytree(complete[0], folder)
    shard = next(folder.glob("*.tfrecord"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DatasetError, match=rf"{shard.name}' has 100 bytes.*--force"):
        prepare(source, folder, CONFIG, ONE_WORKER)
    prepare(source, folder, CONFIG, FORCED)
    assert files(folder) == files(complete[0])


def test_skipped_files_are_listed_with_their_reasons(editable_source, folder):
    (editable_source / "noise/notes.txt").write_text("none")
    (editable_source / "stray.wav").write_bytes((editable_source / "noise/0.wav").read_bytes())
    (editable_source / "noise/damaged.wav").write_bytes(b"RIFF" + bytes(100))
    soundfile.write(editable_source / "tones/short.flac", np.zeros(800), 8000)
    soundfile.write(editable_source / "tones/nan.wav", np.full(16000, np.nan), 8000, "FLOAT")
    result = prepare(editable_source, folder, CONFIG, ONE_WORKER)
    reasons = {entry["path"]: entry["reason"] for entry in result["skipped"]}
    assert reasons.pop("noise/notes.txt").startswith("'.txt' is not the extension")
    assert reasons.pop("stray.wav") == "not inside the sub-folder of a label"
    assert reasons.pop("noise/damaged.wav").startswith("cannot be decoded")
    assert reasons.pop("tones/short.flac").startswith("0.10 s between the trims are shorter")
    assert reasons.pop("tones/nan.wav").startswith("has NaN")
    assert reasons == {}
    assert (result["tracks"], result["clips"]) == (12, 37)
    described = json.loads((folder / manifest.MANIFEST).read_text())["skipped"]
    assert described == [[entry["path"], entry["reason"]] for entry in result["skipped"]]


def test_skipped_files_survive_an_interruption(editable_source, folder, tmp_path):
    for label in ("noise", "tones"):
        for number in range(6):
            (editable_source / label / f"damaged{number}.wav").write_bytes(b"RIFF")
    prepare(editable_source, tmp_path / "complete", CONFIG, ONE_WORKER)
    with pytest.raises(KeyboardInterrupt):
        prepare(editable_source, folder, CONFIG, ONE_WORKER, progress=stop_after(2))
    result = prepare(editable_source, folder, CONFIG, ONE_WORKER)
    assert len(result["skipped"]) == 12
    assert files(folder) == files(tmp_path / "complete")


def test_a_source_without_a_usable_file_is_an_error_with_a_reason(tmp_path, folder):
    for number in range(3):
        path = tmp_path / "source/label" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"none {number}")
    with pytest.raises(DatasetError, match=r"has a clip \(label/0.wav: cannot be decoded"):
        prepare(tmp_path / "source", folder, CONFIG, ONE_WORKER)
    assert list(folder.iterdir()) == []


def test_a_broken_link_is_reported(editable_source, folder):
    (editable_source / "tones/gone.wav").symlink_to("nowhere.wav")
    (skipped,) = prepare(editable_source, folder, CONFIG, ONE_WORKER)["skipped"]
    assert skipped == {"path": "tones/gone.wav", "reason": "does not exist or is not a file"}


def test_a_name_that_is_not_unicode_is_skipped(editable_source, folder):
    odd = editable_source / os.fsdecode(b"tones/caf\xe9.wav")
    shutil.copy(editable_source / "tones/0.wav", odd)
    (skipped,) = prepare(editable_source, folder, CONFIG, ONE_WORKER)["skipped"]
    assert skipped["path"] == r"tones/caf\udce9.wav"
    assert "Unicode" in skipped["reason"]


@pytest.mark.parametrize("split", ["tracks", "segments"])
def test_a_label_without_clips_is_named(editable_source, folder, caplog, split):
    (editable_source / "voices").mkdir()
    for number in range(3):
        (editable_source / f"voices/{number}.wav").write_bytes(b"no audio" * (number + 1))
    config = CONFIG.model_copy(update={"split": split, "gap_seconds": 0.0})
    result = prepare(editable_source, folder, config, ONE_WORKER)
    (warning,) = result["warnings"]
    assert warning == "label 'voices' has no clip, because all of its files are skipped"
    assert warning in caplog.text
    assert prepare(editable_source, folder, config, ONE_WORKER)["warnings"] == [warning]


# Duplicates


def test_identical_files_never_split_over_folds_and_are_named(editable_source, folder, caplog):
    for number in (7, 8):
        shutil.copy(editable_source / "tones/0.wav", editable_source / f"tones/{number}.wav")
    (editable_source / "Noise").mkdir()
    shutil.copy(editable_source / "noise/1.wav", editable_source / "Noise/1.wav")
    result = prepare(editable_source, folder, CONFIG, ONE_WORKER)
    folds = {track: shard.fold for shard in manifest.load(folder).shards for track in shard.tracks}
    assert folds["tones/0.wav"] == folds["tones/7.wav"] == folds["tones/8.wav"]
    assert folds["noise/1.wav"] == folds["Noise/1.wav"]
    one, other, labels = result["warnings"]
    assert one.startswith("'Noise/1.wav' and 'noise/1.wav' are identical, but have the labels")
    assert other.startswith("'tones/0.wav' and 'tones/7.wav' and 'tones/8.wav' are identical")
    assert labels.startswith("labels 'Noise' and 'noise' differ only in case or spaces")
    assert [record.message for record in caplog.records] == result["warnings"]
    assert prepare(editable_source, folder, CONFIG, ONE_WORKER)["warnings"] == result["warnings"]


def test_repeated_names_of_a_label_are_noted_for_transfer_networks(
    editable_source, tmp_path, caplog
):
    (editable_source / "tones/cd2").mkdir()
    (editable_source / "tones/5.wav").rename(editable_source / "tones/cd2/0.wav")
    options = PrepareOptions(workers=1, group_scores=True)
    (warning,) = prepare(editable_source, tmp_path / "scores", CONFIG, options)["warnings"]
    assert "of tones, 'tones/0.wav' and 'tones/cd2/0.wav' count as the same music" in warning
    assert warning in caplog.text


def test_sources_without_duplicates_have_no_warnings(complete):
    assert complete[1]["warnings"] == []
