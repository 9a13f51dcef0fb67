"""The outputs of a flow: values that it publishes at its end. They are rendered when the run is recorded."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from shared.manifest._input_values import InputType, read_value
from shared.manifest.types import Properties

_OTHER_TYPES = {
    "SECRET": "an output is published; leave it out, and let the commands put the value where it is needed",
    "FORM": "write its values as outputs of their own, or as one of type JSON",
}


class Output(Properties):
    """A value that the flow publishes at its end, for whoever follows its runs: in the record, the report and RunEnded.

    It is rendered once all tasks have ended. If that is not possible, a run that ended well is `FAILED`; a run that
    failed has no outputs then. The files of a task are given as their addresses in the results, and `read()` reads
    them.
    """

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$", max_length=100)]
    """Its name."""
    type: InputType
    """What kind of value it is: text is converted, as for an [input](#input)."""
    value: Any
    """The value: a text with expressions, or a list or map of such texts. Example: `"{{ outputs.count.vars.rows }}"`"""
    display_name: str | None = None
    """For readers."""
    description: str | None = None
    """For readers."""
    required: bool = True
    """Whether the run fails if the value cannot be rendered; otherwise the value is null then."""

    @field_validator("type", mode="before")
    @classmethod
    def _supported(cls, value: object) -> object:
        if isinstance(value, str) and value in _OTHER_TYPES:
            raise ValueError(f"outputs of type {value} are not supported here: {_OTHER_TYPES[value]}")
        return value

    def value_of(self, rendered: object) -> object:
        """The rendered value as one of its type. Raises ValueError if it is none."""
        return read_value(rendered, self.type)
