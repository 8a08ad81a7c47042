"""Video of a result: its spectrogram with a moving cursor, and its audio."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.errors import AudioError, ConfigError
from tfdream.figures.spectrograms import plot_spectrograms
from tfdream.io.atomic import check_keeps_inputs, check_output_file, replacing

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_WIDTH, _HEIGHT = 1280, 720
_PIXELS_PER_INCH = 100
_FRAMES_PER_SECOND = 25
_CURSOR_PIXELS = 2
_WHITE, _COLORLESS = 235, 128
"""Luma of white, and chroma without color, in video range."""
_VIDEO_CODECS = {"libx264": {"preset": "ultrafast", "crf": "20"}, "mpeg4": {"qscale": "3"}}
"""Encoders in the order of preference; not every build of ffmpeg has x264."""
_AUDIO_BIT_RATE = 192_000
_FADE_SECONDS = 0.05


class _Figure(NamedTuple):
    """A spectrogram in the format of the video.

    Attributes:
      planes: YUV 4:2:0, uint8 `[height * 3 / 2, width]`.
      left, right, top, bottom: edges of the axes in pixels.
    """

    planes: NDArray[np.uint8]
    left: float
    right: float
    top: int
    bottom: int

    def with_cursor(self, share: float) -> NDArray[np.uint8]:
        """Return the planes with a vertical line at a share of the axis."""
        planes = self.planes.copy()
        x = round(self.left + share * (self.right - self.left))
        first = min(max(x - x % 2, 0), _WIDTH - _CURSOR_PIXELS)
        planes[self.top : self.bottom, first : first + _CURSOR_PIXELS] = _WHITE
        rows = slice(self.top // 2, self.bottom // 2)
        for start in (_HEIGHT, _HEIGHT + _HEIGHT // 4):  # both planes of the chroma
            chroma = planes[start : start + _HEIGHT // 4].reshape(_HEIGHT // 2, _WIDTH // 2)
            chroma[rows, first // 2 : (first + _CURSOR_PIXELS) // 2] = _COLORLESS
        return planes


def check_writable(output: str | Path, inputs: Iterable[str | Path | None] = ()) -> None:
    """Raise ConfigError if `output` is not named like a video, or cannot be written.

    Args:
      output: the video.
      inputs: files that the video must not replace, such as the video whose sound is changed; None
        is ignored.
    """
    output = Path(output)
    if output.suffix.lower() != ".mp4":
        raise ConfigError(f"video '{output.name}' does not end in .mp4; change its name")
    check_output_file(output, force=True, error=ConfigError)
    check_keeps_inputs(output, inputs, ConfigError, "video")


def write(output: str | Path, paths: Sequence[str | Path], titles: Sequence[str] = ()) -> None:
    """Write a video of audio files of the same length, which take turns.

    Each spectrogram is drawn once, and the cursor is drawn into copies of it. Of n files, the k-th
    is shown and played in the k-th of n equal parts of the time.

    Args:
      output: mp4 with H.264, or MPEG-4 where the installed ffmpeg lacks it, and AAC; an existing
        file is replaced.
      paths: one result, or the results of successive steps.
      titles: titles of the spectrograms; by default the names of the files.

    Raises:
      AudioError: if a file cannot be read, or the video cannot be encoded.
      ConfigError: if `output` cannot be written or is one of `paths`.
    """
    import av

    check_writable(output, paths)
    names = list(titles) or [Path(path).name for path in paths]
    figures = [_draw(path, name) for path, name in zip(paths, names, strict=True)]
    seconds = audio.seconds(paths[0])
    try:
        with (
            replacing(output) as temporary,
            av.open(str(temporary), "w", format="mp4") as container,
        ):
            _encode(container, figures, paths, seconds)
    except av.error.FFmpegError as error:
        raise AudioError(f"video '{output}' cannot be encoded: {error.strerror}") from None


def _draw(path: str | Path, title: str) -> _Figure:
    import av
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = plot_spectrograms([path], [title])
    figure.set_dpi(_PIXELS_PER_INCH)
    figure.set_size_inches(_WIDTH / _PIXELS_PER_INCH, _HEIGHT / _PIXELS_PER_INCH)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    rgb = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    box = figure.axes[0].get_window_extent()
    planes = np.asarray(frame.reformat(format="yuv420p").to_ndarray(), np.uint8)
    return _Figure(planes, box.x0, box.x1, round(_HEIGHT - box.y1), round(_HEIGHT - box.y0))


def _encode(
    container: "OutputContainer",
    figures: Sequence[_Figure],
    paths: Sequence[str | Path],
    seconds: float,
) -> None:
    """Encode figures and sound second by second, so that players can read them together."""
    import av

    with audio.Reader(paths[0]) as reader:
        source_rate, channels = reader.info.sample_rate, reader.info.channels
    rate = 44100 if source_rate % 11025 == 0 else 48000
    video = _add_video(container)
    sound = container.add_stream("aac", rate=rate, layout="mono" if channels == 1 else "stereo")
    sound.bit_rate = _AUDIO_BIT_RATE
    samples = audio.rechunk(audio.resample(_turns(paths, seconds), source_rate, rate), rate)
    position = 0
    frames = max(1, round(seconds * _FRAMES_PER_SECOND))
    for second in itertools.count():
        for number in range(second * _FRAMES_PER_SECOND, (second + 1) * _FRAMES_PER_SECOND):
            if number < frames:
                share = number / frames
                figure = figures[int(share * len(figures))]
                frame = av.VideoFrame.from_ndarray(figure.with_cursor(share), format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, _FRAMES_PER_SECOND)
                container.mux(video.encode(frame))
        block = next(samples, None)
        if block is not None:
            planar = np.ascontiguousarray(block.T, np.float32)
            layout = "mono" if channels == 1 else "stereo"
            sounding = av.AudioFrame.from_ndarray(planar, format="fltp", layout=layout)
            sounding.sample_rate, sounding.pts, sounding.time_base = (
                rate,
                position,
                Fraction(1, rate),
            )
            position += len(block)
            container.mux(sound.encode(sounding))
        if block is None and (second + 1) * _FRAMES_PER_SECOND >= frames:
            break
    for stream in (video, sound):
        container.mux(stream.encode(None))


def _add_video(container: "OutputContainer") -> "VideoStream":
    import av

    name = next((each for each in _VIDEO_CODECS if each in av.codecs_available), "mpeg4")
    stream: Any = container.add_stream(name, rate=_FRAMES_PER_SECOND, options=_VIDEO_CODECS[name])
    stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
    video: VideoStream = stream
    return video


def _turns(paths: Sequence[str | Path], seconds: float) -> Iterator[NDArray[Any]]:
    """Yield blocks of the files in turn, cross-faded, with one or two channels.

    Only the file whose turn it is is open: the end of its fade is stored for the next file.
    """
    rate = audio.info(paths[0]).sample_rate
    fade = max(1, round(_FADE_SECONDS * rate))
    starts = [round(number / len(paths) * seconds * rate) for number in range(len(paths))]
    lengths: list[int | None] = [*np.diff(starts).tolist(), None]
    fading: NDArray[Any] = np.zeros((0, 1), np.float32)
    for path, start, length in zip(paths, starts, lengths, strict=True):
        rest = []
        position = 0
        with audio.Reader(path) as reader:
            blocks = audio.trim(reader.blocks(), start, 0)
            for block in audio.head(blocks, None if length is None else length + fade):
                mixed = _played(block)
                before = fading[position : position + len(mixed)]
                weight = (position + np.arange(len(before), dtype=np.float32)[:, np.newaxis]) / fade
                faded = np.minimum(weight, 1)
                mixed[: len(before)] = before + faded * (mixed[: len(before)] - before)
                position += len(mixed)
                own = len(mixed) if length is None else max(0, length - position + len(mixed))
                if own < len(mixed):  # an empty slice would keep the whole block in memory
                    rest.append(mixed[own:])
                if own:
                    yield mixed[:own]
        fading = np.concatenate(rest) if rest else fading[:0]


def _played(block: NDArray[Any]) -> NDArray[Any]:
    """Return a block with at most two channels, within full scale."""
    stereo = block if block.shape[1] <= 2 else block.mean(axis=1, keepdims=True).repeat(2, axis=1)
    played: NDArray[Any] = np.clip(stereo, -1, 1)
    return played
