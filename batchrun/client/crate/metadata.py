"""The provenance of a run: `ro-crate-metadata.json`, for the folder with its results.

A run of a flow is a Workflow Run Crate, another one a Process Run Crate, both 0.5, of RO-Crate 1.1:
https://w3id.org/ro/wfrun/process/0.5, https://w3id.org/ro/wfrun/workflow/0.5. What the record does not know is left
out: who ran it (`agent`, `author`), where its software is described (`url`). The licence, which RO-Crate wants of every
dataset, says that none is stated.

    _graph.py     entities and their ids
    _data.py      files
    _software.py  the manifest or flow, its tasks and images
    _actions.py   what ran
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from batchrun.client.crate._actions import ENDED_WELL, Action, Executions, earlier_run
from batchrun.client.crate._data import DataFiles
from batchrun.client.crate._graph import (
    Entity,
    Graph,
    entity,
    is_masked,
    local_id,
    moment,
    path_id,
    property_value,
    ref,
    refs,
)
from batchrun.client.crate._software import Software, input_id, output_id
from shared.documents.names import FLOW_FILE, MANIFEST_FILE
from shared.documents.record import FanOutItems, Record
from shared.manifest.inputs import InputType

METADATA = "ro-crate-metadata.json"
SOURCES = (MANIFEST_FILE, FLOW_FILE)
"""The documents that a crate describes as what was executed."""
_RO_CRATE = "https://w3id.org/ro/crate/1.1"
_PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
_OF_FLOWS = ("https://w3id.org/ro/wfrun/workflow/0.5", "https://w3id.org/workflowhub/workflow-ro-crate/1.0")
_NAMES = ("Process Run Crate", "Workflow Run Crate", "Workflow RO-Crate")
_TRACES = ("record.json", "tasks.json", "report.html")
_LICENCE = {
    "name": "No licence is stated",
    "description": "The run does not say under which licence its results may be used: ask whoever ran it.",
}


@dataclass(frozen=True)
class RunDocuments:
    """What is kept of a run: its record, the items that stand beside it, and the texts of its manifest and flow."""

    record: Record
    items: tuple[FanOutItems, ...] = ()
    manifest: str | None = None
    flow: str | None = None


def crate_metadata(run: RunDocuments, sizes: Mapping[str, int]) -> str:
    """The document for a folder with these files of the run; `sizes` has their sizes by their paths."""
    return _Crate(run, DataFiles(dict(sorted(sizes.items())))).written()


class _Crate:
    def __init__(self, run: RunDocuments, files: DataFiles) -> None:
        self._record = run.record
        self._files = files
        self._graph = Graph()
        self._software = Software.of(run.record, run.manifest, run.flow, files)
        apart = {fan_out.id: fan_out.items for fan_out in run.items}
        self._ran = Executions(run.record, apart, self._software, files, self._graph)
        earlier = run.record.retry_of
        self._earlier = earlier_run(self._graph, earlier.run_id, earlier.results) if earlier else None

    def written(self) -> str:
        """The document: what it is about first, then what that refers to."""
        actions = list(self._actions())
        document = Graph()
        document.add_all(self._root(actions))
        document.add_all(self._software.entities(self._files, [task.id for task, _ in self._ran.all]))
        document.add_all(self._files.entities())
        document.add_all(action.entity() for action in actions)
        document.add_all(self._graph)
        return document.to_json()

    def _root(self, actions: Sequence[Action]) -> Iterator[Entity]:
        """The descriptor, the crate, and what it conforms to."""
        is_flow, record = self._software.is_flow, self._record
        profiles = [_PROCESS, *(_OF_FLOWS if is_flow else ())]
        yield entity(
            METADATA,
            "CreativeWork",
            {"about": ref("./"), "conformsTo": refs([_RO_CRATE, *([_OF_FLOWS[1]] if is_flow else [])])},
        )
        properties = {
            "name": f"{self._software.name}: run {record.run_id}",
            "description": f"What a run of {record.manifest.name} used and made, which ended as {record.state}.",
            "identifier": record.run_id,
            "datePublished": moment(record.timings.recorded or record.timings.ended or record.timings.dropped),
            "license": ref(local_id("licence")),
            "keywords": [f"{name}={value}" for name, value in record.labels.items() if not is_masked([name, value])],
            "conformsTo": refs(profiles),
            "isBasedOn": ref(self._earlier),
            "mainEntity": ref(self._software.id if is_flow else None),
            "mentions": refs(action.id for action in actions),
            "hasPart": refs([*map(path_id, self._files.sizes), *self._files.given]),
        }
        yield entity("./", "Dataset", properties)
        for profile, name in zip(profiles, _NAMES, strict=False):
            yield entity(profile, "CreativeWork", {"name": name, "version": profile.rpartition("/")[2]})
        yield entity(local_id("licence"), "CreativeWork", _LICENCE)

    def _actions(self) -> Iterator[Action]:
        """The run, then what ran in it; a single task is the run itself."""
        run, ran = self._run(), list(self._ran.all)
        parts = [self._ran.action(*each) for each in ran]
        if not self._software.is_flow and len(ran) == 1 and ran[0][1] is None:
            self._files.about = dict.fromkeys(self._files.about, run.id)
            yield run.joined(parts[0])
            return
        yield replace(run, results=(*map(path_id, self._files.made), *run.results))
        yield from parts

    def _run(self) -> Action:
        record, run_id = self._record, local_id("run", self._record.run_id)
        self._files.trace(_TRACES, run_id)
        return Action(
            id=run_id,
            name=f"Run {record.run_id}",
            instrument=self._software.id,
            facts=tuple(self._facts()),
            started=record.timings.started,
            ended=record.timings.ended or record.timings.recorded,
            error=self._error(),
            objects=tuple(self._objects()),
            results=tuple(self._results()),
        )

    def _facts(self) -> Iterator[str]:
        record = self._record
        yield str(record.state)
        yield f"dropped as {record.manifest.name} at {moment(record.timings.dropped)}"
        if record.retry_of:
            yield f"retry of the run {record.retry_of.run_id}"
        if record.masked_inputs:
            yield f"given, but not recorded because they hold a secret: {', '.join(record.masked_inputs)}"
        yield from (f"warning: {problem.message}" for problem in record.warnings)

    def _error(self) -> str | None:
        """Why the run did not end well; what its tasks failed of stands with these."""
        record = self._record
        if record.state in ENDED_WELL:
            return None
        problems = [f"{each.path}: {each.message}" if each.path else each.message for each in record.errors]
        of_run = [record.failure.message] if record.failure else []
        of_tasks = [f"{task.id}: {task.failure.message}" for task in record.tasks if task.failure]
        return "\n".join([*of_run, *problems] or of_tasks) or f"it ended as {record.state}"

    def _objects(self) -> Iterator[str]:
        """What the run was given: the request that names its flow, the run that it retries, and its inputs."""
        if self._software.file == FLOW_FILE and MANIFEST_FILE in self._files.sizes:
            yield path_id(MANIFEST_FILE)
        if self._earlier:
            yield self._earlier
        types = {each.id: each.type for each in self._software.inputs}
        for name, value in self._record.inputs.items():
            parameter = input_id(name) if self._software.is_flow and name in types else None
            is_file = types.get(name) is InputType.FILE
            if is_file and (file := self._files.give(value, self._record.flow.namespace, parameter)):
                yield file
            else:
                yield from self._value("given", name, value, parameter)

    def _results(self) -> Iterator[str]:
        """What the flow has published: values, and those of its files that were fetched."""
        types = {each.id: each.type for each in self._software.outputs}
        for name, value in self._record.outputs.items():
            if types.get(name) is InputType.FILE and isinstance(value, str):
                path = unquote(value.partition(f"/{self._record.run_id}/")[2])
                if path in self._files.sizes and self._software.is_flow:
                    self._files.examples.setdefault(path, []).append(output_id(name))
                continue
            parameter = output_id(name) if self._software.is_flow and name in types else None
            yield from self._value("published", name, value, parameter)

    def _value(self, kind: str, name: str, value: object, parameter: str | None) -> Iterator[str]:
        described = property_value(local_id(kind, name), {"name": name, "exampleOfWork": ref(parameter)}, value)
        yield from [self._graph.add(described)] if described else []
