"""Checks of options that belong together."""

from collections.abc import Sequence

from tfdream.errors import ConfigError


def check_lengths(model: str, **options: Sequence[int]) -> None:
    """Check that options have the same number of values.

    Args:
      model: name of the model, for the message.
      options: values of each option by its name.

    Raises:
      ConfigError: if they have not.
    """
    if len({len(values) for values in options.values()}) > 1:
        listed = ", ".join(f"{name}={list(values)}" for name, values in options.items())
        raise ConfigError(f"{model}: {listed} differ in length; give all the same number of values")
