"""The state of a run by the states of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shared.documents.states import State
from shared.documents.task_result import TaskRecord
from shared.manifest.blocks import Block
from shared.manifest.flow import Flow

_ENDED_ILL = frozenset({State.FAILED, State.KILLED, State.SKIPPED})


def run_state(flow: Flow | None, tasks: Iterable[TaskRecord], *, cancelled: bool) -> State:
    """The state of a run; a cancelled run is KILLED only if a task did not end by itself.

    As in Kestra (`Execution.guessFinalState`), the tasks in `tasks` decide, and not those in `errors`, `finally` and
    `afterExecution`, of the flow or of a group; and a group that may fail is a warning. A Loop of Kestra 2 is none: it
    fails, or ends well (`LoopExecutionEventMessageHandler.terminateLoop`). Disabled tasks do not count, nor those that
    a condition left out. `flow` is None if it cannot be read.
    """
    states = {task.id: State.SUCCESS if task.is_left_out else task.state for task in tasks}
    found = set(_of_block(flow.block, states)) if flow else set(states.values())
    if cancelled and found & {State.KILLED, State.SKIPPED}:
        return State.KILLED
    return _worst(found)


def _worst(states: set[State]) -> State:
    if states & _ENDED_ILL:
        return State.FAILED
    return State.WARNING if State.WARNING in states else State.SUCCESS


def _of_block(block: Block, states: Mapping[str, State]) -> Iterator[State]:
    if block.is_disabled:
        return
    if block.task:
        yield states.get(block.id, State.SKIPPED)
        return
    inside = {state for inner in block.blocks for state in _of_block(inner, states)}
    if block.each and block.each.is_isolated:
        inside.discard(State.WARNING)
    if block.allows_failure and State.FAILED in inside and State.KILLED not in inside:
        inside = {*(inside - _ENDED_ILL), State.WARNING}
    yield from inside - {State.WARNING} if block.allows_warning else inside
