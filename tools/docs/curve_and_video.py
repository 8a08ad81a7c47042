"""Makes the pictures of docs/steering.md: a dream with a curve in beats, and frames of its video.

Usage: python tools/docs/curve_and_video.py FOLDER

FOLDER receives the composed song, the dream and its video; docs/images receives `curve.png` and
`video_frames.png`. An existing song and dream are used again.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tfdream import audio, config
from tfdream.figures.parts.overview import FrequencyScale, read_overview
from tfdream.figures.parts.sheet import BLUE, LEVEL_MAP, RANGE_DB, power_to_level_db
from tfdream.synthesis.rendering.timelines import Timelines

CURVE = "mix=0:0,4:1@beats@smooth@repeat"
SECONDS, SAVE_EVERY = 10, 20
TITLES = ("recording", "dream, its mix rises from 0 to 1 within each bar")
DOTS_PER_INCH, COLORS = 90, 48
FRAME_SHARES = (0.1, 0.4, 0.7, 0.95)
IMAGES = Path(__file__).parents[2] / "docs" / "images"


def main() -> None:
    """Make what does not exist yet, and draw both pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    song, dream, video = (folder / name for name in ("song.wav", "dream.flac", "dream.mp4"))
    if not song.exists():
        tfdream("corpus", folder / "corpus", "--tracks", 1, "--seed", 1)
        (composed,) = (folder / "corpus" / "techno").glob("*.flac")
        with audio.excerpt(composed, 0, SECONDS) as part:
            shutil.copyfile(part, song)
    if not dream.exists():
        options = ("--config", "dream/intense", "--curve", CURVE, "--save-every", SAVE_EVERY)
        tfdream("dream", song, dream, *options, "--video", video)
    write(draw_curve(song, dream), IMAGES / "curve.png")
    write(read_frames(video), IMAGES / "video_frames.png")


def tfdream(*arguments: object) -> None:
    """Call a command."""
    subprocess.run([sys.executable, "-m", "tfdream", *map(str, arguments)], check=True)


def draw_curve(song: Path, dream: Path) -> Image.Image:
    """Draw the spectrograms of both files above the curve, with a common time axis."""
    content = json.loads(dream.with_name(f"{dream.name}.json").read_text(encoding="utf-8"))
    recipe = config.validate(content["config"], config.DreamConfig, "sidecar")
    line = Timelines.of(recipe, song).continuous["mix"]
    scale = FrequencyScale()
    overviews = [read_overview(path, config.StftSpec(), scale) for path in (song, dream)]
    loudest = max(float(each.power.max()) for each in overviews)
    figure = Figure((10, 6), dpi=DOTS_PER_INCH, layout="constrained")
    *above, below = figure.subplots(3, sharex=True, height_ratios=(2, 2, 1))
    for axis, overview, title in zip(above, overviews, TITLES, strict=True):
        levels = power_to_level_db(overview.power, loudest)
        extent = (0, overview.seconds, 0, 1)
        axis.imshow(levels, LEVEL_MAP, aspect="auto", origin="lower", extent=extent, vmin=-RANGE_DB)
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_yticks([])
        axis.set_ylabel("log. frequency")
    seconds = np.linspace(0, overviews[0].seconds, 2000)
    below.plot(seconds, line(seconds), color=BLUE)
    below.set(ylabel="mix", xlabel="time / s", ylim=(-0.05, 1.05))
    below.set_title(f"--curve {CURVE}", loc="left", fontsize=10, family="monospace")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def read_frames(video: Path) -> Image.Image:
    """Return frames of a video in two columns, at a third of their size."""
    with av.open(str(video)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    chosen = [frames[int(share * len(frames))] for share in FRAME_SHARES]
    width, height = (size // 3 for size in chosen[0].size)
    sheet = Image.new("RGB", (2 * width, 2 * height))
    for number, frame in enumerate(chosen):
        place = (number % 2 * width, number // 2 * height)
        sheet.paste(frame.resize((width, height), Image.Resampling.LANCZOS), place)
    return sheet


def write(image: Image.Image, path: Path) -> None:
    """Write an image with few colors, which makes it small."""
    image.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
