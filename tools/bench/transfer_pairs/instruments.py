"""Random instruments that are built from the synthesizers of the demo corpus.

A family draws the parameters of an instrument once; the instrument then plays any note.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream.audio import Samples
from tfdream.corpus.instruments import (
    Song,
    clock,
    edges,
    noise,
    oscillate,
    pad,
    reverb,
    struck,
)
from transfer_pairs.scores import (
    CLOSED_HAT,
    CRASH,
    KICK,
    OPEN_HAT,
    SAMPLE_RATE,
    SECONDS,
    SNARE,
    TOM,
    Score,
)

Rng = np.random.Generator
NoteFn = Callable[[Song, int, float], Samples]
"""Synthesizes a note from a song (for its random numbers), a pitch or drum key, and seconds."""
Family = Callable[[Rng], NoteFn]
Instrument = Callable[[Score, Rng], Samples]
"""Renders a score as float32 `[samples]`."""


def _hertz(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def _tone(
    spectra: NDArray[Any], hertz: Samples | float, samples: int, rows: Samples | None = None
) -> Samples:
    """Synthesize a note of a waveform, or of a bank of them; see `oscillate`."""
    curve = np.broadcast_to(np.float32(hertz), samples).astype(np.float32)
    return oscillate(np.atleast_2d(spectra), curve, SAMPLE_RATE, rows)


def pulse(rng: Rng) -> NoteFn:
    """Draw a decaying pulse wave with vibrato."""
    harmonic = np.arange(1, 400)
    spectrum = np.sin(np.pi * rng.uniform(0.08, 0.5) * harmonic) / harmonic
    fade, depth = rng.uniform(0.15, 1.5), rng.uniform(0, 0.008)

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        time = clock(seconds, SAMPLE_RATE)
        vibrato = 1 + depth * np.clip(8 * time - 1.6, 0, 1) * np.sin(41 * time)
        tone = _tone(spectrum, (_hertz(pitch) * vibrato).astype(np.float32), len(time))
        return struck(seconds, fade, SAMPLE_RATE) * tone

    return play


def steps(rng: Rng) -> NoteFn:
    """Draw a decaying triangle wave in steps."""
    levels = rng.uniform(2, 9)
    ramp = np.abs(np.linspace(-2, 2, 4096, endpoint=False))
    spectrum = np.fft.rfft(np.round(levels - levels * ramp) / levels)[1:400] / 2048
    attack, fade = rng.uniform(0.002, 0.05), rng.uniform(0.3, 2)

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        samples = round(seconds * SAMPLE_RATE)
        gain = struck(seconds, fade, SAMPLE_RATE) * edges(samples, _samples(attack), 1000)
        return gain * _tone(spectrum, _hertz(pitch), samples)

    return play


def formants(rng: Rng) -> NoteFn:
    """Draw a sustained tone with four resonances, vibrato and breath noise."""
    resonances = rng.uniform((200, 400, 800, 1800), (400, 800, 1700, 4000))[:, None]
    bright, attack, breath = (
        rng.uniform(1500, 7000),
        rng.uniform(0.03, 0.12),
        rng.uniform(0.01, 0.08),
    )

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        hertz, time = _hertz(pitch), clock(seconds + 0.1, SAMPLE_RATE)
        partial = hertz * np.arange(1, 150)
        body = 0.3 + np.exp(-((3 * np.log2(partial / resonances)) ** 2)).sum(axis=0)
        spectrum = -1j * body * hertz / partial / (1 + (partial / bright) ** 2)
        depth = song.rng.uniform(0.004, 0.012) * np.minimum(3 * time, 1)
        vibrato = 1 + depth * np.sin(time * song.rng.uniform(30, 39))
        tone = _tone(spectrum, (hertz * vibrato).astype(np.float32), len(time))
        note = edges(len(time), _samples(attack), _samples(0.12)) * tone
        breathed: Samples = note + breath * np.abs(note) * noise(song, len(note), 2000, 9000)[0]
        return breathed

    return play


def bells(rng: Rng) -> NoteFn:
    """Draw a bell by frequency modulation."""
    ratio = float(rng.choice((1.41, 2.0, 3.51, 1.0, 5.07)))
    depth, ring_seconds = rng.uniform(0.5, 3), rng.uniform(0.8, 4)

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        seconds = max(seconds, 0.5 * ring_seconds)
        ring = struck(seconds, ring_seconds / 5, SAMPLE_RATE)
        turn = clock(seconds, SAMPLE_RATE) * (2 * math.pi * _hertz(pitch))
        sound: Samples = ring * np.sin(turn + depth * ring * np.sin(ratio * turn))
        return sound

    return play


def pads(rng: Rng) -> NoteFn:
    """Draw a wide, slowly beating pad."""
    bright, attack = rng.uniform(300, 4000), rng.uniform(0.03, 0.3)

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        seconds += 0.2
        tonic = Song(song.rng, seconds, SAMPLE_RATE, 60, pitch, 0, (0,))
        wave = pad(tonic, np.zeros(1), seconds, bright)[0]
        gain = edges(_samples(seconds), _samples(attack), _samples(0.2))
        sound: Samples = 0.3 * wave * gain
        return sound

    return play


def acid(rng: Rng) -> NoteFn:
    """Draw a sawtooth through a resonant low-pass filter that closes during the note."""
    cutoff, resonance = rng.uniform(200, 1500), rng.uniform(0.8, 6)
    sweep, decay = rng.uniform(0.5, 3.5), rng.uniform(0.05, 0.4)
    harmonic = np.arange(1, 257)
    ratio = harmonic / np.geomspace(0.5, 128, 97)[:, None]
    spectra = -1j / harmonic / np.hypot(1 - ratio**2, ratio / resonance)

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        hertz, time = _hertz(pitch), clock(seconds, SAMPLE_RATE)
        closing = np.clip(cutoff * np.exp2(sweep * np.exp(-time / decay)) / hertz, 0.5, 127)
        rows = (12 + 12 * np.log2(closing)).astype(np.float32)
        tone = np.tanh(1.3 * _tone(spectra, hertz, len(time), rows))
        sound: Samples = edges(len(time), 130, 440) * tone
        return sound

    return play


def organ(rng: Rng) -> NoteFn:
    """Draw an organ with drawbars and a click."""
    spectrum = np.zeros(64)
    spectrum[[0, 1, 2, 3, 4, 5, 7, 9, 11]] = rng.uniform(0, 1, 9) ** 2
    spectrum[0] += 0.3
    spectrum = spectrum * np.exp(2j * np.pi * rng.random(64))
    click = rng.uniform(0, 0.3)

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        samples = round(seconds * SAMPLE_RATE)
        wave = edges(samples, 300, 800) * _tone(spectrum, _hertz(pitch), samples)
        start = min(samples, 900)
        burst = noise(song, 900, 1000, 6000)[0, :start] * np.exp(-np.arange(start) / 200)
        wave[:start] += click * burst
        return wave

    return play


def plucks(rng: Rng) -> NoteFn:
    """Draw a plucked string whose upper partials decay first."""
    bright, slope, decay = rng.uniform(800, 6000), rng.uniform(0.5, 1.8), rng.uniform(0.3, 1.5)
    place = rng.uniform(0.05, 0.5)
    harmonic = np.arange(1, 200)
    damping = np.linspace(0, 5, 24)[:, None]

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        hertz, time = _hertz(pitch), clock(seconds + 0.15, SAMPLE_RATE)
        spectrum = np.sin(np.pi * place * harmonic) / harmonic**slope
        spectrum /= 1 + (harmonic * hertz / bright) ** 2
        spectra = spectrum * np.exp(-damping * (harmonic - 1) * hertz / 2500) * 1j
        rows = (np.minimum(time / decay, 0.99) * 22).astype(np.float32)
        gain = np.exp(-time / decay).astype(np.float32) * edges(len(time), 60, 4000)
        sound: Samples = gain * _tone(spectra, hertz, len(time), rows)
        return sound

    return play


def additive(rng: Rng) -> NoteFn:
    """Draw a synthesizer with a random spectrum, decay of each partial, fades, vibrato and noise.

    The spectrum is a slope per partial and resonances at fixed frequencies. It moves from the one
    of the attack to the one of the end of a note.
    """
    harmonic = np.arange(1, 257)
    slope, odd = rng.uniform(0.2, 2.2), float(rng.choice((1, 1, rng.uniform(0, 1))))
    count = int(rng.integers(0, 6))
    centers, widths = (
        np.exp(rng.uniform(np.log(150), np.log(9000), count)),
        rng.uniform(2, 8, count),
    )
    heights = rng.uniform(0, 8, count)
    bright = np.exp(rng.uniform(np.log([800, 400]), np.log(16000)))  # of the attack and the end
    phases = np.exp(2j * np.pi * rng.random(len(harmonic)))
    attack, release = np.exp(rng.uniform(np.log((0.001, 0.02)), np.log((0.25, 0.4))))
    move = np.exp(rng.uniform(np.log(0.03), np.log(1.5)))
    fade = float(rng.choice((np.exp(rng.uniform(np.log(0.08), np.log(2))), np.inf)))
    breath, low_hz = rng.uniform(0, 0.35) ** 3, np.exp(rng.uniform(np.log(200), np.log(6000)))
    depth, rate = rng.uniform(0, 0.008), rng.uniform(25, 42)
    drive = float(rng.choice((0, 0, rng.uniform(0.5, 4))))

    def play(song: Song, pitch: int, seconds: float) -> Samples:
        hertz, time = _hertz(pitch), clock(seconds + release, SAMPLE_RATE)
        partial = hertz * harmonic
        offsets = np.log2(partial / centers[:, np.newaxis])
        body = 1 + heights @ np.exp(-((widths[:, np.newaxis] * offsets) ** 2))
        shape = phases * body * np.where(harmonic % 2, 1, odd) / harmonic**slope
        ends = np.geomspace(*bright, 24)[:, np.newaxis]
        spectra = shape / (1 + (partial / ends) ** 2)
        rows = (22 * -np.expm1(-time / move)).astype(np.float32)
        curve = (hertz * (1 + depth * np.sin(rate * time))).astype(np.float32)
        tone = _tone(spectra / np.abs(shape).max(), curve, len(time), rows)
        note = tone + breath * noise(song, len(time), low_hz, 4 * low_hz)[0]
        if drive:
            note = np.tanh(drive * note / max(1e-6, float(note.std())) / 2)
        gain = np.exp(-time / fade) * edges(len(time), _samples(attack), _samples(release))
        sound: Samples = gain.astype(np.float32) * note / max(1e-6, float(note.std()))
        return sound

    return play


def drum_kit(rng: Rng) -> NoteFn:
    """Draw a kit of falling sines and bands of noise."""
    kit = {
        KICK: _falling_sine(rng, (40, 70), (0.02, 0.06), (0.06, 0.25)),
        SNARE: _sum(
            rng.uniform(0.2, 0.8) * _falling_sine(rng, (140, 260), (0.01, 0.05), (0.04, 0.12)),
            _hiss(rng, (500, 2500), (3, 8), (0.04, 0.15)),
        ),
        CLOSED_HAT: 0.7 * _hiss(rng, (4000, 9000), (1.5, 3), (0.012, 0.05)),
        OPEN_HAT: 0.7 * _hiss(rng, (4000, 9000), (1.5, 3), (0.08, 0.3)),
        TOM: _falling_sine(rng, (80, 160), (0.05, 0.2), (0.08, 0.25)),
        CRASH: 0.6 * _hiss(rng, (2500, 5000), (3, 5), (0.25, 0.5)),
    }
    return lambda song, key, seconds: kit[key]


Range = tuple[float, float]


def _falling_sine(rng: Rng, hertz: Range, fall_seconds: Range, decay_seconds: Range) -> Samples:
    base, octaves = rng.uniform(*hertz), rng.uniform(0.5, 4)
    fall, decay = rng.uniform(*fall_seconds), rng.uniform(*decay_seconds)
    time = clock(5 * decay, SAMPLE_RATE)
    turns = base * time - octaves * base * fall * np.expm1(-time / fall)
    wave = np.tanh(rng.uniform(0.7, 3) * np.sin(2 * np.pi * turns))
    sound: Samples = wave * struck(5 * decay, decay, SAMPLE_RATE)
    return sound


def _hiss(rng: Rng, low_hertz: Range, width: Range, decay_seconds: Range) -> Samples:
    low, decay = rng.uniform(*low_hertz), rng.uniform(*decay_seconds)
    gain = struck(5 * decay, decay, SAMPLE_RATE)
    sound: Samples = 0.5 * gain * noise(_song(rng), len(gain), low, low * rng.uniform(*width))[0]
    return sound


def _sum(first: Samples, second: Samples) -> Samples:
    total = np.zeros(max(len(first), len(second)), np.float32)
    total[: len(first)] += first
    total[: len(second)] += second
    return total


TUNING_FAMILIES: tuple[Family, ...] = (pulse, formants, bells, plucks)
HELD_OUT_FAMILIES: tuple[Family, ...] = (steps, pads, acid, organ)


def instrument(family: Family, rng: Rng) -> Instrument:
    """Draw an instrument of a family, in a room."""
    play = family(rng)
    room_seconds = rng.uniform(0.3, 1.5)
    wet = float(rng.choice((0, rng.uniform(0.05, 0.3))))

    def render(score: Score, rng: Rng) -> Samples:
        song = _song(rng)
        mix = np.zeros(song.samples, np.float32)
        for note in score:
            start = _samples(note.onset)
            sound = note.velocity * play(song, note.pitch, note.duration)
            sound = sound[: max(0, song.samples - start)]
            mix[start : start + len(sound)] += sound
        if wet:
            mix = reverb(song, np.stack([mix, mix]), room_seconds, wet).mean(axis=0)
        return mix.astype(np.float32)

    return render


def _song(rng: Rng) -> Song:
    """Return a song whose tempo and key are not used."""
    return Song(rng, SECONDS, SAMPLE_RATE, 60, 60, 0, (0,))


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
