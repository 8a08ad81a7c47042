"""The interface of decoders: header, blocks of samples, and damage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tfdream.audio.streams import Samples

BLOCK_SAMPLES = 65536
"""Samples per channel in a block."""
MAX_COMMENT_BYTES = 1 << 15
"""Longest comment in tags. libsndfile silently leaves out those that exceed its header of a wav."""


class AudioInfo(NamedTuple):
    """The header of an audio file.

    Attributes:
      sample_rate: in Hz.
      channels: number of channels.
      samples: length that the header declares, or None if only decoding shows it: lossy formats
        such as mp3 and AAC, and streams that were written without a length. A damaged file may be
        shorter; `audio.count_samples` decodes the file.
      estimated_samples: `samples`, or else an estimate from the size of the file, for progress and
        the like; 0 if there is none.
    """

    sample_rate: int
    channels: int
    samples: int | None
    estimated_samples: int


@dataclass(frozen=True)
class Damage:
    """Difference between what a file declares and what was decoded, known after its last block.

    Attributes:
      expected_samples: declared length, or None if the file declares none. Placeholders of streams,
        such as 0xFFFFFFFF, count as none; the length of a lossy file includes its padding.
      decoded_samples: decoded length.
      errors: damaged packets that were skipped. A place where two files were joined may be one.
      truncated: the file ends before its declared length, or without the mark of its end.

    >>> bool(Damage(expected_samples=100, decoded_samples=100))
    False
    """

    expected_samples: int | None = None
    decoded_samples: int = 0
    errors: int = 0
    truncated: bool = False

    def __bool__(self) -> bool:
        """Return whether the file is truncated, or has packets that were skipped."""
        return self.truncated or self.errors > 0


class Decoder(Protocol):
    """An open audio file."""

    @property
    def info(self) -> AudioInfo:
        """The header."""

    @property
    def damage(self) -> Damage | None:
        """Damage of the file; None before the end of the last block."""

    def blocks(self) -> Iterator[Samples]:
        """Yield float32 `[samples, channels]`, `BLOCK_SAMPLES` long, from the start of the file."""

    def close(self) -> None:
        """Close the file."""
