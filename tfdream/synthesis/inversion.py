"""From a recording to the spectrogram that a network sees, and from there back to sound."""

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from tfdream import audio
from tfdream.config import AnyFrontend, BaseExperiment, FrontendConfig, PhaseConfig, describe
from tfdream.errors import AudioError, ConfigError
from tfdream.io import archives
from tfdream.io.atomic import check_output_file, write_bytes
from tfdream.signal import frontends
from tfdream.signal.frontends.spectrogram import ImageMetadata, SpectrogramFrontend
from tfdream.signal.phase import energy_db, spectral_error

# Measured by tools/bench/inversion.py: twice as many iterations bring less than 1 dB.
_INTEGRATED = PhaseConfig(init="pghi", iterations=100)
# What reading a foreign or damaged archive may raise.
_UNREADABLE = (
    *(OSError, ValueError, TypeError, LookupError, EOFError, MemoryError, RecursionError),
    *(zipfile.BadZipFile, zlib.error),
)


def analyze(
    source: Path,
    output: Path,
    config: BaseExperiment,
    start_seconds: float = 0.0,
    force: bool = False,
) -> dict[str, Any]:
    """Save one clip of a recording as a spectrogram image.

    The file (numpy's npz) holds ``image`` float32 `[height, width, channels]`, the level of its
    white in dB, the number of samples, the sample rate and the frontend's settings. It holds no
    phase unless the image shows it.

    Args:
      source: any audio file.
      output: ends in ``.npz``.
      config: whose clip length, sample rate and frontend are used.
      start_seconds: where the clip begins; behind the file's end it is silent.
      force: overwrite `output`.

    Returns:
      The JSON object of the command.

    Raises:
      AudioError, ConfigError: if the file cannot be read, or the frontend gives no image.
    """
    check_output_file(output, force, ConfigError)
    if output.suffix != ".npz":
        raise ConfigError(f"'{output.name}' does not end in .npz, which spectrograms are saved as")
    rate, samples = config.prepare.sample_rate, config.prepare.clip_samples
    frontend = _spectrogram_frontend(config.frontend, rate)
    clip = audio.clip(source, start_seconds, samples, rate)
    image, remainder = frontend.analyze(tf.constant(clip[np.newaxis]))
    archive = io.BytesIO()  # on a full disk, zipfile complains until the process ends
    np.savez_compressed(
        archive,
        image=image[0].numpy(),
        reference_db=remainder.reference_db[0, 0, 0].numpy(),
        samples=samples,
        sample_rate=rate,
        frontend=frontend.config.model_dump_json(),
    )
    write_bytes(output, archive.getvalue())
    return {"spectrogram": str(output), "shape": list(image.shape[1:]), "sample_rate": rate}


def invert(
    spectrogram: Path,
    output: Path,
    phase: PhaseConfig = _INTEGRATED,
    seed: int = 0,
    force: bool = False,
    bits: int | None = None,
) -> dict[str, Any]:
    """Turn a saved spectrogram back into sound.

    A phase that the image shows is used as it is; any other is found as `phase` says.

    Args:
      spectrogram: that `analyze` wrote.
      output: wav, flac or ogg, by its extension.
      phase: where the phase starts, and how often Griffin–Lim mends it.
      seed: of what is random in the start.
      force: overwrite `output`.
      bits: of the output, see `audio.Writer`.

    Returns:
      The JSON object of the command; spectral_convergence_db compares the sound's spectrogram with
      the saved one.

    Raises:
      AudioError, ConfigError: if the file is no spectrogram, or shows no level to invert; if the
        phase is to be the original's, which no file holds, or random and nothing else.

    Source: "On the Generation of Music", section 4 (there with plain Griffin–Lim).
    """
    check_output_file(output, force, AudioError)
    audio.check_writable(output, bits)
    if phase.init == "random" and not phase.iterations:
        raise ConfigError("a random phase alone is noise; use iterations=100 or phase=pghi")
    frontend, image, reference_db, samples, rate = _load(spectrogram)
    remainder = ImageMetadata(reference_db, magnitude=None, phase=None)
    waveform = frontend.invert(image, remainder, samples, phase, seed)
    audio.write(output, waveform[0].numpy(), rate, bits)
    wanted = frontend.image_to_magnitude(image, remainder, samples)
    error_energy, energy = spectral_error(waveform, wanted, frontend.spec)
    return {
        "output": str(output),
        "sample_rate": rate,
        "samples": samples,
        "phase": "image" if frontend.shows_phase else phase.init,
        "iterations": 0 if frontend.shows_phase else phase.iterations,
        "spectral_convergence_db": energy_db(float(error_energy[0]), float(energy[0])),
    }


def _load(spectrogram: Path) -> tuple[SpectrogramFrontend, tf.Tensor, tf.Tensor, int, int]:
    """Frontend, image with a batch of one, its reference in dB, samples and sample rate."""
    try:
        archives.check_npz(spectrogram)
        with np.load(spectrogram, allow_pickle=False) as saved:
            samples, rate = int(saved["samples"]), int(saved["sample_rate"])
            config = json.loads(str(saved["frontend"]))
            adapter: TypeAdapter[FrontendConfig] = TypeAdapter(AnyFrontend)
            described = adapter.validate_python(config)
            frontend = _spectrogram_frontend(described, rate)
            image = saved["image"].astype(np.float32)
            reference_db = tf.constant(saved["reference_db"], tf.float32, shape=[1, 1, 1])
        if image.shape != frontend.shape(samples):
            raise ValueError(f"its image of shape {image.shape} is not that of {samples} samples")
        if not np.isfinite(image).all():
            raise ValueError("its image holds NaN or infinite values")
    except ValidationError as error:
        raise ConfigError(f"'{spectrogram}': {describe(error)}") from None
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"'{spectrogram}' is not a spectrogram of tfdream analyse: {reason}"
        ) from None
    return frontend, tf.constant(image[np.newaxis]), reference_db, samples, rate


def _spectrogram_frontend(config: FrontendConfig, sample_rate: int) -> SpectrogramFrontend:
    frontend = frontends.build(config, sample_rate)
    if not isinstance(frontend, SpectrogramFrontend):
        raise ConfigError(f"frontend.kind={config.kind} gives no spectrogram; use kind=amplitude")
    return frontend
