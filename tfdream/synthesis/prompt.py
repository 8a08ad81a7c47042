"""Prompts: audio files that `generate` continues."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.audio.notes import Examination
from tfdream.audio.render import PeakMeter
from tfdream.errors import AudioError, ConfigError
from tfdream.runs import GenerationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend


@dataclass(frozen=True)
class Prompt:
    """The end of an audio file, as input of a sequence model.

    Attributes:
      path: the file.
      info: its header.
      samples: its length, counted and not read from the header.
      peak: its largest absolute sample.
      model_samples: number of samples of the whole file at the model's rate.
      ending: the last samples at the model's rate, at most a clip, float32 `[samples]`.
      notes: reasons to doubt the continuation, see `audio.notes`.
      gains: gain of each channel relative to the mid signal, float32 `[channels]`, so that the
        continuation has the levels and polarities of the prompt's channels.
    """

    path: Path
    info: audio.AudioInfo
    samples: int
    peak: float
    notes: list[str]
    model_samples: int
    ending: NDArray[Any]
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
            ending, model_samples = _last_samples(reader.mid(rate), longest)
        if model_samples <= minimum:
            raise AudioError(
                f"--prompt '{path}' has a length of {samples / info.sample_rate:.3f} s; give more "
                f"than {minimum / rate:.3f} s"
            )
        gains = _gains(tail)
        return cls(path, info, samples, meter.peak, notes, model_samples, ending[:, 0], gains)

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


def _gains(tail: NDArray[Any]) -> NDArray[np.float32]:
    """Return the level of each channel `[samples, channels]` relative to that of the mid signal.

    It is negative where a channel has the opposite polarity. Without a mid signal, all are 1.
    """
    mid = tail.mean(axis=1)
    energy = float(mid @ mid)
    if not energy:
        return np.ones(tail.shape[1], np.float32)
    levels = np.sqrt(np.sum(tail**2, axis=0) / energy)
    return np.where(mid @ tail < 0, -levels, levels).astype(np.float32)


def _last_samples(blocks: Iterator[NDArray[Any]], longest: int) -> tuple[NDArray[Any], int]:
    """Return the last samples of a stream, at most `longest`, and its total length."""
    tail = np.zeros((0, 1), np.float32)
    total = 0
    for block in blocks:  # empty, if a very short file is resampled to nothing
        tail = np.concatenate([tail, block])[-longest:] if total else block[-longest:]
        total += len(block)
    return tail, total
