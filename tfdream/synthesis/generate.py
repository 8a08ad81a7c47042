"""`generate`: music from nothing, or from where a recording ends."""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdream import audio
from tfdream.config import GenerateConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models.sequence import DecoderState, SequenceModel
from tfdream.runs import GenerationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.synthesis.rendering.process import check_output, write_sidecar
from tfdream.synthesis.vocoder import StreamingVocoder, joined

_PIECE_SECONDS = 10.0


@dataclass(frozen=True)
class Prompt:
    """The end of a recording, as a generator hears it.

    Attributes:
      path: of the recording.
      info: its rate, channels and samples, counted.
      model_samples: of all of it at the model's rate.
      end: its last samples there, float32 `[samples]`, no more than a clip.
      gains: of each channel beside the mid, float32 `[channels]`: what goes on has its balance.
    """

    path: Path
    info: audio.AudioInfo
    model_samples: int
    end: np.ndarray
    gains: np.ndarray

    @classmethod
    def read(cls, path: Path, run: GenerationRun, crossfade_seconds: float) -> "Prompt":
        """Read a recording of any length, rate and number of channels.

        Raises:
          AudioError: if it cannot be read, or is too short to go on from.
        """
        rate, longest = run.sample_rate, run.clip_samples
        with audio.Reader(path) as reader:
            info = reader.info
            kept, samples = _ending(reader.blocks(), longest * info.sample_rate // rate + 1)
            end, model_samples = _ending(reader.mid(rate), longest)
        frontend = run.frontend
        assert isinstance(frontend, SpectrogramFrontend)
        needed = frontend.spec.n_fft + math.ceil(crossfade_seconds * rate)
        if model_samples <= needed:
            raise AudioError(
                f"--prompt '{path}' lasts {samples / info.sample_rate:.3f} s; give more than "
                f"{needed / rate:.3f} s to go on from"
            )
        mid = kept.mean(axis=1)
        energy = float(mid @ mid)
        gains = mid @ kept / energy if energy else np.ones(info.channels, np.float32)
        return cls(path, info._replace(samples=samples), model_samples, end[:, 0], gains)


def generate(
    output: Path,
    run: GenerationRun,
    config: GenerateConfig,
    seconds: float = 30.0,
    prompt: Path | None = None,
    force: bool = False,
    bits: int | None = None,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Generate sound, and write it.

    Without a prompt, the generator is given one frame of the clips that it learnt, chosen by the
    seed, and goes on from there. With one, it listens to the end of it, as long as a clip, and goes
    on; the output then is the prompt, sample by sample, but for a short joint at its end, and what
    follows. The generator hears and makes one channel: what follows has the balance of the prompt's
    channels, and what lies above the generator's band ends with it.

    Args:
      output: wav, flac or ogg, by its extension. Beside it goes a sidecar, ``<output>.json``.
      run: of a generator.
      config: temperature, phase, joint, seed.
      seconds: how much is generated.
      prompt: a recording to go on from; the output then has its rate and channels.
      force: overwrite `output`.
      bits: of the output, see `audio.Writer`.
      progress: hears the frames done; where it returns True, what is done is written.

    Returns:
      The JSON object of the command: output, generated_seconds, prompt_seconds, temperature, seed,
      spectral_convergence_db (of the sound to its frames), audio_seconds, compute_seconds, and what
      was written: sample_rate, channels, samples, peak; interrupted, if it was stopped.

    Raises:
      AudioError, ConfigError, ModelError: if a file, the run or the settings do not fit.
    """
    check_output(output, bits, force, (prompt,))
    started = time.perf_counter()
    heard = Prompt.read(prompt, run, config.crossfade_seconds) if prompt is not None else None
    rate = run.sample_rate if heard is None else heard.info.sample_rate
    samples = round(seconds * rate)
    if not samples:
        raise ConfigError(f"seconds={seconds:g} is less than a sample at {rate} Hz; ask for more")
    runner = FrameGenerator(run, config, heard)
    pieces = FrameChunks(runner, math.ceil(seconds * run.sample_rate), progress)
    if heard is None:
        with audio.Writer(output, rate, 1, bits) as writer:
            sound = audio.head(joined(iter(pieces), runner.voice), samples)
            for block in audio.limit(sound, rate):
                writer.write(block)
    else:
        joint = round(config.crossfade_seconds * rate)
        before = heard.info.samples - joint
        with (
            audio.Reader(heard.path) as reader,
            audio.Writer(output, rate, heard.info.channels, bits) as writer,
        ):
            for block in audio.head(reader.blocks(), before):
                writer.write(block)
            after = _after(heard, joined(iter(pieces), runner.voice), runner)
            for block in audio.limit(audio.head(after, joint + samples), rate):
                writer.write(block)
    written = writer.written
    prompt_seconds = heard.info.samples / rate if heard else 0.0
    audio_seconds = written.samples / rate
    result = {
        "output": str(output),
        "generated_seconds": audio_seconds - prompt_seconds,
        "prompt_seconds": prompt_seconds,
        "temperature": runner.temperature,
        "seed": config.seed,
        "spectral_convergence_db": runner.voice.convergence_db(),
        "audio_seconds": audio_seconds,
        "compute_seconds": round(time.perf_counter() - started, 3),
        **written._asdict(),
    }
    if pieces.stopped:
        result["interrupted"] = True
    making = {
        "command": "generate",
        "prompt": str(prompt) if prompt else None,
        "run": run.describe(),
        "seconds": seconds,
        "config": config.model_dump(mode="json"),
        "bits": bits,
    }
    write_sidecar(output, making, result)
    return result


class FrameGenerator:
    """A generator that hears itself, and the voice that gives it sound.

    Args:
      run: of the generator.
      config: temperature, phase, joint, seed.
      prompt: what it heard before; without, one of its openings.

    Raises:
      ConfigError: if a temperature is asked of a generator that leaves nothing to chance.
    """

    def __init__(
        self, run: GenerationRun, config: GenerateConfig, prompt: Prompt | None = None
    ) -> None:
        generator, frontend = run.sequence_model, run.frontend
        assert isinstance(frontend, SpectrogramFrontend)
        self.sample_rate = run.sample_rate
        self.seed = config.seed
        self.temperature = _temperature(generator, config)
        self._go_on = tf.function(generator.generate_frames)
        self._listen = tf.function(generator.encode_prompt)
        reference_db = float(generator.reference_db)
        waveform = np.zeros(0, np.float32)
        if prompt is None:
            openings = generator.openings.numpy()
            frames = openings[[np.random.default_rng(config.seed).integers(len(openings))]]
        else:
            waveform = prompt.end
            image, remainder = frontend.analyze(tf.constant(waveform[np.newaxis]))
            reference_db = float(remainder.reference_db[0, 0, 0])
            # Those that the end of the recording does not cut.
            whole = (len(waveform) - frontend.spec.n_fft // 2) // frontend.spec.hop_samples + 1
            frames = image[0, :, :whole, 0].numpy().T
        joint_samples = max(1, round(config.crossfade_seconds * run.sample_rate))
        self.voice = StreamingVocoder(
            frontend, reference_db, config.phase, joint_samples, config.seed
        )
        self.voice.hear(frames, waveform)
        self.position: DecoderState = self._listen(tf.constant(frames[np.newaxis]))
        self.done = 0

    def frames(self, count: int) -> np.ndarray:
        """The next frames: float32 `[count, bands]`."""
        said, self.position = self._go_on(
            self.position,
            tf.constant(self.done),
            tf.constant(count),
            tf.constant(self.temperature, tf.float32),
            tf.constant(self.seed, tf.int64),
        )
        self.done += count
        frames: np.ndarray = said[0].numpy()
        return frames


class FrameChunks:
    """Frames for so many samples, piece by piece, until somebody stops it.

    Args:
      runner: which makes them.
      samples: of the sound, at the model's rate.
      progress: hears the frames done, and of all.
    """

    def __init__(self, runner: FrameGenerator, samples: int, progress: ProgressFn) -> None:
        self.runner = runner
        self.progress = progress
        spec = runner.voice.spec
        # What is heard of a piece begins and ends up to a window before its frames do.
        self.count = -(-samples // spec.hop_samples) + 3 * runner.voice.margin_frames
        self.longest = math.ceil(_PIECE_SECONDS * runner.sample_rate / spec.hop_samples)
        self.stopped = False

    def __iter__(self) -> Iterator[np.ndarray]:
        left = self.count
        while left and not self.stopped:
            # No piece is too short to have a sound of its own.
            count = left if left < 1.5 * self.longest else self.longest
            left -= count
            yield self.runner.frames(count)
            self.stopped = bool(self.progress(self.count - left, self.count, 0.0) and left)


def _temperature(generator: SequenceModel, config: GenerateConfig) -> float:
    if config.temperature is None:
        return generator.temperature
    if config.temperature and not generator.stochastic:
        raise ConfigError(
            f"temperature={config.temperature:g}: a generator that says the mean of what may "
            "follow leaves nothing to chance; leave it out"
        )
    return config.temperature


def _ending(blocks: Iterator[np.ndarray], longest: int) -> tuple[np.ndarray, int]:
    """The last samples of a stream, at most so many, and how many there were of all."""
    kept = np.zeros((0, 1), np.float32)
    total = 0
    for block in blocks:  # none, if a click at a high rate is resampled to nothing
        kept = np.concatenate([kept, block])[-longest:] if total else block[-longest:]
        total += len(block)
    return kept, total


def _after(
    prompt: Prompt, sound: Iterator[np.ndarray], runner: FrameGenerator
) -> Iterator[np.ndarray]:
    """From the joint on, at the prompt's rate and with its channels.

    Args:
      prompt: that the sound goes on from.
      sound: blocks `[samples, 1]` at the model's rate; the first samples are those of the joint.
      runner: which makes it.

    Yields:
      float32 `[samples, channels]`.
    """
    rate, model_rate = prompt.info.sample_rate, runner.sample_rate
    # Resampled from a place that has a sample at both rates, with the prompt before the joint.
    common = math.gcd(rate, model_rate)
    unit = model_rate // common
    begin = prompt.model_samples - len(prompt.end)
    first = -(-begin // unit) * unit
    joint_samples = runner.voice.joint_samples
    lead = prompt.end[first - begin : len(prompt.end) - joint_samples, np.newaxis]
    resampled = audio.resample(itertools.chain([lead], sound), model_rate, rate)
    length = round(joint_samples * rate / model_rate)
    start = prompt.info.samples - length
    with audio.Reader(prompt.path) as reader:
        ending = np.concatenate(list(audio.trim(reader.blocks(), start, 0)))
    done = 0
    for block in audio.trim(resampled, start - first // unit * (rate // common), 0):
        channels = block * prompt.gains.astype(np.float32)
        own = ending[done : done + len(block)]
        if len(own):
            fade = ((np.arange(len(own)) + done + 0.5) / length).astype(np.float32)[:, np.newaxis]
            channels[: len(own)] = own + fade * (channels[: len(own)] - own)
        done += len(block)
        yield channels
