"""Reading configurations by packaged name or by path, with overrides."""

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from tfdream.config.base import Config
from tfdream.config.registry import Registered, kinds, sections
from tfdream.errors import ConfigError, did_you_mean, printable
from tfdream.io import documents

Schema = TypeVar("Schema", bound=Config)

_ONLY_EXPERIMENTS = {"task", "prepare", "frontend", "training"}
"""Settings of every experiment that no other schema has."""


def names() -> list[str]:
    """Return the names of the packaged configurations, sorted.

    >>> "lil_data" in names()
    True
    """
    return sorted(_packaged())


def load(name_or_path: str | Path, schema: type[Schema], overrides: Iterable[str] = ()) -> Schema:
    """Read a configuration.

    Args:
      name_or_path: packaged name, or path of a YAML file.
      schema: `Experiment`, `DreamConfig`, …
      overrides: ``key=value`` with dotted keys; the value is read as YAML.

    Raises:
      ConfigError: if it does not exist, is not YAML, or does not fit the schema.

    >>> from tfdream.config import DreamConfig
    >>> load("dream/recommended", DreamConfig, ["optimizer.steps=5"]).optimizer.steps
    5
    """
    content = read(name_or_path, overrides, schema.packaged_in)
    return validate(content, schema, f"config '{name_or_path}'")


def read(
    name_or_path: str | Path, overrides: Iterable[str] = (), packaged_in: str = Config.packaged_in
) -> dict[str, Any]:
    """Read the settings of a configuration and apply overrides, without validation.

    Args:
      name_or_path: see `load`.
      overrides: see `load`.
      packaged_in: folder of the packaged configurations to accept; those for another schema might
        validate by accident.

    Raises:
      ConfigError: if it does not exist, cannot be read, has another purpose, or is not YAML; if
        overrides are a value and a curve of the same setting.
    """
    name_or_path = str(name_or_path)
    packaged = names()
    fitting = [name for name in packaged if Path(name).parent.as_posix() == packaged_in]
    has_other_purpose = name_or_path in packaged and name_or_path not in fitting
    content = _read(name_or_path, fitting)
    if packaged_in != Config.packaged_in and _ONLY_EXPERIMENTS & content.keys():
        has_other_purpose = True
    if has_other_purpose:
        raise ConfigError(
            f"config '{name_or_path}' has another purpose; name a file or one of: "
            f"{', '.join(fitting)}"
        )
    overrides = list(overrides)
    given = {override.partition("=")[0] for override in overrides}
    curves = content.get("curves")
    if isinstance(curves, dict):  # a given value replaces a curve of the configuration
        content["curves"] = {name: curve for name, curve in curves.items() if name not in given}
    for override in overrides:
        _override(content, override)
    curves = content.get("curves")
    if isinstance(curves, dict) and (both := sorted(given & curves.keys())):
        raise ConfigError(
            f"'{both[0]}' is given a value and a curve, which exclude each other; remove one"
        )
    return content


def as_override(key: str, value: Any) -> str:
    """Return a setting as an override: a dotted key, and a value that JSON can represent.

    >>> as_override("objective", "class_logit(café)")
    'objective="class_logit(café)"'
    """
    # YAML reads no escapes of JSON beyond 16 bits.
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def overridden(overrides: Iterable[str], section: str) -> frozenset[str]:
    """Return the names of the settings of a section that overrides change.

    >>> overridden(["prepare.folds=5", "training.epochs=3"], "prepare")
    frozenset({'folds'})
    """
    content: dict[str, Any] = {}
    for override in overrides:
        _override(content, override)
    settings = content.get(section)
    return frozenset(settings if isinstance(settings, dict) else ())


def validate(content: Any, schema: type[Schema], origin: str) -> Schema:
    """Validate the content of a configuration by a schema.

    Args:
      content: mapping of settings.
      schema: `Experiment`, `DreamConfig`, …
      origin: name of the configuration, for messages.

    Raises:
      ConfigError: naming `origin` and every invalid setting.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        message = f"{origin}: {describe(error, content, schema)}"
        raise ConfigError(message, error.error_count()) from None


def select_schema(
    content: Any, key: str, schemas: Mapping[str, type[Schema]], default: str, origin: str
) -> type[Schema]:
    """Return the schema that a key of a configuration names.

    Args:
      content: mapping of settings.
      key: the key, such as ``task``.
      schemas: schemas by the value of the key.
      default: value of a configuration without the key.
      origin: name of the configuration, for messages.

    Raises:
      ConfigError: if there is no such schema.
    """
    name = content.get(key, default) if isinstance(content, dict) else default
    if not isinstance(name, str) or name not in schemas:
        raise ConfigError(f"{origin}: {key}={name!r} is not one of: {', '.join(schemas)}")
    return schemas[name]


def describe(
    error: ValidationError, content: Any = None, valid: type[BaseModel] | Iterable[str] = ()
) -> str:
    """Return all errors of a validation as one line.

    Args:
      error: the errors.
      content: what was validated.
      valid: schema of `content`, or the names that it may contain, for suggestions.
    """
    return printable("; ".join(_problem(problem, content, valid) for problem in error.errors()))


def _problem(problem: Any, content: Any, valid: type[BaseModel] | Iterable[str]) -> str:
    keys = list(_keys(problem["loc"], content))
    place = ".".join(keys)
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        names = _settings(valid, keys[:-1], content) if isinstance(valid, type) else valid
        similar = did_you_mean(keys[-1], set(names) - {keys[-1]})
        return f"unknown setting '{place}'{similar}; remove it or check its spelling"
    if problem["type"] == "missing":
        return f"'{place}' is missing"
    if problem["type"] == "union_tag_not_found":
        return f"{place}: 'kind' is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("tuple_type", "list_type"):
        message = "a list is needed, such as [a, b], or [a] for one value"
    if isinstance(problem["input"], dict):
        return f"{place}: {message}" if place else message
    return f"{place}={problem['input']!r}: {message}"


def _settings(schema: type[BaseModel], keys: Sequence[str], content: Any) -> set[str]:
    """Return the names of the settings of the section of `content` that keys lead to."""
    candidates = [schema]
    for key in keys:
        fields = [each.model_fields[key] for each in candidates if key in each.model_fields]
        if isinstance(content, dict):
            content = content.get(key)
        elif isinstance(content, list) and key.isdecimal():
            content = content[int(key)] if int(key) < len(content) else None
        if fields:  # otherwise the key is that of an element
            candidates = [each for field in fields for each in _schemas(field.rebuild_annotation())]
        if isinstance(content, dict) and "kind" in content:
            candidates = [each for each in candidates if content["kind"] in kinds(each)]
    return {name for each in candidates for name in each.model_fields}


def _schemas(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the schemas of the sections that the annotation of a field contains."""
    base, *metadata = get_args(annotation) or (annotation,)
    for each in metadata:
        if isinstance(each, Registered):
            yield from sections(each.package, base).values()
            return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _schemas(each)


def _keys(location: tuple[int | str, ...], content: Any) -> Iterator[str]:
    """Yield the keys as the user wrote them: pydantic adds the kind of a section of a union."""
    for part in location:
        if isinstance(content, dict):
            if part not in content and part == content.get("kind"):
                continue
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int):
            content = content[part] if part < len(content) else None
        yield str(part)


@functools.cache
def _packaged() -> dict[str, Path]:
    """Return the paths of the packaged configurations by name."""
    folder = Path(str(resources.files("tfdream"))) / "configs"
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")
    }


def _read(name_or_path: str, fitting: Sequence[str]) -> dict[str, Any]:
    """Read a configuration; `fitting` are the packaged names for messages."""
    source = _packaged().get(name_or_path, Path(name_or_path))
    if not source.is_file():
        raise ConfigError(
            f"config '{name_or_path}' is neither a file nor a packaged configuration"
            f"{did_you_mean(name_or_path, fitting)}; use one of: {', '.join(fitting)}; "
            "tfdream configs lists all"
        )
    try:
        content = documents.read_yaml(source)
    except OSError as error:
        raise ConfigError(f"config '{name_or_path}' cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"config '{name_or_path}' cannot be read as YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"config '{name_or_path}' is not a mapping of settings")
    return content


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override '{override}' is not KEY=VALUE, such as training.epochs=3")
    try:
        value = documents.parse_yaml(text)
    except ValueError as error:
        raise ConfigError(
            printable(f"override '{override}': the value cannot be read as YAML: {error}")
        ) from None
    *path, last = key.split(".")
    for part in path:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise ConfigError(f"override '{override}': '{part}' is a value, not a section")
    content[last] = value
