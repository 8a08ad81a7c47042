"""Division of long mixes into contiguous segments, one for each fold."""

import math
import zlib
from collections.abc import Iterable

import numpy as np

from tfdream import audio
from tfdream.config import PrepareConfig
from tfdream.datasets.sources.tracks import Skipped, Source, Track
from tfdream.datasets.track_names import part_suffix
from tfdream.errors import AudioError, DatasetError


def divide(tracks: Iterable[Track], config: PrepareConfig) -> Source:
    """Divide every track into `config.folds` contiguous segments of equal length, one per fold.

    The clips of a gap of at least `config.gap_seconds` between two segments are left out, because
    neighboring clips of a mix are similar. Which segment is in which fold is random, but equal for
    tracks of one group, such as identical files.

    Args:
      tracks: tracks without folds.
      config: clip length, trims, folds, gap and seed.

    Returns:
      The segments as tracks with folds, and the files that are too short or damaged.

    Raises:
      DatasetError: if the source specifies folds.
    """
    segments: list[Track] = []
    skipped: list[Skipped] = []
    for track in tracks:
        if track.fold is not None:
            raise DatasetError(
                f"'{track.name}' has fold {track.fold}, but prepare.split=segments assigns a fold "
                "to each part of a track; use --deal-folds or prepare.split=tracks"
            )
        try:
            segments += _divide(track, config)
        except AudioError as error:
            skipped.append(Skipped.from_error(track, error))
    return Source(segments, skipped)


def _divide(track: Track, config: PrepareConfig) -> list[Track]:
    with audio.Reader(track.path) as reader:
        # Decoded: the header of a truncated file states the length of the whole one.
        seconds = sum(map(len, reader.blocks())) / reader.info.sample_rate
    usable = seconds - config.skip_start_seconds - config.skip_end_seconds
    clips = max(0, math.floor(round(usable / config.clip_seconds, 6)))
    gap = math.ceil(config.gap_seconds / config.clip_seconds)
    # Every segment but the last one is followed by a gap.
    length, rest = divmod(clips - gap * (config.folds - 1), config.folds)
    if length < 1:
        raise AudioError(
            f"{clips} clips are too few for {config.folds} segments with gaps of {gap} clips; "
            "use fewer folds, a smaller prepare.gap_seconds, or prepare.split=tracks"
        )
    random = np.random.default_rng([config.seed, zlib.crc32(track.group.encode())])
    first = 0
    segments = []
    for number, fold in enumerate(random.permutation(config.folds), start=1):
        end = first + length + (number <= rest)
        part = part_suffix(number, config.folds)
        segments.append(
            track._replace(
                name=track.name + part,
                group=track.group + part,
                fold=int(fold),
                first_clip=first,
                end_clip=None if number == config.folds else end,
            )
        )
        first = end + gap
    return segments
