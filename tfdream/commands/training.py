"""Commands that train, evaluate and export networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, progress_bar

if TYPE_CHECKING:
    from tfdream.config import BaseExperiment

_adapt = click.option(
    "--adapt",
    is_flag=True,
    help="Replace the statistics of batch normalization by those of these recordings: for many "
    "recordings of several labels, made in another way than the training data.",
)


@command()
@click.argument("config_name", metavar="CONFIG")
@click.argument("dataset", type=options.DATASET)
@click.argument("run", type=options.PATH)
@options.epochs
@click.option(
    "--test-fold",
    default="0",
    show_default=True,
    metavar="K",
    help="Held-out fold; 'none' trains on all folds.",
)
@click.option(
    "--second",
    type=options.DATASET,
    metavar="DATASET",
    help="Translations: dataset of the second label, if DATASET contains the first label only.",
)
@click.option(
    "--judge",
    type=options.RUN,
    metavar="RUN",
    help="Translations: classifier that scores translated held-out clips during training.",
)
@click.option(
    "--from",
    "pretrained",
    metavar="RUN",
    help="Classifiers: start with the weights of this run or preset; short for --set "
    "training.pretrained=RUN.",
)
@click.option(
    "--strategy",
    type=click.Choice(["auto", "multiworker"]),
    default="auto",
    show_default=True,
    help="All devices of this machine, or all machines in TF_CONFIG, each running this command.",
)
@click.option(
    "--data-service",
    metavar="ADDRESS",
    help="Dispatcher whose workers compute the batches; see tfdream data-worker.",
)
@options.overriding("training.epochs=3")
@options.force
def train(
    config_name: str,
    dataset: Path,
    run: Path,
    epochs: int | None,
    test_fold: str,
    second: Path | None,
    judge: Path | None,
    pretrained: str | None,
    strategy: Literal["auto", "multiworker"],
    data_service: str | None,
    overrides: tuple[str, ...],
    force: bool,
) -> Result:
    """Train the network of CONFIG on DATASET into the folder RUN.

    After an interruption, the same call continues after the last finished epoch with identical
    results. A finished run continues with more epochs, unless the learning rate depends on their
    number. Curves, images and audio: tfdream monitor RUN.
    """
    from tfdream import config
    from tfdream.reports import previews
    from tfdream.runs import Run, TranslationRun
    from tfdream.training.distributed import ClusterConfig
    from tfdream.training.train import TrainOptions, train

    given = options.as_overrides(**{"training.epochs": epochs, "training.pretrained": pretrained})
    settings = config.load_experiment(config_name, (*overrides, *given))
    if settings.task != "translate" and (second or judge):
        raise click.UsageError("--second and --judge require a CONFIG with task=translate")
    _check_prepared(settings, overrides, [dataset] if second is None else [dataset, second])
    cluster = ClusterConfig(strategy, data_service)
    train_options = TrainOptions(_fold(test_fold), force, second, cluster)
    preview = previews.preview_factory(settings, judge)
    with progress_bar("training", "steps") as progress:
        result = train(settings, dataset, run, train_options, progress, preview)
    if judge is None or not run.is_dir():  # only worker 0 has the folder
        return result
    from tfdream.reports.previews.translation import read_judged_epoch

    scores = read_judged_epoch(TranslationRun.open(run), result["kept_epoch"], Run.open(judge))
    return result | {"judged": scores}


@command(only_json={"per_track"})
@click.argument("run", type=options.RUN)
@click.argument("dataset", type=options.DATASET)
@click.option(
    "--fold",
    "folds",
    type=click.IntRange(0),
    multiple=True,
    help="Fold to evaluate, repeatable; by default the fold that RUN held out.",
)
@_adapt
@options.figure
def evaluate(
    run: Path, dataset: Path, folds: tuple[int, ...], adapt: bool, figure: Path | None
) -> Result:
    """Evaluate the network of RUN on held-out clips of DATASET.

    Of another dataset than the one that RUN was trained on, the folds are evaluated that have no
    track of RUN's training data, compared by name and label. If there are none, all folds are
    evaluated with a warning.
    """
    from tfdream.evaluation.classification import evaluate
    from tfdream.figures.parts import sheet
    from tfdream.runs import Run

    if figure is not None:
        sheet.check_writable(figure)
    result = evaluate(Run.open(run), dataset, folds or None, adapt)
    if figure is not None:
        _draw_scores(result, figure)
    return result


@command()
@click.argument("config_name", metavar="CONFIG")
@click.argument("dataset", type=options.DATASET)
@click.argument("out", type=options.PATH)
@options.epochs
@click.option(
    "--fold",
    "folds",
    type=click.IntRange(0),
    multiple=True,
    help="Held-out fold, repeatable; by default each fold of DATASET in turn.",
)
@options.overriding("training.epochs=3")
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
    """Train and evaluate the network of CONFIG once for each fold of DATASET.

    Each fold is held out in turn: a network is trained on the other folds into OUT/fold0,
    OUT/fold1, … (ordinary runs) and evaluated on the held-out clips. Accuracies are reported as
    mean and deviation over the folds, with 95 % confidence intervals, and written to
    OUT/crossvalidation.json. With --fold, a result of further folds there is not replaced, unless a
    network is trained.

    After an interruption, the same call continues: finished folds are not repeated, and the
    unfinished one continues after its last finished epoch. More --epochs continue every fold,
    unless the learning rate follows a cosine, which ends with the last epoch.
    If OUT contains runs with other settings or of another dataset, the call fails; --force
    replaces all of them (to continue an interrupted replacement, omit --force).
    """
    from tfdream import config
    from tfdream.evaluation.crossvalidation import crossvalidate
    from tfdream.figures.parts import sheet

    if figure is not None:
        sheet.check_writable(figure)
    given = options.as_overrides(**{"training.epochs": epochs})
    settings = config.load(config_name, config.Experiment, (*overrides, *given))
    _check_prepared(settings, overrides, [dataset])
    name = Path(config_name).stem
    with progress_bar("cross-validation", "steps") as progress:
        result = crossvalidate(
            settings, dataset, out, folds or None, force, progress, name, apart=True
        )
    if figure is not None:
        _draw_scores(result, figure)
    return result


@command(failed_partly=lambda result: any("error" in file for file in result["files"]), decodes=1)
@click.argument("run", type=options.RUN)
@click.argument("audio", type=options.AUDIO, nargs=-1, required=True)
@click.option(
    "--unknown-below",
    type=options.Number(0, 1),
    metavar="P",
    help="Label files 'unknown' whose largest probability is below P, or that are silent.",
)
@_adapt
def predict(run: Path, audio: tuple[Path, ...], unknown_below: float | None, adapt: bool) -> Result:
    """Classify AUDIO files of any length with the network of RUN.

    The notes on a file are reasons to doubt the label: silent, padded, truncated, clipped, a DC
    offset, no energy in a part of the network's band, or a duplicate of another file. If some files
    cannot be read, the others are classified, and the exit status is 3.
    """
    from tfdream.evaluation.prediction import predict
    from tfdream.runs import Run

    return predict(Run.open(run), list(audio), unknown_below, adapt)


@command()
@click.argument("run", type=options.RUN)
def layers(run: Path) -> Result:
    """List the layers of the network of RUN, which objectives can name."""
    from tfdream.models import inspect
    from tfdream.runs import Run

    return {"layers": inspect.layers(Run.open(run).build_model(initial_weights=False))}


@command()
@click.argument("run", type=options.RUN)
@click.argument("output", type=options.PATH)
@options.force
def export(run: Path, output: Path, force: bool) -> Result:
    """Write the network of RUN in the format that the extension of OUTPUT selects.

    Without extension: a SavedModel whose input is a waveform; that of a translation contains both
    directions (without the loudness normalization of translate), that of a sequence model generates
    frames. Classifiers: .tflite for TensorFlow Lite, .onnx for ONNX (needs the extra 'onnx'). Any
    run: .safetensors contains weights and settings in one file, which tfdream models install NAME
    --from FILE imports.
    """
    from tfdream.export import export
    from tfdream.runs import open_run

    return export(open_run(run), output, force)


def _draw_scores(result: Result, figure: Path) -> None:
    """Draw the confusion matrix and the measures of each label."""
    from tfdream.figures.confusion import plot_scores
    from tfdream.figures.parts import sheet

    sheet.write(plot_scores(result["labels"], result["confusion"], result["per_class"]), figure)


def _check_prepared(
    settings: "BaseExperiment", overrides: tuple[str, ...], datasets: list[Path]
) -> None:
    """Check that datasets were prepared with the settings of `prepare` that --set overrides."""
    from tfdream import config
    from tfdream.datasets import manifest
    from tfdream.training import splits

    names = config.overridden(overrides, "prepare")
    for dataset in datasets if names else ():
        splits.check_overridden(settings, manifest.load(dataset), names)


def _fold(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal():
        raise click.BadParameter(f"'{text}' is neither a fold nor 'none'", param_hint="--test-fold")
    return int(text)
