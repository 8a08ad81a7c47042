"""Melodies for tests of transfers by timbre and of musaics, and few activations for the latter."""

import numpy as np

RATE = 8000
NOTES, OTHER_ORDER = [0, 7, 4], [4, 0, 7]
FEW_ACTIVATIONS = {
    **{"iterations": 6, "polyphony": 3},
    **{"repetition_frames": 1, "continuity_frames": 2},
}


def melody(semitones, tilt_db, note_seconds=0.5, rate=RATE, deviation=0.05):
    """Decaying notes whose partials fall by `tilt_db` per octave."""
    time = np.arange(round(note_seconds * rate)) / rate
    notes = []
    for hertz in 220 * 2 ** (np.array(semitones) / 12):
        partials = np.arange(1, int(rate / 2 / hertz))
        levels = 10 ** (tilt_db * np.log2(partials) / 20)
        phases = 2 * np.pi * hertz * partials[:, None] * time
        notes.append((levels[:, None] * np.sin(phases)).sum(axis=0) * np.exp(-4 * time))
    samples = np.concatenate(notes)
    return deviation * samples / samples.std()
