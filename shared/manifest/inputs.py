"""The inputs of a flow. A manifest is dropped without values for them, so an input's default is its value.

Here, defaults are checked against the type; their expressions are rendered when a round is planned.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationInfo, field_validator, model_validator

from shared.errors import ManifestError
from shared.expressions.date_patterns import formatted
from shared.manifest._source import parse
from shared.manifest.types import NoEffect, Properties, Text, Unsupported, as_duration


class InputType(StrEnum):
    """Kestra's types of inputs that can have a default here."""

    STRING = "STRING"
    INT = "INT"
    FLOAT = "FLOAT"
    BOOL = "BOOL"
    BOOLEAN = "BOOLEAN"
    SELECT = "SELECT"
    ENUM = "ENUM"
    MULTISELECT = "MULTISELECT"
    ARRAY = "ARRAY"
    JSON = "JSON"
    YAML = "YAML"
    DATETIME = "DATETIME"
    DATE = "DATE"
    TIME = "TIME"
    DURATION = "DURATION"
    URI = "URI"
    EMAIL = "EMAIL"


_OTHER_TYPES = {
    "FILE": "put the file into a task's `inputFiles`: as text, or by its nsfile:// or blob:// address",
    "SECRET": "write {{ secret('NAME') }} where it is used",
    "ION": "use JSON",
}


_NOT_ASKED = NoEffect("no values are asked for; `defaults` is the value")
_NOT_CHECKED = NoEffect("the default is not checked against it")


class Choice(Properties):
    """A value that may be chosen, and its label."""

    label: str
    """For readers."""
    value: Text
    """The value."""


def _without_label(value: object) -> object:
    """A value that may be chosen, without its label."""
    return value["value"] if isinstance(value, dict) and value.keys() == {"label", "value"} else value


def _without_labels(values: object) -> object:
    return [_without_label(value) for value in values] if isinstance(values, list) else values


class Input(Properties):
    """An input of the flow: `{{ inputs.<id> }}` is its default."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$", max_length=100)]
    """Its name in expressions; `{{ inputs.a.b }}` is the input `a.b`."""
    type: InputType = InputType.STRING
    """What kind of value it has."""
    display_name: str | None = None
    """For readers."""
    description: str | None = None
    """For readers."""
    required: bool = True
    """Whether the input needs a default."""
    defaults: Annotated[Any, Field(validate_default=True)] = None
    """Its value. Text is converted to the input's type; expressions may use the inputs before it. Example:
    `"{{ now('yyyy-MM-dd') }}"`"""
    prefill: Annotated[Any, _NOT_ASKED] = None
    values: Annotated[
        tuple[Text, ...] | None, BeforeValidator(_without_labels, json_schema_input_type=list[Text | Choice] | None)
    ] = None
    """The values that SELECT, ENUM and MULTISELECT may have: texts, or maps of `label` (for readers) and `value`."""
    options: tuple[Text, ...] | None = None
    """The old name of `values`."""
    item_type: str | None = None
    """The type of the entries of an ARRAY; for readers."""
    allow_custom_value: bool = False
    """Whether SELECT and MULTISELECT may have other values than those of `values`."""
    depends_on: Annotated[Any, _NOT_ASKED] = None
    validator: Annotated[Any, _NOT_CHECKED] = None
    min: Annotated[Any, _NOT_CHECKED] = None
    max: Annotated[Any, _NOT_CHECKED] = None
    after: Annotated[Any, _NOT_CHECKED] = None
    before: Annotated[Any, _NOT_CHECKED] = None
    expression: Annotated[Any, _NOT_ASKED] = None
    json_schema: Annotated[Any, _NOT_CHECKED] = None
    auto_select_first: bool = False
    """Whether the first of `values` is the default of a SELECT that has none."""
    name: Annotated[None, Unsupported("this is the old name of `id`")] = None

    @model_validator(mode="before")
    @classmethod
    def _first_is_selected(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the manifest has here
        match data:
            case {"type": "SELECT", "autoSelectFirst": True, "values": [first, *_]} if data.get("defaults") is None:
                return {**data, "defaults": _without_label(first)}
        return data

    @field_validator("type", mode="before")
    @classmethod
    def _supported(cls, value: object) -> object:
        if isinstance(value, str) and value in _OTHER_TYPES:
            raise ValueError(f"inputs of type {value} are not supported here: {_OTHER_TYPES[value]}")
        return value

    @field_validator("defaults")
    @classmethod
    def _of_its_type(cls, value: object, info: ValidationInfo) -> object:
        if "type" not in info.data:
            return value
        if value is None:
            if info.data.get("required"):
                raise ValueError("no values are asked for: give the input `defaults`, or set `required: false`")
            return None
        return value if _is_expression(value) else _read(value, info.data["type"])

    @model_validator(mode="after")
    def _one_of_its_values(self) -> Self:
        self._check_values(self.defaults)
        return self

    def value_of(self, rendered: object) -> object:
        """A rendered default as a value of the input's type. Raises ValueError if the input cannot have it."""
        value = _read(rendered, self.type) if rendered is not None else None
        self._check_values(value)
        return value

    def _check_values(self, value: object) -> None:
        allowed = self.values or self.options
        if not allowed or self.allow_custom_value or value is None:
            return
        for chosen in value if isinstance(value, list) else [value]:
            if str(chosen) not in allowed and not _is_expression(chosen):
                raise ValueError(f"{chosen!r} is not one of its values: {', '.join(allowed)}")


def _is_expression(value: object) -> bool:
    """Whether a value is known only once it is rendered."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _read(value: object, input_type: InputType) -> object:
    """A value as one of the input's type; text is converted."""
    read, expected = _READ[input_type]
    try:
        return read(value)
    except (ValueError, TypeError, OverflowError, RecursionError, ManifestError) as error:
        raise ValueError(f"expected {expected}, as its type is {input_type.value}") from error


def _text(value: object) -> str:
    if isinstance(value, dict | list):
        raise TypeError
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "text", value))


def _whole_number(value: object) -> int:
    return int(_text(value))


def _number(value: object) -> float:
    number = float(_text(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _truth(value: object) -> bool:
    return _TRUTH.validate_python(_text(value))


def _json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _list(value: object) -> list[Any]:
    found = _json(value)
    if not isinstance(found, list):
        raise TypeError
    return found


def _yaml(value: object) -> object:
    return parse(value).data if isinstance(value, str) else value


def _checked(check: Callable[[str], object]) -> Callable[[object], str]:
    """A reader for types whose values stay text, but must have the form that `check` accepts."""

    def read(value: object) -> str:
        check(_text(value))
        return _text(value)

    return read


def _moment(value: object) -> str:
    """A date and time as Kestra writes it: in UTC, with no more digits than it needs."""
    moment = datetime.fromisoformat(_text(value))
    return formatted(moment.astimezone(UTC), "iso_instant") if moment.tzinfo else _text(value)


def _matches(pattern: str) -> Callable[[str], object]:
    def check(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise ValueError

    return check


_TRUTH: TypeAdapter[bool] = TypeAdapter(bool)
_READ: dict[InputType, tuple[Callable[[object], object], str]] = {
    InputType.STRING: (_text, "text"),
    InputType.SELECT: (_text, "text"),
    InputType.ENUM: (_text, "text"),
    InputType.INT: (_whole_number, "a whole number"),
    InputType.FLOAT: (_number, "a number"),
    InputType.BOOL: (_truth, "true or false"),
    InputType.BOOLEAN: (_truth, "true or false"),
    InputType.MULTISELECT: (_list, "a list"),
    InputType.ARRAY: (_list, "a list"),
    InputType.JSON: (_json, "JSON"),
    InputType.YAML: (_yaml, "YAML"),
    InputType.DATETIME: (_moment, "a date and time such as 2026-01-31T12:00:00Z"),
    InputType.DATE: (_checked(date.fromisoformat), "a date such as 2026-01-31"),
    InputType.TIME: (_checked(time.fromisoformat), "a time such as 12:30:00"),
    InputType.DURATION: (_checked(as_duration), "an ISO 8601 duration, such as PT30M"),
    InputType.URI: (_checked(_matches(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")), "an address such as https://example.com"),
    InputType.EMAIL: (_checked(_matches(r"[^@\s]+@[^@\s]+")), "an e-mail address"),
}
