"""One task of a manifest → one planned task: renders, checks and completes its properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from shared.documents.external_data import SourceFile
from shared.documents.names import OWN
from shared.manifest.addresses import is_address
from shared.manifest.read import Task
from shared.manifest.task import NamespaceFiles, RunAs
from shared.manifest.types import PropertyPath
from shared.manifest.working_directory import OF_DIRECTORY
from shared.masking import MASK
from shared.plan._directories import Turn
from shared.plan._environment import LONGEST_ARGUMENT, environment
from shared.plan._packages import packages_of
from shared.plan._rendering import NOT_KNOWN_YET, Rendering
from shared.plan._scope import Scope
from shared.plan.lookups import (
    BlobAddress,
    Lookups,
    NotKnownYet,
    Selection,
    WebAddress,
    read_address,
)
from shared.plan.round_plan import Image, PlannedTask, SubmittedTask
from shared.script.attempts import ONE_ATTEMPT
from shared.script.build import NO_HANDOVER, Commands, Link
from shared.settings import Settings, connection_parts

File = TypeVar("File")


@dataclass(frozen=True)
class TaskPlanner:
    """Plans one task, or a fan-out's task for one item; `rendering` collects the problems."""

    task: Task
    rendering: Rendering
    scope: Scope
    lookups: Lookups
    settings: Settings
    namespace: str | None
    turn: Turn | None = None

    def planned(self, submitted: SubmittedTask) -> PlannedTask:
        """The task with all properties rendered."""
        task, rendering, used = self.task, self.rendering, self.scope.used
        check_accounts(task, rendering, self.settings)
        own_files = {**texts_of(task.input_files, rendering), **script_files(task, rendering)}
        brought = self._brought(own_files, task.id, task.namespace_files)
        if self.turn and self.turn.may_be_first:
            directory, at = self.turn.directory, (OF_DIRECTORY,)
            files = texts_of(directory.files.input_files, rendering, at)
            brought = brought.over(self._brought(files, directory.group, directory.files.namespace_files, at))
        commands = commands_of(task, rendering)
        links = (*brought.links.values(), *used.links(self.scope.paths.link))
        return PlannedTask(
            **vars(submitted),
            image=image(task, rendering, self.settings.node_identity),
            container_run_options=task.container_run_options or "",
            runs_as_root=task.run_as is RunAs.ROOT,
            commands=replace(commands, links=links, gatherings=tuple(used.gatherings())),
            script=self.scope.paths.script(),
            input_files=brought.texts,
            source_files=brought.sources,
            fetched_files=brought.fetched,
            uses=used,
            handover=self.turn.handover(self.scope.paths) if self.turn else NO_HANDOVER,
        )

    def _brought(
        self, files: Mapping[str, str], name: str, of_namespaces: NamespaceFiles, at: PropertyPath = ()
    ) -> Brought:
        """What `inputFiles` and `namespaceFiles` bring, of the task or at another place; `name` is the owner's id."""
        rendering, known = self.rendering, self.scope.used.files
        addressed = addressed_files(files, rendering, self.namespace, self.settings, at)
        found = {file.path: file for file in namespace_files(name, of_namespaces, rendering, self.lookups, at)}
        return Brought(
            texts={path: text for path, text in files.items() if text not in known and path not in addressed},
            links={path: known[text].link(path) for path, text in files.items() if text in known},
            sources=found | source_files(addressed, rendering, self.lookups, at),
            fetched=fetched_files(addressed),
        )


@dataclass(frozen=True)
class Brought:
    """The files that are brought into the working directory, by path.

    They are texts, links to files of earlier tasks, blobs, and the URLs of what the node fetches.
    """

    texts: Mapping[str, str]
    links: Mapping[str, Link]
    sources: Mapping[str, SourceFile]
    fetched: Mapping[str, str]

    def over(self, below: Brought) -> Brought:
        """Both; of two files with the same path, the one of this."""
        own = {*self.texts, *self.links, *self.sources, *self.fetched}

        def both(above: Mapping[str, File], other: Mapping[str, File]) -> dict[str, File]:
            return {**{path: file for path, file in other.items() if path not in own}, **above}

        return Brought(
            texts=both(self.texts, below.texts),
            links=both(self.links, below.links),
            sources=both(self.sources, below.sources),
            fetched=both(self.fetched, below.fetched),
        )


def check_accounts(task: Task, rendering: Rendering, settings: Settings) -> None:
    """Add a problem for every account that is not the app's own; a manifest may name only those.

    A client that checks a manifest has a mask where it does not know a secret or an account.
    """
    runner, storage = task.task_runner, task.task_runner.blob_storage
    accounts = [
        (("account",), runner.account, settings.batch.account_name),
        (("endpoint",), runner.endpoint, settings.batch.endpoint),
        (("blobStorage", "sharedKeyAccountName"), storage.shared_key_account_name, settings.storage.account_name),
        (("blobStorage", "endpoint"), storage.endpoint, settings.storage.blob_endpoint),
    ]
    for path, value, expected in accounts:
        rendered = rendering.optional(("taskRunner", *path), value)
        if rendered not in (None, NOT_KNOWN_YET, MASK) and MASK not in expected and rendered.rstrip("/") != expected:
            rendering.fail(
                ("taskRunner", *path), f"runs use the app's own account, {expected}; name it, or leave it out"
            )
    rendering.check_unused(("taskRunner", "accessKey"), runner.access_key)
    rendering.check_unused(
        ("taskRunner", "blobStorage", "sharedKeyAccountAccessKey"), storage.shared_key_account_access_key
    )
    connection_path = ("taskRunner", "blobStorage", "connectionString")
    connection_string = rendering.optional(connection_path, storage.connection_string)
    account = settings.storage.account_name
    if (
        connection_string not in (None, NOT_KNOWN_YET, MASK)
        and account != MASK
        and connection_parts(connection_string).get("AccountName") != account
    ):
        rendering.fail(connection_path, f"runs use the app's own storage account, {account}; leave it out")


def image(task: Task, rendering: Rendering, node_identity: str | None) -> Image:
    """The container image and its registry; by default the image of the task's type. An old `docker` wins.

    A registry without any credential is reached by the identity of the nodes, if they have one.
    """
    name = rendering.optional(("docker", "image"), task.old_image)
    name = name or rendering.optional(("containerImage",), task.container_image) or task.language.image
    registry = task.task_runner.registry
    if registry is None:
        return Image(name)
    path = ("taskRunner", "registry")
    reference = registry.identity_reference
    user_name = rendering.optional((*path, "userName"), registry.user_name)
    password = rendering.optional((*path, "password"), registry.password)
    default = None if user_name or password else node_identity
    return Image(
        name,
        server=rendering.optional((*path, "registryServer"), registry.registry_server),
        user_name=user_name,
        password=password,
        identity=rendering.text((*path, "identityReference", "resourceId"), reference.resource_id)
        if reference
        else default,
    )


def commands_of(task: Task, rendering: Rendering) -> Commands:
    """The commands that the task's script runs, with interpreter, environment and time limit."""
    lines = [*rendering.texts(("beforeCommands",), task.before_commands)]
    if task.commands is not None:
        lines += rendering.texts(("commands",), task.commands)
    elif task.language.script_runner:
        lines.append(f"{task.language.script_runner} {_script_file(task)}")
    else:
        lines.append(rendering.text(("script",), task.script or ""))
    text = "\n".join([task.language.fail_fast, *lines] if task.fail_fast else lines)
    if len(text.encode()) > LONGEST_ARGUMENT:
        name = "commands" if task.commands is not None else "script"
        message = f"longer than {LONGEST_ARGUMENT >> 10} KiB, the limit for commands; move the text into an input file"
        rendering.fail((name,), message)
    return Commands(
        interpreter=rendering.texts(("interpreter",), task.interpreter),
        text=text,
        env={**dict(task.language.env), **environment(rendering, ("env",), task.env)},
        time_limit=task.time_limit,
        has_output_directory=task.has_output_directory,
        attempts=task.retry.attempts if task.retry else ONE_ATTEMPT,
        packages=packages_of(task, rendering),
    )


def texts_of(input_files: str | Mapping[str, str], rendering: Rendering, at: PropertyPath = ()) -> dict[str, str]:
    """The texts of the input files, or the addresses of files, by path in the working directory."""
    if isinstance(input_files, str):
        return rendering.files_of_json((*at, "inputFiles"), input_files)
    return rendering.files((*at, "inputFiles"), input_files)


def script_files(task: Task, rendering: Rendering) -> dict[str, str]:
    """The file of a script that is run from one, by its path in the working directory."""
    if task.script is None or not task.language.script_runner:
        return {}
    return {_script_file(task): rendering.text(("script",), task.script)}


def addressed_files(
    files: Mapping[str, str],
    rendering: Rendering,
    namespace: str | None,
    settings: Settings,
    at: PropertyPath = (),
) -> dict[str, BlobAddress | WebAddress]:
    """The input files that are given by an address; by path in the working directory."""
    found: dict[str, BlobAddress | WebAddress] = {}
    for path, text in files.items():
        if is_address(text):
            try:
                found[path] = read_address(text, namespace, settings)
            except ValueError as error:
                rendering.fail((*at, "inputFiles", path), str(error))
    return found


def source_files(
    addressed: Mapping[str, BlobAddress | WebAddress], rendering: Rendering, lookups: Lookups, at: PropertyPath = ()
) -> dict[str, SourceFile]:
    """The input files that are blobs, in the version that was found when the round was planned."""
    found: dict[str, SourceFile] = {}
    for path, address in addressed.items():
        if isinstance(address, WebAddress):
            continue
        try:
            etag = lookups.etag(address)
        except NotKnownYet:
            continue
        if etag is None:
            message = f"there is no blob {address.name!r} in the container {address.container!r}"
            rendering.fail((*at, "inputFiles", path), message)
        else:
            found[path] = SourceFile(container=address.container, blob=address.name, etag=etag, path=path)
    return found


def fetched_files(addressed: Mapping[str, BlobAddress | WebAddress]) -> dict[str, str]:
    """The URLs of the input files that the node fetches, by path in the working directory."""
    return {path: address.url for path, address in addressed.items() if isinstance(address, WebAddress)}


def namespace_files(
    name: str, files: NamespaceFiles, rendering: Rendering, lookups: Lookups, at: PropertyPath = ()
) -> tuple[SourceFile, ...]:
    """The namespace files of a task or WorkingDirectory of that id; none as long as they are not known yet."""
    if not files.enabled:
        return ()
    try:
        return lookups.namespace_files(name, lambda: _selection(files, rendering, (*at, "namespaceFiles")))
    except NotKnownYet:
        return ()


def _selection(files: NamespaceFiles, rendering: Rendering, path: PropertyPath) -> Selection:
    """`namespaceFiles`, rendered."""
    texts = enumerate(files.namespaces)
    namespaces = tuple(rendering.known_text((*path, "namespaces", index), text) for index, text in texts)
    if not all(namespaces):
        rendering.fail(path, "the flow has no `namespace` to take files from")
    return Selection(
        namespaces=namespaces,
        include=rendering.patterns((*path, "include"), files.include),
        exclude=rendering.patterns((*path, "exclude"), files.exclude),
        if_exists=files.if_exists,
        folder_per_namespace=files.folder_per_namespace,
    )


def _script_file(task: Task) -> str:
    """The name of the script's file: one that no glob in `outputFiles` brings back."""
    return f"{OWN}{task.id}{task.language.script_suffix}"
