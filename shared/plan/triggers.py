"""What a trigger's own expressions say before there is a run: whether it starts one, with which inputs and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.trigger import EndedRun, StartedBy
from shared.errors import Problem
from shared.manifest.flow import Flow
from shared.manifest.inputs import InputType
from shared.manifest.read import Manifest
from shared.manifest.triggers import FlowTrigger, Schedule, numbered
from shared.manifest.types import PropertyPath, texts_with_paths
from shared.plan._conditions import is_true
from shared.plan._rendering import Bindings, Rendering, with_texts
from shared.plan._trigger_scope import trigger_bindings
from shared.plan.inputs import by_id, unknown_input
from shared.plan.lookups import read_address
from shared.settings import Settings

AnyTrigger = Schedule | FlowTrigger


class TriggerRefused(Exception):  # noqa: N818 - not an error: a reason
    """An expression of a trigger cannot be rendered; the message says which one, and why."""


@dataclass(frozen=True)
class StartedWith:
    """What a trigger gives to the run that it starts, as a run request would."""

    inputs: Mapping[str, Any]
    labels: Mapping[str, str]


def starts(trigger: AnyTrigger, flow: Flow, by: StartedBy, settings: Settings) -> bool:
    """Whether a trigger starts a run for a due time, or after a run that ended. Raises TriggerRefused.

    Whether a Flow trigger follows that run at all, is not asked: see `FlowTrigger.after`.
    """
    rendering = _rendering(trigger, flow, by, settings, is_when=True)
    verdicts = [is_true(rendering.known_text(path, text)) for path, text in trigger.whens]
    _refuse_problems(rendering)
    return all(verdicts)


def given_by(trigger: AnyTrigger, flow: Flow, by: StartedBy, settings: Settings) -> StartedWith:
    """What the trigger gives to the run. Raises TriggerRefused."""
    rendering = _rendering(trigger, flow, by, settings)
    inputs = {name: with_texts(rendering.known_text, ("inputs", name), value) for name, value in trigger.inputs.items()}
    labels = {name: rendering.known_text(("labels", name), text) for name, text in trigger.labels.items()}
    _refuse_problems(rendering)
    return StartedWith(inputs, {name: text for name, text in labels.items() if text})


def ended_run(record: Record, results: str) -> EndedRun | None:
    """What a Flow trigger knows of a run that ended; None if its flow has no id or no namespace."""
    flow, times = record.flow, record.timings
    if flow.id is None or flow.namespace is None:
        return None
    ended = times.ended or times.recorded or times.dropped
    failed = [task.id for task in record.tasks if task.state is State.FAILED]
    ran = [task.id for task in record.tasks if task.state is not State.SKIPPED]
    return EndedRun(
        run_id=record.run_id,
        results=results,
        namespace=flow.namespace,
        flow_id=flow.id,
        state=record.state,
        started=times.submitted or times.dropped,
        ended=ended,
        first_failed_task=next(iter(failed), None),
        last_task=next(reversed(ran), None),
        labels=record.labels,
        outputs=record.outputs,
    )


def kinds_of_start(flow: Flow) -> tuple[StartedBy, ...]:
    """How the triggers of a stored flow start its runs, once for each kind; of a run itself nothing is known."""
    triggers = flow.placed_triggers
    firsts = (*triggers.schedules[:1], *triggers.flows[:1])
    return tuple(StartedBy(id=each.id, type=each.type, flow=f"{flow.namespace}/{flow.id}") for each in firsts)


def problems_of_triggers(manifest: Manifest, settings: Settings) -> list[Problem]:
    """What is wrong with the triggers of a stored flow, beside what their properties are by themselves."""
    found: list[tuple[int, PropertyPath, str]] = []
    seen: set[str] = set()
    for index, trigger in numbered(manifest.flow.triggers):
        if trigger.id in seen:
            found.append((index, ("id",), f"there is another trigger {trigger.id!r}: their ids must differ"))
        seen.add(trigger.id)
        found += [(index, path, message) for path, message in _problems(trigger, manifest, settings)]
    return [manifest.problem(("triggers", index, *path), message) for index, path, message in found]


Found = Iterator[tuple[PropertyPath, str]]


def _problems(trigger: AnyTrigger, manifest: Manifest, settings: Settings) -> Found:
    flow = manifest.flow
    if isinstance(trigger, FlowTrigger) and (trigger.after.namespace, trigger.after.flow_id) == (
        flow.namespace,
        flow.id,
    ):
        yield (), "a flow cannot follow itself: it would never end"
    by = StartedBy(id=trigger.id, type=trigger.type, flow=f"{flow.namespace}/{flow.id}")
    gaps = manifest.gaps.values
    bindings = trigger_bindings(trigger, flow, by, settings, is_when=True)
    yield from _problems_of_texts(trigger.whens, bindings, gaps)
    texts = [*_texts_in("inputs", trigger.inputs), *_texts_in("labels", trigger.labels)]
    yield from _problems_of_texts(texts, trigger_bindings(trigger, flow, by, settings), gaps)
    if "inputs" not in gaps:
        yield from _problems_of_inputs(trigger, flow, settings)


def _texts_in(name: str, given: Mapping[str, object]) -> Found:
    for key, value in given.items():  # the keys are ids of inputs and labels, and are taken as they are
        yield from texts_with_paths(value, (name, key))


def _problems_of_texts(texts: Iterable[tuple[PropertyPath, str]], bindings: Bindings, gaps: frozenset[str]) -> Found:
    checked = replace(bindings, unknown=gaps & bindings.values.keys())
    for path, text in texts:
        yield from ((path, message) for message in checked.problems_in(text))


def _problems_of_inputs(trigger: AnyTrigger, flow: Flow, settings: Settings) -> Found:
    declared = {each.id: each for each in flow.inputs}
    given = by_id(trigger.inputs, declared.keys())
    for name, value in given.items():
        if name not in declared:
            yield ("inputs", name), unknown_input(name, declared.keys())
        elif not list(_expressions(value)):
            try:
                found = declared[name].value_of(value)
                if declared[name].type is InputType.FILE and found is not None:
                    read_address(str(found), flow.namespace, settings)
            except ValueError as error:
                yield ("inputs", name), str(error)
    for name, each in declared.items():
        if each.required and each.defaults is None and given.get(name) is None:
            yield (), f"the input {name!r} has no value, so that no run could start: add it to `inputs` of the trigger"


def _expressions(value: object) -> Iterator[str]:
    yield from (text for _, text in texts_with_paths(value) if "{{" in text or "{%" in text)


def _rendering(
    trigger: AnyTrigger, flow: Flow, by: StartedBy, settings: Settings, *, is_when: bool = False
) -> Rendering:
    bindings = trigger_bindings(trigger, flow, by, settings, is_when=is_when)
    return Rendering(partial(_place, trigger.id), bindings)


def _place(trigger: str, path: PropertyPath, message: str) -> Problem:
    where = ".".join(map(str, path))
    return Problem(f"{where} of the trigger {trigger!r}: {message}")


def _refuse_problems(rendering: Rendering) -> None:
    if rendering.problems:
        raise TriggerRefused("; ".join(problem.message for problem in rendering.problems))
