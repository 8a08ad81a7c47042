"""Intermediate results of a running job, as a sound and a spectrogram."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from tfdream import audio, config
from tfdream.figures.parts.overview import FrequencyScale, read_overview
from tfdream.figures.parts.sheet import LEVEL_MAP, power_to_level_db
from tfdream.studio.events import Event, Preview

_COLUMNS = 900
"""About the width of a picture, in pixels."""
_KEPT = 3
"""Previews that remain until the page has copied them."""


class Previews:
    """Writes every n-th intermediate result and removes older ones.

    Args:
      folder: folder of the files.
      every: number of steps from one preview to the next; 0 writes none.
      send: receives each preview.
    """

    def __init__(self, folder: Path, every: int, send: Callable[[Event], None]) -> None:
        self.folder = folder
        self.every = every
        self.send = send
        self._steps = 0
        self._written: list[Preview] = []

    def preview(
        self, step: int, seconds: float, sample_rate: int, render: Callable[[], NDArray[Any]], /
    ) -> None:
        """Write the intermediate result of a step if it is its turn: a `PreviewFn`."""
        self._steps += 1
        if not self.every or self._steps % self.every:
            return
        sound = self.folder / f"step-{step:06d}.wav"
        audio.write(sound, render(), sample_rate, 16)
        picture = sound.with_suffix(".png")
        draw(sound, picture)
        self._written.append(Preview(step, seconds, sound, picture))
        self.send(self._written[-1])
        for old in self._written[:-_KEPT]:
            old.sound.unlink(missing_ok=True)
            old.picture.unlink(missing_ok=True)
        del self._written[:-_KEPT]


def draw(sound: Path, picture: Path) -> None:
    """Draw the spectrogram of a sound, without axes; a whole figure takes a second.

    Args:
      sound: any audio file.
      picture: PNG file to write: time to the right, frequency upward on a logarithmic scale.
    """
    overview = read_overview(sound, config.StftSpec(), FrequencyScale())
    loudest = max(float(overview.power.max()), 1e-12)
    levels_db = power_to_level_db(overview.power, loudest)
    levels_db = np.repeat(levels_db, max(1, _COLUMNS // levels_db.shape[1]), axis=1)
    matplotlib.image.imsave(picture, levels_db, cmap=LEVEL_MAP, origin="lower")
