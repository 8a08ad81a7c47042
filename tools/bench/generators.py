"""Print a table that compares generated audio with recordings in variation, tonality and spectrum.

    python tools/bench/generators.py 'real=DATA/dungeon_game/*' 'other=DATA/rpg_score/*' \\
        'lstm=OUT/lstm*.wav' --label dungeon_game --model RUN

Each group is NAME=PATTERN; the first one is the reference collection. The beginning of each file
is measured in clips of 5 s. The table has medians over the clips: spectral flatness (0 dB is white
noise), standard deviation of the frame level within a clip, level difference of a file's last and
first clip, distance of a clip's level-normalized mean spectrum from that of the first group, and
spectral flux. With --model, it also has the share of files that a classifier assigns to --label.
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
    "sound", "clips", "flatness / dB", "level deviation / dB", "last − first / dB",
    "distance of mean spectra / dB", "flux / dB",
)  # fmt: skip
RATE, CLIP_SECONDS = 22050, 5
N_FFT, HOP = 2048, 512
_TINY = 1e-10


class Clip(NamedTuple):
    """Measures of one clip."""

    flatness_db: float
    """Geometric over arithmetic mean of the power, mean over loud frames."""
    level_deviation_db: float
    level_db: float
    flux_db: float
    """Mean absolute change of a bin from frame to frame, over bins within 60 dB of the maximum."""
    spectrum_db: np.ndarray
    """Mean over the frames `[bins]`, minus its mean."""


def clips(path: Path, seconds: float) -> Iterator[np.ndarray]:
    with audio.Reader(path) as reader:
        beginning = audio.head(reader.mid(RATE), round(seconds * RATE))
        for clip in audio.rechunk(beginning, CLIP_SECONDS * RATE):
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
    # 50 Hz to 8 kHz, the band that all collections cover.
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


def predictions(run: Path, label: str, paths: list[Path]) -> list[str]:
    """Return the share of files classified as the label, and its mean probability."""
    from tfdream.evaluation.prediction import predict
    from tfdream.runs import Run

    files = [file for file in predict(Run.open(run), paths)["files"] if "label" in file]
    share = np.mean([file["label"] == label for file in files])
    probability = np.mean([file["probabilities"][label] for file in files])
    return [f"{share:.0%}", f"{probability:.2f}"]


@click.command()
@click.argument("groups", metavar="NAME=PATTERN...", nargs=-1, required=True)
@click.option("--seconds", default=30.0, show_default=True, help="Measured seconds of each file.")
@click.option("--model", "run", type=PATH, help="A classifier that predicts labels of the files.")
@click.option("--label", help="The label of the reference collection.")
def main(groups: tuple[str, ...], seconds: float, run: Path | None, label: str | None) -> None:
    """Print a Markdown table, with a row per group."""
    if run and not label:
        raise click.UsageError("--model needs --label")
    head = [*HEAD, *([f"files classified as {label}", "probability"] if run else [])]
    rows = []
    reference_db = None
    try:
        for group in groups:
            name, _, pattern = group.partition("=")
            folder = Path(pattern).parent
            paths = sorted(folder.glob(Path(pattern).name))
            if not paths:
                raise click.BadParameter(f"'{group}': no file matches")
            files = [[measure(clip) for clip in clips(path, seconds)] for path in paths]
            files = [measured for measured in files if measured]
            if reference_db is None:
                spectra = [clip.spectrum_db for measured in files for clip in measured]
                reference_db = np.mean(spectra, axis=0)
            columns = predictions(run, label, paths) if run and label else []
            rows.append([*row(name, files, reference_db), *columns])
        print_table(head, rows, words=1)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
