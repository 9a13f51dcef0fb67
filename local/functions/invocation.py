"""Calls functions as the Python worker does: converts the input, uses a pool of threads, logs start and end."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import os
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.functions.app_index import IndexedFunction

if TYPE_CHECKING:
    from azure.functions.meta import Datum

current_invocation: contextvars.ContextVar[str] = contextvars.ContextVar("current_invocation", default="host")
"""The invocation that a log line belongs to; it is also set in the thread of the function."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InvocationResult:
    """How an invocation ended: with an exception or without."""

    exception: BaseException | None

    @property
    def succeeded(self) -> bool:
        """Whether the function returned."""
        return self.exception is None


class Invoker:
    """Invokes functions, at most as many at a time as the worker has threads."""

    def __init__(self, thread_count: int | None) -> None:
        """Without a thread count, the worker's default applies: CPUs + 4, at most 32."""
        self._threads = ThreadPoolExecutor(thread_count or min(32, (os.cpu_count() or 1) + 4), "function")

    async def invoke(
        self, function: IndexedFunction, reason: str, data: Datum, metadata: Mapping[str, Datum] | None = None
    ) -> InvocationResult:
        """Convert the trigger's data and call the function; an exception is logged and returned."""
        invocation_id = str(uuid.uuid4())
        token = current_invocation.set(f"{function.name} {invocation_id[:8]}")
        started = time.monotonic()
        _log.info("Executing '%s' (Reason='%s', Id=%s)", function.name, reason, invocation_id)
        try:
            await self._call(function, data, metadata)
        except (Exception, SystemExit) as exception:  # noqa: BLE001 - any exception is the result of the function
            _log.exception("Executed '%s' (Failed, Id=%s, %s)", function.name, invocation_id, _duration(started))
            return InvocationResult(exception)
        else:
            _log.info("Executed '%s' (Succeeded, Id=%s, %s)", function.name, invocation_id, _duration(started))
            return InvocationResult(None)
        finally:
            current_invocation.reset(token)

    def abandon(self) -> None:
        """Do not wait for functions that still run."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, function: IndexedFunction, data: Datum, metadata: Mapping[str, Datum] | None) -> None:
        arguments = {function.trigger_parameter: function.converter.decode(data, trigger_metadata=metadata)}
        if inspect.iscoroutinefunction(function.call):
            returned = await function.call(**arguments)
        else:
            context = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            returned = await loop.run_in_executor(self._threads, lambda: context.run(function.call, **arguments))
        if returned is not None:
            raise RuntimeError(f"function '{function.name}' without a $return binding returned a non-None value")


def _duration(started: float) -> str:
    return f"Duration={(time.monotonic() - started) * 1000:.0f}ms"
