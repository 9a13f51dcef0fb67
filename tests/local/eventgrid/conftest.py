"""The topics, with subscriptions of webhooks that do what a test tells them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.credentials import AzureKeyCredential
from azure.eventgrid import EventGridPublisherClient

from local.eventgrid import TOPIC_KEY
from local.stack.child import Child, Program
from local.stack.ports import AUTO, Ports
from tests.support.webhook import Webhook


@dataclass(frozen=True)
class Topic:
    """The topics, which can be started; the ports are those of the app's webhook and of two who follow runs."""

    program: Program
    url: str
    folder: Path
    webhook_port: int
    follower_ports: tuple[int, int]

    def publisher(self, key: str = TOPIC_KEY) -> EventGridPublisherClient:
        """The unchanged publisher of the SDK."""
        return EventGridPublisherClient(f"{self.url}/api/events", AzureKeyCredential(key), retry_total=0)

    def storage_says(self, *events: dict[str, Any]) -> int:
        """Post events to the topic of the storage account; returns the status of the answer."""
        return httpx.post(f"{self.url}/storage/events", json=list(events)).status_code

    def dead_letters(self) -> list[dict[str, Any]]:
        """The events that were given up."""
        return [json.loads(file.read_text())[0] for file in sorted(self.folder.glob("dead-letter/*.json"))]


@pytest.fixture
def retry_scale() -> float:
    """How much faster than in reality time passes for the topic; a test may parametrize it."""
    return 0.01


@pytest.fixture
def topic(tmp_path: Path, retry_scale: float) -> Topic:
    """A topic that is not started yet."""
    ports = Ports.choose(AUTO)
    endpoint = f"http://127.0.0.1:{ports.functions}/hook?functionName=f"
    followers = (ports.blob, ports.queue)
    options = ["--port", str(ports.eventgrid), "--data-dir", str(tmp_path), "--endpoint", endpoint]
    options += [option for port in followers for option in ("--subscribe", f"http://127.0.0.1:{port}/follow?key=f")]
    url = f"http://127.0.0.1:{ports.eventgrid}"
    command = (sys.executable, "-m", "local.eventgrid", *options, "--retry-scale", str(retry_scale))
    program = Program("eventgrid", command, dict(os.environ), tmp_path / "eventgrid.log", f"{url}/_local/health")
    return Topic(program, url, tmp_path, ports.functions, followers)


@pytest.fixture
def running_topic(topic: Topic, launch: Callable[[Program], Child]) -> Topic:
    """A topic that is up."""
    launch(topic.program)
    return topic


@pytest.fixture
def new_webhook() -> Iterator[Callable[[int], Webhook]]:
    """Open webhooks, by their ports."""
    webhooks: list[Webhook] = []

    def open_webhook(port: int) -> Webhook:
        webhooks.append(Webhook(port))
        return webhooks[-1]

    yield open_webhook
    for webhook in webhooks:
        webhook.close()


@pytest.fixture
def webhook(topic: Topic, new_webhook: Callable[[int], Webhook]) -> Webhook:
    """The webhook of the app."""
    return new_webhook(topic.webhook_port)


@pytest.fixture
def follower(topic: Topic, new_webhook: Callable[[int], Webhook]) -> Webhook:
    """The webhook of the first of two who follow runs; that of the other one is not there."""
    return new_webhook(topic.follower_ports[0])
