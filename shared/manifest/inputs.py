"""The inputs of a flow: values that a run is given, or their defaults.

Here, defaults are checked against the type and its limits; their expressions are rendered when a round is planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from shared.manifest._input_limits import NOT_OF_ITEMS, TYPES_WITH, Limits, is_expression
from shared.manifest._input_values import InputType, read_value
from shared.manifest.types import NoEffect, Properties, Text, Unsupported
from shared.regexes import compiled

__all__ = ["Choice", "Input", "InputType"]

_OTHER_TYPES = {
    "SECRET": "write {{ secret('NAME') }} where it is used",
    "ION": "use JSON",
    "FORM": "write its inputs beside the others, with ids that begin with the form's id and a dot",
}


_LIMITS = {field.name for field in fields(Limits)}


def _limits(properties: Mapping[str, Any]) -> Limits:
    return Limits(**{name: properties[name] for name in _LIMITS})


class Choice(Properties):
    """A value that may be chosen, and its label."""

    label: Text | None = None
    """For readers."""
    value: Text
    """The value."""


def _without_label(value: object) -> object:
    """A value that may be chosen, without its label."""
    return value["value"] if isinstance(value, dict) and {"value"} <= value.keys() <= {"label", "value"} else value


def _without_labels(values: object) -> object:
    return [_without_label(value) for value in values] if isinstance(values, list) else values


class Input(Properties):
    """An input of the flow: `{{ inputs.<id> }}` is the value that the run is given, or the default."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$", max_length=100)]
    """Its name in expressions; `{{ inputs.a.b }}` is the input `a.b`."""
    type: InputType = InputType.STRING
    """What kind of value it has. That of a FILE is its address: `nsfile:///<path>`, `nsfile://<namespace>/<path>`,
    `blob://<container>/<path>` or `https://…`."""
    display_name: str | None = None
    """For readers."""
    description: str | None = None
    """For readers."""
    required: bool = True
    """Whether the input must have a value."""
    prefill: Annotated[
        Any, NoEffect("it only fills in a form; the value of a run that is given none is `defaults`")
    ] = None
    values: Annotated[
        tuple[Text, ...] | None, BeforeValidator(_without_labels, json_schema_input_type=list[Text | Choice] | None)
    ] = None
    """The values that SELECT, ENUM and MULTISELECT may have: texts, or maps of `label` (for readers) and `value`."""
    options: tuple[Text, ...] | None = None
    """The old name of `values`."""
    item_type: InputType | None = None
    """The type of the entries of ARRAY and MULTISELECT; not ARRAY, MULTISELECT or SELECT."""
    allow_custom_value: bool = False
    """Whether SELECT and MULTISELECT may have other values than those of `values`."""
    auto_select_first: bool = False
    """Whether the first of `values` is the default of a SELECT or MULTISELECT that has none."""
    is_radio: bool = False
    """How Kestra shows a SELECT."""
    validator: Text | None = None
    """A regular expression of Java that the whole text of a STRING must match."""
    min: Any = None
    """The least value of INT, FLOAT and DURATION."""
    max: Any = None
    """The greatest value of INT, FLOAT and DURATION."""
    after: Any = None
    """The earliest value of DATE, DATETIME and TIME."""
    before: Any = None
    """The latest value of DATE, DATETIME and TIME."""
    allowed_file_extensions: tuple[Text, ...] | None = None
    """What the name of a FILE may end in. Example: `[".csv", ".parquet"]`"""
    defaults: Any = None
    """Its value in a run that is given none. Text is converted to the input's type; expressions may use the inputs
    before it. Example: `"{{ now('yyyy-MM-dd') }}"`"""
    accept: Annotated[Any, NoEffect("use `allowedFileExtensions`")] = None
    extension: Annotated[Any, NoEffect("a file keeps its name")] = None
    depends_on: Annotated[Any, NoEffect("an input has its value whatever those of others are")] = None
    expression: Annotated[Any, NoEffect("any value is taken; use `values` to limit them")] = None
    json_schema: Annotated[Any, NoEffect("values are not checked against it")] = None
    name: Annotated[None, Unsupported("this is the old name of `id`")] = None

    @model_validator(mode="before")
    @classmethod
    def _first_is_selected(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the manifest has here
        match data:
            case {"type": "SELECT", "autoSelectFirst": True, "values": [first, *_]} if data.get("defaults") is None:
                return {**data, "defaults": _without_label(first)}
            case {"type": "MULTISELECT", "autoSelectFirst": True, "values": [first, *_]} if (
                data.get("defaults") is None
            ):
                return {**data, "defaults": [_without_label(first)]}
        return data

    @field_validator("type", "item_type", mode="before")
    @classmethod
    def _supported(cls, value: object, info: ValidationInfo) -> object:
        if info.field_name == "item_type" and value in NOT_OF_ITEMS:
            raise ValueError(f"the entries of a list cannot be of type {value}")
        if isinstance(value, str) and value in _OTHER_TYPES:
            raise ValueError(f"inputs of type {value} are not supported here: {_OTHER_TYPES[value]}")
        return value

    @field_validator(*TYPES_WITH)
    @classmethod
    def _of_a_type_that_has_it(cls, value: object, info: ValidationInfo) -> object:
        name = info.field_name or ""
        own = info.data.get("type")
        if own and own not in TYPES_WITH[name]:
            others = " and ".join(each.value for each in TYPES_WITH[name])
            reason = f"an input of type {own.value} has no `{to_camel(name)}`; only those of type {others} have it"
            raise PydanticCustomError("unsupported", "{reason}", {"reason": reason})
        return value

    @field_validator("validator")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            compiled(value)
        return value

    @field_validator("min", "max", "after", "before")
    @classmethod
    def _of_its_type(cls, value: object, info: ValidationInfo) -> object:
        return read_value(value, info.data["type"]) if "type" in info.data else value

    @field_validator("allowed_file_extensions")
    @classmethod
    def _begin_with_dots(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for each in value or ():
            if not each.startswith("."):
                raise ValueError(f"an extension begins with a dot: write .{each}")
        return value

    @field_validator("defaults")
    @classmethod
    def _of_its_limits(cls, value: object, info: ValidationInfo) -> object:
        if value is None or is_expression(value) or not info.data.keys() >= _LIMITS:
            return value
        return _limits(info.data).value_of(value, is_rendered=False)

    def value_of(self, value: object) -> object:
        """A value that a run is given, or a rendered default, as one of the input's type.

        Raises ValueError if the input cannot have it; the message is the end of a sentence about the input.
        """
        return None if value is None else _limits(dict(self)).value_of(value, is_rendered=True)
