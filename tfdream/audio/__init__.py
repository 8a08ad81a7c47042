"""Audio files to samples and back: float32 `[samples, channels]`, whole or in blocks.

Everything libsndfile reads is read: wav, flac, ogg, mp3, aiff and more, at any sample rate and any
number of channels. Blocks keep memory constant however long the file is.
"""

from tfdream.audio.files import (
    BLOCK_SAMPLES,
    EXTENSIONS,
    AudioInfo,
    Gain,
    Loudness,
    Reader,
    Writer,
    Written,
    check_writable,
    clip,
    excerpt,
    info,
    is_writable,
    loudness,
    read,
    write,
    write_blocks,
    write_floats,
)
from tfdream.audio.streams import CEILING, head, limit, mid, rechunk, resample, trim

__all__ = [
    "BLOCK_SAMPLES",
    "CEILING",
    "EXTENSIONS",
    "AudioInfo",
    "Gain",
    "Loudness",
    "Reader",
    "Writer",
    "Written",
    "check_writable",
    "clip",
    "excerpt",
    "head",
    "info",
    "is_writable",
    "limit",
    "loudness",
    "mid",
    "read",
    "rechunk",
    "resample",
    "trim",
    "write",
    "write_blocks",
    "write_floats",
]
