"""Which values of its type an input may have.

The checks are those of Kestra's inputs (core/src/main/java/io/kestra/core/models/flows/input/*Input.java, `validate`):
limits are inclusive, a `validator` must match the whole text. Two are stricter here: an input that is not required is
limited to its `values` like any other, and the endings of `allowedFileExtensions` may be in either case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from shared.manifest._input_values import InputType, moment, nanoseconds, read_value, text_of
from shared.manifest.addresses import parsed_address
from shared.regexes import compiled

_NUMERIC = (InputType.INT, InputType.FLOAT, InputType.DURATION)
_OF_TIME = (InputType.DATE, InputType.DATETIME, InputType.TIME)
_CHOICES = (InputType.SELECT, InputType.ENUM, InputType.MULTISELECT)
_SELECTIONS = (InputType.SELECT, InputType.MULTISELECT)
_LISTS = (InputType.ARRAY, InputType.MULTISELECT)

TYPES_WITH: dict[str, tuple[InputType, ...]] = {
    "validator": (InputType.STRING,),
    "min": _NUMERIC,
    "max": _NUMERIC,
    "after": _OF_TIME,
    "before": _OF_TIME,
    "values": _CHOICES,
    "options": _CHOICES,
    "item_type": _LISTS,
    "allow_custom_value": _SELECTIONS,
    "auto_select_first": _SELECTIONS,
    "is_radio": (InputType.SELECT,),
    "allowed_file_extensions": (InputType.FILE,),
}
"""The types of inputs that have a property, which on any other type is unknown to Kestra."""

NOT_OF_ITEMS = ("ARRAY", "MULTISELECT", "SELECT", "SECRET")
"""What `itemType` cannot be: ArrayInputValidator, MultiselectInputValidator."""

_COMPARED: dict[InputType, Callable[[Any], Any]] = {
    InputType.DURATION: nanoseconds,
    InputType.DATE: date.fromisoformat,
    InputType.DATETIME: moment,
    InputType.TIME: time.fromisoformat,
}


@dataclass(frozen=True)
class Limits:
    """What limits the values of an input: its type, and the properties of the same names."""

    type: InputType
    item_type: InputType | None = None
    values: tuple[str, ...] | None = None
    options: tuple[str, ...] | None = None
    allow_custom_value: bool = False
    validator: str | None = None
    min: object = None
    max: object = None
    after: object = None
    before: object = None
    allowed_file_extensions: tuple[str, ...] | None = None

    def value_of(self, value: object, *, is_rendered: bool) -> object:
        """A value of the type. Raises ValueError if the input cannot have it.

        Unless it is rendered, expressions in a list are left as they are.
        """
        read = read_value(value, self.type)
        if isinstance(read, list) and self.type in _LISTS:
            return [
                entry if not is_rendered and is_expression(entry) else self._entry(entry, number)
                for number, entry in enumerate(read, start=1)
            ]
        self._check(read)
        return read

    def _entry(self, entry: object, number: int) -> object:
        item_type = self.item_type or (InputType.STRING if self.type is InputType.MULTISELECT else None)
        try:
            value = read_value(entry, item_type, "`itemType`") if item_type else entry
        except ValueError as error:
            raise ValueError(f"entry {number} of the list: {error}") from error
        if item_type:
            self._check_choice(text_of(entry) if not isinstance(entry, dict | list) else None)
        return value

    def _check(self, value: Any) -> None:  # noqa: ANN401 - a value of the type
        if self.type in _CHOICES:
            self._check_choice(value)
        compared = _COMPARED.get(self.type, lambda each: each)
        if self.min is not None and compared(value) < compared(self.min):
            raise ValueError(f"must be at least {self.min}, not {value}")
        if self.max is not None and compared(value) > compared(self.max):
            raise ValueError(f"must be at most {self.max}, not {value}")
        if self.after is not None and compared(value) < compared(self.after):
            raise ValueError(f"must be {self.after} or later, not {value}")
        if self.before is not None and compared(value) > compared(self.before):
            raise ValueError(f"must be {self.before} or earlier, not {value}")
        if self.validator is not None and not compiled(self.validator).fullmatch(value):
            raise ValueError(f"must match its `validator` as a whole, which is {self.validator}")
        self._check_extension(value)

    def _check_choice(self, chosen: str | None) -> None:
        allowed = self.values if self.values is not None else self.options
        if allowed is not None and not self.allow_custom_value and chosen not in allowed:
            raise ValueError(f"{chosen!r} is not one of its values: {', '.join(allowed) or 'there are none'}")

    def _check_extension(self, value: object) -> None:
        allowed = self.allowed_file_extensions
        if allowed and parsed_address(str(value)).extension not in [each.lower() for each in allowed]:
            raise ValueError(f"must be a file whose name ends in {' or '.join(allowed)}, not {value}")


def is_expression(value: object) -> bool:
    """Whether a value is known only once it is rendered."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)
