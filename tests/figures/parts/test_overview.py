from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdream.config import StftSpec
from tfdream.figures.parts.overview import Columns, FrequencyScale, read_overview

RATE = 8000
SPEC = StftSpec(n_fft=512, hop_samples=128)
LINEAR = FrequencyScale(linear=True)


def overview(folder, samples, spec=SPEC, scale=LINEAR, rate=RATE):
    path = folder / "sound.wav"
    soundfile.write(path, samples, rate, "FLOAT")
    return read_overview(path, spec, scale)


@pytest.mark.parametrize("scale", [LINEAR, FrequencyScale(), FrequencyScale(max_hz=2000)])
@pytest.mark.parametrize("hz", [150.0, 1000.0, 1900.0])
def test_tone_has_its_frequency_and_level(tmp_path, hz, scale):
    shown = overview(tmp_path, 0.5 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE), scale=scale)
    inside = shown.power[:, 10:-10]
    row = int(inside.mean(axis=1).argmax())
    bin_hz = RATE / SPEC.n_fft
    assert shown.edges_hz[row] - bin_hz <= hz <= shown.edges_hz[row + 1] + bin_hz
    # Half of full scale, to the scalloping of a Hann window: 1.4 dB.
    np.testing.assert_allclose(10 * np.log10(inside.max(axis=0)), -6 - 0.7, atol=0.75)


def test_click_has_its_time(tmp_path):
    samples = np.zeros(RATE)
    samples[6000] = 1
    shown = overview(tmp_path, samples)
    middle = np.flatnonzero(shown.power.max(axis=0) > 0).mean()
    at = np.interp(middle + 0.5, np.arange(len(shown.frame_edges)), shown.frame_edges)
    assert abs(at - 0.75) < SPEC.hop_samples / RATE
    column = int(shown.highest.argmax())
    assert shown.sample_edges[column] <= 0.75 < shown.sample_edges[column + 1]


def test_click_in_a_long_file_remains_visible(tmp_path):
    samples = np.zeros(4_000_003, np.float32)
    samples[3_000_000] = -1
    shown = overview(tmp_path, samples)
    rows, columns = shown.power.shape
    assert columns <= 1100
    assert rows <= 220
    assert len(shown.lowest) <= 1100
    assert shown.seconds == pytest.approx(len(samples) / RATE)
    assert shown.frame_edges[[0, -1]] == pytest.approx([0, shown.seconds])
    assert (np.diff(shown.frame_edges) > 0).all()
    assert (shown.lowest == -1).sum() == 1
    loud = np.flatnonzero(shown.power.max(axis=0) > 0)
    assert 1 <= len(loud) <= 2
    assert shown.frame_edges[loud[0]] - 0.1 < 3_000_000 / RATE < shown.frame_edges[loud[-1] + 1]


def test_each_bin_is_in_a_row(tmp_path):
    """A tone between two rows would be lost otherwise."""
    for hz in np.linspace(100, 3900, 20):
        tone = np.sin(2 * np.pi * hz * np.arange(4096) / RATE)
        shown = overview(tmp_path, tone, StftSpec(n_fft=2048, hop_samples=512), FrequencyScale())
        assert shown.power.max() > 0.7


def test_files_shorter_than_a_window_have_columns(tmp_path):
    for samples in (1, 2, 511, 513):
        for channels in (1, 8):
            shown = overview(tmp_path, np.full((samples, channels), 0.5))
            assert shown.power.shape[1] == SPEC.frames(samples)
            assert shown.frame_edges[-1] == pytest.approx(samples / RATE)
            assert shown.frame_edges[0] == 0
            assert (shown.lowest == 0.5).all()


def test_short_hops_are_processed_in_batches(tmp_path):
    """All frames are present, whatever the size of the batches."""
    samples = np.zeros(5000)
    samples[4000] = 1
    shown = overview(tmp_path, samples, StftSpec(n_fft=2048, hop_samples=1))
    loud = np.flatnonzero(shown.power.max(axis=0) > 1e-12)
    assert shown.frame_edges[loud[0]] == pytest.approx((4000 - 1024) / RATE, abs=0.01)
    assert shown.frame_edges[-1] == pytest.approx(5000 / RATE)


@given(count=st.integers(0, 200), block=st.integers(1, 60))
@settings(deadline=None, max_examples=100)
def test_columns_contain_maxima_for_any_block_size(count, block):
    values = np.random.default_rng(count).standard_normal((count, 2)).astype(np.float32)
    columns = Columns(2, limit=8)
    for start in range(0, count, block):
        columns.add(values[start : start + block])
    assert columns.count == count
    if not count:
        return
    largest, edges = columns.joined()
    assert len(largest) <= 8
    assert (edges[0], edges[-1]) == (0, count)
    expected = [values[a:b].max(axis=0) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(largest, expected)
