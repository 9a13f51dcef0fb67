"""`flows`: the stored flows, which runs name: put, listed, fetched, removed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from azure.core.exceptions import HttpResponseError

from batchrun.cli._targets import read_file
from batchrun.cli._text import aligned, tell_damaged
from batchrun.cli.check import refuse_errors
from batchrun.client.apps import App
from batchrun.client.downloads import UNFINISHED
from batchrun.client.flow_times import last_runs, next_times
from batchrun.client.flows import checked
from batchrun.client.given import what_is_readable
from batchrun.client.namespaces import checked as checked_namespace
from batchrun.client.requests import Drop, as_it_is, of_file
from batchrun.client.runs import Runs
from batchrun.errors import ClientError, UsageError, printable
from shared.documents.ledger import LedgerLine
from shared.documents.manifest_blob import manifest_blob
from shared.documents.names import STORED_FLOW_SUFFIX
from shared.manifest.read import is_json
from shared.report.text import day_and_time, size

_NOTHING_STORED = "Nothing has been stored."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flows`: a verb of its own, and what that needs."""
    verbs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    put = verbs.add_parser("put", help="check flows, and store each as <namespace>/<id>; one of this name is replaced")
    put.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a .yaml or .yml file")
    ls = verbs.add_parser(
        "ls", help="list the stored flows, with their next time by a schedule, and how their last run ended"
    )
    ls.add_argument("namespace", nargs="?", metavar="NAMESPACE", help="only those of this namespace")
    get = verbs.add_parser("get", help="download a stored flow as <id>.yaml")
    get.add_argument("name", metavar="FLOW", help="as in company.team/etl")
    get.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="the folder for it (default: this one)")
    remove = verbs.add_parser("rm", help="remove stored flows")
    remove.add_argument("names", nargs="+", metavar="FLOW", help="as in company.team/etl")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Do what the options say. Raises UsageError, or ClientError if there is no such flow or storage refuses."""
    match arguments.what:
        case "put":
            files = [_read(path) for path in arguments.files]
            with opening as app:
                return _put(app, files)
        case "ls":
            if arguments.namespace is not None:
                checked_namespace(arguments.namespace)
            with opening as app, Runs.of(app) as runs:
                return _list(runs, arguments.namespace)
        case "get":
            checked(arguments.name)
            with opening as app, Runs.of(app) as runs:
                return _get(runs, arguments.name, arguments.out)
        case _:
            for name in arguments.names:
                checked(name)
            with opening as app, Runs.of(app) as runs:
                return _remove(runs, list(dict.fromkeys(arguments.names)))


@dataclass(frozen=True)
class _File:
    """A file with a flow, the name that it is stored by, and what a run of it would drop.

    If it has no name, `problem` says why, unless nothing is known of it because of its mistakes.
    """

    content: bytes
    name: str | None
    drop: Drop
    problem: str = ""


def _read(path: Path) -> _File:
    """Read a flow. Raises UsageError if the file is none that can be stored."""
    content, modified = read_file(path)
    if is_json(path.name):
        other = path.with_suffix(STORED_FLOW_SUFFIX)
        raise UsageError(f"{path} is JSON, and stored flows are YAML, which JSON is too: rename it to {other.name}.")
    manifest = what_is_readable(manifest_blob(path.name, "", content).text, path.name)
    flow = manifest.flow if manifest else None
    if flow and flow.namespace and flow.id:
        name = f"{flow.namespace}/{flow.id}"
        return _File(content, name, of_file(path, name, content, modified))
    written = manifest.layout.written if manifest else None
    lacking = [each for each in ("namespace", "id") if not written.get(each)] if isinstance(written, dict) else []
    problem = f"a stored flow needs a name, <namespace>/<id>: add `{'` and `'.join(lacking)}`" if lacking else ""
    return _File(content, None, as_it_is(path, content, modified), problem)


def _put(app: App, files: Sequence[_File]) -> int:
    """Store the flows, if none has errors."""
    names = [file.name for file in files if file.name]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Two of the files have the flow {twice}.")
    unnamed = [file for file in files if not file.name]
    for file in filter(lambda each: each.problem, unnamed):
        print(printable(f"{file.drop.name}: error: {file.problem}"), file=sys.stderr)
    refuse_errors([file.drop for file in files], app, _NOTHING_STORED, to_store=True)
    if unnamed:
        raise ClientError(_NOTHING_STORED)
    with Runs.of(app) as runs:
        for name, file in zip(names, files, strict=True):
            print(f"{name} {runs.flows.put(name, file.content)}", flush=True)
    return 0


def _list(runs: Runs, namespace: str | None) -> int:
    flows = runs.flows.all(namespace)
    names = [flow.name for flow in flows]
    following, last = next_times(runs.flows, names, datetime.now(UTC)), _last_runs(runs, names)
    rows = [
        (
            flow.name,
            size(flow.bytes),
            day_and_time(flow.modified),
            f"next {day_and_time(moment)}" if (moment := following[flow.name]) else "",
            f"last {line.state} {day_and_time(line.dropped)}" if (line := last.get(flow.name)) else "",
        )
        for flow in flows
    ]
    of_namespace = f" of {namespace}" if namespace else ""
    print(*(aligned(rows) if rows else [f"No flow{of_namespace} is stored."]), sep="\n")
    return 0


def _last_runs(runs: Runs, names: Sequence[str]) -> Mapping[str, LedgerLine]:
    """The last run of each flow; none, which is said, if storage refuses the results."""
    try:
        found = last_runs(runs.ledger, names)
    except HttpResponseError as error:
        if error.status_code != HTTPStatus.FORBIDDEN:
            raise
        print(f"The last runs cannot be shown. ({runs.words(error)})", file=sys.stderr)
        return {}
    tell_damaged(runs.ledger.damaged)
    return found


def _get(runs: Runs, name: str, folder: Path) -> int:
    """Write the file of a stored flow. Raises ClientError if that would replace another one."""
    content = runs.flows.content(name)
    file = folder / f"{name.rpartition('/')[2]}{STORED_FLOW_SUFFIX}"
    try:
        if file.exists() and file.read_bytes() != content:
            raise ClientError(f"{file} is there and differs: choose another folder with --out.")
        folder.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{UNFINISHED}{file.name}")
        try:
            draft.write_bytes(content)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ClientError(f"{file} cannot be written: {error.strerror}.") from error
    print(file)
    return 0


def _remove(runs: Runs, names: Sequence[str]) -> int:
    """Remove stored flows; those that are not there are told, and do not keep others back."""
    code = 0
    for name in names:
        try:
            runs.flows.remove(name)
        except ClientError as error:
            print(error, file=sys.stderr, flush=True)
            code = 1
        else:
            print(f"removed {name}", flush=True)
    return code
