"""FLAC records, compared with 16-bit samples: `prepare`, size, and training of `lil_data`.

An epoch without memory decodes every clip; with it, the first epoch does, and later ones do not.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

from timing import Cost, beside, compare, interleaved

from tfdream import config
from tfdream.corpus.styles import write_corpus
from tfdream.datasets import manifest
from tfdream.datasets.batches import LabeledPipeline
from tfdream.datasets.clip_set import ClipSet
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.shuffling import EpochPlan
from tfdream.models import classifiers
from tfdream.signal import frontends
from tfdream.training.classification import build_classifier

_CODECS = ("flac", "pcm16")
_SECONDS = 20.0
_ROUNDS = 3
_EPOCHS = {
    "an epoch without memory": ("training.memory_gigabytes=0", 0),
    "the first epoch with memory": ("training.memory_gigabytes=2", 0),
    "a later epoch with memory": ("training.memory_gigabytes=2", 1),
}


def measure(folder: Path) -> list[Cost]:
    """Measure seconds of `prepare`, and seconds per example of an epoch."""
    songs = folder / "songs"
    write_corpus(songs, 2, _SECONDS, 22050, seed=0)

    def prepare_with(codec: str) -> Callable[[], object]:
        settings = config.load("lil_data", config.Experiment, overrides(codec)).prepare
        options = PrepareOptions(workers=1, force=True)
        return lambda: prepare(songs, folder / codec, settings, options)

    flac, pcm16 = (prepare_with(codec) for codec in _CODECS)
    costs = [compare("`prepare` with FLAC", flac, "16-bit samples", pcm16, _ROUNDS)]
    sizes = [
        sum(shard.stat().st_size for shard in (folder / codec).glob("*.tfrecord*")) / 1e6
        for codec in _CODECS
    ]
    for name, (memory, warm_up) in _EPOCHS.items():
        costs.append(epoch(f"{name}, FLAC", folder, memory, warm_up))
    first = costs[0]
    return [first._replace(what=f"{first.what}, {sizes[0]:.1f} of {sizes[1]:.1f} MB"), *costs[1:]]


def overrides(codec: str, *more: str) -> list[str]:
    return ["prepare.folds=2", f"prepare.codec={codec}", *more]


def epoch(what: str, folder: Path, memory: str, warm_up: int) -> Cost:
    """Return seconds per example; without warm-up, each epoch has a new pipeline."""
    runs = {codec: trainer(folder / codec, overrides(codec, memory)) for codec in _CODECS}
    for start in runs.values():
        start()()  # compiles
    if warm_up:
        streams = {codec: start() for codec, start in runs.items()}
        times = interleaved(streams, _ROUNDS, warm_up)
    else:
        times = interleaved({codec: lambda s=s: s()() for codec, s in runs.items()}, _ROUNDS, 0)
    clips = manifest.load(folder / _CODECS[0]).clips
    seconds = statistics.median(times["flac"]) / clips
    return Cost(what, seconds, "16-bit samples", beside(times["flac"], times["pcm16"]))


def trainer(
    dataset_path: Path, settings_overrides: list[str]
) -> Callable[[], Callable[[], object]]:
    """Return a function that makes a new pipeline and returns a function that trains an epoch."""
    settings = config.load("lil_data", config.Experiment, settings_overrides)
    dataset = manifest.load(dataset_path)
    clips = ClipSet.from_folds(dataset, dataset.folds)
    frontend = frontends.build(settings.frontend, settings.prepare.sample_rate)
    network = classifiers.build(
        settings.model, frontend.shape(settings.input_samples), len(dataset.labels)
    )
    size = 8
    steps = clips.clips // size
    model = build_classifier(network, settings.training, steps)

    def start() -> Callable[[], object]:
        batches = iter(
            LabeledPipeline(settings, frontend).training(clips, EpochPlan(size, steps, 0))
        )
        return lambda: [model.train_on_batch(*next(batches)) for _ in range(steps)]

    return start
