"""Reading configurations: packaged ones by name, others by path, with overrides."""

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from tfdream.config.base import Config
from tfdream.errors import ConfigError
from tfdream.io import documents

Loaded = TypeVar("Loaded", bound=Config)


def names() -> list[str]:
    """The packaged configurations, as `load` takes them."""
    return sorted(_packaged())


def load(name_or_path: str, schema: type[Loaded], overrides: Iterable[str] = ()) -> Loaded:
    """Read a configuration.

    Args:
      name_or_path: a packaged name, or a path to a YAML file.
      schema: `Experiment`, `DreamConfig`, …
      overrides: ``key=value`` with dotted keys; the value is read as YAML.

    Raises:
      ConfigError: if it does not exist, is not YAML, or does not fit the schema.
    """
    content = read(name_or_path, overrides, schema.packaged_in)
    return validate(content, schema, f"config '{name_or_path}'")


def read(
    name_or_path: str, overrides: Iterable[str] = (), packaged_in: str = Config.packaged_in
) -> dict[str, Any]:
    """The settings of a configuration, overridden but not yet checked.

    Args:
      name_or_path, overrides: see `load`.
      packaged_in: where the packaged ones of its kind are; those of another kind may happen to fit.

    Raises:
      ConfigError: if it does not exist, is packaged elsewhere, or is not YAML.
    """
    packaged = names()
    fitting = [name for name in packaged if Path(name).parent.as_posix() == packaged_in]
    if name_or_path in packaged and name_or_path not in fitting:
        raise ConfigError(
            f"config '{name_or_path}' is for something else; name a file or one of: "
            f"{', '.join(fitting)}"
        )
    content = _read(name_or_path)
    for override in overrides:
        _override(content, override)
    return content


def validate(content: Any, schema: type[Loaded], origin: str) -> Loaded:
    """Check `content` against `schema`.

    Raises:
      ConfigError: naming `origin` and every setting that does not fit.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {describe(error, content)}") from None


def describe(error: ValidationError, content: Any = None) -> str:
    """One line for all that a validation of `content` found."""
    return "; ".join(_problem(problem, content) for problem in error.errors())


def _problem(problem: Any, content: Any) -> str:
    place = ".".join(_keys(problem["loc"], content))
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown setting '{place}'; remove it or check its spelling"
    if problem["type"] == "missing":
        return f"'{place}' is missing"
    if problem["type"] == "union_tag_not_found":
        return f"{place}: 'kind' is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict):
        return f"{place}: {message}" if place else message
    return f"{place}={problem['input']!r}: {message}"


def _keys(location: tuple[int | str, ...], content: Any) -> Iterator[str]:
    """The keys as the user wrote them: pydantic puts the `kind` of a section into its location."""
    for part in location:
        if isinstance(content, dict):
            if part not in content and part == content.get("kind"):
                continue
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int):
            content = content[part] if part < len(content) else None
        yield str(part)


def _packaged() -> dict[str, Path]:
    folder = Path(str(resources.files("tfdream"))) / "configs"
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")
    }


def _read(name_or_path: str) -> dict[str, Any]:
    source = _packaged().get(name_or_path, Path(name_or_path))
    if not source.is_file():
        raise ConfigError(
            f"config '{name_or_path}' is neither a file nor one of: {', '.join(names())}"
        )
    try:
        content = documents.read_yaml(source)
    except (OSError, ValueError) as error:
        raise ConfigError(f"config '{name_or_path}' is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"config '{name_or_path}' is not a mapping of settings")
    return content


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override '{override}' is not KEY=VALUE, such as training.epochs=3")
    try:
        value = documents.parse_yaml(text)
    except ValueError:
        raise ConfigError(f"override '{override}': the value is not YAML") from None
    *path, last = key.split(".")
    for part in path:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise ConfigError(f"override '{override}': '{part}' holds a value, not settings")
    content[last] = value
