"""Misbehaviour on demand: answers that fail or come late.

`PUT /_local/faults` with `{"faults": [...]}` replaces what was set before; an empty list ends it all. A fault:

- `operation`: the operation's name as `GET /_local/requests` shows it, `*` for all;
- `every`: it holds for every n-th call; or `share`: for that share of the calls (0.1: every tenth on average), drawn
  with `seed`, so that the same calls fail each time;
- `next`: it holds so many times, then never again (without it: for ever);
- `latencySeconds`: the answer waits;
- `status` (with `code`, `retryAfterSeconds`): the answer is this error;
- `afterwards`: the operation is carried out all the same, only its answer is lost.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Self

from pydantic import Field, model_validator

from local.batch.models.common import BatchModel

ALL_OPERATIONS = "*"


class Fault(BatchModel):
    """One kind of misbehaviour; see the module's description."""

    operation: str = ALL_OPERATIONS
    next: int | None = Field(default=None, ge=1)
    every: int = Field(default=1, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)
    seed: int = 0
    latency_seconds: float = Field(default=0, ge=0)
    status: int | None = Field(default=None, ge=400, le=599)
    code: str = "ServerBusy"
    retry_after_seconds: int | None = Field(default=None, ge=0)
    afterwards: bool = False

    @model_validator(mode="after")
    def _is_regular_or_drawn(self) -> Self:
        if self.share is not None and self.every != 1:
            msg = "Give every or share, not both."
            raise ValueError(msg)
        return self


class FaultList(BatchModel):
    """The body of `PUT /_local/faults`."""

    faults: tuple[Fault, ...] = ()


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._calls = 0
        self._held = 0
        self._draw = random.Random(fault.seed)  # noqa: S311 - no secret

    def take(self, operation: str) -> Fault | None:
        """Return the fault if it holds for this call of an operation."""
        fault = self._fault
        if fault.operation not in (ALL_OPERATIONS, operation) or self._held == fault.next or not self._is_due():
            return None
        self._held += 1
        return fault

    def _is_due(self) -> bool:
        self._calls += 1
        if self._fault.share is not None:
            return self._draw.random() < self._fault.share
        return self._calls % self._fault.every == 0


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
