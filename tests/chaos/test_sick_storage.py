"""Storage is gone for a while; it copies late, or badly; somebody else writes first."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

from local.azurite_account import ACCOUNT_NAME
from local.errors import LocalError
from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.services import AZURITE
from local.stack.stack import Stack
from shared import poll_runs, record_run, submit_run
from shared.events import JobEnded
from tests.chaos.lives import Ended, Host
from tests.chaos.stories import GATED, GRAPH, ONE_TASK
from tests.conftest import unavailable
from tests.integration.conftest import World

pytestmark = pytest.mark.slow

SEED = 5


@pytest.fixture
def own_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Storage and Batch of one test, which stops and starts the storage."""
    options = StackOptions(data_dir=tmp_path_factory.mktemp("own"), ports=AUTO, functions=False)
    try:
        with Stack(options) as running:
            yield running
    except LocalError as error:
        unavailable(str(error))


def _stop_storage(services: Stack) -> None:
    """Stop it as a machine is shut down: Azure loses nothing that it has acknowledged, so this may not either."""
    services._children.pop(AZURITE).stop()


@pytest.mark.parametrize("outages", [1, pytest.param(5, marks=pytest.mark.chaos)])
def test_storage_is_gone_while_runs_are_taken_polled_and_recorded(
    own_services: Stack, tmp_path: Path, injected: Callable[[int], None], outages: int
) -> None:
    """Promise: whatever the app was at, it goes on with it once storage is back."""
    world = World(own_services)
    host = Host(world)
    ended, running, dropped = {}, {}, {}
    for number in range(outages):
        ended[f"{number}/ended.yaml"] = run = host.drop(f"{number}/ended.yaml", ONE_TASK.text(tmp_path))
        world.await_end(run)
        running[f"{number}/running.yaml"] = host.drop(f"{number}/running.yaml", GATED.text(tmp_path))
        dropped[f"{number}/dropped.yaml"] = world.drop(f"{number}/dropped.yaml", GRAPH.text(tmp_path))
        _stop_storage(own_services)
        for story in (
            lambda app, number=number: submit_run.accept(app, f"{number}/dropped.yaml"),
            lambda app, run=run: record_run.record(app, JobEnded(run, 1)),
            poll_runs.poll,
        ):
            host.invoke(story)
        own_services.start(AZURITE)
        (tmp_path / f"{running[f'{number}/running.yaml']}.open").touch()
    host.work()
    injected(3 * outages)
    states = {}
    for name, run in {**ended, **running, **dropped}.items():
        left = Ended.of(world, run, name, tmp_path)
        states[name] = left.shape["state"], len(left.ran)
    assert states == {
        **dict.fromkeys(ended, ("SUCCESS", 1)),
        **dict.fromkeys(running, ("SUCCESS", 2)),
        **dict.fromkeys(dropped, ("SUCCESS", 3)),
    }


@dataclass
class SlowCopies:
    """Storage that copies in the background: every copy is first said to be `pending`, then once `then`."""

    world: World
    then: str
    seen: dict[str, int] = field(default_factory=dict)

    def answer(self, request, response):
        """Change what storage says of copies to the results."""
        if "x-ms-copy-source" in request.headers and f"/{self.world.settings.containers.results}/" in request.url:
            response.headers["x-ms-copy-status"] = "pending"
        elif "include=copy" in request.url:
            response._content = re.sub(rb"<Blob>.*?</Blob>", self._blob, response.content, flags=re.DOTALL)
        return response

    def _blob(self, found: re.Match[bytes]) -> bytes:
        if b"<CopyStatus>" not in found[0]:
            return found[0]
        name = re.search(rb"<Name>(.*?)</Name>", found[0])[1].decode()
        self.seen[name] = times = self.seen.get(name, 0) + 1
        status = ("pending", self.then)[times - 1] if times <= 2 else "success"
        return found[0].replace(b"<CopyStatus>success", b"<CopyStatus>" + status.encode())


@pytest.mark.parametrize("then", ["success", "failed", "aborted"])
def test_copies_that_stay_pending_or_fail_are_waited_for_and_made_again(
    world: World, tmp_path: Path, injected: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """Promise: the record comes after everything that it lists."""
    monkeypatch.setattr("shared.steps._copier.PENDING_PAUSE_SECONDS", 0.05)
    copies, host = SlowCopies(world, then), Host(world)
    transport = host.app.staging._blobs._pipeline._transport
    send = transport.send
    transport.send = lambda request, **options: copies.answer(request, send(request, **options))
    run = host.drop("m.yaml", ONE_TASK.text(tmp_path))
    host.work()
    injected(len(copies.seen))
    assert len(copies.seen) == 3
    assert len(
        [call for call in host.wire.calls if call.startswith("PUT") and call.endswith("/outputs/one/one.txt")]
    ) == (1 if then == "success" else 2)
    ended = Ended.of(world, run, "m.yaml", tmp_path)
    assert (ended.shape["state"], ended.ran) == ("SUCCESS", ["one"])


@dataclass
class Rival:
    """Somebody who writes the blob right before a conditional write of the app, the one with number `at`."""

    world: World
    at: int
    writes: int = 0

    def before(self, request) -> None:
        """Write, if it is time; what is gone cannot be written."""
        if "If-Match" not in request.headers:
            return
        self.writes += 1
        if self.writes == self.at:
            _, account, container, name = request.url.partition("?")[0].split("/", 5)[2:]
            assert account == ACCOUNT_NAME
            blob = self.world._storage.get_blob_client(container, name)
            try:
                blob.set_blob_metadata(blob.get_blob_properties().metadata)
            except ResourceNotFoundError:
                return


@pytest.mark.parametrize("share", ["sample", pytest.param("every write", marks=pytest.mark.chaos)])
def test_somebody_else_writes_first(world: World, tmp_path: Path, injected: Callable[[int], None], share: str) -> None:
    """Promise: a 412 anywhere means to look again, never that a run is lost or run twice."""
    writes = _with_rival(world, tmp_path, at=0)
    chosen = list(range(1, writes + 1))
    if share == "sample":
        chosen = random.Random(SEED).sample(chosen, 3)
    for at in chosen:
        _with_rival(world, tmp_path, at)
    injected(len(chosen))


def _with_rival(world: World, ledger: Path, at: int) -> int:
    """Run the graph; the number of conditional writes that this takes."""
    host, rival, name = Host(world), Rival(world, at), f"{at}.yaml"
    transport = host.app.staging._blobs._pipeline._transport
    send = transport.send

    def sent(request, **options):
        rival.before(request)
        return send(request, **options)

    transport.send = sent
    run = host.drop(name, GRAPH.text(ledger))
    host.work()
    ended = Ended.of(world, run, name, ledger)
    assert (ended.shape["state"], ended.ran) == ("SUCCESS", sorted(GRAPH.ran)), f"write {at}"
    return rival.writes
