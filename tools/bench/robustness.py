"""Accuracy of classifiers on copies of a dataset with a lower sample rate or a lossy codec.

    tfdream crossvalidate recommended esc10 cv/default
    tfdream crossvalidate recommended esc10 cv/limited --set 'training.augmentation=[…]'
    python tools/bench/robustness.py ESC-10 copies cv/default cv/limited

SOURCE has the recordings that the dataset was prepared from. Copies of all of them are written to
COPIES: at 8 kHz, and as mp3 with 32 and 64 kbit/s. Each fold's network is evaluated on the copies
of the clips that it held out, so that only the recordings differ.
"""

import shutil
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import click
import librosa
import numpy as np
import soundfile
from corpora import recordings
from tables import PATH, print_table

from tfdream import audio
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.sources.layouts.csv import MANIFEST
from tfdream.evaluation.classification import evaluate
from tfdream.runs import Run

LOW_RATE = 8000
KBITS = (64, 32)
ORIGINAL = "original"


def write_low_rate(samples: audio.Samples, rate: int, path: Path) -> None:
    """Write a copy at 8 kHz."""
    low = librosa.resample(samples.T, orig_sr=rate, target_sr=LOW_RATE)
    soundfile.write(path, low.T, LOW_RATE, "PCM_16", format="WAV")


def write_mp3(samples: audio.Samples, rate: int, path: Path, kbits: int) -> None:
    """Write a copy as mp3 with a constant bit rate, which limits the band, too."""
    mono = np.ascontiguousarray(samples.mean(axis=1, keepdims=True).T.astype(np.float32))
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate)
        stream.bit_rate = 1000 * kbits
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(mono, format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


COPIES = {
    "8 kHz": write_low_rate,
    **{f"mp3, {kbits} kbit per s": partial(write_mp3, kbits=kbits) for kbits in KBITS},
}
"""Names of the kinds of copies, and functions of samples, sample rate and path that write one."""


def write_copies(source: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and the folder of each kind of copies; those that exist are kept."""
    yield ORIGINAL, source
    for name, write in COPIES.items():
        target = folder / name
        if not (target / "complete").exists():
            for path in recordings(source):
                copy = target / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                # The manifest has the names of the originals; the content shows the format.
                write(*audio.read(path), copy)
            if (source / MANIFEST).exists():
                shutil.copyfile(source / MANIFEST, target / MANIFEST)
            (target / "complete").touch()
        yield name, target


@click.command()
@click.argument("source", type=PATH)
@click.argument("copies", type=PATH)
@click.argument("cross_validations", type=PATH, nargs=-1, required=True)
def main(source: Path, copies: Path, cross_validations: tuple[Path, ...]) -> None:
    """Print a Markdown table of clip accuracies."""
    rows = {path: [path.name] for path in cross_validations}
    for name, folder in write_copies(source, copies):
        dataset = copies / "datasets" / name
        for path, row in rows.items():
            runs = [Run.open(fold) for fold in sorted(path.glob("fold*"))]
            if not (dataset / "dataset.json").exists():
                prepare(folder, dataset, runs[0].config.prepare, PrepareOptions())
            correct = total = 0
            for run in runs:
                result = evaluate(run, dataset, [run.info.test_fold])
                correct += result["clip_accuracy"] * result["clips"]
                total += result["clips"]
            row.append(f"{correct / total:.1%}")
    print_table(("cross-validation", ORIGINAL, *COPIES), rows.values(), words=1)


if __name__ == "__main__":
    main()
