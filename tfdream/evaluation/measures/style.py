"""Distance of a file's Gram matrices from those of a style, in a network with random weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfdream import audio, config
from tfdream.config import FeatureNetworkConfig, TransferConfig
from tfdream.errors import AudioError
from tfdream.evaluation.measures import loudness
from tfdream.evaluation.measures.bands import uncovered_band
from tfdream.evaluation.measures.levels import db_to_power, power_to_db
from tfdream.synthesis.ascent.gram import GramExtractor, GramMatrix
from tfdream.synthesis.audio_model import FeatureNetwork

RECIPE = "transfer/texture"

# Seed of the weights: far from the seeds of transfers, which are usually small.
_SEED = 90210
# A quarter of the recipe's filters, because each file is analyzed at four levels.
_FILTERS = 1024
# Programme loudness in broadcasting (EBU R 128), and the search range around it.
_LEVEL_LUFS = -23.0
_SAMPLED_LU = (-3.0, 0.0, 3.0)
_MAX_LU = 6.0


class StyleDistance:
    """Measures the distance of original and result from a style: an `ExtraMeasure` for `compare`.

    The distance is that of the Gram matrices of the style layers of `transfer/texture`,
    ‖G − S‖² over ‖S‖² of the style, each over the mid signal of a whole file; 0 means equal
    matrices. The network has random weights of another seed than the recipe's, so that it is not
    the network that a transfer was optimized for.

    The distance does not depend on the volume: the style is analyzed at −23 LUFS, a file at the
    level of the smallest distance, within 6 LU around that. Otherwise the volume would dominate: a
    style attenuated by 6 dB is as far from itself (0.25) as another piece of music, and 1 LU still
    hides the effect of a good transfer. The change of the loudness is a separate measure.

    On the *music* of docs/results.md, two excerpts of 10 s of one recording are 0.05 apart in the
    median, and at most 0.19; those of two recordings 0.31, and at least 0.18 (30 pairs each).

    Args:
      style: any audio file, of any sample rate, length and number of channels.
      seed: seed of the network's weights.

    Raises:
      AudioError: if it cannot be read, is shorter than 0.4 s or softer than −70 LUFS.
    """

    def __init__(self, style: str | Path, seed: int = _SEED) -> None:
        self.style = Path(style)
        options = (f"network.options.seed={seed}", f"network.options.filters={_FILTERS}")
        whole_file = "network.frontend.level_dbfs=null"  # levels of files are searched, not set
        self.config = config.load(RECIPE, TransferConfig, (*options, whole_file))
        assert isinstance(self.config.network, FeatureNetworkConfig)
        self.network = FeatureNetwork.build(self.config.network)
        self._extract = GramExtractor(self.network, self.config)
        self.grams = self._grams(self.style, _LEVEL_LUFS - loudness_of_style(style))

    def __call__(self, original: Path, result: Path) -> dict[str, Any]:
        """Measure the distance of both files.

        Returns:
          style_distance_before, style_distance_after: None for a file without a loudness;
          style_distance_highest_hz and style_distance_uncovered_db, if a file has a band above that
          of the network, see `bands.uncovered_band`; notes.
        """
        files = {"before": original, "after": result, "style": self.style}
        uncovered = uncovered_band("style_distance", self.network.sample_rate, files)
        return {
            "style_distance_before": self.distance_of(original),
            "style_distance_after": self.distance_of(result),
            **uncovered,
            "notes": [*self._notes(original, result), *uncovered.get("notes", [])],
        }

    def distance_of(self, path: str | Path) -> float | None:
        """Return the distance of one file; None if it has no loudness."""
        path = Path(path)
        lufs = _lufs(path)
        if lufs is None:
            return None
        distances = [self._at(path, _LEVEL_LUFS - lufs + louder) for louder in _SAMPLED_LU]
        # For linear features, the distance would be a parabola over the power. Its minimum is near
        # the best level; the distance at that level is measured, not interpolated.
        powers = [db_to_power(louder) for louder in _SAMPLED_LU]
        curve = np.polyfit(powers, distances, 2)
        if curve[0] > 0:
            low, high = db_to_power(-_MAX_LU), db_to_power(_MAX_LU)
            minimum = np.clip(-curve[1] / (2 * curve[0]), low, high)
            gain_db = _LEVEL_LUFS - lufs + float(power_to_db(minimum))
            distances.append(self._at(path, gain_db))
        return min(distances)

    def _at(self, path: Path, gain_db: float) -> float:
        """Return the distance of a file amplified by a gain."""
        grams = self._grams(path, gain_db)
        distance = energy = 0.0
        for layer, weight in self.config.style_layers.items():
            distance += weight * float(self.grams[layer].distance_to(grams[layer]))
            energy += weight * float(self.grams[layer].square)
        return distance / energy

    def _grams(self, path: Path, gain_db: float) -> dict[str, GramMatrix]:
        return self._extract(path, db_to_power(gain_db) ** 0.5)

    def _notes(self, original: Path, result: Path) -> Iterator[str]:
        clip_seconds = self.network.input_samples / self.network.sample_rate
        for name, path in (("original", original), ("result", result), ("style", self.style)):
            seconds = audio.seconds(path)
            if seconds < clip_seconds:
                yield (
                    f"the {name} ({seconds:.2f} s) is repeated to "
                    f"{clip_seconds:g} s for style_distance"
                )


def loudness_of_style(style: str | Path) -> float:
    """Return the loudness of the mid signal of a style in LUFS.

    Raises:
      AudioError: if it cannot be read, is shorter than 0.4 s or softer than −70 LUFS.
    """
    lufs = _lufs(Path(style))
    if lufs is None:
        raise AudioError(
            f"'{style}' has no loudness: it is shorter than 0.4 s or below -70 LUFS; use another "
            "style"
        )
    return lufs


def _lufs(path: Path) -> float | None:
    """Return the loudness of the mid signal, which is what the network analyzes."""
    with audio.Reader(path) as reader:
        mid = (block[:, np.newaxis] for block in reader.mid(loudness.SAMPLE_RATE))
        return next(iter(loudness.integrated_lufs(mid)), None)
