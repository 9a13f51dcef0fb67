"""`doctor`: looks at everything that a run needs, and says what to do about what is not as it should be."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager

from batchrun.client.apps import App
from batchrun.client.health import Finding, findings
from batchrun.errors import Unreachable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    parser.epilog = "Exit code: 0 if all is well, 1 if something is not, 3 if the app cannot be reached."


def run(_arguments: argparse.Namespace, opening: AbstractContextManager[App]) -> int:
    """Print a line for each thing. Raises Unreachable if there is no app to look at."""
    with opening as app:
        found = []
        for finding in findings(app):
            print(_line(finding), flush=True)
            found.append(finding)
    if found[0].advice:
        raise Unreachable("The app cannot be reached.")
    return 1 if any(finding.advice for finding in found) else 0


def _line(finding: Finding) -> str:
    mark = "  !" if finding.advice else " ok"
    return f"{mark}  {finding.subject}: {finding.text}" + (f"\n       {finding.advice}" if finding.advice else "")
