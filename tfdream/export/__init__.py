"""Networks in formats of other programs: SavedModel, TensorFlow Lite, ONNX and safetensors."""

from tfdream.export.base import Exported, Signature, compare
from tfdream.export.networks import ExportedClassifier, ExportedTranslation
from tfdream.export.sequences import ExportedSequenceModel
from tfdream.export.writing import build, export

__all__ = [
    "Exported",
    "ExportedClassifier",
    "ExportedSequenceModel",
    "ExportedTranslation",
    "Signature",
    "build",
    "compare",
    "export",
]
