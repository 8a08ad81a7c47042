"""Commands that make and list what networks learn from."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import Result, command, progress_bar


@command()
def configs() -> Result:
    """List the packaged configurations."""
    from tfdream import config

    return {"configs": config.names()}


@command()
@click.argument("folder", type=options.PATH)
@click.option("--tracks", type=click.IntRange(1), default=12, show_default=True, help="Per style.")
@click.option(
    "--seconds",
    type=options.Number(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Of each track.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Other seeds, other songs.")
def corpus(folder: Path, tracks: int, seconds: float, seed: int) -> Result:
    """Compose a small corpus of four styles into FOLDER, to try things on."""
    from tfdream.corpus.styles import STYLES, write_corpus

    paths = write_corpus(folder, tracks, seconds, 44100, seed)
    return {"folder": str(folder), "styles": list(STYLES), "tracks": len(paths)}


@command()
@click.argument("source", type=options.PATH)
@click.argument("dataset", type=options.PATH)
@click.option("--config", "name", required=True, help="Name or path; its section 'prepare'.")
@click.option(
    "--layout",
    type=click.Choice(["auto", "folder", "csv", "gtzan", "fma"]),
    default="auto",
    show_default=True,
    help="How SOURCE tells labels: a sub-folder each, a CSV manifest, or as GTZAN or FMA come.",
)
@click.option(
    "--splits",
    type=options.PATH,
    metavar="FOLDER",
    help="GTZAN's filtered split: train_filtered.txt, valid_filtered.txt and test_filtered.txt.",
)
@click.option(
    "--subset",
    type=click.Choice(["small", "medium", "large", "full"]),
    help="Of FMA; by default that of its only audio folder.",
)
@click.option(
    "--deal-folds",
    is_flag=True,
    help="Ignore the folds that SOURCE states; deal out prepare.folds of them, by group.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; by default one per processor.")
@click.option(
    "--runner",
    default="local",
    show_default=True,
    help="Our own processes, or a runner of Apache Beam: direct, flink, spark, dataflow, …",
)
@click.option(
    "--beam-options",
    metavar="OPTIONS",
    help="For Beam, such as '--direct_num_workers=2 --direct_running_mode=multi_processing'.",
)
@options.overriding
@options.force
def prepare(
    source: Path,
    dataset: Path,
    name: str,
    layout: str,
    splits: Path | None,
    subset: str | None,
    deal_folds: bool,
    workers: int | None,
    runner: str,
    beam_options: str | None,
    overrides: tuple[str, ...],
    force: bool,
) -> Result:
    """Cut the recordings of SOURCE into the clips of DATASET.

    SOURCE is a folder with one sub-folder per label, or a CSV manifest (path, label, and optionally
    group and fold), or a folder with a manifest.csv, or GTZAN (genres_original/blues/…) or FMA
    (fma_metadata/tracks.csv and fma_small/000/…) as they come. Interrupted, the same call goes on;
    repeated, it does nothing. Files that cannot be used are listed with their reasons.

    Folds keep the tracks of a group together: those of an artist, as far as SOURCE names them. An
    official split is test fold 0, validation fold 1 and training fold 2, for train --test-fold 0
    --set training.validate_on=next.
    """
    from tfdream import config
    from tfdream.datasets.preparation.beam import Beam
    from tfdream.datasets.preparation.prepare import prepare
    from tfdream.datasets.sources.find import SourceOptions

    settings = config.load_experiment(name, overrides).prepare
    if runner == "local" and beam_options:
        raise click.UsageError("--beam-options are for Apache Beam; add --runner direct")
    beam = None if runner == "local" else Beam(runner, beam_options or "")
    source_options = SourceOptions(layout, splits, subset, deal_folds)
    with progress_bar("preparing", "tracks") as progress:
        return prepare(source, dataset, settings, source_options, workers, beam, force, progress)


@command()
@click.argument("dataset", type=options.PATH)
def check(dataset: Path) -> Result:
    """Read every byte of DATASET and compare it with what `prepare` wrote.

    Training notices damage where it reads it; this finds all of it, beforehand.
    """
    from tfdream.datasets import manifest

    return manifest.check(dataset)
