"""Image inversion, compared with `librosa.griffinlim`."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from inversion import MOMENTUM, by_librosa, by_tfdream
from timing import Cost, compare

from tfdream import config
from tfdream.corpus.styles import compose
from tfdream.signal import frontends


def measure(folder: Path) -> list[Cost]:
    """Measure the default: heap integration, then Griffin–Lim."""
    settings = config.load("lil_data", config.Experiment)
    rate, samples = settings.prepare.sample_rate, settings.prepare.clip_samples
    frontend = frontends.build(settings.frontend, rate)
    song = compose("strings", 0, samples / rate + 1, rate).mean(axis=1)[np.newaxis, :samples]
    image, remainder = frontend.analyze(tf.constant(song.astype(np.float32)))
    magnitude = frontend.image_to_magnitude(image, remainder, samples).numpy()
    ours = by_tfdream(config.PhaseConfig(init="pghi", iterations=32, momentum=MOMENTUM))
    theirs = by_librosa(32)
    cost = compare(
        "`lil_data` image to waveform, 32 iterations",
        lambda: ours(magnitude, frontend.spec, samples),
        "librosa.griffinlim",
        lambda: theirs(magnitude, frontend.spec, samples),
        audio_seconds=samples / rate,
    )
    return [cost]
