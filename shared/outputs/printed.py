"""Lines that a task prints for the runner, `::{…}::` → values and metrics.

Kestra's protocol: one JSON object per line, on stdout or stderr, with `outputs` (values, merged in order, the last
one wins), `metrics` and `logs`. The PyPI package `kestra` prints it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.documents.storable import check_storable
from shared.documents.task_result import Metric

MAX_STREAM_BYTES = 64 * 1024 * 1024
MAX_WARNINGS = 100
MAX_METRICS = 1_000
MAX_VARS_BYTES = 1024 * 1024
MAX_LINE = MAX_VARS_BYTES
PRINTED = "::{"
# As in Kestra, whose ObjectMapper reads one value and ignores what follows:
# https://github.com/kestra-io/kestra/blob/develop/core/src/main/java/io/kestra/core/models/tasks/runners/TaskLogLineMatcher.java
_FIRST = json.JSONDecoder()
_LINE = re.compile(r"^::(\{.*\})::\s*$")


@dataclass
class Printed:
    """The values and metrics that a task printed, as far as its streams were read; `max_bytes` limits its values."""

    max_bytes: int = MAX_VARS_BYTES
    vars: dict[str, Any] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _bytes: int = 0

    def read(self, stream: str, lines: Iterable[tuple[int, str]]) -> None:
        """Add the numbered lines of a stream; lines without the protocol are ignored. `stream` is named in warnings."""
        for number, line in lines:
            match = _LINE.match(line)
            if match:
                self._add(f"{stream} line {number}", match[1])

    def _add(self, where: str, text: str) -> None:
        if len(text) > MAX_LINE:  # parsed, it may take fifty times the memory
            self._warn(f"{where}: its values are lost: a line may have at most {MAX_LINE >> 10} KiB")
            return
        try:
            message, end = _FIRST.raw_decode(text)
            outputs = _checked(message.get("outputs", {}))
        except (ValueError, RecursionError) as error:
            self._warn(f"{where}: its values are lost: {error}")
            return
        if end < len(text):
            self._warn(f"{where}: only the first of its objects counts: print each on a line of its own")
        if not isinstance(outputs, dict):
            self._warn(f"{where}: its values are lost: `outputs` must be a map")
        elif self._bytes + len(text) > self.max_bytes:
            self._warn(f"{where}: its values are lost: a task may print at most {self.max_bytes >> 10} KiB of them")
        else:
            self._bytes += len(text)
            self.vars.update(outputs)
        metrics = message.get("metrics", [])
        for metric in metrics if isinstance(metrics, list) else [metrics]:
            if not self._add_metric(where, metric):
                return

    def _add_metric(self, where: str, metric: object) -> bool:
        """Keep a metric; False if there are too many to go on."""
        if len(self.metrics) >= MAX_METRICS:
            self._warn(f"{where}: metrics are lost: a task may print at most {MAX_METRICS} of them")
            return False
        try:
            self.metrics.append(Metric.model_validate(_checked(metric)))
        except ValueError:
            self._warn(f"{where}: a metric is lost: it needs a name, a type and a finite value, and may have tags")
        return True

    def _warn(self, warning: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(warning)
        elif len(self.warnings) == MAX_WARNINGS:
            self.warnings.append("and more like this")


def _checked(value: object) -> object:
    """The value itself. Raises ValueError if a record cannot hold it."""
    check_storable(value)
    return value


LONGEST_KEPT = 4 * 1024 * 1024


def lines_beginning(start: str, chunks: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """The lines that begin with `start`, with their numbers from 1; bytes that are not UTF-8 are replaced.

    A line of more than LONGEST_KEPT bytes may lose a part of its middle, but is still longer than that.
    """
    wanted = b"\n" + start.encode()
    number, rest = 0, b""
    for chunk in itertools.chain(chunks, (b"\n",)):
        text = rest[: LONGEST_KEPT + 1] + chunk
        end = text.rfind(b"\n") + 1
        complete, rest = b"\n" + text[:end], text[end:]
        seen = 0
        while (before := complete.find(wanted, seen)) >= 0:
            number += complete.count(b"\n", seen, before + 1)
            seen = complete.index(b"\n", before + 1)
            yield number, complete[before + 1 : seen].decode(errors="replace")
        number += complete.count(b"\n", seen) - 1
