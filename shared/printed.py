"""Lines that a task prints for the runner, `::{…}::`, → values and metrics.

Kestra's protocol: one JSON object per line, on stdout or stderr, with `outputs` (values, merged in order, the last
one wins), `metrics` and `logs`. The PyPI package `kestra` prints it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from shared.documents import Document

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_STREAM_BYTES = 64 * 1024 * 1024
_LINE = re.compile(r"^::(\{.*\})::\s*$")


class Metric(Document):
    """One measurement: a counter, a gauge, or a timer in seconds."""

    name: str
    type: str
    value: float
    tags: dict[str, str] = Field(default_factory=dict)


@dataclass
class Printed:
    """What a task printed, as far as it was read."""

    vars: dict[str, Any] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def read(self, stream: str, lines: Iterable[str]) -> None:
        """Take in the lines of a stream (its name is for messages); those without the protocol are passed over."""
        for number, line in enumerate(lines, start=1):
            match = _LINE.match(line)
            if match:
                self._take(f"{stream} line {number}", match[1])

    def _take(self, where: str, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            self.warnings.append(f"{where}: this is no JSON, so its values are lost: {error}")
            return
        outputs = message.get("outputs", {})
        if isinstance(outputs, dict):
            self.vars.update(outputs)
        else:
            self.warnings.append(f"{where}: `outputs` must be a map, so its values are lost")
        self._take_metrics(where, message.get("metrics", []))

    def _take_metrics(self, where: str, metrics: object) -> None:
        for metric in metrics if isinstance(metrics, list) else [metrics]:
            try:
                self.metrics.append(Metric.model_validate(metric))
            except ValidationError:
                self.warnings.append(f"{where}: a metric has name, type and value, and perhaps tags; this one is lost")
