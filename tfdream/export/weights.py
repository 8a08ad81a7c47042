"""Weights and settings of a run in one safetensors file."""

import tempfile
from pathlib import Path

import numpy as np

from tfdream.errors import ModelError
from tfdream.presets import safetensors
from tfdream.runs import RunFolder
from tfdream.runs.info import WEIGHTS_FILE


def write(run: RunFolder, path: Path) -> None:
    """Write the weights and texts of a run, as `tfdream models install` imports them.

    Raises:
      ModelError: if the weights cannot be read, or the file cannot be written.
    """
    run.load_networks()  # a damaged run is not shared
    safetensors.pack(run.folder, path)


def measure(run: RunFolder, path: Path) -> float:
    """Return the largest difference of the weights of a run and of the imported file.

    Raises:
      ModelError: if the file cannot be imported, or lacks weights.
    """
    original = safetensors.read_weights(run.weights_path)
    with tempfile.TemporaryDirectory() as folder:
        safetensors.unpack(path, folder)
        imported = safetensors.read_weights(Path(folder) / WEIGHTS_FILE)
    if imported.keys() != original.keys():
        raise ModelError(f"'{path}' has other weights than the run")
    differences = (
        np.abs(imported[name].astype(np.float64) - value).max(initial=0.0)
        for name, value in original.items()
    )
    return float(max(differences, default=0.0))
