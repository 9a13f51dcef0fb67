"""The document of schedules in the runs container, and what this process remembers of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from pydantic import ValidationError

from shared.documents.schedules import SCHEDULES_BLOB, Schedules
from shared.errors import RunChanged, RunUnreadable

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

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
        self._listed_at: datetime | None = None

    def last(self) -> StoredSchedules:
        """The document as this process knows it, however old that is."""
        return self._last or self.read()

    def are_flows_listed(self, since: datetime, now: datetime) -> bool:
        """Whether the flows were listed after a moment, by this process, or by another one that found a change.

        One that is to come, as when the clock has gone back, does not count.
        """
        listings = (self._listed_at, self.last().document.listed)
        return any(since < listed <= now for listed in listings if listed)

    def note_listed(self, now: datetime) -> None:
        """Note that the flows were listed, and the document is as they are."""
        self._listed_at = now

    def read(self) -> StoredSchedules:
        """The document as it is now. Raises RunUnreadable if an operator has to look at it."""
        try:
            stream = self._container.download_blob(SCHEDULES_BLOB)
        except ResourceNotFoundError:
            return self._remember(StoredSchedules())
        try:
            document = Schedules.model_validate_json(stream.readall())
        except ValidationError as error:
            raise RunUnreadable(
                f"The document {SCHEDULES_BLOB} is damaged, or of a newer version of the app: nothing is started by"
                " triggers. If it is damaged, remove it from the runs container."
            ) from error
        return self._remember(StoredSchedules(document, stream.properties.etag))

    def save(self, stored: StoredSchedules) -> StoredSchedules:
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
        return self._remember(replace(stored, etag=str(written["etag"])))

    def _remember(self, stored: StoredSchedules) -> StoredSchedules:
        self._last = stored
        return stored
