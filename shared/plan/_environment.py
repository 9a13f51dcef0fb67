"""The environment variables of a task: their names, their values, and how long they may be."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.manifest.types import PropertyPath
from shared.plan._rendering import Rendering

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN_A_FILE = "put the text into a file, by `inputFiles`"

# Linux takes 128 KiB for one argument or variable, and 2 MiB (a quarter of the stack, 8 MiB) for all of them with their
# pointers: https://man7.org/linux/man-pages/man2/execve.2.html, "Limits on size of arguments and environment". What is
# left is for the commands and for the variables of Batch and of the image.
LONGEST_ARGUMENT = 120 * 1024
LONGEST_ENVIRONMENT = 1792 * 1024
_OF_A_VARIABLE = 10  # its pointer, `=` and the final NUL


def environment(rendering: Rendering, path: PropertyPath, values: Mapping[str, str]) -> dict[str, str]:
    """Render the values of environment variables, and check their names."""
    for name in values:
        if not _ENV_NAME.fullmatch(name):
            rendering.fail((*path, name), "not a valid name of an environment variable: expected letters, digits and _")
    rendered = {name: rendering.text((*path, name), value) for name, value in values.items()}
    sizes = {name: len(name) + len(value.encode()) for name, value in rendered.items()}
    for name, size in sizes.items():
        if size > LONGEST_ARGUMENT:
            message = f"longer than {LONGEST_ARGUMENT >> 10} KiB, the limit for one variable; {_IN_A_FILE}"
            rendering.fail((*path, name), message)
    total = sum(sizes.values()) + _OF_A_VARIABLE * len(sizes)
    if total > LONGEST_ENVIRONMENT and max(sizes.values()) <= LONGEST_ARGUMENT:
        message = f"together {total >> 10} KiB, but the limit is {LONGEST_ENVIRONMENT >> 10} KiB; {_IN_A_FILE}"
        rendering.fail(path, message)
    return rendered
