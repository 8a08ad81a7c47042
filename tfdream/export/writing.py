"""`export`: the networks of a run in a format that the extension of the output selects."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdream.errors import ModelError
from tfdream.export import lite, onnx, saved_model, weights
from tfdream.export.base import TOLERANCE, Exported
from tfdream.export.networks import ExportedClassifier, ExportedTranslation
from tfdream.export.sequences import ExportedSequenceModel
from tfdream.io.atomic import check_output, check_output_file, replacing
from tfdream.runs import GenerationRun, Run, RunFolder, TransferRun, TranslationRun


@dataclass(frozen=True)
class Format:
    """A format of exported networks.

    Attributes:
      name: its name.
      write: writes a run to a path, and returns the difference of the outputs from the run's.
    """

    name: str
    write: Callable[[RunFolder, Path], float]


def build(run: RunFolder) -> Exported:
    """Return the functions of a run's networks.

    Raises:
      ModelError: if it is a transfer network, or the frontend cannot be part of a graph.
    """
    if isinstance(run, TransferRun):
        raise ModelError(
            f"'{run.folder}' is a transfer network; only its weights can be exported (.safetensors)"
        )
    if not run.frontend.in_graph:
        raise ModelError(
            f"frontend.kind={run.config.frontend.kind} of the run '{run.folder}' is computed by "
            "librosa and cannot be part of an exported network; export the weights (.safetensors), "
            "or a run with another frontend, such as mel or amplitude"
        )
    if isinstance(run, TranslationRun):
        return ExportedTranslation(run)
    if isinstance(run, GenerationRun):
        return ExportedSequenceModel(run)
    assert isinstance(run, Run)
    return ExportedClassifier(run)


def _write_saved_model(run: RunFolder, path: Path) -> float:
    exported = build(run)
    saved_model.write(exported, path)
    return _checked(saved_model.measure(exported, path))


def _write_lite(run: RunFolder, path: Path) -> float:
    exported = _build_classifier(run, "TensorFlow Lite")
    lite.write(exported, path)
    return _checked(lite.measure(exported, path))


def _write_onnx(run: RunFolder, path: Path) -> float:
    exported = _build_classifier(run, "ONNX")
    onnx.write(exported, path)
    return _checked(onnx.measure(exported, path))


def _write_weights(run: RunFolder, path: Path) -> float:
    weights.write(run, path)
    return _checked(weights.measure(run, path), 0.0)


def _checked(difference: float, tolerance: float = TOLERANCE) -> float:
    if not difference <= tolerance:
        raise ModelError(
            f"the reloaded model differs from the run by {difference:.2g}, more than "
            f"{tolerance:.0e}; nothing was written; use another format, such as .safetensors"
        )
    return difference


def _build_classifier(run: RunFolder, format_name: str) -> Exported:
    if isinstance(run, TranslationRun | GenerationRun):
        kind = "a translation" if isinstance(run, TranslationRun) else "a sequence model"
        raise ModelError(
            f"'{run.folder}' is {kind}, not a classifier: {format_name} lacks operations that it "
            "needs; export a SavedModel (a folder without extension)"
        )
    return build(run)


_SAVED_MODEL = Format("SavedModel", _write_saved_model)
_FILES = {
    ".onnx": Format("ONNX", _write_onnx),
    ".safetensors": Format("safetensors", _write_weights),
    ".tflite": Format("TensorFlow Lite", _write_lite),
}


def export(run: RunFolder, output: str | Path, force: bool = False) -> dict[str, Any]:
    """Write a run's networks, and compare what was written with the run.

    The extension of `output` selects the format:

    - none: SavedModel, a folder. The signature ``serving_default`` takes ``waveform`` float32
      `[batch, clip_samples]` at the run's sample rate. For a classifier, it returns
      ``probabilities`` `[batch, classes]` and ``embedding`` `[batch, units]`; for a translation,
      ``waveform`` in the second label, and the signature ``backward`` one in the first, both
      without the loudness normalization of `translate`. For a sequence model, it takes ``seed``,
      ``count`` and ``temperature`` and returns ``frames`` `[1, count, bands]`; ``continue_frames``
      also takes the ``frames`` of a prompt. ``describe`` returns labels, sample_rate and
      clip_samples, and for a sequence model what is needed to render frames.
    - ``.tflite``: a classifier for TensorFlow Lite, with the same signatures.
    - ``.onnx``: a classifier for ONNX, with the same inputs and outputs; needs the extra `onnx`.
    - ``.safetensors``: the weights and settings of any run, for `presets.install`.

    The outputs of a clip with NaN, infinite or huge samples (beyond 1e15) are NaN.

    Args:
      run: the run.
      output: folder of the SavedModel, or file.
      force: replace an existing SavedModel or file.

    Returns:
      The JSON object of the command: path, format, bytes, max_abs_difference (of outputs that
      exceed 1, in units of their peak), labels, sample_rate, clip_samples.

    Raises:
      ModelError: if `output` exists, is a folder that contains anything but a SavedModel, has
        another extension or cannot be written; if the network cannot be converted; or if the
        outputs of what was written differ.
    """
    path = Path(output)
    target = _format_of(path)
    if target is _SAVED_MODEL:
        check_output(path, force, ModelError)
        saved_model.check_replaceable(path)
    else:
        check_output_file(path, force, ModelError)
    with replacing(path) as temporary:
        difference = target.write(run, temporary)
    return {
        "path": str(path),
        "format": target.name,
        "bytes": _size(path),
        "max_abs_difference": difference,
        "labels": run.labels,
        "sample_rate": run.sample_rate,
        "clip_samples": run.input_samples,
    }


def _format_of(path: Path) -> Format:
    suffix = path.suffix.lower()
    if not suffix:
        return _SAVED_MODEL
    if suffix not in _FILES:
        raise ModelError(
            f"output '{path}' ends in none of {', '.join(_FILES)}; for a SavedModel, name a folder "
            "without extension"
        )
    return _FILES[suffix]


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
