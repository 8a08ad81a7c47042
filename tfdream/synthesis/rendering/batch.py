"""Processing of several audio files into a folder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdream import audio
from tfdream.errors import AudioError, OutputError
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.sidecar import Provenance

# Extension of outputs whose source has a format that cannot be written.
_DEFAULT_EXTENSION = ".flac"


def recordings(paths: Iterable[str | Path], output: str | Path | None = None) -> list[Path]:
    """Return the audio files among some paths and, for folders, in them at any depth.

    Args:
      paths: files and folders.
      output: a folder to leave out, if it is in one of them.

    Raises:
      AudioError: if there are none.
    """
    files, named = [], [Path(path) for path in paths]
    excluded = output and Path(output)
    for path in named:
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if excluded not in file.parents]
            files += [file for file in inside if file.suffix.lower() in audio.EXTENSIONS]
        else:
            files.append(path)
    if not files:
        raise AudioError(f"no audio file in '{named[0]}'; name another folder")
    return files


def destinations(sources: Iterable[str | Path], folder: str | Path) -> dict[Path, Path]:
    """Return the output of each source: its name in a folder, in its format if it is writable.

    Raises:
      AudioError: if two outputs would have the same name, or a source would be its own output.

    >>> destinations(["a/one.wav", "a/two.mp3"], "out")[Path("a/two.mp3")].name
    'two.flac'
    """
    outputs: dict[Path, Path] = {}
    for source in map(Path, sources):
        suffix = source.suffix.lower()
        extension = suffix if audio.is_writable(suffix) else _DEFAULT_EXTENSION
        output = Path(folder) / (source.stem + extension)
        if output in outputs.values():
            raise AudioError(
                f"two files would be written to '{output}'; process them one by one, under "
                "different names"
            )
        if output.resolve() == source.resolve():
            raise AudioError(f"'{source}' would overwrite itself; name another folder")
        outputs[source] = output
    return outputs


@dataclass(frozen=True)
class FileTask:
    """The processing of single files.

    Attributes:
      process: source, output and whether to replace it → the result of one file.
      provenance: source → provenance of its output.
    """

    process: Callable[[Path, Path, bool], dict[str, Any]]
    provenance: Callable[[Path], Provenance]


def process_each(outputs: dict[Path, Path], task: FileTask, force: bool = False) -> dict[str, Any]:
    """Process one file after the other; files that cannot be read are skipped.

    A complete output of the same provenance is not computed again.

    Args:
      outputs: output of each source, as `destinations` returns them.
      task: processes one file.
      force: compute all outputs again.

    Returns:
      files: the results; kept: existing outputs; skipped: path and reason; interrupted, if one
      was interrupted.

    Raises:
      AudioError: if no file could be processed.
      OutputError: if an output cannot be written; those before it remain.
    """
    result: dict[str, Any] = {"files": [], "kept": [], "skipped": []}
    for source, output in outputs.items():
        status = sidecar.status(output, task.provenance(source))
        if status == "complete" and not force:
            result["kept"].append(str(output))
            continue
        try:
            result["files"].append(task.process(source, output, force or status == "interrupted"))
        except OutputError:
            raise
        except AudioError as error:
            result["skipped"].append({"path": str(source), "reason": str(error)})
            continue
        if "interrupted" in result["files"][-1]:
            result["interrupted"] = True
            break
    if not result["files"] and not result["kept"]:
        raise AudioError(result["skipped"][0]["reason"])
    return result
