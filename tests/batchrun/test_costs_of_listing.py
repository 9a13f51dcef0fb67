"""What `ls` asks of storage and of Batch: a read for each day, whatever number of runs that day had."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from batchrun.cli import ls
from batchrun.client.apps import App
from tests.integration.conftest import World, make_world, services, world

pytestmark = pytest.mark.sampled

__all__ = ["make_world", "services", "world"]

LISTED = {
    "list inbox": 1,  # manifests that are not accepted yet
    "list runs": 1,  # open runs
    "list results/_runs": 1,  # the days that the ledger has
}
DAY = {"read DAY": 1, "read DAY.2": 1}  # the runs of a day; and whether it has a second part
FOLDERS = {"list results": 1}  # runs that the ledger lacks, if it has too few: a listing for each folder of manifests
AND_OF_THE_LEDGER = {"list results/_runs": 1}  # which is one of them, like that of a manifest `_runs.yaml`


def line(number: int) -> str:
    run = f"m-20261128t100000-{number:08x}"
    found = {"runId": run, "kind": "recorded", "manifest": "a/m.yaml", "results": f"a/m/{run}", "state": "SUCCESS"}
    return json.dumps({"schemaVersion": "1", **found, "dropped": "2026-11-28T10:00:00Z", "times": None}) + "\n"


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counter[str]]:
    """List runs; what was asked for."""

    def run(*arguments: str) -> Counter[str]:
        parser = argparse.ArgumentParser()
        ls.add_arguments(parser)
        made: Counter[str] = Counter()
        send = RequestsTransport.send

        def counting(self: RequestsTransport, request: Any, **options: Any) -> Any:
            is_batch = request.url.startswith(world.settings.batch.endpoint)
            made["Batch" if is_batch else _in_words(request.method, request.url)] += 1
            return send(self, request, **options)

        batch, names = world.settings.batch, vars(world.settings.containers)
        settings = {f"{name.upper()}_CONTAINER": value for name, value in names.items()} | {
            "RunStorage": world.settings.storage.connection_string or "",
            "BATCH_ACCOUNT_ENDPOINT": batch.endpoint,
            "BATCH_ACCOUNT_NAME": batch.account_name,
            "BATCH_ACCOUNT_KEY": batch.account_key or "",
        }
        with monkeypatch.context() as patch:
            patch.setattr(RequestsTransport, "send", counting)
            app = App(settings, lambda *words: " ".join(words))
            assert ls.run(parser.parse_args(arguments), contextlib.nullcontext(app)) == 0
        return made

    return run


def _in_words(method: str, url: str) -> str:
    address, _, query = url.partition("?")
    container, _, blob = re.sub(r"^https?://[^/]+/[^/]+/", "", address).partition("/")
    container = re.sub(r"-[0-9]+$", "", container)
    if not blob:
        prefix = re.search(r"prefix=([^&]+)", query)
        return f"list {container}" + (f"/{prefix[1].replace('%2F', '/').rstrip('/')}" if prefix else "")
    assert method == "GET"
    if day := re.fullmatch(r"_runs/\d{4}-\d\d-\d\d(\.\d+)?\.jsonl", blob):
        return f"read DAY{day[1] or ''}"
    return f"read {container}/{blob.rpartition('/')[2] if container == 'results' else 'RUN.json'}"


@pytest.mark.parametrize(
    ("runs", "arguments", "more"),
    [
        (0, [], FOLDERS),
        (10, [], {**DAY, **FOLDERS, **AND_OF_THE_LEDGER}),
        (200, [], DAY),
        (200, ["--since", "2026-11-29"], {}),
    ],
)
def test_ended_runs_cost_a_read_for_their_day_and_none_for_each(
    world: World, asked: Callable[..., Counter[str]], runs: int, arguments: list[str], more: dict[str, int]
) -> None:
    """No record is read, no folder of a run is listed."""
    if runs:
        world.put("results", "_runs/2026-11-28.jsonl", "".join(map(line, range(runs))))
    expected = Counter(LISTED) + Counter(more)
    if arguments:
        expected["list results/_runs"] += 1  # whether the ledger was kept before
    assert asked(*arguments) == expected


def test_an_open_run_costs_three_reads_and_a_look_at_batch(world: World, asked: Callable[..., Counter[str]]) -> None:
    """Its document for its folder and for its tasks, its status for its state; its tasks are Batch's."""
    for number in range(20):
        world.accept(f"m{number}.yaml", "commands: [sleep 600]")
    expected = Counter(LISTED) + Counter(DAY) + Counter(FOLDERS) + Counter(AND_OF_THE_LEDGER)
    expected += Counter({f"list results/m{number}": 1 for number in range(20)})
    assert asked() == expected + Counter({"read runs/RUN.json": 40, "read results/status.json": 20, "Batch": 20})
