"""What the measurements share: Markdown tables, and the sidecars of changed recordings."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> None:
    """Print rows as they come; the first `words` columns hold words, the others numbers."""
    print(_line(head))
    print(_line(["---"] * words + ["---:"] * (len(head) - words)))
    for row in rows:
        print(_line(row), flush=True)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def number(value: float | None, form: str) -> str:
    """Formatted; a dash where it means nothing."""
    return "–" if value is None else format(value, form)


def ratio(part: float, whole: float) -> str:
    """Of two numbers; a dash where that means nothing."""
    return number(part / whole if whole else None, ".3g")


def sidecar(output: Path, *commands: str) -> dict[str, Any]:
    """What one of some commands wrote beside its output: its inputs, settings and result."""
    path = output.with_name(output.name + ".json")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"'{path}' is no sidecar: {error}") from None
    if content.get("command") not in commands:
        raise click.BadParameter(f"'{path}' is not of tfdream {' or '.join(commands)}")
    return content
