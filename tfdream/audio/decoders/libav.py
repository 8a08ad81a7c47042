"""libav (PyAV): mp3, AAC and every other format of ffmpeg, and FLAC, which decodes to equal bits.

The decoder runs until the file ends, whatever length its header declares. Encoder delay and padding
are removed as ffmpeg does. If the sample rate or the channels change midway, the rest is converted
to those of the start.
"""

import errno
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np

from tfdream.audio.decoders import ogg
from tfdream.audio.decoders.base import BLOCK_SAMPLES, MAX_COMMENT_BYTES, AudioInfo, Damage
from tfdream.audio.decoders.errors import audio_errors
from tfdream.audio.streams import Samples, rechunk
from tfdream.errors import AudioError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_FORMATS = (
    "aac,ac3,aea,aiff,amr,amrnb,amrwb,ape,asf,asf_o,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,"
    "loas,matroska,webm,mlp,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,oga,ogg,oma,rm,tak,"
    "truehd,tta,voc,w64,wav,wv"
)
"""Containers of audio. Playlists and others that refer to more files or addresses are left out."""
_LOSSLESS = ("alac", "ape", "flac", "pcm", "tak", "tta", "wavpack")
_LENGTH_OF_SAMPLES = ("ape", "flac", "mov", "ogg", "tak", "tta", "wav", "w64", "wv", "aiff")
"""Containers that declare their length in samples, if their codec is lossless."""
_LENGTH_IN_HEADER = (*_LENGTH_OF_SAMPLES, "asf", "matroska")
"""Containers that declare a length; that of the others is an estimate from the size of the file."""
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
"""NumPy types of libav's sample formats."""
_PADDING_SAMPLES = 4608
_PADDING_SECONDS = 0.1
"""Lossy files may be shorter than their header states by a few packets and a rounded duration."""
_TAG_BYTES = 4096
"""The first frame of an mp3 starts, and ends, within as many bytes after the tags."""
# A frame header, side information, and the number of frames, if its flag is set.
_XING = re.compile(
    rb"\xff(?P<version>[\xe0-\xff])..{9,34}?(?:Xing|Info)\x00\x00\x00[\x01\x03\x05\x07\x09\x0b\x0d\x0f]"
    rb"(?P<frames>.{4})",
    re.DOTALL,
)


class LibavDecoder:
    """An audio file that is open in libav; of several audio streams, the first one.

    Raises:
      AudioError: if libav does not recognize the format, the file has no audio stream, or none of
        its packets can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damage: Damage | None = None
        with audio_errors(path), self._open() as container:
            stream = _first_stream(container, path)
            packets = _Packets(container, stream)
            first = next(packets.frames(), None)
            if first is None:
                raise AudioError(f"'{path}' {packets.reason()}")
            self._first = _Parameters.of(first)
            self._declared = _declared_samples(container, stream, path, first.sample_rate)
            samples = self._declared if _is_exact(container, stream, first.sample_rate) else None
            self._is_exact = samples is not None
            estimate = samples or _duration_samples(container, stream, first.sample_rate) or 0
        self.info = AudioInfo(self._first.sample_rate, self._first.channels, samples, estimate)

    def blocks(self) -> Iterator[Samples]:
        """Yield the samples from the start of the file; see `Decoder`."""
        self.damage = None
        decoded = 0
        with audio_errors(self._path), self._open() as container:
            packets = _Packets(container, _first_stream(container, self._path))
            for block in rechunk(self._arrays(packets.frames()), BLOCK_SAMPLES):
                decoded += len(block)
                yield block
            is_ogg = container.format.name == "ogg"
        truncated = packets.ended_early or (is_ogg and not ogg.has_end(self._path))
        if self._declared is not None:
            padding = _PADDING_SAMPLES + round(_PADDING_SECONDS * self.info.sample_rate)
            truncated |= decoded < self._declared - (0 if self._is_exact else padding)
        self.damage = Damage(self._declared, decoded, packets.errors, truncated)

    def close(self) -> None:
        """Close the file; `blocks` opens it again by itself."""

    def _open(self) -> "InputContainer":
        return _open(self._path)

    def _arrays(self, frames: "Iterator[AudioFrame]") -> Iterator[Samples]:
        """Convert frames to float32 `[samples, channels]` with the parameters of the first one."""
        resampler: av.AudioResampler | None = None
        current = self._first
        for frame in frames:
            parameters = _Parameters.of(frame)
            if parameters != current:
                if resampler:
                    yield from map(_to_float, resampler.resample(None))
                current = parameters
                resampler = None if current == self._first else self._first.resampler()
            if resampler is None:
                yield _to_float(frame)
            else:
                frame.pts = None
                yield from map(_to_float, resampler.resample(frame))
        if resampler:
            yield from map(_to_float, resampler.resample(None))


def read_comment(path: Path) -> str | None:
    """Return the comment in the tags of a file, or None if it has none.

    Raises:
      AudioError: if libav does not recognize the format, or the comment is longer than
        `MAX_COMMENT_BYTES`.
    """
    with audio_errors(path), _open(path) as container:
        # Those of an Ogg file belong to its stream.
        tags = {**container.metadata, **_first_stream(container, path).metadata}
    comment = next((text for name, text in tags.items() if name.lower() == "comment"), None)
    if comment is not None and len(comment.encode(errors="replace")) > MAX_COMMENT_BYTES:
        raise AudioError(f"'{path}' has a comment of more than {MAX_COMMENT_BYTES} bytes")
    return comment


def _open(path: Path) -> "InputContainer":
    # With "file:", no part of the name selects another protocol.
    return av.open(
        f"file:{path}",
        metadata_errors="replace",
        options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
    )


class _Parameters(NamedTuple):
    """Sample rate and channels of a frame."""

    sample_rate: int
    channels: int
    layout: str

    @classmethod
    def of(cls, frame: "AudioFrame") -> "_Parameters":
        return cls(frame.sample_rate, frame.layout.nb_channels, frame.layout.name)

    def resampler(self) -> av.AudioResampler:
        return av.AudioResampler("flt", self.layout, self.sample_rate)


class _Packets:
    """Decodes the packets of a stream, and counts those that cannot be decoded."""

    def __init__(self, container: "InputContainer", stream: "AudioStream") -> None:
        self._container = container
        self._stream = stream
        self._reason = ""
        self.errors = 0
        self.ended_early = False
        # One thread is enough, and errors belong to the packet that they were raised for.
        stream.codec_context.thread_count = 1

    def frames(self) -> "Iterator[AudioFrame]":
        """Yield the frames of all packets, and those that the decoder holds back at the end."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.InvalidDataError as error:
                self._count(error)
                self.ended_early = True
                packet = None
            try:
                # The last packet of `demux` is empty: it flushes the decoder.
                for frame in self._stream.codec_context.decode(packet):
                    if frame.samples:
                        yield frame
            except av.error.EOFError:
                pass
            except (av.error.FFmpegError, ValueError) as error:
                if getattr(error, "errno", 0) in (errno.EIO, errno.ENOMEM):
                    raise
                self._count(error)
            if packet is None or not packet.size:
                return

    def reason(self) -> str:
        """Return why there is no frame."""
        if self._reason:
            return f"cannot be decoded: {self._reason}"
        return "is empty (0 samples); remove the file"

    def _count(self, error: Exception) -> None:
        self.errors += 1
        self._reason = (
            "damaged data" if isinstance(error, av.error.InvalidDataError) else str(error)
        )


def _first_stream(container: "InputContainer", path: Path) -> "AudioStream":
    if not container.streams.audio:
        raise AudioError(f"'{path}' has no audio stream")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise AudioError(f"'{path}' cannot be decoded: its codec is not supported")
    return stream


def _to_float(frame: "AudioFrame") -> Samples:
    """Convert a frame to float32 `[samples, channels]`, integers to [−1, 1)."""
    kind = np.dtype(_TYPES[frame.format.name.removesuffix("p")])
    count, channels = frame.samples, frame.layout.nb_channels
    result = np.empty((count, channels), np.float32)
    if frame.format.is_planar:
        # Of eight channels, PyAV returns a ninth plane.
        for channel, plane in enumerate(frame.planes[:channels]):
            result[:, channel] = np.frombuffer(memoryview(plane), kind, count)
    else:
        samples = np.frombuffer(memoryview(frame.planes[0]), kind, count * channels)
        result[:] = samples.reshape(count, channels)
    if kind.kind == "u":
        result -= 128
    if kind.kind != "f":
        result /= np.float32(2.0 ** (8 * kind.itemsize - 1))
    return result


def _declared_samples(
    container: "InputContainer", stream: "AudioStream", path: Path, sample_rate: int
) -> int | None:
    """Return the length that the header declares, or None if libav's one is an estimate."""
    name = container.format.name
    if name == "mp3":  # for joined files, libav estimates the duration
        return _mp3_samples(path)
    if not name.startswith(_LENGTH_IN_HEADER):
        return None
    return _duration_samples(container, stream, sample_rate)


def _duration_samples(
    container: "InputContainer", stream: "AudioStream", sample_rate: int
) -> int | None:
    """Return libav's duration of a stream, which may be an estimate, in samples."""
    if stream.duration and stream.time_base:
        return max(0, round(stream.duration * stream.time_base * sample_rate))
    if container.duration and len(container.streams) == 1:  # with a video, it may be the video's
        return max(0, round(container.duration / av.time_base * sample_rate))
    return None


def _is_exact(container: "InputContainer", stream: "AudioStream", sample_rate: int) -> bool:
    """Return whether the declared length is in samples, and not rounded or padded."""
    return (
        container.format.name.startswith(_LENGTH_OF_SAMPLES)
        and stream.codec_context.name.startswith(_LOSSLESS)
        and stream.time_base is not None
        and stream.time_base * sample_rate == 1
        and bool(stream.duration)
    )


def _mp3_samples(path: Path) -> int | None:
    """Return the length in the Xing or Info header of an mp3, or None if it has none."""
    with path.open("rb") as file:
        tag = file.read(10)
        start = 0
        if tag.startswith(b"ID3") and len(tag) == 10:
            start = 10 + sum(
                byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)
            )
        file.seek(start)
        head = file.read(_TAG_BYTES)
    match = _XING.search(head)
    if match is None:
        return None
    is_mpeg_1 = match["version"][0] & 0x08
    return int.from_bytes(match["frames"], "big") * (1152 if is_mpeg_1 else 576)
