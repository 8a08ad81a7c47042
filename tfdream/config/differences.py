"""The settings in which two configurations differ."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel


def differences(one: BaseModel, other: BaseModel) -> list[str]:
    """Return the dotted names of the settings that differ, or that only one configuration has.

    >>> from tfdream.config import DreamConfig
    >>> changed = DreamConfig(seed=1, octaves={"count": 2})
    >>> differences(DreamConfig(), changed)
    ['octaves.count', 'seed']
    """
    return sorted(_differing(one.model_dump(mode="json"), other.model_dump(mode="json")))


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name in {*one, *other}:
        left, right = one.get(name), other.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from _differing(left, right, f"{prefix}{name}.")
        elif name not in one or name not in other or left != right:
            yield prefix + name
