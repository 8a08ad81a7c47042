"""Controls for all settings of a recipe, generated from the JSON schema of its pydantic section."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from tfdream.config import Config, as_override
from tfdream.errors import ConfigError
from tfdream.io import documents

EXCLUDED = {
    "method": "The recipe of a transfer determines its method; choose another recipe.",
}
"""Settings without a control, by name, and the reason."""
MAIN = ("objective", "optimizer.steps", "seed")
"""Settings that the page shows first, beside the strength."""
NONE = "none"
"""Choice that stands for null."""

Kind = Literal["switch", "choice", "choices", "section", "number", "text", "yaml"]


@dataclass(frozen=True)
class Setting:
    """A setting and the control that changes it.

    Attributes:
      key: dotted key, as for --set.
      kind: a switch, a choice, several choices, the choice of a section by its kind, a number, a
        text, or a value of several parts as YAML.
      value: the value in the recipe, as JSON represents it.
      choices: the values of a choice, or of several ones, or the kinds of a section.
      optional: whether null is a value.
      minimum, maximum: limits of a number; None if there is none.
      integer: whether a number is one.
      description: explanation from the schema; empty if there is none.
    """

    key: str
    kind: Kind
    value: Any
    choices: tuple[str, ...] = ()
    optional: bool = False
    minimum: float | None = None
    maximum: float | None = None
    integer: bool = False
    description: str = ""

    @property
    def group(self) -> str:
        """Section of the recipe that contains the setting; empty if it is in none."""
        return self.key.partition(".")[0] if "." in self.key or self.kind == "section" else ""

    @property
    def shown(self) -> Any:
        """The value in the form that the control shows."""
        if self.kind == "yaml":
            return to_yaml(self.value)
        if self.kind in ("choice", "section"):
            return NONE if self.value is None else self.value
        return self.value

    def read(self, shown: Any) -> Any:
        """Convert what the control contains to a value.

        Raises:
          ConfigError: if it is not YAML.
        """
        if self.kind == "yaml":
            try:
                return documents.parse_yaml(str(shown or ""))
            except ValueError:
                raise ConfigError(f"{self.key}: '{shown}' is not YAML") from None
        if self.kind in ("choice", "section"):
            return None if shown == NONE else shown
        if self.kind == "text" and self.optional:
            return shown or None
        if self.kind == "number" and shown is not None:
            return int(shown) if self.integer and float(shown).is_integer() else float(shown)
        return shown


def describe(config: Config) -> list[Setting]:
    """Return the settings of a recipe in the order of the schema, without the excluded ones.

    Args:
      config: the resolved recipe; its sections determine which settings there are.
    """
    schema = type(config).model_json_schema()
    return list(_settings(schema, config.model_dump(mode="json"), schema.get("$defs", {})))


def to_yaml(value: Any) -> str:
    """Return a value as YAML in one line.

    >>> to_yaml({"conv3": 1.0}), to_yaml(None), to_yaml([[0, 0.5]])
    ('{conv3: 1.0}', 'null', '[[0, 0.5]]')
    """
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def overrides(settings: Sequence[Setting], shown: Iterable[Any]) -> tuple[str, ...]:
    """Return the overrides that turn the recipe into what the controls contain.

    Args:
      settings: the settings of the recipe without overrides, or with other sections.
      shown: what the control of each setting contains.

    Raises:
      ConfigError: if a value is not YAML.

    >>> steps = Setting("optimizer.steps", "number", 20, integer=True)
    >>> overrides([steps], [5]), overrides([steps], [20])
    (('optimizer.steps=5',), ())
    """
    changed = []
    for setting, content in zip(settings, shown, strict=True):
        value = setting.read(content)
        if value == setting.value:
            continue
        if setting.kind == "section" and value is not None:
            value = {"kind": value}
        changed.append(as_override(setting.key, value))
    return tuple(changed)


def merged(earlier: Iterable[str], later: Iterable[str]) -> tuple[str, ...]:
    """Return overrides in which later ones replace those of the same key, or of keys below it.

    >>> merged(["seed=1", "canvas.bound_db=3"], ['canvas={"kind": "phase"}', "seed=2"])
    ('canvas={"kind": "phase"}', 'seed=2')
    """
    later = tuple(later)
    keys = {each.partition("=")[0] for each in later}

    def is_replaced(override: str) -> bool:
        key = override.partition("=")[0]
        return any(key == other or key.startswith(f"{other}.") for other in keys)

    return (*(each for each in earlier if not is_replaced(each)), *later)


def _settings(
    schema: Mapping[str, Any],
    values: Mapping[str, Any],
    definitions: Mapping[str, Any],
    at: str = "",
) -> Iterator[Setting]:
    for name, given in schema.get("properties", {}).items():
        key = at + name
        if key in EXCLUDED or (at and name == "kind" and "const" in given):
            continue
        value = values.get(name)
        property_, optional = _resolve(given, definitions)
        kinds = _kinds(property_, definitions)
        text = " ".join(str(given.get("description", "")).split())
        if kinds:
            yield Setting(
                key,
                "section",
                value and value["kind"],
                (*kinds, *((NONE,) if optional else ())),
                optional,
                description=text,
            )
            if value:
                yield from _settings(kinds[value["kind"]], value, definitions, f"{key}.")
        elif "properties" in property_ and isinstance(value, dict) and not optional:
            yield from _settings(property_, value, definitions, f"{key}.")
        else:
            yield _leaf(key, property_, value, optional, text)


def _leaf(key: str, schema: Mapping[str, Any], value: Any, optional: bool, text: str) -> Setting:
    kind = schema.get("type")
    if kind == "boolean" and not optional:
        return Setting(key, "switch", value, description=text)
    if kind == "string" and "enum" in schema:
        choices = (*schema["enum"], *((NONE,) if optional else ()))
        return Setting(key, "choice", value, choices, optional, description=text)
    if kind == "array" and "enum" in schema.get("items", {}) and not optional:
        return Setting(key, "choices", value, tuple(schema["items"]["enum"]), description=text)
    if kind in ("integer", "number") and not optional:  # an empty number field contains 0
        return Setting(
            key,
            "number",
            value,
            minimum=schema.get("minimum"),
            maximum=schema.get("maximum"),
            integer=kind == "integer",
            description=text,
        )
    if kind == "string" and "const" not in schema:
        return Setting(key, "text", value, optional=optional, description=text)
    return Setting(key, "yaml", value, optional=optional, description=text)


def _resolve(
    schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> tuple[Mapping[str, Any], bool]:
    """Return the schema behind a reference or an optional type, and whether null is allowed."""
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    optional = len(options) < len(schema.get("anyOf", ()))
    if len(options) == 1:
        schema = {**schema, **options[0]}
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema, optional


def _kinds(
    schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """Return the sections of a choice by kind; none if a section needs more than its kind."""
    mapping = schema.get("discriminator", {}).get("mapping", {})
    kinds = {kind: definitions[target.rpartition("/")[2]] for kind, target in mapping.items()}
    needs_more = any(set(each.get("required", ())) - {"kind"} for each in kinds.values())
    return {} if needs_more else kinds
