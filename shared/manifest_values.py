"""What the properties of a manifest hold: texts, durations, credentials; and what all of its models have in common."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

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


class Properties(BaseModel):
    """The properties of one thing in a manifest; unknown ones are errors."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:  # noqa: ANN401 - whatever stands in the manifest
        """A property without a value is as good as not there, as in Kestra."""
        if not isinstance(data, dict):
            return data
        known = {field.alias for field in cls.model_fields.values()}
        return {name: value for name, value in data.items() if value is not None or name not in known}


def _as_text(value: object) -> object:
    """Numbers and booleans where text is wanted are taken as they were written, as Kestra does."""
    if isinstance(value, bool):
        return str(value).lower()
    return getattr(value, "text", value)


def as_duration(value: object) -> timedelta:
    """A duration of ISO 8601 that is longer than nothing. Raises ValueError."""
    if isinstance(value, str) and value.startswith("P"):
        try:
            duration = TypeAdapter(timedelta).validate_python(value)
        except ValidationError:
            duration = timedelta(0)
        if duration > timedelta(0):
            return duration
    raise ValueError("expected a duration of ISO 8601, such as PT30M (30 minutes) or PT2H (two hours)")


def is_secret(text: str) -> bool:
    """Whether a text is one expression that reads a secret, and nothing else. Takes time in proportion to the text."""
    inside = text.strip().removeprefix("{{").removesuffix("}}")
    is_one_expression = len(text.strip()) == len(inside) + len("{{}}") and "{{" not in inside and "}}" not in inside
    return is_one_expression and re.search(r"\bsecret\s*\(", inside) is not None


def _only_by_secret(value: str) -> str:
    if not is_secret(value):
        raise ValueError("a credential must not stand in the manifest; write {{ secret('NAME') }}, or leave it out")
    return value


Text = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Duration = Annotated[timedelta, BeforeValidator(as_duration)]
Credential = Annotated[
    Text,
    AfterValidator(_only_by_secret),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\{\{[\s\S]*secret\s*\([\s\S]*\}\}\s*$"}),
]
