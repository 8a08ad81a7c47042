"""Published attacks that run code from the configuration or the file of a model.

A run names its network; it never describes layers, and no Keras model, pickle or SavedModel is
loaded. So each attack must end in an error that names the file, without running its code.
"""

import base64
import json
import marshal
import pickle
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tfdream.errors import ModelError
from tfdream.runs import Run


@pytest.fixture
def canary(tmp_path):
    """A file that exists only if a test's code was run."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


def touching(path):
    return f"__import__('pathlib').Path({str(path)!r}).touch()"


def python_lambda(path):
    """CVE-2024-3660, CVE-2026-12481: the bytecode of a Lambda layer."""
    bytecode = marshal.dumps(compile(touching(path), "attack", "eval"))
    function = {
        "class_name": "__lambda__",
        "config": {"code": base64.b64encode(bytecode).decode(), "defaults": None, "closure": None},
    }
    return {"class_name": "Lambda", "config": {"function": function}}


def any_module(path):
    """CVE-2025-1550: module and class of any function, called with the file's arguments."""
    return {
        "module": "builtins",
        "class_name": "exec",
        "config": [touching(path)],
        "registered_name": "exec",
    }


def keras_function(path):
    """CVE-2025-8747, CVE-2025-9906: a function of Keras that downloads, or ends the safe mode."""
    return {
        "module": "keras.config",
        "class_name": "function",
        "config": "enable_unsafe_deserialization",
        "registered_name": "function",
    }


def saved_model(path):
    """CVE-2026-1462: a TFSMLayer that loads a SavedModel."""
    return {"class_name": "TFSMLayer", "config": {"filepath": str(path)}}


def pickled_module(path):
    """CVE-2025-49655: a TorchModuleWrapper with a pickled module."""
    return {"class_name": "TorchModuleWrapper", "config": {"module": touching(path)}}


def vocabulary(path):
    """CVE-2025-12058: a StringLookup that reads any file, or an address."""
    return {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}


LAYERS = [
    *(python_lambda, any_module, keras_function, saved_model, pickled_module, vocabulary),
]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_in_the_configuration_is_rejected(layer, attacked, canary):
    for setting in ("model", "frontend", "training"):
        content = attacked.config.model_dump(mode="json")
        content[setting] = layer(canary)
        attacked.config_path.write_text(json.dumps(content))
        with pytest.raises(ModelError, match="damaged, or of another program"):
            Run.open(attacked.folder)


@pytest.mark.parametrize("layer", LAYERS)
def test_an_option_of_the_network_is_not_a_layer(layer, attacked, canary):
    content = attacked.config.model_dump(mode="json")
    content["model"]["options"] = {"dense_units": layer(canary)}
    attacked.config_path.write_text(json.dumps(content))
    with pytest.raises(Exception, match="dense_units"):
        _ = Run.open(attacked.folder).model


@pytest.mark.parametrize("name", ["os", "../os", "resnet50.keras", "tfdream.cli", "__init__", ""])
def test_a_network_is_a_module_of_the_package(name, attacked):
    """CVE-2025-1550: the name of a module is not imported unless it is a network's."""
    content = attacked.config.model_dump(mode="json")
    content["model"]["name"] = name
    attacked.config_path.write_text(json.dumps(content))
    with pytest.raises(Exception, match="is not one of"):
        _ = Run.open(attacked.folder).model


@pytest.mark.parametrize("layer", LAYERS)
def test_a_keras_archive_as_weights_is_rejected(layer, attacked, canary):
    model = {"class_name": "Sequential", "config": {"layers": [layer(canary)]}}
    with zipfile.ZipFile(attacked.weights_path, "w") as archive:
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("metadata.json", json.dumps({"keras_version": keras.__version__}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        _ = attacked.model


@pytest.mark.parametrize("layer", LAYERS)
def test_the_architecture_in_a_legacy_file_is_not_built(layer, attacked, canary):
    """CVE-2025-9905: a legacy HDF5 file contains the model, and `safe_mode` did not apply."""
    model = {"class_name": "Sequential", "config": {"layers": [layer(canary)]}}
    with h5py.File(attacked.weights_path, "a") as file:
        file.attrs["model_config"] = json.dumps(model)
    assert attacked.model.count_params() > 0


def test_pickles_are_not_read(attacked, canary):
    class Touch:
        def __reduce__(self):
            return (Path.touch, (canary,))

    for content in (pickle.dumps(Touch()), pickle.dumps({"weights": Touch()}, protocol=0)):
        attacked.weights_path.write_bytes(content)
        with pytest.raises(ModelError, match="cannot be loaded"):
            _ = Run.open(attacked.folder).model


def test_a_stored_run_reads_no_other_weights(attacked, canary):
    """CVE-2025-12058: an option that names a file or a download is replaced by the weights."""
    content = attacked.config.model_dump(mode="json")
    content["model"] = {"name": "resnet50", "options": {"weights": "/etc/passwd"}}
    attacked.config_path.write_text(json.dumps(content))
    attacked.weights_path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.weights\.h5' cannot be loaded"):
        _ = Run.open(attacked.folder).model


def test_keras_is_recent_enough():
    """Keras 3.12.3 has the corrections of the CVEs above."""
    assert tuple(map(int, keras.__version__.split(".")[:3])) >= (3, 12, 3)
    assert not np.lib.format.read_array.__defaults__[0]  # allow_pickle of CVE-2019-6446
