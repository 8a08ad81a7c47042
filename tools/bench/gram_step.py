"""One step of the random-CNN transfer beside the same step with direct Gram matrices in PyTorch.

    pip install -e .[bench]
    python tools/bench/gram_step.py [--seconds 10] [--steps 20]

Steps alternate, so that both meet the same machine; medians and the median ratio are printed.
"""

import statistics
import sys
from collections.abc import Callable

import click
import numpy as np
import tensorflow as tf
import torch
from networks import transfer_climb
from timing import beside, interleaved

from tfdream import config
from tfdream.synthesis.transfer import build_audio_model

SAMPLE_RATE = 22050


def tfdream_step(
    content: np.ndarray, wanted: np.ndarray, precision: config.Precision
) -> Callable[[], float]:
    """Value and gradient of the published recipe, and Adam, as `transfer` runs them."""
    samples = content.shape[1]
    overrides = [f"precision={precision}", f"tiles.seconds={samples / SAMPLE_RATE}"]
    recipe = config.load("transfer/random_conv1d", config.TransferConfig, overrides)
    climb = transfer_climb(recipe, build_audio_model(recipe, None), content, wanted)
    state = {"values": climb.start}
    zeros = tf.zeros_like(state["values"])
    state |= {"first": zeros, "second": zeros}

    def step() -> float:
        value, gradient = climb.gradient(state["values"])
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
    optimizer = torch.optim.Adam([image], lr=0.005)

    def step() -> float:
        optimizer.zero_grad()
        loss = 500 * torch.nn.functional.mse_loss(gram(image), target)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


@click.command()
@click.option("--seconds", "seconds_of_sound", default=10.0, help="Length of content and style.")
@click.option("--steps", default=20, help="Counted steps of each, after two that are not.")
def main(seconds_of_sound: float, steps: int) -> None:
    """Compare seconds per step."""
    rng = np.random.default_rng(0)
    samples = round(seconds_of_sound * SAMPLE_RATE)
    content, wanted = rng.standard_normal((2, 1, samples)).astype(np.float32) / 10
    ways = {
        "tfdream, float32": tfdream_step(content, wanted, "float32"),
        "tfdream, bfloat16": tfdream_step(content, wanted, "bfloat16"),
        "PyTorch": torch_step(content, wanted),
    }
    seconds = interleaved(ways, steps, warm_up=2)
    print(f"| a step on {seconds_of_sound:g} s | seconds | PyTorch takes as many times as long |")
    print("|---|---:|---:|")
    for name, times in seconds.items():
        ratio = beside(seconds["PyTorch"], times)
        print(f"| {name} | {statistics.median(times):.3f} | {ratio:.2f} |")
    print(f"\nPyTorch {torch.__version__}, {torch.get_num_threads()} threads", file=sys.stderr)


if __name__ == "__main__":
    main()
