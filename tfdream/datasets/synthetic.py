"""The embedded demo corpus: four musical styles, composed and synthesised from a seed.

A song draws its tempo, key and chords; a style places notes on its grid of beats, adds a room, and
the mix is mastered. All but a style's rules comes from the seed, so that two songs of one style
share a manner and no notes. A sound is float32 `[samples]`, a mix float32 `[2, samples]`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from tfdream.errors import ConfigError
from tfdream.files import replacing

PEAK_DBFS = -3.0
MIN_SECONDS = 0.1
MIN_SAMPLE_RATE = 4000
BEATS_PER_BAR = 4
SIXTEENTHS = np.arange(4 * BEATS_PER_BAR)

MAJOR_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
# Each mode is the major scale from another degree on; chords are stacked thirds of the mode.
MODES = ("major", "dorian", "phrygian", "lydian", "mixolydian", "minor")
PROGRESSIONS = ((0, 5, 2, 6), (0, 3, 5, 4), (0, 5, 3, 4), (0, 2, 3, 6), (0, 4, 5, 3), (0, 3, 1, 4))


@dataclass(frozen=True)
class Song:
    """What all instruments of a song agree on; `chords` are the roots' scale degrees, one a bar."""

    rng: np.random.Generator
    seconds: float
    sample_rate: int
    tempo_bpm: float
    tonic_midi: int
    mode: int
    chords: tuple[int, ...]

    @property
    def samples(self) -> int:
        """Length of the mix."""
        return round(self.seconds * self.sample_rate)

    @property
    def beat_seconds(self) -> float:
        """Length of a beat."""
        return 60.0 / self.tempo_bpm

    @property
    def bars(self) -> int:
        """Bars that begin before the end."""
        return math.ceil(self.seconds / self.beat_seconds / BEATS_PER_BAR)

    def chord(self, bar: int) -> int:
        """Scale degree of the root of a bar's chord."""
        return self.chords[bar % len(self.chords)]

    def hertz(self, degree: int) -> float:
        """Pitch of a scale degree; 0 is the tonic near middle C, 7 the octave above it."""
        octave, step = divmod(int(degree) + self.mode, len(MAJOR_SEMITONES))
        semitones = 12 * octave + MAJOR_SEMITONES[step] - MAJOR_SEMITONES[self.mode]
        return float(440.0 * 2 ** ((self.tonic_midi + semitones - 69) / 12))

    def grid(self, beats: float) -> tuple[np.ndarray, np.ndarray]:
        """For each sample: the number of its step of `beats`, and the seconds since that began."""
        step_samples = beats * self.beat_seconds * self.sample_rate
        position = np.arange(self.samples)
        step = (position / step_samples).astype(np.intp)
        return step, ((position - step * step_samples) / self.sample_rate).astype(np.float32)

    def lfo(self, period_seconds: float) -> np.ndarray:
        """A slow wave between 0 and 1 that starts anywhere, float32 `[samples]`."""
        turn = clock(self.seconds, self.sample_rate) * (2 * math.pi / period_seconds)
        return 0.5 + 0.5 * np.sin(turn + self.rng.uniform(0, 2 * math.pi))

    def silence(self) -> np.ndarray:
        """An empty mix."""
        return np.zeros((2, self.samples), np.float32)

    def place(
        self, mix: np.ndarray, sound: np.ndarray, beat: float, gain: float = 1.0, pan: float = 0.0
    ) -> None:
        """Add a sound or a mix at a beat; what is past the end is cut.

        `pan` runs from -1 (left) to 1 (right), at equal power.
        """
        start = round(beat * self.beat_seconds * self.sample_rate)
        angle = (pan + 1) * math.pi / 4
        sides = np.array([[math.cos(angle)], [math.sin(angle)]], np.float32) * np.float32(gain)
        heard = sound[..., : max(0, self.samples - start)]
        mix[:, start : start + heard.shape[-1]] += sides * heard

    def loop(self, mix: np.ndarray, sound: np.ndarray, gains: np.ndarray, pan: float = 0.0) -> None:
        """Repeat a sound in a pattern of sixteenths: `gains` `[steps]`, where zero is a rest."""
        for step in range(self.bars * len(SIXTEENTHS)):
            if gains[step % len(gains)]:
                self.place(mix, sound, step / 4, gains[step % len(gains)], pan)


def nearest_tone(root: int, degree: int) -> int:
    """The tone of the triad on `root`, in any octave, that is nearest to a degree."""
    tones = (root + 7 * octave + tone for octave in range(-4, 5) for tone in (0, 2, 4))
    return min(tones, key=lambda tone: abs(tone - degree))


def melody(song: Song, low: int, high: int) -> Iterator[tuple[float, float, int]]:
    """Yield (beat, beats, degree) of a tune of two motifs, in the pattern A A' A'' B.

    A motif is a rhythm in eighths and a contour. Notes on a beat go to the nearest tone of the
    bar's chord, the others where the contour leads, about between the degrees `low` and `high`.
    """
    eighths = 2 * BEATS_PER_BAR
    rhythms = song.rng.random((2, eighths)) < np.resize((0.8, 0.4), eighths)
    contours = song.rng.choice((-2, -1, -1, 1, 1, 2), (2, eighths))
    for bar in range(song.bars):
        motif = int(bar % 4 == 3)
        degree = (low + high) // 2 + int(song.rng.integers(-2, 3))
        onsets = np.flatnonzero(rhythms[motif])
        for onset, length in zip(onsets, np.diff(onsets, append=eighths), strict=True):
            degree = min(max(degree + int(contours[motif, onset]), low), high)
            if onset % 2 == 0:
                degree = nearest_tone(song.chord(bar), degree)
            yield bar * BEATS_PER_BAR + onset / 2, length / 2, degree


# Sources of sound


def clock(seconds: float, sample_rate: int) -> np.ndarray:
    """Seconds since the start, float32 `[samples]`."""
    return (np.arange(round(seconds * sample_rate)) / sample_rate).astype(np.float32)


def edges(samples: int, attack: int, release: int) -> np.ndarray:
    """A gain that rises and falls as half cosines, float32 `[samples]`; both fit in the sound."""
    attack, release = min(attack, samples // 2), min(release, samples // 2)
    gain = np.ones(samples, np.float32)
    gain[:attack] = np.sin(np.linspace(0, np.pi / 2, attack)) ** 2
    gain[samples - release :] = np.cos(np.linspace(0, np.pi / 2, release)) ** 2
    return gain


def struck(seconds: float, decay_seconds: float, sample_rate: int) -> np.ndarray:
    """The gain of something struck: an exponential decay between edges that do not click."""
    decay = np.exp(clock(seconds, sample_rate) * (-1 / decay_seconds))
    return decay * edges(len(decay), round(0.001 * sample_rate), round(0.01 * sample_rate))


def oscillate(
    spectra: np.ndarray, hz: np.ndarray, sample_rate: int, rows: np.ndarray | None = None
) -> np.ndarray:
    """Play a bank of periodic waveforms along a pitch curve, without aliases.

    Args:
      spectra: complex `[rows, harmonics]`, from the fundamental up; those above Nyquist are cut.
      hz: float32 `[samples]`.
      sample_rate: in Hz.
      rows: float32 `[samples]`, below the last row; between two rows they cross-fade. None: row 0.

    Returns:
      float32 `[samples]`.
    """
    audible = spectra[:, : int(0.5 * sample_rate / hz.max())]
    bank = np.fft.irfft(np.pad(audible, ((0, 0), (1, 0))), 1 << 13).astype(np.float32) * (1 << 12)
    # The phase is counted in 32 bits, whose overflow is the wrap to the next cycle.
    turns = np.cumsum((hz * (2**32 / sample_rate)).astype(np.uint32), dtype=np.uint32)
    index = (turns >> np.uint32(32 - 13)).astype(np.intp)
    if rows is None:
        return bank[0][index]
    row = rows.astype(np.intp)
    lower, upper = bank[row, index], bank[row + 1, index]
    return lower + (rows - row).astype(np.float32) * (upper - lower)


def noise(song: Song, samples: int, low_hz: float, high_hz: float) -> np.ndarray:
    """A band of noise of unit power, independent at both sides: float32 `[2, samples]`."""
    high_hz = min(high_hz, 0.48 * song.sample_rate)
    band_hz = (min(low_hz, 0.5 * high_hz), high_hz)
    sections = signal.butter(1, band_hz, "bandpass", fs=song.sample_rate, output="sos")
    filtered = signal.sosfilt(sections, song.rng.standard_normal((2, samples), np.float32))
    return (filtered / filtered.std()).astype(np.float32)


def noise_hit(song: Song, low_hz: float, high_hz: float, decay_seconds: float) -> np.ndarray:
    """A drum of noise, float32 `[2, samples]`."""
    gain = struck(5 * decay_seconds, decay_seconds, song.sample_rate)
    return 0.5 * gain * noise(song, len(gain), low_hz, high_hz)


def bell(hz: float, seconds: float, sample_rate: int) -> np.ndarray:
    """A soft bell by frequency modulation at an inharmonic ratio."""
    turn = clock(seconds, sample_rate) * (2 * math.pi * hz)
    ring = struck(seconds, seconds / 5, sample_rate)
    return ring * np.sin(turn + 2 * ring * np.sin(3.51 * turn))


def pad(song: Song, degrees: np.ndarray, seconds: float, bright_hz: float) -> np.ndarray:
    """A chord of wide, slowly beating partials, float32 `[2, samples]`.

    Each partial is a narrow band of random phases in the spectrum of the whole chord, as if many
    players were a little out of tune. Source: Nasca, "PADsynth algorithm", 2005.
    """
    samples = round(seconds * song.sample_rate)
    length = 1 << samples.bit_length()
    hz_per_bin = song.sample_rate / length
    top_hz = min(5 * bright_hz, 0.45 * song.sample_rate)
    amplitudes = np.zeros(int(1.05 * top_hz / hz_per_bin))
    for hz in map(song.hertz, degrees):
        for partial_hz in np.arange(hz, top_hz, hz):
            width_hz = 0.006 * partial_hz
            low, high = (int((partial_hz + 3 * side * width_hz) / hz_per_bin) for side in (-1, 1))
            distance = (np.arange(low, high) * hz_per_bin - partial_hz) / width_hz
            rolloff = hz / partial_hz / (1 + (partial_hz / bright_hz) ** 2)
            amplitudes[low:high] += rolloff * np.exp(-(distance**2)) / math.sqrt(width_hz)
    turns = song.rng.random((2, len(amplitudes)))
    turns[1] = turns[0] + 0.6 * (turns[1] - 0.5)  # the sides correlate by a half: wide, not hollow
    chord = np.fft.irfft(amplitudes * np.exp(2j * np.pi * turns), length)[:, :samples]
    return (chord / chord.std()).astype(np.float32)


# Rooms and the master


def reverb(song: Song, mix: np.ndarray, seconds: float, wet: float) -> np.ndarray:
    """Add a room: a noise tail of its own for each side that loses 60 dB in `seconds`.

    `wet` is the gain of the tail for a mono signal in its band.
    """
    time, top_hz = clock(seconds, song.sample_rate), 5000
    tail = noise(song, len(time), 150, top_hz) * np.exp(time * (math.log(1e-3) / seconds))
    band_share = min(1.0, 2 * top_hz / song.sample_rate)
    tail *= wet * math.sqrt(band_share / 2) / np.sqrt(np.sum(tail**2))
    sent = mix.sum(axis=0, keepdims=True)
    return mix + signal.oaconvolve(sent, tail, axes=-1)[:, : song.samples].astype(np.float32)


def master(song: Song, mix: np.ndarray) -> np.ndarray:
    """Tilt the spectrum a little, saturate softly, fade, and set the peak to PEAK_DBFS."""
    rumble = signal.butter(1, 25.0, "highpass", fs=song.sample_rate, output="sos")
    mix = signal.sosfilt(rumble, mix).astype(np.float32)
    mix[:, 1:] -= song.rng.uniform(-0.3, 0.3) * mix[:, :-1]
    mix = np.tanh(mix * (0.25 / max(float(mix.std()), 1e-9)))
    mix *= edges(song.samples, round(0.02 * song.sample_rate), round(0.5 * song.sample_rate))
    return mix * (10 ** (PEAK_DBFS / 20) / max(float(np.abs(mix).max()), 1e-9))


# Styles


def ambient(song: Song) -> np.ndarray:
    """Slowly swelling chords, wind and a few bells in a very large room."""
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


def acid_line(song: Song) -> np.ndarray:
    """A bar of bass sixteenths, accents and slides, sawed through a sweeping resonant low-pass."""
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
    voice = oscillate(spectra, hz, song.sample_rate, rows) * accents[slot] * gate
    return np.tanh(rng.uniform(0.6, 2.5) * voice)


def techno(song: Song) -> np.ndarray:
    """Four to the floor: kick, hats, clap, an acid line and chord stabs, ducked by the kick."""
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
    song.place(synths, synths[::-1], 0.75, rng.uniform(0.2, 0.6))  # an echo from the other side
    _, within = song.grid(1)
    ducking = np.exp(within * (-1 / 0.1)) * np.minimum(within / 0.004, 1)
    return drums + reverb(song, synths, 1.2, 0.3) * (1 - rng.uniform(0.5, 0.9) * ducking)


def chiptune(song: Song) -> np.ndarray:
    """A console of the eighties: two pulse waves, a stepped triangle and held noise."""
    rng, rate = song.rng, song.sample_rate
    harmonic = np.arange(1, 400)
    stairs = np.round(7.5 - 7.5 * np.abs(np.linspace(-2, 2, 4096, endpoint=False))) / 7.5
    triangle = np.fft.rfft(stairs)[harmonic] / 2048
    lead, chord = np.sin(np.pi * rng.choice((0.125, 0.25, 0.5), (2, 1)) * harmonic) / harmonic
    fade_seconds = rng.uniform(0.1, 0.5)

    def tone(spectrum: np.ndarray, degree: int, beats: float) -> np.ndarray:
        seconds = beats * song.beat_seconds
        time = clock(seconds, rate)
        vibrato = 0.006 * np.clip(8 * time - 1.6, 0, 1) * np.sin(2 * np.pi * 6.5 * time)
        wave = oscillate(spectrum[None], song.hertz(degree) * (1 + vibrato), rate)
        return struck(seconds, fade_seconds * (1 + beats), rate) * wave

    def hiss(clock_hz: float, decay_seconds: float) -> np.ndarray:
        gain = struck(4 * decay_seconds, decay_seconds, rate)
        held = (clock(4 * decay_seconds, rate) * clock_hz).astype(np.intp)
        return gain * rng.choice((-1.0, 1.0), held[-1] + 1)[held]

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


def strings(song: Song) -> np.ndarray:
    """A chamber ensemble: a tune over voices that move to the nearest tone of each chord."""
    rng, rate = song.rng, song.sample_rate
    resonances_hz = rng.uniform((250, 450, 900, 2200), (320, 650, 1500, 3500))[:, None]
    bright_hz = rng.uniform(2500, 6000)
    mix = song.silence()

    def desk(degree: int, beat: float, beats: float, gain: float, pan: float) -> None:
        """Two players, a little apart in pitch, time and place; the vibrato sets in late."""
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
    long, short = rng.choice((1, 2)), rng.choice((4, 8))  # strokes in a bar
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

Style = tuple[Callable[[Song], np.ndarray], tuple[float, float], tuple[str, ...]]
COMPOSERS: dict[str, Style] = {
    "ambient": (ambient, (42, 66), ("major", "lydian", "dorian")),
    "techno": (techno, (120, 140), ("minor", "phrygian", "dorian")),
    "chiptune": (chiptune, (135, 180), ("major", "mixolydian", "minor")),
    "strings": (strings, (62, 100), ("major", "dorian", "minor")),
}
STYLES = tuple(COMPOSERS)


def compose(style: str, seed: int, seconds: float, sample_rate: int) -> np.ndarray:
    """Compose, play and master a song; the same arguments give the same samples.

    Args:
      style: one of `STYLES`.
      seed: 0 or more; each one is another song.
      seconds: length.
      sample_rate: in Hz.

    Returns:
      float32 `[samples, 2]` whose peak is at `PEAK_DBFS`.

    Raises:
      ConfigError: if the style is unknown or a number is out of range.
    """
    if style not in COMPOSERS:
        raise ConfigError(f"style={style!r} is unknown; choose one of {', '.join(STYLES)}")
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; use 0 or more")
    if sample_rate < MIN_SAMPLE_RATE:
        raise ConfigError(f"sample_rate={sample_rate} Hz is too low; use {MIN_SAMPLE_RATE} or more")
    if not MIN_SECONDS <= seconds < math.inf:
        raise ConfigError(f"seconds={seconds} is no length of a song; use {MIN_SECONDS} or more")
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


def write_corpus(
    folder: Path, tracks_per_style: int, seconds: float, sample_rate: int, seed: int
) -> list[Path]:
    """Write `folder/<style>/<style>-<nn>.flac`, 16 bit, in place of what is there.

    Every track is a song of its own, also over corpora of different seeds.

    Returns:
      The paths, style by style.

    Raises:
      ConfigError: if there is no track to write, or a number is out of range.
    """
    if tracks_per_style < 1:
        raise ConfigError(f"tracks_per_style={tracks_per_style} is no corpus; use 1 or more")
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; use 0 or more")
    paths = []
    for style in STYLES:
        for number in range(1, tracks_per_style + 1):
            song_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            song = compose(style, song_seed, seconds, sample_rate)
            path = folder / style / f"{style}-{number:02d}.flac"
            with replacing(path) as temporary:
                soundfile.write(temporary, song, sample_rate, "PCM_16", format="FLAC")
            paths.append(path)
    return paths
