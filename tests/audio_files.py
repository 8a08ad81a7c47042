"""Encoded audio files for tests, written with libav."""

from fractions import Fraction

import av
import numpy as np


def encode(path, samples, rate, codec, container=None, sample_format=None, **options):
    """Write float `[samples, channels]` with a codec of libav; the extension selects the format."""
    channels = samples.shape[1]
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[channels]
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 128_000
        if sample_format:
            stream.codec_context.format = sample_format
        interleaved = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, "flt", layout)
        frame.sample_rate, frame.pts = rate, 0
        frame.time_base = Fraction(1, rate)
        fifo = av.AudioFifo()
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
        for converted in resampler.resample(frame):
            fifo.write(converted)
        size = stream.codec_context.frame_size or 1024
        while (part := fifo.read(size)) or (part := fifo.read(0, partial=True)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def decoded(path):
    """Decode the first audio stream of a file frame by frame, with libav alone."""
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
    return np.concatenate(frames, axis=1).T


def without_xing(content):
    """Remove the length from the header of an mp3; the frame that had it decodes to silence."""
    for name in (b"Xing", b"Info"):
        content = content.replace(name, b"\0\0\0\0", 1)
    return content


def with_frames(content, frames):
    """Set the number of frames in the header of an mp3."""
    start = max(content.find(b"Xing"), content.find(b"Info")) + 8
    return content[:start] + frames.to_bytes(4, "big") + content[start + 4 :]
