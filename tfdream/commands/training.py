"""Commands that train, judge and pass on networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, progress_bar
from tfdream.io.progress import ProgressFn

if TYPE_CHECKING:
    from tfdream.config import GenerationExperiment, TranslationExperiment
    from tfdream.training.distributed import ClusterConfig


@command()
@click.argument("config_name", metavar="CONFIG")
@click.argument("dataset", type=options.PATH)
@click.argument("run", type=options.PATH)
@options.epochs
@click.option(
    "--test-fold",
    default="0",
    show_default=True,
    metavar="K",
    help="The fold that is held out; 'none' trains on all.",
)
@click.option(
    "--second",
    type=options.PATH,
    metavar="DATASET",
    help="Of a translation: the second genre's dataset, where DATASET is the first one's.",
)
@click.option(
    "--judge",
    type=options.PATH,
    metavar="RUN",
    help="Of a translation: a classifier that says now and then what it hears in held-out clips.",
)
@click.option(
    "--strategy",
    type=click.Choice(["auto", "multiworker"]),
    default="auto",
    show_default=True,
    help="All devices of this machine, or all machines of TF_CONFIG, each with this command.",
)
@click.option(
    "--data-service",
    metavar="ADDRESS",
    help="Let the workers of this dispatcher make the batches; see tfdream data-worker.",
)
@options.overriding
@options.force
def train(
    config_name: str,
    dataset: Path,
    run: Path,
    epochs: int | None,
    test_fold: str,
    second: Path | None,
    judge: Path | None,
    strategy: Literal["auto", "multiworker"],
    data_service: str | None,
    overrides: tuple[str, ...],
    force: bool,
) -> Result:
    """Train the network of CONFIG on DATASET into the folder RUN.

    Interrupted, the same call goes on after the last finished epoch, exactly as if nothing had
    happened. More epochs on a finished run go on too, unless the learning rate depends on their
    number. Curves, pictures and sounds: tfdream monitor RUN.
    """
    from tfdream import config
    from tfdream.training.distributed import ClusterConfig

    settings = config.load_experiment(config_name, _with_epochs(overrides, epochs))
    fold = _fold(test_fold)
    machines = ClusterConfig(strategy, data_service)
    with progress_bar("training", "steps") as progress:
        if isinstance(settings, config.TranslationExperiment):
            datasets = dataset if second is None else (dataset, second)
            return _train_translation(
                settings, datasets, run, fold, force, progress, judge, machines
            )
        if second or judge:
            raise click.UsageError("--second and --judge belong to a CONFIG of a translation")
        if isinstance(settings, config.GenerationExperiment):
            return _train_generation(settings, dataset, run, fold, force, progress, machines)
        from tfdream.reports.previews.classification import ClassifierPreview
        from tfdream.training.classification import train

        assert isinstance(settings, config.Experiment)
        return train(settings, dataset, run, fold, force, progress, ClassifierPreview, machines)


def _train_generation(
    settings: "GenerationExperiment",
    dataset: Path,
    folder: Path,
    fold: int | None,
    force: bool,
    progress: ProgressFn,
    machines: "ClusterConfig",
) -> Result:
    from tfdream import config
    from tfdream.reports.previews.generation import Preview
    from tfdream.training.generation import train_generation

    how = config.load("generate/recommended", config.GenerateConfig)
    return train_generation(
        settings,
        dataset,
        folder,
        fold,
        force,
        progress,
        lambda run, side: Preview(run, side, how),
        machines,
    )


def _train_translation(
    settings: "TranslationExperiment",
    dataset: Path | tuple[Path, Path],
    folder: Path,
    fold: int | None,
    force: bool,
    progress: ProgressFn,
    judge: Path | None,
    machines: "ClusterConfig",
) -> Result:
    from tfdream import config
    from tfdream.reports.previews.translation import Preview, read_judged
    from tfdream.runs import Run, TranslationRun
    from tfdream.training.translation import train_translation

    if judge and settings.training.validate_on == "none":
        raise click.UsageError("--judge hears held-out clips; training.validate_on=none has none")

    judging = Run.open(judge) if judge else None
    sound = config.load("translate/recommended", config.TranslateConfig)
    result = train_translation(
        settings,
        dataset,
        folder,
        fold,
        force,
        progress,
        lambda run, sides: Preview(run, sides, sound, judging),
        machines,
    )
    if judge is None or not folder.is_dir():  # the folder is on the chief's machine
        return result
    return result | {"judged": read_judged(TranslationRun.open(folder))[-1:]}


@command(only_json={"per_track"})
@click.argument("run", type=options.PATH)
@click.argument("dataset", type=options.PATH)
@click.option(
    "--fold",
    "folds",
    type=click.IntRange(0),
    multiple=True,
    help="Fold to look at, repeatable; by default the one that RUN held out.",
)
@options.figure
def evaluate(run: Path, dataset: Path, folds: tuple[int, ...], figure: Path | None) -> Result:
    """Judge the network of RUN on held-out clips of DATASET."""
    from tfdream import figures
    from tfdream.evaluation.classification import evaluate
    from tfdream.runs import Run

    if figure is not None:
        figures.check_writable(figure)
    result = evaluate(Run.open(run), dataset, folds or None)
    if figure is not None:
        figures.per_class(result["labels"], result["confusion"], result["per_class"], figure)
    return result


@command()
@click.argument("config_name", metavar="CONFIG")
@click.argument("dataset", type=options.PATH)
@click.argument("out", type=options.PATH)
@options.epochs
@click.option(
    "--fold",
    "folds",
    type=click.IntRange(0),
    multiple=True,
    help="Fold to hold out, repeatable; by default each of DATASET in turn.",
)
@options.overriding
@options.figure
@options.force
def crossvalidate(
    config_name: str,
    dataset: Path,
    out: Path,
    epochs: int | None,
    folds: tuple[int, ...],
    overrides: tuple[str, ...],
    figure: Path | None,
    force: bool,
) -> Result:
    """Train and judge the network of CONFIG once for each fold of DATASET.

    Each fold is held out in turn: a network is trained on the others into OUT/fold0, OUT/fold1, …
    (runs like any other) and judged on the clips that it never saw. Accuracies are told as mean
    and deviation over the folds, with 95 % confidence intervals, and written to
    OUT/crossvalidation.json.

    Interrupted, the same call goes on: a fold that is done is not done again, and the one that
    was being trained continues after its last finished epoch. More --epochs continue every fold,
    unless the learning rate falls along a cosine, which ends with the last epoch.
    Other settings or another dataset are refused where OUT has runs already; --force starts all
    of them anew (to go on with what that began, leave --force out).
    """
    from tfdream import config, figures
    from tfdream.evaluation.crossvalidation import crossvalidate

    if figure is not None:
        figures.check_writable(figure)
    settings = config.load(config_name, config.Experiment, _with_epochs(overrides, epochs))
    name = Path(config_name).stem
    with progress_bar("cross-validation", "steps") as progress:
        result = crossvalidate(settings, dataset, out, folds or None, force, progress, name)
    if figure is not None:
        figures.per_class(result["labels"], result["confusion"], result["per_class"], figure)
    return result


@command()
@click.argument("run", type=options.PATH)
@click.argument("audio", type=options.PATH, nargs=-1, required=True)
def predict(run: Path, audio: tuple[Path, ...]) -> Result:
    """Classify AUDIO files of any length with the network of RUN."""
    from tfdream.evaluation.classification import predict
    from tfdream.runs import Run

    return predict(Run.open(run), list(audio))


@command()
@click.argument("run", type=options.PATH)
def layers(run: Path) -> Result:
    """List the layers of the network of RUN: what can be dreamt on."""
    from tfdream.models import inspect
    from tfdream.runs import Run

    return {"layers": inspect.layers(Run.open(run).build_model())}


@command()
@click.argument("run", type=options.PATH)
@click.argument("saved_model", type=options.PATH)
@options.force
def export(run: Path, saved_model: Path, force: bool) -> Result:
    """Write the network of RUN as a SavedModel that takes waveforms.

    That of a translation has both directions.
    """
    from tfdream.export import export
    from tfdream.runs import open_run

    return export(open_run(run), saved_model, force)


def _with_epochs(overrides: tuple[str, ...], epochs: int | None) -> tuple[str, ...]:
    return overrides if epochs is None else (*overrides, f"training.epochs={epochs}")


def _fold(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal():
        raise click.BadParameter(f"'{text}' is neither a fold nor 'none'", param_hint="--test-fold")
    return int(text)
