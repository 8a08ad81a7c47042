"""Audio files and sample streams: float32 `[samples, channels]`, whole or in blocks.

Every common format can be read (wav, flac, ogg, mp3, m4a, opus, wma and more), at any sample rate
and number of channels, up to the last sample that decodes. Processing in blocks keeps memory
constant for files of any length.
"""

from tfdream.audio.comments import read_comment
from tfdream.audio.decoders.base import BLOCK_SAMPLES, MAX_COMMENT_BYTES, AudioInfo, Damage
from tfdream.audio.excerpts import Part, clip, excerpt, part_of
from tfdream.audio.files import Reader, count_samples, info, read, seconds
from tfdream.audio.filters import apply_filters, filter_reach
from tfdream.audio.find import files_below
from tfdream.audio.formats import EXTENSIONS, check_supported, check_writable, is_writable
from tfdream.audio.level import Level, k_weighting, measure_level
from tfdream.audio.render import Gain, write, write_blocks, write_floats, write_scaled
from tfdream.audio.streams import (
    CEILING,
    Counted,
    Samples,
    frames,
    head,
    limit,
    mid,
    padded,
    rechunk,
    resample,
    trim,
)
from tfdream.audio.writer import Writer, Written

__all__ = [
    "BLOCK_SAMPLES",
    "CEILING",
    "EXTENSIONS",
    "MAX_COMMENT_BYTES",
    "AudioInfo",
    "Counted",
    "Damage",
    "Gain",
    "Level",
    "Part",
    "Reader",
    "Samples",
    "Writer",
    "Written",
    "apply_filters",
    "check_supported",
    "check_writable",
    "clip",
    "count_samples",
    "excerpt",
    "files_below",
    "filter_reach",
    "frames",
    "head",
    "info",
    "is_writable",
    "k_weighting",
    "limit",
    "measure_level",
    "mid",
    "padded",
    "part_of",
    "read",
    "read_comment",
    "rechunk",
    "resample",
    "seconds",
    "trim",
    "write",
    "write_blocks",
    "write_floats",
    "write_scaled",
]
