"""The document of schedules in the runs container, and what this process remembers of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from pydantic import ValidationError

from shared.documents.schedules import SCHEDULES_BLOB, Schedules
from shared.errors import RunChanged, RunUnreadable

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

LISTED_EVERY = timedelta(minutes=1)
_JSON = ContentSettings(content_type="application/json")


@dataclass(frozen=True)
class StoredSchedules:
    """The document, and its ETag; None if it is not stored yet."""

    document: Schedules = field(default_factory=Schedules)
    etag: str | None = None


class ScheduleStore:
    """The document of schedules."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container
        self._last: StoredSchedules | None = None
        self._read_at: datetime | None = None
        self._listed_at: datetime | None = None

    def last(self, now: datetime) -> StoredSchedules:
        """The document as this process knows it, however old that is."""
        return self._last or self.read(now)

    def recent(self, now: datetime) -> StoredSchedules:
        """The document as it was at most a minute ago."""
        return self._last if self._last and _is_in_last_minute(self._read_at, now) else self.read(now)

    def are_flows_listed(self, now: datetime) -> bool:
        """Whether the flows were listed in the last minute, by this process, or by another one that found a change."""
        by_any = self.last(now).document.listed
        return _is_in_last_minute(self._listed_at, now) or _is_in_last_minute(by_any, now)

    def note_listed(self, now: datetime) -> None:
        """Note that the flows were listed, and the document is as they are."""
        self._listed_at = self._read_at = now

    def read(self, now: datetime) -> StoredSchedules:
        """The document as it is now. Raises RunUnreadable if an operator has to look at it."""
        try:
            stream = self._container.download_blob(SCHEDULES_BLOB)
        except ResourceNotFoundError:
            return self._remember(StoredSchedules(), now)
        try:
            document = Schedules.model_validate_json(stream.readall())
        except ValidationError as error:
            raise RunUnreadable(
                f"The document {SCHEDULES_BLOB} is damaged, or of a newer version of the app: nothing is started by"
                " triggers. If it is damaged, remove it from the runs container."
            ) from error
        return self._remember(StoredSchedules(document, stream.properties.etag), now)

    def save(self, stored: StoredSchedules, now: datetime) -> StoredSchedules:
        """Write the document that was read before. Raises RunChanged if it was written by another invocation since."""
        blob = self._container.get_blob_client(SCHEDULES_BLOB)
        data = stored.document.to_json().encode()
        try:
            if stored.etag is None:
                written = blob.upload_blob(data, content_settings=_JSON)
            else:
                written = blob.upload_blob(
                    data,
                    overwrite=True,
                    content_settings=_JSON,
                    etag=stored.etag,
                    match_condition=MatchConditions.IfNotModified,
                )
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError) as error:
            self._last = None
            raise RunChanged(f"The document {SCHEDULES_BLOB} was changed by another invocation.") from error
        return self._remember(replace(stored, etag=str(written["etag"])), now)

    def _remember(self, stored: StoredSchedules, now: datetime) -> StoredSchedules:
        self._last, self._read_at = stored, now
        return stored


def _is_in_last_minute(moment: datetime | None, now: datetime) -> bool:
    """Whether a moment is in the last minute; not if it is to come, as when the clock has gone back."""
    return moment is not None and timedelta(0) <= now - moment < LISTED_EVERY
