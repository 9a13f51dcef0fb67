"""What tasks and groups mean: the blocks that they are lowered to."""

from __future__ import annotations

import graphlib
from collections.abc import Sequence
from dataclasses import replace

from shared.manifest._children import TASK_OF_ENTRY
from shared.manifest.app_tasks import AppTask, Fail
from shared.manifest.blocks import Block, Condition
from shared.manifest.groups import (
    AllowFailure,
    Dag,
    EachParallel,
    EachSequential,
    ForEach,
    Group,
    If,
    Loop,
    Parallel,
    Switch,
    TaskOrGroup,
    WorkingDirectory,
)
from shared.manifest.task import Task, TaskProperties
from shared.manifest.types import PropertyPath
from shared.manifest.working_directory import Directory

_FLOW = " flow"


def flow_block(
    tasks: Sequence[TaskOrGroup],
    errors: Sequence[TaskOrGroup],
    finally_: Sequence[TaskOrGroup],
    after_execution: Sequence[TaskOrGroup],
) -> Block:
    """The block of a flow: its tasks with their errors and finally, in a block whose finally is `afterExecution`."""
    main = Block(
        _FLOW,
        (),
        blocks=_blocks_of(tasks, ("tasks",)),
        errors=_blocks_of(errors, ("errors",)),
        finally_=_blocks_of(finally_, ("finally",)),
    )
    return Block("", (), blocks=(main,), finally_=_blocks_of(after_execution, ("afterExecution",)))


def _blocks_of(items: Sequence[TaskOrGroup], path: PropertyPath) -> tuple[Block, ...]:
    """The blocks that tasks and groups are lowered to; `path` is that of the list."""
    return tuple(_block_of(item, (*path, index)) for index, item in enumerate(items))


def _block_of(item: TaskOrGroup, path: PropertyPath) -> Block:
    block = Block(item.id, path, item.depends_on, item.disabled, _conditions(item, path))
    if isinstance(item, Task | AppTask):
        return replace(block, task=item)
    block = replace(
        block,
        blocks=_blocks_in(item, path),
        are_ordered=not isinstance(item, Parallel | Dag | If | Switch | EachParallel),
        limit=_limit_of(item),
        errors=_blocks_of(item.errors, (*path, "errors")),
        finally_=_blocks_of(item.finally_, (*path, "finally")),
        allows_warning=item.allow_warning,
        allows_failure=item.allow_failure,
        each=item.each(item.id, path) if isinstance(item, ForEach | Loop | EachSequential | EachParallel) else None,
        directory=Directory(item.id, path, item) if isinstance(item, WorkingDirectory) else None,
    )
    return _that_may_fail(block) if isinstance(item, AllowFailure) else block


def _that_may_fail(block: Block) -> Block:
    """The block of an AllowFailure: its failure is a warning, also if a warning in it is none of its own."""
    inner = replace(block, id=f"{block.id} tasks", waits_for=None, is_disabled=False, conditions=())
    around = Block(block.id, block.path, block.waits_for, block.is_disabled, block.conditions)
    return replace(around, blocks=(inner,), allows_failure=True)


def _blocks_in(group: Group, path: PropertyPath) -> tuple[Block, ...]:
    """The blocks in a group, but errors and finally."""
    inside = (*path, "tasks")
    match group:
        case Dag():
            return _of_dag(group, inside)
        case If():
            return _of_if(group, path)
        case Switch():
            return _of_switch(group, path)
        case _:
            return _blocks_of(group.tasks, inside)


def _limit_of(group: Group) -> int:
    """How many of its blocks run at once. A Dag always has a limit: once one has failed, none begins any more.

    As in `FlowableUtils.resolveParallelNexts`, which looks for those of a Dag too.
    """
    match group:
        case Parallel():
            return group.concurrent
        case Dag():
            return group.concurrent or len(group.tasks)
    return 0


def _conditions(item: TaskProperties, path: PropertyPath) -> tuple[Condition, ...]:
    texts = (("runIf", item.run_if), ("when", item.when))
    return tuple(Condition((*path, name), text) for name, text in texts if text is not None)


def _of_if(item: If, path: PropertyPath) -> tuple[Block, ...]:
    condition = Condition((*path, "condition"), item.condition)
    then = _branch(item.then, item.id, (*path, "then"), condition)
    return then + _branch(item.else_, item.id, (*path, "else"), replace(condition, is_negated=True))


def _of_switch(item: Switch, path: PropertyPath) -> tuple[Block, ...]:
    found: tuple[Block, ...] = ()
    for name, tasks in item.cases.items():
        condition = Condition((*path, "value"), item.value, (name,))
        found += _branch(tasks, item.id, (*path, "cases", name), condition)
    other = Condition((*path, "value"), item.value, tuple(item.cases), is_negated=True)
    defaults = item.defaults if "defaults" in item.model_fields_set else (_no_case(item),)
    return found + _branch(defaults, item.id, (*path, "defaults"), *([other] if item.cases else []))


def _no_case(item: Switch) -> Fail:
    """What a Switch without `defaults` does if there is no case for its value: `SwitchTest.switchImpossible`."""
    message = f"{item.value} is none of the cases {', '.join(item.cases)} of {item.id!r}, and there are no `defaults`"
    return Fail.model_construct(
        id=f"{item.id}.defaults", type="io.kestra.plugin.core.execution.Fail", error_message=message
    )


def _branch(tasks: Sequence[TaskOrGroup], group: str, path: PropertyPath, *conditions: Condition) -> tuple[Block, ...]:
    """The block of tasks that run one after the other under conditions; none without tasks."""
    name = f"{group} {path[-2]}.{path[-1]}"  # no id of a task has a space
    return (Block(name, path, conditions=conditions, blocks=_blocks_of(tasks, path)),) if tasks else ()


def _of_dag(item: Dag, path: PropertyPath) -> tuple[Block, ...]:
    """The tasks of a Dag; with a limit, in an order that can be kept: each after those that it waits for."""
    lowered = [_block_of(entry.task, (*path, index, TASK_OF_ENTRY)) for index, entry in enumerate(item.tasks)]
    indexes = {block.id: index for index, block in enumerate(lowered)}
    waits_for = [entry.depends_on for entry in item.tasks]
    blocks = [replace(block, waits_for=names or None) for block, names in zip(lowered, waits_for, strict=True)]
    if not item.concurrent:
        return tuple(blocks)
    graph = {index: [indexes[name] for name in names if name in indexes] for index, names in enumerate(waits_for)}
    try:
        return tuple(blocks[index] for index in graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:  # which the order of the flow tells
        return tuple(blocks)
