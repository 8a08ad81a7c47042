"""A table of dreams: how much of its objective each one reached, and what it did to the recording.

python tools/bench/dreams.py ORIGINAL DREAMT...

Each DREAMT is a file that `tfdream dream` made of ORIGINAL, with its sidecar beside it.
"""

from pathlib import Path
from typing import Any

import click
from tables import PATH, number, print_table, ratio, sidecar

from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare

HEAD = (
    "canvas", "objective", "after / before", "rendered / after", "spectral convergence / dB",
    "floor rise / dB", "chroma similarity", "peak", "s per s of audio",
)  # fmt: skip


def canvas_name(canvas: dict[str, Any]) -> str:
    """Such as "gains, bound_db 8" or "log_magnitude, phase pghi, iterations 0"."""
    told = [canvas["kind"]]
    told += [f"{name} {canvas[name]:g}" for name in ("bound_db", "added_db") if name in canvas]
    phase = canvas.get("phase")
    if isinstance(phase, dict):
        told += [f"phase {phase['init']}", f"iterations {phase['iterations']}"]
    return ", ".join(told)


def cells(original: Path, dreamt: Path) -> list[str]:
    made = sidecar(dreamt, "dream")
    config, result = made["config"], made["result"]
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


@click.command()
@click.argument("original", type=PATH)
@click.argument("dreamt", type=PATH, nargs=-1, required=True)
def main(original: Path, dreamt: tuple[Path, ...]) -> None:
    """Print a Markdown table, a row for each dream in the order given."""
    rows = [cells(original, path) for path in dreamt]  # all of them, before the first is shown
    print_table(HEAD, rows, words=2)


if __name__ == "__main__":
    main()
