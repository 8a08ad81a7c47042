"""The command line: parse, call one function of the library, print.

What a command returns is printed for people, or with ``--json`` as one JSON object on the last line
of standard output; everything else goes to standard error.
"""

import os
from pathlib import Path

import click

from tfdream import __version__
from tfdream.console import OrderedGroup, Result, command, progress_bar

PATH = click.Path(path_type=Path)


@click.group(cls=OrderedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfdream")
def main() -> None:
    """Classify, dream and change recorded music with the networks that hear it.

    \b
    tfdream prepare my_music dataset --config lil_data
    tfdream train lil_data dataset run
    tfdream evaluate run dataset
    tfdream dream song.flac dreamt.flac --model run

    CONFIG is a packaged name (see `tfdream configs`) or a path to a YAML file.
    """
    # TensorFlow reads this when it is first imported, and is silent below errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


_force = click.option("--force", is_flag=True, help="Replace what is there already.")
_set = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override a setting, such as training.epochs=3. Repeatable.",
)
_model = click.option(
    "--model", "run", required=True, type=PATH, metavar="RUN", help="A run folder."
)
_bits = click.option(
    "--bits",
    type=click.Choice(["16", "24", "32"]),
    help="Bits per sample of wav (32 is float) and flac; by default 24.",
)
_figure = click.option("--figure", type=PATH, help="Also draw a PNG, SVG or PDF here.")


@command(main)
def configs() -> Result:
    """List the packaged configurations."""
    from tfdream import config

    return {"configs": config.names()}


@command(main)
@click.argument("folder", type=PATH)
@click.option("--tracks", type=click.IntRange(1), default=12, show_default=True, help="Per style.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Of each track.")
@click.option("--seed", type=int, default=0, show_default=True, help="Other seeds, other songs.")
def corpus(folder: Path, tracks: int, seconds: float, seed: int) -> Result:
    """Compose a small corpus of four styles into FOLDER, to try things on."""
    from tfdream.datasets.synthetic import STYLES, write_corpus

    paths = write_corpus(folder, tracks, seconds, 44100, seed)
    return {"folder": str(folder), "styles": list(STYLES), "tracks": len(paths)}


@command(main)
@click.argument("source", type=PATH)
@click.argument("dataset", type=PATH)
@click.option("--config", "name", required=True, help="Name or path; its section 'prepare'.")
@click.option(
    "--layout",
    type=click.Choice(["auto", "folder", "csv"]),
    default="auto",
    show_default=True,
    help="How SOURCE tells labels: a sub-folder each, or a CSV manifest.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; by default one per processor.")
@_set
@_force
def prepare(
    source: Path,
    dataset: Path,
    name: str,
    layout: str,
    workers: int | None,
    overrides: tuple[str, ...],
    force: bool,
) -> Result:
    """Cut the recordings of SOURCE into the clips of DATASET.

    SOURCE is a folder with one sub-folder per label, or a CSV manifest (path, label, and optionally
    group and fold), or a folder with a manifest.csv. Interrupted, the same call goes on; repeated,
    it does nothing. Files that cannot be used are listed with their reasons.
    """
    from tfdream import config
    from tfdream.datasets.prepare import prepare

    settings = config.load(name, config.Experiment, overrides).prepare
    with progress_bar("preparing", "tracks") as progress:
        return prepare(source, dataset, settings, layout, workers, force, progress)


@command(main)
@click.argument("config_name", metavar="CONFIG")
@click.argument("dataset", type=PATH)
@click.argument("run", type=PATH)
@click.option("--epochs", type=click.IntRange(1), help="The same as --set training.epochs=N.")
@click.option(
    "--test-fold",
    default="0",
    show_default=True,
    metavar="K",
    help="The fold that is held out; 'none' trains on all.",
)
@_set
@_force
def train(
    config_name: str,
    dataset: Path,
    run: Path,
    epochs: int | None,
    test_fold: str,
    overrides: tuple[str, ...],
    force: bool,
) -> Result:
    """Train the network of CONFIG on DATASET into the folder RUN.

    Interrupted, the same call goes on after the last finished epoch, exactly as if nothing had
    happened. More epochs on a finished run go on too. Loss curves: tensorboard --logdir RUN.
    """
    from tfdream import config
    from tfdream.training.fit import train

    if epochs is not None:
        overrides = (*overrides, f"training.epochs={epochs}")
    settings = config.load(config_name, config.Experiment, overrides)
    with progress_bar("training", "steps") as progress:
        return train(settings, dataset, run, _fold(test_fold), force, progress)


@command(main)
@click.argument("run", type=PATH)
@click.argument("dataset", type=PATH)
@click.option(
    "--fold",
    "folds",
    type=click.IntRange(0),
    multiple=True,
    help="Fold to look at, repeatable; by default the one that RUN held out.",
)
@_figure
def evaluate(run: Path, dataset: Path, folds: tuple[int, ...], figure: Path | None) -> Result:
    """Judge the network of RUN on held-out clips of DATASET."""
    from tfdream.evaluation.classification import evaluate
    from tfdream.training.runs import Run

    result = evaluate(Run.open(run), dataset, folds or None)
    if figure is not None:
        from tfdream import figures

        figures.confusion(result["labels"], result["confusion"], figure)
    return result


@command(main)
@click.argument("run", type=PATH)
@click.argument("audio", type=PATH, nargs=-1, required=True)
def predict(run: Path, audio: tuple[Path, ...]) -> Result:
    """Classify AUDIO files of any length with the network of RUN."""
    from tfdream.evaluation.classification import predict
    from tfdream.training.runs import Run

    return predict(Run.open(run), list(audio))


@command(main)
@click.argument("run", type=PATH)
def layers(run: Path) -> Result:
    """List the layers of the network of RUN: what can be dreamt on."""
    from tfdream import models
    from tfdream.training.runs import Run

    return {"layers": models.layers(Run.open(run).build_model())}


@command(main)
@click.argument("audio", type=PATH)
@click.argument("output", type=PATH)
@_model
@click.option(
    "--config",
    "name",
    default="dream/recommended",
    show_default=True,
    help="Name or path of the recipe.",
)
@click.option(
    "--objective",
    help="What to maximise, such as 'layer_norm(conv3)'; by default the recipe's.",
)
@click.option("--layer", help="The same as --objective 'layer_norm(LAYER)'.")
@click.option("--seed", type=int, help="The same as --set seed=N.")
@_set
@_bits
@_figure
@_force
def dream(
    audio: Path,
    output: Path,
    run: Path,
    name: str,
    objective: str | None,
    layer: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    bits: str | None,
    figure: Path | None,
    force: bool,
) -> Result:
    """Dream AUDIO into OUTPUT (wav, flac or ogg).

    The file keeps its length, sample rate and channels. OUTPUT.json records the settings and what
    was measured on the written file.
    """
    from tfdream import config, figures
    from tfdream.synthesis.dream import dream
    from tfdream.training.runs import Run

    if objective is not None and layer is not None:
        raise click.UsageError("--layer and --objective exclude each other")
    if layer is not None:
        objective = f"layer_norm({layer})"
    if objective is not None:
        overrides = (*overrides, f"objective={objective}")
    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    settings = config.load(name, config.DreamConfig, overrides)
    if figure is not None:
        figures.check_writable(figure)
    with progress_bar("dreaming", "steps") as progress:
        result = dream(
            audio, output, Run.open(run), settings, force, int(bits) if bits else None, progress
        )
    if figure is not None:
        figures.spectrograms([audio, output], figure, ["before", f"after: {result['objective']}"])
    return result


@command(main)
@click.argument("run", type=PATH)
@click.argument("saved_model", type=PATH)
@_force
def export(run: Path, saved_model: Path, force: bool) -> Result:
    """Write the network of RUN as a SavedModel that takes waveforms."""
    from tfdream.export import export
    from tfdream.training.runs import Run

    return export(Run.open(run), saved_model, force)


@command(main)
@click.argument("audio", type=PATH)
@click.argument("output", type=PATH)
@click.option("--config", "name", required=True, help="Name or path; its clips and frontend.")
@click.option("--start", type=click.FloatRange(0), default=0.0, help="Where the clip begins, in s.")
@_set
@_force
def analyse(
    audio: Path, output: Path, name: str, start: float, overrides: tuple[str, ...], force: bool
) -> Result:
    """Save one clip of AUDIO as the spectrogram that a network sees (npz)."""
    from tfdream import config
    from tfdream.synthesis.inversion import analyse

    settings = config.load(name, config.Experiment, overrides)
    return analyse(audio, output, settings, start, force)


@command(main)
@click.argument("spectrogram", type=PATH)
@click.argument("output", type=PATH)
@click.option(
    "--iterations", type=click.IntRange(1), default=100, show_default=True, help="Of Griffin–Lim."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the phase it starts from.")
@_bits
@_force
def invert(
    spectrogram: Path, output: Path, iterations: int, seed: int, bits: str | None, force: bool
) -> Result:
    """Turn a saved SPECTROGRAM (of `tfdream analyse`) back into sound."""
    from tfdream.synthesis.inversion import invert

    return invert(spectrogram, output, iterations, seed, force, int(bits) if bits else None)


@main.group()
def plot() -> None:
    """Draw a figure: PNG, SVG or PDF, by the extension of OUTPUT."""


@command(plot, "spectrograms")
@click.argument("audio", type=PATH, nargs=-1, required=True)
@click.argument("output", type=PATH)
def plot_spectrograms(audio: tuple[Path, ...], output: Path) -> Result:
    """Draw the spectrograms of AUDIO files, one above the other."""
    from tfdream import figures

    figures.spectrograms(audio, output)
    return {"figure": str(output)}


@command(plot, "history")
@click.argument("run", type=PATH)
@click.argument("output", type=PATH)
def plot_history(run: Path, output: Path) -> Result:
    """Draw loss and accuracy per epoch of RUN."""
    from tfdream import figures

    figures.history(run, output)
    return {"figure": str(output)}


def _fold(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal():
        raise click.BadParameter(f"'{text}' is neither a fold nor 'none'", param_hint="--test-fold")
    return int(text)
