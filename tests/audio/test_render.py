"""Streams written to files, with a limiter or a gain."""

import numpy as np
import pytest
import soundfile
from scipy.signal import sosfilt
from strategies import noise, stream

from tfdream import audio
from tfdream.errors import AudioError

RATE = 8000
LOSSLESS = [(".wav", 16), (".wav", 24), (".wav", 32), (".flac", 16), (".flac", 24)]
GAINS = pytest.mark.parametrize("gain", [None, lambda level: 0.5], ids=["limited", "scaled"])


def weighted_mean_square(samples):
    return np.mean(sosfilt(audio.k_weighting(RATE), samples, axis=0) ** 2)


def test_a_one_dimensional_array_is_mono(tmp_path):
    samples = noise(100)
    audio.write(tmp_path / "a.wav", samples[:, 0], RATE, 32)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav")[0], samples)


def test_loud_samples_are_limited_and_do_not_wrap(tmp_path):
    samples = 2.0 * np.sin(2 * np.pi * 100 * np.arange(4000) / RATE).astype(np.float32)[:, None]
    audio.write(tmp_path / "a.wav", samples, RATE, 16)
    loaded, _ = audio.read(tmp_path / "a.wav")
    assert np.abs(loaded).max() <= audio.CEILING + 2**-15  # one step of 16 bits
    assert (loaded * samples >= 0).all()


@pytest.mark.parametrize("extension", [".wav", ".flac"])
def test_loudness_is_measured_over_all_samples(tmp_path, extension):
    samples = noise(150_001, 2)  # more than two blocks
    samples[77_777, 1] = -0.95
    path = tmp_path / f"a{extension}"
    audio.write(path, samples, RATE)
    level = audio.measure_level(path)
    assert level.peak == pytest.approx(0.95, abs=2**-23)  # 24 bits
    assert level.mean_square == pytest.approx(weighted_mean_square(samples), rel=1e-5)


def test_the_gain_is_computed_from_the_level_of_the_whole_file(tmp_path):
    samples = noise(5000, 2, peak=3.0)
    arguments = []

    def gain(level):
        arguments.append(level)
        return 0.25

    written = audio.write_blocks(tmp_path / "a.wav", stream(samples, [700]), RATE, 2, 32, gain)
    (level,) = arguments
    assert level.peak == np.abs(samples).max()
    assert level.mean_square == pytest.approx(weighted_mean_square(samples), rel=1e-6)
    loaded, _ = audio.read(tmp_path / "a.wav")
    np.testing.assert_array_equal(loaded, samples * np.float32(0.25))
    assert written[:4] == (RATE, 2, 5000, np.abs(loaded).max())
    assert written.gain_db == pytest.approx(-12.04, abs=0.01)
    assert written.peak_reduction_db == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(("extension", "bits"), LOSSLESS)
def test_a_gain_to_full_scale_does_not_overflow(tmp_path, extension, bits):
    samples = noise(5000, 2, peak=2.5)
    path = tmp_path / f"a{extension}"
    audio.write_blocks(path, [samples], RATE, 2, bits, lambda level: 1 / level.peak)
    loaded, _ = audio.read(path)
    step = 0 if bits == 32 else 2.0 ** (1 - bits)
    # The highest integer is a step below full scale; wrapped around it would be at the other end.
    np.testing.assert_allclose(loaded, samples / np.abs(samples).max(), atol=1.5 * step + 1e-6)


@pytest.mark.parametrize(("extension", "bits"), LOSSLESS)
def test_a_gain_beyond_full_scale_is_limited_for_integer_samples(tmp_path, extension, bits):
    samples = noise(5000, 1, peak=0.2)
    samples[2500] = 1.4
    path = tmp_path / f"a{extension}"
    written = audio.write_blocks(path, [samples], RATE, 1, bits, lambda level: 1.0)
    loaded, _ = audio.read(path)
    # The limiter acts within 0.01 s of the peak only.
    np.testing.assert_allclose(loaded[:2400], samples[:2400], atol=2.0**-15)
    peak = 1.4 if bits == 32 else audio.CEILING
    assert np.abs(loaded).max() == pytest.approx(peak, abs=2.0**-15)
    assert written.gain_db == 0
    assert written.peak_reduction_db == pytest.approx(20 * np.log10(1.4 / peak))


@pytest.mark.parametrize(("extension", "bits"), LOSSLESS[:2])
def test_a_gain_is_reduced_where_a_limiter_would_attenuate_by_more_than_6_db(
    tmp_path, extension, bits
):
    samples = noise(5000, 2, peak=0.2)
    samples[2500] = 4.0
    path = tmp_path / f"a{extension}"
    written = audio.write_blocks(path, [samples], RATE, 2, bits, lambda level: 1.0)
    loaded, _ = audio.read(path)
    factor = 10 ** (6 / 20) * audio.CEILING / 4
    np.testing.assert_allclose(loaded[:2400], factor * samples[:2400], atol=2.0**-15)
    assert np.abs(loaded).max() <= audio.CEILING + 2.0**-15
    assert written.gain_db == pytest.approx(20 * np.log10(factor), abs=1e-4)
    assert written.peak_reduction_db == pytest.approx(20 * np.log10(4 / audio.CEILING))


@pytest.mark.parametrize(("bits", "gain"), [(24, None), (24, lambda level: 2.0), (32, None)])
def test_without_a_limiter_the_gain_of_the_whole_file_is_reduced(tmp_path, bits, gain):
    samples = 1.5 * np.sin(np.arange(4000)[:, np.newaxis] * np.linspace(0.1, 0.2, 4000)[:, None])
    path = tmp_path / "loud.wav"
    written = audio.write_blocks(path, [samples], 8000, 1, bits, gain, limits=False)
    found, _ = soundfile.read(path, always_2d=True)
    factor = audio.CEILING / np.abs(samples).max()
    np.testing.assert_allclose(found, factor * samples, atol=1e-6)
    assert written.gain_db == pytest.approx(20 * np.log10(factor))


def test_samples_at_full_scale_are_not_scaled(tmp_path):
    samples = noise(500, peak=0.9)
    samples[100], samples[200] = 1.0, -1.0
    written = audio.write_blocks(tmp_path / "a.wav", [samples], RATE, 1, 16, lambda level: 1.0)
    assert (written.peak, written.gain_db, written.peak_reduction_db) == (1.0, 0.0, 0.0)


def test_the_attenuation_of_the_limiter_is_reported(tmp_path):
    samples = noise(5000, peak=0.5)
    samples[2500] = 2.0
    written = audio.write_blocks(tmp_path / "a.wav", [samples], RATE, 1, 24)
    assert written.gain_db == 0
    assert written.peak_reduction_db == pytest.approx(6.03, abs=0.01)
    assert audio.write_blocks(tmp_path / "b.wav", [samples / 2.1], RATE, 1).peak_reduction_db == 0


def test_the_peak_of_a_lossy_file_is_that_of_its_decoded_samples(tmp_path):
    samples = noise(8000, peak=0.5)
    written = audio.write_blocks(tmp_path / "a.ogg", [samples], RATE, 1)
    assert written.peak == np.abs(audio.read(tmp_path / "a.ogg")[0]).max()


@pytest.mark.parametrize("extension", [".wav", ".flac"])
@pytest.mark.parametrize("bits", [16, 24])
def test_samples_are_rounded_to_the_nearest_value(tmp_path, extension, bits):
    step = 2.0 ** (1 - bits)
    steps = np.array([0.4, 0.6, -0.4, -0.6, 100.49, -100.49, 1 / step])
    path = tmp_path / f"a{extension}"
    audio.write_blocks(path, [(step * steps[:, np.newaxis]).astype(np.float32)], RATE, 1, bits)
    written = audio.read(path)[0][:, 0] / step
    assert written[:-1].tolist() == [0, 1, 0, -1, 100, -100]
    assert written[-1] == pytest.approx(audio.CEILING / step, abs=1)


@pytest.mark.parametrize(("extension", "bits"), LOSSLESS)
def test_the_writer_refuses_samples_that_would_be_clipped(tmp_path, extension, bits):
    path, sample = tmp_path / f"a{extension}", np.full((1, 1), 1.5, np.float32)
    if bits == 32:
        with audio.Writer(path, RATE, 1, bits) as writer:
            writer.write(sample)
        assert writer.written.peak == 1.5
        return
    with (
        pytest.raises(AudioError, match=r"a sample of 1\.500 near 0\.00 s would be clipped"),
        audio.Writer(path, RATE, 1, bits) as writer,
    ):
        writer.write(sample)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sample", [1e12, np.inf, np.nan])
def test_the_writer_refuses_samples_that_cannot_be_read(tmp_path, sample):
    with (
        pytest.raises(AudioError, match=r"absurdly large samples near 0\.00 s"),
        audio.Writer(tmp_path / "a.wav", RATE, 1, 32) as writer,
    ):
        writer.write(np.full((1, 1), sample, np.float32))
    assert list(tmp_path.iterdir()) == []


@GAINS
def test_the_longest_name_can_be_written(tmp_path, gain):
    path = tmp_path / f"{'a' * 251}.wav"
    audio.write_blocks(path, [noise(500, 1)], RATE, 1, gain=gain)
    assert list(tmp_path.iterdir()) == [path]


@GAINS
def test_silence_stays_silence(tmp_path, gain):
    silence = np.zeros((500, 2), np.float32)
    assert audio.write_blocks(tmp_path / "a.wav", [silence], RATE, 2, gain=gain).peak == 0
    assert not audio.read(tmp_path / "a.wav")[0].any()


@GAINS
@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_interrupted_stream_leaves_the_old_file(tmp_path, gain, interruption):
    (tmp_path / "a.wav").write_bytes(b"old")

    def blocks():
        yield noise(100)
        raise interruption

    with pytest.raises(interruption):
        audio.write_blocks(tmp_path / "a.wav", blocks(), RATE, 1, gain=gain)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@GAINS
def test_blocks_with_nan_are_an_error(tmp_path, message, gain):
    text = message(
        audio.write_blocks, tmp_path / "a.wav", [np.full((10, 1), np.nan)], RATE, 1, gain=gain
    )
    assert "NaN" in text
    assert str(tmp_path / "a.wav") in text
    assert list(tmp_path.iterdir()) == []


def test_floats_are_written_without_limiting(tmp_path):
    samples = np.concatenate([noise(3000, 2, peak=0.1), noise(3000, 2, peak=50.0)])
    written = audio.write_floats(tmp_path / "a.wav", stream(samples, [701]), 44100, 2)
    loaded, rate = audio.read(tmp_path / "a.wav")
    np.testing.assert_array_equal(loaded, samples)
    assert written == (44100, 2, 6000, np.abs(samples).max(), 0.0, 0.0)
    assert rate == 44100
