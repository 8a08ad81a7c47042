import keras
import numpy as np
import pytest
import scipy.signal

from tfdream.errors import ModelError
from tfdream.figures.filters import Kernels, plot_filters, response_db, strongest
from tfdream.figures.parts.units import Spacing
from tfdream.models import inspect


def test_response_of_a_moving_average():
    """A moving average of 4 samples at 8 kHz passes 0 Hz and stops 2 kHz and 4 kHz."""
    hz, gain_db = response_db(np.full(4, 0.25), Spacing(1 / 8000, "s"))
    assert (hz[0], hz[-1]) == (0, 4000)
    assert gain_db[0] == pytest.approx(0, abs=1e-9)
    assert gain_db[np.searchsorted(hz, 2000)] < -100
    assert gain_db[-1] < -100


def test_response_of_a_low_pass():
    hz, gain_db = response_db(scipy.signal.firwin(101, 1000, fs=8000), Spacing(1 / 8000, "s"))
    np.testing.assert_allclose(gain_db[hz < 800], 0, atol=0.1)
    assert gain_db[hz > 1200].max() < -40
    assert np.interp(1000, hz, gain_db) == pytest.approx(-6, abs=0.1)  # half of the amplitude


def test_strongest_filters_keep_their_order_and_show_their_strongest_input():
    weights = np.zeros((3, 2, 20), np.float32)
    weights[:, 0] = 0.1
    weights[:, 1, [3, 17]] = [[1, 2]] * 3
    kernels = strongest(weights)
    assert len(kernels) == 8
    numbers = [number for number, _ in kernels]
    assert numbers == sorted(numbers)
    assert {3, 17} <= set(numbers)
    np.testing.assert_array_equal(dict(kernels)[17], [2, 2, 2])


def test_filters_are_drawn_with_their_sizes_and_units(inspect_figure):
    rng = np.random.default_rng(0)
    seconds = Spacing(0.01, "s")
    kernels = [
        Kernels("raw$1$", rng.standard_normal((8, 1, 3)), (Spacing(1 / 8000, "s"),)),
        Kernels("zero", np.zeros((1, 1, 1)), (Spacing(1, "features"),)),
        Kernels(
            "image", rng.standard_normal((3, 5, 2, 9)), (Spacing(0.1, "kHz"), Spacing(0.01, "s"))
        ),
        Kernels("point", np.zeros((1, 1, 1, 1)), (Spacing(1 / 12, "octaves"), seconds)),
    ]
    shown = inspect_figure(plot_filters(kernels))
    headings = [part.get_suptitle() for part in shown.figure.subfigs]
    assert headings[0] == "raw$1$: 3 filters of 8 taps (1 ms)"
    assert headings[2] == (
        "image: the 8 strongest of 9 filters of 3 × 5 taps (0.3 kHz × 50 ms), of the strongest of "
        "2 inputs each"
    )
    assert shown.labels == {
        *("weight", "gain / dB", "time / ms", "frequency / Hz", "kHz", "cycles / kHz"),
        *("features", "cycles / feature", "octaves", "cycles / octave"),
    }
    kernel, response = shown.axes[0], shown.axes[3]
    assert kernel.get_xlabel() == "time / ms"
    low, high = response.get_ylim()
    assert high - low == pytest.approx(63)  # 60 dB below the peak and 3 dB above


def build(*layers):
    inputs = x = keras.Input((4096, 1))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def test_strides_before_a_convolution_are_accumulated():
    model = build(
        keras.layers.Conv1D(2, 8, strides=2, name="first"),
        keras.layers.Conv1D(3, 16, strides=4, name="second"),
        keras.layers.ReLU(),
        keras.layers.MaxPooling1D(3),
        keras.layers.Conv1D(1, 5, name="third"),
        keras.layers.Reshape((-1, 1, 1)),
        keras.layers.Conv2D(1, 1, name="fourth"),
    )
    convolutions = {each.name: each for each in inspect.convolutions(model)}
    strides = {name: each.strides for name, each in convolutions.items()}
    assert strides == {"first": (1,), "second": (2,), "third": (24,), "fourth": None}
    assert convolutions["second"].kernel.shape == (16, 2, 3)
    third = Kernels.from_convolution(convolutions["third"], [Spacing(1 / 8000, "s")])
    assert third.spacings == (Spacing(24 / 8000, "s"),)
    fourth = Kernels.from_convolution(convolutions["fourth"], [Spacing(1 / 8000, "s")])
    assert [spacing.unit for spacing in fourth.spacings] == ["taps", "taps"]


def test_layers_that_are_not_convolutions_are_rejected():
    model = build(keras.layers.Conv1D(2, 8, name="conv"), keras.layers.Flatten(name="flat"))
    assert [each.name for each in inspect.convolutions(model, ["conv"])] == ["conv"]
    with pytest.raises(
        ModelError, match="'flat' is not a convolution of the model; use one of: conv"
    ):
        inspect.convolutions(model, ["flat"])
    with pytest.raises(ModelError, match="no convolution; its layers"):
        inspect.convolutions(build(keras.layers.Flatten()))
