"""Prompts: audio files that `generate` continues."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.audio.notes import Examination
from tfdream.audio.render import PeakMeter
from tfdream.errors import AudioError, ConfigError
from tfdream.runs import GenerationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend

_CANCELLED = 1e-4
"""Energy of the mid signal relative to the loudest channel's, below which the channels cancel."""


@dataclass(frozen=True)
class Prompt:
    """The end of an audio file, as input of a sequence model.

    Attributes:
      path: the file.
      info: its header.
      samples: its length, counted and not read from the header.
      peak: its largest absolute sample.
      model_samples: number of samples of the whole file at the model's rate.
      ending: the last samples of one signal at the model's rate, at most a clip, float32
        `[samples]`: the mid signal, or the loudest channel if the channels cancel each other.
      frames: the frames of `ending` as the model's input, float32 `[frames, bands]`.
      reference_db: level in dB of the value 1 in the frames; after silence, that of the training.
      notes: reasons to doubt the continuation, see `audio.notes`.
      gains: gain of each channel relative to `ending`, float32 `[channels]`, so that the
        continuation has the levels and polarities of the prompt's channels.
    """

    path: Path
    info: audio.AudioInfo
    samples: int
    peak: float
    notes: list[str]
    model_samples: int
    ending: NDArray[Any]
    frames: NDArray[Any]
    reference_db: float
    gains: NDArray[Any]

    @classmethod
    def read(cls, path: str | Path, run: GenerationRun, crossfade_seconds: float) -> "Prompt":
        """Read a file of any length, rate and number of channels.

        Raises:
          AudioError: if it cannot be read, or is too short to be continued.
          ConfigError: see `check_crossfade`.
        """
        minimum = check_crossfade(run, crossfade_seconds)
        path = Path(path)
        rate, longest = run.sample_rate, run.input_samples
        with audio.Reader(path) as reader:
            info = reader.info
            meter, examination = PeakMeter(), Examination(info.sample_rate)
            blocks = examination.observe(meter.measure(reader.blocks()))
            tail, samples = _last_samples(blocks, longest * info.sample_rate // rate + 1)
            notes = examination.notes(rate, damage=reader.damage)
            weights = _weights(tail)
            signal = (block @ weights[:, np.newaxis] for block in reader.blocks())
            resampled = audio.resample(signal, info.sample_rate, rate)
            ending, model_samples = _last_samples(resampled, longest)
        if model_samples <= minimum:
            raise AudioError(
                f"--prompt '{path}' has a length of {samples / info.sample_rate:.3f} s; give more "
                f"than {minimum / rate:.3f} s"
            )
        if weights.max() == 1 < len(weights):
            notes = [note for note in notes if "cancel" not in note]
            notes.append("its channels cancel each other, so the loudest one is continued")
        gains = _gains(tail, tail @ weights)
        frames, reference_db = _analyze(ending[:, 0], run)
        if not frames.any():
            reference_db = float(run.sequence_model.reference_db)
            gains = np.ones_like(gains)
            notes.append(
                f"its last {len(ending) / rate:.2f} s are silent, so the continuation has the "
                "level of the training data"
            )
        return cls(
            path,
            info,
            samples,
            meter.peak,
            notes,
            model_samples,
            ending[:, 0],
            frames,
            reference_db,
            gains,
        )

    def continuation(
        self,
        sound: Iterator[NDArray[Any]],
        crossfade_samples: int,
        model_crossfade_samples: int,
        model_rate: int,
    ) -> Iterator[NDArray[Any]]:
        """Convert generated sound to the prompt's rate and channels, and crossfade its start.

        Args:
          sound: blocks `[samples, 1]` at the model's rate; they start with the crossfade.
          crossfade_samples: length of the crossfade at the prompt's rate.
          model_crossfade_samples: its length at the model's rate.
          model_rate: sample rate of the model in Hz.

        Yields:
          float32 `[samples, channels]`, from the start of the crossfade on.
        """
        rate = self.info.sample_rate
        # Resampling starts at a position that has a sample at both rates, before the crossfade.
        common = math.gcd(rate, model_rate)
        unit = model_rate // common
        begin = self.model_samples - len(self.ending)
        first = -(-begin // unit) * unit
        lead_end = len(self.ending) - model_crossfade_samples
        lead = self.ending[first - begin : lead_end, np.newaxis]
        resampled = audio.resample(itertools.chain([lead], sound), model_rate, rate)
        start = self.samples - crossfade_samples
        with audio.Reader(self.path) as reader:
            ending = np.concatenate(list(audio.trim(reader.blocks(), start, 0)))
        done = 0
        for block in audio.trim(resampled, start - first // unit * (rate // common), 0):
            channels = block * self.gains
            original = ending[done : done + len(block)]
            count = len(original)
            if count:
                fade = (np.arange(count) + done + 0.5) / crossfade_samples
                fade = fade.astype(np.float32)[:, np.newaxis]
                channels[:count] = original + fade * (channels[:count] - original)
            done += len(block)
            yield channels


def check_crossfade(run: GenerationRun, crossfade_seconds: float) -> int:
    """Check that a crossfade fits the clips of a run, whatever the prompt.

    Returns:
      The number of samples, at the rate of the run, that a prompt must be longer than: a window and
      the crossfade.

    Raises:
      ConfigError: if the crossfade is not shorter than a clip without a window.
    """
    rate, longest, frontend = run.sample_rate, run.input_samples, run.frontend
    assert isinstance(frontend, SpectrogramFrontend)  # validated by the experiment
    minimum = frontend.spec.n_fft + math.ceil(crossfade_seconds * rate)
    if minimum >= longest:
        raise ConfigError(
            f"crossfade_seconds={crossfade_seconds:g} is too long: the model reads the last "
            f"{longest / rate:g} s of a prompt; use less than "
            f"{(longest - frontend.spec.n_fft) / rate:.3g}"
        )
    return minimum


def _weights(tail: NDArray[Any]) -> NDArray[np.float32]:
    """Return the shares of channels `[samples, channels]` in the signal that is continued."""
    channels = tail.shape[1]
    energies = np.sum(tail**2, axis=0)
    if np.sum(tail.mean(axis=1) ** 2) < _CANCELLED * energies.max():
        loudest: NDArray[np.float32] = np.eye(channels, dtype=np.float32)[energies.argmax()]
        return loudest
    return np.full(channels, 1 / channels, np.float32)


def _gains(tail: NDArray[Any], signal: NDArray[Any]) -> NDArray[np.float32]:
    """Return the level of each channel `[samples, channels]` relative to that of a signal.

    It is negative where a channel has the opposite polarity. All are 1 for a signal without energy.
    """
    energy = float(signal @ signal)
    if not energy:
        return np.ones(tail.shape[1], np.float32)
    levels = np.sqrt(np.sum(tail**2, axis=0) / energy)
    return np.where(signal @ tail < 0, -levels, levels).astype(np.float32)


def _analyze(waveform: NDArray[Any], run: GenerationRun) -> tuple[NDArray[Any], float]:
    """Return the frames `[frames, bands]` whose windows end in a waveform, and their reference."""
    frontend = run.frontend
    assert isinstance(frontend, SpectrogramFrontend)  # validated by the experiment
    image, metadata = frontend.analyze(tf.constant(waveform[np.newaxis]))
    whole = (len(waveform) - frontend.spec.n_fft // 2) // frontend.spec.hop_samples + 1
    return image[0, :, :whole, 0].numpy().T, float(metadata.reference_db[0, 0, 0])


def _last_samples(blocks: Iterator[NDArray[Any]], longest: int) -> tuple[NDArray[Any], int]:
    """Return the last samples of a stream, at most `longest`, and its total length."""
    tail = np.zeros((0, 1), np.float32)
    total = 0
    for block in blocks:  # empty, if a very short file is resampled to nothing
        tail = np.concatenate([tail, block])[-longest:] if total else block[-longest:]
        total += len(block)
    return tail, total
