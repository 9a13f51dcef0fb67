"""The value `trigger` of expressions: what started the run.

Its names are those of `Output` in Schedule.java and Flow.java of Kestra, whose dates are texts:
https://github.com/kestra-io/kestra/tree/develop/core/src/main/java/io/kestra/plugin/core/trigger
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.documents.trigger import DueTime, EndedRun, StartedBy
from shared.expressions.date_patterns import formatted
from shared.expressions.functions import OTHER_PARTS
from shared.expressions.values import UNKNOWN, Advised, Unknown
from shared.manifest.triggers import Schedule

_OF_SCHEDULE = ("date", "next", "previous")
_OF_FLOW = (
    "executionId", "executionLabels", "namespace", "flowId", "state", "startDate", "endDate", "firstFailedTaskId",
    "lastTaskId", "outputs",
)  # fmt: skip


def values_of_trigger(by: StartedBy) -> Mapping[str, Any] | Unknown:
    """The value `trigger`. Where there is no run yet, only its parts are known."""
    context = {"_context": {"id": by.id, "type": by.type}}
    if by.due:
        return {**_of_schedule(by.due), **context}
    if by.ended:
        return Advised({**_of_flow(by.ended), **context}, OTHER_PARTS["trigger"])
    return Unknown(
        dict.fromkeys(("_context", *(_OF_SCHEDULE if by.type.endswith(f".{Schedule.__name__}") else _OF_FLOW)), UNKNOWN)
    )


def _of_schedule(due: DueTime) -> dict[str, Any]:
    """The dates, as texts in the time zone of the schedule."""
    dates = (due.date, due.next, due.previous)
    return {
        name: None if date is None else formatted(date, "iso_sec")
        for name, date in zip(_OF_SCHEDULE, dates, strict=True)
    }


def _of_flow(ended: EndedRun) -> dict[str, Any]:
    """What is known of the run that ended; its outputs also by the namespace and id of its flow, as in Kestra."""
    values = (
        ended.run_id, ended.labels, ended.namespace, ended.flow_id, ended.state.value, _instant(ended.started),
        _instant(ended.ended), ended.first_failed_task, ended.last_task, _outputs(ended),
    )  # fmt: skip
    return dict(zip(_OF_FLOW, values, strict=True))


def ended_execution(ended: EndedRun | None) -> dict[str, Any]:
    """What a Flow trigger itself can use of the run that ended, beside `trigger`: as if it stood in its flow."""
    execution, flow = ("id", "state", "startDate", "endDate", "outputs"), ("id", "namespace")
    if ended is None:
        unknown = {
            "execution": Unknown(dict.fromkeys(execution, UNKNOWN)),
            "flow": Unknown(dict.fromkeys(flow, UNKNOWN)),
        }
        return {**unknown, "labels": UNKNOWN}
    values = (ended.run_id, ended.state.value, _instant(ended.started), _instant(ended.ended), ended.outputs)
    return {
        "execution": dict(zip(execution, values, strict=True)),
        "flow": Advised(dict(zip(flow, (ended.flow_id, ended.namespace), strict=True)), OTHER_PARTS["flow"]),
        "labels": ended.labels,
    }


def _outputs(ended: EndedRun) -> dict[str, Any]:
    """`trigger.outputs`: by their ids, and once more by namespace and id of the flow: FlowTriggerService.java."""
    if not ended.outputs:
        return {}
    return {**ended.outputs, ended.namespace: {ended.flow_id: ended.outputs}}


def _instant(moment: datetime) -> str:
    return formatted(moment, "iso_instant")
