"""Sections that are discovered: each kind is one module of a package, found by listing it.

A field annotated with `Registered` accepts every section that a module of the named package
defines. The package is imported when a value is validated, not before: importing this module, or
unpickling a configuration without such a field, loads no TensorFlow.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Section = TypeVar("Section", bound=BaseModel)


def list_modules(package: str) -> list[str]:
    """Return the names of a package's public modules, sorted.

    Sub-packages, modules named `base` and those that start with an underscore are left out.

    Args:
      package: full name, such as ``tfdream.models.classifiers``.

    >>> list_modules("tfdream.models.gan")
    ['cyclegan', 'small_cyclegan', 'temporal_cnn']
    """
    path = importlib.import_module(package).__path__
    names = {module.name for module in pkgutil.iter_modules(path) if not module.ispkg}
    return sorted(name for name in names if name != "base" and not name.startswith("_"))


def sections(package: str, base: type[Section]) -> dict[str, type[Section]]:
    """Import a package's modules and return the sections that they define, by kind.

    Args:
      package: full name.
      base: only its subclasses are returned. A section names its kinds in
        ``kind: Literal["first", …]``.

    Raises:
      ValueError: if two sections have the same kind.
    """
    by_kind: dict[str, type[Section]] = {}
    for name in list_modules(package):
        module = importlib.import_module(f"{package}.{name}")
        for section in vars(module).values():
            if not (isinstance(section, type) and issubclass(section, base)):
                continue
            if section.__module__ != module.__name__:
                continue  # imported from another module
            for kind in kinds(section):
                if kind in by_kind:
                    raise ValueError(
                        f"{section.__module__} and {by_kind[kind].__module__} both define "
                        f"kind={kind}; rename one"
                    )
                by_kind[kind] = section
    return dict(sorted(by_kind.items()))


def module_of(section: BaseModel) -> ModuleType:
    """Return the module that defines a section, and beside it the code that the section sets."""
    return importlib.import_module(type(section).__module__)


@dataclass(frozen=True)
class Registered:
    """Annotation of a field that accepts the sections which a package's modules define.

    The annotated type limits the choice: only its subclasses are accepted. A mapping is validated
    by the section of its `kind`; an instance is accepted as it is.

    ``frontend: Annotated[FrontendConfig, Registered("tfdream.signal.frontends")]``
    """

    package: str

    def __get_pydantic_core_schema__(self, base: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: Any) -> BaseModel:
            return self._validate(value, base)

        return core_schema.no_info_plain_validator_function(
            check,
            # By the class of the value: the annotated base lacks the fields of its subclasses.
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda value, serialize: serialize(value), schema=core_schema.any_schema()
            ),
            metadata={"registered": (self.package, base)},
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        package, base = schema["metadata"]["registered"]
        choices = {
            kind: section.__pydantic_core_schema__
            for kind, section in sections(package, base).items()
        }
        return handler(core_schema.tagged_union_schema(choices, discriminator="kind"))

    def _validate(self, value: Any, base: type[BaseModel]) -> BaseModel:
        if isinstance(value, base):
            return value
        available = sections(self.package, base)
        names = ", ".join(available)
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                "section_type",
                "settings with a 'kind' are required: one of {kinds}",
                {"kinds": names},
            )
        if "kind" not in value:
            raise PydanticCustomError(
                "kind_missing", "'kind' is missing; use one of: {kinds}", {"kinds": names}
            )
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in available:
            raise PydanticCustomError(
                "kind_unknown",
                "kind={kind} is not one of: {kinds}",
                {"kind": repr(kind), "kinds": names},
            )
        # A ValidationError raised here keeps its locations below that of the field.
        return available[kind].model_validate(value)


def kinds(section: type[BaseModel]) -> tuple[str, ...]:
    """Return the kinds of a section; none for a base class, whose `kind` is any string."""
    field = section.model_fields.get("kind")
    if field is None or get_origin(field.annotation) is not Literal:
        return ()
    return get_args(field.annotation)
