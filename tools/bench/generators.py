"""A table of generated sound beside recordings: is it as lively, as tonal, of the same spectrum?

    python tools/bench/generators.py 'real=DATA/dungeon_game/*' 'other=DATA/rpg_score/*' \\
        'lstm=OUT/lstm*.wav' --label dungeon_game --model RUN

Each group is NAME=PATTERN; the first one is the collection that the others should be like. Of each
file so many seconds are heard, in clips of 5 s. Medians over the clips but for shares: spectral
flatness (0 dB is white noise), how far the level of a frame varies within a clip, how much louder a
file's last clip is than its first, and the distance of a clip's mean spectrum (in dB, level apart)
from the mean of the first group's. With --model, the share of files that a classifier hears as it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from tables import PATH, number, print_table

from tfdream import audio
from tfdream.errors import TfdreamError

HEAD = (
    "sound", "clips", "flatness / dB", "level varies by / dB", "last − first / dB",
    "distance of mean spectra / dB", "flux / dB",
)  # fmt: skip
RATE, CLIP_SECONDS = 22050, 5
N_FFT, HOP = 2048, 512
_TINY = 1e-10


class Clip(NamedTuple):
    """What is measured of one clip."""

    flatness_db: float
    """Of loud frames: geometric over arithmetic mean of the power."""
    level_deviation_db: float
    level_db: float
    flux_db: float
    """Mean absolute change of a bin from frame to frame, of bins within 60 dB of the loudest."""
    spectrum_db: np.ndarray
    """Mean over the frames `[bins]`, minus its mean."""


def clips(path: Path, seconds: float) -> Iterator[np.ndarray]:
    with audio.Reader(path) as reader:
        wanted = audio.head(reader.mid(RATE), round(seconds * RATE))
        for clip in audio.rechunk(wanted, CLIP_SECONDS * RATE):
            if len(clip) == CLIP_SECONDS * RATE and np.abs(clip).max() > 1e-3:
                yield clip[:, 0]


def measure(samples: np.ndarray) -> Clip:
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(N_FFT + 1)[:-1])) ** 2 + _TINY
    level_db = 10 * np.log10(power.mean(axis=1))
    loud = power[level_db > level_db.max() - 40]
    db = 10 * np.log10(power)
    shown = db[1:] > db.max() - 60
    flatness = np.exp(np.log(loud).mean(axis=1)) / loud.mean(axis=1)
    # Between 50 Hz and 8 kHz, where all collections have something.
    first, last = round(50 * N_FFT / RATE), round(8000 * N_FFT / RATE)
    spectrum_db = 10 * np.log10(power.mean(axis=0))[first:last]
    return Clip(
        float(10 * np.log10(flatness).mean()),
        float(level_db.std()),
        float(10 * np.log10(power.mean())),
        float(np.abs(np.diff(db, axis=0))[shown].mean()),
        spectrum_db - spectrum_db.mean(),
    )


def row(name: str, files: list[list[Clip]], reference_db: np.ndarray) -> list[str]:
    every = [clip for clips in files for clip in clips]
    grown = [clips[-1].level_db - clips[0].level_db for clips in files if len(clips) > 1]
    distances = [np.sqrt(np.mean((clip.spectrum_db - reference_db) ** 2)) for clip in every]
    return [
        name,
        str(len(every)),
        number(float(np.median([clip.flatness_db for clip in every])), ".1f"),
        number(float(np.median([clip.level_deviation_db for clip in every])), ".1f"),
        number(float(np.median(grown)) if grown else None, "+.1f"),
        number(float(np.median(distances)), ".1f"),
        number(float(np.median([clip.flux_db for clip in every])), ".1f"),
    ]


def verdicts(run: Path, label: str, paths: list[Path]) -> list[str]:
    """Mean probability of the label, and the share of files heard as it."""
    from tfdream.evaluation.classification import predict
    from tfdream.runs import Run

    files = [file for file in predict(Run.open(run), paths)["files"] if "label" in file]
    heard = np.mean([file["label"] == label for file in files])
    probability = np.mean([file["probabilities"][label] for file in files])
    return [f"{heard:.0%}", f"{probability:.2f}"]


@click.command()
@click.argument("groups", metavar="NAME=PATTERN...", nargs=-1, required=True)
@click.option("--seconds", default=30.0, show_default=True, help="How much of each file is heard.")
@click.option("--model", "run", type=PATH, help="A classifier that judges the files.")
@click.option("--label", help="That it should hear.")
def main(groups: tuple[str, ...], seconds: float, run: Path | None, label: str | None) -> None:
    """Print a Markdown table, a row for each group."""
    if run and not label:
        raise click.UsageError("--model needs --label")
    head = [*HEAD, *([f"files heard as {label}", "probability"] if run else [])]
    rows = []
    reference_db = None
    try:
        for group in groups:
            name, _, pattern = group.partition("=")
            folder = Path(pattern).parent
            paths = sorted(folder.glob(Path(pattern).name))
            if not paths:
                raise click.BadParameter(f"'{group}': there is no such file")
            files = [[measure(clip) for clip in clips(path, seconds)] for path in paths]
            files = [found for found in files if found]
            if reference_db is None:
                spectra = [clip.spectrum_db for found in files for clip in found]
                reference_db = np.mean(spectra, axis=0)
            judged = verdicts(run, label, paths) if run and label else []
            rows.append([*row(name, files, reference_db), *judged])
        print_table(head, rows, words=1)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
