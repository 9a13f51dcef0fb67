"""A day of many runs on a simulated clock: the app's own stories, the local Batch service's own state machine.

What surrounds them misbehaves as the services do: blobs whose event never comes, events that come late, twice or not at
all, invocations that end in the middle, nodes that die, services that are out of reach for minutes, a quota of active
jobs. An invocation takes no simulated time, and its calls are made one after the other, so that the same seed gives the
same day.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast
from unittest.mock import patch

from azure.core.exceptions import ServiceRequestError

from local.batch.failures import FailureCode
from local.batch.machine.commands import Command, LoseNode, RunTask, StopTask, TaskEnd, TaskRun
from local.batch.models.pool import NodeState
from shared import poll_runs, record_run, submit_run
from shared.app import App
from shared.batch.client import Batch
from shared.documents.names import run_id
from shared.documents.run_ended import RunEnded
from shared.events import JobEnded
from shared.masking import Masker
from shared.settings import Settings
from shared.storage.card import CardStore
from shared.storage.copies import Copies
from shared.storage.flows import StoredFlows
from shared.storage.inbox import Inbox
from shared.storage.ledger import Ledger
from shared.storage.results import Results
from shared.storage.runs import PartStore, RunStore
from shared.storage.schedules import ScheduleStore
from shared.storage.sources import Sources
from shared.storage.staging import Staging
from tests.simulation.batch_account import BatchAccount
from tests.simulation.clock import Clock
from tests.simulation.storage import Blob, Storage

START = datetime(2026, 11, 22, tzinfo=UTC)
POOL = "pool1"
ENVIRON = {
    "RunStorage": "AccountName=simulated;AccountKey=a2V5",
    "BATCH_ACCOUNT_ENDPOINT": "https://simulated.westeurope.batch.azure.com",
    "BATCH_ACCOUNT_KEY": "a2V5",
    "BATCH_ACCOUNT_NAME": "simulated",
    "BATCH_POOL_ID": POOL,
    "EVENTGRID_TOPIC_ENDPOINT": "https://simulated.westeurope-1.eventgrid.azure.net/api/events",
    "EVENTGRID_TOPIC_KEY": "a2V5",
}
LONGEST_AFTERMATH = timedelta(hours=12)
LONGEST_TASK = 3500.0  # of an hour, which is the default limit
SETTLING = timedelta(minutes=1)
EVENT_PAUSES = (10.0, 30.0, 60.0, 300.0, 600.0)
BLOB_TRIES = 5
SAMPLED_EVERY = 300.0


class OneAfterTheOther:
    """In place of a pool of threads."""

    def __init__(self, _threads: int) -> None:
        self.map = map

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class InvocationEnded(BaseException):
    """The process that ran an invocation is gone; nothing in the app may catch this."""


@dataclass(frozen=True)
class Manifest:
    """A manifest, how many of those that are dropped are like it, and what becomes of it."""

    text: str
    share: float
    states: frozenset[str]
    rounds: int = 1


MANIFESTS = (
    Manifest("commands: [echo hi > a.txt]\noutputFiles: [a.txt]", 0.9, frozenset({"SUCCESS"})),
    Manifest(
        "tasks:\n- {id: a, commands: [make], outputFiles: [a.txt]}\n"
        "- {id: b, commands: ['cat {{ outputs.a.outputFiles[\"a.txt\"] }}']}",
        0.05,
        frozenset({"SUCCESS"}),
    ),
    Manifest("id: many\nforeach: 12\ncommands: [echo $ITEM_INDEX]", 0.02, frozenset({"SUCCESS"})),
    Manifest("commands: [exit 1] # fails", 0.02, frozenset({"FAILED"})),
    Manifest("commands: 7", 0.01, frozenset({"REJECTED"})),
)


@dataclass(frozen=True)
class Outage:
    """A service that is out of reach from a time of the day on; a part of the requests gets through."""

    service: str
    begins: float
    seconds: float
    share: float = 1.0


OUTAGES = (
    Outage("batch", 5 * 3600, 1200),
    Outage("storage", 9 * 3600, 300, 0.5),
    Outage("topic", 13 * 3600, 900),
    Outage("functions", 17 * 3600, 600),
)


@dataclass(frozen=True)
class Options:
    """A day. Times in seconds, shares of all; `burst` manifests come at once at noon."""

    runs: int = 100_000
    seconds: float = 86_400.0
    tick: float = 15.0
    quota: int = 300
    nodes: int = 50
    slots: int = 8
    median_task: float = 45.0
    burst: int = 1000
    lost_drops: float = 0.001
    lost_events: float = 0.001
    doubled_events: float = 0.01
    ended_invocations: float = 0.0005
    dying_nodes: int = 20
    cancels: float = 0.002
    outages: tuple[Outage, ...] = OUTAGES
    seed: int = 1


@dataclass
class Seen:
    """What a day was like. Lags and waits in seconds; `queues` are samples of (queued, running, active jobs)."""

    dropped: int = 0
    recorded: int = 0
    ticks: int = 0
    asking_ticks: int = 0
    states: Counter[str] = field(default_factory=Counter)
    lags: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    queues: list[tuple[int, int, int]] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Day:
    """The world of one day."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.seen = Seen()
        self.clock = Clock(START)
        self._random = random.Random(options.seed)
        self._drops = random.Random(options.seed)  # of its own: what is dropped does not depend on what calls draw
        self.storage = Storage(self.clock, self._before_storage, self._written, self._removed)
        self.batch = BatchAccount(self.clock, options.quota, self._carry_out)
        self.batch.before_request = lambda: self._refuse("batch")
        self.batch.add_pool(POOL, options.nodes, options.slots)
        self._running: dict[TaskRun, RunTask] = {}
        self._expected: dict[str, Manifest] = {}
        self._cancelled: set[str] = set()
        self._is_invoking = False
        self._last_open = START
        self.app = self._app()

    def _app(self) -> App:
        settings = Settings.from_environ(ENVIRON)
        names, storage = settings.containers, cast("Any", self.storage)
        runs = storage.get_container_client(names.runs)
        masker, copies = Masker.of(settings), Copies(storage, self.storage.url)
        return App(
            settings=settings,
            inbox=Inbox(storage.get_container_client(names.inbox)),
            flows=StoredFlows(storage.get_container_client(names.flows)),
            runs=RunStore(runs),
            parts=PartStore(runs),
            schedules=ScheduleStore(runs),
            sources=Sources(storage, names.namespaces),
            staging=Staging(storage, settings, copies),
            results=Results(storage.get_container_client(names.results), masker, copies),
            copies=copies,
            batch=Batch(cast("Any", self.batch)),
            events=cast("Any", self),
            ledger=Ledger(storage.get_container_client(names.results), masker),
            card=CardStore(storage.get_container_client(names.results), settings),
            now=self.clock,
        )

    # --- the course of the day

    def run(self) -> Seen:
        """Let the day pass, and as much more time as the last run needs."""
        with patch("shared.parallel.ThreadPoolExecutor", OneAfterTheOther):
            self._run()
        return self.seen

    def _run(self) -> None:
        options = self.options
        moments = sorted(self._drops.uniform(0, options.seconds) for _ in range(options.runs - options.burst))
        for number, at in enumerate([*moments, *[options.seconds / 2] * options.burst]):
            self.clock.after(at, lambda number=number: self._drop(number))
        for _ in range(options.dying_nodes):
            self.clock.after(self._random.uniform(0, options.seconds), self._lose_node)
        self.clock.after(0, self._tick)
        self.clock.after(0, self._sample)
        end = START + timedelta(seconds=options.seconds)
        while self.clock.now < max(end, self._last_open + SETTLING):
            if self._is_anything_open():
                self._last_open = self.clock.now
            if self.clock.now > end + LONGEST_AFTERMATH:
                self.seen.wrong.append(f"{len(self.container('runs').all())} runs are open long after the last drop")
                break
            self._step()

    def container(self, name: str) -> Any:
        """One of the app's containers."""
        return self.storage.get_container_client(name)

    def _is_anything_open(self) -> bool:
        return self.seen.recorded < self.seen.dropped or bool(self.container("runs").all())

    def _step(self) -> None:
        alarm, due = self.batch.next_alarm(), self.clock.next_due()
        if alarm is not None and (due is None or alarm <= due):
            self.clock.now = max(self.clock.now, alarm)
            self.batch.do(lambda _: None)
        else:
            self.clock.advance()

    def _sample(self) -> None:
        self.clock.after(SAMPLED_EVERY, self._sample)
        states = Counter(blob.metadata.get("state") for blob in self.container("runs").all() if blob.metadata)
        self.seen.queues.append((states["QUEUED"], states["RUNNING"], self.batch.open_jobs))

    # --- users

    def _drop(self, number: int) -> None:
        manifest = self._drops.choices(MANIFESTS, [each.share for each in MANIFESTS])[0]
        name = f"m{number}.yaml"
        blob = self.container("inbox").put(name, manifest.text.encode())
        run = run_id("inbox", name, blob.etag, blob.last_modified)
        self._expected[run] = manifest
        self.seen.dropped += 1
        if self._drops.random() >= self.options.lost_drops:
            self.clock.after(self._drops.uniform(0.2, 2), lambda: self._take(name, BLOB_TRIES))
        if self._drops.random() < self.options.cancels:
            self._cancelled.add(run)
            self.clock.after(self._drops.uniform(1, 120), lambda: self.container("inbox").put(f"{run}.cancel", b""))

    # --- the Functions host

    def _invoke(self, function: Callable[[], None]) -> bool:
        """Whether an invocation succeeded."""
        if self._is_out("functions"):
            return False
        self._is_invoking = True
        try:
            function()
        except (Exception, InvocationEnded) as error:  # noqa: BLE001 - as the host does
            self.seen.events[f"invocations that failed: {type(error).__name__}"] += 1
            return False
        finally:
            self._is_invoking = False
        return True

    def _take(self, name: str, tries: int) -> None:
        if not self._invoke(lambda: submit_run.accept(self.app, name)) and tries > 1:
            self.clock.after(10, lambda: self._take(name, tries - 1))

    def _tick(self) -> None:
        self.clock.after(self.options.tick, self._tick)
        before = self.batch.requests["Jobs_ListJobs"]
        self.seen.ticks += 1
        self._invoke(lambda: poll_runs.poll(self.app))
        self.seen.asking_ticks += self.batch.requests["Jobs_ListJobs"] > before

    # --- Event Grid

    def publish(self, events: Sequence[JobEnded]) -> None:
        """The app's topic."""
        self._refuse("topic")
        self.seen.events["published"] += len(events)
        self.seen.events["calls of the topic"] += 1
        for event in events:
            copies = 1 + (self._random.random() < self.options.doubled_events)
            for _ in range(copies if self._random.random() >= self.options.lost_events else 0):
                self.clock.after(self._random.uniform(0.1, 1.5), lambda event=event: self._deliver(event, 0))

    def publish_end(self, _ended: RunEnded) -> None:
        """What others are told, at the app's topic."""
        self._refuse("topic")
        self.seen.events["calls of the topic"] += 1

    def _deliver(self, event: JobEnded, tries: int) -> None:
        self.seen.events["deliveries"] += 1
        if not self._invoke(lambda: record_run.record(self.app, event)) and tries < len(EVENT_PAUSES):
            self.clock.after(EVENT_PAUSES[tries], lambda: self._deliver(event, tries + 1))

    # --- nodes

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, RunTask) and isinstance(command.run, TaskRun):
            self._running[command.run] = command
            run = command.run
            seconds = min(LONGEST_TASK, self._random.lognormvariate(0, 1) * self.options.median_task)
            self.clock.after(seconds, lambda: self._end(run))
        elif isinstance(command, StopTask) and isinstance(command.run, TaskRun):
            stopped = command.run
            self.clock.after(1, lambda: self._end(stopped, is_stopped=True))
        elif isinstance(command, LoseNode):
            lost = [run for run, start in self._running.items() if start.node_id == command.node_id]
            for run in lost:
                del self._running[run]

    def _end(self, run: TaskRun, *, is_stopped: bool = False) -> None:
        start = self._running.pop(run, None)
        if start is None:
            return
        for file in start.task.output_files:
            destination = file.destination.container
            container = destination.container_url.partition("?")[0].rpartition("/")[2]
            content = b"" if file.file_pattern.endswith("stderr.txt") else b"hello\n"
            self.container(container).put(str(destination.path), content)
        fails = "exit 1" in self._script(run)
        failure = FailureCode.TASK_ENDED.info() if is_stopped else None
        end = TaskEnd(exit_code=None if is_stopped else int(fails), failure=failure)
        self.batch.do(lambda account: account.end_task(run, end))

    def _script(self, run: TaskRun) -> str:
        return self._expected[run.job_id.rpartition("-")[0]].text

    def _lose_node(self) -> None:
        def die(account: Any) -> str:
            node = self._random.choice(account.state.pool(POOL).nodes).id
            account.nodes.set_state(POOL, node, NodeState.UNUSABLE)
            return str(node)

        node = self.batch.do(die)
        self.clock.after(
            600, lambda: self.batch.do(lambda account: account.nodes.set_state(POOL, node, NodeState.IDLE))
        )

    # --- outages

    def _before_storage(self) -> None:
        if self._is_invoking and self._random.random() < self.options.ended_invocations:
            raise InvocationEnded
        self._refuse("storage")

    def _refuse(self, service: str) -> None:
        if self._is_out(service):
            self.seen.events[f"refused by {service}"] += 1
            raise ServiceRequestError(f"{service} is out of reach")

    def _is_out(self, service: str) -> bool:
        now = (self.clock.now - START).total_seconds()
        return any(
            outage.service == service
            and 0 <= now - outage.begins < outage.seconds
            and self._random.random() < outage.share
            for outage in self.options.outages
        )

    # --- what comes of it

    def _written(self, container: str, blob: Blob) -> None:
        if container == "results" and blob.name.endswith("/record.json"):
            self._look_at_record(json.loads(blob.content))

    def _removed(self, container: str, name: str) -> None:
        if container == "runs" and "/" not in name:
            self._look_at_closed(name.removesuffix(".json"))

    def _look_at_record(self, record: dict[str, Any]) -> None:
        run, state, timings = record["runId"], record["state"], record["timings"]
        self.seen.recorded += 1
        self.seen.states[state] += 1
        expected = self._expected[run].states | ({"KILLED"} if run in self._cancelled else set())
        if state not in expected:
            self.seen.wrong.append(f"{run} is recorded as {state}: {record['failure']}")
        dropped, recorded = (datetime.fromisoformat(timings[name]) for name in ("dropped", "recorded"))
        if timings["ended"]:
            self.seen.lags.append((recorded - datetime.fromisoformat(timings["ended"])).total_seconds())
        if timings["submitted"]:
            self.seen.waits.append((datetime.fromisoformat(timings["submitted"]) - dropped).total_seconds())

    def _look_at_closed(self, run: str) -> None:
        """Check what is left of a run, and keep of its results that there is a record."""
        results = self.container("results")
        left = {blob.name.rpartition("/")[2]: blob for blob in results.all(f"{run.partition('-')[0]}/")}
        problems = [
            *[f"{name} is missing" for name in ("manifest.yaml", "record.json") if name not in left],
            *["it has a status" for name in left if name == "status.json"],
            *["files are staged" for _ in self.container("staging").all(f"{run}/")[:1]],
        ]
        self.seen.events["closed without a report"] += "report.html" not in left
        self.seen.wrong += [f"{run} is closed, and {problem}" for problem in problems]
        for blob in left.values():
            results.drop(blob.name)
        if "record.json" in left:
            results.put(left["record.json"].name, b"", silent=True)
