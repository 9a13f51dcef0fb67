"""An operation of the REST API: its name in the specification, its method and path, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.batch.api.call import Call

if TYPE_CHECKING:
    from starlette.responses import Response


@dataclass(frozen=True)
class Operation:
    """`name` is the operationId of the specification (`Jobs_CreateJob`)."""

    name: str
    method: str
    path: str
    handler: Callable[[Call], Response]
