"""An app in Azure as clients see it: services at their names over HTTPS, a thread in place of the Functions host."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.documents.card import CARD_BLOB
from shared.events import parse
from shared.settings import Settings
from shared.storage.card import CardStore
from tests.integration.identity import BATCH_HOST, CLIENT_ID, STORAGE_HOST, proxy
from tests.integration.test_identity import Azure, Event
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Deployed:
    """The app: `ports` are those behind the names that clients use, and can be changed. The app does not use them."""

    azure: Azure
    ports: dict[str, int]

    def host(self, stopped: threading.Event) -> None:
        """Do what the Functions host does, until it is stopped."""
        app = App.of(Settings.from_environ(self.azure.settings))
        inbox = self.azure.blobs.get_container_client(self.azure.container("inbox"))
        names = {"BATCH_ACCOUNT_ENDPOINT": f"https://{BATCH_HOST}", "BATCH_ACCOUNT_NAME": "local"}
        results = self.azure.blobs.get_container_client(self.azure.container("results"))
        card = CardStore(results, Settings.from_environ(self.azure.settings | names))
        app, seen = replace(app, card=card), 0
        while not stopped.wait(0.1):
            for blob in inbox.list_blob_names():
                submit_run.accept(app, blob)
            poll_runs.poll(app)
            events = self.azure.topic.events[seen:]
            seen += len(events)
            for event in events:
                if event["type"].endswith("JobEnded"):
                    record_run.record(app, parse(Event(event)))


@contextlib.contextmanager
def deployed_app(azure: Azure, patch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """An app that works, and a person who is logged in and knows its storage account."""
    places = {STORAGE_HOST: "RunStorage__blobServiceUri", BATCH_HOST: "BATCH_ACCOUNT_ENDPOINT"}
    ports = {host: urlsplit(azure.settings[name]).port or 0 for host, name in places.items()}
    with proxy(ports) as port, contextlib.ExitStack() as stack:
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("AZURE_CLIENT_ID", CLIENT_ID)
        patch.setenv("BATCHRUN_STORAGE", f"https://{STORAGE_HOST}/{azure.container('results')}")
        patch.setattr("batchrun.cli._watching.POLL_SECONDS_IN_AZURE", 0.2)
        made, stopped = Deployed(azure, ports), threading.Event()
        host = threading.Thread(target=made.host, args=(stopped,))
        host.start()
        stack.callback(host.join)
        stack.callback(stopped.set)
        wait_for(lambda: azure.blobs.get_blob_client(azure.container("results"), CARD_BLOB).exists())
        yield made
