"""Masks secret values in everything that the app writes: records, statuses, reports, errors, log lines.

Secrets are the keys of the app's accounts and the app settings `SECRET_<NAME>`. `secret('NAME')` in an expression reads
the app setting `SECRET_NAME` and no other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.settings import Settings, connection_parts

if TYPE_CHECKING:
    from pydantic import JsonValue

MASK = "******"
SHORTEST_MASKED = 6  # characters


class Masker:
    """Replaces secret values by asterisks in texts."""

    def __init__(self, values: Iterable[str]) -> None:
        found = {form for value in values for form in _forms(value) if len(form) >= SHORTEST_MASKED}
        # The longest value first: a value that contains another one is replaced as a whole.
        self._values = sorted(found, key=len, reverse=True)

    @staticmethod
    def of(settings: Settings) -> Masker:
        """Make a masker for every secret and key of the settings, but not for the app's account names and endpoints."""
        public = {
            settings.batch.account_name,
            settings.batch.endpoint,
            settings.storage.account_name,
            settings.storage.blob_endpoint,
            settings.topic.endpoint,
        }
        keys = [settings.batch.account_key, settings.topic.key, *_storage_secrets(settings.storage.connection_string)]
        values = [*settings.secrets.values(), *filter(None, keys)]
        return _masker(frozenset(value for value in values if value.rstrip("/") not in public))

    def mask(self, text: str) -> str:
        """Replace the secret values in a text."""
        for value in self._values:
            text = text.replace(value, MASK)
        return text

    def mask_all(self, value: JsonValue) -> JsonValue:
        """Replace the secret values in nested dicts and lists: in names, texts and numbers."""
        match value:
            case str():
                return self.mask(value)
            case list():
                return [self.mask_all(item) for item in value]
            case dict():
                return {self.mask(name): self.mask_all(item) for name, item in value.items()}
            case int() | float() if not isinstance(value, bool) and self.mask(str(value)) != str(value):
                return MASK
        return value

    def masks(self, value: JsonValue) -> bool:
        """Whether there is anything to mask in a value."""
        return bool(self.mask_all(value) != value)


@lru_cache(maxsize=8)
def _masker(values: frozenset[str]) -> Masker:
    """The masker of some values, which is always the same one: what is compiled for it can be kept."""
    return Masker(values)


def _forms(value: str) -> Iterator[str]:
    """The forms in which a secret may appear: as it is, line by line, and escaped as in messages and in JSON."""
    for text in (value, value.strip(), *(line.strip() for line in value.splitlines())):
        yield text
        yield repr(text)[1:-1]
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield json.dumps(repr(text)[1:-1])[1:-1]  # a message within a line of the log


def _storage_secrets(connection_string: str | None) -> list[str]:
    if not connection_string:
        return []
    parts = connection_parts(connection_string)
    return [connection_string, *(parts[name] for name in ("AccountKey", "SharedAccessSignature") if name in parts)]


class MaskingFilter(logging.Filter):
    """Masks secret values in log records before any handler sees them."""

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker

    def filter(self, record: logging.LogRecord) -> bool:
        """Format the message and the traceback, and mask both. Never drops a record."""
        record.msg = self._masker.mask(record.getMessage())
        record.args = ()
        if record.exc_info:
            record.exc_text = self._masker.mask(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
