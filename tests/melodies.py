"""Melodies for tests of musaics."""

import numpy as np

RATE = 8000
NOTES, OTHER_ORDER = [0, 7, 4], [4, 0, 7]


def melody(semitones, tilt_db, note_seconds=0.5):
    """Decaying notes whose partials fall by `tilt_db` per octave."""
    time = np.arange(round(note_seconds * RATE)) / RATE
    notes = []
    for hertz in 220 * 2 ** (np.array(semitones) / 12):
        partials = np.arange(1, int(RATE / 2 / hertz))
        levels = 10 ** (tilt_db * np.log2(partials) / 20)
        phases = 2 * np.pi * hertz * partials[:, None] * time
        notes.append((levels[:, None] * np.sin(phases)).sum(axis=0) * np.exp(-4 * time))
    samples = np.concatenate(notes)
    return 0.05 * samples / samples.std()
