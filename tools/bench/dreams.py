"""A table of dreams: how much of its objective each one reached, and what it did to the recording.

python tools/bench/dreams.py ORIGINAL DREAMT...

Each DREAMT is a file that `tfdream dream` made of ORIGINAL, with its sidecar beside it.
"""

import json
from pathlib import Path
from typing import Any

import click

from tfdream.errors import TfdreamError
from tfdream.evaluation.modification import compare

HEAD = (
    "canvas", "objective", "after / before", "rendered / after", "spectral convergence / dB",
    "floor rise / dB", "chroma similarity", "peak", "s per s of audio",
)  # fmt: skip
NUMBERS = HEAD[2:]
PATH = click.Path(path_type=Path)


def read(dreamt: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and measures of a dream."""
    path = dreamt.with_name(dreamt.name + ".json")
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"'{path}' is no sidecar: {error}") from None
    if sidecar.get("command") != "dream":
        raise click.BadParameter(f"'{path}' is not of tfdream dream")
    return sidecar["config"], sidecar["result"]


def canvas_name(canvas: dict[str, Any]) -> str:
    """Such as "gains, bound_db 8" or "log_magnitude, phase pghi, iterations 0"."""
    told = [canvas["kind"]]
    told += [f"{name} {canvas[name]:g}" for name in ("bound_db", "added_db") if name in canvas]
    phase = canvas.get("phase")
    if isinstance(phase, dict):
        told += [f"phase {phase['start']}", f"iterations {phase['iterations']}"]
    return ", ".join(told)


def number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def ratio(part: float, whole: float) -> str:
    return number(part / whole if whole else None, ".3g")


def cells(original: Path, dreamt: Path) -> list[str]:
    config, result = read(dreamt)
    try:
        change = compare(original, dreamt)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None
    for note in change["notes"]:
        click.echo(f"{dreamt}: {note}", err=True)
    return [
        canvas_name(config["canvas"]),
        result["objective"],
        ratio(result["objective_after"], result["objective_before"]),
        ratio(result["objective_rendered"], result["objective_after"]),
        # Of the render: how far the sound is from the spectrum that the canvas asked for.
        number(result["spectral_convergence_db"], ".1f"),
        number(change["floor_rise_db"], "+.1f"),
        number(change["content_chroma_similarity"], ".3f"),
        f"{change['peak']:.3f}",
        ratio(result["compute_seconds"], result["audio_seconds"]),
    ]


def line(values: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(values)} |"


@click.command()
@click.argument("original", type=PATH)
@click.argument("dreamt", type=PATH, nargs=-1, required=True)
def main(original: Path, dreamt: tuple[Path, ...]) -> None:
    """Print a Markdown table, a row for each dream in the order given."""
    rows = [cells(original, path) for path in dreamt]
    print(line(HEAD))
    print(line(["---:" if name in NUMBERS else "---" for name in HEAD]))
    for row in rows:
        print(line(row))


if __name__ == "__main__":
    main()
