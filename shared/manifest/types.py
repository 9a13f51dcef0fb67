"""The types of a manifest's properties (texts, durations, credentials) and the base class of its models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

PropertyPath = tuple[str | int, ...]
"""Where a property is in a manifest: `("tasks", 0, "commands", 1)`."""


CREDENTIALS = ("accessKey", "connectionString", "password", "secretKeyId", "sessionToken", "sharedKeyAccountAccessKey")
"""The names of properties whose literal values are repeated nowhere."""


class Properties(BaseModel):
    """The base class of everything that a manifest consists of; unknown properties are errors."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the manifest has here
        """A property without a value counts as absent, as in Kestra."""
        if not isinstance(data, dict):
            return data
        known = {field.alias for field in cls.model_fields.values()}
        return {name: value for name, value in data.items() if value is not None or name not in known}

    def warnings(self) -> Iterator[tuple[PropertyPath, str]]:
        """What the author may not be aware of, and where: the path of a property of this."""
        yield from ()


def texts_with_paths(value: object, path: PropertyPath = ()) -> Iterator[tuple[PropertyPath, str]]:
    """Every text in a part of a manifest and its path below `path`, the names of maps included."""
    match value:
        case str():
            yield path, value
        case Properties():
            yield from texts_with_paths(value.model_dump(by_alias=True, warnings=False), path)
        case dict():
            for name, item in value.items():
                yield (*path, name), name
                yield from texts_with_paths(item, (*path, name))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from texts_with_paths(item, (*path, index))


def _as_text(value: object) -> object:
    """Numbers and booleans are taken as they were written where text is expected, as in Kestra."""
    if isinstance(value, bool):
        return str(value).lower()
    return getattr(value, "text", value)


_TIMEDELTA: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def as_duration(value: object) -> timedelta:
    """The value of an ISO 8601 duration. Raises ValueError if it is not one, or not longer than zero."""
    if isinstance(value, str) and value.startswith("P"):
        try:
            duration = _TIMEDELTA.validate_python(value)
        except ValidationError:
            duration = timedelta(0)
        if duration > timedelta(0):
            return duration
    raise ValueError("expected an ISO 8601 duration, such as PT30M (30 minutes) or PT2H (2 hours)")


def is_secret(text: str) -> bool:
    """Whether a text is one expression that reads a secret, and nothing else. Takes time linear in the length."""
    inside = text.strip().removeprefix("{{").removesuffix("}}")
    is_one_expression = len(text.strip()) == len(inside) + len("{{}}") and "{{" not in inside and "}}" not in inside
    return is_one_expression and re.search(r"\bsecret\s*\(", inside) is not None


def _only_by_secret(value: str) -> str:
    if not is_secret(value):
        raise ValueError("a credential must not be written in a manifest; use {{ secret('NAME') }}, or leave it out")
    return value


Text = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Duration = Annotated[timedelta, BeforeValidator(as_duration)]
Credential = Annotated[
    Text,
    AfterValidator(_only_by_secret),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\{\{[\s\S]*secret\s*\([\s\S]*\}\}\s*$"}),
]


@dataclass(frozen=True)
class NoEffect:
    """Marks a property that is accepted without effect; any value but its default gives a warning with the reason."""

    reason: str

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema without the mark, with the reason as its description."""
        return {**handler(schema), "description": f"Without effect: {self.reason}."}


@dataclass(frozen=True)
class Unsupported:
    """Marks a property of Kestra that is an error here; the reason says what to use instead."""

    reason: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Reject every value."""
        return core_schema.no_info_plain_validator_function(self._reject)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """No value is valid."""
        return {"not": {}, "description": f"Not supported: {self.reason}."}

    def _reject(self, _: object) -> NoReturn:
        raise PydanticCustomError("unsupported", "{reason}", {"reason": f"not supported here: {self.reason}"})
