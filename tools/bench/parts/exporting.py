"""An exported network, compared with the network in Keras."""

from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from timing import Cost, compare

from tfdream import config
from tfdream.corpus.styles import write_corpus
from tfdream.datasets.preparation.prepare import prepare
from tfdream.export import export
from tfdream.runs import Run
from tfdream.training.train import train

_BATCH = 8


def measure(folder: Path) -> list[Cost]:
    """Compute probabilities of a batch of clips, after one epoch of training."""
    write_corpus(folder / "songs", 2, 10.0, 22050, seed=0)
    settings = config.load(
        "recommended", config.Experiment, ["prepare.folds=2", "training.epochs=1"]
    )
    prepare(folder / "songs", folder / "dataset", settings.prepare)
    train(settings, folder / "dataset", folder / "run")
    run = Run.open(folder / "run")
    export(run, folder / "saved")
    serve = tf.saved_model.load(str(folder / "saved")).signatures["serving_default"]
    samples = run.input_samples
    noise = np.random.default_rng(0).standard_normal((_BATCH, samples)).astype(np.float32)
    waveforms = tf.constant(noise)
    cost = compare(
        "`recommended`, exported, one batch",
        partial(serve, waveform=waveforms),
        "frontend and network in Keras",
        lambda: run.model.predict_on_batch(run.frontend(waveforms)),
        audio_seconds=_BATCH * samples / run.sample_rate,
    )
    return [cost]
