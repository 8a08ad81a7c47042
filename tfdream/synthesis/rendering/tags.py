"""Tags: the provenance of an output in the comment of the audio file itself.

A tag is one line of JSON: command, inputs with their SHA-256, settings and versions, but no date,
so that equal calls write equal files. `tfdream.synthesis.redo` makes a file again from its tag.

Sidecars have the size and the modification time of each input instead: folders are continued
without reading the inputs of finished outputs.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tfdream import audio
from tfdream.errors import ConfigError
from tfdream.io import documents
from tfdream.io.checksums import file_sha256
from tfdream.runs import versions
from tfdream.runs.info import essential_paths
from tfdream.runs.named import locate, named_runs
from tfdream.synthesis.rendering.options import OutputOptions
from tfdream.synthesis.rendering.sidecar import Provenance

Options = TypeVar("Options", bound=OutputOptions)

SEPARATOR = "/"
INPUTS = (
    *("source", "content", "style", "guide", "prompt", "stems/*", "run/folder"),
    *("config/model", "config/network/options/weights", "config/curves/*/follow"),
)
"""Places of paths in a provenance, with `*` for any key."""
RUNS = ("run/folder", "config/model")
"""Places of runs or presets in a provenance."""


def tagged(options: Options, provenance: Provenance) -> Options:
    """Return the options of an output with its tag, unless they have one."""
    return options if options.tag else replace(options, tag=encode(provenance))


def with_inputs(provenance: Provenance) -> Provenance:
    """Return a provenance with the size and modification time of each input, by its place.

    None stands for an input that is not there to be read again, see `fingerprint`.
    """
    inputs = {name: _state(name, path) for name, path in input_paths(provenance).items()}
    return {**provenance, "inputs": inputs}


def encode(provenance: Provenance) -> str:
    """Return the tag of an output.

    Args:
      provenance: command, inputs and settings; of the run, only the folder, or the name of the
        preset, is included.

    Raises:
      ConfigError: if it is longer than a comment can be.
    """
    content = dict(provenance)
    if content.get("run"):
        folder = Path(content["run"]["folder"])
        is_preset = named_runs().get(folder.name) == folder
        content["run"] = {"folder": folder.name if is_preset else str(folder)}
    inputs = {name: fingerprint(name, path) for name, path in input_paths(content).items()}
    content |= {"inputs": inputs, "versions": versions()}
    text = json.dumps(content, separators=(",", ":"))
    if len(text) > audio.MAX_COMMENT_BYTES:
        raise ConfigError(
            f"the settings need tags of {len(text)} bytes, more than {audio.MAX_COMMENT_BYTES}; "
            "use curves with fewer points"
        )
    return text


def decode(text: str | None) -> dict[str, Any] | None:
    """Return the content of a tag, not validated; None if the text is not a tag."""
    try:
        content = documents.parse_json(text or "")
    except ValueError:
        return None
    return content if isinstance(content, dict) and "command" in content else None


def input_paths(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the paths of the inputs by their place in a provenance.

    >>> input_paths({"source": "a.wav", "guide": None, "run": {"folder": "genres"}})
    {'source': 'a.wav', 'run/folder': 'genres'}
    """
    return {
        SEPARATOR.join(keys): section[keys[-1]]
        for pattern in INPUTS
        for keys, section in _places(content, pattern.split(SEPARATOR))
        if isinstance(section[keys[-1]], str) and not _is_name(pattern, section[keys[-1]])
    }


def replace_path(content: dict[str, Any], name: str, path: str) -> None:
    """Replace the path at a place of a provenance, which `input_paths` contains."""
    for pattern in INPUTS:
        for keys, section in _places(content, pattern.split(SEPARATOR)):
            if SEPARATOR.join(keys) == name:
                section[keys[-1]] = path


def fingerprint(name: str, path: str) -> str | None:
    """Return the SHA-256 of an input: of a file, or of a run's settings and weights.

    None for an input that is not there to be read again, such as a pipe, or a run in memory.

    Args:
      name: place of the path in the provenance.
      path: the file, or the run.
    """
    files = _files(name, path)
    return file_sha256(*files) if files else None


def _state(name: str, path: str) -> dict[str, int] | None:
    """Return the size and the last change of an input: of a file, or of a run's files together."""
    files = _files(name, path)
    if not files:
        return None
    stats = [file.stat() for file in files]
    return {
        "bytes": sum(stat.st_size for stat in stats),
        "modified_ns": max(stat.st_mtime_ns for stat in stats),
    }


def _files(name: str, path: str) -> tuple[Path, ...]:
    """Return the files of an input: one, or several of a run; none if one is missing."""
    files = essential_paths(locate(path)) if name in RUNS else (Path(path),)
    return files if all(file.is_file() for file in files) else ()


def _places(
    section: Any, keys: list[str], before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the keys of each place that matches a pattern, and the section that contains it."""
    first, *rest = keys
    if not isinstance(section, dict):
        return
    for key in list(section) if first == "*" else [first] * (first in section):
        if rest:
            yield from _places(section[key], rest, (*before, key))
        else:
            yield (*before, key), section


def _is_name(pattern: str, value: str) -> bool:
    """Return whether a value stands for something that is not a file, such as random weights."""
    return pattern == "config/network/options/weights" and not Path(value).is_file()
