from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from strategies import block_lengths, stream

from tfdream import audio
from tfdream.config import TilesConfig
from tfdream.errors import ConfigError
from tfdream.synthesis.rendering.tiles import Finish, TileGrid, change_file, mid_tiles

RATE = 8000  # of the tiles
GRID = TileGrid(samples=1000, overlap=200, batch=3)


def noise(samples, channels=1):
    return np.random.default_rng(samples).uniform(-0.5, 0.5, (samples, channels))


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, "FLOAT")
    return path


def changed(path, change, grid=GRID):
    """Change the tiles of a file and return its samples, without rounding: float32."""
    output = path.with_name("changed.wav")
    written = change_file(path, output, RATE, grid, change, Finish(bits=32))
    samples, rate = soundfile.read(output, dtype="float32", always_2d=True)
    assert (written.sample_rate, written.channels, written.samples) == (rate, *samples.shape[::-1])
    assert written.peak == pytest.approx(np.abs(samples).max(), abs=1e-7)
    return samples


def original(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def unchanged(tiles):
    return tiles.channels


# The grid

GRIDS = [GRID, TileGrid(1000, 0), TileGrid(1000, 500, batch=2), TileGrid(7, 3, batch=64)]
LENGTHS = [1, 199, 200, 201, 999, 1000, 1001, 1799, 1800, 1801, 5000, 70000]
lengths = st.one_of(st.sampled_from(LENGTHS), st.integers(1, 6000))
grids = st.sampled_from(GRIDS)


@given(grids, lengths, block_lengths)
def test_cut_yields_as_many_tiles_as_count_returns(grid, samples, blocks):
    signal = noise(samples).astype(np.float32)
    batches = list(grid.cut(stream(signal, blocks)))
    assert sum(len(tiles.waveforms) for tiles in batches) == grid.count(samples)
    assert all(len(tiles.waveforms) <= grid.batch for tiles in batches)
    assert all(tiles.waveforms.shape[1] == grid.samples for tiles in batches)


@given(grids, lengths, st.floats(0, 0.5))
def test_fitted_tiles_are_as_long_as_needed_to_save_one(grid, samples, tolerance):
    fitted = grid.fitted(samples, tolerance)
    if fitted == grid:
        return
    assert grid.samples < fitted.samples <= (1 + tolerance) * grid.samples
    assert fitted.count(samples) < grid.count(samples)  # of short tiles, a sample saves several
    assert replace(fitted, samples=fitted.samples - 1).count(samples) == grid.count(samples)


@given(grids, lengths)
def test_tiles_contain_the_signal(grid, samples):
    signal = noise(samples, 2).astype(np.float32)
    padded = np.pad(signal, ((0, max(0, grid.samples - samples)), (0, 0)))
    tiles, weights, starts, skips = (
        np.concatenate(parts) for parts in zip(*grid.cut([signal], 2), strict=True)
    )
    assert np.array_equal(starts + skips, np.arange(len(tiles)) * grid.hop)
    for start, tile in zip(starts, tiles, strict=True):
        assert np.array_equal(tile, padded[start : start + grid.samples])
    assert (weights[:-1] == 1).all()
    # The last weight is its share of new signal: the weights add up to the length.
    assert weights[-1] * grid.samples == pytest.approx(samples - (len(tiles) - 1) * grid.hop)


def test_the_last_tile_ends_with_the_file():
    signal = np.arange(1900, dtype=np.float32)[:, None]
    (tiles,) = TileGrid(1000, 200, batch=3).cut([signal])
    assert tiles.starts.tolist() == [0, 800, 900]
    assert tiles.skips.tolist() == [0, 0, 700]
    assert np.array_equal(tiles.channels[2], signal[900:])


@given(st.integers(128, 1500), st.floats(0, 0.5), st.integers(1, 3), lengths)
def test_aligned_tiles_begin_at_multiples_of_a_step_and_contain_the_signal(
    size, share, batch, samples
):
    grid = TileGrid(size, int(share * size), batch).aligned(64)
    assert grid.samples == size
    assert grid.overlap <= grid.hop or share * size < 64
    signal = noise(samples).astype(np.float32)
    padded = np.pad(signal, ((0, size), (0, 0)))
    batches = list(grid.cut([signal]))
    for tiles in batches:
        assert not (tiles.starts % 64).any()
        for start, tile in zip(tiles.starts, tiles.channels, strict=True):
            assert np.array_equal(tile, padded[start : start + size])
    assert batches[-1].starts[-1] + size >= samples


def test_a_file_shorter_than_a_tile_is_padded_with_zeros():
    (tiles,) = GRID.cut([np.ones((300, 1), np.float32)])
    assert tiles.channels[0, :, 0].sum() == 300
    assert (tiles.starts, tiles.skips) == ([0], [0])


def test_a_grid_follows_its_configuration():
    config = TilesConfig(seconds=2.0, overlap_seconds=0.25, batch=4)
    assert TileGrid.build(config, 4000, RATE) == TileGrid(16000, 2000, 4)
    assert TileGrid.build(TilesConfig(overlap_seconds=0.1), 4000, RATE) == TileGrid(4000, 800, 1)


def test_an_overlap_of_more_than_half_a_tile_is_an_error():
    assert TileGrid.build(TilesConfig(overlap_seconds=0.25), 4000, RATE).hop == 2000
    with pytest.raises(ConfigError, match=r"tiles.overlap_seconds=0.3 is more than half .* 0.5 s"):
        TileGrid.build(TilesConfig(overlap_seconds=0.3), 4000, RATE)


@pytest.mark.parametrize(("seconds", "window", "least"), [(1e-5, 1, 0.001), (0.1, 1001, 0.126)])
def test_tiles_shorter_than_a_window_are_an_error(seconds, window, least):
    config = TilesConfig(seconds=seconds, overlap_seconds=0)
    with pytest.raises(ConfigError, match=f"fewer than the window of {window}; .* {least} s$"):
        TileGrid.build(config, 4000, RATE, window)
    longer = TilesConfig(seconds=least, overlap_seconds=0)
    assert TileGrid.build(longer, 4000, RATE, window).samples >= window


# Files


@given(
    st.sampled_from([8000, 11025, 44100]),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([1, 2, 999, 1801, 30011]),
)
def test_without_a_change_the_samples_are_identical(tmp_path, rate, channels, samples):
    path = write(tmp_path / "file.wav", noise(samples, channels), rate)
    assert np.array_equal(changed(path, unchanged), original(path))


def test_without_a_change_a_16_bit_file_is_identical(tmp_path):
    pcm = np.random.default_rng(0).integers(-30000, 30000, (3000, 2), np.int16)
    soundfile.write(tmp_path / "file.flac", pcm, 44100, "PCM_16")
    for bits in (16, 24):
        change_file(
            tmp_path / "file.flac", tmp_path / "out.flac", RATE, GRID, unchanged, Finish(bits)
        )
        assert np.array_equal(soundfile.read(tmp_path / "out.flac", dtype="int16")[0], pcm)


@given(grids, st.sampled_from([1, 1000, 1001, 9999]))
def test_an_added_constant_has_no_seam(tmp_path, grid, samples):
    path = write(tmp_path / "file.wav", noise(samples, 2))
    added = changed(path, lambda tiles: tiles.channels + np.float32(0.125), grid) - original(path)
    np.testing.assert_allclose(added, 0.125, atol=1e-6)  # float32


def test_an_added_ramp_has_no_seam(tmp_path):
    samples = 9999
    path = write(tmp_path / "file.wav", noise(samples))
    for grid in GRIDS:
        ramp = np.linspace(0, 0.4, samples + grid.samples, dtype=np.float32)

        def add_ramp(tiles, grid=grid, ramp=ramp):
            parts = [ramp[start : start + grid.samples] for start in tiles.starts]
            return tiles.channels + np.stack(parts)[..., np.newaxis]

        added = changed(path, add_ramp, grid) - original(path)
        np.testing.assert_allclose(added[:, 0], ramp[:samples], atol=1e-6)  # float32


def test_different_neighbors_are_cross_faded(tmp_path):
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


def test_a_change_is_resampled_to_the_rate_of_the_file(tmp_path):
    def add_tone(tiles):
        tone = 0.1 * np.sin(2 * np.pi * 440 / RATE * np.arange(RATE, dtype=np.float32))
        return tiles.channels + tone[:, np.newaxis]

    for rate in (11025, 44100):
        path = write(tmp_path / "file.wav", noise(rate, 2), rate)
        added = changed(path, add_tone, TileGrid(RATE, 0)) - original(path)
        expected = 0.1 * np.sin(2 * np.pi * 440 / rate * np.arange(rate))
        inside = slice(rate // 50, -rate // 50)  # without 20 ms at each end: the resampler rings
        # −54 dB relative to the tone.
        np.testing.assert_allclose(added[inside, 0], expected[inside], atol=2e-4)


def test_waveforms_are_the_mid_signal(tmp_path):
    path = write(tmp_path / "file.wav", noise(5000, 3), 44100)
    batches = []

    def change(tiles):
        batches.append(tiles)
        return tiles.channels

    changed(path, change)
    with audio.Reader(path) as reader:
        for tiles, mono in zip(batches, mid_tiles(reader, RATE, GRID), strict=True):
            np.testing.assert_array_equal(tiles.starts, mono.starts)
            np.testing.assert_array_equal(tiles.weights, mono.weights)
            assert tiles.channels.shape == (*mono.waveforms.shape, 3)
            # The mean before resampling, and after it: float32.
            np.testing.assert_allclose(tiles.waveforms, mono.waveforms, atol=1e-6)


def test_channels_change_independently(tmp_path):
    path = write(tmp_path / "file.wav", noise(5000, 3))
    factors = np.array([1.0, -1.0, 0.5], np.float32)
    after = changed(path, lambda tiles: tiles.channels * factors)
    np.testing.assert_allclose(after, original(path) * factors, atol=1e-6)  # float32


def test_opposite_channels_have_a_silent_mid_signal(tmp_path):
    left = noise(5000)
    path = write(tmp_path / "file.wav", np.concatenate([left, -left], axis=1))

    def change(tiles):
        assert not tiles.waveforms.any()
        return tiles.channels

    assert np.array_equal(changed(path, change), original(path))


def test_frequencies_above_the_band_of_the_network_are_preserved(tmp_path):
    seconds = np.arange(44100) / 44100
    high = 0.25 * np.sin(2 * np.pi * 12_000 * seconds)[:, np.newaxis]
    path = write(tmp_path / "file.wav", high, 44100)
    result = changed(path, lambda tiles: 0 * tiles.channels)
    inside = slice(2000, -2000)
    np.testing.assert_allclose(result[inside], original(path)[inside], atol=1e-4)  # −68 dB of it


def test_a_loud_change_is_limited_without_clipping(tmp_path):
    path = write(tmp_path / "file.wav", noise(4000))
    loud = changed(path, lambda tiles: 4 * tiles.channels)
    assert 0.9 < np.abs(loud).max() < 1
    assert (np.abs(loud) > 0.998).mean() < 0.1  # with clipping it would be half of the noise


def test_weights_add_up_to_the_length_of_the_signal(tmp_path):
    path = write(tmp_path / "file.wav", noise(1800))
    weights = []

    def change(tiles):
        weights.extend(tiles.weights)
        return tiles.channels

    changed(path, change, TileGrid(1000, 0))
    assert weights == [1, 0.8]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ConfigError("no")])
def test_an_interrupted_change_leaves_nothing(tmp_path, error):
    path = write(tmp_path / "file.wav", noise(9000))

    def fail(tiles):
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        change_file(path, tmp_path / "out.wav", RATE, GRID, fail)
    assert list(tmp_path.iterdir()) == [path]


def test_a_gain_scales_the_whole_file_without_limiting(tmp_path):
    path = write(tmp_path / "file.wav", noise(4000, 2))
    output = tmp_path / "out.wav"

    def louder(tiles):
        return 4 * tiles.channels

    finish = Finish(bits=32, gain=lambda loudness: 0.5 / loudness.peak)
    written = change_file(path, output, RATE, GRID, louder, finish)
    before = original(path)
    assert written.peak == pytest.approx(0.5, rel=1e-6)
    # float32; a limiter would change the loudest half of the noise.
    np.testing.assert_allclose(original(output), before * 0.5 / np.abs(before).max(), atol=1e-6)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.wav", "out.wav"]


def test_a_file_may_be_its_own_output(tmp_path):
    path = write(tmp_path / "file.wav", noise(9000))
    before = original(path)
    change_file(
        path, path, RATE, GRID, lambda tiles: tiles.channels + np.float32(0.125), Finish(bits=32)
    )
    np.testing.assert_allclose(original(path), before + 0.125, atol=1e-6)


def test_a_truncated_file_is_processed_as_far_as_it_can_be_decoded(tmp_path):
    path = tmp_path / "file.flac"
    samples = noise(9000)
    soundfile.write(path, samples, RATE, "PCM_24")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    written = change_file(path, tmp_path / "out.wav", RATE, GRID, unchanged)
    assert 2000 < written.samples < 6000
    loaded = original(tmp_path / "out.wav")
    np.testing.assert_allclose(loaded, samples[: written.samples], atol=2**-22)
