"""Clips: fixed-length pieces of a track, cut and encoded without TensorFlow.

This is what the worker processes of `prepare` run; they start fast because nothing here imports
TensorFlow.
"""

import io
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from tfdream import audio
from tfdream.config import PrepareConfig
from tfdream.datasets.sources.tracks import Skipped, Track
from tfdream.errors import AudioError, DatasetError
from tfdream.io import processes

_FULL_SCALE = 32768  # as libsndfile has it, so that 16-bit sources are kept to the bit


def cut(path: Path, config: PrepareConfig) -> list[bytes]:
    """Decode, mix to mono, resample, trim and cut one file.

    Args:
      path: the file.
      config: the rules.

    Returns:
      The clips in order, each `config.clip_samples` long and encoded by `config.codec`.

    Raises:
      AudioError: if the file is empty, cannot be decoded or is too short for a single clip.
    """
    clips: list[bytes] = []
    rate, size = config.sample_rate, config.clip_samples
    heard = 0
    with audio.Reader(path) as reader:
        mono = reader.mid(rate)
        start, end = config.skip_start_seconds * rate, config.skip_end_seconds * rate
        for piece in audio.rechunk(audio.trim(mono, round(start), round(end)), size):
            heard += len(piece)
            if len(piece) < size and not _worth_filling(len(piece), bool(clips), config):
                break
            clips.append(encode(fill(piece[:, 0], size, config.tail), config))
            if len(clips) == config.max_clips_per_track:
                break
    if not clips:
        raise AudioError(
            f"{heard / rate:.2f} s between the trims are shorter than clip_seconds="
            f"{config.clip_seconds:g}; use tail=zeros or tail=repeat to fill it up"
        )
    return clips


def fill(piece: np.ndarray, samples: int, how: str) -> np.ndarray:
    """Bring the last piece of a track to a length: by repeating it, or with zeros."""
    if how == "repeat":
        return np.resize(piece, samples)
    return np.pad(piece, (0, samples - len(piece)))


def _worth_filling(samples: int, has_clips: bool, config: PrepareConfig) -> bool:
    enough = samples >= config.min_fill * config.clip_samples
    return config.tail != "drop" and (enough or not has_clips)


def encode(samples: np.ndarray, config: PrepareConfig) -> bytes:
    """float `[samples]` in [−1, 1] → 16-bit FLAC or PCM, scaled by `config.gain`."""
    scaled = np.round(samples * config.gain * _FULL_SCALE)
    pcm = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    if config.codec == "pcm16":
        return pcm.tobytes()
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, config.sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def cut_all(
    tracks: Sequence[Track], config: PrepareConfig, workers: int
) -> Iterator[tuple[Track, list[bytes] | Skipped]]:
    """Cut tracks in parallel processes; results come in the order of `tracks`.

    A file that makes a decoder crash its process is skipped like any other damaged one: the
    processes are started again, and the file is tried once more on its own.

    Raises:
      DatasetError: if no process can be started at all.
    """
    return zip(tracks, _each(_cut_or_skip, tracks, config, workers), strict=True)


def count_all(tracks: Sequence[Track], config: PrepareConfig, workers: int) -> Iterator[int]:
    """How many clips `cut_all` will make of each track, by its header; 0 where that is damaged.

    Raises:
      DatasetError: if no process can be started at all.
    """
    for counted in _each(_count, tracks, config, workers):
        yield 0 if isinstance(counted, Skipped) else counted


Result = TypeVar("Result")
Work = Callable[[Track, PrepareConfig], Result]


def _each(
    work: Work[Result], tracks: Sequence[Track], config: PrepareConfig, workers: int
) -> Iterator[Result | Skipped]:
    """What `work` makes of each track, in order; see `cut_all`."""
    # Idle processes would only cost their start.
    workers = min(workers, len(tracks) // 2)
    if workers <= 1:
        for track in tracks:
            yield work(track, config)
        return
    waiting = deque(tracks)
    while waiting:
        try:
            for result in _in_pool(work, waiting, config, workers):
                waiting.popleft()
                yield result
        except BrokenProcessPool:
            yield _alone(work, waiting.popleft(), config)


def _alone(work: Work[Result], track: Track, config: PrepareConfig) -> Result | Skipped:
    """Do it in a process of its own, which the file may crash."""
    with processes.pool(1) as pool:
        try:
            pool.submit(os.getpid).result()
        except BrokenProcessPool:
            raise DatasetError(
                "worker processes end as soon as they start; use workers=1, or, in a script, put "
                "the call under: if __name__ == '__main__'"
            ) from None
        try:
            return pool.submit(work, track, config).result()
        except BrokenProcessPool:
            return Skipped(track.name, "the decoder crashed on it")


def _in_pool(
    work: Work[Result], tracks: Sequence[Track], config: PrepareConfig, workers: int
) -> Iterator[Result]:
    running: deque[Future[Result]] = deque()
    pool = processes.pool(workers)
    try:
        for track in list(tracks):  # the caller takes from it what is done
            running.append(pool.submit(work, track, config))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cut_or_skip(track: Track, config: PrepareConfig) -> list[bytes] | Skipped:
    try:
        return cut(track.path, config)
    except AudioError as error:
        return Skipped(track.name, str(error).removeprefix(f"'{track.path}' "))


def _count(track: Track, config: PrepareConfig) -> int:
    try:
        found = audio.info(track.path)
    except AudioError:
        return 0
    skipped_seconds = config.skip_start_seconds + config.skip_end_seconds
    heard = max(0.0, found.samples / found.sample_rate - skipped_seconds) * config.sample_rate
    whole, rest = divmod(round(heard), config.clip_samples)
    clips = whole + (rest > 0 and _worth_filling(rest, whole > 0, config))
    return min(clips, config.max_clips_per_track or clips)
