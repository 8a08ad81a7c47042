"""Order of the channels of surround sound in wav files and in Ogg Vorbis, and their masks.

Samples have the order of wav files. Files of more than eight channels have no defined speakers.
"""

import numpy as np

from tfdream.audio.streams import Samples

_SPEAKERS = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")
"""Speakers in the order of wav files and of the bits of their channel mask."""
_VORBIS = {
    3: ("FL", "FC", "FR"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FC", "FR", "BL", "BR"),
    6: ("FL", "FC", "FR", "BL", "BR", "LFE"),
    7: ("FL", "FC", "FR", "SL", "SR", "BC", "LFE"),
    8: ("FL", "FC", "FR", "SL", "SR", "BL", "BR", "LFE"),
}
"""Speakers by number of channels in the order of Vorbis I, section 4.3.9."""


def vorbis_to_wav(samples: Samples) -> Samples:
    """Order the channels of decoded Vorbis `[samples, channels]` as in a wav file.

    >>> vorbis_to_wav(np.array([[1, 2, 3]]))
    array([[1, 3, 2]])
    """
    return _ordered(samples, _positions(samples.shape[1]))


def wav_to_vorbis(samples: Samples) -> Samples:
    """Order channels `[samples, channels]` for an encoder of Vorbis.

    >>> wav_to_vorbis(vorbis_to_wav(np.array([[1, 2, 3, 4, 5, 6]])))
    array([[1, 2, 3, 4, 5, 6]])
    """
    return _ordered(samples, np.argsort(_positions(samples.shape[1])).tolist())


def wav_mask(channels: int) -> int:
    """Return the channel mask of a wav file of more than two channels; 0 defines no speakers.

    >>> hex(wav_mask(6))
    '0x3f'
    """
    return sum(1 << _SPEAKERS.index(speaker) for speaker in _VORBIS.get(channels, ()))


def _ordered(samples: Samples, positions: list[int]) -> Samples:
    """Order channels, without a copy where they are in order, as those of stereo are."""
    return samples if positions == sorted(positions) else np.take(samples, positions, axis=1)


def _positions(channels: int) -> list[int]:
    """Return the position in Vorbis of each channel of a wav file."""
    speakers = _VORBIS.get(channels)
    if speakers is None:
        return list(range(channels))
    return sorted(range(channels), key=lambda channel: _SPEAKERS.index(speakers[channel]))
