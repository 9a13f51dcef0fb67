"""`get`: downloads the results of a run, or those that patterns name; and describes them as an RO-Crate."""

from __future__ import annotations

import argparse
import contextlib
import secrets
from contextlib import AbstractContextManager
from pathlib import Path

from batchrun.cli._fetching import check_patterns, fetched, is_wanted
from batchrun.cli.options import add_run
from batchrun.client.apps import App
from batchrun.client.crate.metadata import METADATA, SOURCES, RunDocuments, crate_metadata
from batchrun.client.downloads import UNFINISHED, RemoteFile
from batchrun.client.refs import RunRef
from batchrun.client.runs import Runs
from batchrun.errors import ClientError
from shared.patterns import matches_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `get`."""
    parser.epilog = (
        "A pattern is one of `outputFiles` of a manifest, such as '*.csv', 'outputs/**' or 'logs/each/*/stderr.txt'."
        " What is there with the same size and time is not fetched again. Exit code: 1 if a file could not be fetched."
    )
    add_run(parser)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="only files that match one of these")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder for the files (default: ./RUN)")
    parser.add_argument(
        "--crate",
        action="store_true",
        help=f"also write {METADATA}: what ran, with what, and which of the files came of it; fetches the manifest too",
    )


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Download the results of a run. Raises UsageError, or ClientError if there is no such run or no such file."""
    check_patterns(arguments.patterns)
    with opening as app, Runs.of(app) as runs:
        ref = runs.find(arguments.run)
        documents = _documents(runs, ref) if arguments.crate else None
        files = runs.results.files(ref)
        wanted = [file for file in files if is_wanted(file.name, arguments.patterns, matches_output)]
        if not wanted:
            raise ClientError(f"{ref.id} has no results{' that match' if files else ' yet'}.")
        if documents:
            wanted += [file for file in files if file.name in SOURCES and file not in wanted]
        folder = arguments.out or Path(ref.id)
        options = [*(["--out", str(arguments.out)] if arguments.out else []), *(["--crate"] if documents else [])]
        again = app.command("get", ref.id, *arguments.patterns, *options)
        done = fetched(runs.results.to(folder), wanted, folder, again)
        if documents:
            _write_crate(folder, documents, [file for file in wanted if file not in done.missing])
        return 1 if done.problems else 0


def _documents(runs: Runs, ref: RunRef) -> RunDocuments:
    """What a crate is made of. Raises ClientError if the run is not complete."""
    results, record = runs.results, runs.results.record(ref)
    if record is None:
        raise ClientError(
            f"{ref.id} is not complete: --crate describes runs that are. Leave it out, or wait for the end."
        )
    versions = zip(SOURCES, (record.manifest, record.flow.source), strict=True)
    texts = [results.text(ref, name) if version and version.sha256 else None for name, version in versions]
    return RunDocuments(record, results.items_apart(ref, record), *texts)


def _write_crate(folder: Path, documents: RunDocuments, files: list[RemoteFile]) -> None:
    """Write the description beside the files; like these, it appears when it is whole. Raises ClientError."""
    path, beside = folder / METADATA, folder / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside.write_text(crate_metadata(documents, {file.name: file.bytes for file in files}), "utf-8", newline="\n")
        beside.replace(path)
    except OSError as error:
        raise ClientError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    print(f"What ran is described in {path}")
