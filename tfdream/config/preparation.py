"""Settings of `prepare`: how tracks are cut into clips and written as a dataset."""

from typing import Annotated, Literal

from pydantic import Field

from tfdream.config.base import Config, Count, NotNegative, Positive, Seed, Share


class PrepareConfig(Config):
    """How tracks become clips, shards and folds.

    >>> PrepareConfig(sample_rate=8000, clip_seconds=2.5).clip_samples
    20000
    """

    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 22050
    """Sample rate of the clips, in Hz."""
    clip_seconds: Annotated[float, Field(ge=0.01, le=600)] = 5.0
    skip_start_seconds: NotNegative = 0.0
    """Duration that is dropped from the start of each track."""
    skip_end_seconds: NotNegative = 0.0
    """Duration that is dropped from the end of each track."""
    gain: Positive = 1.0
    """Factor that all samples are multiplied by."""
    tail: Literal["drop", "zeros", "repeat"] = "drop"
    """The last, incomplete clip of a track: drop it, or fill it with zeros or by repeating it."""
    min_fill: Share = 0.5
    """Drop an incomplete clip below this share of a clip, unless it is the track's only one."""
    max_clips_per_track: Count | None = None
    codec: Literal["pcm16", "flac"] = "pcm16"
    """16-bit samples, or the same as FLAC: half the size, but 7 to 10 ms per 5 s to decode."""
    folds: Count = 5
    seed: Seed = 0
    shard_clips: Count = 128
    """Number of clips per shard, approximately: shards hold whole tracks."""

    @property
    def clip_samples(self) -> int:
        """Length of a clip in samples."""
        return round(self.clip_seconds * self.sample_rate)
