"""Kestra's script task types: what each brings along where the manifest does not say."""

from __future__ import annotations

import re
from dataclasses import dataclass

TASK_TYPE = re.compile(r"io\.kestra\.plugin\.scripts\.(?P<language>\w+)\.(?P<form>Commands|Script)")


@dataclass(frozen=True)
class Language:
    """What a task type of Kestra brings along where the manifest does not say."""

    image: str
    env: tuple[tuple[str, str], ...] = ()
    script_runner: str | None = None
    script_suffix: str = ""


LANGUAGES = {
    "shell": Language("ubuntu"),
    "python": Language(
        "ghcr.io/kestra-io/kestrapy:latest",
        env=(("PYTHONUNBUFFERED", "true"), ("PIP_ROOT_USER_ACTION", "ignore"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1")),
        script_runner="python",
        script_suffix=".py",
    ),
}
