import numpy as np
import scipy.signal

from tfdream.signal.windows import hann


def test_the_bits_are_those_of_scipy():
    for samples in (2, 5, 256, 1000, 1024, 2047):
        assert np.array_equal(hann(samples), scipy.signal.windows.hann(samples, sym=False))
