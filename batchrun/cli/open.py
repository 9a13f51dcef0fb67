"""`open`: the report of a run in the browser, or a list of all runs; served by this process until Ctrl-C."""

from __future__ import annotations

import argparse
import itertools
import secrets
import sys
import threading
import webbrowser
from contextlib import AbstractContextManager

from batchrun.cli._runs_page import runs_page
from batchrun.cli._text import tell_damaged
from batchrun.cli._web import Page, RunServer
from batchrun.client.apps import App
from batchrun.client.listing import RunList
from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs
from batchrun.errors import ClientError
from shared.documents.record import Record
from shared.report.text import href

MOST_OPEN = 1_000
MOST_RUNS = 10_000
REPORT = "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `open`."""
    parser.epilog = "The pages are for this machine only, and there until Ctrl-C."
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="the beginning of the id of a run, or `-` for the latest (default: a list)",
    )


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Serve the report, or the list, until it is interrupted. Raises ClientError if there is no such report."""
    with opening as app, Runs.of(app) as runs:
        if arguments.run is None:
            with _server_of_list(runs) as server:
                return _serve(server, server.address())
        ref = runs.find(arguments.run)
        record = runs.results.record(ref)
        if record is None:
            how = app.command("show", ref.id)
            raise ClientError(f"{ref.id} has not ended: its report is written when it has. Until then: {how}")
        with RunServer(runs.results, _with_earlier(runs, ref, record).get, words=runs.words) as server:
            return _serve(server, server.address(href(f"{ref.folder}/{REPORT}")))


def _with_earlier(runs: Runs, ref: RunRef, record: Record | None) -> dict[str, RunRef]:
    """A run, the one that it retries, the one that this retries, and so on, by their ids."""
    known = {ref.id: ref}
    while record and record.retry_of and record.retry_of.run_id not in known:
        ref = RunRef(record.retry_of.run_id, record.retry_of.results)
        known[ref.id] = ref
        record = runs.results.record(ref)
    return known


def _server_of_list(runs: Runs) -> RunServer:
    """A server of the list, and of the results of the runs in it. The list is read anew for every look at it."""
    known: dict[str, RunRef] = {}
    lock = threading.Lock()

    def index() -> Page:
        with lock:
            listing = RunList(runs)
            open_runs, ids = listing.open(MOST_OPEN)
            found = itertools.chain(open_runs, listing.ended(ids))
            entries = list(itertools.islice(found, MOST_RUNS + 1))
        known.update((entry.ref.id, entry.ref) for entry in entries)
        nonce = secrets.token_urlsafe(16)
        is_all = len(entries) <= MOST_RUNS
        return Page(runs_page(entries[:MOST_RUNS], nonce, is_all=is_all), nonce)

    first = index()  # errors are told in the terminal, before a browser is opened
    tell_damaged(runs.ledger.damaged)
    pages = iter([first])
    return RunServer(runs.results, known.get, lambda: next(pages, None) or index(), runs.words)


def _serve(server: RunServer, address: str) -> int:
    is_opened = webbrowser.open(address)
    print(f"{'Opened' if is_opened else 'Open this in a browser:'} {address}", flush=True)
    print("It is there until Ctrl-C.", file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0
