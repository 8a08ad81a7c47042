from itertools import pairwise

import numpy as np
import pytest
import soundfile

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
def test_a_tone_lies_at_its_frequency_with_its_level(tmp_path, hz, scale):
    found = overview(tmp_path, 0.5 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE), scale=scale)
    inside = found.power[:, 10:-10]
    row = int(inside.mean(axis=1).argmax())
    bin_hz = RATE / SPEC.n_fft
    assert found.edges_hz[row] - bin_hz <= hz <= found.edges_hz[row + 1] + bin_hz
    # Half of full scale, to the scalloping of a Hann window: 1.4 dB.
    np.testing.assert_allclose(10 * np.log10(inside.max(axis=0)), -6 - 0.7, atol=0.75)


def test_a_click_lies_at_its_time(tmp_path):
    samples = np.zeros(RATE)
    samples[6000] = 1
    found = overview(tmp_path, samples)
    middle = np.flatnonzero(found.power.max(axis=0) > 0).mean()
    at = np.interp(middle + 0.5, np.arange(len(found.frame_edges)), found.frame_edges)
    assert abs(at - 0.75) < SPEC.hop_samples / RATE
    column = int(found.highest.argmax())
    assert found.sample_edges[column] <= 0.75 < found.sample_edges[column + 1]


def test_a_click_is_seen_in_a_long_recording_of_few_columns(tmp_path):
    samples = np.zeros(4_000_003, np.float32)
    samples[3_000_000] = -1
    found = overview(tmp_path, samples)
    rows, columns = found.power.shape
    assert columns <= 1100
    assert rows <= 220
    assert len(found.lowest) <= 1100
    assert found.seconds == pytest.approx(len(samples) / RATE)
    assert found.frame_edges[[0, -1]] == pytest.approx([0, found.seconds])
    assert (np.diff(found.frame_edges) > 0).all()
    assert (found.lowest == -1).sum() == 1
    loud = np.flatnonzero(found.power.max(axis=0) > 0)
    assert 1 <= len(loud) <= 2
    assert found.frame_edges[loud[0]] - 0.1 < 3_000_000 / RATE < found.frame_edges[loud[-1] + 1]


def test_every_bin_is_seen_in_some_row(tmp_path):
    """White noise within a bin: whatever lies between two rows would be lost."""
    for hz in np.linspace(100, 3900, 20):
        tone = np.sin(2 * np.pi * hz * np.arange(4096) / RATE)
        found = overview(tmp_path, tone, StftSpec(n_fft=2048, hop_samples=512), FrequencyScale())
        assert found.power.max() > 0.7


@pytest.mark.parametrize("samples", [1, 2, 511, 513])
@pytest.mark.parametrize("channels", [1, 8])
def test_a_recording_shorter_than_a_window_has_a_width(tmp_path, samples, channels):
    found = overview(tmp_path, np.full((samples, channels), 0.5))
    assert found.power.shape[1] == SPEC.frames(samples)
    assert found.frame_edges[-1] == pytest.approx(samples / RATE)
    assert found.frame_edges[0] == 0
    assert (found.lowest == 0.5).all()


def test_a_hop_of_one_takes_no_more_memory_at_once(tmp_path):
    """Every frame is there, whatever the batches that they come in."""
    samples = np.zeros(5000)
    samples[4000] = 1
    found = overview(tmp_path, samples, StftSpec(n_fft=2048, hop_samples=1))
    loud = np.flatnonzero(found.power.max(axis=0) > 1e-12)
    assert found.frame_edges[loud[0]] == pytest.approx((4000 - 1024) / RATE, abs=0.01)
    assert found.frame_edges[-1] == pytest.approx(5000 / RATE)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17, 1000])
@pytest.mark.parametrize("block", [1, 3, 50])
def test_columns_hold_the_largest_however_they_come(count, block):
    values = np.random.default_rng(count).standard_normal((count, 2)).astype(np.float32)
    columns = Columns(2, limit=8)
    for start in range(0, count, block):
        columns.add(values[start : start + block])
    if not count:
        assert columns.count == 0
        return
    largest, edges = columns.joined()
    assert len(largest) <= 8
    assert (edges[0], edges[-1]) == (0, count)
    wanted = [values[a:b].max(axis=0) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(largest, wanted)
