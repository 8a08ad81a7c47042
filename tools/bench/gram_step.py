"""One step of the random-CNN transfer beside the same step with direct Gram matrices in PyTorch.

    pip install torch
    python tools/bench/gram_step.py [--seconds 10] [--steps 20]

Steps alternate, so that both meet the same machine; medians and the median ratio are printed.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import tensorflow as tf
import torch

from tfdream import config, models
from tfdream.models import features
from tfdream.signal import frontend as frontends
from tfdream.synthesis import canvas as canvases
from tfdream.synthesis.ascend import Slope
from tfdream.synthesis.styles import Texture, style


def tfdream_step(content: np.ndarray, wanted: np.ndarray) -> Callable[[], float]:
    """Value and gradient of the published recipe, and Adam, as `transfer` runs them."""
    recipe = config.load("transfer/random_conv1d", config.TransferConfig)
    assert isinstance(recipe.network, config.FeatureNetworkConfig)
    frontend = frontends.build(recipe.network.frontend, recipe.network.sample_rate)
    network = features.build(recipe.network, frontend.shape(content.shape[1]))
    tapped = models.tap(network, ["conv1"])
    texture = Texture.read([tapped(frontend(tf.constant(wanted)))["conv1"]], "channels")
    canvas = canvases.build(recipe.canvas, frontend, content.shape[1])
    objective = -style("conv1", 500, texture, "channels", "mse")
    slope = Slope(canvas, tapped, objective, {})
    context = canvas.analyse(tf.constant(content))
    memory = slope.remember(context)
    state = {"values": canvas.start(context)}
    zeros = tf.zeros_like(state["values"])
    state |= {"first": zeros, "second": zeros}

    def step() -> float:
        value, gradient = slope.gradient(state["values"], context=context, memory=memory, size=None)
        state["first"] = 0.9 * state["first"] + 0.1 * gradient
        state["second"] = 0.999 * state["second"] + 0.001 * gradient**2
        state["values"] += 0.005 * state["first"] / (tf.sqrt(state["second"]) + 1e-8)
        return float(value[0])

    return step


def torch_step(content: np.ndarray, wanted: np.ndarray) -> Callable[[], float]:
    """The same step as it is usually written: Conv1d, Gram matrices, mean square, Adam."""

    def log_magnitude(waveform: np.ndarray) -> torch.Tensor:
        stft = torch.stft(
            torch.from_numpy(waveform), 2048, 512, window=torch.hann_window(2048),
            return_complex=True,
        )  # fmt: skip
        return torch.log1p(stft.abs())

    network = torch.nn.Conv1d(1025, 4096, 3, padding=1)
    for parameter in network.parameters():
        parameter.requires_grad_(False)

    def gram(image: torch.Tensor) -> torch.Tensor:
        found = torch.relu(network(image))[0]
        return found @ found.T / found.shape[1]

    target = gram(log_magnitude(wanted))
    image = log_magnitude(content).requires_grad_(True)
    optimiser = torch.optim.Adam([image], lr=0.005)

    def step() -> float:
        optimiser.zero_grad()
        loss = 500 * torch.nn.functional.mse_loss(gram(image), target)
        loss.backward()
        optimiser.step()
        return float(loss)

    return step


def timed(step: Callable[[], float]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


@click.command()
@click.option("--seconds", default=10.0, help="Length of content and style.")
@click.option("--steps", default=20, help="Counted steps of each, after two that are not.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the figures here as JSON.")
def main(seconds: float, steps: int, output: Path | None) -> None:
    """Compare seconds per step."""
    rng = np.random.default_rng(0)
    samples = round(seconds * 22050)
    content, wanted = rng.standard_normal((2, 1, samples)).astype(np.float32) / 10
    own, other = tfdream_step(content, wanted), torch_step(content, wanted)
    for _ in range(2):
        own()
        other()
    pairs = [(timed(own), timed(other)) for _ in range(steps)]
    result = {
        "tfdream_seconds_per_step": statistics.median(pair[0] for pair in pairs),
        "torch_seconds_per_step": statistics.median(pair[1] for pair in pairs),
        "ratio": statistics.median(pair[1] / pair[0] for pair in pairs),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
    }
    print(json.dumps(result))
    if output is not None:
        output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
