"""Registries: a module in a package's folder is available by its name, without any other change."""

import importlib
import sys

import pytest

from tfdream.config import Experiment, FeatureNetworkConfig, ModelConfig, load
from tfdream.errors import ConfigError
from tfdream.models import classifiers, feature_networks, gan, sequence

MODULE = '''
"""A minimal model."""

import keras


def build(input_shape, *arguments, units: int = 3):
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Flatten(name="embedding")(image)
    x = keras.layers.Dense(units, name="logits")(x)
    return keras.Model(image, keras.layers.Softmax(name="probabilities")(x))
'''
SHAPE = (8, 9, 1)


def build(package, name, **options):
    if package is feature_networks:
        config = FeatureNetworkConfig(
            kind="features",
            name=name,
            options=options,
            frontend={"kind": "log1p", "stft": {"n_fft": 64, "hop_samples": 16}},
        )
    else:
        config = ModelConfig(name=name, options=options)
    classes = [3] if package is classifiers else []
    return package.build(config, SHAPE, *classes)


@pytest.fixture
def add_module(tmp_path, monkeypatch):
    """Return a function that extends a package's path by a folder with one more module."""
    added = []

    def add(package):
        (tmp_path / "added_model.py").write_text(MODULE)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
        importlib.invalidate_caches()
        added.append(f"{package.__name__}.added_model")
        return package

    yield add
    for name in added:
        sys.modules.pop(name, None)


@pytest.fixture(params=[classifiers, feature_networks, gan, sequence], ids=lambda p: p.__name__)
def package(request, add_module):
    return add_module(request.param)


def test_an_added_module_is_listed(package):
    assert "added_model" in package.names()
    assert "base" not in package.names()


def test_an_added_module_is_built_with_validated_options(package):
    assert build(package, "added_model", units=5).output_shape == (None, 5)
    with pytest.raises(ConfigError, match=r"added_model: .*units"):
        build(package, "added_model", units="many")
    with pytest.raises(ConfigError, match=r"added_model: .*color"):
        build(package, "added_model", color="blue")


def test_an_added_module_appears_in_error_messages(package):
    with pytest.raises(ConfigError, match=r"\.name=missing is not one of: .*added_model"):
        build(package, "missing")


def test_an_added_classifier_satisfies_the_contracts(add_module):
    """The contract tests loop over `names()`; these are the layers that they require."""
    model = build(add_module(classifiers), "added_model")
    assert [layer.name for layer in model.layers[-3:]] == ["embedding", "logits", "probabilities"]


def test_an_added_classifier_can_be_selected_in_a_config(add_module):
    add_module(classifiers)
    experiment = load("lil_data", Experiment, ["model={name: added_model}"])
    model = classifiers.build(experiment.model, SHAPE, 3)
    assert model.output_shape == (None, 3)
