"""Which packages a task's script installs: those that the task names, and `kestra` if its own texts import that."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.manifest.read import Task
from shared.plan._rendering import Rendering
from shared.script.packages import Installer, Packages

_PATH = ("dependencies",)
_IMPORT = r"[ \t]*(?:from[ \t]+kestra\b|import[ \t]+(?:[\w. \t]+,)*[ \t]*kestra\b)"
_IN_A_PROGRAM = re.compile(rf"(?:^|;){_IMPORT}", re.MULTILINE)
_IN_COMMANDS = re.compile(rf"""(?:^|[;"']){_IMPORT}""", re.MULTILINE)  # as in `python -c "import kestra"`
_INSTALLS = re.compile(r"\b(?:install|add)\b")
_KESTRA = re.compile(r"\bkestra\b|\s-r|\s--requirement|\s\.(?:/|\s|$)")  # or what may contain it


def packages_of(task: Task, rendering: Rendering) -> Packages | None:
    """What the script installs; None for nothing.

    Kestra up to 0.22 had an image with the package `kestra` as the default of Python tasks, and flows import it without
    more ado. Whether an image has it, the script finds out. What files of namespaces import is not looked at.
    """
    installer = task.language.installer
    if installer is None:
        return None
    if installer is Installer.UV:
        installer = Installer(task.package_manager)
    named = tuple(line for each in rendering.texts(_PATH, task.dependencies or ()) if (line := each.strip()))
    imports_kestra = installer is not Installer.NPM and _imports_kestra(task)
    return Packages(installer, named, imports_kestra) if named or imports_kestra else None


def _imports_kestra(task: Task) -> bool:
    """Whether the task imports the package `kestra`, and does not install it itself, as far as its texts show."""
    commands = "\n".join((*task.before_commands, *(task.commands or ())))
    if any(_INSTALLS.search(line) and _KESTRA.search(line) for line in commands.splitlines()):
        return False
    return bool(_IN_COMMANDS.search(commands)) or any(map(_IN_A_PROGRAM.search, _programs(task)))


def _programs(task: Task) -> Iterator[str]:
    yield task.script or ""
    if isinstance(task.input_files, dict):
        yield from (text for name, text in task.input_files.items() if name.endswith(".py"))
