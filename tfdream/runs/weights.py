"""Weights of a model in one HDF5 file, checked before they are read."""

import warnings
from pathlib import Path

import keras

from tfdream.io import archives

# Exceptions of h5py and Keras for foreign or damaged weights.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, UserWarning)


def save(model: keras.Model, path: Path, copies: int = 1) -> None:
    """Write the weights of a model.

    Args:
      model: the model.
      path: the file.
      copies: disk space to reserve, in multiples of the weights.
    """
    arrays = [weight.nbytes for weight in model.get_weights()] * copies
    archives.reserve_hdf5(path, arrays)
    model.save_weights(path)


def load(model: keras.Model, path: Path) -> None:
    """Load all weights of a model from one file, whose arrays must have the weights' shapes."""
    # Optimizers have moments in the shapes of the weights, and scalars.
    shapes = {(), *(tuple(weight.shape) for weight in model.variables)}
    archives.check_hdf5(path, shapes)
    with warnings.catch_warnings():
        # Keras only warns if the file lacks the weights of a layer.
        warnings.simplefilter("error", UserWarning)
        model.load_weights(path)
