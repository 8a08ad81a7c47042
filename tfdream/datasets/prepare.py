"""`prepare`: from a source to a dataset folder, in parallel, resumable and repeatable.

Tracks are put into a fixed order (by fold, shuffled within), decoded in parallel processes and
written in that order to shards of about the same size. The journal names the finished shards, so
that an interrupted call goes on after the last of them; the result is the same to the byte.
"""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfdream.config import PrepareConfig
from tfdream.datasets import clips, records, sources
from tfdream.datasets.sources import NO_OPTIONS, SourceOptions
from tfdream.datasets.tracks import Skipped, Track
from tfdream.errors import DatasetError
from tfdream.files import write_json

_JOURNAL = ".journal.jsonl"

Progress = Callable[[int, int], None]
"""Called with the number of tracks done and the number of all."""


def prepare(
    source: Path,
    folder: Path,
    config: PrepareConfig,
    options: SourceOptions = NO_OPTIONS,
    workers: int | None = None,
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Write the dataset of `source` to `folder`, or go on writing it, or find it done.

    Args:
      source: see `sources.read`.
      folder: the dataset.
      config: clip rules, codec and folds.
      options: the layout of the source, and what belongs to that.
      workers: processes; by default one per processor.
      force: start anew where `folder` holds a dataset already.
      progress: hears how far it is.

    Returns:
      The JSON object of the command: tracks, clips, audio_seconds, skipped, wall_seconds, …

    Raises:
      DatasetError: if the source yields nothing, or `folder` holds a dataset of other settings.
    """
    started = time.perf_counter()
    found = sources.read(source, options)
    tracks = sources.assign_folds(found.tracks, config.folds, config.seed)
    labels = sorted({track.label for track in tracks})
    fingerprint = _fingerprint(tracks, config)
    if force:
        _clear(folder)
    if (folder / records.DESCRIPTION).exists():
        dataset = records.load(folder)
        if dataset.fingerprint != fingerprint:
            raise _other_settings(folder)
    else:
        journal = _Journal(folder, fingerprint)
        plan = _plan(tracks, config)
        for shard, skipped, done in _shards(plan, labels, folder, config, journal, workers):
            journal.add(shard, skipped, done)
            progress(done, len(plan))
        dataset = _describe(journal, tracks, found.skipped, labels, config)
        if not dataset.clips:
            journal.close()
            reasons = "; ".join(f"{path}: {reason}" for path, reason in dataset.skipped[:3])
            raise DatasetError(f"no file of '{source}' gave a clip ({reasons})")
        write_json(folder / records.DESCRIPTION, dataset.model_dump(mode="json"))
        journal.close()
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


class _Journal:
    """The finished shards of an unfinished dataset, one JSON line each."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / _JOURNAL
        self.shards: list[records.Shard] = []
        self.skipped: list[tuple[str, str]] = []
        self.done = 0
        folder.mkdir(parents=True, exist_ok=True)
        lines = _whole_lines(self.path)
        if lines and lines[0]["fingerprint"] != fingerprint:
            raise _other_settings(folder)
        for line in lines[1:]:
            self._take(line)
        # Written anew, because a killed process may have left half a line at the end.
        with self.path.open("w", encoding="utf-8") as file:
            for line in lines or [{"fingerprint": fingerprint}]:
                file.write(json.dumps(line) + "\n")

    def add(self, shard: records.Shard | None, skipped: list[Skipped], done: int) -> None:
        """Note a finished shard, the files skipped since the last one, and the tracks done."""
        dumped = shard and shard.model_dump(mode="json")
        line: dict[str, Any] = {"shard": dumped, "skipped": skipped, "done": done}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(line)

    def close(self) -> None:
        """The dataset is finished."""
        self.path.unlink()

    def _take(self, line: dict[str, Any]) -> None:
        if line["shard"] is not None:
            self.shards.append(records.Shard.model_validate(line["shard"]))
        self.skipped += [(path, reason) for path, reason in line["skipped"]]
        self.done = line["done"]


def _shards(
    plan: list[Track],
    labels: list[str],
    folder: Path,
    config: PrepareConfig,
    journal: _Journal,
    workers: int | None,
) -> Iterator[tuple[records.Shard | None, list[Skipped], int]]:
    """Write the shards that the journal lacks; yield each with what was skipped for it."""
    index = {label: number for number, label in enumerate(labels)}
    done, number = journal.done, len(journal.shards)
    held: list[tuple[str, int, bytes]] = []
    skipped: list[Skipped] = []
    remaining = plan[done:]
    # Idle processes would only cost their start.
    processes = max(1, min(workers or os.cpu_count() or 1, len(remaining) // 2))
    for track, result in clips.cut_all(remaining, config, processes):
        done += 1
        if isinstance(result, Skipped):
            skipped.append(result)
        else:
            held += [(track.name, index[track.label], encoded) for encoded in result]
        ends_fold = done == len(plan) or plan[done].fold != track.fold
        if len(held) >= config.shard_clips or ends_fold:
            shard = None
            if held:
                assert track.fold is not None
                name = f"fold{track.fold}-{number:05d}.tfrecord"
                shard = records.write_shard(folder, name, track.fold, held)
                number += 1
            yield shard, skipped, done
            held, skipped = [], []


def _plan(tracks: list[Track], config: PrepareConfig) -> list[Track]:
    """By fold, and shuffled within it, so that every shard holds a mixture of labels."""
    shuffled = np.random.default_rng(config.seed).permutation(len(tracks))
    return sorted((tracks[number] for number in shuffled), key=lambda track: track.fold or 0)


def _describe(
    journal: _Journal,
    tracks: list[Track],
    unread: list[Skipped],
    labels: list[str],
    config: PrepareConfig,
) -> records.Dataset:
    label_of = {track.name: track.label for track in tracks}
    per_label: Counter[str] = Counter()
    for shard in journal.shards:
        for name, count in shard.tracks.items():
            per_label[label_of[name]] += count
    return records.Dataset(
        fingerprint=_fingerprint(tracks, config),
        config=config,
        labels=labels,
        clips_per_label={label: per_label[label] for label in labels},
        shards=journal.shards,
        skipped=sorted([*map(tuple, unread), *journal.skipped]),
    )


def _fingerprint(tracks: list[Track], config: PrepareConfig) -> str:
    digest = hashlib.sha256(config.model_dump_json().encode())
    for track in tracks:
        size = track.path.stat().st_size if track.path.is_file() else -1
        line = [track.name, track.label, track.group, track.fold, size]
        digest.update(json.dumps(line).encode())
    return digest.hexdigest()


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                break
    return lines


def _clear(folder: Path) -> None:
    for pattern in (records.DESCRIPTION, _JOURNAL, "fold*-*.tfrecord"):
        for path in folder.glob(pattern):
            path.unlink()


def _other_settings(folder: Path) -> DatasetError:
    return DatasetError(
        f"'{folder}' holds a dataset of other settings or another state of the source; "
        "name another folder or use --force to replace it"
    )
