"""`prepare`: from a source to a dataset folder, in parallel, resumable and repeatable.

Which track goes into which shard is planned first. Then tracks are decoded in parallel processes
and written in the order of the plan, or Apache Beam writes whole shards. The journal knows those
that are finished, so that an interrupted call makes the others; the result is the same to the byte.
"""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tfdream.config import PrepareConfig
from tfdream.datasets import manifest, records
from tfdream.datasets.manifest import Dataset
from tfdream.datasets.preparation import cutting, shards
from tfdream.datasets.preparation import journal as journals
from tfdream.datasets.preparation.beam import Beam
from tfdream.datasets.preparation.journal import Journal
from tfdream.datasets.preparation.shards import Order, PlannedShard, WrittenShard
from tfdream.datasets.sources import find
from tfdream.datasets.sources.find import NO_OPTIONS, SourceOptions
from tfdream.datasets.sources.tracks import Skipped, Track
from tfdream.errors import DatasetError
from tfdream.io.atomic import write_json
from tfdream.io.progress import ProgressFn, no_progress


def prepare(
    source: Path,
    folder: Path,
    config: PrepareConfig,
    options: SourceOptions = NO_OPTIONS,
    workers: int | None = None,
    beam: Beam | None = None,
    force: bool = False,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Write the dataset of `source` to `folder`, or go on writing it, or find it done.

    Args:
      source: see `sources.read`.
      folder: the dataset.
      config: clip rules, codec and folds.
      options: the layout of the source, and what belongs to that.
      workers: processes; by default one per processor.
      beam: writes the shards in the place of our own processes; then `progress` hears of the end
        alone.
      force: start anew where `folder` holds a dataset already.
      progress: hears how far it is.

    Returns:
      The JSON object of the command: tracks, clips, audio_seconds, skipped, wall_seconds, …

    Raises:
      ConfigError: if Beam cannot be asked.
      DatasetError: if the source yields nothing, `folder` holds a dataset of other settings, or
        nothing here could decode the codec.
    """
    started = time.perf_counter()
    records.check_codec(config)
    if beam:
        beam.check()
    found = find.read(source, options)
    tracks = find.assign_folds(found.tracks, config.folds, config.seed)
    labels = sorted({track.label for track in tracks})
    fingerprint = _fingerprint(tracks, config)
    if force:
        _clear(folder)
    if (folder / manifest.MANIFEST).exists():
        dataset = manifest.load(folder)
        if dataset.fingerprint != fingerprint:
            raise journals.other_settings(folder)
    else:
        journal = Journal(folder, fingerprint)
        workers = workers or os.cpu_count() or 1
        done = {written.number for written in journal.read()}
        plan = shards.plan(tracks, config, workers)
        missing = [planned for planned in plan if planned.number not in done]
        order = Order(folder.absolute(), labels, config)
        if beam:
            beam.write(missing, order, journal)
            progress(len(tracks), len(tracks))
        else:
            waiting = sum(len(planned.tracks) for planned in missing)
            for planned, written in _write(missing, order, workers):
                journal.add(written)
                waiting -= len(planned.tracks)
                progress(len(tracks) - waiting, len(tracks))
        dataset = _describe(
            folder, journal.read(), tracks, found.skipped, labels, config, fingerprint
        )
        if not dataset.clips:
            journals.clear(folder)
            reasons = "; ".join(f"{path}: {reason}" for path, reason in dataset.skipped[:3])
            raise DatasetError(f"no file of '{source}' gave a clip ({reasons})")
        write_json(folder / manifest.MANIFEST, dataset.model_dump(mode="json"))
        journals.clear(folder)
    return {
        "dataset": str(folder),
        "tracks": dataset.tracks,
        "clips": dataset.clips,
        "audio_seconds": round(dataset.clips * config.clip_seconds, 3),
        "clips_per_label": dataset.clips_per_label,
        "shards": len(dataset.shards),
        "skipped": [{"path": path, "reason": reason} for path, reason in dataset.skipped],
        "wall_seconds": round(time.perf_counter() - started, 3),
    }


def _write(
    missing: list[PlannedShard], order: Order, workers: int
) -> Iterator[tuple[PlannedShard, WrittenShard]]:
    """Cut in parallel processes, and write one shard after the other."""
    tracks = [track for planned in missing for track in planned.tracks]
    cut = cutting.cut_all(tracks, order.config, workers)
    for planned in missing:
        yield planned, shards.write(planned, islice(cut, len(planned.tracks)), order)


def _describe(
    folder: Path,
    finished: list[WrittenShard],
    tracks: list[Track],
    unread: list[Skipped],
    labels: list[str],
    config: PrepareConfig,
    fingerprint: str,
) -> Dataset:
    written = [one.shard for one in finished if one.shard]
    label_of = {track.name: track.label for track in tracks}
    per_label: Counter[str] = Counter()
    for shard in written:
        for name, count in shard.tracks.items():
            per_label[label_of[name]] += count
    skipped = [pair for one in finished for pair in one.skipped]
    return Dataset(
        folder=folder,
        fingerprint=fingerprint,
        config=config,
        labels=labels,
        clips_per_label={label: per_label[label] for label in labels},
        shards=written,
        skipped=sorted([*map(tuple, unread), *skipped]),
    )


def _fingerprint(tracks: list[Track], config: PrepareConfig) -> str:
    digest = hashlib.sha256(config.model_dump_json().encode())
    for track in tracks:
        size = track.path.stat().st_size if track.path.is_file() else -1
        line = [track.name, track.label, track.group, track.fold, size]
        digest.update(json.dumps(line).encode())
    return digest.hexdigest()


def _clear(folder: Path) -> None:
    journals.clear(folder)
    for pattern in (manifest.MANIFEST, "fold*-*.tfrecord"):
        for path in folder.glob(pattern):
            path.unlink()
