"""Spectrogram files: analysis of a clip to an image, and inversion to audio."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from tfdream import audio
from tfdream.config import AnyFrontend, BaseExperiment, FrontendConfig, PhaseConfig, describe
from tfdream.config.base import SampleRate
from tfdream.errors import AudioError, ConfigError, one_line
from tfdream.io import archives, documents
from tfdream.io.atomic import check_output_file, write_bytes
from tfdream.signal import frontends
from tfdream.signal.frontends.spectrogram import ImageMetadata, SpectrogramFrontend
from tfdream.signal.phase import energy_db, spectral_error

# According to tools/bench/inversion.py, twice as many iterations gain less than 1 dB.
_INTEGRATED = PhaseConfig(init="pghi", iterations=100)
_ARRAYS = ("image", "reference_db", "range_db", "samples", "sample_rate", "frontend")
# Largest number of values of a spectrogram: a gibibyte of float32.
_MAX_VALUES = archives.MAX_BYTES // 4
# Samples this far beyond full scale come from damaged images; their squares still fit in float32.
_MAX_PEAK = 1e6
# Exceptions raised for arrays that are not those of a spectrogram.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, OverflowError, MemoryError)


def analyze(
    source: str | Path,
    output: str | Path,
    config: BaseExperiment,
    start_seconds: float = 0.0,
    force: bool = False,
) -> dict[str, Any]:
    """Save one clip of an audio file as a spectrogram image.

    The file (numpy's npz) contains ``image`` float32 `[height, width, channels]`, the level in dB
    of the value 1, the range in dB, the number of samples, the sample rate and the frontend's
    settings. It contains a phase only if the image shows it.

    Args:
      source: any audio file.
      output: path that ends in ``.npz``.
      config: provides clip length, sample rate and frontend.
      start_seconds: start of the clip, which is padded with zeros after the end of the file.
      force: overwrite `output`.

    Returns:
      The JSON object of the command.

    Raises:
      AudioError, ConfigError: if the file cannot be read, or the frontend gives no spectrogram.
    """
    output = Path(output)
    check_output_file(output, force, ConfigError)
    if output.suffix != ".npz":
        raise ConfigError(
            f"'{output.name}' does not end in .npz, the extension of spectrogram files; rename it"
        )
    rate, samples = config.prepare.sample_rate, config.prepare.clip_samples
    frontend = _spectrogram_frontend(config.frontend, rate)
    clip = audio.clip(source, start_seconds, samples, rate)
    image, metadata = frontend.analyze(tf.constant(clip[np.newaxis]))
    archive = io.BytesIO()  # on a full disk, zipfile would raise again when the process ends
    np.savez_compressed(
        archive,
        image=image[0].numpy(),
        reference_db=metadata.reference_db[0, 0, 0].numpy(),
        range_db=0.0 if metadata.range_db is None else metadata.range_db[0, 0, 0].numpy(),
        samples=samples,
        sample_rate=rate,
        frontend=frontend.config.model_dump_json(),
    )
    write_bytes(output, archive.getvalue())
    return {"spectrogram": str(output), "shape": list(image.shape[1:]), "sample_rate": rate}


def invert(
    spectrogram: str | Path,
    output: str | Path,
    phase: PhaseConfig = _INTEGRATED,
    seed: int = 0,
    force: bool = False,
    bits: int | None = None,
) -> dict[str, Any]:
    """Convert a spectrogram file to audio.

    A phase that the image shows is used as it is; otherwise it is reconstructed.

    Args:
      spectrogram: file written by `analyze`.
      output: wav, flac or ogg, by its extension.
      phase: initial phase, and iterations of Griffin–Lim.
      seed: random seed of the initial phase.
      force: overwrite `output`.
      bits: bits per sample, see `audio.Writer`.

    Returns:
      The JSON object of the command; spectral_convergence_db compares the spectrogram of the output
      with the saved one.

    Raises:
      AudioError, ConfigError: if the file is not a spectrogram, or shows no level; if the phase is
        the original's, which the file does not contain, or random without iterations.

    Source: "On the Generation of Music", section 4 (there with plain Griffin–Lim).
    """
    spectrogram, output = Path(spectrogram), Path(output)
    check_output_file(output, force, AudioError)
    audio.check_writable(output, bits)
    if phase.init == "random" and not phase.iterations:
        raise ConfigError(
            "phase.init=random with iterations=0 renders noise; use iterations=100 or init=pghi"
        )
    frontend, image, metadata, samples, rate = _load(spectrogram)
    waveform = frontend.invert(image, metadata, samples, phase, seed)
    if not np.abs(waveform).max() < _MAX_PEAK:  # NaN is not, either
        raise ConfigError(f"'{spectrogram}' contains values that are too large for levels")
    audio.write(output, waveform[0].numpy(), rate, bits)
    target = frontend.image_to_magnitude(image, metadata, samples)
    error_energy, target_energy = spectral_error(waveform, target, frontend.spec)
    return {
        "output": str(output),
        "sample_rate": rate,
        "samples": samples,
        "phase": "image" if frontend.shows_phase else phase.init,
        "iterations": 0 if frontend.shows_phase else phase.iterations,
        "spectral_convergence_db": energy_db(float(error_energy[0]), float(target_energy[0])),
    }


def _load(spectrogram: Path) -> tuple[SpectrogramFrontend, tf.Tensor, ImageMetadata, int, int]:
    """Return frontend, image `[1, …]`, its reference and range, samples and sample rate."""
    try:
        saved = archives.read_npz(spectrogram, _ARRAYS)
        samples = int(saved["samples"])
        rate = TypeAdapter(SampleRate).validate_python(int(saved["sample_rate"]))
        config = documents.parse_json(str(saved["frontend"]))
        adapter: TypeAdapter[FrontendConfig] = TypeAdapter(AnyFrontend)
        settings = adapter.validate_python(config)
        frontend = _spectrogram_frontend(settings, rate)
        image = saved["image"].astype(np.float32)
        reference_db, range_db = (
            tf.constant(saved[name], tf.float32, shape=[1, 1, 1])
            for name in ("reference_db", "range_db")
        )
        if samples <= frontend.spec.n_fft // 2:
            raise ValueError(f"its {samples} samples are too few for n_fft={frontend.spec.n_fft}")
        if frontend.config.values(samples) > _MAX_VALUES:
            raise ValueError(f"its {samples} samples are more than a clip has")
        if image.shape != frontend.shape(samples):
            raise ValueError(f"its image of shape {image.shape} does not fit {samples} samples")
        if not np.isfinite(image).all():
            raise ValueError("its image contains NaN or infinite values")
    except ValidationError as error:
        raise ConfigError(f"'{spectrogram}': {describe(error)}") from None
    except _UNREADABLE as error:
        reason = one_line(error)
        raise ConfigError(
            f"'{spectrogram}' is not a spectrogram file of tfdream analyse: {reason}"
        ) from None
    metadata = ImageMetadata(reference_db, magnitude=None, phase=None, range_db=range_db)
    return frontend, tf.constant(image[np.newaxis]), metadata, samples, rate


def _spectrogram_frontend(config: FrontendConfig, sample_rate: int) -> SpectrogramFrontend:
    frontend = frontends.build(config, sample_rate)
    if not isinstance(frontend, SpectrogramFrontend):
        raise ConfigError(
            f"frontend.kind={config.kind} does not give a spectrogram; use kind=amplitude"
        )
    return frontend
