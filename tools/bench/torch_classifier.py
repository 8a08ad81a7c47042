"""The classifiers in PyTorch, with the weights of the Keras models, for comparisons of their steps.

Every layer becomes the usual PyTorch module or function, on tensors with the channels first and,
for images, in the channels-last memory format, which is the faster one on CPUs.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch_texture import texture_statistics

from tfdream import config
from tfdream.models.parts.filterbank import LogEnergy, UnitLevel

Operation = Callable[..., torch.Tensor]

_ACTIVATIONS = {"linear": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh}


class TorchClassifier(nn.Module):
    """The layers of a functional Keras model up to the logits.

    Args:
      model: a model whose layers are in `BUILDERS`, with one input.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.parts = nn.ModuleDict()
        self.calls: list[tuple[str, Operation, list[str]]] = []
        for layer in model.layers:
            if isinstance(layer, keras.layers.InputLayer):
                self.source = layer.output.name
                continue
            operation = BUILDERS[type(layer).__name__](layer)
            if isinstance(operation, nn.Module):
                self.parts[layer.name] = operation
            inputs = layer.input if isinstance(layer.input, list) else [layer.input]
            self.calls.append((layer.output.name, operation, [x.name for x in inputs]))
            self.result = layer.output.name
            if layer.name == "logits":
                break

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch with the channels first to logits `[batch, classes]`."""
        values = {self.source: x}
        for name, operation, inputs in self.calls:
            values[name] = operation(*(values[each] for each in inputs))
        return values[self.result]


def torch_input(examples: np.ndarray) -> torch.Tensor:
    """Return a batch of Keras with the channels first."""
    tensor = torch.from_numpy(np.moveaxis(examples, -1, 1).copy())
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def torch_step(
    network: TorchClassifier,
    training: config.TrainingConfig,
    batch: tuple[np.ndarray, np.ndarray],
) -> Callable[[], float]:
    """Return a training step in the usual form: cross-entropy, gradients, optimizer."""
    inputs, labels = torch_input(batch[0]), torch.from_numpy(batch[1])
    if inputs.ndim == 4:
        network.to(memory_format=torch.channels_last)
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    rate, decay = training.learning_rate, training.weight_decay or 0.0
    optimizer: torch.optim.Optimizer
    if training.optimizer == "sgd":
        optimizer = torch.optim.SGD(weights, rate, training.momentum, weight_decay=decay)
    elif decay:
        optimizer = torch.optim.AdamW(weights, rate, weight_decay=decay)
    else:
        optimizer = torch.optim.Adam(weights, rate)
    loss_of = nn.CrossEntropyLoss(label_smoothing=training.label_smoothing)
    network.train()

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(network(inputs), labels)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def largest_difference(model: keras.Model, network: TorchClassifier, examples: np.ndarray) -> float:
    """Return the largest difference of the logits for the same examples, without dropout."""
    network.eval()
    logits = keras.Model(model.input, model.get_layer("logits").output)
    with torch.no_grad():
        there = network(torch_input(examples)).numpy()
    return float(np.abs(logits(examples, training=False).numpy() - there).max())


def _convolution(layer: keras.layers.Conv1D | keras.layers.Conv2D) -> nn.Module:
    kernel = layer.kernel.numpy()
    *sizes, channels, filters = kernel.shape
    module_type, pad_type = (
        (nn.Conv1d, nn.ConstantPad1d) if len(sizes) == 1 else (nn.Conv2d, nn.ConstantPad2d)
    )
    padding: Any = 0
    before: list[nn.Module] = []
    if layer.padding == "same":
        lengths = layer.input.shape[1:-1]
        missing = [
            max(0, (-(-length // stride) - 1) * stride + size - length)
            for length, size, stride in zip(lengths, sizes, layer.strides, strict=True)
        ]
        if all(total % 2 == 0 for total in missing):
            padding = tuple(total // 2 for total in missing)
        else:
            sides = [side for total in reversed(missing) for side in (total // 2, -(-total // 2))]
            before = [pad_type(tuple(sides), 0.0)]
    module = module_type(
        channels, filters, tuple(sizes), layer.strides, padding, bias=layer.use_bias
    )
    order = (len(sizes) + 1, len(sizes), *range(len(sizes)))
    module.weight.data = torch.from_numpy(kernel.transpose(order).copy())
    if layer.use_bias:
        module.bias.data = torch.from_numpy(layer.bias.numpy())
    return nn.Sequential(*before, module, _activation(layer))


def _dense(layer: keras.layers.Dense) -> nn.Module:
    kernel = layer.kernel.numpy()
    module = nn.Linear(*kernel.shape, bias=layer.use_bias)
    module.weight.data = torch.from_numpy(kernel.T.copy())
    if layer.use_bias:
        module.bias.data = torch.from_numpy(layer.bias.numpy())
    return nn.Sequential(module, _activation(layer))


def _activation(layer: keras.Layer) -> nn.Module:
    return _ACTIVATIONS[layer.activation.__name__]()


def _batch_normalization(layer: keras.layers.BatchNormalization) -> nn.Module:
    images = len(layer.input.shape) == 4
    module = (nn.BatchNorm2d if images else nn.BatchNorm1d)(
        layer.moving_mean.shape[0], layer.epsilon, 1 - layer.momentum
    )
    module.running_mean = torch.from_numpy(layer.moving_mean.numpy())
    module.running_var = torch.from_numpy(layer.moving_variance.numpy())
    for parameter, weight in ((module.weight, layer.gamma), (module.bias, layer.beta)):
        parameter.requires_grad_(weight is not None)
        if weight is not None:
            parameter.data = torch.from_numpy(weight.numpy())
    return module


def _standardization(layer: keras.layers.Normalization) -> Operation:
    shape = {2: (1, -1), 3: (1, 1, -1), 4: (1, 1, -1, 1)}[len(layer.input.shape)]
    mean = torch.tensor(np.array(layer.mean)).reshape(shape)
    deviation = torch.tensor(np.array(layer.variance)).sqrt().clamp(min=1e-7).reshape(shape)
    return lambda x: (x - mean) / deviation


def _rescaling(layer: keras.layers.Rescaling) -> Operation:
    offset = torch.tensor(np.array(layer.offset, np.float32)).reshape(-1, 1, 1)
    return lambda x: x * layer.scale + offset


def _max_pooling(layer: keras.layers.MaxPooling1D | keras.layers.MaxPooling2D) -> nn.Module:
    module_type = nn.MaxPool1d if len(layer.pool_size) == 1 else nn.MaxPool2d
    return module_type(layer.pool_size, layer.strides)


def _zero_padding(layer: keras.layers.ZeroPadding2D) -> nn.Module:
    (top, bottom), (left, right) = layer.padding
    return nn.ZeroPad2d((left, right, top, bottom))


def _log_energy(layer: LogEnergy) -> Operation:
    hop, offset = layer.hop, layer.offset

    def operation(x: torch.Tensor) -> torch.Tensor:
        frames = x.shape[-1]
        missing = max(0, (-(-frames // hop) - 1) * hop + 2 * hop - frames)
        left = missing // 2
        sides = (left, missing - left)
        # Padding does not count in the mean, as in TensorFlow.
        energy = functional.avg_pool1d(functional.pad(x * x, sides), 2 * hop, hop)
        ones = functional.pad(torch.ones(1, 1, frames), sides)
        return torch.log(energy / functional.avg_pool1d(ones, 2 * hop, hop) + offset)

    return operation


def _unit_level(layer: UnitLevel) -> Operation:
    return lambda x: x / torch.sqrt((x * x).mean(dim=2, keepdim=True) + 1e-12)


def _flatten(layer: keras.layers.Flatten) -> Operation:
    return lambda x: x.movedim(1, -1).flatten(1)


BUILDERS: dict[str, Callable[[Any], Operation]] = {
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Dense": _dense,
    "BatchNormalization": _batch_normalization,
    "Normalization": _standardization,
    "Rescaling": _rescaling,
    "ReLU": lambda layer: nn.ReLU(),
    "LeakyReLU": lambda layer: nn.LeakyReLU(layer.negative_slope),
    "Activation": _activation,
    "MaxPooling1D": _max_pooling,
    "MaxPooling2D": _max_pooling,
    "AveragePooling2D": lambda layer: nn.AvgPool2d(layer.pool_size, layer.strides),
    "GlobalAveragePooling1D": lambda layer: lambda x: x.mean(dim=2),
    "GlobalAveragePooling2D": lambda layer: lambda x: x.mean(dim=(2, 3)),
    "GlobalMaxPooling1D": lambda layer: lambda x: x.amax(dim=2),
    "GlobalMaxPooling2D": lambda layer: lambda x: x.amax(dim=(2, 3)),
    "ZeroPadding2D": _zero_padding,
    "Dropout": lambda layer: nn.Dropout(layer.rate),
    "SpatialDropout1D": lambda layer: nn.Dropout1d(layer.rate),
    "Add": lambda layer: torch.add,
    "Concatenate": lambda layer: lambda *x: torch.cat(x, dim=1),
    "Flatten": _flatten,
    "UnitLevel": _unit_level,
    "LogEnergy": _log_energy,
    "TextureStatistics": texture_statistics,
}
"""How each type of layer is translated."""
