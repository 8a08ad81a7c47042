"""Several recordings at a time, each with its place in a folder."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tfdream import audio
from tfdream.errors import AudioError, OutputError
from tfdream.synthesis.rendering.process import made

# What a recording becomes if we do not write its own format.
_OTHERWISE = ".flac"


def recordings(paths: Iterable[Path], output: Path | None = None) -> list[Path]:
    """The audio files among some paths and, for folders, in them at any depth.

    Args:
      paths: files and folders.
      output: a folder to leave out, if it lies in one of them.

    Raises:
      AudioError: if there are none.
    """
    found, named = [], list(paths)
    for path in named:
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if output not in file.parents]
            found += [file for file in inside if file.suffix.lower() in audio.EXTENSIONS]
        else:
            found.append(path)
    if not found:
        raise AudioError(f"no audio file in '{named[0]}'; name another folder")
    return found


def destinations(sources: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """Where each recording goes: its own name, and its own format if that is one we write.

    Raises:
      AudioError: if two would have the same name, or one would be its own output.
    """
    outputs: dict[Path, Path] = {}
    for source in sources:
        suffix = source.suffix.lower()
        output = folder / (source.stem + (suffix if audio.is_writable(suffix) else _OTHERWISE))
        if output in outputs.values():
            raise AudioError(f"two recordings would become '{output}'; change them one by one")
        if output.resolve() == source.resolve():
            raise AudioError(f"'{source}' would overwrite itself; name another folder")
        outputs[source] = output
    return outputs


def change_each(
    outputs: dict[Path, Path],
    change: Callable[[Path, Path, bool], dict[str, Any]],
    making: Callable[[Path], dict[str, Any]],
    force: bool = False,
) -> dict[str, Any]:
    """Change one recording after the other; what cannot be read is skipped.

    An output that is there, made in the same way, is kept, unless it was interrupted.

    Args:
      outputs: as `destinations` gives them.
      change: source, output and whether to replace it → the result of one.
      making: source → how its output is made, as the sidecar tells it.
      force: keep nothing.

    Returns:
      files: the results; kept: outputs that were there; skipped: path and reason; interrupted, if
      one was.

    Raises:
      AudioError: if not one could be changed.
      OutputError: if one cannot be written; those before it stay.
    """
    result: dict[str, Any] = {"files": [], "kept": [], "skipped": []}
    for source, output in outputs.items():
        there = made(output, making(source))
        if there == "whole" and not force:
            result["kept"].append(str(output))
            continue
        try:
            result["files"].append(change(source, output, force or there == "interrupted"))
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
