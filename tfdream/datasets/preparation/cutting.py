"""Clips: fixed-length pieces of tracks, decoded and encoded in worker processes.

The worker processes of `prepare` run this module. They start fast, because it does not import
TensorFlow.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tfdream import audio
from tfdream.audio import Samples
from tfdream.config import PrepareConfig
from tfdream.datasets.preparation.workers import Workers
from tfdream.datasets.sources.tracks import Skipped, Track
from tfdream.errors import AudioError

_FULL_SCALE = 32768  # libsndfile's, so that 16-bit sources are preserved exactly


def cut(
    path: str | Path, config: PrepareConfig, first_clip: int = 0, end_clip: int | None = None
) -> list[bytes]:
    """Decode, mix to mono, resample, trim and cut one file.

    Args:
      path: an audio file.
      config: clip length, trims and codec.
      first_clip: number of the first clip to return.
      end_clip: number of the clip after the last one; None for the end of the file.

    Returns:
      The clips in order, each of `config.clip_samples` samples, encoded with `config.codec`.

    Raises:
      AudioError: if the file is empty, cannot be decoded or is too short for a single clip.
    """
    clips: list[bytes] = []
    rate, size = config.sample_rate, config.clip_samples
    samples = 0
    with audio.Reader(path) as reader:
        mid = reader.mid(rate)
        start, end = config.skip_start_seconds * rate, config.skip_end_seconds * rate
        pieces = audio.rechunk(audio.trim(mid, round(start), round(end)), size)
        for piece in islice(pieces, first_clip, end_clip):
            samples += len(piece)
            if len(piece) < size and not _keeps_tail(len(piece), bool(clips), config):
                break
            clips.append(encode(fill(piece[:, 0], size, config.tail), config))
            if len(clips) == config.max_clips_per_track:
                break
    if not samples:
        raise AudioError(
            f"skip_start_seconds={config.skip_start_seconds:g} and skip_end_seconds="
            f"{config.skip_end_seconds:g} remove the whole file; use smaller values"
        )
    if not clips:
        raise AudioError(
            f"{samples / rate:.2f} s between the trims are shorter than clip_seconds="
            f"{config.clip_seconds:g}; use tail=zeros or tail=repeat to fill the clip"
        )
    return clips


def fill(piece: Samples, samples: int, tail: str) -> Samples:
    """Extend the last piece of a track to a length.

    Args:
      piece: float `[at most samples]`.
      samples: length of the result.
      tail: ``repeat`` repeats the piece; otherwise zeros are appended.

    >>> fill(np.array([1.0, 2.0]), 5, "repeat")
    array([1., 2., 1., 2., 1.])
    """
    if tail == "repeat":
        return np.resize(piece, samples)
    return np.pad(piece, (0, samples - len(piece)))


def _keeps_tail(samples: int, has_clips: bool, config: PrepareConfig) -> bool:
    """Return whether the last, incomplete clip is filled rather than dropped."""
    enough = samples >= config.min_fill * config.clip_samples
    return config.tail != "drop" and (enough or not has_clips)


def encode(samples: Samples, config: PrepareConfig) -> bytes:
    """Encode float `[samples]` in [−1, 1] as 16-bit FLAC or PCM."""
    scaled = np.round(samples * _FULL_SCALE)
    pcm: NDArray[np.int16] = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    if config.codec == "pcm16":
        return pcm.tobytes()
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, config.sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def cut_all(
    tracks: Sequence[Track], config: PrepareConfig, workers: Workers
) -> Iterator[tuple[Track, list[bytes] | Skipped]]:
    """Cut tracks in worker processes; results are in the order of `tracks`.

    Raises:
      DatasetError: if worker processes cannot be started.
    """
    return zip(tracks, workers.map(_cut_or_skip, tracks, config), strict=True)


def count_all(tracks: Sequence[Track], config: PrepareConfig, workers: Workers) -> Iterator[int]:
    """Estimate the clips of each track from its header; 0 if the header is damaged.

    Raises:
      DatasetError: if worker processes cannot be started.
    """
    for count in workers.map(_count, tracks, config):
        yield 0 if isinstance(count, Skipped) else count


def _cut_or_skip(track: Track, config: PrepareConfig) -> list[bytes] | Skipped:
    try:
        return cut(track.path, config, track.first_clip, track.end_clip)
    except AudioError as error:
        return Skipped.from_error(track, error)
    except MemoryError:
        return Skipped(track.name, "it needs more memory than a process may use; split it")


def _count(track: Track, config: PrepareConfig) -> int:
    try:
        header = audio.info(track.path)
    except AudioError:
        return 0
    skipped_seconds = config.skip_start_seconds + config.skip_end_seconds
    seconds = max(0.0, header.estimated_samples / header.sample_rate - skipped_seconds)
    clips, rest = divmod(round(seconds * config.sample_rate), config.clip_samples)
    clips += rest > 0 and _keeps_tail(rest, clips > 0, config)
    if track.end_clip is not None:
        clips = min(clips, track.end_clip)
    clips = max(0, clips - track.first_clip)
    return min(clips, config.max_clips_per_track or clips)
