"""Markdown tables, and sidecars of changed recordings."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> None:
    """Print rows as they are computed; the first `words` columns have text, the others numbers."""
    print(_line(head))
    print(_line(["---"] * words + ["---:"] * (len(head) - words)))
    for row in rows:
        print(_line(row), flush=True)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def number(value: float | None, form: str) -> str:
    """Return a formatted number, or a dash for None."""
    return "–" if value is None else format(value, form)


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are not None, or None if there are none."""
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def ratio(part: float, whole: float) -> str:
    """Return the ratio of two numbers, or a dash if `whole` is 0."""
    return number(part / whole if whole else None, ".3g")


def sidecar(output: Path, *commands: str) -> dict[str, Any]:
    """Return the sidecar that one of the commands wrote: inputs, settings and result."""
    path = output.with_name(output.name + ".json")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"'{path}' is not a sidecar: {error}") from None
    if content.get("command") not in commands:
        raise click.BadParameter(f"'{path}' was not written by tfdream {' or '.join(commands)}")
    return content
