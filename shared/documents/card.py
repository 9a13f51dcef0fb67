"""The app's card, `_app.json` in the results container: what a client has to know of the app beside its storage."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from shared.documents.document import Document

CARD_BLOB = "_app.json"


class CardContainers(Document):
    """The names of the app's containers. The card of an app that has no stored flows yet lacks the last two."""

    inbox: str
    runs: str
    staging: str
    results: str
    namespaces: str
    flows: str = "flows"
    uploads: str = "uploads"


class AppCard(Document):
    """What the app says of itself. Version "1" may gain fields, never lose one."""

    schema_version: Literal["1"] = "1"
    version: str
    batch_endpoint: str
    batch_account: str
    default_pool: str | None
    containers: CardContainers
    last_tick: AwareDatetime
    """When `poll_runs` last wrote this, which it does every five minutes."""
