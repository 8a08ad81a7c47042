"""The pairs: two splits with disjoint instruments, from the composer and from a soundfont."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from tfdream.audio import Samples
from transfer_pairs import instruments
from transfer_pairs.scores import KINDS, Kind, Score, corpus_scores, excerpt, generate
from transfer_pairs.soundfont import DEFAULT_SOUNDFONT, render

Split = Literal["tuning", "held-out"]
SPLITS: tuple[Split, ...] = ("tuning", "held-out")
PAIRS: dict[Kind, int] = {"melodic": 20, "polyphonic": 20, "drums": 12}
"""Number of pairs of each kind, source and split: 208 pairs altogether."""

_SEEDS: dict[Split, int] = {"tuning": 100, "held-out": 200}
_FAMILIES: dict[Split, tuple[instruments.Family, ...]] = {
    "tuning": instruments.TUNING_FAMILIES,
    "held-out": instruments.HELD_OUT_FAMILIES,
}
# Families of eight General MIDI programs: chromatic percussion, guitars, reeds, pads, ethnic.
_HELD_OUT_PROGRAM_FAMILIES = (1, 3, 8, 11, 13)
_PITCHED_PROGRAMS = 112  # the others are percussion and sound effects
_ORCHESTRA_HIT = 55
KITS: dict[Split, tuple[int, ...]] = {"tuning": (0, 8, 16, 24), "held-out": (25, 32, 40, 48)}
"""Programs of the drum kits of each split."""
_RMS = 0.1
_SILENT_PEAK = 1e-3


@dataclass(frozen=True)
class Pair:
    """Recordings float32 `[samples]` of equal length at `SAMPLE_RATE`, each at −20 dBFS RMS."""

    name: str
    kind: Kind
    content: Samples
    style: Samples
    target: Samples


def normalize(wave: Samples) -> Samples:
    """Scale a recording to −20 dBFS RMS."""
    rms = float(np.sqrt(np.mean(wave**2)))
    return (wave * (_RMS / max(rms, 1e-6))).astype(np.float32)


@dataclass(frozen=True)
class PairSet:
    """The pairs of a split, rendered when they are read, and cached.

    Attributes:
      split: "tuning" or "held-out".
      cache: folder for rendered pairs; None renders them at every call.
      soundfont: path of an SF2 file with the General MIDI programs.
    """

    split: Split
    cache: Path | None = None
    soundfont: Path = DEFAULT_SOUNDFONT

    @property
    def names(self) -> list[str]:
        """Names of all pairs of the split, such as "composer-drums-00", sorted."""
        return sorted(
            f"{source}-{kind}-{index:02d}"
            for source in ("composer", "soundfont")
            for kind in KINDS
            for index in range(PAIRS[kind])
        )

    def read(self, name: str) -> Pair:
        """Return a pair from the cache, or render it."""
        source, kind_name, index = name.split("-")
        kind = next(kind for kind in KINDS if kind == kind_name)
        path = self.cache and self.cache / self.split / f"{name}.npy"
        if path and path.is_file():
            waves = np.load(path)
        else:
            recordings = self._compose if source == "composer" else self._sample
            waves = np.stack([normalize(wave) for wave in recordings(kind, int(index))])
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, waves)
        if np.abs(waves).max(axis=1).min() < _SILENT_PEAK:
            raise ValueError(f"{self.split}/{name} has a silent recording; see its instruments")
        return Pair(name, kind, *waves)

    def _compose(self, kind: Kind, index: int) -> Iterator[Samples]:
        rng = np.random.default_rng([_SEEDS[self.split], KINDS.index(kind), index])
        first_score, second_score = generate(kind, rng), generate(kind, rng)
        if kind == "drums":
            families = (instruments.drum_kit, instruments.drum_kit)
        else:
            first, second = rng.choice(len(_FAMILIES[self.split]), 2, replace=False)
            families = (_FAMILIES[self.split][first], _FAMILIES[self.split][second])
        first_instrument, second_instrument = (
            instruments.instrument(family, rng) for family in families
        )
        yield first_instrument(first_score, rng)
        yield second_instrument(second_score, rng)
        yield second_instrument(first_score, rng)

    def _sample(self, kind: Kind, index: int) -> Iterator[Samples]:
        scores, programs = _soundfont_pairs(self.split, kind)[index]
        for score, program in ((0, 0), (1, 1), (0, 1)):
            yield render(scores[score], programs[program], kind == "drums", self.soundfont)


@cache
def _soundfont_pairs(split: Split, kind: Kind) -> list[tuple[tuple[Score, Score], tuple[int, int]]]:
    """Return the scores and the programs of content and style of each pair."""
    count, seed = PAIRS[kind], _SEEDS[split]
    rng = np.random.default_rng([seed, 7, KINDS.index(kind)])
    if kind == "drums":
        generators = (np.random.default_rng([seed, 9, i]) for i in range(8 * count))
        scores = [generate(kind, generator) for generator in generators]
    else:
        scores = corpus_scores(kind, 8 * count)
    scores = scores[SPLITS.index(split) :: 2]  # the splits use alternate scores
    choices = KITS[split] if kind == "drums" else programs(split)
    drawn = []
    for first, second in zip(scores[0 : 2 * count : 2], scores[1 : 2 * count : 2], strict=True):
        pair = (first, second)
        if kind != "drums":
            pair = (excerpt(first, rng), excerpt(second, rng))
        one, two = rng.choice(choices, 2, replace=False)
        drawn.append((pair, (int(one), int(two))))
    return drawn


def programs(split: Split) -> tuple[int, ...]:
    """Return the General MIDI programs of the pitched instruments of a split."""
    return tuple(
        program
        for program in range(_PITCHED_PROGRAMS)
        if ((program // 8) in _HELD_OUT_PROGRAM_FAMILIES) == (split == "held-out")
        and program != _ORCHESTRA_HIT
    )
