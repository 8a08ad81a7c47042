"""Compare a step of the transfers on random networks with PyTorch and direct Gram matrices.

    pip install -e .[bench]
    python tools/bench/gram_step.py [--network random_conv1d] [--seconds 10] [--steps 20]

Steps alternate, so that other load affects both; medians and the median ratio are printed.
"""

import os
import statistics
import sys
from collections.abc import Callable

import tfdream  # noqa: F401  # before TensorFlow, whose settings it chooses

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
import tensorflow as tf
import torch
from networks import transfer_ascent
from timing import beside, interleaved

from tfdream import config
from tfdream.synthesis.transfer import build_audio_model

SAMPLE_RATE = 22050
NETWORKS = ("random_conv1d", "random_rnn", "random_bilstm")
UNITS, FEATURES = 100, 4096


def tfdream_step(
    content: np.ndarray, style: np.ndarray, precision: config.Precision, name: str = NETWORKS[0]
) -> Callable[[], float]:
    """Return a step of a published recipe: value, gradient and Adam."""
    samples = content.shape[1]
    overrides = [f"precision={precision}", f"tiles.seconds={samples / SAMPLE_RATE}"]
    if name != NETWORKS[0]:  # accepts the number of frames that it was built for
        overrides.append(f"network.clip_seconds={samples / SAMPLE_RATE}")
    recipe = config.load(f"transfer/{name}", config.TransferConfig, overrides)
    ascent = transfer_ascent(recipe, build_audio_model(recipe, None), content, style)
    state = {"values": ascent.start}
    zeros = tf.zeros_like(state["values"])
    state |= {"first": zeros, "second": zeros}

    def step() -> float:
        value, gradient = ascent.gradient(state["values"])
        state["first"] = 0.9 * state["first"] + 0.1 * gradient
        state["second"] = 0.999 * state["second"] + 0.001 * gradient**2
        state["values"] += 0.005 * state["first"] / (tf.sqrt(state["second"]) + 1e-8)
        return float(value[0])

    return step


class TorchRecurrent(torch.nn.Module):
    """A recurrent layer whose sequence runs over the bins, and a linear layer."""

    def __init__(self, frames: int, lstm: bool) -> None:
        super().__init__()
        self.recurrent: torch.nn.RNNBase
        if lstm:
            self.recurrent = torch.nn.LSTM(frames, UNITS, batch_first=True, bidirectional=True)
        else:
            self.recurrent = torch.nn.RNN(frames, UNITS, batch_first=True)
        self.linear = torch.nn.Linear(2 * UNITS if lstm else UNITS, FEATURES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map `[1, bins, frames]` to `[1, features, bins]`."""
        features: torch.Tensor = self.linear(self.recurrent(image)[0])
        return features.transpose(1, 2)


def torch_network(name: str, frames: int) -> torch.nn.Module:
    """Return the network of a recipe; it maps `[1, bins, frames]` to `[1, features, positions]`."""
    if name == "random_conv1d":
        return torch.nn.Conv1d(1025, FEATURES, 3, padding=1)
    return TorchRecurrent(frames, name == "random_bilstm")


def torch_step(
    content: np.ndarray, style: np.ndarray, name: str = NETWORKS[0]
) -> Callable[[], float]:
    """Return the same step in the usual form: network, Gram matrices, mean square, Adam."""

    def log_magnitude(waveform: np.ndarray) -> torch.Tensor:
        stft = torch.stft(
            torch.from_numpy(waveform), 2048, 512, window=torch.hann_window(2048),
            return_complex=True,
        )  # fmt: skip
        return torch.log1p(stft.abs())

    image = log_magnitude(content)
    network = torch_network(name, image.shape[-1])
    for parameter in network.parameters():
        parameter.requires_grad_(False)

    def gram(image: torch.Tensor) -> torch.Tensor:
        features = network(image)[0]
        return features @ features.T / features.shape[1]

    target = gram(log_magnitude(style))
    image.requires_grad_(True)
    optimizer = torch.optim.Adam([image], lr=0.005)

    def step() -> float:
        optimizer.zero_grad()
        loss = 500 * torch.nn.functional.mse_loss(gram(image), target)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


@click.command()
@click.option("--network", type=click.Choice(NETWORKS), default=NETWORKS[0], show_default=True)
@click.option("--seconds", "seconds_of_sound", default=10.0, help="Length of content and style.")
@click.option("--steps", default=20, help="Measured steps of each, after two warm-up steps.")
def main(network: str, seconds_of_sound: float, steps: int) -> None:
    """Print seconds per step."""
    rng = np.random.default_rng(0)
    samples = round(seconds_of_sound * SAMPLE_RATE)
    content, style = rng.standard_normal((2, 1, samples)).astype(np.float32) / 10
    ways = {
        "tfdream, float32": tfdream_step(content, style, "float32", network),
        "tfdream, bfloat16": tfdream_step(content, style, "bfloat16", network),
        "PyTorch": torch_step(content, style, network),
    }
    seconds = interleaved(ways, steps, warm_up=2)
    print(f"| a step of {network} on {seconds_of_sound:g} s | seconds | PyTorch / tfdream |")
    print("|---|---:|---:|")
    for name, times in seconds.items():
        ratio = beside(seconds["PyTorch"], times)
        print(f"| {name} | {statistics.median(times):.3f} | {ratio:.2f} |")
    print(f"\nPyTorch {torch.__version__}, {torch.get_num_threads()} threads", file=sys.stderr)


if __name__ == "__main__":
    main()
