"""What was executed: the manifest or the flow, its tasks, their container images, and the slots of its values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from batchrun.client.crate._data import DataFiles
from batchrun.client.crate._graph import Entity, entity, local_id, path_id, ref, refs
from shared.documents.names import FLOW_FILE, MANIFEST_FILE
from shared.documents.record import FlowRef, ManifestRef, Record
from shared.errors import ManifestError
from shared.manifest.inputs import Input, InputType
from shared.manifest.outputs import Output
from shared.manifest.read import BrokenManifest, Manifest, Task, is_json, read_manifest

_KESTRA = "https://kestra.io/docs/workflow-components/flow"
_DOCKER_IMAGE = "https://w3id.org/ro/terms/workflow-run#DockerImage"
_TYPES = {
    InputType.INT: "Integer",
    InputType.FLOAT: "Float",
    InputType.BOOL: "Boolean",
    InputType.BOOLEAN: "Boolean",
    InputType.DATETIME: "DateTime",
    InputType.DATE: "Date",
    InputType.TIME: "Time",
    InputType.FILE: "File",
    InputType.JSON: "PropertyValue",
    InputType.YAML: "PropertyValue",
}
"""`additionalType` of a parameter, "Text" for all others: the value of a list is text, as JSON."""


@dataclass(frozen=True)
class Software:
    """What a run executes: the document that has it, and what could be read of that.

    `file` is the document, if it was fetched; `ref` is the version of the blob that it was read from.
    """

    file: str | None
    ref: ManifestRef
    manifest: Manifest | None
    flow: FlowRef
    tasks: dict[str, Task] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record, manifest_text: str | None, flow_text: str | None, files: DataFiles) -> Software:
        """What a run executes, by its documents: the flow, if the manifest only names it."""
        is_named = record.flow.source is not None
        name, text = (FLOW_FILE, flow_text) if is_named else (MANIFEST_FILE, manifest_text)
        version = record.flow.source or record.manifest
        manifest = _read(text, version.name) if text is not None else None
        tasks = {task.id: task for task in manifest.flow.node_tasks} if manifest else {}
        return cls(name if name in files.sizes else None, version, manifest, record.flow.ref, tasks)

    @property
    def is_flow(self) -> bool:
        """Whether it is a flow, and not the single task of a manifest in task form, and its document was fetched."""
        is_written_as_task = self.manifest is None or self.manifest.layout.as_written(("tasks", 0)) == ()
        return self.file is not None and not is_written_as_task

    @property
    def id(self) -> str:
        """The id of its entity."""
        return local_id("manifest") if self.file is None else path_id(self.file)

    @property
    def name(self) -> str:
        """How people call it: by the id of the flow, or by the name of the manifest."""
        return self.flow.id or PurePosixPath(self.ref.name).stem

    @property
    def version(self) -> str:
        """The version of the document, which is that of each of its tasks: the digest of its content, or its ETag."""
        return self.ref.sha256 or self.ref.etag

    def entities(self, files: DataFiles, used: list[str]) -> Iterator[Entity]:
        """It and its language, its parameters, and those of its tasks that are `used`."""
        described: dict[str, object] = {
            "name": self.name,
            "description": self.manifest and self.manifest.flow.description,
            "version": self.version,
        }
        if self.file is None:
            yield entity(self.id, "SoftwareApplication", described)
        else:
            kinds = ["File", "SoftwareSourceCode", *(["ComputationalWorkflow"] if self.is_flow else [])]
            form = "application/json" if is_json(self.ref.name) else "application/yaml"
            described |= {"encodingFormat": form, "programmingLanguage": ref(local_id("kestra")), **self._parts(used)}
            yield files.entity(self.file, kinds, described)
            language = {"name": "Kestra", "url": _KESTRA}
            yield entity(local_id("kestra"), "ComputerLanguage", language)
        if self.is_flow:
            yield from map(_parameter, self.inputs)
            yield from map(_parameter, self.outputs)
            yield from (self._tool(task) for task in used)

    def _parts(self, used: list[str]) -> dict[str, object]:
        if not self.is_flow:
            return {}
        return {
            "input": refs(input_id(each.id) for each in self.inputs),
            "output": refs(output_id(each.id) for each in self.outputs),
            "hasPart": refs(map(self.tool_id, used)),
        }

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The inputs of a flow."""
        return self.manifest.flow.inputs if self.manifest else ()

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs of a flow."""
        return self.manifest.flow.outputs if self.manifest else ()

    def tool_id(self, task: str) -> str:
        """The id of what a task executes: the task of a flow; or the manifest itself, if it has no other."""
        return local_id("task", task) if self.is_flow else self.id

    def _tool(self, name: str) -> Entity:
        assert self.manifest is not None  # noqa: S101 - it is a flow
        task = next((task for task in self.manifest.flow.tasks if task.id == name), None)
        properties = {
            "name": name,
            "description": task and task.description,
            "additionalType": task and task.type,
            "version": self.version,
        }
        return entity(self.tool_id(name), "SoftwareApplication", properties)

    def image(self, task: str) -> Entity | None:
        """The container image of a task, where the manifest names it without an expression."""
        if task not in self.tasks:
            return None
        found = self.tasks[task]
        name = found.old_image or found.container_image or found.language.image
        return None if has_expression(name) else _image(name)


def has_expression(text: str) -> bool:
    """Whether a text of a manifest is only known where it was rendered."""
    return re.search(r"\{[{%#]", text) is not None


def input_id(name: str) -> str:
    """The id of the parameter of an input."""
    return local_id("input", name)


def output_id(name: str) -> str:
    """The id of the parameter of an output."""
    return local_id("output", name)


def _parameter(each: Input | Output) -> Entity:
    """The slot of an input or an output: `FormalParameter` of Workflow Run Crate."""
    properties = {
        "name": each.id,
        "description": each.description or each.display_name,
        "additionalType": _TYPES.get(each.type, "Text"),
        "valueRequired": each.required,
    }
    return entity(input_id(each.id) if isinstance(each, Input) else output_id(each.id), "FormalParameter", properties)


def _read(text: str, name: str) -> Manifest | None:
    """A manifest, or what is left of it without its mistakes; None if that is nothing."""
    try:
        return read_manifest(text.removeprefix("\ufeff"), name)
    except BrokenManifest as broken:
        return broken.rest
    except ManifestError:
        return None


def _image(name: str) -> Entity:
    """An image by its parts, as Docker completes its name.

    `splitDockerDomain` and `TagNameOnly` in https://github.com/distribution/reference/blob/main/normalize.go
    """
    rest, _, digest = name.partition("@")
    domain, slash, path = rest.partition("/")
    if not slash or not ({".", ":"} & set(domain) or domain == "localhost" or domain != domain.lower()):
        domain, path = "docker.io", rest
    if domain in ("docker.io", "index.docker.io"):
        domain, path = "docker.io", path if "/" in path else f"library/{path}"
    repository, colon, tag = path.rpartition(":")
    properties = {
        "name": repository if colon else path,
        "additionalType": ref(_DOCKER_IMAGE),
        "registry": domain,
        "tag": tag if colon else ("" if digest else "latest"),
        "sha256": digest.removeprefix("sha256:") if digest.startswith("sha256:") else None,
    }
    return entity(local_id("image", name), "ContainerImage", properties)
