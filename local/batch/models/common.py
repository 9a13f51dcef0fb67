"""What the models of all resources share: names and spellings of the wire, durations, small values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

UNLIMITED = timedelta(days=10675199, hours=2, minutes=48, seconds=5, microseconds=477581)
"""What the service answers where no limit was set: .NET's longest TimeSpan (here rounded to microseconds)."""
FOR_EVER = timedelta(days=36500)
"""Limits from here on are not watched: the calendar ends before some of them do."""
UNLIMITED_TEXT = "P10675199DT2H48M5.4775807S"
_DURATION = re.compile(r"P(?=[\dT])(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
"""Pydantic alone takes numbers of seconds and `1:30:00` too, and durations below zero."""
_TIMEDELTA = TypeAdapter(timedelta)
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BatchModel(BaseModel):
    """A value of the wire: camelCase outside, unknown properties refused, never changed in place."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    def changed(self, **updates: object) -> Self:
        """Return a copy in which the named fields have new values."""
        return self.model_copy(update=updates)


class WireEnum(StrEnum):
    """An enumeration of the service; it is read in any case (`terminateJob`) and written in one."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((member for member in cls if member.value.lower() == str(value).lower()), None)


def _read_duration(value: object) -> object:
    if value == UNLIMITED_TEXT:
        return UNLIMITED
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return _TIMEDELTA.validate_python(value)
    if isinstance(value, timedelta):
        return value
    msg = "It is not a duration in ISO 8601, such as PT1H30M."
    raise ValueError(msg)


def duration_text(value: timedelta) -> str:
    """ISO 8601 as the service writes it: days at most, never years (`P7D`, `PT1H30M`, `PT0.5S`)."""
    if value == UNLIMITED:
        return UNLIMITED_TEXT
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    exact = f"{seconds}.{value.microseconds:06}".rstrip("0").rstrip(".")
    day_part = f"{value.days}D" if value.days else ""
    parts = ((hours, f"{hours}H"), (minutes, f"{minutes}M"), (seconds or value.microseconds, f"{exact}S"))
    time_part = "".join(text for number, text in parts if number)
    return f"P{day_part}" + (f"T{time_part}" if time_part else "") if day_part or time_part else "PT0S"


def time_text(moment: datetime) -> str:
    """A moment in UTC as the service writes it: `2026-01-01T00:00:00.5Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Duration = Annotated[timedelta, BeforeValidator(_read_duration), PlainSerializer(duration_text, when_used="json")]
ResourceId = Annotated[str, Field(pattern=f"^{ID_PATTERN.pattern}$")]
DisplayName = Annotated[str, Field(max_length=1024)]
Json = Any
"""A property that is stored and returned as it came, because nothing here depends on it."""


EMPTY_METADATA_KEY = "empty_metadata_key"
"""The type of a validation error that the service has a code of its own for."""


def _not_empty(key: str) -> str:
    if not key:
        raise PydanticCustomError(EMPTY_METADATA_KEY, "The name of a metadata item is empty.")
    return key


class NameValuePair(BatchModel):
    """A name and a value: environment settings, details of failures."""

    name: str
    value: str | None = None


class MetadataItem(BatchModel):
    """What a client notes about a job or a pool; both parts are required, and the name is not empty."""

    name: Annotated[str, AfterValidator(_not_empty)]
    value: str


class FailureInfo(BatchModel):
    """Why a task failed."""

    category: str
    code: str
    message: str
    details: tuple[NameValuePair, ...] = ()


def key_of(resource_id: str) -> str:
    """The identity of a resource: ids keep their case, but are unique without regard to it."""
    return resource_id.lower()
