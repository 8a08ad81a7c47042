"""Measure the distances of sets whose order is known, over the number of clips.

    python tools/bench/distances.py music/rpg_score music/hiphop_beats --model genres

The clips of A are divided at random into a reference and the others. The sets in the table are the
others as they are, the others with white noise at falling signal-to-noise ratios, and the clips of
B: their distances from the reference should rise in this order. Each value is the median, and in
brackets the deviation, of both distances over random choices of so many clips.
"""

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from tables import PATH, print_table

from tfdream import audio
from tfdream.audio import Samples
from tfdream.evaluation.distance import Embedder
from tfdream.evaluation.measures import frechet, kernel
from tfdream.evaluation.measures.levels import FloatArray
from tfdream.evaluation.prediction import clip_batches
from tfdream.runs import Run
from tfdream.synthesis.rendering.batch import recordings

SNR_DB = (30, 20, 10)
COUNTS = (16, 32, 64, 128, 256)
DRAWS = 10


def clips_of(folder: Path, run: Run, most: int) -> Samples:
    """Read the whole clips of all files of a folder, at most `most` of each: `[clips, samples]`."""
    clips = []
    for path in recordings([folder]):
        with audio.Reader(path) as reader:
            whole = [
                batch[filled == run.input_samples]
                for batch, filled in clip_batches(reader.mid(run.sample_rate), run)
            ]
        clips.append(np.concatenate(whole)[:most])
    return np.concatenate(clips)


def with_noise(clips: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    """Add white noise to each clip, relative to its power."""
    rms = np.sqrt((clips**2).mean(axis=1, keepdims=True))
    noise = rng.standard_normal(clips.shape, np.float32)
    noisy: Samples = clips + noise * rms * np.float32(10 ** (-snr_db / 20))
    return noisy


@click.command()
@click.argument("first", metavar="A", type=PATH)
@click.argument("second", metavar="B", type=PATH)
@click.option("--model", "models", multiple=True, default=["genres"], help="Repeatable.")
@click.option("--clips", "most", default=40, show_default=True, help="Most clips of a file.")
def main(first: Path, second: Path, models: tuple[str, ...], most: int) -> None:
    """Print a table for each network."""
    for model in models:
        run = Run.open(model)
        embedder = Embedder(run)
        rng = np.random.default_rng(0)
        clips = rng.permutation(clips_of(first, run, most))
        reference, others = np.array_split(clips, 2)
        waves = {"the same music": others}
        waves |= {f"with noise at {snr} dB": with_noise(others, snr, rng) for snr in SNR_DB}
        waves["B"] = clips_of(second, run, most)
        points = {name: embedder.embed(wave) for name, wave in waves.items()}
        origin = embedder.embed(reference)
        width = kernel.bandwidth(origin)
        measures: dict[str, Callable[[FloatArray, FloatArray], float]] = {
            "Fréchet": frechet.between,
            "kernel": lambda a, b, width=width: kernel.between(a, b, width),
        }
        counts = [count for count in COUNTS if count <= min(map(len, [origin, *points.values()]))]
        print(f"\n{model}, {embedder.dimensions} dimensions\n")
        rows = [
            [name, title, *(_spread(origin, set_, count, measure, rng) for count in counts)]
            for title, measure in measures.items()
            for name, set_ in points.items()
        ]
        print_table(["set", "distance", *(f"{count} clips" for count in counts)], rows, words=2)


def _spread(
    first: FloatArray,
    second: FloatArray,
    count: int,
    measure: Callable[[FloatArray, FloatArray], float],
    rng: np.random.Generator,
) -> str:
    values = [
        measure(rng.permutation(first)[:count], rng.permutation(second)[:count])
        for _ in range(DRAWS)
    ]
    return f"{np.median(values):.3g} [{np.std(values):.2g}]"


if __name__ == "__main__":
    main()
