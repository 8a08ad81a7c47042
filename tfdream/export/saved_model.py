"""SavedModels, which need only TensorFlow to run."""

import shutil
from pathlib import Path

import tensorflow as tf

from tfdream.errors import ModelError, without_node_name
from tfdream.export.base import Exported, Inputs, Outputs, compare

_PARTS = {"saved_model.pb", "variables", "assets", "fingerprint.pb"}


def write(exported: Exported, folder: Path) -> None:
    """Write a SavedModel.

    Raises:
      ModelError: if it cannot be written.
    """
    if folder.exists():
        shutil.rmtree(folder)
    try:
        tf.saved_model.save(exported.module, str(folder), signatures=exported.graphs())
    except tf.errors.OpError as error:
        reason = without_node_name(" ".join(error.message.split()))
        raise ModelError(f"the SavedModel cannot be written: {reason}") from None


def measure(exported: Exported, folder: Path) -> float:
    """Return the largest difference of the outputs of a run and its reloaded SavedModel."""
    loaded = tf.saved_model.load(str(folder))

    def compute(name: str, inputs: Inputs) -> Outputs:
        outputs: Outputs = loaded.signatures[name](**inputs)
        return outputs

    return compare(exported, compute)


def check_replaceable(folder: Path) -> None:
    """Raise ModelError if a folder contains anything but a SavedModel."""
    if folder.exists() and not _is_replaceable(folder):
        raise ModelError(
            f"'{folder}' exists and is not a SavedModel, so it is not replaced; name another folder"
        )


def _is_replaceable(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink() or not folder.name:  # the current folder
        return False
    names = {path.name for path in folder.iterdir()}
    return not names or ("saved_model.pb" in names and names <= _PARTS)
