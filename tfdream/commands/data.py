"""Commands that list configurations and create datasets."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, progress_bar
from tfdream.commands.layouts import LayoutCommand


@command()
def configs() -> Result:
    """List the packaged configurations."""
    from tfdream import config

    return {"configs": config.names()}


@command()
@click.argument("folder", type=options.PATH)
@click.option(
    "--tracks", type=click.IntRange(1), default=12, show_default=True, help="Tracks per style."
)
@click.option(
    "--seconds",
    type=options.Number(0.1),
    default=30.0,
    show_default=True,
    help="Duration of each track, in seconds.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Random seed; every seed gives other tracks.",
)
@options.force
def corpus(folder: Path, tracks: int, seconds: float, seed: int, force: bool) -> Result:
    """Compose a demo corpus of four musical styles into FOLDER."""
    from tfdream.corpus.styles import STYLES, write_corpus

    paths = write_corpus(folder, tracks, seconds, 44100, seed, force)
    return {"folder": str(folder), "styles": list(STYLES), "tracks": len(paths)}


@command(cls=LayoutCommand)
@click.argument("source", type=options.PATH)
@click.argument("dataset", type=options.PATH)
@click.option(
    "--config",
    "name",
    required=True,
    help="Name or path of a configuration; its section 'prepare' is used.",
)
@click.option(
    "--labels",
    metavar="NAMES",
    help="Labels to use, such as Rock,Jazz; NEW=A+B merges two. Short for --set prepare.labels=….",
)
@click.option(
    "--deal-folds",
    is_flag=True,
    help="Ignore the folds that SOURCE specifies; assign prepare.folds folds by group.",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Number of processes; by default one per processor."
)
@click.option(
    "--runner",
    default="local",
    show_default=True,
    help="Local processes, or a runner of Apache Beam: direct, flink, spark, dataflow, …",
)
@click.option(
    "--beam-options",
    metavar="OPTIONS",
    help="Beam's options, such as '--direct_num_workers=2 --direct_running_mode=multi_processing'.",
)
@options.overriding("prepare.clip_seconds=10")
@options.force
def prepare(
    source: Path,
    dataset: Path,
    name: str,
    layout: str,
    layout_options: dict[str, object],
    labels: str | None,
    deal_folds: bool,
    workers: int | None,
    runner: str,
    beam_options: str | None,
    overrides: tuple[str, ...],
    force: bool,
) -> Result:
    """Cut the tracks of SOURCE into clips and write them to the folder DATASET.

    SOURCE is a folder with one sub-folder per label, or a CSV manifest (path, label, and optionally
    group and fold), or a folder with a manifest.csv, or GTZAN (genres_original/blues/…) or FMA
    (fma_metadata/tracks.csv and fma_small/000/…) as downloaded. The same call resumes after an
    interruption, and does nothing if DATASET is complete. Files that are not usable are listed with
    their reasons.

    A fold contains all tracks of a group, such as an artist, if SOURCE specifies groups; otherwise,
    for a transfer network, all files of the same name, which are recordings of one score. In an
    official split, test is fold 0, validation fold 1 and training fold 2; use it with train
    --test-fold 0 --set training.validate_on=next.
    """
    from tfdream.datasets.preparation.workers import Workers

    if runner == "local" and beam_options:
        raise click.UsageError("--beam-options are for Apache Beam; add --runner direct")
    # The processes start while this one imports TensorFlow.
    with Workers(workers) as processes:
        if runner == "local":
            processes.start()
        from tfdream import config
        from tfdream.datasets.sources.find import select_layout

        chosen = None if labels is None else config.parse_labels(labels)
        given = options.as_overrides(**{"prepare.labels": chosen})
        experiment = config.load_experiment(name, (*overrides, *given))
        from tfdream.datasets.preparation.beam import Beam
        from tfdream.datasets.preparation.prepare import PrepareOptions, prepare

        run_options = PrepareOptions(
            layout=select_layout(source, layout, layout_options),
            ignore_folds=deal_folds,
            group_scores=experiment.task == "transfer",
            workers=processes,
            beam=None if runner == "local" else Beam(runner, beam_options or ""),
            force=force,
        )
        with progress_bar("preparing", "tracks") as progress:
            return prepare(source, dataset, experiment.prepare, run_options, progress)


@command()
@click.argument("dataset", type=options.DATASET)
def check(dataset: Path) -> Result:
    """Verify the checksums of all files of DATASET.

    Training detects damage when it reads the damaged record; this command reads all records.
    """
    from tfdream.datasets import manifest

    return manifest.check(dataset)
