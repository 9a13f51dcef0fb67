"""Reads the app's card, `_app.json` in its results, which says what a client has to know beside the storage account."""

from __future__ import annotations

from datetime import datetime, timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError
from pydantic import ValidationError

from batchrun.client._connections import Connections
from batchrun.client._faults import unreachable
from batchrun.client._services import Services
from batchrun.errors import Unreachable
from shared.documents.card import CARD_BLOB, AppCard

DEAD_AFTER = timedelta(minutes=20)
"""The app writes its card every five minutes; after four times as long its timer is certainly not running."""


def read_card(services: Services) -> AppCard:
    """The card of the app whose results are there. Raises Unreachable if there is none, or storage does not give it."""
    results = services.containers.results
    place = f"{services.storage.blob_endpoint}/{results}/{CARD_BLOB}"
    with Connections(services) as connections:
        try:
            text = connections.blobs.get_blob_client(results, CARD_BLOB).download_blob().readall()
        except ResourceNotFoundError:
            raise Unreachable(
                f"There is no app: {place} does not exist. Either this is not the app's storage account, or the app has"
                " not run yet (it writes this card with its first tick), or its version is older than 0.2."
            ) from None
        except AzureError as error:
            raise unreachable(error, services) from error
    try:
        return AppCard.model_validate_json(text)
    except ValidationError as error:
        raise Unreachable(f"{place} is not the card of an app, or of a newer one: update this program.") from error


def is_dead(card: AppCard, now: datetime) -> bool:
    """Whether the app's timer has stopped."""
    return now - card.last_tick > DEAD_AFTER
