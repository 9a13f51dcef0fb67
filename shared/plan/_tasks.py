"""One task of a manifest → one planned task: renders, checks and completes its properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.documents.external_data import SourceFile
from shared.documents.names import OWN
from shared.manifest.addresses import is_address
from shared.manifest.read import Task
from shared.manifest.task import RunAs
from shared.masking import MASK
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
from shared.script.build import Commands
from shared.settings import Settings, connection_parts


@dataclass(frozen=True)
class TaskPlanner:
    """Plans one task, or a fan-out's task for one item; `rendering` collects the problems."""

    task: Task
    rendering: Rendering
    scope: Scope
    lookups: Lookups
    settings: Settings
    namespace: str | None

    def planned(self, submitted: SubmittedTask) -> PlannedTask:
        """The task with all properties rendered."""
        task, rendering, used = self.task, self.rendering, self.scope.used
        check_accounts(task, rendering, self.settings)
        files = input_files(task, rendering)
        addressed = addressed_files(files, rendering, self.namespace, self.settings)
        commands = commands_of(task, rendering)
        from_upstream = {path: used.files[text] for path, text in files.items() if text in used.files}
        links = (*(file.link(path) for path, file in from_upstream.items()), *used.links(self.scope.paths.link))
        from_namespaces = {file.path: file for file in namespace_files(task, rendering, self.lookups)}
        return PlannedTask(
            **vars(submitted),
            image=image(task, rendering, self.settings.node_identity),
            container_run_options=task.container_run_options or "",
            runs_as_root=task.run_as is RunAs.ROOT,
            slots=task.required_slots,
            commands=replace(commands, links=links, gatherings=tuple(used.gatherings())),
            script=self.scope.paths.script(),
            input_files={
                path: text for path, text in files.items() if path not in from_upstream and path not in addressed
            },
            source_files=from_namespaces | source_files(addressed, rendering, self.lookups),
            fetched_files=fetched_files(addressed),
            uses=used,
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


def input_files(task: Task, rendering: Rendering) -> dict[str, str]:
    """The texts of the input files, or the addresses of files, by path in the working directory."""
    if isinstance(task.input_files, str):
        files = rendering.files_of_json(("inputFiles",), task.input_files)
    else:
        files = rendering.files(("inputFiles",), task.input_files)
    if task.script is not None and task.language.script_runner:
        files[_script_file(task)] = rendering.text(("script",), task.script)
    return files


def addressed_files(
    files: Mapping[str, str], rendering: Rendering, namespace: str | None, settings: Settings
) -> dict[str, BlobAddress | WebAddress]:
    """The input files that are given by an address; by path in the working directory."""
    found: dict[str, BlobAddress | WebAddress] = {}
    for path, text in files.items():
        if is_address(text):
            try:
                found[path] = read_address(text, namespace, settings)
            except ValueError as error:
                rendering.fail(("inputFiles", path), str(error))
    return found


def source_files(
    addressed: Mapping[str, BlobAddress | WebAddress], rendering: Rendering, lookups: Lookups
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
            rendering.fail(
                ("inputFiles", path), f"there is no blob {address.name!r} in the container {address.container!r}"
            )
        else:
            found[path] = SourceFile(container=address.container, blob=address.name, etag=etag, path=path)
    return found


def fetched_files(addressed: Mapping[str, BlobAddress | WebAddress]) -> dict[str, str]:
    """The URLs of the input files that the node fetches, by path in the working directory."""
    return {path: address.url for path, address in addressed.items() if isinstance(address, WebAddress)}


def namespace_files(task: Task, rendering: Rendering, lookups: Lookups) -> tuple[SourceFile, ...]:
    """The task's namespace files; none as long as they are not known yet."""
    if not task.namespace_files.enabled:
        return ()
    try:
        return lookups.namespace_files(task.id, lambda: _selection(task, rendering))
    except NotKnownYet:
        return ()


def _selection(task: Task, rendering: Rendering) -> Selection:
    """The task's `namespaceFiles`, rendered."""
    files = task.namespace_files
    path = ("namespaceFiles", "namespaces")
    namespaces = tuple(rendering.known_text((*path, i), text) for i, text in enumerate(files.namespaces))
    if not all(namespaces):
        rendering.fail(("namespaceFiles",), "the flow has no `namespace` to take files from")
    return Selection(
        namespaces=namespaces,
        include=rendering.patterns(("namespaceFiles", "include"), files.include),
        exclude=rendering.patterns(("namespaceFiles", "exclude"), files.exclude),
        if_exists=files.if_exists,
        folder_per_namespace=files.folder_per_namespace,
    )


def _script_file(task: Task) -> str:
    """The name of the script's file: one that no glob in `outputFiles` brings back."""
    return f"{OWN}{task.id}{task.language.script_suffix}"
