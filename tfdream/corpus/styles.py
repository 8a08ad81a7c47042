"""The demo corpus: songs in four musical styles, composed and synthesized from a seed.

Tempo, key and chords of a song are random; a style places notes on the grid of beats and adds
reverb, and the mix is mastered. Everything except the rules of the style depends on the seed, so
that two songs of a style have the same character and different notes.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfdream import audio
from tfdream.audio import Samples
from tfdream.corpus.instruments import (
    BEATS_PER_BAR,
    MIN_SAMPLE_RATE,
    MIN_SECONDS,
    MODES,
    PROGRESSIONS,
    SIXTEENTHS,
    Song,
    bell,
    clock,
    edges,
    master,
    melody,
    nearest_tone,
    noise,
    noise_hit,
    oscillate,
    pad,
    reverb,
    struck,
)
from tfdream.errors import ConfigError

# Styles


def ambient(song: Song) -> Samples:
    """Compose slowly swelling chords, wind and a few bells with a long reverb."""
    rng, rate = song.rng, song.sample_rate
    mix = song.silence()
    bright_hz, bell_density = rng.uniform(300, 1000), rng.uniform(0.03, 0.3)
    swell_seconds = 1.8 * BEATS_PER_BAR * song.beat_seconds
    for bar in range(song.bars):
        root, beat = song.chord(bar), bar * BEATS_PER_BAR
        voicing = root + np.array([-14, -7, -3, 2, 6, 8]) + rng.choice((0, 7), 6, p=(0.7, 0.3))
        swell = pad(song, voicing, swell_seconds, bright_hz * rng.uniform(0.6, 1.7))
        half = swell.shape[1] // 2
        attack = half if bar else half // 4
        song.place(mix, swell * edges(swell.shape[1], attack, half), beat)
        for eighth in np.flatnonzero(rng.random(2 * BEATS_PER_BAR) < bell_density):
            ring = bell(song.hertz(root + rng.choice((7, 9, 11, 14, 16))), 4.0, rate)
            song.place(mix, ring, beat + eighth / 2, rng.uniform(0.2, 0.7), rng.uniform(-1, 1))
    wind_hz = rng.uniform(400, 2500)
    gusts = rng.uniform(0.03, 0.1) * (0.2 + song.lfo(rng.uniform(5, 12)))
    mix += gusts * noise(song, song.samples, wind_hz, 2 * wind_hz)
    return reverb(song, mix, rng.uniform(3.0, 5.0), 1.0)


def acid_line(song: Song) -> Samples:
    """Compose a bass line of sixteenths: a sawtooth through a sweeping resonant low-pass filter."""
    rng, steps = song.rng, len(SIXTEENTHS)
    tones = rng.choice((-14, -14, -14, -13, -12, -10, -8, -7, -4), steps) + rng.choice((0, 7))
    pitches = np.array([song.hertz(tone) for tone in tones], np.float32)
    accents = rng.choice((0, 0.45, 0.7, 1.0), steps, p=(0.25, 0.25, 0.3, 0.2)).astype(np.float32)
    slides = (rng.random(steps) < 0.25) * (np.roll(pitches, 1) - pitches)
    step, within = song.grid(0.25)
    slot = step % steps
    hz = pitches[slot] + slides[slot].astype(np.float32) * np.exp(within * (-1 / 0.03))
    plucks = accents[slot] * np.exp(within * (-1 / rng.uniform(0.05, 0.2)))
    sweep = song.lfo(rng.uniform(4, 10) * BEATS_PER_BAR * song.beat_seconds)
    cutoff_hz = rng.uniform(200, 500) * np.exp2(2 * sweep + 3 * plucks)
    # One waveform for each twelfth of an octave of cutoff over pitch.
    harmonic = np.arange(1, 257)
    ratio = harmonic / np.geomspace(0.5, 128, 8 * 12 + 1)[:, None]
    spectra = -1j / harmonic / np.hypot(1 - ratio**2, ratio / rng.uniform(2, 7))
    rows = 12 + 12 * np.log2(np.clip(cutoff_hz / hz, 0.5, 127))
    gate = np.minimum(within / 0.003, (0.25 * song.beat_seconds - within) / 0.01).clip(0, 1)
    line = oscillate(spectra, hz, song.sample_rate, rows) * accents[slot] * gate
    saturated: Samples = np.tanh(rng.uniform(0.6, 2.5) * line)
    return saturated


def techno(song: Song) -> Samples:
    """Compose kick, hats, clap, a bass line and chord stabs, with ducking by the kick."""
    rng, rate = song.rng, song.sample_rate
    drums, synths = song.silence(), song.silence()
    time, fall = clock(0.35, rate), rng.uniform(0.02, 0.05)
    turns = rng.uniform(44, 58) * time - rng.uniform(150, 320) * fall * np.expm1(time * (-1 / fall))
    kick = np.tanh(2 * np.sin(2 * np.pi * turns)) * struck(0.35, rng.uniform(0.08, 0.16), rate)
    clap = noise_hit(song, 900, 5000, rng.uniform(0.05, 0.1))
    open_hat = noise_hit(song, 6000, 14000, rng.uniform(0.06, 0.12))
    hat = noise_hit(song, 7000, 16000, rng.uniform(0.015, 0.04))
    hats = rng.uniform(0.3, 1, 16) * (rng.random(16) < rng.uniform(0.5, 1))
    knock = bell(rng.uniform(150, 500), 0.3, rate)
    song.loop(drums, kick, 1.2 * (SIXTEENTHS % 4 == 0))
    song.loop(drums, clap, rng.uniform(0.4, 1) * (SIXTEENTHS % 8 == 4), -0.1)
    song.loop(drums, open_hat, rng.uniform(0.4, 1) * (SIXTEENTHS % 4 == 2), 0.3)
    song.loop(drums, hat, hats, -0.3)
    song.loop(drums, knock, 0.4 * (rng.random(32) < 0.2), rng.uniform(-0.8, 0.8))
    chord = song.chord(0) + np.array([-7, -5, -3, 0])
    stab = struck(0.4, 0.1, rate) * pad(song, chord, 0.4, rng.uniform(800, 2500))
    song.loop(synths, stab, 0.25 * (rng.random(64) < 0.12))
    song.place(synths, acid_line(song), 0, rng.uniform(0.5, 1.0))
    song.place(synths, synths[::-1], 0.75, rng.uniform(0.2, 0.6))  # an echo in the other channel
    _, within = song.grid(1)
    ducking = np.exp(within * (-1 / 0.1)) * np.minimum(within / 0.004, 1)
    mix: Samples = drums + reverb(song, synths, 1.2, 0.3) * (1 - rng.uniform(0.5, 0.9) * ducking)
    return mix


def chiptune(song: Song) -> Samples:
    """Compose for a game console of the 1980s: two pulse waves, a stepped triangle and noise."""
    rng, rate = song.rng, song.sample_rate
    harmonic = np.arange(1, 400)
    stairs = np.round(7.5 - 7.5 * np.abs(np.linspace(-2, 2, 4096, endpoint=False))) / 7.5
    triangle = np.fft.rfft(stairs)[harmonic] / 2048
    lead, chord = np.sin(np.pi * rng.choice((0.125, 0.25, 0.5), (2, 1)) * harmonic) / harmonic
    fade_seconds = rng.uniform(0.1, 0.5)

    def tone(spectrum: Samples, degree: int, beats: float) -> Samples:
        seconds = beats * song.beat_seconds
        time = clock(seconds, rate)
        vibrato = 0.006 * np.clip(8 * time - 1.6, 0, 1) * np.sin(2 * np.pi * 6.5 * time)
        wave = oscillate(spectrum[None], song.hertz(degree) * (1 + vibrato), rate)
        return struck(seconds, fade_seconds * (1 + beats), rate) * wave

    def hiss(clock_hz: float, decay_seconds: float) -> Samples:
        gain = struck(4 * decay_seconds, decay_seconds, rate)
        index = (clock(4 * decay_seconds, rate) * clock_hz).astype(np.intp)
        sound: Samples = gain * rng.choice((-1.0, 1.0), index[-1] + 1)[index]
        return sound

    mix, echo_beats = song.silence(), rng.choice((0.5, 0.75))
    for beat, beats, degree in melody(song, 3, 13):
        note = tone(lead, degree, beats)
        song.place(mix, note, beat, 0.8, -0.4)
        song.place(mix, note, beat + echo_beats, 0.2, 0.6)
    arpeggio, bass = rng.choice((0, 2, 4, 7), 8), rng.choice((-14, -14, -7, -10), 4)
    for step in range(song.bars * len(SIXTEENTHS)):
        root = song.chord(step // len(SIXTEENTHS))
        song.place(mix, tone(chord, root + arpeggio[step % 8], 0.25), step / 4, 0.4, 0.5)
        if step % 2 == 0:
            song.place(mix, tone(triangle, root + bass[step // 2 % 4], 0.5), step / 4)
    song.loop(mix, hiss(1200, 0.03), 0.8 * (SIXTEENTHS % 8 == 0))
    song.loop(mix, hiss(rng.uniform(4e3, 9e3), 0.05), 0.5 * (SIXTEENTHS % 8 == 4), -0.1)
    song.loop(mix, hiss(18e3, 0.012), 0.25 * (rng.random(16) < 0.5), 0.2)
    return mix


def strings(song: Song) -> Samples:
    """Compose for strings: a melody over parts that move to the nearest tone of each chord."""
    rng, rate = song.rng, song.sample_rate
    resonances_hz = rng.uniform((250, 450, 900, 2200), (320, 650, 1500, 3500))[:, None]
    bright_hz = rng.uniform(2500, 6000)
    mix = song.silence()

    def desk(degree: int, beat: float, beats: float, gain: float, pan: float) -> None:
        """Add a note of two players with slightly different pitch, onset and pan, and vibrato."""
        time = clock(beats * song.beat_seconds + 0.1, rate)
        swell = edges(len(time), round(rng.uniform(0.04, 0.08) * rate), round(0.15 * rate))
        partial_hz = song.hertz(degree) * np.arange(1, 150)
        body = 0.3 + np.exp(-((3 * np.log2(partial_hz / resonances_hz)) ** 2)).sum(axis=0)
        spectrum = -1j * body * partial_hz[0] / partial_hz / (1 + (partial_hz / bright_hz) ** 2)
        for seat in (-0.2, 0.2):
            vibrato = np.sin(time * rng.uniform(30, 39) + rng.uniform(0, 2 * math.pi))
            bend = rng.uniform(0.006, 0.014) * np.minimum(3 * time, 1) * vibrato
            hz = partial_hz[0] * rng.normal(1, 0.0015) * (1 + bend)
            note = swell * oscillate(spectrum[None], hz, rate)
            song.place(mix, note, beat + rng.uniform(0, 0.03), gain, pan + seat)

    for beat, beats, degree in melody(song, 7, 18):
        desk(degree, beat, beats, 1.4, -0.5)
    inner = {-0.1: 2, 0.2: -3}  # the degrees where second violin and viola start, by their seats
    long, short = rng.choice((1, 2)), rng.choice((4, 8))  # notes in a bar
    strokes = dict(zip(inner, rng.permutation((long, short)), strict=True))
    for bar in range(song.bars):
        beat, root = bar * BEATS_PER_BAR, song.chord(bar)
        desk(root - 14, beat, BEATS_PER_BAR, 1.1, 0.6)
        for pan, degree in inner.items():
            inner[pan] = nearest_tone(root, degree)
            beats = BEATS_PER_BAR / strokes[pan]
            for stroke in range(strokes[pan]):
                desk(inner[pan], beat + stroke * beats, 0.8 * beats, 0.6, pan)
    # Bow noise pulses with the string. Source: Chafe, "Pulsed noise in self-sustained oscillations"
    mix += rng.uniform(0.03, 0.1) * np.abs(mix) * noise(song, song.samples, 2000, 9000)
    phrasing = 0.5 + song.lfo(2 * BEATS_PER_BAR * song.beat_seconds)
    return reverb(song, phrasing * mix, rng.uniform(1.2, 2.5), 0.35)


# The corpus: for each style its composer, tempo range in beats per minute, and modes

Style = tuple[Callable[[Song], Samples], tuple[float, float], tuple[str, ...]]
COMPOSERS: dict[str, Style] = {
    "ambient": (ambient, (42, 66), ("major", "lydian", "dorian")),
    "techno": (techno, (120, 140), ("minor", "phrygian", "dorian")),
    "chiptune": (chiptune, (135, 180), ("major", "mixolydian", "minor")),
    "strings": (strings, (62, 100), ("major", "dorian", "minor")),
}
STYLES = tuple(COMPOSERS)
_BITS = 16


def compose(style: str, seed: int, seconds: float, sample_rate: int) -> Samples:
    """Compose, synthesize and master a song; the result depends only on the arguments.

    Args:
      style: one of `STYLES`.
      seed: 0 or more; every seed is another song.
      seconds: duration.
      sample_rate: in Hz.

    Returns:
      float32 `[samples, 2]` with a peak of `PEAK_DBFS`.

    Raises:
      ConfigError: if the style does not exist or a number is out of range.

    >>> compose("strings", seed=0, seconds=0.5, sample_rate=8000).shape
    (4000, 2)
    """
    if style not in COMPOSERS:
        raise ConfigError(f"style={style!r} is not one of: {', '.join(STYLES)}")
    _check(seed, seconds, sample_rate)
    play, tempo_bpm, modes = COMPOSERS[style]
    rng = np.random.default_rng([seed, *style.encode()])
    song = Song(
        rng,
        seconds,
        sample_rate,
        tempo_bpm=rng.uniform(*tempo_bpm),
        tonic_midi=int(rng.integers(54, 66)),
        mode=MODES.index(rng.choice(modes)),
        chords=PROGRESSIONS[rng.integers(len(PROGRESSIONS))],
    )
    return np.ascontiguousarray(master(song, play(song)).T, np.float32)


def _check(seed: int, seconds: float, sample_rate: int) -> None:
    """Raise ConfigError if no song can have this seed, duration or sample rate."""
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; use 0 or more")
    if sample_rate < MIN_SAMPLE_RATE:
        raise ConfigError(f"sample_rate={sample_rate} Hz is too low; use {MIN_SAMPLE_RATE} or more")
    if not MIN_SECONDS <= seconds < math.inf:
        raise ConfigError(f"seconds={seconds} is not a valid duration; use {MIN_SECONDS} or more")


def write_corpus(
    folder: str | Path,
    tracks_per_style: int,
    seconds: float,
    sample_rate: int,
    seed: int,
    force: bool = False,
) -> list[Path]:
    """Write songs to `folder/<style>/<style>-<nn>.flac`, 16 bit.

    Each song has a seed of 32 bits, which depends on `seed` and its number: two songs of a style
    are equal with a probability of 2^-32.

    Args:
      folder: the corpus.
      tracks_per_style: number of songs of each style.
      seconds: duration of each song.
      sample_rate: in Hz.
      seed: random seed.
      force: replace all songs of an existing corpus, also those with higher numbers; files with
        other names are not changed.

    Returns:
      The paths, style by style.

    Raises:
      AudioError: if FLAC does not support the sample rate.
      ConfigError: if a number is out of range, or there is a corpus and `force` is not set.
    """
    folder = Path(folder)
    if tracks_per_style < 1:
        raise ConfigError(f"tracks_per_style={tracks_per_style} is out of range; use 1 or more")
    _check(seed, seconds, sample_rate)
    audio.check_supported(folder / "song.flac", _BITS, sample_rate, channels=2)
    existing = [
        path
        for style in STYLES
        for path in folder.glob(f"{style}/*.flac")
        if re.fullmatch(rf"{style}-(0[1-9]|[1-9][0-9]+)\.flac", path.name)
    ]
    if existing and not force:
        raise ConfigError(
            f"'{folder}' contains songs already, such as '{min(existing).name}'; use another "
            "folder, or --force to replace them"
        )
    for path in existing:
        path.unlink()
    paths = []
    for style in STYLES:
        for number in range(1, tracks_per_style + 1):
            song_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            song = compose(style, song_seed, seconds, sample_rate)
            path = folder / style / f"{style}-{number:02d}.flac"
            with audio.Writer(path, sample_rate, channels=song.shape[1], bits=_BITS) as writer:
                writer.write(song)
            paths.append(path)
    return paths
