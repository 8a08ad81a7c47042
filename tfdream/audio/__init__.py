"""Audio files and sample streams: float32 `[samples, channels]`, whole or in blocks.

Every format of libsndfile can be read (wav, flac, ogg, mp3, aiff and more), at any sample rate and
number of channels. Processing in blocks keeps memory constant for files of any length.
"""

from tfdream.audio.excerpts import clip, excerpt
from tfdream.audio.files import BLOCK_SAMPLES, AudioInfo, Reader, Writer, Written, info, read
from tfdream.audio.find import files_below
from tfdream.audio.formats import EXTENSIONS, check_writable, is_writable
from tfdream.audio.render import Gain, Loudness, loudness, write, write_blocks, write_floats
from tfdream.audio.streams import CEILING, Samples, head, limit, mid, rechunk, resample, trim

__all__ = [
    "BLOCK_SAMPLES",
    "CEILING",
    "EXTENSIONS",
    "AudioInfo",
    "Gain",
    "Loudness",
    "Reader",
    "Samples",
    "Writer",
    "Written",
    "check_writable",
    "clip",
    "excerpt",
    "files_below",
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
