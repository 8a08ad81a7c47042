"""How far the textures of recordings are from those of a style, in the ears of a random network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfdream import audio, config
from tfdream.config import FeatureNetworkConfig, TransferConfig
from tfdream.errors import AudioError
from tfdream.evaluation.measures import loudness
from tfdream.evaluation.measures.levels import db_to_power, power_to_db
from tfdream.synthesis.ascent.gram import GramMatrix
from tfdream.synthesis.audio_model import FeatureNetwork
from tfdream.synthesis.transfer import GramExtractor

RECIPE = "transfer/recommended"

# Of the weights: far from those that people try, which are counted from 0.
_SEED = 90210
# A quarter of the recipe's, because everything is heard at four levels.
_FILTERS = 1024
# What broadcasters bring programmes to (EBU R 128), and where around it the nearest is sought.
_LEVEL_LUFS = -23.0
_TRIED_LU = (-3.0, 0.0, 3.0)
_MOST_LU = 6.0


class StyleDistance:
    """The distance of original and result from a style: an opinion for `modification.compare`.

    It is that of the Gram matrices of the style layers of `transfer/recommended`, ‖G − S‖² over
    ‖S‖² of the style, each over a whole recording's mid signal: 0 is the same texture. The network
    has random weights of another seed than the recipe's, so that the judge is not what a transfer
    was optimized for.

    Volume does not count: the style is heard at −23 LUFS, a recording at the level at which it is
    nearest, within 6 LU around that. Otherwise the distance would tell the volume first of all: a
    style turned down by 6 dB is as far from itself (0.25) as another piece of music, and 1 LU more
    or less still hides what a good transfer reached. How the loudness changed is a measure of its
    own.

    On the *music* of docs/results.md, two excerpts of 10 s of one recording are 0.05 apart in the
    median, and at most 0.19; those of two recordings 0.31, and at least 0.18 (30 pairs each).

    Args:
      style: any audio file, of any rate, length and number of channels.
      seed: of the judge's weights.

    Raises:
      AudioError: if it cannot be read, is shorter than 0.4 s or softer than −70 LUFS.
    """

    def __init__(self, style: Path, seed: int = _SEED) -> None:
        self.style = style
        options = (f"network.options.seed={seed}", f"network.options.filters={_FILTERS}")
        self.config = config.load(RECIPE, TransferConfig, options)
        assert isinstance(self.config.network, FeatureNetworkConfig)
        self.listener = FeatureNetwork.build(self.config.network)
        self._read = GramExtractor(self.listener, self.config)
        found = _lufs(style)
        if found is None:
            raise AudioError(
                f"'{style}' has no loudness: it is shorter than 0.4 s or softer than -70 LUFS; "
                "give another --style"
            )
        self.textures = self._textures(style, _LEVEL_LUFS - found)

    def __call__(self, original: Path, result: Path) -> dict[str, Any]:
        """Judge both.

        Returns:
          style_distance_before, style_distance_after: None for a file without a loudness; notes.
        """
        return {
            "style_distance_before": self.to(original),
            "style_distance_after": self.to(result),
            "notes": list(self._notes(original, result)),
        }

    def to(self, path: Path) -> float | None:
        """The distance of one recording; None if it has no loudness."""
        found = _lufs(path)
        if found is None:
            return None
        tried = [self._at(path, _LEVEL_LUFS - found + louder) for louder in _TRIED_LU]
        # Were the features linear, the distance would be a parabola over the power: its lowest
        # point is near the nearest level, and what is returned is a distance that was heard.
        powers = [db_to_power(louder) for louder in _TRIED_LU]
        curve = np.polyfit(powers, tried, 2)
        if curve[0] > 0:
            least, most = db_to_power(-_MOST_LU), db_to_power(_MOST_LU)
            lowest = np.clip(-curve[1] / (2 * curve[0]), least, most)
            tried.append(self._at(path, _LEVEL_LUFS - found + float(power_to_db(lowest))))
        return min(tried)

    def _at(self, path: Path, gain_db: float) -> float:
        """The distance of a recording that is heard louder than it is."""
        found = self._textures(path, gain_db)
        distance = energy = 0.0
        for layer, weight in self.config.style_layers.items():
            distance += weight * float(self.textures[layer].distance_to(found[layer]))
            energy += weight * float(self.textures[layer].square)
        return distance / energy

    def _textures(self, path: Path, gain_db: float) -> dict[str, GramMatrix]:
        return self._read(path, db_to_power(gain_db) ** 0.5)

    def _notes(self, original: Path, result: Path) -> Iterator[str]:
        heard_seconds = self.listener.clip_samples / self.listener.sample_rate
        for name, path in (("original", original), ("result", result), ("style", self.style)):
            info = audio.info(path)
            if info.samples < heard_seconds * info.sample_rate:
                yield (
                    f"the {name} ({info.samples / info.sample_rate:.2f} s) is repeated to "
                    f"{heard_seconds:g} s for style_distance"
                )


def _lufs(path: Path) -> float | None:
    """Of the mid signal, which is what the judge hears."""
    with audio.Reader(path) as reader:
        mid = (block[:, np.newaxis] for block in reader.mid(loudness.SAMPLE_RATE))
        return next(iter(loudness.integrated_lufs(mid)), None)
