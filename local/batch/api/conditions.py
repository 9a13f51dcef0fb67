"""Conditional headers: a call is carried out only if the resource has, or has not, changed.

A condition that does not hold is 304 for a read and 412 for a write; more than one condition is refused:
https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from local.batch.errors import BatchError, ErrorCode

_ANY = "*"


@dataclass(frozen=True)
class Version:
    """What conditions are about: the ETag of a resource (files have none) and when it changed last."""

    e_tag: str | None
    modified: datetime

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell a client of it."""
        e_tag = {"ETag": self.e_tag} if self.e_tag else {}
        return {**e_tag, "Last-Modified": format_datetime(self.modified, usegmt=True)}


def check_conditions(headers: Mapping[str, str], version: Version, *, reading: bool) -> None:
    """Refuse a call whose condition does not hold for a resource; header names are in lower case.

    BatchError ConditionNotMet, MultipleConditionHeadersNotSupported, InvalidHeaderValue.
    """
    given = [name for name in _CONDITIONS if headers.get(name)]
    if len(given) > 1:
        raise BatchError(ErrorCode.MULTIPLE_CONDITION_HEADERS_NOT_SUPPORTED, Headers=", ".join(given))
    if given and not _CONDITIONS[given[0]](headers[given[0]], version):
        raise BatchError(ErrorCode.CONDITION_NOT_MET_ON_READ if reading else ErrorCode.CONDITION_NOT_MET)


def _matches(text: str, version: Version) -> bool:
    return text == _ANY or text.strip("\"'") == version.e_tag


def _modified_since(text: str, version: Version) -> bool:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        raise BatchError(ErrorCode.INVALID_HEADER_VALUE, HeaderValue=text) from error
    if moment.tzinfo is None:  # "-0000" or nothing at all: the formats that the service takes end with "GMT"
        raise BatchError(ErrorCode.INVALID_HEADER_VALUE, HeaderValue=text)
    return version.modified.replace(microsecond=0) > moment  # the header knows no fractions of a second


_CONDITIONS: dict[str, Callable[[str, Version], bool]] = {
    "if-match": _matches,
    "if-none-match": lambda text, version: not _matches(text, version),
    "if-modified-since": _modified_since,
    "if-unmodified-since": lambda text, version: not _modified_since(text, version),
}
