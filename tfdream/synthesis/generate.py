"""`generate`: audio from a sequence model, with or without a prompt."""

import functools
import itertools
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfdream import audio
from tfdream.audio.render import PeakMeter, reduction_db
from tfdream.config import GenerateConfig
from tfdream.config.curves import followed
from tfdream.errors import ConfigError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.models.sequence import DecoderState, SequenceModel
from tfdream.runs import GenerationRun
from tfdream.signal.frontends.spectrogram import SpectrogramFrontend
from tfdream.synthesis.defaults import GENERATED_SECONDS
from tfdream.synthesis.prompt import Prompt, check_crossfade
from tfdream.synthesis.rendering import sidecar, tags
from tfdream.synthesis.rendering.notes import level_notes, log_notes
from tfdream.synthesis.rendering.options import DEFAULT_OUTPUT, OutputOptions, PreviewFn
from tfdream.synthesis.rendering.sidecar import Provenance
from tfdream.synthesis.rendering.timelines import Timeline
from tfdream.synthesis.vocoder import StreamingVocoder

_CHUNK_SECONDS = 10.0
_TEMPERATURE_SECONDS = 0.25
"""Length of the parts of which each has its own temperature, if that is a curve."""


class Generation:
    """A sequence model and a recipe, for any number of prompts.

    Args:
      run: run of a sequence model.
      config: temperature, phase, crossfade, seed.
      seconds: length of the generated audio.
    """

    def __init__(
        self, run: GenerationRun, config: GenerateConfig, seconds: float = GENERATED_SECONDS
    ) -> None:
        self.run = run
        self.config = config
        self.seconds = seconds

    def prepare(self, prompt: str | Path | None) -> None:
        """Check the settings, which are the same for all prompts.

        Args:
          prompt: any prompt, which is not read; None checks no crossfade.

        Raises:
          ConfigError: if a temperature is set for a deterministic model, or the crossfade is too
            long for the model.
        """
        _temperature(self.run.sequence_model, self.config)
        if prompt is not None:
            check_crossfade(self.run, self.config.crossfade_seconds)

    def __call__(
        self,
        prompt: str | Path | None,
        output: str | Path,
        options: OutputOptions = DEFAULT_OUTPUT,
        progress: ProgressFn = no_progress,
    ) -> dict[str, Any]:
        """Generate audio, and write it; see `generate`."""
        output = Path(output)
        inputs = (prompt, *followed(self.config.curves))
        sidecar.check_output(output, options.bits, options.force, inputs)
        started = time.perf_counter()
        run, config = self.run, self.config
        start = None if prompt is None else Prompt.read(prompt, run, config.crossfade_seconds)
        rate = run.sample_rate if start is None else start.info.sample_rate
        if start is not None:
            log_notes(start.path, start.notes)
        samples = round(self.seconds * rate)
        if not samples:
            raise ConfigError(
                f"seconds={self.seconds:g} is less than a sample at {rate} Hz; use more"
            )
        curve = config.curves.get("temperature")
        timeline = None if curve is None else Timeline.sample(curve, self.seconds)
        generator = FrameGenerator(run, config, start, timeline)
        chunks = FrameChunks(generator, math.ceil(self.seconds * run.sample_rate), progress)
        provenance = self.provenance(prompt, options)
        with sidecar.claim(output, provenance):
            options = tags.tagged(options, provenance)
            written = self._write(output, generator, chunks, start, samples, options)
            prompt_seconds = start.samples / rate if start else 0.0
            audio_seconds = written.samples / rate
            notes = list(level_notes(written))
            log_notes(output, notes)
            result = {
                "output": str(output),
                "generated_seconds": audio_seconds - prompt_seconds,
                "prompt_seconds": prompt_seconds,
                "temperature": generator.temperature if timeline is None else None,
                "seed": config.seed,
                "spectral_convergence_db": generator.vocoder.convergence_db(),
                "audio_seconds": audio_seconds,
                "compute_seconds": round(time.perf_counter() - started, 3),
                **written._asdict(),
                "notes": [*(start.notes if start else []), *notes],
            }
            if chunks.stopped:
                result["interrupted"] = True
            sidecar.write(output, provenance, result)
        return result

    def _write(
        self,
        output: Path,
        generator: "FrameGenerator",
        chunks: "FrameChunks",
        start: Prompt | None,
        samples: int,
        options: OutputOptions,
    ) -> audio.Written:
        """Write the prompt, if there is one, and the generated audio."""
        sound = audio.apply_filters(
            generator.vocoder.stream(chunks), self.run.sample_rate, self.config.filter
        )
        if options.preview is not None:
            sound = _previewed(sound, self.run.sample_rate, options.preview)
        if start is None:
            blocks = audio.head(sound, samples)
            return audio.write_blocks(
                output, blocks, self.run.sample_rate, 1, options.bits, _unscaled, options.tag
            )
        rate, channels = start.info.sample_rate, start.info.channels
        crossfade = max(1, round(self.config.crossfade_seconds * rate))
        continuation = start.continuation(
            sound, crossfade, generator.vocoder.crossfade_samples, self.run.sample_rate
        )
        ceiling, meter = max(audio.CEILING, start.peak), PeakMeter()
        generated = meter.measure(audio.head(continuation, crossfade + samples))
        with (
            audio.Reader(start.path) as reader,
            audio.Writer(output, rate, channels, options.bits, options.tag) as writer,
        ):
            blocks = itertools.chain(
                audio.head(reader.blocks(), start.samples - crossfade),
                audio.limit(generated, rate, ceiling),
            )
            audio.write_scaled(writer, blocks, factor=1.0, peak=ceiling)
            if meter.peak > ceiling:
                limit = audio.CEILING if writer.has_full_scale else ceiling
                reduction = reduction_db(meter.peak, limit)
                writer.set_level(writer.written.gain_db, reduction)
        return writer.written

    def provenance(
        self, prompt: str | Path | None, options: OutputOptions = DEFAULT_OUTPUT
    ) -> Provenance:
        """Return the inputs and settings that determine the generated audio."""
        return tags.with_inputs(
            {
                "command": "generate",
                "prompt": str(prompt) if prompt else None,
                "run": self.run.describe(),
                "seconds": self.seconds,
                "config": self.config.model_dump(mode="json"),
                "bits": options.bits,
            }
        )


def generate(
    output: str | Path,
    run: GenerationRun,
    config: GenerateConfig,
    seconds: float = GENERATED_SECONDS,
    prompt: str | Path | None = None,
    options: OutputOptions = DEFAULT_OUTPUT,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Generate audio, and write it.

    Without a prompt, the model continues one frame of its training clips, which the seed selects.
    With a prompt, it continues the end of the prompt, up to the length of a clip; the output then
    is the prompt, sample by sample except for a short crossfade at its end, and the continuation.
    The model has one channel: the continuation has the balance of the prompt's channels, and no
    frequencies above the model's band.

    Args:
      output: wav, flac or ogg, by its extension. Its sidecar is ``<output>.json``.
      run: run of a sequence model.
      config: temperature, phase, crossfade, seed.
      seconds: length of the generated audio.
      prompt: audio file to continue; the output then has its rate and channels.
      options: format of the output, and whether to overwrite.
      progress: receives finished and all frames; if it returns True, the finished frames are
        written.

    Returns:
      The JSON object of the command: output, generated_seconds, prompt_seconds, temperature (None
      if it is a curve), seed, spectral_convergence_db (of the waveform to its frames),
      audio_seconds, compute_seconds, and the properties of the output: sample_rate, channels,
      samples, peak; interrupted, if stopped.

    Raises:
      AudioError, ConfigError, ModelError: if a file, the run or the settings do not fit.
    """
    return Generation(run, config, seconds)(prompt, output, options, progress)


class FrameGenerator:
    """A sequence model with its decoder state, and the vocoder of its frames.

    Args:
      run: run of the sequence model.
      config: temperature, phase, crossfade, seed.
      prompt: audio to continue; None continues one of the model's initial frames.
      timeline: temperature over time, instead of a constant one.

    Raises:
      ConfigError: if a temperature is set for a deterministic model.
    """

    def __init__(
        self,
        run: GenerationRun,
        config: GenerateConfig,
        prompt: Prompt | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        model, frontend = run.sequence_model, run.frontend
        assert isinstance(frontend, SpectrogramFrontend)  # validated by the experiment
        self.sample_rate = run.sample_rate
        self.seed = config.seed
        self.timeline = timeline
        self.temperature = _temperature(model, config)
        self._generate = model.compiled_generate_frames
        reference_db = float(model.reference_db)
        waveform = np.zeros(0, np.float32)
        if prompt is None:
            initial_frames = model.initial_frames.numpy()
            number = np.random.default_rng(config.seed).integers(len(initial_frames))
            frames = initial_frames[[number]]
        else:
            waveform, frames = prompt.ending, prompt.frames
            reference_db = prompt.reference_db
        crossfade_samples = max(1, round(config.crossfade_seconds * run.sample_rate))
        self.vocoder = StreamingVocoder(
            frontend, reference_db, config.phase, crossfade_samples, config.seed
        )
        self.vocoder.prime(frames, waveform)
        self.state: DecoderState = model.compiled_encode_prompt(tf.constant(frames[np.newaxis]))
        self.done = 0

    def frames(self, count: int) -> NDArray[Any]:
        """Generate the next frames: float32 `[count, bands]`."""
        if self.timeline is None:
            return self._next_frames(count, self.temperature)
        hop_seconds = self.vocoder.spec.hop_samples / self.sample_rate
        longest = max(1, round(_TEMPERATURE_SECONDS / hop_seconds))
        parts = []
        for first in range(0, count, longest):
            temperature = float(self.timeline(self.done * hop_seconds))
            parts.append(self._next_frames(min(longest, count - first), temperature))
        return np.concatenate(parts)

    def _next_frames(self, count: int, temperature: float) -> NDArray[Any]:
        frames, self.state = self._generate(
            self.state,
            tf.constant(self.done),
            tf.constant(count),
            tf.constant(temperature, tf.float32),
            tf.constant(self.seed, tf.int64),
        )
        self.done += count
        generated: NDArray[Any] = frames[0].numpy()
        return generated


class FrameChunks:
    """Iterates over the generated frames in chunks, until the progress callback stops it.

    Args:
      generator: generates the frames.
      samples: length of the waveform at the model's rate.
      progress: receives the number of finished frames and of all frames.
    """

    def __init__(self, generator: FrameGenerator, samples: int, progress: ProgressFn) -> None:
        self.generator = generator
        self.progress = progress
        vocoder = generator.vocoder
        hop_samples = vocoder.spec.hop_samples
        # The samples of a chunk begin and end up to a window before its frames.
        self.count = -(-samples // hop_samples) + 3 * vocoder.margin_frames
        self.longest = math.ceil(_CHUNK_SECONDS * generator.sample_rate / hop_samples)
        self.stopped = False

    def __iter__(self) -> Iterator[NDArray[Any]]:
        left = self.count
        while left and not self.stopped:
            # The last chunk is longer instead of leaving one that is too short for the vocoder.
            count = left if left < 1.5 * self.longest else self.longest
            left -= count
            yield self.generator.frames(count)
            self.stopped = bool(self.progress(self.count - left, self.count) and left)


def _previewed(
    blocks: Iterable[NDArray[Any]], sample_rate: int, preview: PreviewFn
) -> Iterator[NDArray[Any]]:
    """Pass blocks of generated audio `[samples, channels]` on, each to a preview first."""
    samples = 0
    for number, block in enumerate(blocks, 1):
        preview(number, samples / sample_rate, sample_rate, functools.partial(np.asarray, block))
        samples += len(block)
        yield block


def _unscaled(level: audio.Level) -> None:
    """Return no gain: it is reduced if a limiter would have to attenuate peaks by more than 6 dB.

    In contrast to a gain of 1, no peak exceeds full scale, whatever the format.
    """


def _temperature(model: SequenceModel, config: GenerateConfig) -> float:
    if "temperature" in config.curves and not model.stochastic:
        raise ConfigError(
            "curves.temperature: the model is deterministic, it predicts the mean of the next "
            "frame; remove the curve"
        )
    if config.temperature is None:
        return model.temperature
    if config.temperature and not model.stochastic:
        raise ConfigError(
            f"temperature={config.temperature:g}: the model is deterministic, it predicts the mean "
            "of the next frame; remove it"
        )
    return config.temperature
