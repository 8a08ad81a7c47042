"""Rendering of scores with a General MIDI soundfont and FluidSynth."""

import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from tfdream.audio import Samples
from transfer_pairs.scores import SAMPLE_RATE, SECONDS, Score

DEFAULT_SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
_TICKS_PER_QUARTER = 480
_TICKS_PER_SECOND = 960  # at the default tempo of 120 quarters per minute
_DRUM_CHANNEL = 9
_TIMEOUT_SECONDS = 300


def render(score: Score, program: int, drums: bool, soundfont: Path) -> Samples:
    """Render a score.

    Args:
      score: notes in seconds.
      program: General MIDI program, from 0; of drums, the kit.
      drums: whether pitches are keys of the General MIDI drum map.
      soundfont: path of an SF2 file.

    Returns:
      float32 `[samples]`, mono.

    Raises:
      OSError, subprocess.SubprocessError: if FluidSynth is not installed or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder) / "score.mid", Path(folder) / "score.wav"
        midi.write_bytes(midi_file(score, program, drums))
        command = ["fluidsynth", "-ni", "-q", "-g", "0.4", "-r", str(SAMPLE_RATE)]
        command += ["-o", "synth.dynamic-sample-loading=1"]  # a fraction of the time
        command += ["-O", "float", "-T", "wav", "-F", str(wave), str(soundfont), str(midi)]
        subprocess.run(command, check=True, timeout=_TIMEOUT_SECONDS, capture_output=True)
        mono: Samples = soundfile.read(wave, dtype="float32")[0].mean(axis=1)
    samples = round(SECONDS * SAMPLE_RATE)
    return np.pad(mono[:samples], (0, max(0, samples - len(mono))))


def midi_file(score: Score, program: int, drums: bool) -> bytes:
    """Return a MIDI file of one track."""
    channel = _DRUM_CHANNEL if drums else 0
    note_on, note_off = 0x90 | channel, 0x80 | channel
    events = [(0, bytes((0xC0 | channel, program)))]
    for note in score:
        velocity = round(40 + 80 * note.velocity)
        end = round((note.onset + note.duration) * _TICKS_PER_SECOND) - 1
        start = round(note.onset * _TICKS_PER_SECOND)
        events += [
            (start, bytes((note_on, note.pitch, velocity))),
            (end, bytes((note_off, note.pitch, 0))),
        ]
    track, now = b"", 0
    for tick, data in sorted(events, key=lambda event: (event[0], event[1][0] == note_on)):
        track += _variable_length(tick - now) + data
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS_PER_QUARTER)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


def _variable_length(number: int) -> bytes:
    """Encode a number in groups of seven bits, the highest first."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.insert(0, 0x80 | number & 0x7F)
    return bytes(groups)
