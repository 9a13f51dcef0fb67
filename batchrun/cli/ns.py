"""`ns`: the files of namespaces, which tasks with `namespaceFiles` get: put, listed, fetched, removed."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from batchrun.cli._fetching import check_patterns, fetched, is_wanted
from batchrun.cli._text import aligned
from batchrun.client.apps import App
from batchrun.client.downloads import RemoteFile
from batchrun.client.namespaces import Namespaces, checked, files_below
from batchrun.client.runs import Runs
from batchrun.errors import ClientError, printable
from shared.patterns import matches_namespace_file
from shared.report.text import count, day_and_time, size

PATTERNS = "as in `namespaceFiles` of a manifest, such as '*.py' or 'lib/**'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ns`: a verb of its own, and what that needs."""
    verbs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    put = verbs.add_parser("put", help="upload files and folders; files of the same name are replaced")
    _add_namespace(put)
    put.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder whose files go up")
    put.add_argument("--to", default="", metavar="FOLDER", help="the folder in the namespace (default: its top)")
    ls = verbs.add_parser("ls", help="list the files of a namespace, or the namespaces that have files")
    ls.add_argument("namespace", nargs="?", metavar="NAMESPACE")
    ls.add_argument("patterns", nargs="*", metavar="PATTERN", help=f"only files that match, {PATTERNS}")
    get = verbs.add_parser("get", help="download the files of a namespace")
    _add_namespace(get)
    get.add_argument("patterns", nargs="*", metavar="PATTERN", help=f"only files that match, {PATTERNS}")
    get.add_argument("--out", type=Path, metavar="DIR", help="the folder for the files (default: ./NAMESPACE)")
    remove = verbs.add_parser("rm", help="remove files of a namespace")
    _add_namespace(remove)
    remove.add_argument("patterns", nargs="+", metavar="PATTERN", help=f"which files, {PATTERNS}; '**' is all")


def _add_namespace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("namespace", metavar="NAMESPACE")


def run(arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Do what the options say. Raises UsageError, or ClientError if there is no such file or storage refuses."""
    if arguments.namespace is not None:
        checked(arguments.namespace)
    check_patterns(getattr(arguments, "patterns", ()))
    local = files_below(arguments.paths, arguments.to) if arguments.what == "put" else []
    with opening as app, Runs.of(app) as runs:
        namespaces = runs.namespaces
        if arguments.what == "put":
            where = ["--to", arguments.to] if arguments.to else []
            again = app.command("ns", "put", arguments.namespace, *map(str, arguments.paths), *where)
            with _counted(len(local), f"in {arguments.namespace}, all of them whole", again) as done:
                namespaces.put(arguments.namespace, local, done)
            print(f"{count(len(local), 'file')} put into {arguments.namespace}")
            return 0
        if arguments.namespace is None:
            print(*namespaces.all() or ["No namespace has files."], sep="\n")
            return 0
        return _with_files(app, namespaces, arguments)


def _with_files(app: App, namespaces: Namespaces, arguments: argparse.Namespace) -> int:
    """List, fetch or remove the files that the patterns name."""
    namespace, patterns = arguments.namespace, arguments.patterns
    files = [file for file in namespaces.files(namespace) if is_wanted(file.name, patterns, matches_namespace_file)]
    if not files:
        raise ClientError(f"The namespace {namespace} has no files{' that match' if patterns else ''}.")
    match arguments.what:
        case "ls":
            print(*aligned([_row(file) for file in files]), sep="\n")
        case "rm":
            again = app.command("ns", "rm", namespace, *patterns)
            with _counted(len(files), f"removed from {namespace}", again) as done:
                namespaces.remove(files, done)
            print(*(f"removed {printable(file.name)}" for file in files), sep="\n")
        case _:
            folder = arguments.out or Path(namespace)
            where = ["--out", str(arguments.out)] if arguments.out else []
            again = app.command("ns", "get", namespace, *patterns, *where)
            return 1 if fetched(namespaces.to(folder), files, folder, again).problems else 0
    return 0


@contextlib.contextmanager
def _counted(total: int, how: str, again: str) -> Iterator[Callable[[], None]]:
    """Yields what is called for each file; if it does not come to the end, says how far it came, and how to go on."""
    done: list[None] = []
    try:
        yield lambda: done.append(None)
    except BaseException:
        are = "file is" if total == 1 else "files are"
        print(f"{len(done):,} of {total:,} {are} {how}. To go on: {again}", flush=True)
        raise


def _row(file: RemoteFile) -> tuple[str, ...]:
    return (file.name, size(file.bytes), day_and_time(file.modified))
