"""The sequence models in PyTorch, with the weights of the Keras models, to compare their steps."""

from collections.abc import Callable

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tfdream import config
from tfdream.models.sequence.base import SequenceModel
from tfdream.models.sequence.lstm import LSTM
from tfdream.models.sequence.product_codes import ProductCodes


def tensor(value: object) -> torch.Tensor:
    """Copy a Keras weight."""
    return torch.tensor(np.array(value))


def linear(layer: keras.layers.Dense) -> nn.Linear:
    """Return a dense layer without its activation."""
    module = nn.Linear(*layer.kernel.shape, bias=layer.use_bias)
    module.weight.data = tensor(layer.kernel).T.contiguous()
    if layer.use_bias:
        module.bias.data = tensor(layer.bias)
    return module


def recurrent(layer: keras.layers.LSTM) -> nn.LSTM:
    """Return an LSTM layer; both libraries have the gates in the order i, f, g, o."""
    cell = layer.cell
    module = nn.LSTM(cell.kernel.shape[0], layer.units, batch_first=True)
    module.weight_ih_l0.data = tensor(cell.kernel).T.contiguous()
    module.weight_hh_l0.data = tensor(cell.recurrent_kernel).T.contiguous()
    module.bias_ih_l0.data = tensor(cell.bias)
    module.bias_hh_l0.data.zero_()
    module.bias_hh_l0.requires_grad_(False)
    return module


class TorchLSTM(nn.Module):
    """The published LSTM; its output is the loss of a batch of frames."""

    def __init__(self, model: LSTM, teacher_forcing: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(recurrent, model.recurrent))
        self.levels = linear(model.levels)
        self.teacher_forcing = teacher_forcing

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of frames `[batch, frames, bands]`."""
        if self.teacher_forcing:
            x = frames[:, :-1]
            for layer in self.layers:
                x, _ = layer(x)
            return functional.mse_loss(torch.sigmoid(self.levels(x)), frames[:, 1:])
        x, outputs = frames[:, :1], []
        states: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * len(self.layers)
        for _ in range(frames.shape[1] - 1):
            for number, layer in enumerate(self.layers):
                x, states[number] = layer(x, states[number])
            x = torch.sigmoid(self.levels(x))
            outputs.append(x)
        return functional.mse_loss(torch.cat(outputs, dim=1), frames[:, 1:])


class TorchProductCodes(nn.Module):
    """The model of product codes; its output is the loss of a batch of frames."""

    def __init__(self, model: ProductCodes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(recurrent, model.recurrent))
        self.context, self.prefix = linear(model.context), linear(model.prefix)
        self.offsets = nn.Parameter(tensor(model.offsets))
        self.kernels = nn.Parameter(tensor(model.logit_kernels))
        self.center, self.basis = tensor(model.center), tensor(model.basis)
        self.books, self.deviation = tensor(model.codebooks), tensor(model.deviation)
        self.first_rows = torch.arange(model.numbers) * model.entries
        self.input_dropout = nn.Dropout(model.input_dropout.rate)
        self.dropout = nn.Dropout(model.dropout.rate)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the mean negative log-likelihood of frames `[batch, frames, bands]`."""
        with torch.no_grad():
            components = (frames - self.center) @ self.basis
            products = torch.einsum("btc,nec->btne", components, self.books)
            codes = ((self.books**2).sum(-1) - 2 * products).argmin(-1)
            rows = codes + self.first_rows
            embedded = self.books.flatten(0, 1)[rows].sum(-2) / self.deviation
        outputs = [self.input_dropout(embedded[:, :-1])]
        for layer in self.layers:
            x, _ = layer(outputs[-1])
            outputs.append(self.dropout(x))
        context = self.context(torch.cat(outputs, dim=-1))
        projected = self.prefix(self.books / self.deviation).flatten(0, 1)[rows[:, 1:]]
        before = projected.cumsum(dim=-2) - projected
        hidden = torch.relu(context.unsqueeze(-2) + before + self.offsets)
        logits = torch.einsum("btnw,nwe->btne", hidden, self.kernels)
        return functional.cross_entropy(logits.flatten(0, 2), codes[:, 1:].flatten())


def torch_model(model: SequenceModel, training: config.GenerationTrainingConfig) -> nn.Module:
    """Return the PyTorch version of a sequence model."""
    if isinstance(model, LSTM):
        return TorchLSTM(model, training.teacher_forcing)
    if isinstance(model, ProductCodes):
        return TorchProductCodes(model)
    raise TypeError(f"{type(model).__name__} has no PyTorch version")


def torch_step(
    network: nn.Module, training: config.GenerationTrainingConfig, frames: np.ndarray
) -> Callable[[], float]:
    """Return a training step in the usual form: loss, gradients, clipping, Adam."""
    batch = torch.from_numpy(frames)
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(weights, training.learning_rate)
    network.train()

    def step() -> float:
        optimizer.zero_grad()
        loss = network(batch)
        loss.backward()
        if training.gradient_norm:
            nn.utils.clip_grad_norm_(weights, training.gradient_norm)
        optimizer.step()
        return float(loss)

    return step


def loss_difference(model: SequenceModel, network: nn.Module, frames: np.ndarray) -> float:
    """Return the difference of the losses of the same frames, without dropout."""
    forcing = not isinstance(network, TorchLSTM) or network.teacher_forcing
    loss = model.mean_nll(frames) if forcing else model.free_running_nll(frames)
    network.eval()
    with torch.no_grad():
        return abs(float(loss) - float(network(torch.from_numpy(frames))))
