"""Print a table of dreams: the objective after and rendered, and measures of the change.

python tools/bench/dreams.py ORIGINAL DREAMT...

Each DREAMT is an output of `tfdream dream` for ORIGINAL, with its sidecar.
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
    """Return a name such as "gains, bound_db 8" or "log_magnitude, phase pghi, iterations 0"."""
    parts = [canvas["kind"]]
    parts += [f"{name} {canvas[name]:g}" for name in ("bound_db", "added_db") if name in canvas]
    phase = canvas.get("phase")
    if isinstance(phase, dict):
        parts += [f"phase {phase['init']}", f"iterations {phase['iterations']}"]
    return ", ".join(parts)


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
        # Between the STFT of the rendered waveform and that of the canvas.
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
    """Print a Markdown table, with a row per dream in the given order."""
    rows = [cells(original, path) for path in dreamt]  # measured before anything is printed
    print_table(HEAD, rows, words=2)


if __name__ == "__main__":
    main()
