"""What must be fast, side by side with bare loops of the same calls: `make bench`, or with `--quick` a tenth of it.

Times are ratios, because machines differ and others work on them; they are measured here and never asserted in tests.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from shared.app import collect_garbage_less_often
from tests.benchmarks import burst, ending, fetching, importing, recording, submitting, throughput
from tests.benchmarks.target import Measured, show, show_heading, write
from tests.integration.conftest import World

Measure = TypeVar("Measure")

ALONE: dict[str, Callable[[bool], Iterator[Measured]]] = {
    "import": importing.function_app,
    "burst": burst.burst,
    "quota": throughput.quota,
    "pushed": ending.pushed,
}
STORIES: dict[str, Callable[[World, bool], Iterator[Measured]]] = {
    "small": submitting.small_manifest,
    "fan-out": submitting.fan_out,
    "again": submitting.planned_again,
    "files": recording.many_files,
    "large": recording.large_file,
    "worker": recording.memory_of_a_worker,
    "get-files": fetching.many_files,
    "get-large": fetching.large_file,
}


def main() -> None:
    """Measure everything, or what is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"any of: {' '.join([*ALONE, *STORIES])} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--json", type=Path, default=Path(".bench.json"), help="default: %(default)s")
    given = parser.parse_args()
    logging.disable(logging.INFO)
    collect_garbage_less_often()  # as the app does; it holds for the bare loops as well
    rows = []
    show_heading()
    for row in _measure(set(given.names), quick=given.quick):
        show(row)
        rows.append(row)
        write(rows, given.json)


def _measure(names: set[str], *, quick: bool) -> Iterator[Measured]:
    for alone in _wanted(ALONE, names):
        yield from alone(quick)
    if not (stories := _wanted(STORIES, names)):
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(StackOptions(data_dir=Path(folder), ports=AUTO, functions=False)) as stack,
    ):
        for story in stories:
            yield from story(World(stack), quick)


def _wanted(measures: dict[str, Measure], names: set[str]) -> list[Measure]:
    return [measure for name, measure in measures.items() if not names or name in names]


if __name__ == "__main__":
    main()
