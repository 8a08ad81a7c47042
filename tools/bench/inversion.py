"""Compare phase reconstruction by tfdream and by librosa on images of published classifiers.

python tools/bench/inversion.py RECORDING... [--config NAME]...

One clip from the middle of each recording is converted to the image of the configuration, and every
method renders the magnitude of that image. Convergence compares the rendered waveform with that
magnitude. The table has medians over clips. Ratios are of CPU time, which depends less on other
load; a win is a clip with a lower convergence than that of librosa.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import librosa
import numpy as np
import tensorflow as tf

from tfdream import audio, config
from tfdream.config import PhaseConfig, StftSpec
from tfdream.signal import frontends
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.signal.phase import energy_db, magnitude_to_waveform, spectral_error

LIBROSA = [32, 100]
OURS = {"random": [16, 32, 100, 200], "pghi": [0, 8, 16, 32, 100, 200]}
MOMENTUM = 0.99

Method = tuple[str, int]
Render = Callable[[np.ndarray, StftSpec, int], np.ndarray]
"""Magnitude `[1, frames, bins]` → waveform `[1, samples]`."""


class Measured(NamedTuple):
    convergence_db: float
    seconds: float
    cpu_seconds: float


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config",
    "names",
    multiple=True,
    default=["dreaming_in_music_amplitude", "lil_data"],
    show_default=True,
    help="A configuration with a spectrogram frontend. Repeatable.",
)
def main(recordings: tuple[Path, ...], names: tuple[str, ...]) -> None:
    """Print a Markdown table for each configuration."""
    for name in names:
        measured = measure(name, recordings)
        print(f"\n{name}, {len(recordings)} clips\n")
        print(
            "| phase | iterations | convergence (dB) | seconds | CPU seconds |"
            + "".join(f" / librosa {count} | wins |" for count in LIBROSA)
        )
        print("|---|---:|---:|---:|---:|" + "---:|---:|" * len(LIBROSA))
        for (phase, iterations), clips in measured.items():
            convergence_db, seconds, cpu_seconds = map(statistics.median, zip(*clips, strict=True))
            cells = [
                f"{phase} | {iterations} | {convergence_db:.1f} | {seconds:.2f} | {cpu_seconds:.2f}"
            ]
            for count in LIBROSA:
                pairs = list(zip(clips, measured["librosa", count], strict=True))
                ratio = statistics.median(our.cpu_seconds / its.cpu_seconds for our, its in pairs)
                wins = sum(our.convergence_db < its.convergence_db for our, its in pairs)
                cells.append(f"{ratio:.2f} | {wins}")
            print("| " + " | ".join(cells) + " |", flush=True)


def measure(name: str, recordings: tuple[Path, ...]) -> dict[Method, list[Measured]]:
    """Measure every method on every clip."""
    settings = config.load(name, config.Experiment)
    rate, samples = settings.prepare.sample_rate, settings.prepare.clip_samples
    frontend = frontends.build(settings.frontend, rate)
    if not isinstance(frontend, SpectrogramFrontend):
        raise click.ClickException(f"{name} has no spectrogram frontend")
    methods = all_methods()
    measured: dict[Method, list[Measured]] = {method: [] for method in methods}
    for number, recording in enumerate(recordings):
        image, remainder = frontend.analyze(tf.constant(middle(recording, rate, samples)))
        target = frontend.image_to_magnitude(image, remainder, samples)
        magnitude = target.numpy()
        for method, render in methods.items():
            if number == 0:  # compiles
                render(magnitude, frontend.spec, samples)
            started, cpu_started = time.perf_counter(), time.process_time()
            waveform = render(magnitude, frontend.spec, samples)
            seconds = time.perf_counter() - started
            cpu_seconds = time.process_time() - cpu_started
            error, energy = spectral_error(tf.constant(waveform), target, frontend.spec)
            convergence_db = energy_db(float(error[0]), float(energy[0]))
            measured[method].append(Measured(convergence_db, seconds, cpu_seconds))
    return measured


def all_methods() -> dict[Method, Render]:
    methods: dict[Method, Render] = {("librosa", count): by_librosa(count) for count in LIBROSA}
    for start, counts in OURS.items():
        for count in counts:
            phase = PhaseConfig(init=start, iterations=count, momentum=MOMENTUM)
            methods[start, count] = by_tfdream(phase)
    return methods


def by_librosa(iterations: int) -> Render:
    def render(magnitude: np.ndarray, spec: StftSpec, samples: int) -> np.ndarray:
        return librosa.griffinlim(
            magnitude.transpose(0, 2, 1),
            n_iter=iterations,
            hop_length=spec.hop_samples,
            n_fft=spec.n_fft,
            window="hann",
            length=samples,
            pad_mode="reflect",
            momentum=MOMENTUM,
            random_state=0,
        )

    return render


def by_tfdream(phase: PhaseConfig) -> Render:
    def render(magnitude: np.ndarray, spec: StftSpec, samples: int) -> np.ndarray:
        return magnitude_to_waveform(tf.constant(magnitude), spec, samples, phase).numpy()

    return render


def middle(recording: Path, rate: int, samples: int) -> np.ndarray:
    """Return the middle clip of a recording, float32 `[1, samples]` at `rate`."""
    with audio.Reader(recording) as reader:
        mono = audio.mid(reader.blocks())
        whole = np.concatenate(list(audio.resample(mono, reader.info.sample_rate, rate)))[:, 0]
    if len(whole) < samples:
        raise click.ClickException(f"'{recording}' is shorter than a clip of {samples} samples")
    start = (len(whole) - samples) // 2
    return whole[np.newaxis, start : start + samples].astype(np.float32)


if __name__ == "__main__":
    main()
