"""What `docs/manifest.md` calls an error where flows of Kestra are compared is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest

CHAPTER = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text().partition("## What differs from Kestra")[2]
CORE = "io.kestra.plugin.core."
TYPES = re.findall(rf"^\| `({re.escape(CORE)}[\w.]+)` \|", CHAPTER, re.MULTILINE)
TASK = "{id: a, commands: [x]}"
LOOP = f"{{id: l, type: {CORE}flow.Loop, values: [1]"
REFUSED = {
    "`targetOS: WINDOWS`": "tasks: [{id: a, commands: [x], targetOS: WINDOWS}]",
    "`transmitFailed: false`": f"tasks: [{LOOP}, transmitFailed: false, tasks: [{TASK}]}}]",
    "`fetchType: STORE`": f"tasks: [{LOOP}, fetchType: STORE, tasks: [{TASK}]}}]",
    "WorkingDirectory in a loop": (
        f"tasks: [{LOOP}, tasks: [{{id: w, type: {CORE}flow.WorkingDirectory, tasks: [{TASK}]}}]}}]"
    ),
    "`timeout`, `retry` of groups": (
        f"tasks: [{{id: s, type: {CORE}flow.Sequential, retry: {{maxAttempts: 2}}, tasks: [{TASK}]}}]"
    ),
    "`retry` of a flow": f"retry: {{maxAttempts: 2}}\ntasks: [{TASK}]",
    "`SECRET` and `FORM` inputs": f"inputs: [{{id: i, type: SECRET}}]\ntasks: [{TASK}]",
    "`disabled: true`": f"disabled: true\ntasks: [{TASK}]",
}


def test_the_chapter_names_types() -> None:
    assert {f"{CORE}flow.Subflow", f"{CORE}flow.Pause"} < set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_a_type_that_is_an_error_there_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(ManifestError, match="is not supported here: "):
        read_manifest(f"tasks: [{{id: t, type: {name}}}]", "x.yaml")


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_an_error_there_is_refused(what: str) -> None:
    assert what in CHAPTER
    with pytest.raises(ManifestError):
        read_manifest(REFUSED[what], "x.yaml")
