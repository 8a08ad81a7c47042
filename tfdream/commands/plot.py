"""Commands that draw figures."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command

_recordings = click.argument("audio", type=options.PATH, nargs=-1, required=True)
_output = click.argument("output", type=options.PATH)
_titles = click.option(
    "--title", "titles", multiple=True, metavar="T", help="Of each AUDIO; by default its name."
)


@click.group()
def plot() -> None:
    """Draw a figure: PNG, SVG or PDF, by the extension of OUTPUT.

    Confusion matrices are drawn by evaluate and crossvalidate --figure.
    """


@plot.add_command
@command("spectrograms")
@_recordings
@_output
@_titles
@click.option("--waveforms", is_flag=True, help="Draw the waveform above each spectrogram, too.")
@click.option(
    "--n-fft", type=int, default=2048, show_default=True, help="Window of the STFT, in samples."
)
@click.option(
    "--hop", type=int, help="From one window to the next, in samples; by default a quarter of one."
)
@click.option(
    "--max-hz",
    type=options.Number(0, min_open=True),
    metavar="HZ",
    help="The highest frequency; by default half the sample rate.",
)
@click.option("--linear", is_flag=True, help="Frequencies in even steps from 0 Hz, not by octaves.")
def plot_spectrograms(
    audio: tuple[Path, ...],
    output: Path,
    titles: tuple[str, ...],
    waveforms: bool,
    n_fft: int,
    hop: int | None,
    max_hz: float | None,
    linear: bool,
) -> Result:
    """Draw the spectrograms of AUDIO files of any length, one above the other."""
    from tfdream import config, figures

    settings = {"n_fft": n_fft, "hop_samples": n_fft // 4 if hop is None else hop}
    spec = config.validate(settings, config.StftSpec, "--n-fft and --hop")
    scale = figures.FrequencyScale(max_hz, linear)
    titled = _titled(audio, titles)
    figures.spectrograms(audio, output, titled, waveforms=waveforms, spec=spec, scale=scale)
    return {"figure": str(output)}


@plot.add_command
@command("classes")
@click.argument("dataset", type=options.PATH)
@_output
def plot_classes(dataset: Path, output: Path) -> Result:
    """Draw how many clips and tracks of DATASET each class has, by fold."""
    from tfdream import figures
    from tfdream.datasets import records

    figures.check_writable(output)
    found = records.load(dataset)
    figures.classes(
        found.labels, found.folds, *records.count_clips_per_fold(dataset, found), output
    )
    return {"figure": str(output)}


@plot.add_command
@command("history")
@click.argument("run", type=options.PATH)
@_output
def plot_history(run: Path, output: Path) -> Result:
    """Draw loss and accuracy per epoch of RUN."""
    from tfdream import figures

    figures.history(run, output)
    return {"figure": str(output)}


@plot.add_command
@command("filters")
@click.argument("run", type=options.PATH)
@_output
@click.option(
    "--layer", "layers", multiple=True, help="A convolution, repeatable; by default every one."
)
def plot_filters(run: Path, output: Path, layers: tuple[str, ...]) -> Result:
    """Draw the filters of the convolutions of RUN, and what each lets through.

    Of a layer with more than eight filters, the eight strongest are shown.
    """
    from tfdream import figures
    from tfdream.models import inspect
    from tfdream.runs import Run

    figures.check_writable(output)
    network = Run.open(run)
    found = inspect.convolutions(network.model, layers)
    axes = figures.InputAxes(network.config.frontend, network.sample_rate, network.clip_samples)
    steps = axes.steps(network.frontend.shape(network.clip_samples))
    figures.filters([figures.Kernels.read(each, steps) for each in found], output)
    return {"figure": str(output), "layers": [each.name for each in found]}


@plot.add_command
@command("octaves")
@_recordings
@_output
@options.model
@options.recipe("dream/dreaming_in_music")
@click.option("--start", type=options.Number(0), default=0.0, help="Where the tile begins, in s.")
@options.overriding
@_titles
def plot_octaves(
    audio: tuple[Path, ...],
    output: Path,
    run: Path,
    name: str,
    start: float,
    overrides: tuple[str, ...],
    titles: tuple[str, ...],
) -> Result:
    """Draw what the network of RUN sees of a tile of AUDIO at each octave of a dream.

    Several AUDIO, such as before and after, stand beside each other.
    """
    from tfdream import config, figures
    from tfdream.runs import Run
    from tfdream.synthesis.tile_optimizer import octave_views

    figures.check_writable(output)
    names = _titled(audio, titles)
    recipe = config.load(name, config.DreamConfig, overrides)
    network = Run.open(run)
    views = [octave_views(path, network, recipe, start) for path in audio]
    seconds = recipe.tiles.seconds
    samples = round(seconds * network.sample_rate) if seconds else network.clip_samples
    axes = figures.InputAxes(network.config.frontend, network.sample_rate, samples)
    figures.octaves(views, names, axes, output, start)
    return {"figure": str(output), "shapes": [list(view.shape) for view in views[0]]}


@plot.add_command
@command("gram")
@_recordings
@_output
@click.option(
    "--model", "run", type=options.PATH, metavar="RUN", help="A run folder, for CONFIGs of one."
)
@options.recipe("transfer/recommended")
@click.option("--layer", "layers", multiple=True, help="Repeatable; by default the style layers.")
@options.overriding
@_titles
def plot_gram(
    audio: tuple[Path, ...],
    output: Path,
    run: Path | None,
    name: str,
    layers: tuple[str, ...],
    overrides: tuple[str, ...],
    titles: tuple[str, ...],
) -> Result:
    """Draw the Gram matrices of AUDIO files, as a style transfer reads them, beside each other.

    Above each is its distance from the last one's, as a share of that one's norm.
    """
    from tfdream import config, figures
    from tfdream.runs import Run
    from tfdream.synthesis.transfer import build_audio_model, extract_grams

    figures.check_writable(output)
    names = _titled(audio, titles)
    settings = config.load(name, config.TransferConfig, overrides)
    if layers:
        settings = settings.model_copy(update={"style_layers": dict.fromkeys(layers, 1.0)})
    listener = build_audio_model(settings, Run.open(run) if run else None)
    textures = [extract_grams(path, listener, settings) for path in audio]
    matrices = [
        {layer: texture.matrix().numpy() for layer, texture in each.items()} for each in textures
    ]
    figures.grams(matrices, names, output)
    return {"figure": str(output), "layers": list(settings.style_layers)}


@plot.add_command
@command("autocorrelograms")
@_recordings
@_output
@options.recipe("autocorrelogram_cnn")
@click.option(
    "--seconds",
    type=options.Number(0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="S",
    help="Of the recording around each column.",
)
@options.overriding
@_titles
def plot_autocorrelograms(
    audio: tuple[Path, ...],
    output: Path,
    name: str,
    seconds: float,
    overrides: tuple[str, ...],
    titles: tuple[str, ...],
) -> Result:
    """Draw how the onsets of AUDIO files repeat: lags over time, one above the other."""
    from tfdream import config, figures
    from tfdream.errors import ConfigError
    from tfdream.signal.features import running_autocorrelogram

    figures.check_writable(output)
    names = _titled(audio, titles)
    settings = config.load(name, config.Experiment, overrides)
    frontend, rate = settings.frontend, settings.prepare.sample_rate
    if not isinstance(frontend, config.FeatureFrontendConfig) or frontend.kind == "features":
        raise ConfigError(
            f"frontend.kind={frontend.kind} of config '{name}' has no lags; name one of "
            "kind=autocorrelogram"
        )
    found = [running_autocorrelogram(path, rate, frontend, seconds) for path in audio]
    figures.autocorrelograms(found, frontend.stft.hop_samples / rate, names, output)
    return {"figure": str(output)}


def _titled(paths: tuple[Path, ...], titles: tuple[str, ...]) -> list[str]:
    if len(titles) > len(paths):
        raise click.UsageError(f"--title is given {len(titles)} times for {len(paths)} AUDIO")
    return [*titles, *(path.name for path in paths[len(titles) :])]
