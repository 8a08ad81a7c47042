"""Settings of `prepare`: how tracks are cut into clips and written as a dataset."""

from collections import Counter
from typing import Literal

from pydantic import Field, model_validator

from tfdream.config.base import (
    ClipSeconds,
    Config,
    Count,
    NotNegative,
    SampleRate,
    Seed,
    Share,
)
from tfdream.errors import ConfigError


class PrepareConfig(Config):
    """Settings of `prepare`: clips, shards and folds.

    >>> PrepareConfig(sample_rate=8000, clip_seconds=2.5).clip_samples
    20000
    """

    sample_rate: SampleRate = 22050
    """Sample rate of the clips, in Hz."""
    clip_seconds: ClipSeconds = 5.0
    skip_start_seconds: NotNegative = 0.0
    """Duration that is dropped from the start of each track."""
    skip_end_seconds: NotNegative = 0.0
    """Duration that is dropped from the end of each track."""
    tail: Literal["drop", "zeros", "repeat"] = "drop"
    """The last, incomplete clip of a track: drop it, or fill it with zeros or by repeating it."""
    min_fill: Share = 0.5
    """Drop an incomplete clip below this share of a clip, unless it is the track's only one."""
    max_clips_per_track: Count | None = None
    """Largest number of clips of a track; with split=segments, of each segment."""
    codec: Literal["pcm16", "flac"] = "pcm16"
    """16-bit samples, or the same as FLAC: smaller, but about 10 ms per 5 s to decode."""
    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """New labels, and the labels of the source that each replaces; tracks of other labels are left
    out. Empty takes all labels as they are. See `parse_labels`."""
    split: Literal["tracks", "segments"] = "tracks"
    """Unit of a fold: whole tracks; or contiguous segments of every track, one per fold, for few
    long mixes."""
    gap_seconds: NotNegative = 5.0
    """For split=segments: at least this duration is left out between two segments."""
    folds: Count = 5
    seed: Seed = 0
    shard_clips: Count = 128
    """Number of clips per shard, approximately: shards hold whole tracks."""

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "PrepareConfig":
        replaced = Counter(name for names in self.labels.values() for name in names)
        repeated = [name for name, count in replaced.items() if count > 1]
        if repeated:
            raise ValueError(
                f"label '{repeated[0]}' is given twice; it can belong to one new label only"
            )
        if not all(self.labels) or not all(map(all, self.labels.values())):
            raise ValueError(f"labels={self.labels} has an empty label; remove it")
        if not all(self.labels.values()):
            raise ValueError(f"labels={self.labels} has a label that replaces none; remove it")
        return self

    @property
    def clip_samples(self) -> int:
        """Length of a clip in samples."""
        return round(self.clip_seconds * self.sample_rate)


def parse_labels(text: str) -> dict[str, tuple[str, ...]]:
    """Read the setting `labels` from text: names with commas between them; ``NEW=A+B`` merges two.

    Raises:
      ConfigError: if a name is empty or a new label is given twice.

    >>> parse_labels("Rock,Hip-Hop=Hip-Hop+Pop")
    {'Rock': ('Rock',), 'Hip-Hop': ('Hip-Hop', 'Pop')}
    """
    labels: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        new, equals, replaced = part.partition("=")
        name = new.strip()
        names = tuple(each.strip() for each in replaced.split("+")) if equals else (name,)
        if not (name and all(names)):
            raise ConfigError(f"labels='{text}' has an empty label; give names, as in a,b=c+d")
        if name in labels:
            raise ConfigError(f"labels='{text}': '{name}' is given twice; remove one")
        labels[name] = names
    return labels
