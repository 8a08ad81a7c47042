import numpy as np
import pytest
import tensorflow as tf

from tfdream.models.parts.filterbank import LogEnergy, MelGabor, UnitLevel

FILTERS = 40
SIZE = 160


@pytest.fixture(scope="module")
def kernels():
    """`[samples, filters]`."""
    return np.array(MelGabor()((SIZE, 1, FILTERS)))[:, 0]


def peaks(kernels):
    """Return the frequency of each filter's maximum in cycles per sample."""
    size = 4096
    return np.abs(np.fft.rfft(kernels, size, axis=0)).argmax(axis=0) / size


def test_filters_are_spaced_as_on_the_mel_scale(kernels):
    mel = np.log1p(peaks(kernels) / 0.0875)
    steps = np.diff(mel)
    assert (steps > 0).all()
    # A Gaussian of 160 samples has its peak within a few thousandths of a cycle.
    np.testing.assert_allclose(steps[5:], steps[5:].mean(), rtol=0.25)


def test_filters_have_unit_energy(kernels):
    np.testing.assert_allclose((kernels**2).sum(axis=0), 1, rtol=1e-5)


def test_a_filter_bank_accepts_one_channel():
    with pytest.raises(ValueError, match="has 2 channels; a filter bank accepts one channel"):
        MelGabor()((SIZE, 2, FILTERS))


def test_the_initializer_is_serializable():
    again = MelGabor.from_config(MelGabor(corner=0.05).get_config())
    assert again.corner == 0.05


def test_unit_level_removes_the_level_and_preserves_silence():
    samples = tf.random.stateless_normal([1, 100, 1], [0, 1])
    layer = UnitLevel()
    np.testing.assert_allclose(layer(samples), layer(0.01 * samples), rtol=1e-4)
    assert tf.sqrt(tf.reduce_mean(layer(samples) ** 2)).numpy() == pytest.approx(1, rel=1e-5)
    assert not layer(tf.zeros([1, 100, 1])).numpy().any()


def padding(frames):
    """Return the frames that 'same' padding adds before the first one."""
    return ((-(-frames // 4) - 1) * 4 + 8 - frames) // 2


@pytest.mark.parametrize("frames", [20, 21])
def test_energies_are_those_of_windows_that_overlap_by_half(frames):
    layer = LogEnergy(hop=4, offset=0.01)
    filtered = tf.random.stateless_normal([2, frames, 3], [0, 1])
    energies = layer(filtered)
    assert energies.shape == layer.compute_output_shape((2, frames, 3)) == (2, -(-frames // 4), 3)
    start = 4 - padding(frames)
    window = filtered[:, start : start + 8]
    expected = np.log(np.mean(np.square(window), axis=1) + 0.01)
    np.testing.assert_allclose(energies[:, 1], expected, rtol=1e-4, atol=1e-5)


def test_silence_is_finite_and_so_is_its_gradient():
    filtered = tf.zeros([1, 16, 2])
    with tf.GradientTape() as tape:
        tape.watch(filtered)
        energy = LogEnergy()(filtered)
    np.testing.assert_allclose(energy, np.log(0.01), rtol=1e-6)
    assert np.isfinite(tape.gradient(energy, filtered)).all()
