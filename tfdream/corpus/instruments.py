"""The instruments of the demo corpus: a grid of beats and pitches, synthesizers, and reverb.

A sound is float32 `[samples]`, a mix is float32 `[2, samples]`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tfdream.audio import Samples

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
    """Parameters shared by all instruments of a song.

    Attributes:
      rng: generator of random numbers.
      seconds: duration.
      sample_rate: in Hz.
      tempo_bpm: beats per minute.
      tonic_midi: MIDI number of the tonic.
      mode: index of `MODES`.
      chords: scale degree of the root of each bar's chord, repeated to the end.
    """

    rng: np.random.Generator
    seconds: float
    sample_rate: int
    tempo_bpm: float
    tonic_midi: int
    mode: int
    chords: tuple[int, ...]

    @property
    def samples(self) -> int:
        """Length of the mix in samples."""
        return round(self.seconds * self.sample_rate)

    @property
    def beat_seconds(self) -> float:
        """Duration of a beat in seconds."""
        return 60.0 / self.tempo_bpm

    @property
    def bars(self) -> int:
        """Number of bars that begin before the end."""
        return math.ceil(self.seconds / self.beat_seconds / BEATS_PER_BAR)

    def chord(self, bar: int) -> int:
        """Return the scale degree of the root of a bar's chord."""
        return self.chords[bar % len(self.chords)]

    def hertz(self, degree: int) -> float:
        """Return the pitch of a scale degree; 0 is the tonic near middle C, 7 an octave above."""
        octave, step = divmod(int(degree) + self.mode, len(MAJOR_SEMITONES))
        semitones = 12 * octave + MAJOR_SEMITONES[step] - MAJOR_SEMITONES[self.mode]
        return float(440.0 * 2 ** ((self.tonic_midi + semitones - 69) / 12))

    def grid(self, beats: float) -> tuple[NDArray[np.intp], Samples]:
        """Return, for each sample, the index of its step of `beats` and the seconds in the step."""
        step_samples = beats * self.beat_seconds * self.sample_rate
        position = np.arange(self.samples)
        step = (position / step_samples).astype(np.intp)
        return step, ((position - step * step_samples) / self.sample_rate).astype(np.float32)

    def lfo(self, period_seconds: float) -> Samples:
        """Return a slow sine between 0 and 1 with a random phase, float32 `[samples]`."""
        turn = clock(self.seconds, self.sample_rate) * (2 * math.pi / period_seconds)
        wave: Samples = 0.5 + 0.5 * np.sin(turn + self.rng.uniform(0, 2 * math.pi))
        return wave

    def silence(self) -> Samples:
        """Return a silent mix."""
        return np.zeros((2, self.samples), np.float32)

    def place(
        self, mix: Samples, sound: Samples, beat: float, gain: float = 1.0, pan: float = 0.0
    ) -> None:
        """Add a sound or a mix at a beat, cut at the end of the song.

        Args:
          mix: the mix to change.
          sound: float32 `[samples]` or `[2, samples]`.
          beat: start, in beats.
          gain: factor.
          pan: from -1 (left) to 1 (right), at equal power.
        """
        start = round(beat * self.beat_seconds * self.sample_rate)
        angle = (pan + 1) * math.pi / 4
        sides = np.array([[math.cos(angle)], [math.sin(angle)]], np.float32) * np.float32(gain)
        part = sound[..., : max(0, self.samples - start)]
        mix[:, start : start + part.shape[-1]] += sides * part

    def loop(self, mix: Samples, sound: Samples, gains: Samples, pan: float = 0.0) -> None:
        """Repeat a sound in a pattern of sixteenths with `gains` `[steps]`; zero is a rest."""
        for step in range(self.bars * len(SIXTEENTHS)):
            if gains[step % len(gains)]:
                self.place(mix, sound, step / 4, gains[step % len(gains)], pan)


def nearest_tone(root: int, degree: int) -> int:
    """Return the tone of the triad on `root`, in any octave, that is nearest to a degree.

    >>> nearest_tone(root=0, degree=6), nearest_tone(root=0, degree=8)
    (7, 7)
    """
    tones = (root + 7 * octave + tone for octave in range(-4, 5) for tone in (0, 2, 4))
    return min(tones, key=lambda tone: abs(tone - degree))


def melody(song: Song, low: int, high: int) -> Iterator[tuple[float, float, int]]:
    """Yield (beat, beats, degree) of a tune of two motifs, in the pattern A A' A'' B.

    A motif is a rhythm in eighths and a contour. Notes on a beat use the nearest tone of the bar's
    chord, the others follow the contour, approximately between the degrees `low` and `high`.
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


# Synthesis


def clock(seconds: float, sample_rate: int) -> Samples:
    """Return the time of each sample in seconds, float32 `[samples]`.

    >>> clock(0.5, 8).tolist()
    [0.0, 0.125, 0.25, 0.375]
    """
    return (np.arange(round(seconds * sample_rate)) / sample_rate).astype(np.float32)


def edges(samples: int, attack: int, release: int) -> Samples:
    """Return a gain with half-cosine fades, each at most half the length: float32 `[samples]`."""
    attack, release = min(attack, samples // 2), min(release, samples // 2)
    gain = np.ones(samples, np.float32)
    gain[:attack] = np.sin(np.linspace(0, np.pi / 2, attack)) ** 2
    gain[samples - release :] = np.cos(np.linspace(0, np.pi / 2, release)) ** 2
    return gain


def struck(seconds: float, decay_seconds: float, sample_rate: int) -> Samples:
    """Return the envelope of a struck sound: an exponential decay with short fades."""
    decay = np.exp(clock(seconds, sample_rate) * (-1 / decay_seconds))
    gain: Samples = decay * edges(len(decay), round(0.001 * sample_rate), round(0.01 * sample_rate))
    return gain


def oscillate(
    spectra: Samples, hz: Samples, sample_rate: int, rows: Samples | None = None
) -> Samples:
    """Synthesize a sound from a bank of periodic waveforms and a pitch curve, without aliasing.

    Args:
      spectra: complex `[rows, harmonics]`, from the fundamental up. Harmonics above the Nyquist
        frequency are removed.
      hz: pitch, float32 `[samples]`.
      sample_rate: in Hz.
      rows: row of each sample, float32 `[samples]`, below the last row; fractions interpolate
        between two rows. None selects row 0.

    Returns:
      float32 `[samples]`.
    """
    audible = spectra[:, : int(0.5 * sample_rate / hz.max())]
    bank = np.fft.irfft(np.pad(audible, ((0, 0), (1, 0))), 1 << 13).astype(np.float32) * (1 << 12)
    # The phase is counted in 32 bits, whose overflow is the wrap to the next cycle.
    turns = np.cumsum((hz * (2**32 / sample_rate)).astype(np.uint32), dtype=np.uint32)
    index = (turns >> np.uint32(32 - 13)).astype(np.intp)
    if rows is None:
        wave: Samples = bank[0][index]
        return wave
    row = rows.astype(np.intp)
    lower, upper = bank[row, index], bank[row + 1, index]
    mixed: Samples = lower + (rows - row).astype(np.float32) * (upper - lower)
    return mixed


def noise(song: Song, samples: int, low_hz: float, high_hz: float) -> Samples:
    """Return a band of noise of unit power, with independent channels: float32 `[2, samples]`."""
    high_hz = min(high_hz, 0.48 * song.sample_rate)
    band_hz = (min(low_hz, 0.5 * high_hz), high_hz)
    sections = signal.butter(1, band_hz, "bandpass", fs=song.sample_rate, output="sos")
    filtered = signal.sosfilt(sections, song.rng.standard_normal((2, samples), np.float32))
    normalized: Samples = (filtered / filtered.std()).astype(np.float32)
    return normalized


def noise_hit(song: Song, low_hz: float, high_hz: float, decay_seconds: float) -> Samples:
    """Return a decaying burst of noise, float32 `[2, samples]`."""
    gain = struck(5 * decay_seconds, decay_seconds, song.sample_rate)
    return 0.5 * gain * noise(song, len(gain), low_hz, high_hz)


def bell(hz: float, seconds: float, sample_rate: int) -> Samples:
    """Return a soft bell by frequency modulation at an inharmonic ratio."""
    turn = clock(seconds, sample_rate) * (2 * math.pi * hz)
    ring = struck(seconds, seconds / 5, sample_rate)
    sound: Samples = ring * np.sin(turn + 2 * ring * np.sin(3.51 * turn))
    return sound


def pad(song: Song, degrees: NDArray[Any], seconds: float, bright_hz: float) -> Samples:
    """Return a chord of wide, slowly beating partials, float32 `[2, samples]`.

    Each partial is a narrow band of random phases in the spectrum of the whole chord, similar to
    many players slightly out of tune. Source: Nasca, "PADsynth algorithm", 2005.
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
    turns[1] = turns[0] + 0.6 * (
        turns[1] - 0.5
    )  # a channel correlation of one half is wide without cancellation in mono
    chord = np.fft.irfft(amplitudes * np.exp(2j * np.pi * turns), length)[:, :samples]
    normalized: Samples = (chord / chord.std()).astype(np.float32)
    return normalized


# Reverb and mastering


def reverb(song: Song, mix: Samples, seconds: float, wet: float) -> Samples:
    """Add reverb: a noise tail per channel that decays by 60 dB in `seconds`.

    Args:
      song: rate and random numbers.
      mix: float32 `[2, samples]`.
      seconds: reverberation time.
      wet: gain of the tail for a mono signal in its band.
    """
    time, top_hz = clock(seconds, song.sample_rate), 5000
    tail = noise(song, len(time), 150, top_hz) * np.exp(time * (math.log(1e-3) / seconds))
    band_share = min(1.0, 2 * top_hz / song.sample_rate)
    tail *= wet * math.sqrt(band_share / 2) / np.sqrt(np.sum(tail**2))
    sent = mix.sum(axis=0, keepdims=True)
    reflected: Samples = signal.oaconvolve(sent, tail, axes=-1)[:, : song.samples]
    return mix + reflected.astype(np.float32)


def master(song: Song, mix: Samples) -> Samples:
    """Tilt the spectrum slightly, saturate softly, fade, and normalize the peak to PEAK_DBFS."""
    rumble = signal.butter(1, 25.0, "highpass", fs=song.sample_rate, output="sos")
    mix = signal.sosfilt(rumble, mix).astype(np.float32)
    mix[:, 1:] -= song.rng.uniform(-0.3, 0.3) * mix[:, :-1]
    mix = np.tanh(mix * (0.25 / max(float(mix.std()), 1e-9)))
    mix *= edges(song.samples, round(0.02 * song.sample_rate), round(0.5 * song.sample_rate))
    return mix * (10 ** (PEAK_DBFS / 20) / max(float(np.abs(mix).max()), 1e-9))
