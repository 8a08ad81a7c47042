import os
import re
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import PosixPath

import numpy as np
import pytest
import soundfile

from tfdream.config import PrepareConfig
from tfdream.datasets.preparation import cutting
from tfdream.datasets.preparation.workers import Workers
from tfdream.datasets.sources.tracks import Skipped, Track
from tfdream.errors import AudioError
from tfdream.io import processes

RATE = 8000


def settings(**changes):
    return PrepareConfig(sample_rate=RATE, clip_seconds=1.0, **changes)


def counting(seconds):
    """Samples whose values are their positions."""
    return np.arange(1, round(seconds * RATE) + 1, dtype=np.int16)


def write(path, pcm, rate=RATE):
    soundfile.write(path, pcm, rate, "PCM_16")
    return path


def cut(path, config):
    return [np.frombuffer(clip, "<i2") for clip in cutting.cut(path, config)]


@pytest.fixture
def counted(tmp_path):
    """2.6 seconds: two clips and six tenths of one."""
    return write(tmp_path / "counted.wav", counting(2.6))


def test_clips_are_exact_consecutive_slices(counted):
    first, second = cut(counted, settings())
    assert np.array_equal(np.concatenate([first, second]), counting(2.0))


def test_an_incomplete_last_clip_is_filled_with_zeros(counted):
    last = cut(counted, settings(tail="zeros"))[2]
    assert np.array_equal(last, np.pad(counting(2.6)[2 * RATE :], (0, round(0.4 * RATE))))


def test_an_incomplete_last_clip_is_filled_with_itself(counted):
    last = cut(counted, settings(tail="repeat"))[2]
    rest = counting(2.6)[2 * RATE :]
    assert np.array_equal(last, np.concatenate([rest, rest])[:RATE])


@pytest.mark.parametrize(("min_fill", "count"), [(0.0, 3), (0.6, 3), (0.61, 2)])
def test_the_last_clip_is_dropped_below_its_share(counted, min_fill, count):
    assert len(cut(counted, settings(tail="zeros", min_fill=min_fill))) == count


@pytest.mark.parametrize("tail", ["zeros", "repeat"])
def test_the_only_clip_is_filled_however_short(tmp_path, tail):
    path = write(tmp_path / "short.wav", counting(0.01))
    (clip,) = cut(path, settings(tail=tail, min_fill=0.9))
    assert len(clip) == RATE
    assert np.array_equal(clip[:80], counting(0.01))


def test_a_track_shorter_than_a_clip_is_an_error_with_a_remedy(tmp_path):
    path = write(tmp_path / "short.wav", counting(0.5))
    with pytest.raises(AudioError, match=r"0\.50 s .* clip_seconds=1; use tail=zeros"):
        cutting.cut(path, settings())


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (9, 2)])
def test_the_number_of_clips_of_a_track_is_limited(counted, most, count):
    assert len(cutting.cut(counted, settings(max_clips_per_track=most))) == count


def test_trims_remove_the_start_and_the_end(counted):
    trimmed = settings(skip_start_seconds=0.5, skip_end_seconds=0.4, tail="zeros", min_fill=0)
    samples = np.concatenate(cut(counted, trimmed))
    expected = counting(2.6)[round(0.5 * RATE) : round(2.2 * RATE)]
    assert np.array_equal(samples[: len(expected)], expected)
    assert not samples[len(expected) :].any()


@pytest.mark.parametrize("trims", [(2.0, 0.0), (0.0, 2.0)])
def test_trims_that_leave_too_little_are_an_error(counted, trims):
    with pytest.raises(AudioError, match=r"0\.60 s between the trims"):
        cutting.cut(counted, settings(skip_start_seconds=trims[0], skip_end_seconds=trims[1]))


@pytest.mark.parametrize("tail", ["drop", "zeros", "repeat"])
@pytest.mark.parametrize("trims", [(1.3, 1.3), (9.0, 9.0)])
def test_trims_that_remove_the_whole_file_are_an_error(counted, trims, tail):
    trimmed = settings(skip_start_seconds=trims[0], skip_end_seconds=trims[1], tail=tail)
    with pytest.raises(AudioError, match=r"^skip_.* remove the whole file; use smaller values"):
        cutting.cut(counted, trimmed)


def test_channels_are_averaged(tmp_path):
    left = counting(1.0)
    path = write(tmp_path / "stereo.wav", np.stack([left, 3 * left // 2 * 2 - left], axis=1))
    (clip,) = cut(path, settings())
    mid = (left.astype(float) + (3 * left // 2 * 2 - left)) / 2
    assert np.abs(clip - mid).max() <= 0.5  # rounding to 16 bits


@pytest.mark.parametrize("rate", [11025, 44100, 48000])
def test_clips_of_other_rates_have_the_same_duration(tmp_path, rate):
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate) * 16000
    path = write(tmp_path / "tone.wav", tone.astype(np.int16), rate)
    first, second = cut(path, settings(tail="zeros"))
    seconds = np.arange(RATE) / RATE
    for clip in (first, second):  # 440 periods per second: both clips begin at phase 0
        inside = slice(200, -200)  # 25 ms, off the ends, where the resampler rings
        expected = 16000 * np.sin(2 * np.pi * 440 * seconds[inside])
        assert np.abs(clip[inside] - expected).max() < 16  # -60 dB


def test_flac_is_lossless(counted):
    for pcm, flac in zip(
        cut(counted, settings()), cutting.cut(counted, settings(codec="flac")), strict=True
    ):
        (counted.parent / "clip.flac").write_bytes(flac)
        decoded, rate = soundfile.read(counted.parent / "clip.flac", dtype="int16")
        assert rate == RATE
        assert np.array_equal(decoded, pcm)


def track(path):
    return Track(path.name, path, "label", path.name)


def test_unusable_files_are_skipped_with_a_reason(counted):
    folder = counted.parent
    (folder / "text.wav").write_text("not audio")
    empty = write(folder / "empty.wav", counting(0))
    results = list(
        cutting.cut_all(
            [
                track(counted),
                track(folder / "text.wav"),
                track(folder / "gone.wav"),
                track(empty),
                track(write(folder / "short.wav", counting(0.5))),
            ],
            settings(),
            Workers(1),
        )
    )
    assert [track.name for track, _ in results] == [
        "counted.wav",
        "text.wav",
        "gone.wav",
        "empty.wav",
        "short.wav",
    ]
    assert len(results[0][1]) == 2
    reasons = [skipped.reason for _, skipped in results[1:]]
    for reason, words in zip(
        reasons, ["cannot be decoded", "does not exist", "0 samples", "clip_seconds"], strict=True
    ):
        assert words in reason
        assert str(folder) not in reason  # reports are read on other machines


class FakePool:
    """A pool that breaks when the deadly track is submitted, before the slow one is finished."""

    def __init__(self, workers, _initialize, opened, finished):
        self.is_alone = workers == 1
        self.finished = finished
        opened.append(workers)

    def submit(self, work, *arguments):
        future = Future()
        name = arguments[0].name if arguments else ""
        if name == "deadly" or (name == "slow" and not self.is_alone):
            future.set_exception(BrokenProcessPool())
        else:
            future.set_result(work(*arguments))
            self.finished.append(name)
        return future

    def shutdown(self, **_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_after_a_crash_only_unfinished_tracks_are_cut_alone(counted, monkeypatch):
    opened, finished = [], []
    pool = partial(FakePool, opened=opened, finished=finished)
    monkeypatch.setattr(processes, "pool", pool)
    names = ["slow", "a", "deadly", *"bcdef"]
    tracks = [track(counted)._replace(name=name) for name in names]
    with Workers(2) as workers:
        results = dict(cutting.cut_all(tracks, settings(), workers))
        counts = list(cutting.count_all(tracks[:2], settings(), workers))
    assert [one.name for one in results] == names
    assert [one.name for one, result in results.items() if isinstance(result, Skipped)] == [
        "deadly"
    ]
    assert counts == [2, 2]
    assert opened == [2, 1, 1, 2]
    # Checks that processes start have no name.
    assert sorted(name for name in finished if name) == sorted({*names} - {"deadly"})


def test_processes_are_started_before_they_are_needed(counted, monkeypatch):
    opened = []
    monkeypatch.setattr(processes, "pool", partial(FakePool, opened=opened, finished=[]))
    for count, pools in ((2, [2]), (1, [])):  # one worker is this process
        with Workers(count) as workers:
            workers.start()
            assert opened == pools
            assert [*cutting.count_all([track(counted)] * 4, settings(), workers)] == [2] * 4
        assert opened == pools
        opened.clear()


class Deadly(PosixPath):
    """A path that crashes the process that unpickles it, like a damaged file may do."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.slow
def test_a_crash_skips_only_its_file(counted):
    other = write(counted.parent / "other.wav", counting(1.5))
    tracks = [track(counted), track(Deadly("deadly.wav")), track(other), track(counted)]
    with Workers(2) as workers:
        results = list(cutting.cut_all(tracks, settings(), workers))
    assert [one.name for one, _ in results] == [one.name for one in tracks]
    assert results[1][1] == Skipped("deadly.wav", "the decoder crashed on it or did not respond")
    assert results[0][1] == results[3][1] == cutting.cut(counted, settings())
    assert results[2][1] == cutting.cut(other, settings())


def test_workers_that_cannot_start_are_an_error_and_no_file_is_skipped(counted, tmp_path):
    # Spawned processes run the script again; this one lacks the guard against that.
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from pathlib import Path\n"
        "from tfdream.config import PrepareConfig\n"
        "from tfdream.datasets.preparation.cutting import cut_all\n"
        "from tfdream.datasets.preparation.workers import Workers\n"
        "from tfdream.datasets.sources.tracks import Track\n"
        f"track = Track('a', Path({str(counted)!r}), 'a', 'a')\n"
        "print(list(cut_all([track] * 4, PrepareConfig(), Workers(2))))\n"
    )
    done = subprocess.run(
        [sys.executable, script], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode
    assert done.stdout == ""
    # Messages of the processes that did not start may follow.
    (error,) = re.findall(r"(?m)^tfdream\.errors\.DatasetError.*", done.stderr)
    assert "__main__" in error
