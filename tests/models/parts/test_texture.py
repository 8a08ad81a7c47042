"""Statistics of textures, compared with SciPy and NumPy."""

import numpy as np
import pytest
import scipy.fft
import tensorflow as tf

from tfdream.models.parts.texture import BLOCK_FRAMES, CEPSTRA, RIPPLES, TextureStatistics

BANDS, FRAMES = 40, 90
COUNTS = {
    "mean": BANDS,
    "deviation": BANDS,
    "power": BANDS,
    "cepstra": CEPSTRA - 1,
    "differences": CEPSTRA,
    "covariance": CEPSTRA * (CEPSTRA + 1) // 2,
    "modulation": 8 * 6,
    "periodicity": 9,
    "ripples": RIPPLES[0] * 2 * RIPPLES[1],
}


def split(image):
    """Compute the statistics of an image `[bands, frames]` by name."""
    values = TextureStatistics()(tf.constant(image[np.newaxis, ..., np.newaxis], tf.float32))
    ends = np.cumsum(list(COUNTS.values()))
    assert values.shape == (1, ends[-1])
    return dict(zip(COUNTS, np.split(values.numpy()[0], ends[:-1]), strict=True))


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).uniform(0.1, 1, (BANDS, FRAMES)).cumsum(axis=1) / 60


@pytest.fixture(scope="module")
def statistics(image):
    return split(image)


def test_moments_of_bands_are_in_db(image, statistics):
    levels = 80 * image
    mean = levels.mean(axis=1)
    power = 10 * np.log10((10 ** (levels / 10)).mean(axis=1))
    np.testing.assert_allclose(statistics["mean"], mean - levels.mean(), atol=1e-3)
    np.testing.assert_allclose(statistics["deviation"], levels.std(axis=1), rtol=1e-4)
    np.testing.assert_allclose(statistics["power"], power - levels.mean(), atol=1e-3)


def test_cepstra_are_those_of_the_cosine_transform(image, statistics):
    cepstra = scipy.fft.dct(80 * image, axis=0, norm="ortho")[:CEPSTRA]
    covariance = np.cov(cepstra)[np.triu_indices(CEPSTRA)]
    compressed = np.sign(covariance) * np.log1p(np.abs(covariance))
    np.testing.assert_allclose(statistics["cepstra"], cepstra.mean(axis=1)[1:], atol=1e-3)
    np.testing.assert_allclose(
        statistics["differences"], np.diff(cepstra).std(axis=1), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(statistics["covariance"], compressed, atol=1e-3)


def test_a_modulated_level_is_in_the_octave_of_its_frequency():
    """A modulation of 12 periods is in the fourth octave, from 8 to 15 periods."""
    wave = 0.5 + 0.1 * np.cos(2 * np.pi * 12 / FRAMES * np.arange(FRAMES))
    octaves = split(np.tile(wave, (BANDS, 1)))["modulation"].reshape(8, 6)
    np.testing.assert_array_equal(octaves.argmax(axis=1), 3)
    expected = np.abs(np.fft.rfft(80 * (wave - wave.mean()) * np.hanning(FRAMES)))[8:16].mean()
    np.testing.assert_allclose(octaves[:, 3], np.log(expected), rtol=1e-3)


def test_a_repeated_onset_is_periodic_at_its_distance():
    """Onsets every 20 frames have their maximum between the lags of 16 and 23 frames."""
    clicks = np.full((BANDS, FRAMES), 0.2)
    clicks[:, 5::20] = 0.9
    periodicity = split(clicks)["periodicity"]
    assert periodicity.argmax() == 6
    onsets = np.maximum(np.diff(80 * clicks), 0).mean(axis=0)
    onsets -= onsets.mean()
    assert periodicity[6] == pytest.approx((onsets[20:] @ onsets[:-20]) / (onsets @ onsets), 1e-4)


def test_ripples_are_those_of_the_cosine_transform_of_blocks(image, statistics):
    starts = range(0, FRAMES - BLOCK_FRAMES + 1, BLOCK_FRAMES // 2)
    blocks = [80 * image[:, start : start + BLOCK_FRAMES] for start in starts]
    ripples = [np.abs(scipy.fft.dctn(block, norm="ortho"))[:16, :8] for block in blocks]
    expected = np.stack([np.mean(ripples, axis=0), np.std(ripples, axis=0)], axis=1)
    np.testing.assert_allclose(statistics["ripples"], np.log(expected + 0.1).ravel(), atol=2e-2)


def test_statistics_of_bands_do_not_depend_on_the_position_of_an_event(image, statistics):
    moved = split(np.roll(image, FRAMES // 3, axis=1))
    for name in ("mean", "deviation", "power", "cepstra", "covariance"):
        np.testing.assert_allclose(moved[name], statistics[name], atol=2e-3)


def test_a_constant_image_has_finite_statistics_and_gradients():
    image = tf.Variable(tf.zeros((1, BANDS, FRAMES, 1)))
    with tf.GradientTape() as tape:
        values = TextureStatistics()(image)
    assert np.isfinite(values.numpy()).all()
    assert np.isfinite(tape.gradient(values, image).numpy()).all()


@pytest.mark.parametrize("shape", [(1, 19, 90, 1), (1, 40, 23, 1), (1, 40, 90, 2)])
def test_unsuitable_images_are_an_error(shape):
    with pytest.raises(ValueError, match="statistics of textures require"):
        TextureStatistics()(tf.zeros(shape))


def test_images_without_a_fixed_size_are_an_error():
    with pytest.raises(ValueError, match="a fixed size"):
        TextureStatistics().build((None, 40, None, 1))
