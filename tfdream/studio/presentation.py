"""The state of the queue and the finished jobs, in the form that the page shows.

All texts are `literal`: the templates and the Markdown of the page contain them as HTML.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tfdream import audio
from tfdream.errors import AudioError
from tfdream.evaluation.interpretation import interpret
from tfdream.reports.result import flatten, format_minutes
from tfdream.studio.history import Entry
from tfdream.studio.jobs import Status
from tfdream.studio.literal import literal
from tfdream.studio.tasks import TASKS

_FILE_ADDRESS = "/gradio_api/file="
_MOST_LABELS = 10


def status_value(status: Status, message: str = "") -> dict[str, Any]:
    """Return text, finished and all steps for the progress bar.

    >>> status_value(Status())
    {'text': 'Ready&#46;', 'done': 0, 'total': 1}
    """
    text = literal(message or _text(status))
    step = status.step if status.running is not None else None
    if step is None:
        return {"text": text, "done": int(bool(status.finished) and status.is_idle), "total": 1}
    return {"text": text, "done": step.done, "total": max(step.total, 1)}


def _text(status: Status) -> str:
    waiting = f"; {status.waiting} waiting" if status.waiting else ""
    if status.running is None:
        if status.message:
            return f"Error: {status.message}"
        if status.waiting:
            return "Waiting for the previous job."
        return f"Finished: {', '.join(status.finished)}." if status.finished else "Ready."
    seconds = time.monotonic() - status.started
    step = status.step
    if step is None:
        return f"Preparing the recordings and the network, {seconds:.0f} s{waiting}"
    if step.done >= step.total:
        return f"Writing the result, {seconds:.0f} s{waiting}"
    text = f"Step {step.done} of {step.total}, {seconds:.0f} s{waiting}"
    if not math.isnan(step.value):
        text += f"; {TASKS[status.running.task].value_name} {step.value:.4g}"
    return text


def file_address(path: str | Path) -> str:
    """Return the address at which the server provides a file in the folder of the studio.

    >>> file_address("/music/my song.wav")
    '/gradio_api/file=/music/my%20song.wav'
    """
    return _FILE_ADDRESS + quote(Path(path).absolute().as_posix())


def players(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return the sounds of finished jobs, each original once, for playback at the same position."""
    sounds: dict[Path, str] = {}
    shown: dict[Path, dict[str, str]] = {}
    for entry in entries:
        job = entry.job
        if job.first is not None:
            sounds.setdefault(Path(job.first), "original")
        if job.second is not None and job.task != "dream":
            second = {"transfer": "style", "compare": "result"}.get(job.task, "second recording")
            sounds.setdefault(Path(job.second), second)
        for path in map(Path, entry.result.get("snapshots", [])):
            sounds.setdefault(path, f"{entry.name}, {path.stem}")
        output = entry.output or (Path(job.second) if job.second else None)
        if entry.output is not None:
            sounds.setdefault(entry.output, entry.title)
        if output is not None:
            shown[output] = dict(_shown(entry))
    existing = {path: name for path, name in sounds.items() if path.is_file()}
    return [
        {
            "number": number,
            "name": literal(name),
            "description": literal(_describe(path)),
            "url": literal(file_address(path)),
            **shown.get(path, {}),
        }
        for number, (path, name) in enumerate(existing.items(), 1)
    ]


def _shown(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield names and addresses of what is shown with a result."""
    for name in ("video", "figure"):
        path = entry.presentation(name)
        if path.is_file():
            yield name, literal(file_address(path))


def _describe(path: Path) -> str:
    try:
        info = audio.info(path)
    except AudioError as error:
        return str(error)
    seconds = info.estimated_samples / info.sample_rate
    channels = {1: "mono", 2: "stereo"}.get(info.channels, f"{info.channels} channels")
    return f"{path.name}, {format_minutes(seconds)}, {channels}, {info.sample_rate} Hz"


def findings(entries: Sequence[Entry]) -> str:
    """Return what was measured, as Markdown: sentences, notes, and probabilities."""
    lines = []
    for entry in entries:
        if len(entries) > 1:
            lines.append(f"**{literal(entry.title)}**\n")
        lines += [f"- {literal(text)}" for text in _sentences(entry)]
        lines.append("")
    return "\n".join(lines)


def _sentences(entry: Entry) -> Iterator[str]:
    result = entry.result
    for file in result.get("files", []):
        yield f"{Path(file['path']).name}: {_classes(file)}"
        yield from file.get("notes", [])
    if "generated_seconds" in result:
        yield f"Generated: {result['generated_seconds']:.1f} s with seed {result['seed']}."
    yield from (finding.text for finding in interpret(result))
    yield from (f"Note: {note}" for note in result.get("notes", []))
    if result.get("interrupted") and "generated_seconds" in result:
        yield f"Stopped: {result['generated_seconds']:.1f} s are generated."
    elif result.get("interrupted"):
        yield f"Stopped: {result.get('changed_seconds', 0):.1f} s are changed."


def _classes(file: Mapping[str, Any]) -> str:
    if "error" in file:
        return str(file["error"])
    ranked = sorted(file["probabilities"].items(), key=lambda item: -item[1])[:_MOST_LABELS]
    return ", ".join(f"{label} {probability:.0%}" for label, probability in ranked)


def measures(entries: Sequence[Entry]) -> list[list[str]]:
    """Return a table of all measures: the name, and the value of each finished job."""
    columns = [dict(flatten(entry.result)) for entry in entries]
    names = dict.fromkeys(name for column in columns for name in column)
    return [[name, *(column.get(name, "—") for column in columns)] for name in names]
