"""Draw how transfers move from the content to the style as their strength grows.

    python tools/bench/strengths.py strengths.png demo/new/strings/strings-01.flac \
        demo/new/chiptune/chiptune-01.flac --recipe transfer/timbre --recipe transfer/rhythm

The first panel has the style loss of the written file relative to that of the content, the second
one the log-spectral distance from the content, the third one the onset correlation with it.
"""

import tempfile
from pathlib import Path

import click
from matplotlib.figure import Figure
from tables import PATH, print_table

from tfdream.config import load_transfer
from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare
from tfdream.figures.parts.sheet import write
from tfdream.synthesis.transfer import transfer

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
MEASURES = {
    "style loss / content's": "style",
    "spectral distance from content, dB": "log_spectral_distance_db",
    "onset correlation": "onset_correlation",
}


@click.command()
@click.argument("figure", type=PATH)
@click.argument("content", type=PATH)
@click.argument("style", type=PATH)
@click.option("--recipe", "recipes", multiple=True, required=True, help="Repeatable.")
def main(figure: Path, content: Path, style: Path, recipes: tuple[str, ...]) -> None:
    """Transfer STYLE to CONTENT at five strengths of each recipe; draw FIGURE."""
    try:
        curves = {
            recipe: [measure(content, style, recipe, s) for s in STRENGTHS] for recipe in recipes
        }
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None
    rows = [
        [recipe, f"{strength:g}", *(f"{values[name]:.3f}" for name in MEASURES.values())]
        for recipe, points in curves.items()
        for strength, values in zip(STRENGTHS, points, strict=True)
    ]
    print_table(["recipe", "strength", *MEASURES], rows, words=1)
    write(draw(curves), figure)


def measure(content: Path, style: Path, recipe: str, strength: float) -> dict[str, float]:
    """Transfer with a strength, and measure the written file."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output.flac"
        settings = load_transfer(recipe, [f"style_strength={strength}"])
        result = transfer(content, style, output, settings)
        relative = result["style_loss_rendered"] / result["style_loss_before"]
        return {"style": relative, **compare(content, output)}


def draw(curves: dict[str, list[dict[str, float]]]) -> Figure:
    """Draw one panel for each measure."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axis, (label, name) in zip(
        figure.subplots(1, len(MEASURES)), MEASURES.items(), strict=True
    ):
        for recipe, points in curves.items():
            axis.plot(STRENGTHS, [values[name] for values in points], marker="o", label=recipe)
        axis.set_xlabel("strength")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    figure.axes[0].legend()
    return figure


if __name__ == "__main__":
    main()
