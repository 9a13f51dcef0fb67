"""Writes the app's card into the results container, every five minutes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from azure.storage.blob import ContentSettings

from shared.documents.card import CARD_BLOB, AppCard, CardContainers
from shared.settings import Settings
from shared.version import VERSION

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

WRITTEN_EVERY = timedelta(minutes=5)
_JSON = ContentSettings(content_type="application/json")


class CardStore:
    """The card of this app."""

    def __init__(self, container: ContainerClient, settings: Settings) -> None:
        self._container = container
        self._settings = settings
        self._written: datetime | None = None

    def note_tick(self, now: datetime) -> None:
        """Note that there is a tick now, unless this process has written the card in the last five minutes."""
        if self._written and now - self._written < WRITTEN_EVERY:
            return
        settings = self._settings
        card = AppCard(
            version=VERSION,
            batch_endpoint=settings.batch.endpoint,
            batch_account=settings.batch.account_name,
            default_pool=settings.batch.pool_id,
            containers=CardContainers(**asdict(settings.containers)),
            last_tick=now,
        )
        self._container.upload_blob(CARD_BLOB, card.to_json().encode(), overwrite=True, content_settings=_JSON)
        self._written = now
