"""Sidecars: `<output>.json` with the provenance and measures of an output file.

The provenance is all that determines the content of the output: command, inputs and settings.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.io import documents
from tfdream.io.atomic import (
    check_keeps_inputs,
    check_output_file,
    naming_errors,
    temporary_path,
    write_json,
)
from tfdream.io.signals import uninterrupted
from tfdream.runs import versions

Provenance: TypeAlias = dict[str, Any]
"""Command, inputs and settings of an output: values that JSON can represent."""


def check_output(
    output: str | Path, bits: int | None, force: bool, inputs: Iterable[str | Path | None] = ()
) -> None:
    """Check before the work begins that an output and its sidecar can be written.

    Args:
      output: the audio file.
      bits: bits per sample, see `audio.Writer`.
      force: whether an existing output may be replaced.
      inputs: files that the output must not replace; None is ignored.

    Raises:
      AudioError: if the output exists, cannot be written, or has an unsupported extension.
    """
    output = Path(output)
    check_output_file(output, force, AudioError)
    replaceable = "command" in read(output)
    check_output_file(path_of(output), force or replaceable, AudioError)
    audio.check_writable(output, bits)
    check_keeps_inputs(output, inputs, AudioError)


@contextmanager
def claim(output: Path, provenance: Provenance) -> Iterator[None]:
    """Mark an output whose sidecar is not written yet, so that the next call recognizes it.

    The mark is the temporary file of the sidecar, which the finished sidecar replaces: `status`
    returns "interrupted" for a marked output. If the block ends early, but after the output was
    written, a sidecar without measures, which states that it is interrupted, replaces that of an
    earlier output. If it ends before, an output that was marked already keeps its mark: a process
    was killed before it described the output, so its sidecar is missing or that of an earlier one.
    """
    sidecar = path_of(output)
    mark = temporary_path(sidecar)
    was_marked = mark.is_file() and output.is_file()
    before = [_state(path) for path in (output, sidecar)]
    try:
        with naming_errors(output):
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        yield
    finally:
        with uninterrupted():  # a second signal would leave the mark
            after = [_state(path) for path in (output, sidecar)]
            is_changed, is_described = (old != new for old, new in zip(before, after, strict=True))
            if is_changed and not is_described:
                _describe_interrupted(output, provenance, mark)
            # On a read-only disk, unlinking a missing file fails too.
            elif mark.exists() and (is_described or not was_marked):
                mark.unlink()


def _describe_interrupted(output: Path, provenance: Provenance, mark: Path) -> None:
    """Write the sidecar that a changed output lacks; if that fails, the mark remains."""
    try:
        write(output, provenance, {"interrupted": True})
    except OSError:
        with suppress(OSError):  # the failed write has removed the mark
            mark.touch()


def _state(path: Path) -> tuple[int, int] | None:
    """Return what changes when another file takes the place of `path`; None if there is none."""
    with suppress(FileNotFoundError):
        stat = path.stat()
        return stat.st_ino, stat.st_mtime_ns
    return None


def status(output: str | Path, provenance: Provenance) -> Literal["complete", "interrupted"] | None:
    """Return the state of an output with this provenance; None if there is no such output."""
    output = Path(output)
    if not output.is_file():
        return None
    if temporary_path(path_of(output)).is_file():
        return "interrupted"
    content = read(output)
    result = content.pop("result", None)
    content.pop("versions", None)
    if result is None or content != json.loads(json.dumps(provenance)):
        return None
    return "interrupted" if "interrupted" in result else "complete"


def read(output: str | Path) -> dict[str, Any]:
    """Return the content of an output's sidecar; empty if it is missing or damaged."""
    try:
        content = documents.read_json(path_of(output))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write(output: str | Path, provenance: Provenance, result: dict[str, Any]) -> None:
    """Write the sidecar of an output.

    Args:
      output: the audio file.
      provenance: command, inputs and settings.
      result: the JSON object of the command.
    """
    write_json(path_of(output), {**provenance, "result": result, "versions": versions()})


def path_of(output: str | Path) -> Path:
    """Return the path of an output's sidecar.

    >>> path_of("folder/song.flac").name
    'song.flac.json'
    """
    output = Path(output)
    return output.with_name(output.name + ".json")
