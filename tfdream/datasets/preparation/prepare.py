"""`prepare`: from a source to a dataset folder, in parallel, resumable and repeatable.

The distribution of tracks over shards is planned first. Then parallel processes decode the tracks,
and the shards are written in the order of the plan; alternatively, Apache Beam writes them. The
journal lists the finished shards, so that a call after an interruption writes the others. The
resulting bytes are the same in every case.
"""

import functools
import hashlib
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tfdream.config import PrepareConfig
from tfdream.datasets import feature_files, manifest
from tfdream.datasets.codecs import check_codec
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.preparation import cutting, segments, shards
from tfdream.datasets.preparation.beam import Beam
from tfdream.datasets.preparation.journal import Journal, remove_journal, settings_differ
from tfdream.datasets.preparation.shards import ShardContext, WrittenShard
from tfdream.datasets.preparation.workers import Workers
from tfdream.datasets.sources.duplicates import group_duplicates, similar_labels
from tfdream.datasets.sources.find import AUTO, read_source
from tfdream.datasets.sources.folds import assign_folds
from tfdream.datasets.sources.labels import select_labels
from tfdream.datasets.sources.layouts.base import Layout
from tfdream.datasets.sources.tracks import (
    Source,
    Track,
    first_reasons,
    group_scores,
    repeated_scores,
)
from tfdream.errors import DatasetError
from tfdream.io.atomic import write_json
from tfdream.io.duplicates import digest_of_blocks
from tfdream.io.progress import ProgressFn, no_progress

logger = logging.getLogger(__name__)
_MAX_LOGGED_WARNINGS = 5


@dataclass(frozen=True)
class PrepareOptions:
    """How `prepare` reads a source and runs; the clips do not depend on `workers` and `beam`.

    Attributes:
      layout: layout of the source, such as ``GtzanLayout(splits="lists")``, its name, or ``auto``.
      ignore_folds: ignore the folds that the source specifies, and assign folds by group.
      group_scores: assign recordings of the same score to the same fold, as transfer networks need
        it; see `tracks.group_scores`.
      workers: the processes, or their number; by default one per processor.
      beam: writes the shards instead of local processes.
      force: replace an existing dataset.
    """

    layout: Layout | str = AUTO
    ignore_folds: bool = False
    group_scores: bool = False
    workers: Workers | int | None = None
    beam: Beam | None = None
    force: bool = False


DEFAULT_OPTIONS = PrepareOptions()


def prepare(
    source: str | Path,
    dataset: str | Path,
    config: PrepareConfig,
    options: PrepareOptions = DEFAULT_OPTIONS,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Write the dataset of a source, or complete it after an interruption.

    If the dataset is complete, nothing is written.

    Args:
      source: see `read_source`.
      dataset: folder of the dataset.
      config: clip rules, codec and folds.
      options: layout of the source, processes, and whether to replace an existing dataset.
      progress: receives the number of finished tracks; with Beam, only at the end.

    Returns:
      The JSON object of the command: tracks, clips, audio_seconds, skipped, left_out (tracks of
      each label that `config.labels` leaves out), warnings (about identical files, similar
      labels, labels without clips, and for transfer networks, repeated scores), wall_seconds, …

    Raises:
      ConfigError: if Beam is not available.
      DatasetError: if the source has no clips or lacks one of `config.labels`, the folder contains
        a dataset with other settings, or this installation cannot decode the codec.
    """
    started = time.perf_counter()
    folder = Path(dataset)
    check_codec(config)
    if options.beam:
        options.beam.check()
    tracks, skipped = read_source(source, options.layout, options.ignore_folds)
    tracks, left_out = select_labels(tracks, config.labels)
    of_scores: list[str] = []
    if options.group_scores:
        of_scores, tracks = repeated_scores(tracks), group_scores(tracks)
    tracks, warnings = group_duplicates(tracks)
    warnings += of_scores
    warnings += similar_labels(track.label for track in tracks)
    _log_warnings(warnings)
    labels = {track.label for track in tracks}
    if config.split == "segments":
        tracks, undivided = segments.divide(tracks, config)
        skipped = [*skipped, *undivided]
        if not tracks:
            reasons = first_reasons(skipped)
            raise DatasetError(f"no file of '{source}' can be divided ({reasons})")
    given = {track.fold for track in tracks} - {None}
    if given and "folds" in config.model_fields_set and len(given) != config.folds:
        logger.warning(
            "the source specifies %d folds, so prepare.folds=%d is not used; --deal-folds ignores "
            "those of the source",
            *(len(given), config.folds),
        )
    tracks = assign_folds(tracks, config.folds, config.seed)
    fingerprint = _fingerprint(tracks, config)
    if options.force:
        _remove_dataset(folder)
    if (folder / manifest.MANIFEST).exists():
        result = manifest.load(folder)
        if result.fingerprint != fingerprint:
            raise settings_differ(folder)
    else:
        context = ShardContext(folder.absolute(), sorted({track.label for track in tracks}), config)
        written = _write_missing(tracks, context, Journal(folder, fingerprint), options, progress)
        result = _describe(written, Source(tracks, skipped), context, fingerprint)
        if not result.clips:
            remove_journal(folder)
            reasons = first_reasons(result.skipped)
            raise DatasetError(f"no file of '{source}' has a clip ({reasons})")
        write_json(folder / manifest.MANIFEST, result.model_dump(mode="json"))
        remove_journal(folder)
    without_clips = [
        f"label '{label}' has no clip, because all of its files are skipped"
        for label in sorted(labels)
        if not result.clips_per_label.get(label)
    ]
    _log_warnings(without_clips)
    return {
        "dataset": str(folder),
        "tracks": result.tracks,
        "clips": result.clips,
        "audio_seconds": round(result.clips * config.clip_seconds, 3),
        "clips_per_label": result.clips_per_label,
        "shards": len(result.shards),
        "left_out": left_out,
        "skipped": [{"path": path, "reason": reason} for path, reason in result.skipped],
        "warnings": [*warnings, *without_clips],
        "wall_seconds": round(time.perf_counter() - started, 3),
    }


def _log_warnings(warnings: list[str]) -> None:
    for warning in warnings[:_MAX_LOGGED_WARNINGS]:
        logger.warning("%s", warning)
    if len(warnings) > _MAX_LOGGED_WARNINGS:
        rest = len(warnings) - _MAX_LOGGED_WARNINGS
        logger.warning("%d more warnings; see --json", rest)


def _write_missing(
    tracks: list[Track],
    context: ShardContext,
    journal: Journal,
    options: PrepareOptions,
    progress: ProgressFn,
) -> list[WrittenShard]:
    """Write the shards that the journal does not list; return all shards."""
    finished = {written.number for written in journal.read()}
    given = options.workers
    with given if isinstance(given, Workers) else Workers(given) as workers:
        plan = shards.plan(tracks, context.config, workers)
        missing = [planned for planned in plan if planned.number not in finished]
        if options.beam:
            options.beam.write(missing, context, journal)
            progress(len(tracks), len(tracks))
            return journal.read()
        members = [track for planned in missing for track in planned.tracks]
        results = cutting.cut_all(members, context.config, workers)
        remaining = len(members)
        for planned in missing:
            journal.add(shards.write(planned, islice(results, len(planned.tracks)), context))
            remaining -= len(planned.tracks)
            progress(len(tracks) - remaining, len(tracks))
    return journal.read()


def _describe(
    written: list[WrittenShard], source: Source, context: ShardContext, fingerprint: str
) -> Dataset:
    label_of = {track.name: track.label for track in source.tracks}
    listed = [one.shard for one in written if one.shard]
    per_label: Counter[str] = Counter()
    for shard in listed:
        for name, count in shard.tracks.items():
            per_label[label_of[name]] += count
    skipped = [pair for one in written for pair in one.skipped]
    return Dataset(
        folder=context.folder,
        fingerprint=fingerprint,
        config=context.config,
        labels=context.labels,
        clips_per_label={label: per_label[label] for label in context.labels},
        shards=listed,
        skipped=sorted([*map(tuple, source.skipped), *skipped]),
    )


def _fingerprint(tracks: list[Track], config: PrepareConfig) -> str:
    """Return a digest of the settings and the tracks, with the content of each file."""
    digest = hashlib.sha256(config.model_dump_json().encode())
    content = functools.cache(_content)  # a track may have several parts
    for track in tracks:
        clips = [track.first_clip, track.end_clip]
        line = [track.name, track.label, track.group, track.fold, content(track.path), *clips]
        digest.update(json.dumps(line).encode())
    return digest.hexdigest()


def _content(path: Path) -> str:
    """Return what identifies a file's content: its size, and a digest of some blocks.

    A complete digest would read the whole source in every call. An edit between the blocks that
    keeps the size is therefore not detected.
    """
    try:
        return f"{path.stat().st_size} {digest_of_blocks(path).hex()}" if path.is_file() else ""
    except OSError:  # reported when it is decoded
        return ""


def _remove_dataset(folder: Path) -> None:
    remove_journal(folder)
    feature_files.remove(folder)
    for pattern in (manifest.MANIFEST, "fold*-*.tfrecord"):
        for path in folder.glob(pattern):
            path.unlink()
