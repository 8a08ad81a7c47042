"""Architectures by name: each one is a module of a package, discovered by listing it.

A module has a function ``build(input_shape, …, **options)``. Its keyword-only arguments are the
options that a configuration can set; their annotations are validated.
"""

import importlib
import inspect
import re
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from tfdream.config import FeatureNetworkConfig, ModelConfig, describe
from tfdream.config.registry import list_modules
from tfdream.errors import ConfigError


def call_build(
    package: str, setting: str, config: ModelConfig | FeatureNetworkConfig, *arguments: Any
) -> Any:
    """Call the ``build`` function of one of a package's modules with validated options.

    Args:
      package: full name, such as ``tfdream.models.classifiers``.
      setting: name of the configuration's section in error messages.
      config: name of the module, and options.
      arguments: positional arguments before the options; the first one is the input's shape.

    Raises:
      ConfigError: if there is no such module, an option is unknown or has the wrong type, or the
        input does not fit.

    >>> model = call_build(
    ...     "tfdream.models.classifiers", "model", ModelConfig(name="softmax"), (8, 8, 1), 3
    ... )
    >>> model.output_shape
    (None, 3)
    """
    available = list_modules(package)
    if config.name not in available:
        raise ConfigError(f"{setting}.name={config.name} is not one of: {', '.join(available)}")
    module = importlib.import_module(f"{package}.{config.name}")
    build = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(module.build)
    try:
        return build(*arguments, **config.options)
    except ValidationError as error:
        if error.errors()[0]["loc"][0] == 0:  # positional arguments have numbers, options names
            raise ConfigError(
                f"{config.name} does not accept an input of shape {arguments[0]}; use another "
                "frontend.kind"
            ) from None
        parameters = inspect.signature(module.build).parameters.values()
        names = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
        raise ConfigError(f"{config.name}: {describe(error, valid=names)}") from None
    except ValueError as error:
        raise ConfigError(
            f"{config.name} does not accept an input of shape {arguments[0]}: {_reason(error)}"
        ) from None


def _reason(error: ValueError) -> str:
    """Return Keras' message as one line, without colors and the list of all arguments."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).partition("Arguments received by")[0]
    return " ".join(text.split())
