"""Settings and runs for tests of pure code: no network, no files. `tests/conftest.py` makes the fixtures known."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.documents.manifest_blob import ManifestBlob
from shared.documents.progress import Progress
from shared.documents.run import Run
from shared.documents.run_body import RunBody
from shared.settings import Settings

ENVIRON = {
    "RunStorage": (
        "DefaultEndpointsProtocol=https;AccountName=store1;AccountKey=c3RvcmFnZWtleQ==;EndpointSuffix=core.windows.net"
    ),
    "BATCH_ACCOUNT_ENDPOINT": "https://batch1.westeurope.batch.azure.com",
    "BATCH_ACCOUNT_NAME": "batch1",
    "BATCH_ACCOUNT_KEY": "YmF0Y2hrZXk=",
    "BATCH_POOL_ID": "pool1",
    "EVENTGRID_TOPIC_ENDPOINT": "https://topic1.westeurope-1.eventgrid.azure.net/api/events",
    "EVENTGRID_TOPIC_KEY": "topic-key",
    "SECRET_TOKEN": "s3cr3t-t0ken",
}
MOMENT = datetime(2026, 11, 22, 12, 13, 14, tzinfo=UTC)


@pytest.fixture
def environ() -> dict[str, str]:
    return dict(ENVIRON)


@pytest.fixture
def settings() -> Settings:
    return Settings.from_environ(ENVIRON)


@pytest.fixture
def run_of() -> Callable[..., Run]:
    """A queued run of a manifest text, accepted at MOMENT."""

    def build(text: str = "commands: [echo hi]", name: str = "team/env.yaml", **body: object) -> Run:
        manifest = ManifestBlob(name=name, etag="0x8D", sha256="00", text=text)
        fields = {"run_id": "env-20261122t121314-3f9a1c2b", "manifest": manifest, "dropped": MOMENT, "accepted": MOMENT}
        return Run(RunBody(**{**fields, **body}), Progress(), etag='"1"')

    return build
