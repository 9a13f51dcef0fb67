"""`ls`: the open runs, and the latest complete ones."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from batchrun.cli._task_rows import task_counts
from batchrun.cli._text import STYLES, age, aligned, tell_damaged, why_it_waits
from batchrun.cli._times import moment
from batchrun.client.apps import App
from batchrun.client.listing import Entry, RunList
from batchrun.client.runs import Runs, WatchedRun
from batchrun.errors import printable
from shared.documents.record import FlowRef
from shared.documents.states import State
from shared.parallel import in_parallel
from shared.report.text import duration, money

MOST_OPEN = 50
MOST_COMPLETE = 10
COST = "COST"
HEAD = ("STATE", "RUN", "AGE", "TIME", "TASKS", COST, "NOTE")
_STATES = [state.value for state in State if state is not State.SKIPPED]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ls`."""
    parser.epilog = (
        "For each run: its state, its id, how long ago it was dropped, how long it took, how many of its tasks have"
        " ended, and why it waits or what went wrong."
    )
    parser.add_argument("--all", action="store_true", help=f"all runs; otherwise the latest {MOST_COMPLETE} that ended")
    parser.add_argument(
        "--state", action="append", choices=_STATES, type=str.upper, help="only runs in this state; may be repeated"
    )
    parser.add_argument(
        "--flow", metavar="F", help="only runs of the flow with this id, or of the manifest with this name"
    )
    parser.add_argument(
        "--since",
        type=moment,
        metavar="T",
        help="all runs dropped since then: 90min, 2h, 7d, 2026-11-28, or 2026-11-28T14:30 (UTC if no zone is given)",
    )
    parser.add_argument(
        "--cost", action="store_true", help="also what the tasks of each run cost, as far as the app knows prices"
    )
    parser.add_argument("--json", action="store_true", help="as a JSON list, for programs")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """List the runs. Raises ClientError if the app does not answer."""
    with opening as app, Runs.of(app) as runs:
        found = _list(runs, arguments)
        tell_damaged(runs.ledger.damaged)
        for reason in sorted({row.hidden for row in found.rows} - {""}):
            print(f"Tasks of open runs cannot be shown. {reason}", file=sys.stderr)
        if arguments.json:
            print(json.dumps([_json(row.entry, row.tasks) for row in found.rows], ensure_ascii=False, indent=2))
        elif found.rows:
            _print(found, Console(highlight=False), has_cost=arguments.cost)
        elif arguments.state or arguments.flow or arguments.since:
            print("There is no such run.")
        else:
            print(f"Nothing has been run here yet. Run a manifest with: {app.command('run', 'MANIFEST')}")
    return 0


@dataclass(frozen=True)
class _Row:
    """A run in the list, and how many of its tasks have ended, as `1/3`; empty where that is not known, or `hidden`."""

    entry: Entry
    tasks: str
    note: str
    hidden: str = ""


@dataclass(frozen=True)
class _List:
    """The rows, open runs first; how many more open runs there are, and whether there are more complete ones."""

    rows: tuple[_Row, ...]
    more_open: int
    has_more: bool


def _list(runs: Runs, arguments: argparse.Namespace) -> _List:
    listing, is_wanted = RunList(runs), _filter(arguments)
    is_limited = not (arguments.all or arguments.since)
    narrows = arguments.state or arguments.flow or arguments.since
    open_runs, open_ids = listing.open(MOST_OPEN if is_limited and not narrows else sys.maxsize)
    shown = [entry for entry in open_runs if is_wanted(entry)]
    ended = filter(is_wanted, listing.ended(open_ids, arguments.since))
    complete = list(itertools.islice(ended, MOST_COMPLETE + 1) if is_limited else ended)
    rows = [*_rows(runs, shown), *_rows(runs, complete[:MOST_COMPLETE] if is_limited else complete)]
    more_open = len(open_ids) - len(open_runs) if len(open_runs) == MOST_OPEN else 0
    return _List(tuple(rows), more_open, is_limited and len(complete) > MOST_COMPLETE)


def _filter(arguments: argparse.Namespace) -> Callable[[Entry], bool]:
    """Whether the options want a run."""

    def is_wanted(entry: Entry) -> bool:
        return (
            (not arguments.state or (entry.state or State.QUEUED) in arguments.state)
            and (not arguments.flow or arguments.flow in entry.flow_names)
            and (not arguments.since or entry.ref.dropped >= arguments.since.replace(microsecond=0))
        )

    return is_wanted


def _rows(runs: Runs, entries: Iterable[Entry]) -> Iterator[_Row]:
    def row(entry: Entry) -> _Row:
        if entry.state is State.RUNNING:
            view = WatchedRun(runs, entry.ref).look()
            counts = task_counts(view)
            tasks = f"{counts.ended}/{counts.total}" if counts.total else ""
            failed = f"{counts.failed} failed" if counts.failed else ""
            return _Row(entry, tasks, _note(entry) or failed, view.hidden if runs.tasks.is_there else "")
        tasks = f"{entry.tasks.ended}/{entry.tasks.total}" if entry.tasks and entry.tasks.total else ""
        return _Row(entry, tasks, _note(entry))

    yield from in_parallel(row, entries)


def _note(entry: Entry) -> str:
    if entry.state is None:
        return "in the inbox, not accepted yet"
    return ("is being cancelled" if entry.is_cancelled else "") or why_it_waits(entry.status) or entry.note


def _json(entry: Entry, tasks: str) -> dict[str, object]:
    ended, _, total = tasks.partition("/")
    return {
        "runId": entry.ref.id,
        "state": entry.state or "DROPPED",
        "manifest": entry.manifest,
        "flow": (entry.flow or FlowRef()).model_dump(by_alias=True),
        "results": entry.ref.folder,
        "dropped": entry.ref.dropped.isoformat(),
        "ended": entry.ended.isoformat() if entry.ended else None,
        "tasks": {"ended": int(ended), "total": int(total)} if total else None,
        "cost": entry.cost.model_dump(by_alias=True) if entry.cost else None,
        "note": _note(entry) or None,
    }


def _print(found: _List, console: Console, *, has_cost: bool) -> None:
    """Print the list; on a terminal that is too narrow each run has several lines, and nothing is cut off."""
    now = datetime.now(UTC)
    names = HEAD if has_cost else tuple(name for name in HEAD if name != COST)
    cells = [{name: text for name, text in _cells(row, now).items() if name in names} for row in found.rows]
    head, *lines = aligned([names, *(tuple(row.values()) for row in cells)])
    if console.is_terminal and len(head) > console.width:
        lines = [_stacked(row) for row in cells]
    else:
        console.print(Text(head, "dim"), soft_wrap=True)
    for row, line in zip(found.rows, lines, strict=True):
        text = Text(line)
        if state := row.entry.state:
            text.stylize(STYLES[state], 0, len(state))
        console.print(text, soft_wrap=True)
    if found.more_open:
        print(f"… and {found.more_open} more open")
    if found.has_more:
        print("… and older ones: --all lists them")


def _stacked(cells: Mapping[str, str]) -> str:
    """A run as two lines, for narrow terminals."""
    tasks = f"{cells['TASKS']} tasks" if cells["TASKS"] else ""
    parts = [f"{cells['AGE']} ago", cells["TIME"], tasks, cells.get(COST, ""), printable(cells["NOTE"])]
    return f"{cells['STATE']}  {cells['RUN']}\n  {', '.join(filter(None, parts))}"


def _cells(row: _Row, now: datetime) -> dict[str, str]:
    entry = row.entry
    texts = (
        entry.state or "-",
        entry.ref.id,
        age(now - entry.ref.dropped),
        duration(entry.time),
        row.tasks,
        money(entry.cost) if entry.cost else "",
        row.note,
    )
    return dict(zip(HEAD, texts, strict=True))
