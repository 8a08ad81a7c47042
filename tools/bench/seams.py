"""Measure whether a dream has discontinuities where its tiles are joined.

    python tools/bench/seams.py RUN AUDIO [--seconds 30] [--tile 5]

The same part of a recording is dreamt in one tile and in several. Both results differ everywhere,
because the gradient of a tile depends on its whole content; seams would make them differ most where
the tiles overlap. The table has the largest and the root mean square difference there and
elsewhere, and the largest step between adjacent samples of the added signal.
"""

from pathlib import Path

import click
import numpy as np

from tfdream import audio, config
from tfdream.runs import Run
from tfdream.synthesis.dream import dream
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.tiles import TileGrid


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--seconds", type=float, default=30.0, show_default=True)
@click.option("--tile", type=float, default=5.0, show_default=True, help="Seconds of a tile.")
@click.option("--config", "name", default="dream/recommended", show_default=True)
@click.option("--set", "overrides", multiple=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("seams"), show_default=True)
def main(
    run: Path,
    source: Path,
    seconds: float,
    tile: float,
    name: str,
    overrides: tuple[str, ...],
    folder: Path,
) -> None:
    """Print a Markdown table."""
    network = Run.open(run)
    sounds = {}
    for way, length in (("whole", seconds), ("tiles", tile)):
        recipe = config.load(name, config.DreamConfig, (*overrides, f"tiles.seconds={length}"))
        output = folder / f"{way}.wav"
        options = RenderOptions(bits=32, force=True, seconds=seconds)
        dream(source, output, network, recipe, options=options)
        sounds[way], rate = audio.read(output)
    with audio.excerpt(source, 0.0, seconds) as part:
        original, _ = audio.read(part)
    grid = TileGrid.build(recipe.tiles, network.input_samples, network.sample_rate)
    scale = rate / network.sample_rate
    near = np.zeros(len(original), bool)
    for border in range(grid.hop, round(len(original) / scale), grid.hop):
        near[round(border * scale) : round((border + grid.overlap) * scale)] = True
    difference = np.abs(sounds["tiles"] - sounds["whole"]).max(axis=1)
    steps = {
        way: np.abs(np.diff(sound - original, axis=0, prepend=0)).max(axis=1)
        for way, sound in sounds.items()
    }
    print("| | where tiles overlap | elsewhere |")
    print("|---|---:|---:|")
    rows = {
        "largest difference": (difference, np.max),
        "root mean square difference": (
            difference,
            lambda values: np.sqrt(np.mean(values**2)),
        ),
        "largest step, several tiles": (steps["tiles"], np.max),
        "largest step, one tile": (steps["whole"], np.max),
    }
    for title, (values, measure) in rows.items():
        print(f"| {title} | {measure(values[near]):.4f} | {measure(values[~near]):.4f} |")


if __name__ == "__main__":
    main()
