import numpy as np
import pytest
import soundfile

from tfdream import audio
from tfdream.config import TilesConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.synthesis.rendering.tiles import TileGrid, change_file, mid_tiles

RATE = 8000  # of the tiles
GRID = TileGrid(samples=1000, overlap=200, batch=3)


def noise(samples, channels=1):
    return np.random.default_rng(samples).uniform(-0.5, 0.5, (samples, channels))


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, "FLOAT")
    return path


def changed(path, change, grid=GRID):
    """What a change of its tiles makes of a file, exactly: float32 in, float32 out."""
    output = path.with_name("changed.wav")
    written = change_file(path, output, RATE, grid, change, bits=32)
    samples, rate = soundfile.read(output, dtype="float32", always_2d=True)
    assert (written.sample_rate, written.channels, written.samples) == (rate, *samples.shape[::-1])
    assert written.peak == pytest.approx(np.abs(samples).max(), abs=1e-7)
    return samples


def original(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def unchanged(tiles):
    return tiles.channels


# The grid

LENGTHS = [1, 199, 200, 201, 999, 1000, 1001, 1799, 1800, 1801, 5000, 70000]
GRIDS = pytest.mark.parametrize(
    "grid", [GRID, TileGrid(1000, 0), TileGrid(1000, 500, batch=2), TileGrid(7, 3, batch=64)]
)


@GRIDS
@pytest.mark.parametrize("samples", LENGTHS)
@pytest.mark.parametrize("block", [137, 65536])
def test_as_many_tiles_are_cut_as_are_counted(grid, samples, block):
    signal = noise(samples).astype(np.float32)
    blocks = (signal[start : start + block] for start in range(0, samples, block))
    batches = list(grid.cut(blocks))
    assert sum(len(tiles.waveforms) for tiles in batches) == grid.count(samples)
    assert all(len(tiles.waveforms) <= grid.batch for tiles in batches)
    assert all(tiles.waveforms.shape[1] == grid.samples for tiles in batches)


@GRIDS
@pytest.mark.parametrize("samples", LENGTHS)
def test_tiles_are_the_signal(grid, samples):
    signal = noise(samples, 2).astype(np.float32)
    padded = np.pad(signal, ((0, max(0, grid.samples - samples)), (0, 0)))
    tiles, weights, starts, skips = (
        np.concatenate(parts) for parts in zip(*grid.cut([signal], 2), strict=True)
    )
    assert np.array_equal(starts + skips, np.arange(len(tiles)) * grid.hop)
    for start, tile in zip(starts, tiles, strict=True):
        assert np.array_equal(tile, padded[start : start + grid.samples])
    assert (weights[:-1] == 1).all()
    # The last weight is its share of new signal: no sample is missed, and none invented.
    assert weights[-1] * grid.samples == pytest.approx(samples - (len(tiles) - 1) * grid.hop)


def test_the_last_tile_ends_with_the_recording():
    signal = np.arange(1900, dtype=np.float32)[:, None]
    (tiles,) = TileGrid(1000, 200, batch=3).cut([signal])
    assert tiles.starts.tolist() == [0, 800, 900]
    assert tiles.skips.tolist() == [0, 0, 700]
    assert np.array_equal(tiles.channels[2], signal[900:])


def test_a_recording_shorter_than_a_tile_is_filled_up_with_zeros():
    (tiles,) = GRID.cut([np.ones((300, 1), np.float32)])
    assert tiles.channels[0, :, 0].sum() == 300
    assert (tiles.starts, tiles.skips) == ([0], [0])


def test_a_grid_follows_its_configuration():
    config = TilesConfig(seconds=2.0, overlap_seconds=0.25, batch=4)
    assert TileGrid.build(config, 4000, RATE) == TileGrid(16000, 2000, 4)
    assert TileGrid.build(TilesConfig(overlap_seconds=0.1), 4000, RATE) == TileGrid(4000, 800, 1)


def test_an_overlap_of_half_a_tile_is_the_most():
    assert TileGrid.build(TilesConfig(overlap_seconds=0.25), 4000, RATE).hop == 2000
    with pytest.raises(ConfigError, match=r"tiles.overlap_seconds=0.3 is more than half .* 0.5 s"):
        TileGrid.build(TilesConfig(overlap_seconds=0.3), 4000, RATE)


# Files


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("samples", [1, 2, 999, 1801, 30011])
def test_no_change_gives_back_the_samples_to_the_bit(tmp_path, rate, channels, samples):
    path = write(tmp_path / "file.wav", noise(samples, channels), rate)
    assert np.array_equal(changed(path, unchanged), original(path))


@pytest.mark.parametrize("bits", [16, 24])
def test_no_change_keeps_a_16_bit_file(tmp_path, bits):
    pcm = np.random.default_rng(0).integers(-30000, 30000, (3000, 2), np.int16)
    soundfile.write(tmp_path / "file.flac", pcm, 44100, "PCM_16")
    change_file(tmp_path / "file.flac", tmp_path / "out.flac", RATE, GRID, unchanged, bits)
    assert np.array_equal(soundfile.read(tmp_path / "out.flac", dtype="int16")[0], pcm)


@GRIDS
@pytest.mark.parametrize("samples", [1, 1000, 1001, 9999])
def test_an_added_constant_has_no_seam(tmp_path, grid, samples):
    path = write(tmp_path / "file.wav", noise(samples, 2))
    added = changed(path, lambda tiles: tiles.channels + np.float32(0.125), grid) - original(path)
    np.testing.assert_allclose(added, 0.125, atol=1e-6)  # float32


@GRIDS
def test_an_added_ramp_has_no_seam(tmp_path, grid):
    samples = 9999
    path = write(tmp_path / "file.wav", noise(samples))
    ramp = np.linspace(0, 0.4, samples + grid.samples, dtype=np.float32)

    def add_ramp(tiles):
        there = [ramp[start : start + grid.samples] for start in tiles.starts]
        return tiles.channels + np.stack(there)[..., np.newaxis]

    added = changed(path, add_ramp, grid) - original(path)
    np.testing.assert_allclose(added[:, 0], ramp[:samples], atol=1e-6)  # float32


def test_neighbors_that_disagree_are_cross_faded(tmp_path):
    path = write(tmp_path / "file.wav", noise(1800))
    heights = iter([0.0, 0.3])
    grid = TileGrid(1000, 200, batch=1)
    added = changed(path, lambda tiles: tiles.channels + np.float32(next(heights)), grid)
    added = (added - original(path))[:, 0]
    np.testing.assert_allclose(added[:800], 0, atol=1e-6)
    np.testing.assert_allclose(added[1000:], 0.3, atol=1e-6)
    # No step is larger than that of a raised cosine over the 200 samples.
    assert 0 < np.diff(added).max() < 0.3 * np.pi / 2 / 200 * 1.01
    assert np.diff(added).min() > -1e-6


@pytest.mark.parametrize("rate", [11025, 44100])
def test_a_change_is_brought_to_the_rate_of_the_file(tmp_path, rate):
    path = write(tmp_path / "file.wav", noise(rate, 2), rate)

    def add_tone(tiles):
        tone = 0.1 * np.sin(2 * np.pi * 440 / RATE * np.arange(RATE, dtype=np.float32))
        return tiles.channels + tone[:, np.newaxis]

    added = changed(path, add_tone, TileGrid(RATE, 0)) - original(path)
    wanted = 0.1 * np.sin(2 * np.pi * 440 / rate * np.arange(rate))
    inside = slice(rate // 50, -rate // 50)  # 20 ms, off the ends, where the resampler rings
    np.testing.assert_allclose(added[inside, 0], wanted[inside], atol=2e-4)  # −54 dB of the tone


def test_the_mid_signal_is_heard(tmp_path):
    path = write(tmp_path / "file.wav", noise(5000, 3), 44100)
    heard = []

    def change(tiles):
        heard.append(tiles)
        return tiles.channels

    changed(path, change)
    with audio.Reader(path) as reader:
        for seen, mono in zip(heard, mid_tiles(reader, RATE, GRID), strict=True):
            np.testing.assert_array_equal(seen.starts, mono.starts)
            np.testing.assert_array_equal(seen.weights, mono.weights)
            assert seen.channels.shape == (*mono.waveforms.shape, 3)
            # The mean before resampling, and after it: float32.
            np.testing.assert_allclose(seen.waveforms, mono.waveforms, atol=1e-6)


def test_channels_change_on_their_own(tmp_path):
    path = write(tmp_path / "file.wav", noise(5000, 3))
    factors = np.array([1.0, -1.0, 0.5], np.float32)
    after = changed(path, lambda tiles: tiles.channels * factors)
    np.testing.assert_allclose(after, original(path) * factors, atol=1e-6)  # float32


def test_opposite_channels_are_silence_to_the_network(tmp_path):
    left = noise(5000)
    path = write(tmp_path / "file.wav", np.concatenate([left, -left], axis=1))

    def change(tiles):
        assert not tiles.waveforms.any()
        return tiles.channels

    assert np.array_equal(changed(path, change), original(path))


def test_what_lies_above_the_band_of_the_network_stays(tmp_path):
    seconds = np.arange(44100) / 44100
    high = 0.25 * np.sin(2 * np.pi * 12_000 * seconds)[:, np.newaxis]
    path = write(tmp_path / "file.wav", high, 44100)
    kept = changed(path, lambda tiles: 0 * tiles.channels)
    inside = slice(2000, -2000)
    np.testing.assert_allclose(kept[inside], original(path)[inside], atol=1e-4)  # −68 dB of it


def test_a_change_too_loud_is_limited_without_clipping(tmp_path):
    path = write(tmp_path / "file.wav", noise(4000))
    loud = changed(path, lambda tiles: 4 * tiles.channels)
    assert 0.9 < np.abs(loud).max() < 1
    assert (np.abs(loud) > 0.998).mean() < 0.1  # clipped, half of the noise would be there


def test_weights_add_up_to_the_seconds_of_signal(tmp_path):
    path = write(tmp_path / "file.wav", noise(1800))
    found = []

    def change(tiles):
        found.extend(tiles.weights)
        return tiles.channels

    changed(path, change, TileGrid(1000, 0))
    assert found == [1, 0.8]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ConfigError("no")])
def test_an_interrupted_change_leaves_nothing(tmp_path, error):
    path = write(tmp_path / "file.wav", noise(9000))

    def fail(tiles):
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        change_file(path, tmp_path / "out.wav", RATE, GRID, fail)
    assert list(tmp_path.iterdir()) == [path]


def test_a_gain_scales_the_whole_and_limits_nothing(tmp_path):
    path = write(tmp_path / "file.wav", noise(4000, 2))
    output = tmp_path / "out.wav"

    def louder(tiles):
        return 4 * tiles.channels

    written = change_file(
        path, output, RATE, GRID, louder, bits=32, gain=lambda found: 0.5 / found.peak
    )
    before = original(path)
    assert written.peak == pytest.approx(0.5, rel=1e-6)
    # float32; of a limiter the loudest half of the noise would know.
    np.testing.assert_allclose(original(output), before * 0.5 / np.abs(before).max(), atol=1e-6)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.wav", "out.wav"]


def test_a_file_may_take_its_own_place(tmp_path):
    path = write(tmp_path / "file.wav", noise(9000))
    before = original(path)
    change_file(path, path, RATE, GRID, lambda tiles: tiles.channels + np.float32(0.125), bits=32)
    np.testing.assert_allclose(original(path), before + 0.125, atol=1e-6)


def test_a_file_that_ends_in_garbage_leaves_nothing(tmp_path):
    path = tmp_path / "file.flac"
    soundfile.write(path, noise(9000), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"file\.flac"):
        change_file(path, tmp_path / "out.wav", RATE, GRID, unchanged)
    assert not (tmp_path / "out.wav").exists()
