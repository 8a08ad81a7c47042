from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import names

from tfdream.config import RenderConfig
from tfdream.errors import AudioError
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.batch import process_folder
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.snapshots import Snapshots, snapshot_path
from tfdream.synthesis.rendering.tile_recipe import TileRecipe
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles

SAMPLES = 10


def tiles(batch=1, channels=2):
    channels = np.zeros((batch, SAMPLES, channels), np.float32)
    return Tiles(channels, np.ones(batch), np.arange(batch), np.zeros(batch, int))


def sound(value, batch=1, channels=2):
    """What tiles are like, to be told apart by a number."""
    return np.full((batch, SAMPLES, channels), value, np.float32)


@pytest.mark.parametrize(
    ("every", "steps", "kept"),
    [
        (None, 20, []),
        (5, 20, [5, 10, 15, 20]),
        (6, 20, [6, 12, 18]),
        (20, 20, [20]),
        (21, 20, []),
        (1, 3, [1, 2, 3]),
    ],
)
def test_every_so_many_steps_are_kept(every, steps, kept):
    snapshots = Snapshots(every, steps)
    assert snapshots.steps == kept
    assert [step for step in range(steps + 5) if snapshots.includes(step)] == kept


def test_what_was_kept_is_replayed_step_by_step_and_tile_by_tile():
    with Snapshots(2, 4) as snapshots:
        for tile in range(3):
            snapshots.add(sound(10 * tile + 2))
            snapshots.add(sound(10 * tile + 4))
            snapshots.finish(sound(10 * tile + 9))
        for number, replay in snapshots.replays():
            for tile in range(3):
                assert np.array_equal(replay(tiles()), sound(10 * tile + number))


def test_tiles_that_ended_early_stay_as_they_were_then():
    """At a plateau, or when somebody stopped: later snapshots have what is there."""
    with Snapshots(2, 6) as snapshots:
        snapshots.add(sound(2))
        snapshots.finish(sound(3))
        snapshots.finish(sound(7))
        values = {
            number: [replay(tiles())[0, 0, 0] for _ in range(2)]
            for number, replay in snapshots.replays()
        }
    assert values == {2: [2, 7], 4: [3, 7], 6: [3, 7]}


def test_a_stopped_job_has_no_snapshots_of_steps_that_no_tile_reached():
    with Snapshots(2, 6) as snapshots:
        snapshots.add(sound(2))
        snapshots.finish(sound(3))
        snapshots.finish(sound(7))
        assert [step for step, _ in snapshots.replays(stopped=True)] == [2]


@pytest.mark.parametrize("channels", [1, 5])
def test_batches_may_differ_in_size(channels):
    with Snapshots(1, 1) as snapshots:
        for value, batch in ((1, 3), (2, 2)):
            snapshots.add(sound(value, batch, channels))
            snapshots.finish(sound(0, batch, channels))
        ((number, replay),) = snapshots.replays()
        assert number == 1
        for value, batch in ((1, 3), (2, 2)):
            assert np.array_equal(replay(tiles(batch, channels)), sound(value, batch, channels))


def test_sound_of_any_type_and_order_is_kept_as_it_is():
    rng = np.random.default_rng(0)
    wild = rng.normal(0, 3, (1, 2, SAMPLES)).transpose(0, 2, 1)  # float64, not contiguous
    with Snapshots(1, 1) as snapshots:
        snapshots.add(wild)
        snapshots.finish(wild)
        ((_, replay),) = snapshots.replays()
        np.testing.assert_array_equal(replay(tiles()), wild.astype(np.float32))


def test_nothing_is_kept_without_a_number():
    with Snapshots(None, 100) as snapshots:
        assert not snapshots.includes(100)
        snapshots.finish(sound(1))
        assert list(snapshots.replays()) == []


@pytest.mark.parametrize(
    ("step", "steps", "name"),
    [
        (20, 100, "song-020.flac"),
        (100, 100, "song-100.flac"),
        (3, 9, "song-3.flac"),
        (9, 10, "song-09.flac"),
    ],
)
def test_numbers_sort_like_their_steps(step, steps, name):
    assert snapshot_path(Path("folder/song.flac"), step, steps) == Path("folder") / name


class Fade(TileRecipe):
    """A recipe of four steps, each of which halves the level."""

    config = RenderConfig()
    sample_rate, steps, goal = 8000, 4, None
    grid = TileGrid(samples=1000, overlap=100)

    def processor(self, source):
        return self

    def identify(self, source):
        return {"command": "dream", "source": str(source)}

    def process(self, tiles, on_step=None, apply=True):
        levels = [tiles.channels * np.float32(0.5**step) for step in range(1, self.steps + 1)]
        for level in levels:
            on_step(0.0, lambda level=level: level)
        return levels[-1], {}

    def compare(self, original, changed):
        return {}


@pytest.fixture
def songs(tmp_path):
    """A folder with two recordings: a snapshot of one would have the name of the other."""
    folder = tmp_path / "songs"
    folder.mkdir()
    for name in ("song.wav", "song-2.wav"):
        soundfile.write(folder / name, np.full(1000, 0.5), 8000)
    return folder


@pytest.mark.parametrize("order", [("song-2.wav", "song.wav"), ("song.wav", "song-2.wav")])
def test_a_snapshot_never_replaces_an_output_of_the_same_call(songs, tmp_path, order):
    options = RenderOptions(save_every=1, force=True)
    sources = [songs / name for name in order]
    result = process_folder(sources, tmp_path / "out", Fade(), options)
    ((skipped),) = result["skipped"]
    assert Path(skipped["path"]).name == "song.wav"
    assert "song-2.wav' of 'song.wav' would replace the output" in skipped["reason"]
    snapshots = [f"song-2-{step}.wav" for step in range(1, 5)]
    assert names(tmp_path / "out") == [*snapshots, "song-2.wav", "song-2.wav.json"]


def test_a_snapshot_never_replaces_an_output_of_an_earlier_call(songs, tmp_path):
    fade, other, output = Fade(), tmp_path / "song-2.wav", tmp_path / "song.wav"
    fade(songs / "song-2.wav", other)
    options = RenderOptions(save_every=1, force=True)
    before = other.read_bytes()
    with pytest.raises(AudioError, match=r"song-2\.wav' of 'song\.wav' would replace the output"):
        fade(songs / "song.wav", output, options)
    assert (other.read_bytes(), output.exists()) == (before, False)
    assert sidecar.status(other, fade.provenance(songs / "song-2.wav")) == "complete"
    fade(songs / "song.wav", output, RenderOptions(save_every=3, force=True))
    assert names(tmp_path)[:2] == ["song-2.wav", "song-2.wav.json"]
    for _ in range(2):  # its own snapshots are replaced
        fade(songs / "song.wav", output, RenderOptions(save_every=3, force=True))
