"""Classifiers as ONNX files; needs the extra `onnx`."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfdream.errors import ModelError, one_line
from tfdream.export.base import Exported, Inputs, compare

OPSET = 17  # the first one with the discrete Fourier transform
_SIGNATURE = "serving_default"


class _Packages(NamedTuple):
    onnx: ModuleType
    onnxruntime: ModuleType
    tf2onnx: ModuleType


def _packages() -> _Packages:
    """Import the packages of the extra.

    Raises:
      ModelError: if one of them is missing.
    """
    try:
        import onnx
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise ModelError(
            f"ONNX needs the package {error.name}; install it with: pip install 'tfdream[onnx]'"
        ) from None
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # errors are raised below
    return _Packages(onnx, onnxruntime, tf2onnx)


def write(exported: Exported, path: Path) -> None:
    """Convert the signature ``serving_default``; its inputs and outputs keep their names.

    The description is metadata of the model, as JSON values.

    Raises:
      ModelError: if a package is missing, or ONNX has no equivalent of an operation.
    """
    packages = _packages()
    signature = exported.graphs()[_SIGNATURE].get_concrete_function()
    # Captured constants would become inputs of the ONNX graph.
    frozen = convert_variables_to_constants_v2(signature)
    # Outputs are in the order of the sorted names.
    outputs = dict(zip(sorted(signature.structured_outputs), frozen.outputs, strict=True))
    names = {tensor.name: tensor.name.partition(":")[0] for tensor in frozen.inputs}
    names |= {tensor.name: name for name, tensor in outputs.items()}
    model, _ = packages.tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[tensor.name for tensor in frozen.inputs],
        output_names=[tensor.name for tensor in frozen.outputs],
        opset=OPSET,
        custom_op_handlers=_handlers(packages),
        tensors_to_rename=names,
    )
    if missing := sorted(set(_unknown_operations(model.graph, packages.onnx))):
        raise ModelError(
            f"ONNX has no equivalent of the operation {', '.join(missing)}; export a SavedModel (a "
            "folder without extension)"
        )
    description = {key: json.dumps(value) for key, value in exported.description().items()}
    packages.onnx.helper.set_model_props(model, description)
    path.write_bytes(model.SerializeToString())


def measure(exported: Exported, path: Path) -> float:
    """Return the largest difference of the outputs of a run and its network in ONNX Runtime.

    Raises:
      ModelError: if ONNX Runtime cannot run the network.
    """
    runtime = _packages().onnxruntime
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        outputs = [output.name for output in session.get_outputs()]

        def compute(name: str, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
            values = session.run(outputs, {key: value.numpy() for key, value in inputs.items()})
            return dict(zip(outputs, values, strict=True))

        return compare(exported, compute)
    except RuntimeError as error:  # the base of most errors of ONNX Runtime
        reason = one_line(error)
        raise ModelError(f"ONNX Runtime cannot run the network: {reason}") from None


def _unknown_operations(graph: Any, onnx: ModuleType) -> Iterator[str]:
    """Yield the operations of a graph and its subgraphs that the standard does not define."""
    for node in graph.node:
        if not onnx.defs.has(node.op_type, OPSET, node.domain):
            yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _unknown_operations(attribute.g, onnx)


def _handlers(packages: _Packages) -> dict[str, Any]:
    """Return conversions of operations that tf2onnx lacks.

    ONNX represents complex numbers by a last axis of length two.
    """
    onnx, tf2onnx = packages.onnx, packages.tf2onnx
    kind = onnx.TensorProto.FLOAT

    def constant(graph: Any, values: int | float | list[int]) -> str:
        dtype = np.float32 if isinstance(values, float) else np.int64
        array = np.array(values, dtype)
        name: str = graph.make_const(tf2onnx.utils.make_name("constant"), array).output[0]
        return name

    def rfft(graph: Any, node: Any, name: str, arguments: Any) -> None:
        source, target = node.input[0], node.output[0]
        axis = len(graph.get_shape(source)) - 1
        real = graph.make_node("Unsqueeze", [source, constant(graph, [-1])]).output[0]
        # With float32, ONNX Runtime's transform has errors of 1e-5, which logarithms amplify.
        double = graph.make_node("Cast", [real], attr={"to": onnx.TensorProto.DOUBLE}).output[0]
        transform = graph.make_node("DFT", [double], attr={"axis": axis, "onesided": 1}).output[0]
        graph.remove_node(node.name)
        graph.make_node(
            "Cast", [transform], attr={"to": kind}, outputs=[target], shapes=[None], dtypes=[kind]
        )

    def part(index: int) -> Any:
        def gather(graph: Any, node: Any, name: str, arguments: Any) -> None:
            source, target = node.input[0], node.output[0]
            graph.remove_node(node.name)
            inputs = [source, constant(graph, index)]
            graph.make_node(
                "Gather", inputs, attr={"axis": -1}, outputs=[target], shapes=[None], dtypes=[kind]
            )

        return gather

    def log1p(graph: Any, node: Any, name: str, arguments: Any) -> None:
        source, target = node.input[0], node.output[0]
        shape = graph.get_shape(target)
        graph.remove_node(node.name)
        total = graph.make_node("Add", [source, constant(graph, 1.0)]).output[0]
        graph.make_node("Log", [total], outputs=[target], shapes=[shape], dtypes=[kind])

    handlers = {"RFFT": rfft, "Real": part(0), "Imag": part(1), "Log1p": log1p}
    return {name: (handler, []) for name, handler in handlers.items()}
