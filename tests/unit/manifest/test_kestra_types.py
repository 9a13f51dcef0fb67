"""Kestra's task types that do not run here: one error for each, which says what to do instead."""

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest
from shared.manifest.task_types import ALL_GROUP_TYPES, instead_of


@pytest.mark.parametrize(
    ("task_type", "instead"),
    [
        ("io.kestra.core.tasks.flows.WorkingDirectory", "this is the old name of `io.kestra.plugin.core.flow."),
        ("io.kestra.core.tasks.flows.Switch", "this is the old name of `io.kestra.plugin.core.flow.Switch`"),
        (
            "io.kestra.core.tasks.flows.EachParallel",
            "this is the old name of `io.kestra.plugin.core.flow.EachParallel`",
        ),
        ("io.kestra.core.tasks.flows.Parallel", "this is the old name of `io.kestra.plugin.core.flow.Parallel`"),
        ("io.kestra.core.tasks.scripts.Bash", "this is the old name of `io.kestra.plugin.scripts.shell.Commands`"),
        ("io.kestra.plugin.fs.http.Download", "fetch it in the commands"),
        ("io.kestra.plugin.core.flow.Pause", "a run does not pause; use `sleep` in the commands"),
        (
            "io.kestra.plugin.core.flow.Subflow",
            "drop the other flow as its own manifest, or put its tasks",
        ),
        ("io.kestra.plugin.core.flow.ForEachItem", "split the file into parts in a task, and give the next one"),
        ("io.kestra.plugin.core.kv.Set", "there is no key-value store"),
        ("io.kestra.plugin.git.Clone", "let the commands of a script task do it"),
    ],
)
def test_what_to_do_instead(task_type: str, instead: str) -> None:
    assert (instead_of(task_type) or "").startswith(instead)


@pytest.mark.parametrize("name", ALL_GROUP_TYPES)
def test_a_group_by_its_old_name_is_told_its_new_one(name: str) -> None:
    old = f"io.kestra.core.tasks.flows.{name.rpartition('.')[2]}"
    assert instead_of(old) == f"this is the old name of `{name}`"


@pytest.mark.parametrize(
    ("wrong", "right"), [("Iff", "If"), ("Swich", "Switch"), ("DAG", "Dag"), ("AllowFailures", "AllowFailure")]
)
def test_a_group_whose_type_is_mistyped_is_told_the_right_one(wrong: str, right: str) -> None:
    with pytest.raises(ManifestError, match=f'did you mean "io.kestra.plugin.core.flow.{right}"'):
        read_manifest(f"tasks: [{{id: a, type: io.kestra.plugin.core.flow.{wrong}, tasks: []}}]", "x.yaml")


@pytest.mark.parametrize("task_type", ["io.kestra.plugin.scripts.python.Command", "python"])
def test_what_may_be_mistyped_is_told_the_types_that_there_are(task_type: str) -> None:
    assert instead_of(task_type) is None


def test_properties_of_a_thing_of_an_unknown_type_are_not_called_unknown() -> None:
    """They may be quite right; and what is wrong elsewhere is said with it."""
    text = (
        "tasks:\n- {id: a, type: io.kestra.plugin.core.flow.Unless, condition: x, then: []}\n"
        "- {id: b, commands: [x], taskRunner: {type: io.kestra.plugin.core.runner.Other, x: 1}}\n"
        "- {id: c, commands: [x], comands: [y]}\n"
    )
    with pytest.raises(ManifestError) as caught:
        read_manifest(text, "x.yaml")
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [
        ("tasks[0].type", 2),
        ("tasks[1].taskRunner.type", 3),
        ("tasks[2].comands", 4),
    ]
