"""Compute the numbers of the table in docs/reproduce/corrections.md.

python tools/bench/corrections.py [--only ROW]...

Sizes and settings are those of the packaged configs; losses are compared with NumPy in float64, on
composed songs. Networks have random weights.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import librosa
import numpy as np
import soundfile
import tensorflow as tf
from sklearn.metrics import f1_score
from tables import print_table

from tfdream import config
from tfdream.audio.filters import apply_filters
from tfdream.config import (
    DreamConfig,
    Experiment,
    FilterConfig,
    GenerationExperiment,
    OptimizerConfig,
    TransferConfig,
    TranslationExperiment,
)
from tfdream.corpus.styles import compose
from tfdream.datasets.preparation import segments
from tfdream.datasets.sources.find import read_source
from tfdream.datasets.sources.folds import assign_folds
from tfdream.datasets.sources.labels import select_labels
from tfdream.datasets.sources.tracks import Track
from tfdream.models import classifiers, gan, inspect, sequence
from tfdream.signal import frontends
from tfdream.synthesis.ascent.ascend import Problem, maximize
from tfdream.synthesis.ascent.gram import GramMatrix, style
from tfdream.synthesis.ascent.objectives import Reference
from tfdream.synthesis.ascent.objectives.original import content
from tfdream.synthesis.audio_model import FeatureNetwork
from tfdream.synthesis.tile_optimizer import octave_sizes, total_steps
from tfdream.training import optimizers
from tfdream.training.metrics import Confusion
from tfdream.training.population_statistics import PopulationStatistics

sys.path.insert(0, str(Path(__file__).parents[1] / "reproduce"))
import archives
from dreaming_in_music import GENRES


def song(style_name: str, seconds: float, sample_rate: int) -> np.ndarray:
    """Return a composed song, float32 `[1, samples]`."""
    return compose(style_name, 0, seconds, sample_rate).mean(axis=1)[np.newaxis]


def network_of(settings: Experiment, labels: int) -> keras.Model:
    """Build the classifier of a config at its published size."""
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    keras.utils.set_random_seed(0)
    return classifiers.build(settings.model, frontend.shape(settings.input_samples), labels)


def min_max() -> str:
    settings = config.load("dreaming_in_music_amplitude", Experiment, ["frontend.size=null"])
    rate = settings.prepare.sample_rate
    clip = song("techno", settings.prepare.clip_seconds, rate)
    # With some noise, no bin is so soft that its level is due to rounding in float32.
    clip += 1e-3 * np.random.default_rng(0).standard_normal(clip.shape).astype(np.float32)
    image = frontends.build(settings.frontend, rate)(tf.constant(clip)).numpy()[0, ..., 0]
    spec = settings.frontend.stft
    stft = librosa.stft(
        clip[0].astype(np.float64),
        n_fft=spec.n_fft,
        hop_length=spec.hop_samples,
        pad_mode="reflect",
    )
    level = 20 * np.log10(np.abs(stft))
    expected = (level - level.min()) / (level.max() - level.min())
    error = np.abs(image - expected).max()
    return f"{image.min():g} to {image.max():g}; at most {error:.1g} from NumPy"


def genres() -> str:
    with tempfile.TemporaryDirectory() as folder:
        archives.fma(Path(folder))
        tracks = read_source(Path(folder)).tracks
    chosen, _ = select_labels(tracks, config.parse_labels(GENRES))
    counts = Counter(track.label for track in chosen)
    listed = ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
    return f"{len(tracks)} composed tracks of five genres: {listed}"


def plateau() -> str:
    settings = config.load("dreaming_in_music_amplitude", Experiment)
    losses = [1.0, 0.8, 0.8, 0.8, 0.8, 0.8]
    rates = [
        optimizers.plateau_rate(settings.training, losses[:count]) for count in range(len(losses))
    ]
    curve = ", ".join(f"{rate:g}" for rate in rates)
    parameters = network_of(settings, 4).count_params()
    return f"rates {curve} for validation losses {losses}; {parameters:,} parameters"


def octaves() -> str:
    recipe = config.load("dream/dreaming_in_music", DreamConfig)
    settings = config.load("dreaming_in_music_amplitude", Experiment)
    sizes = octave_sizes((*settings.frontend.size, 1), recipe.octaves)
    widths = [settings.frontend.size[1] if size is None else size[1] for size in sizes]
    output = network_of(settings, 4).get_layer("block6").output.shape[1:]
    return (
        f"pictures of {', '.join(map(str, widths))} pixels, {total_steps(recipe)} steps; "
        f"`block6` is {'×'.join(map(str, output))}"
    )


def style_error(name: str, *overrides: str) -> float:
    """Return the relative error of a recipe's total loss against NumPy in float64."""
    recipe = config.load(f"transfer/{name}", TransferConfig, overrides)
    network = FeatureNetwork.build(recipe.network)
    layers = sorted({*recipe.style_layers, *recipe.content_layers})
    tapped = inspect.tap(network.model, layers)
    rate, seconds = network.sample_rate, network.input_samples / network.sample_rate
    own, target = (
        {
            layer: values.numpy()
            for layer, values in tapped(network.frontend(tf.constant(clip))).items()
        }
        for clip in (song("strings", seconds, rate), song("techno", seconds, rate))
    )
    loss = expected = 0.0
    for layer, weight in recipe.style_layers.items():
        gram = GramMatrix.from_tiles([tf.constant(target[layer])], recipe.gram)
        objective = style(layer, weight, gram, recipe.gram, recipe.gram_normalization)
        loss += recipe.style_weight * float(objective.value(own, {})[0])
        grams = [_gram(each[layer]) for each in (own, target)]
        positions, features = own[layer][0].size // own[layer].shape[-1], own[layer].shape[-1]
        if recipe.gram_normalization == "gatys":
            scaled = weight * np.sum((grams[0] - grams[1]) ** 2) / (2 * positions * features) ** 2
        else:
            grams = [gram / (positions * features) for gram in grams]
            scaled = weight * np.mean((grams[0] - grams[1]) ** 2)
        expected += recipe.style_weight * scaled
    for layer, weight in recipe.content_layers.items():
        objective = content(layer)
        targets = objective.precompute(Reference({layer: tf.constant(target[layer])}))
        loss += recipe.content_weight * weight * float(objective.value(own, targets)[0])
        difference = own[layer].astype(np.float64) - target[layer]
        expected += recipe.content_weight * weight * 0.5 * np.sum(difference**2)
    return abs(loss / expected - 1)


def _gram(activations: np.ndarray) -> np.ndarray:
    """Return the sum over all positions of products of features, in float64."""
    rows = activations.astype(np.float64).reshape(-1, activations.shape[-1])
    return rows.T @ rows


def vgg19() -> str:
    small = ("network.options.weights=random", "network.frontend.size=[128,128]")
    recipe = config.load("transfer/vgg19_dreaming_in_music", TransferConfig, small)
    parameters = FeatureNetwork.build(recipe.network).model.count_params()
    error = style_error("vgg19_dreaming_in_music", *small)
    return f"{parameters:,} parameters; loss {error:.0e} from NumPy, relative"


def cyclegan() -> str:
    settings = config.load("dreaming_in_music_cyclegan", TranslationExperiment)
    networks = gan.build(settings.model, (*settings.frontend.size, 1))
    curves = []
    for overrides in ([], ["training.epochs=200", "training.decay_share=0.5"]):
        training = config.load("dreaming_in_music_cyclegan", TranslationExperiment, overrides)
        training = training.training
        optimizer = optimizers.build_for_translation(training, 1)
        rates = []
        for epoch in (1, training.epochs // 2, 3 * training.epochs // 4, training.epochs):
            optimizer.iterations.assign(epoch)
            rates.append(f"{float(optimizer.learning_rate):g}")
        curves.append(f"{', '.join(rates)} ({training.epochs} epochs)")
    sizes = " and ".join(f"{network.count_params():,}" for network in networks[:2])
    return f"rates after the first epoch, ½, ¾, and all: {'; '.join(curves)}; {sizes} parameters"


def long_mix() -> str:
    settings = config.load("lil_data", Experiment, ["prepare.split=segments"]).prepare
    minutes = 60
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mix.wav"
        soundfile.write(path, np.zeros(minutes * 60 * 1000, np.float32), 1000)
        track = Track("mix.wav", path, "house", "mix.wav")
        parts = segments.divide([track], settings).tracks
    all_clips = round(minutes * 60 / settings.clip_seconds)
    ends = [all_clips if part.end_clip is None else part.end_clip for part in parts]
    clips = [end - part.first_clip for part, end in zip(parts, ends, strict=True)]
    gaps = {
        (later.first_clip - end) * settings.clip_seconds
        for later, end in zip(parts[1:], ends[:-1], strict=True)
    }
    return (
        f"a mix of {minutes} min: {sum(clips)} of {all_clips} clips in {len(parts)} segments of "
        f"{min(clips)} or {max(clips)}; gaps of {min(gaps):g} s"
    )


def three_sets() -> str:
    settings = config.load("lil_data", Experiment)
    folds = settings.prepare.folds
    parameters = [network_of(settings, labels).count_params() for labels in (4, 8)]
    return (
        f"{folds - 2}, 1 and 1 of {folds} folds; {parameters[0]:,} parameters for four genres, "
        f"{parameters[1]:,} for eight"
    )


def early_stops() -> str:
    names = ("vgg19_lil_data_early", "vgg19_lil_data", "lil_data_early", "lil_data")
    steps = [config.load(f"transfer/{name}", TransferConfig).optimizer.steps for name in names]
    small = ("network.options.weights=random", "network.frontend.size=[128,128]")
    error = style_error("vgg19_lil_data", *small)
    return f"{', '.join(map(str, steps))} steps; loss {error:.0e} from NumPy, relative"


def one_to_many() -> str:
    settings = config.load("lil_data_lstm", GenerationExperiment)
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    bands, frames, _ = shape = frontend.shape(settings.input_samples)
    keras.utils.set_random_seed(0)
    model = sequence.build(settings.model, shape)
    images = np.random.default_rng(0).random((2, frames, bands)).astype(np.float32)
    free, forced = float(model.free_running_nll(images)), float(model.mean_nll(images))
    return (
        f"1 frame of {bands} levels → {frames - 1}; {model.count_params():,} parameters; loss of "
        f"random frames {free:.5f}, with teacher forcing {forced:.5f}"
    )


def feature_network(name: str, overrides: Sequence[str] = ()) -> Callable[[], str]:
    def compute() -> str:
        recipe = config.load(f"transfer/{name}", TransferConfig)
        parameters = FeatureNetwork.build(recipe.network).model.count_params()
        error = style_error(name, *overrides)
        (weight,) = recipe.style_layers.values()
        return (
            f"{parameters:,} parameters; style weight {weight:g}; loss {error:.0e} from NumPy, "
            "relative"
        )

    return compute


def f1_per_epoch() -> str:
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 10, 1000), rng.random((1000, 10))
    confusion = Confusion(10)
    confusion.update_state(tf.one_hot(labels, 10), tf.constant(logits, tf.float32))
    ours = float(confusion.result()["macro_f1"])
    theirs = f1_score(labels, logits.argmax(axis=1), average="macro")
    parameters = [
        network_of(config.load(name, Experiment), 10).count_params()
        for name in ("feature_cnn", "autocorrelogram_cnn")
    ]
    return (
        f"{abs(ours - theirs):.0e} from scikit-learn for 1000 predictions; "
        f"{parameters[0]:,} and {parameters[1]:,} parameters"
    )


def plain_sgd() -> str:
    start, rates = np.full((1, 4), 0.5), (0.5, 5e-5)
    errors = []
    for rate in rates:
        problem = Problem(
            lambda values: (-tf.reduce_sum(values**2, axis=1), -2 * values),
            OptimizerConfig(kind="sgd", steps=1, step_size=rate),
        )
        moved = maximize(problem, tf.constant(start, tf.float32)).numpy()
        errors.append(np.abs(moved - start * (1 - 2 * rate)).max())
    return f"one step at {rates[0]:g} and {rates[1]:g}: {max(errors):.0e} from rate × gradient"


def eleven_folds() -> str:
    names = [f"{label}/{number}.mp3" for label in ("c_pop", "metal") for number in range(44)]
    tracks = [Track(name, Path(name), name.split("/")[0], name) for name in names]
    held_out = sum(track.fold == 0 for track in assign_folds(tracks, 11, seed=0))
    return f"{held_out} of {len(tracks)} tracks are held out: {held_out / len(tracks):.2%}"


def raw_network() -> str:
    model = network_of(config.load("raw_conv1d", Experiment), 2)
    kernel = model.get_layer("conv3").kernel.numpy()
    largest = np.abs(kernel).max() * np.sqrt(np.prod(kernel.shape[:2]))
    clips = np.stack([song(name, 5, 8000)[0] for name in ("strings", "techno")])[..., np.newaxis]
    statistics = PopulationStatistics(tf.data.Dataset.from_tensors(clips))
    statistics.set_model(model)
    statistics.update()
    normalized = inspect.tap(model, ["norm3"])(clips)["norm3"].numpy().astype(np.float64)
    mean, deviation = normalized.mean(axis=(0, 1)), normalized.std(axis=(0, 1))
    return (
        f"{model.count_params():,} parameters; largest weight × √n {largest:.4f}; normalized "
        f"training clips: mean within ±{np.abs(mean).max():.0e}, deviation {deviation.min():.3f} "
        f"to {deviation.max():.3f}"
    )


def filtering() -> str:
    rate = 44100
    seconds = np.arange(2 * rate) / rate
    inner = slice(rate // 2, -rate // 2)
    gains = []
    for hz in (20, 1000, 9000):
        tone = np.sin(2 * np.pi * hz * seconds).astype(np.float32)[:, np.newaxis]
        filtered = np.concatenate(
            list(apply_filters([tone], rate, FilterConfig(low_hz=40, high_hz=8000)))
        )
        gain = 20 * np.log10(np.std(filtered[inner]) / np.std(tone[inner]))
        gains.append(f"{gain:.1f} dB at {hz} Hz".replace("-", "−"))
    return "40 to 8000 Hz: " + ", ".join(gains).replace("−0.0", "0.0")


_SHORT = "network.clip_seconds=1"
ROWS: dict[str, Callable[[], str]] = {
    "A1": min_max,
    "A2 data": genres,
    "A2 training": plateau,
    "A3": octaves,
    "A6": vgg19,
    "A7": cyclegan,
    "B1": long_mix,
    "B2": three_sets,
    "B5": early_stops,
    "B6": one_to_many,
    "C1": feature_network("random_conv1d", (_SHORT,)),
    "C2": feature_network("random_rnn", (_SHORT,)),
    "C3": feature_network("random_bilstm", (_SHORT,)),
    "C5 C6": f1_per_epoch,
    "C2 C3 tuning": plain_sgd,
    "D1": eleven_folds,
    "D2": raw_network,
    "future work": filtering,
}


@click.command()
@click.option("--only", type=click.Choice(list(ROWS)), multiple=True, help="Repeatable.")
def main(only: tuple[str, ...]) -> None:
    """Print a Markdown table."""
    print_table(("row", "number"), ([row, ROWS[row]()] for row in only or ROWS), words=2)


if __name__ == "__main__":
    main()
