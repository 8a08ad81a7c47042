"""Classifiers as TensorFlow Lite files of built-in operations."""

import re
import tempfile
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python.convert_phase import ConverterError

from tfdream.errors import ModelError, one_line
from tfdream.export import saved_model
from tfdream.export.base import Exported, Inputs, compare
from tfdream.io.library_logs import without_native_logs

_OPERATION = re.compile(r"Flex(\w+)|'tf\.(\w+)' op")
_REMEDY = "export a SavedModel (a folder without extension)"


def write(exported: Exported, path: Path) -> None:
    """Convert the SavedModel of a network.

    Raises:
      ModelError: if TensorFlow Lite has no built-in operation for a part of it.
    """
    with tempfile.TemporaryDirectory() as folder, without_native_logs():
        saved_model.write(exported, Path(folder))
        try:
            content: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
        except ConverterError as error:
            raise ModelError(f"TensorFlow Lite {_reason(str(error))}; {_REMEDY}") from None
    path.write_bytes(content)


def measure(exported: Exported, path: Path) -> float:
    """Return the largest difference of the outputs of a run and its converted network.

    Raises:
      ModelError: if the interpreter cannot run the network.
    """
    with warnings.catch_warnings():
        # Some versions of TensorFlow announce that the interpreter moves to another package.
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(
            model_content=path.read_bytes(),
            # Without the default delegate, which reports its use on standard error.
            experimental_op_resolver_type=(
                tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
        )

    def compute(name: str, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        runner = interpreter.get_signature_runner(name)
        count = len(next(iter(inputs.values())))
        # One clip at a time, as small devices do.
        rows = [
            runner(**{key: value[row : row + 1].numpy() for key, value in inputs.items()})
            for row in range(count)
        ]
        return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}

    try:
        return compare(exported, compute)
    except (RuntimeError, ValueError) as error:
        reason = one_line(error)
        remedy = _REMEDY
        if "IsPowerOfTwo" in reason:
            remedy = (
                "it computes Fourier transforms of powers of two only: train with such an n_fft, "
                f"or {_REMEDY}"
            )
        raise ModelError(
            f"the interpreter of TensorFlow Lite cannot run the network ({reason}); {remedy}"
        ) from None


def _reason(message: str) -> str:
    """Return why a conversion failed: the operations that are missing, or the first line."""
    if names := sorted({first or second for first, second in _OPERATION.findall(message)}):
        return f"has no built-in operation for {', '.join(names)}"
    return f"cannot convert the network: {message.strip().splitlines()[0]}"
