"""A step of every published transfer and of the recommended one, as its optimizer takes it."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from networks import classifier, operations, step_through, transfer_climb
from timing import Cost, compare

from tfdream import config
from tfdream.models import inspect
from tfdream.models.freeze import freeze
from tfdream.signal import frontend as frontends
from tfdream.synthesis.audio_model import AudioModel, FeatureNetwork
from tfdream.synthesis.transfer import build_audio_model

# What hears where a recipe leaves it to a run.
_CLASSIFIERS = {"lil_data": "lil_data", "raw": "raw_conv1d"}
_LOOPS = ("random_rnn", "random_bilstm")


def measure(folder: Path) -> list[Cost]:
    """On one tile of noise, as long a style."""
    return [*_recipes(), *_beside_torch()]


def _recipes() -> Iterator[Cost]:
    for path in config.names():
        kind, _, name = path.rpartition("/")
        if kind == "transfer":
            yield one(name)


def one(name: str) -> Cost:
    """Beside the norm of the deepest style layer, and its gradient, in the network alone."""
    recipe = config.load(f"transfer/{name}", config.TransferConfig)
    if isinstance(recipe.network, config.FeatureNetworkConfig):
        if "weights" in recipe.network.options:  # as dear as those that were learnt
            override = ["network.options.weights=random"]
            recipe = config.load(f"transfer/{name}", config.TransferConfig, override)
        listener = build_audio_model(recipe, None)
    else:
        listener = untrained(_CLASSIFIERS[name])
    rate, samples = listener.sample_rate, listener.clip_samples
    noise = np.random.default_rng(0).standard_normal((1, samples)).astype(np.float32) / 10
    climb = transfer_climb(recipe, listener, noise, noise[:, ::-1])
    view = climb.view
    tapped = inspect.tap(listener.model, [max(recipe.style_layers, key=depth(listener))])

    def step() -> np.ndarray:
        return climb.gradient(climb.start)[1].numpy()

    return compare(
        f"`transfer/{name}`, a step",
        step,
        "the network alone",
        step_through(freeze(tapped), view),
        rounds=2,
        audio_seconds=samples / rate,
        operations=None if name in _LOOPS else 2 * operations(tapped, tuple(view.shape[1:])),
    )


def untrained(name: str) -> FeatureNetwork:
    """The network of a configuration."""
    settings = config.load(name, config.Experiment)
    rate = settings.prepare.sample_rate
    network, _ = classifier(name)
    return FeatureNetwork(
        network, frontends.build(settings.frontend, rate), rate, settings.input_samples
    )


def depth(listener: AudioModel):
    """By which layers are in order."""
    names = [layer.name for layer in listener.model.layers]
    return names.index


def _beside_torch() -> Iterator[Cost]:
    if find_spec("torch") is None:
        return
    from gram_step import tfdream_step, torch_step

    seconds = 10
    noise = np.random.default_rng(0).standard_normal((2, 1, seconds * 22050)).astype(np.float32)
    yield compare(
        "`transfer/random_conv1d`, a step and Adam",
        tfdream_step(*noise / 10, "float32"),
        "PyTorch, direct Gram matrices",
        torch_step(*noise / 10),
        rounds=5,
        warm_up=2,
        audio_seconds=seconds,
    )
