"""Compare a training step of each published CycleGAN with the same step in PyTorch.

    pip install -e .[bench]
    python tools/bench/cyclegan_step.py [--steps 5] [--only cyclegan] [--mixed]

The script first checks that both have the same networks: with equal weights, generators and
discriminators give equal outputs. Then steps alternate, so that other load affects both; medians
and the median ratio are printed.
"""

import os
import statistics

import tfdream  # noqa: F401  # before TensorFlow, whose settings it chooses

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import numpy as np
import torch
from tables import print_table
from timing import beside, interleaved
from torch import nn
from translations import Step, batch_of_noise, experiment, tfdream_step

from tfdream import config
from tfdream.models import gan
from tfdream.training import timed_model

EXPERIMENTS = {"cyclegan": "dreaming_in_music_cyclegan", "small_cyclegan": "small_cyclegan"}
HEAD = (
    "network",
    "images",
    "PyTorch",
    "tfdream",
    "ratio",
    "tfdream, mixed",
    "ratio",
    "largest output difference",
)


def reflected(first: int, then: int, kernel_size: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(kernel_size // 2), nn.Conv2d(first, then, kernel_size)]


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.changed = nn.Sequential(
            *reflected(width, width, 3), nn.InstanceNorm2d(width), nn.ReLU(True),
            *reflected(width, width, 3), nn.InstanceNorm2d(width),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.changed(x)


def torch_generator(filters: int, blocks: int, size: tuple[int, int]) -> nn.Module:
    def normalized(*layers: nn.Module, width: int) -> list[nn.Module]:
        return [*layers, nn.InstanceNorm2d(width), nn.ReLU(True)]

    sizes = [size, tuple((length + 1) // 2 for length in size)]
    layers = normalized(*reflected(1, filters, 7), width=filters)
    for width in (filters, 2 * filters):
        layers += normalized(nn.Conv2d(width, 2 * width, 3, 2, 1), width=2 * width)
    layers += [Block(4 * filters) for _ in range(blocks)]
    for width in (4 * filters, 2 * filters):
        even = tuple(1 - length % 2 for length in sizes.pop())
        up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=even)
        layers += normalized(up, width=width // 2)
    return nn.Sequential(*layers, *reflected(filters, 1, 7), nn.Tanh())


def torch_patches(filters: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(1, filters, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for width, stride in ((filters, 2), (2 * filters, 2), (4 * filters, 1)):
        layers += [nn.Conv2d(width, 2 * width, 4, stride, 1), nn.InstanceNorm2d(2 * width)]
        layers += [nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * filters, 1, 4, 1, 1))


def torch_small_discriminator(filters: int, flat: int) -> nn.Module:
    return nn.Sequential(
        nn.ReflectionPad2d(1), nn.Conv2d(1, filters, 4, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(filters, 2 * filters, 3, 2, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(2 * filters, 4 * filters, 3, 2, 2), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(flat, 512), nn.ReLU(), nn.Linear(512, 1),
    )  # fmt: skip


def give_weights(network: keras.Model, other: nn.Module) -> None:
    """Copy the Keras weights to the PyTorch module, which has them in the same order."""
    layers = [layer for layer in network.layers if layer.weights]
    theirs = [part for part in other.modules() if getattr(part, "weight", None) is not None]
    flattened = next((layer for layer in network.layers if layer.name == "flatten"), None)
    for layer, part in zip(layers, theirs, strict=True):
        kernel, bias = (weight.numpy() for weight in layer.weights)
        if isinstance(layer, keras.layers.Dense):
            if flattened is not None:  # Keras has the channels last, PyTorch first
                image = flattened.input.shape[1:]
                kernel = kernel.reshape(*image, -1).transpose(2, 0, 1, 3)
                kernel = kernel.reshape(-1, kernel.shape[-1])
                flattened = None
            kernel = kernel.T
        else:
            kernel = kernel.transpose(3, 2, 0, 1)  # also for transposed convolutions
        part.weight.data = torch.from_numpy(np.ascontiguousarray(kernel))
        part.bias.data = torch.from_numpy(bias)


def torch_step(
    pairs: list[tuple[nn.Module, nn.Module]],
    batch: tuple[np.ndarray, np.ndarray],
    training: config.TranslationTrainingConfig,
) -> Step:
    """Return a step in the usual form: generators, then discriminators, with an image pool."""
    (forward, discriminator_second), (backward, discriminator_first) = pairs
    first, second = (
        torch.from_numpy(images.transpose(0, 3, 1, 2) * 2 - 1).contiguous(
            memory_format=torch.channels_last
        )
        for images in batch
    )
    for network in (forward, backward, discriminator_first, discriminator_second):
        network.to(memory_format=torch.channels_last)
    betas = (training.beta_1, 0.999)
    generator_weights = [*forward.parameters(), *backward.parameters()]
    discriminator_weights = [*discriminator_first.parameters(), *discriminator_second.parameters()]
    generator_optimizer = torch.optim.Adam(generator_weights, training.learning_rate, betas)
    discriminator_optimizer = torch.optim.Adam(discriminator_weights, training.learning_rate, betas)
    pool: list[torch.Tensor] = []

    def adversarial_loss(outputs: torch.Tensor, target_value: float) -> torch.Tensor:
        target = torch.full_like(outputs, target_value)
        if training.adversarial == "least_squares":
            return nn.functional.mse_loss(outputs, target)
        return nn.functional.binary_cross_entropy_with_logits(outputs, target)

    def draw(images: torch.Tensor) -> torch.Tensor:
        pool.append(images)
        return pool.pop(0) if len(pool) > training.pool_images else images

    def step() -> None:
        difference = nn.functional.l1_loss
        for parameter in discriminator_weights:
            parameter.requires_grad_(False)
        generator_optimizer.zero_grad()
        fake_second, fake_first = forward(first), backward(second)
        loss = adversarial_loss(discriminator_second(fake_second), 1.0) + adversarial_loss(
            discriminator_first(fake_first), 1.0
        )
        cycle = difference(backward(fake_second), first) + difference(forward(fake_first), second)
        loss = loss + training.cycle_weight * cycle
        if training.identity_weight:
            same = difference(forward(second), second) + difference(backward(first), first)
            loss = loss + training.identity_weight * same
        loss.backward()
        generator_optimizer.step()
        for parameter in discriminator_weights:
            parameter.requires_grad_(True)
        discriminator_optimizer.zero_grad()
        for discriminator, real, fake in (
            (discriminator_second, second, fake_second),
            (discriminator_first, first, fake_first),
        ):
            wrong = adversarial_loss(discriminator(draw(fake.detach())), 0.0)
            (0.5 * (adversarial_loss(discriminator(real), 1.0) + wrong)).backward()
        discriminator_optimizer.step()

    return step


def off_by(network: keras.Model, other: nn.Module, images: np.ndarray) -> float:
    """Return the largest difference of the outputs for the same images."""
    here = network(2 * images - 1).numpy()
    with torch.no_grad():
        there = other(torch.from_numpy(images.transpose(0, 3, 1, 2) * 2 - 1)).numpy()
    if here.ndim == 4:
        there = there.transpose(0, 2, 3, 1)
    return float(np.abs(here - there).max())


def both_steps(
    name: str, size: tuple[int, int] | None = None, batch: int | None = None
) -> tuple[dict[str, Step], float, tuple[int, int, int]]:
    """Return the steps of both libraries, the largest output difference and the image shape."""
    settings = experiment(EXPERIMENTS[name])
    images = batch_of_noise(settings, size, batch)
    count, height, width, _ = images[0].shape
    pairs = [gan.build(settings.model, (height, width, 1)) for _ in range(2)]
    others = []
    for generator, discriminator in pairs:
        filters, blocks = (64, 9) if name == "cyclegan" else (4, 3)
        other = torch_generator(filters, blocks, (height, width))
        torch_discriminator = torch_patches(64)
        if name == "small_cyclegan":
            torch_discriminator = torch_small_discriminator(
                8, discriminator.get_layer("flatten").output.shape[1]
            )
        give_weights(generator, other)
        give_weights(discriminator, torch_discriminator)
        others.append((other, torch_discriminator))
    differences = [
        off_by(network, other, images[0][:1])
        for networks, own in zip(pairs, others, strict=True)
        for network, other in zip(networks, own, strict=True)
    ]
    steps = {
        "PyTorch": torch_step(others, images, settings.training),
        "tfdream": tfdream_step(settings, pairs, images),
    }
    return steps, max(differences), (count, height, width)


def mixed_step(name: str, size: tuple[int, int] | None, batch: int | None) -> Step:
    """Return the step of tfdream in mixed precision."""
    settings = experiment(EXPERIMENTS[name])
    images = batch_of_noise(settings, size, batch)
    with timed_model.precision(mixed=True):
        pairs = [gan.build(settings.model, images[0].shape[1:]) for _ in range(2)]
        return tfdream_step(settings, pairs, images)


def row(
    name: str, steps: int, with_mixed: bool, batch: int | None, size: tuple[int, int] | None
) -> list[str]:
    ways, difference, images = both_steps(name, size, batch)
    if with_mixed:
        ways["mixed"] = mixed_step(name, size, batch)
    seconds = interleaved(ways, steps)
    shape = "×".join(map(str, images))
    cells = [name, shape, f"{statistics.median(seconds['PyTorch']):.2f} s"]
    for way in ("tfdream", "mixed"):
        if way not in ways:
            cells += ["–", "–"]
            continue
        ratio = beside(seconds[way], seconds["PyTorch"])
        cells += [f"{statistics.median(seconds[way]):.2f} s", f"{ratio:.2f}"]
    return [*cells, f"{difference:.1g}"]


@click.command()
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Measured steps.",
)
@click.option("--only", type=click.Choice(list(EXPERIMENTS)), multiple=True)
@click.option("--mixed", is_flag=True, help="Also measure mixed precision.")
@click.option(
    "--batch", type=click.IntRange(1), help="Images of each genre; by default as published."
)
@click.option("--size", type=int, nargs=2, help="Height and width; by default as published.")
def main(
    steps: int,
    only: tuple[str, ...],
    mixed: bool,
    batch: int | None,
    size: tuple[int, int] | None,
) -> None:
    """Print a Markdown table."""
    rows = (row(name, steps, mixed, batch, size) for name in only or EXPERIMENTS)
    print_table(HEAD, rows, words=2)
    click.echo(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", err=True)


if __name__ == "__main__":
    main()
