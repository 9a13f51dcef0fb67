"""The properties of one task of a manifest, rendered and checked, each with its defaults. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.planned import Image
from shared.task_script import Commands

if TYPE_CHECKING:
    from shared.manifest import Task
    from shared.rendering import Rendering
    from shared.settings import Settings


_URI = re.compile(r"(?:nsfile|blob|https?|kestra)://\S*")
LONGEST_COMMANDS = 120 * 1024  # of the 128 KiB that Linux takes as one argument


def refuse_unsupported(task: Task, rendering: Rendering) -> None:
    """What is in the language, but not run yet: nothing that a person wrote is silently left out."""
    if task.foreach is not None:
        rendering.fail(("foreach",), "fan-outs are not supported yet; write the tasks out, or loop in the commands")


def check_accounts(task: Task, rendering: Rendering, settings: Settings) -> None:
    """A run uses the app's own accounts; a manifest may name them, but no others."""
    runner, storage = task.task_runner, task.task_runner.blob_storage
    expected = [
        (("account",), runner.account, settings.batch.account_name),
        (("endpoint",), runner.endpoint, settings.batch.endpoint),
        (("blobStorage", "sharedKeyAccountName"), storage.shared_key_account_name, settings.storage.account_name),
        (("blobStorage", "endpoint"), storage.endpoint, settings.storage.blob_endpoint),
    ]
    for path, value, own in expected:
        rendered = rendering.optional(("taskRunner", *path), value)
        if rendered is not None and rendered.rstrip("/") != own:
            rendering.fail(("taskRunner", *path), f"runs use the app's own account, {own}; name it, or leave it out")
    where = ("taskRunner", "blobStorage", "connectionString")
    connection_string = rendering.optional(where, storage.connection_string)
    if connection_string is not None and f"AccountName={settings.storage.account_name}" not in connection_string.split(
        ";"
    ):
        rendering.fail(where, f"runs use the app's own storage account, {settings.storage.account_name}; leave it out")


def image(task: Task, rendering: Rendering) -> Image:
    """The container image; by default the one of the task's type."""
    name = rendering.optional(("containerImage",), task.container_image) or task.language.image
    registry = task.task_runner.registry
    if registry is None:
        return Image(name)
    where = ("taskRunner", "registry")
    reference = registry.identity_reference
    return Image(
        name,
        server=rendering.optional((*where, "registryServer"), registry.registry_server),
        user_name=rendering.optional((*where, "userName"), registry.user_name),
        password=rendering.optional((*where, "password"), registry.password),
        identity=rendering.text((*where, "identityReference", "resourceId"), reference.resource_id)
        if reference
        else None,
    )


def commands(task: Task, rendering: Rendering) -> Commands:
    """What the task's script runs."""
    lines = [*rendering.texts(("beforeCommands",), task.before_commands)]
    if task.commands is not None:
        lines += rendering.texts(("commands",), task.commands)
    elif task.language.script_runner:
        lines.append(f"{task.language.script_runner} {_script_file(task)}")
    else:
        lines.append(rendering.text(("script",), task.script or ""))
    text = "\n".join([task.language.fail_fast, *lines] if task.fail_fast else lines)
    if len(text.encode()) > LONGEST_COMMANDS:
        where = "commands" if task.commands is not None else "script"
        rendering.fail(
            (where,), f"longer than {LONGEST_COMMANDS >> 10} KiB, which Linux takes; put it into an input file"
        )
    return Commands(
        interpreter=rendering.texts(("interpreter",), task.interpreter),
        text=text,
        env={**dict(task.language.env), **rendering.env(("env",), task.env)},
        time_limit=task.time_limit,
        has_output_directory=task.output_directory,
    )


def input_files(task: Task, rendering: Rendering) -> dict[str, str]:
    """Texts by path in the working directory."""
    files = rendering.files(("inputFiles",), task.input_files)
    for name, content in files.items():
        if _URI.fullmatch(content.strip()):
            rendering.fail(("inputFiles", name), "files by URI are not supported yet; fetch it in `beforeCommands`")
    if task.script is not None and task.language.script_runner:
        files[_script_file(task)] = rendering.text(("script",), task.script)
    return files


def _script_file(task: Task) -> str:
    """A hidden name, so that no glob in `outputFiles` matches it."""
    return f".{task.id}{task.language.script_suffix}"
