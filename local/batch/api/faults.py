"""Misbehaviour on demand: answers that fail or come late.

`PUT /_local/faults` with `{"faults": [...]}` replaces what was set before; an empty list ends it all. A fault:

- `operation`: the operation's name as `GET /_local/requests` shows it, `*` for all;
- `next`: it holds for the next so many calls (without it: for all), `every`: it holds for every n-th call;
- `latencySeconds`: the answer waits;
- `status` (with `code`, `retryAfterSeconds`): the answer is this error;
- `afterwards`: the operation is carried out all the same, only its answer is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import Field

from local.batch.models.common import BatchModel

ALL_OPERATIONS = "*"


class Fault(BatchModel):
    """One kind of misbehaviour; see the module's description."""

    operation: str = ALL_OPERATIONS
    next: int | None = Field(default=None, ge=1)
    every: int = Field(default=1, ge=1)
    latency_seconds: float = Field(default=0, ge=0)
    status: int | None = Field(default=None, ge=400, le=599)
    code: str = "ServerBusy"
    retry_after_seconds: int | None = Field(default=None, ge=0)
    afterwards: bool = False


class FaultList(BatchModel):
    """The body of `PUT /_local/faults`."""

    faults: tuple[Fault, ...]


@dataclass
class _Armed:
    fault: Fault
    calls: int = 0

    def take(self, operation: str) -> Fault | None:
        """Return the fault if it holds for this call of an operation."""
        if self.fault.operation not in (ALL_OPERATIONS, operation):
            return None
        self.calls += 1
        exhausted = self.fault.next is not None and self.calls > self.fault.next * self.fault.every
        return None if exhausted or self.calls % self.fault.every else self.fault


@dataclass
class Faults:
    """What is set at present."""

    _armed: list[_Armed] = field(default_factory=list)

    def replace(self, faults: FaultList) -> None:
        """Set these faults and no others."""
        self._armed = [_Armed(fault) for fault in faults.faults]

    def take(self, operation: str) -> list[Fault]:
        """Return the faults that hold for a call of an operation, and count it."""
        taken = [armed.take(operation) for armed in self._armed]
        return [fault for fault in taken if fault]
