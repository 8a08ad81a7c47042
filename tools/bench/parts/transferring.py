"""An optimizer step of every packaged transfer."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from networks import classifier, operations, step_through, transfer_ascent
from timing import Cost, compare

from tfdream import config
from tfdream.models import inspect
from tfdream.models.freeze import freeze
from tfdream.signal import frontends
from tfdream.synthesis.audio_model import AudioModel, FeatureNetwork
from tfdream.synthesis.transfer import build_audio_model

# Networks of the recipes that take a run.
_CLASSIFIERS = {"lil_data": "lil_data", "raw": "raw_conv1d"}
_LOOPS = ("random_rnn", "random_bilstm")


def measure(folder: Path) -> list[Cost]:
    """Measure one tile of noise, with a style of the same length."""
    return [*_recipes(), *_beside_torch()]


def _recipes() -> Iterator[Cost]:
    for path in config.names():
        kind, _, name = path.rpartition("/")
        if kind == "transfer" and isinstance(config.load_transfer(path), config.TransferConfig):
            yield one(name)


def one(name: str) -> Cost:
    """Compare with the norm of the deepest style layer and its gradient, without canvas."""
    recipe = config.load(f"transfer/{name}", config.TransferConfig)
    if isinstance(recipe.network, config.FeatureNetworkConfig):
        if "weights" in recipe.network.options:  # the cost does not depend on the weights
            override = ["network.options.weights=random"]
            recipe = config.load(f"transfer/{name}", config.TransferConfig, override)
        audio_model = build_audio_model(recipe, None)
    else:
        audio_model = untrained(_CLASSIFIERS[name])
    rate, samples = audio_model.sample_rate, audio_model.input_samples
    noise = np.random.default_rng(0).standard_normal((1, samples)).astype(np.float32) / 10
    ascent = transfer_ascent(recipe, audio_model, noise, noise[:, ::-1])
    view = ascent.view
    tapped = inspect.tap(audio_model.model, [max(recipe.style_layers, key=depth(audio_model))])

    def step() -> np.ndarray:
        return ascent.gradient(ascent.start)[1].numpy()

    return compare(
        f"`transfer/{name}`, one step",
        step,
        "gradient of the network alone",
        step_through(freeze(tapped), view),
        rounds=2,
        audio_seconds=samples / rate,
        operations=None if name in _LOOPS else 2 * operations(tapped, tuple(view.shape[1:])),
    )


def untrained(name: str) -> FeatureNetwork:
    """Return the untrained network of a configuration."""
    settings = config.load(name, config.Experiment)
    rate = settings.prepare.sample_rate
    network, _ = classifier(name)
    return FeatureNetwork(
        network, frontends.build(settings.frontend, rate), rate, settings.input_samples
    )


def depth(audio_model: AudioModel):
    """Return a sort key of layer names by depth."""
    names = [layer.name for layer in audio_model.model.layers]
    return names.index


def _beside_torch() -> Iterator[Cost]:
    if find_spec("torch") is None:
        return
    from gram_step import NETWORKS, tfdream_step, torch_step

    seconds = 10
    noise = np.random.default_rng(0).standard_normal((2, 1, seconds * 22050)).astype(np.float32)
    for name in NETWORKS:
        yield compare(
            f"`transfer/{name}`, one step with Adam",
            tfdream_step(*noise / 10, "float32", name),
            "PyTorch, direct Gram matrices",
            torch_step(*noise / 10, name),
            rounds=5,
            warm_up=2,
            audio_seconds=seconds,
        )
