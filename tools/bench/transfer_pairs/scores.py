"""Scores of the pairs: generated from a seed, or excerpts of the corpus of music21."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

import numpy as np

from tfdream.corpus.instruments import (
    BEATS_PER_BAR,
    MODES,
    PROGRESSIONS,
    SIXTEENTHS,
    Song,
    melody,
    nearest_tone,
)

Kind = Literal["melodic", "polyphonic", "drums"]
KINDS: tuple[Kind, ...] = ("melodic", "polyphonic", "drums")
SAMPLE_RATE = 44100
SECONDS = 8.0
_SHORTEST_SECONDS = 0.08
# Keys of the General MIDI drum map.
KICK, SNARE, CLOSED_HAT, TOM, OPEN_HAT, CRASH = 36, 38, 42, 45, 46, 49
_MIN_NOTES = 12


class Note(NamedTuple):
    """A note of a score.

    Attributes:
      onset: start, in seconds, or in quarters before `excerpt`.
      duration: in the same unit.
      pitch: MIDI number, or key of the General MIDI drum map.
      velocity: from 0 to 1.
    """

    onset: float
    duration: float
    pitch: int
    velocity: float = 1.0


Score = list[Note]


def generate(kind: Kind, rng: np.random.Generator) -> Score:
    """Generate a score of a kind of material."""
    return {"melodic": _melodic, "polyphonic": _polyphonic, "drums": _drums}[kind](rng)


def _song(rng: np.random.Generator) -> Song:
    return Song(
        rng,
        SECONDS,
        SAMPLE_RATE,
        tempo_bpm=rng.uniform(70, 150),
        tonic_midi=int(rng.integers(52, 68)),
        mode=int(rng.integers(len(MODES))),
        chords=PROGRESSIONS[rng.integers(len(PROGRESSIONS))],
    )


def _pitch(song: Song, degree: int) -> int:
    return round(69 + 12 * math.log2(song.hertz(degree) / 440))


def _melodic(rng: np.random.Generator) -> Score:
    song = _song(rng)
    low, legato = int(rng.integers(-5, 6)), rng.uniform(0.6, 1.0)
    return [
        Note(
            beat * song.beat_seconds,
            max(_SHORTEST_SECONDS, legato * beats * song.beat_seconds),
            _pitch(song, degree),
            rng.uniform(0.4, 1),
        )
        for beat, beats, degree in melody(song, low, low + 10)
    ]


def _polyphonic(rng: np.random.Generator) -> Score:
    """Generate a tune with a bass and two inner parts."""
    song = _song(rng)
    beat_seconds = song.beat_seconds
    score = [
        Note(
            beat * beat_seconds,
            beats * beat_seconds,
            _pitch(song, degree),
            rng.uniform(0.6, 1),
        )
        for beat, beats, degree in melody(song, 5, 14)
    ]
    bar_seconds = BEATS_PER_BAR * beat_seconds
    for bar in range(song.bars):
        root, start = song.chord(bar), bar * bar_seconds
        score.append(Note(start, bar_seconds, _pitch(song, root - 14), rng.uniform(0.5, 0.9)))
        for center in (2, -3):
            repeats = int(rng.choice((1, 2, 4)))
            degree = nearest_tone(root, center + int(rng.integers(-2, 3)))
            step = bar_seconds / repeats
            score += [
                Note(start + i * step, 0.9 * step, _pitch(song, degree), rng.uniform(0.4, 0.8))
                for i in range(repeats)
            ]
    return score


def _drums(rng: np.random.Generator) -> Score:
    step_seconds = 60 / rng.uniform(80, 140) / 4
    steps = len(SIXTEENTHS)
    probabilities = {
        KICK: (SIXTEENTHS % 4 == 0) * 0.8 + 0.1,
        SNARE: (SIXTEENTHS % 8 == 4) * 0.85 + 0.05,
        CLOSED_HAT: (SIXTEENTHS % 2 == 0) * 0.6 + 0.2,
        OPEN_HAT: (SIXTEENTHS % 4 == 2) * 0.3,
        TOM: np.full(steps, 0.08),
        CRASH: (SIXTEENTHS == 0) * 0.3,
    }
    pattern = {key: rng.random(steps) < share for key, share in probabilities.items()}
    return [
        Note(step * step_seconds, step_seconds, key, rng.uniform(0.4, 1))
        for step in range(int(SECONDS / step_seconds))
        for key in pattern
        if pattern[key][step % steps] and rng.random() < 0.9
    ]


def corpus_scores(kind: Kind, count: int) -> list[Score]:
    """Return scores of music21's corpus in quarters: folk songs, or chorales by Bach.

    Raises:
      ImportError: if music21 is not installed.
    """
    return list(islice(_corpus_scores(kind), count))


def _corpus_scores(kind: Kind) -> Iterator[Score]:
    for source in _chorales() if kind == "polyphonic" else _folk_songs():
        score = [
            Note(float(note.offset), float(note.quarterLength), pitch.midi)
            for note in source.flatten().notes
            if note.quarterLength
            for pitch in note.pitches
        ]
        if len(score) >= _MIN_NOTES:
            yield score


def _chorales() -> Iterator[Any]:
    from music21 import corpus

    for path in map(str, corpus.getComposer("bach")):
        if "bwv" in path and path.endswith((".mxl", ".xml")):
            yield corpus.parse(path)


def _folk_songs() -> Iterator[Any]:
    from music21 import corpus

    for path in corpus.getComposer("essenFolksong"):
        yield from getattr(corpus.parse(path), "scores", [])


def excerpt(score: Score, rng: np.random.Generator) -> Score:
    """Cut a score in quarters at a random place, with random tempo, transposition and velocities.

    Returns:
      A score in seconds.
    """
    quarter_seconds = 60 / rng.uniform(80, 140)
    last = max(note.onset for note in score) - SECONDS / quarter_seconds
    start = rng.uniform(0, max(1e-9, last))
    inside = [note for note in score if note.onset >= start]
    start = min(note.onset for note in inside)
    semitones = int(rng.integers(-7, 6))
    return [
        Note(
            (note.onset - start) * quarter_seconds,
            max(_SHORTEST_SECONDS, note.duration * quarter_seconds * 0.95),
            note.pitch + semitones,
            rng.uniform(0.5, 1),
        )
        for note in inside
        if (note.onset - start) * quarter_seconds < SECONDS
    ]
