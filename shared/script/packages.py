"""The packages that the script of a task installs before its commands, into a folder that outlives an attempt.

Kestra installs those of Python tasks on its worker, with uv or pip, into a folder that is on the PYTHONPATH of the
commands, and counts that against the task's `timeout`: `PythonEnvironmentManager` and `PackageManagerType` in
https://github.com/kestra-io/plugin-scripts (plugin-script-python, internals), `WorkerTaskCallable` in kestra. Here the
task's own container does it, so that they fit its Python. A package that cannot be had ends the attempt.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from shared.documents.names import OWN

REQUIREMENTS = f"{OWN}requirements.txt"
"""The requirements file, in the working directory: what it names by a relative path is there."""
FINDS_KESTRA = 'import importlib.util as u, sys; sys.exit(u.find_spec("kestra") is None)'


class Installer(StrEnum):
    """What installs packages; `UV` is pip where an image has no uv, as in Kestra."""

    UV = "UV"
    PIP = "PIP"
    NPM = "NPM"


@dataclass(frozen=True)
class Packages:
    """Packages by the lines of a requirements file, or by their names in npm; and what installs them.

    If the commands `import_kestra`, they get the Python package `kestra` too, unless their image has it.
    """

    installer: Installer
    named: tuple[str, ...] = ()
    import_kestra: bool = False

    def shell_lines(self) -> list[str]:
        """The lines that install them, where `$1` is the folder for packages and `$2` the task's directory.

        The folder comes before what PYTHONPATH or NODE_PATH hold already.
        """
        if self.installer is Installer.NPM:
            arguments, variable, folder = self.named, "NODE_PATH", "$1/node_modules"
        else:
            kestra = "yes" if self.import_kestra else "no"
            arguments = (self.installer.value, kestra, "\n".join(self.named))
            variable, folder = "PYTHONPATH", "$1"
        install = "install_node" if self.installer is Installer.NPM else "install_python"
        return [
            f'({install} "$1" "$2" {shlex.join(arguments)}) || exit',
            f'[ ! -d "{folder}" ] || export {variable}="{folder}${{{variable}:+:${variable}}}"',
        ]
