"""Shared fixtures: twelve tracks, the dataset made from them, and networks trained on it.

TensorFlow has one logical CPU here, as on most machines. Two devices build every graph twice and
sum in another order, so tests of several devices and machines start processes: see
tests/training/conftest.py.
"""

import copy
import fcntl
import functools
import gc
import itertools
import json
import os
import sys
import typing
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Decoding in another process is tested in tests/audio/decoders/test_isolation.py.
os.environ.setdefault("TFDREAM_ISOLATE", "0")
# Tensors are small here, and pytest-xdist uses the other cores: threads that wait for a share of an
# operation take more processor time than they save.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
import soundfile

from tfdream import config
from tfdream.config import (
    Experiment,
    GenerateConfig,
    GenerationExperiment,
    TransferExperiment,
    TranslateConfig,
    TranslationExperiment,
)

# Garbage is collected from the end of the collection of tests on.
gc.disable()

RATE = 8000
TRACKS_PER_LABEL = 6

EXPERIMENT = """
prepare: {sample_rate: 8000, clip_seconds: 1.0, folds: 3, shard_clips: 8}
frontend: {kind: amplitude, stft: {n_fft: 256, hop_samples: 64}}
model: {name: lil_data, options: {filters: [4, 8], dense_units: 16, dropout: 0.2}}
training: {epochs: 2, batch_size: 4, learning_rate: 0.01, seed: 9}
"""

TRANSLATION = """
task: translate
prepare: {sample_rate: 8000, clip_seconds: 1.0, folds: 3, shard_clips: 8}
frontend: {kind: amplitude, stft: {n_fft: 256, hop_samples: 64}, size: [32, 32]}
model:
  name: cyclegan
  options: {filters: 2, blocks: 0, discriminator_filters: 2, discriminator_layers: 0}
training:
  {epochs: 2, batch_size: 12, pool_images: 16, learning_rate: 0.002, preview_every: 2, seed: 9}
"""

GENERATION = """
task: generate
prepare: {sample_rate: 8000, clip_seconds: 1.0, folds: 3, shard_clips: 8}
frontend: {kind: amplitude, stft: {n_fft: 256, hop_samples: 128}}
label: tones
model: {name: lstm, options: {units: 6, layers: 2}}
training:
  {epochs: 2, batch_size: 4, learning_rate: 0.01, preview_every: 2, preview_clips: 1, seed: 9}
"""

TRANSFER = """
task: transfer
prepare: {sample_rate: 8000, clip_seconds: 1.0, folds: 2}
frontend: {kind: mel, stft: {n_fft: 512, hop_samples: 256}, bands: 47, top_db: 90}
model:
  name: attention
  options: {units: 4, heads: 2, encoder_blocks: 1, decoder_units: 4, decoder_blocks: 1, kernel: 3}
training:
  epochs: 2
  batch_size: 6
  learning_rate: 0.01
  warmup_epochs: 0
  crop_seconds: 0.5
  noise_share: 0.5
  band_limit_share: 0.5
  seed: 2
"""


def noise(rng, samples):
    return rng.uniform(0.05, 0.3) * rng.uniform(-1, 1, samples)


def tones(rng, samples):
    """A chord with a little noise, so that no bin is empty."""
    seconds = np.arange(samples) / RATE
    chord = np.sin(2 * np.pi * rng.uniform(200, 3000, (3, 1)) * seconds).mean(axis=0)
    return rng.uniform(0.1, 0.5) * chord + 1e-3 * rng.standard_normal(samples)


def pytest_collection_finish():
    """Prepare the process for many small tests.

    Graphs are compiled without Grappler, whose passes cost more than they save on tiny networks.
    The results differ from those with Grappler by float32 rounding; processes that tests start, and
    the commands, use it. TensorFlow is not imported here for tests that do not need it.
    """
    if tensorflow := sys.modules.get("tensorflow"):
        tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # Keras stores this cache under another name than it looks up, and so builds a layer for each
    # layer that it saves or loads.
    if saving := sys.modules.get("keras.src.saving.saving_lib"):
        saving.get_attr_skipset = functools.cache(saving.get_attr_skipset)
    # Each operation of a graph stores where it was created, which only messages of errors show.
    if stacks := sys.modules.get("tensorflow.python.util.tf_stack"):
        stack = stacks.extract_stack()
        stacks.extract_stack = lambda stacklevel=1: stack
    # The settings of the few runs and recipes are read again and again.
    if documents := sys.modules.get("tfdream.io.documents"):
        parse = functools.cache(documents.parse_yaml)
        documents.parse_yaml = lambda text: copy.deepcopy(parse(text))
    # Python 3.11 and earlier collect the members of a protocol for each `isinstance`.
    typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)
    # Drawing takes half the time with few pixels.
    if sheet := sys.modules.get("tfdream.figures.parts.sheet"):
        sheet._PIXELS_PER_INCH = 60
    # Imported modules stay: later garbage collections need not visit their objects. Graphs consist
    # of many objects that refer to each other, so collections after a few of them are in vain.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _one_processor():
    """By default, pools start one process: pytest-xdist uses the other processors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 1)
        yield


@pytest.fixture(scope="module", autouse=True)
def _without_layout():
    """Draw figures without arranging their axes, for which each is drawn a second time."""
    with pytest.MonkeyPatch.context() as patch:
        if figures := sys.modules.get("matplotlib.figure"):
            patch.setattr(figures.Figure, "get_layout_engine", lambda self: None)
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """A function that builds an expensive folder once for all processes of pytest-xdist.

    Called with a name and a function that fills a folder, it returns the folder and what the
    function returned. The other processes wait for the first.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def make(name, fill):
        folder, stored = root / "shared" / name, root / "shared" / f"{name}.json"
        folder.parent.mkdir(exist_ok=True)
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not stored.exists():
                stored.write_text(json.dumps(fill(folder)))
        return folder, json.loads(stored.read_text())

    return make


# The networks that each of two processes of pytest-xdist trains.
FIRST_FIXTURES = {"gw0": ("trained", "translation"), "gw1": ("transfer", "generation")}


@pytest.fixture(scope="session", autouse=True)
def _networks_in_parallel(request, _one_processor):
    """Train the shared networks before the first test: later, one process would wait for another.

    Networks that no selected test uses are not trained.
    """
    used = {name for item in request.session.items for name in item.fixturenames}
    for name in FIRST_FIXTURES.get(os.environ.get("PYTEST_XDIST_WORKER"), ()):
        if name in used:
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Six tracks of noise and six of tones: three clips each, and one track with four."""
    folder = tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(0)
    for generate in (noise, tones):
        (folder / generate.__name__).mkdir()
        for number in range(TRACKS_PER_LABEL):
            seconds = 4.3 if generate is noise and number == 0 else 3.3
            path = folder / generate.__name__ / f"{number}.wav"
            soundfile.write(path, generate(rng, round(seconds * RATE)), RATE, "PCM_16")
    return folder


@pytest.fixture(scope="session")
def experiment_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="session")
def configure(experiment_path):
    """The tiny experiment, with overrides such as 'training.epochs=3'."""
    return lambda *overrides: config.load(str(experiment_path), Experiment, overrides)


@pytest.fixture(scope="session")
def experiment(configure):
    return configure()


@pytest.fixture(scope="session")
def dataset(source, experiment, once):
    """A prepared dataset folder; tests do not change it."""
    from tfdream.datasets.preparation.prepare import PrepareOptions, prepare

    def fill(folder):
        return prepare(source, folder, experiment.prepare, PrepareOptions(workers=1))

    return once("dataset", fill)[0]


@pytest.fixture(scope="session")
def trained(dataset, experiment, once):
    """A classifier's run folder after two epochs, and the result of `train`.

    Tests do not change it.
    """
    from tfdream.training.train import train

    return once("trained", lambda folder: train(experiment, dataset, folder))


@pytest.fixture(scope="session")
def run(trained):
    from tfdream.runs import Run

    return Run.open(trained[0])


@pytest.fixture(scope="session")
def beginning_of(source, tmp_path_factory):
    """A function that writes the first 1.9 s of a track to a file."""

    def write(track):
        path = tmp_path_factory.mktemp("beginning") / Path(track).name
        samples, _ = soundfile.read(source / track, round(1.9 * RATE))
        soundfile.write(path, samples, RATE, "PCM_16")
        return path

    return write


@pytest.fixture(scope="session")
def song(beginning_of):
    """A file of tones, mono at the network's sample rate."""
    return beginning_of("tones/0.wav")


@pytest.fixture(scope="session")
def style(beginning_of):
    """A file of noise, likewise."""
    return beginning_of("noise/1.wav")


@pytest.fixture(scope="session")
def step_by_step():
    """A context without graphs: building those of four networks takes longer than a few steps.

    It is without AutoGraph, as the graphs are; otherwise `tf.map_fn` would convert source.
    """
    import tensorflow as tf
    from tensorflow.python.autograph.core import ag_ctx

    @contextmanager
    def run_eagerly():
        tf.config.run_functions_eagerly(True)
        try:
            with ag_ctx.ControlStatusCtx(ag_ctx.Status.DISABLED):
                yield
        finally:
            tf.config.run_functions_eagerly(False)

    return run_eagerly


@pytest.fixture
def eagerly(step_by_step):
    """Runs a test without graphs, where they do not matter."""
    with step_by_step():
        yield


@pytest.fixture(scope="session")
def translation_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny_cyclegan.yaml"
    path.write_text(TRANSLATION)
    return path


@pytest.fixture(scope="session")
def configure_translation(translation_path):
    """The tiny CycleGAN's experiment, with overrides."""
    return lambda *overrides: config.load(str(translation_path), TranslationExperiment, overrides)


@pytest.fixture(scope="session")
def translation(dataset, configure_translation, run, step_by_step, once):
    """A CycleGAN's run folder after two epochs, with previews scored by `run`, and the result.

    Tests do not change it.
    """
    from tfdream.reports.previews.translation import TranslationPreview
    from tfdream.training.train import train

    settings = TranslateConfig(tiles={"overlap_seconds": 0.05})

    def fill(folder):
        with step_by_step():
            return train(
                configure_translation(),
                dataset,
                folder,
                preview=lambda opened, sets: TranslationPreview(opened, sets, settings, run),
            )

    return once("translation", fill)


@pytest.fixture(scope="session")
def translation_run(translation):
    from tfdream.runs import TranslationRun

    return TranslationRun.open(translation[0])


@pytest.fixture(scope="session")
def generation_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny_lstm.yaml"
    path.write_text(GENERATION)
    return path


@pytest.fixture(scope="session")
def configure_generation(generation_path):
    """The tiny sequence model's experiment, with overrides."""
    return lambda *overrides: config.load(str(generation_path), GenerationExperiment, overrides)


@pytest.fixture(scope="session")
def generation(dataset, configure_generation, once):
    """A sequence model's run folder after two epochs, with previews, and the result.

    Tests do not change it.
    """
    from tfdream.reports.previews.generation import GenerationPreview
    from tfdream.training.train import train

    settings = GenerateConfig(phase={"init": "pghi", "iterations": 2})

    def fill(folder):
        return train(
            configure_generation(),
            dataset,
            folder,
            preview=lambda opened, sets: GenerationPreview(opened, sets[0], settings),
        )

    return once("generation", fill)


@pytest.fixture(scope="session")
def generation_run(generation):
    from tfdream.runs import GenerationRun

    return GenerationRun.open(generation[0])


@pytest.fixture(scope="session")
def transfer_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny_transfer.yaml"
    path.write_text(TRANSFER)
    return path


@pytest.fixture(scope="session")
def configure_transfer(transfer_path):
    """The tiny transfer network's experiment, with overrides."""
    return lambda *overrides: config.load(str(transfer_path), TransferExperiment, overrides)


@pytest.fixture(scope="session")
def aligned_dataset(tmp_path_factory, configure_transfer, once):
    """A dataset of three notes on two instruments in each of two folds; tests do not change it."""
    from tfdream.datasets.preparation.prepare import PrepareOptions, prepare

    def fill(folder):
        source = tmp_path_factory.mktemp("aligned")
        seconds, partials = np.arange(RATE) / RATE, np.arange(1, 9)[:, np.newaxis]
        rows = ["path,label,fold"]
        for fold, (instrument, decay), note in itertools.product(
            (0, 1), (("dull", 3.0), ("bright", 0.5)), range(3)
        ):
            hertz = 200 + 60 * note + 30 * fold
            wave = np.exp(-decay * partials) * np.sin(2 * np.pi * hertz * partials * seconds)
            path = source / instrument / f"{fold}-{note}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, 0.3 * wave.sum(axis=0) / np.abs(wave).max(), RATE)
            rows.append(f"{path.relative_to(source)},{instrument},{fold}")
        (source / "manifest.csv").write_text("\n".join(rows))
        return prepare(source, folder, configure_transfer().prepare, PrepareOptions(workers=1))

    return once("aligned_dataset", fill)[0]


@pytest.fixture(scope="session")
def transfer(aligned_dataset, configure_transfer, step_by_step, once):
    """A transfer network's run folder after two epochs, and the result; tests do not change it."""
    from tfdream.training.train import train

    def fill(folder):
        with step_by_step():
            return train(configure_transfer(), aligned_dataset, folder)

    return once("transfer", fill)


@pytest.fixture(scope="session")
def transfer_run(transfer):
    from tfdream.runs import TransferRun

    return TransferRun.open(transfer[0])
