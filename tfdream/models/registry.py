"""Architectures by name: one module each, found by listing a package.

A module has one function ``build(…, **options)``, whose keyword arguments are the options that a
configuration may set.
"""

import importlib
import pkgutil
import re
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from tfdream.config import FeatureNetworkConfig, ModelConfig, describe
from tfdream.errors import ConfigError


def list_modules(package: str) -> list[str]:
    """The modules of a package, but for the packages in it: what can be built by its name."""
    path = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(path) if not module.ispkg)


def call_build(
    package: str, setting: str, config: ModelConfig | FeatureNetworkConfig, *arguments: Any
) -> Any:
    """Call the ``build`` of one of a package's modules with checked options.

    Args:
      package: its full name.
      setting: what the configuration is called, for messages.
      config: name of the module, and options.
      arguments: what goes before the options, the shape of the input first.

    Raises:
      ConfigError: if there is no such module, an option is unknown or of another type, or the input
        does not fit.
    """
    known = list_modules(package)
    if config.name not in known:
        raise ConfigError(f"{setting}.name={config.name} is not one of: {', '.join(known)}")
    module = importlib.import_module(f"{package}.{config.name}")
    checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(module.build)
    try:
        return checked(*arguments, **config.options)
    except ValidationError as error:
        if error.errors()[0]["loc"][0] == 0:  # the shape, by its position; options have names
            raise ConfigError(
                f"{config.name} cannot take an input of shape {arguments[0]}; use another "
                "frontend.kind"
            ) from None
        raise ConfigError(f"{config.name}: {describe(error)}") from None
    except ValueError as error:
        raise ConfigError(
            f"{config.name} cannot take an input of shape {arguments[0]}: {_reason(error)}"
        ) from None


def _reason(error: ValueError) -> str:
    """What Keras says in one line, without colors and the list of all arguments."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).partition("Arguments received by")[0]
    return " ".join(text.split())
