import keras
import numpy as np
import pytest
import scipy.signal

from tfdream import figures
from tfdream.errors import ModelError
from tfdream.figures import Kernels
from tfdream.figures.inputs import Step
from tfdream.figures.kernels import response_db, strongest
from tfdream.models import inspect


def test_the_response_of_a_known_filter():
    """A moving mean of 4 at 8 kHz passes 0 Hz whole and stops 2 kHz and 4 kHz."""
    hz, gain_db = response_db(np.full(4, 0.25), Step(1 / 8000, "s"))
    assert (hz[0], hz[-1]) == (0, 4000)
    assert gain_db[0] == pytest.approx(0, abs=1e-9)
    assert gain_db[np.searchsorted(hz, 2000)] < -100
    assert gain_db[-1] < -100


def test_the_response_of_a_low_pass():
    hz, gain_db = response_db(scipy.signal.firwin(101, 1000, fs=8000), Step(1 / 8000, "s"))
    np.testing.assert_allclose(gain_db[hz < 800], 0, atol=0.1)
    assert gain_db[hz > 1200].max() < -40
    assert np.interp(1000, hz, gain_db) == pytest.approx(-6, abs=0.1)  # where it is half


def test_the_strongest_filters_are_shown_in_their_order_by_their_strongest_input():
    weights = np.zeros((3, 2, 20), np.float32)
    weights[:, 0] = 0.1
    weights[:, 1, [3, 17]] = [[1, 2]] * 3
    found = strongest(weights)
    assert len(found) == 8
    numbers = [number for number, _ in found]
    assert numbers == sorted(numbers)
    assert {3, 17} <= set(numbers)
    np.testing.assert_array_equal(dict(found)[17], [2, 2, 2])


def test_filters_of_both_kinds_are_drawn_with_their_sizes(tmp_path, assert_picture):
    rng = np.random.default_rng(0)
    kernels = [
        Kernels("raw$1$", rng.standard_normal((8, 1, 3)), (Step(1 / 8000, "s"),)),
        Kernels("zero", np.zeros((1, 1, 1)), (Step(1, "features"),)),
        Kernels("image", rng.standard_normal((3, 5, 2, 9)), (Step(0.1, "kHz"), Step(0.01, "s"))),
        Kernels("point", np.zeros((1, 1, 1, 1)), (Step(1 / 12, "octaves"), Step(0.01, "s"))),
    ]
    figures.filters(kernels, tmp_path / "filters.svg")
    text = (tmp_path / "filters.svg").read_text(encoding="utf-8")
    for said in (
        "raw$1$: 3 filters of 8 cells (1 ms)",
        "image: the 8 strongest of 9 filters of 3 × 5 cells (0.3 kHz × 50 ms)",
        *("cycles / octave", "cycles / kHz", "frequency / Hz", "gain / dB", "time / ms"),
    ):
        assert said in text
    assert_picture(tmp_path / "filters.svg")


def build(*layers):
    inputs = x = keras.Input((4096, 1))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def test_a_convolution_knows_the_strides_before_it():
    model = build(
        keras.layers.Conv1D(2, 8, strides=2, name="first"),
        keras.layers.Conv1D(3, 16, strides=4, name="second"),
        keras.layers.ReLU(),
        keras.layers.MaxPooling1D(3),
        keras.layers.Conv1D(1, 5, name="third"),
        keras.layers.Reshape((-1, 1, 1)),
        keras.layers.Conv2D(1, 1, name="fourth"),
    )
    found = {each.name: each for each in inspect.convolutions(model)}
    strides = {name: each.strides for name, each in found.items()}
    assert strides == {"first": (1,), "second": (2,), "third": (24,), "fourth": None}
    assert found["second"].kernel.shape == (16, 2, 3)
    third = Kernels.read(found["third"], [Step(1 / 8000, "s")])
    assert third.steps == (Step(24 / 8000, "s"),)
    fourth = Kernels.read(found["fourth"], [Step(1 / 8000, "s")])
    assert [step.unit for step in fourth.steps] == ["cells", "cells"]


def test_only_convolutions_have_filters():
    model = build(keras.layers.Conv1D(2, 8, name="conv"), keras.layers.Flatten(name="flat"))
    assert [each.name for each in inspect.convolutions(model, ["conv"])] == ["conv"]
    with pytest.raises(ModelError, match="layer 'flat' is no convolution of the model: conv"):
        inspect.convolutions(model, ["flat"])
    with pytest.raises(ModelError, match="no convolution; its layers"):
        inspect.convolutions(build(keras.layers.Flatten()))
