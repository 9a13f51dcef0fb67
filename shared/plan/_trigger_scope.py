"""What the expressions of a trigger itself can use, before there is a run.

It is what Kestra has: for a Schedule what RunVariables.java has of a flow and its trigger, and `vars` besides; for a
Flow trigger what it has of the execution that ended, with `trigger` of the run that is started. `flow` is that of the
ended execution in Kestra 2, and the trigger's own in Kestra 1: FlowTriggerService.java, `runContextFactory.of`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from shared.documents.trigger import StartedBy
from shared.expressions.functions import OTHER_PARTS, from_json, now_of
from shared.expressions.values import UNKNOWN, Advised, Budget, ExpressionError, LazyValue
from shared.manifest.flow import Flow
from shared.manifest.triggers import FlowTrigger, Schedule
from shared.plan._app_variables import app_variables, env_of, hidden_names, secret_of
from shared.plan._rendering import Bindings
from shared.plan._trigger_values import ended_execution, values_of_trigger
from shared.settings import Settings

_PUBLISH = (
    "only what the flow that ended publishes is known: write it into its `outputs`, and here"
    " `trigger.outputs.rows`, say"
)
_NOT_STORED = "a secret would be stored with the inputs of the run: write `secret('NAME')` where it is used"
_READS = ("read", "fileExists", "fileSize", "isFileEmpty")


def trigger_bindings(
    trigger: Schedule | FlowTrigger, flow: Flow, by: StartedBy, settings: Settings, *, is_when: bool = False
) -> Bindings:
    """The values and functions of `when`; or of what is given to the run, which is stored, and can have no secret."""
    now = _moment(by)
    functions: dict[str, Callable[..., Any]] = {
        "now": now_of(now) if now else lambda *_, **__: UNKNOWN,
        "fromJson": from_json,
        "json": from_json,
        "env": env_of(settings),
        "secret": secret_of(settings) if is_when else _refuse(_NOT_STORED),
        **dict.fromkeys(_READS, _refuse("a trigger reads no files: read it in the flow")),
    }
    of_kind = _of_ended(flow, by) if isinstance(trigger, FlowTrigger) else _of_flow(flow)
    values = {"trigger": values_of_trigger(by), **app_variables(settings), **of_kind}
    checked = {**values, **dict.fromkeys(hidden_names(settings), UNKNOWN)}
    return Bindings(
        values,
        functions,
        Budget(),
        checked_values=lambda: checked,
        major=flow.major,
        hidden=hidden_names(settings),
        seed=f"{by.flow}#{by.id}@{now}",
    )


def _moment(by: StartedBy) -> datetime | None:
    """What `now()` is: the time that was due, or the end of the run that ended."""
    if by.due:
        return by.due.date.astimezone(UTC)
    return by.ended.ended if by.ended else None


def _of_flow(flow: Flow) -> dict[str, Any]:
    refused = _Refused("a trigger has no inputs, it gives them: use `vars`")
    return {"flow": _own(flow), "labels": flow.labels, "vars": flow.variables, "inputs": refused}


def _of_ended(flow: Flow, by: StartedBy) -> dict[str, Any]:
    own = {} if flow.major > 1 else {"flow": _own(flow)}
    return {**ended_execution(by.ended), **own, **dict.fromkeys(("vars", "inputs", "outputs"), _Refused(_PUBLISH))}


def _own(flow: Flow) -> Advised:
    return Advised({"id": flow.id, "namespace": flow.namespace}, OTHER_PARTS["flow"])


def _refuse(message: str) -> Callable[..., NoReturn]:
    def refused(*_: object, **__: object) -> NoReturn:
        raise ExpressionError(message)

    return refused


class _Refused(LazyValue):
    """A value that Kestra has, and that is not known here; the message says what to use instead."""

    def __init__(self, message: str) -> None:
        self._message = message

    def as_text(self) -> NoReturn:
        """Refuse to be used."""
        raise ExpressionError(self._message)

    def part(self, _: object) -> NoReturn:
        """Refuse to be used."""
        raise ExpressionError(self._message)
