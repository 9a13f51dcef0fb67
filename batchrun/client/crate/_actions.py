"""What happened: the run, and each of its tasks and items that ran, as actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from batchrun.client.crate._data import DataFiles
from batchrun.client.crate._graph import (
    Entity,
    Graph,
    entity,
    local_id,
    moment,
    property_value,
    ref,
    refs,
)
from batchrun.client.crate._software import Software, has_expression
from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord, TaskResult
from shared.manifest.addresses import is_address
from shared.report.text import count

FAILED = "http://schema.org/FailedActionStatus"
COMPLETED = "http://schema.org/CompletedActionStatus"
ENDED_WELL = (State.SUCCESS, State.WARNING)


@dataclass(frozen=True)
class Action:
    """Something that ran: with which software, on what, and what came of it."""

    id: str
    name: str
    instrument: str
    facts: tuple[str, ...]
    started: datetime | None
    ended: datetime | None
    error: str | None
    image: str | None = None
    objects: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    record: str | None = None
    """The earlier run whose record is about it, if it was taken over."""

    def entity(self) -> Entity:
        """The action as an entity."""
        properties = {
            "name": self.name,
            "description": "; ".join(self.facts),
            "startTime": moment(self.started),
            "endTime": moment(self.ended),
            "actionStatus": COMPLETED if self.error is None else FAILED,
            "error": self.error,
            "instrument": ref(self.instrument),
            "containerImage": ref(self.image),
            "object": refs(self.objects),
            "result": refs(self.results),
            "subjectOf": ref(self.record),
        }
        return entity(self.id, "CreateAction", properties)

    def joined(self, part: Action) -> Action:
        """The same with what is known of the only thing that ran in it."""
        return replace(
            self,
            facts=(*self.facts, *part.facts[1:]),
            started=part.started or self.started,
            ended=part.ended or self.ended,
            error=part.error if self.error is None else self.error,
            image=part.image,
            objects=(*self.objects, *part.objects),
            results=(*self.results, *part.results),
            record=part.record,
        )


@dataclass(frozen=True)
class Executions:
    """The tasks and items of a run that ran; `items` are those that stand beside the record, by task."""

    record: Record
    items: Mapping[str, Sequence[ItemRecord]]
    software: Software
    files: DataFiles
    graph: Graph

    @property
    def all(self) -> Iterator[tuple[TaskRecord, ItemRecord | None]]:
        """Each task that ran, and of a fan-out each item that ran."""
        for task in self.record.tasks:
            items = (task.items.records or self.items.get(task.id, ())) if task.items else ()
            yield from ((task, item) for item in items if _has_run(item))
            failed_without_items = task.failure is not None and not items
            if (task.items is None or failed_without_items) and _has_run(task):
                yield task, None

    def action(self, task: TaskRecord, item: ItemRecord | None) -> Action:
        """What a task, or one item of it, did."""
        result: TaskResult = task if item is None else item
        place: tuple[str | int, ...] = (self.record.run_id, task.id, *([] if item is None else [item.index]))
        action = local_id("run", *place)
        self.files.trace((result.logs.stdout, result.logs.stderr), action)
        image = self.software.image(task.id)
        return Action(
            id=action,
            name=task.id if item is None else f"{task.id}[{item.index}]",
            instrument=self.software.tool_id(task.id),
            facts=tuple(_facts(result, self._left_out(result))),
            started=result.started,
            ended=result.ended,
            error=_error(result),
            image=self.graph.add(image) if image else None,
            objects=tuple(self._objects(task, item, place)),
            results=tuple(self._results(result, place)),
            record=earlier_run(self.graph, result.taken_from) if result.taken_from else None,
        )

    def _objects(self, task: TaskRecord, item: ItemRecord | None, place: Sequence[str | int]) -> Iterator[str]:
        if item is not None:
            properties = {"name": "item" if item.key is None else item.key}
            value = property_value(local_id("item", *place), properties, item.value)
            yield from [self.graph.add(value)] if value else []
        of_manifest = self.software.tasks.get(task.id)
        addresses = of_manifest.input_files if of_manifest else {}
        for address in addresses.values() if isinstance(addresses, dict) else ():
            is_known = is_address(address) and not has_expression(address)
            if is_known and (file := self.files.give(address, self.record.flow.namespace)):
                yield file

    def _results(self, result: TaskResult, place: Sequence[str | int]) -> Iterator[str]:
        yield from self.files.results(result.outputs.output_files)
        values = [
            property_value(local_id("value", *place, name), {"name": name}, value)
            for name, value in result.outputs.vars.items()
        ]
        values.append(
            property_value(local_id("exit-code", str(result.exit_code)), {"name": "exitCode"}, result.exit_code)
        )
        yield from (self.graph.add(value) for value in values if value)

    def _left_out(self, result: TaskResult) -> int:
        """How many of its files were not fetched."""
        return sum(file.blob not in self.files.sizes for file in result.outputs.output_files.values())


def _has_run(result: TaskResult) -> bool:
    """Whether anything of it was tried: what was killed before it began was not."""
    is_tried = result.state in ENDED_WELL or result.failure is not None or result.started is not None
    return result.state is not State.SKIPPED and is_tried


def _error(result: TaskResult) -> str | None:
    """Why it failed, also if the manifest allows that."""
    if result.failure:
        return result.failure.message
    return None if result.state in ENDED_WELL else f"it ended as {result.state}"


def _facts(result: TaskResult, left_out: int) -> Iterator[str]:
    yield str(result.state)
    if result.exit_code is not None:
        yield f"exit code {result.exit_code}"
    if result.retries:
        yield count(result.retries + 1, "attempt")
    if result.taken_from:
        yield f"ran in the earlier run {result.taken_from}, and was taken over"
    if left_out:
        yield f"{count(left_out, 'output file')} not in this crate"
    yield from (f"warning: {text}" for text in result.warnings)


def earlier_run(graph: Graph, run_id: str, folder: str | None = None) -> str:
    """The results of an earlier run, as an entity; its id."""
    properties = {
        "name": f"Run {run_id}",
        "identifier": run_id,
        "description": f"The results of an earlier run{f', in the folder {folder}' if folder else ''}.",
    }
    return graph.add(entity(local_id("earlier-run", run_id), "CreativeWork", properties))
