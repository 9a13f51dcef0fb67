"""`dependencies`: the packages that a task's commands import, and what Kestra has beside it.

In Kestra only Python tasks have them, since 1.0 (2025-04): `AbstractPythonExecScript` and `PythonBasedPlugin` in
https://github.com/kestra-io/plugin-scripts, plugin-script-python. No version of it has them for Node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from shared.manifest.task_types import DEFAULT_TYPE, LANGUAGES, SCRIPTS, language_of
from shared.manifest.types import NoEffect, Text

if TYPE_CHECKING:
    from pydantic import ValidationInfo

BY_THE_IMAGE = NoEffect("the packages are those for the Python of the image")
NO_CACHE = NoEffect("each task installs its packages anew")
NO_UV = NoEffect("uv is used where the image has it, and is never downloaded; otherwise pip installs the packages")


def _can_be_installed(value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """The packages. Raises ValueError if nothing installs those of the task's language."""
    language = language_of(info.data.get("type", DEFAULT_TYPE))
    if language is not None and language.installer is None:
        types = " and ".join(f"`{SCRIPTS}.{name}`" for name, each in LANGUAGES.items() if each.installer)
        raise ValueError(f"only tasks of {types} have `dependencies`: install the packages in `beforeCommands`")
    return value


Dependencies = Annotated[
    tuple[Text, ...], AfterValidator(_can_be_installed), Field(examples=[["pandas==2.3.3", "requests"]])
]
