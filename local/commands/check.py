"""`python -m local check`: what would be refused of manifests, and the Batch jobs that they would make."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.check_manifest import Checked
from local.commands.options import add_manifests, check_manifests
from local.errors import UsageError
from local.printable import printable
from shared.documents.record import RunProblem

PURPOSE = "say what would be refused of manifests, and print the Batch jobs that they would make"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    parser.epilog = (
        "Nothing is run or contacted. The findings go to stderr, the jobs and tasks of the first round to stdout, as a"
        " JSON list with an object for each manifest. Exit code: 0 if nothing would be refused, 1 if something would,"
        " 2 for wrong usage."
    )
    add_manifests(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check them all. Raises UsageError."""
    check_manifests(arguments.manifests)
    from local.check_manifest import check, local_settings  # noqa: PLC0415 - with the SDKs, once the usage is right
    from shared.errors import SettingsError  # noqa: PLC0415

    try:
        settings = local_settings(os.environ)
    except SettingsError as error:
        raise UsageError(str(error)) from error
    found = [(manifest, check(manifest, settings)) for manifest in arguments.manifests]
    for manifest, checked in found:
        for line in _findings(manifest, checked):
            print(printable(line), file=sys.stderr)
    print(json.dumps([_as_json(manifest, checked) for manifest, checked in found], indent=2))
    return 1 if any(checked.errors for _, checked in found) else 0


def _findings(manifest: Path, checked: Checked) -> Iterator[str]:
    for problem in checked.errors:
        yield _finding(manifest, "error", problem)
    for problem in checked.warnings:
        yield _finding(manifest, "warning", problem)
    for later in checked.later:
        yield f"{manifest}: later: the task {later.task!r} is in a later job ({later.reason.value})"
    for what in checked.not_known:
        yield f"{manifest}: not known before it runs: {what}"
    if not checked.errors:
        yield f"{manifest}: nothing to refuse"


def _finding(manifest: Path, kind: str, problem: RunProblem) -> str:
    """As compilers say it, so that editors and terminals lead to the place."""
    place = f":{problem.line}:{problem.column}" if problem.line else ""
    path = f"{problem.path}: " if problem.path else ""
    return f"{manifest}{place}: {kind}: {path}{problem.message}"


def _as_json(manifest: Path, checked: Checked) -> dict[str, Any]:
    return {
        "manifest": str(manifest),
        "errors": [problem.model_dump() for problem in checked.errors],
        "warnings": [problem.model_dump() for problem in checked.warnings],
        "job": checked.job,
        "tasks": checked.tasks,
        "later": [{"task": later.task, "reason": later.reason.value} for later in checked.later],
        "notKnown": checked.not_known,
    }
