"""The outputs of a flow: what is told of them before the run, and what they are at its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.documents.external_data import ExternalData, TextRead
from shared.documents.run import Run
from shared.documents.states import SkippedBy, State
from shared.documents.task_result import ItemRecord, ItemsSummary, OutputFile, Outputs, TaskRecord
from shared.errors import ManifestError
from shared.plan.flow_outputs import FlowOutputs, outputs_of
from shared.plan.lookups import MissingData
from shared.plan.run_manifest import checked_manifest, manifest_of

TASKS = """\
id: f
namespace: n.s
variables: {v: "{{ outputs.a.vars.n }}!"}
inputs: [{id: i, type: INT, defaults: 3}]
tasks:
  - {id: a, commands: [x], outputFiles: ["*.txt"]}
  - {id: b, commands: [x], runIf: "false"}
  - {id: c, foreach: [p, q], commands: [x]}
"""
FILES = {"é b.txt": OutputFile(blob="outputs/a/é b.txt", bytes=1, md5=None)}
ADDRESS = "https://store1.blob.core.windows.net/results/team/env/env-20261122t121314-3f9a1c2b/outputs/a/%C3%A9%20b.txt"
BLOB = "results/team/env/env-20261122t121314-3f9a1c2b/outputs/a/é b.txt"
ENDED = (
    TaskRecord(id="a", state=State.SUCCESS, exit_code=0, outputs=Outputs(vars={"n": 7, "l": [1]}, output_files=FILES)),
    TaskRecord(id="b", state=State.SKIPPED, skipped=SkippedBy.CONDITION),
    TaskRecord(id="c", state=State.SUCCESS, items=ItemsSummary(count=2, states={})),
)
ITEMS = {
    "c": tuple(
        ItemRecord(index=index, value=value, state=State.SUCCESS, outputs=Outputs(vars={"m": value.upper()}))
        for index, value in enumerate("pq")
    )
}


@pytest.fixture
def ended(run_of) -> Callable[..., Run]:
    """A run of these outputs, whose tasks have ended."""

    def build(outputs: str, tasks: tuple[TaskRecord, ...] = ENDED, **body: object) -> Run:
        return run_of(f"{TASKS}outputs:\n{outputs}", **body).with_finished(tasks, None).with_items(ITEMS)

    return build


@pytest.fixture
def published(ended, settings) -> Callable[..., FlowOutputs]:
    def of(outputs: str, tasks: tuple[TaskRecord, ...] = ENDED, **body: object) -> FlowOutputs:
        run = ended(outputs, tasks, **body)
        found = outputs_of(manifest_of(run), run, settings)
        assert isinstance(found, FlowOutputs)
        return found

    return of


@pytest.mark.parametrize(
    ("type_and_value", "expected"),
    [
        ("type: INT, value: '{{ outputs.a.vars.n }}'", 7),
        ("type: STRING, value: '{{ outputs.a.vars.n }}'", "7"),
        ("type: FLOAT, value: '{{ inputs.i }}'", 3.0),
        ("type: BOOL, value: '{{ outputs.a.exitCode == 0 }}'", True),
        ("type: BOOLEAN, value: true", True),
        ("type: JSON, value: '{{ outputs.a.vars }}'", {"n": 7, "l": [1]}),
        ("type: ARRAY, value: '{{ outputs.a.vars.l }}'", [1]),
        ("type: ARRAY, value: ['{{ outputs.a.vars.n }}', 2]", ["7", 2]),
        ("type: JSON, value: {'k{{ inputs.i }}': ['{{ outputs.c[1].vars.m }}']}", {"k3": ["Q"]}),
        ("type: STRING, value: '{{ outputs.c.p.vars.m }}'", "P"),
        ("type: STRING, value: '{{ render(vars.v) }}'", "7!"),
        ("type: DATETIME, value: '2026-01-31T12:00:00+01:00'", "2026-01-31T11:00:00Z"),
        ("type: FILE, value: \"{{ outputs.a.outputFiles['é b.txt'] }}\"", ADDRESS),
        ("type: JSON, value: '{{ outputs.a.outputFiles }}'", {"é b.txt": ADDRESS}),
        ("type: STRING, value: \"{{ outputs.b.vars.n ?? 'none' }}\"", "none"),
        ("type: STRING, value: ''", ""),
        ("type: STRING, value: '{{ tasks.b.state }} {{ tasks.c.q.state }}'", "SKIPPED SUCCESS"),
    ],
)
def test_a_value_is_rendered_with_all_results_and_is_of_its_type(published, type_and_value: str, expected) -> None:
    assert published(f"- {{id: o, {type_and_value}}}") == FlowOutputs({"o": expected})


def test_files_that_tasks_made_can_be_read(ended, settings) -> None:
    run = ended("- {id: o, type: JSON, value: \"{{ read(outputs.a.outputFiles['é b.txt']) }}\"}")
    missing = outputs_of(manifest_of(run), run, settings)
    assert isinstance(missing, MissingData)
    assert list(missing.texts) == [BLOB]
    run = run.with_external_data(ExternalData(texts={BLOB: TextRead(text='{"x": 1}')}))
    assert outputs_of(manifest_of(run), run, settings) == FlowOutputs({"o": {"x": 1}})


@pytest.mark.parametrize(
    ("value", "type_", "problem"),
    [
        ("{{ outputs.a.vars.nope }}", "STRING", "'nope' does not exist"),
        ("{{ outputs.b.vars.n }}", "STRING", "'vars' does not exist"),
        ("{{ outputs.c.vars.n }}", "STRING", "'vars' does not exist: 'c' runs once for each item"),
        ("{{ outputs.c }}", "STRING", "there is no folder with the files of 'c' here"),
        ("{{ outputs.a.vars.l }}", "INT", "expected a whole number, as its type is INT"),
        ("", "INT", "expected a whole number"),
        ("no address", "FILE", "this is not the address of a file"),
        ("{{ workingDir }}", "STRING", "'workingDir' does not exist"),
        ("{{ taskrun.id }}", "STRING", "'taskrun' does not exist"),
    ],
)
def test_one_that_is_wrong_takes_all_with_it(published, value: str, type_: str, problem: str) -> None:
    found = published(f'- {{id: good, type: INT, value: 1}}\n- {{id: o, type: {type_}, value: "{value}"}}')
    assert found.values == {}
    assert [each.path for each in found.problems] == ["outputs[1].value"]
    assert problem in found.problems[0].message


def test_one_that_is_not_required_is_null_if_it_cannot_be_rendered_but_must_be_of_its_type(published) -> None:
    found = published(
        "- {id: a, type: INT, value: 1}\n- {id: o, type: STRING, value: '{{ outputs.a.vars.nope }}', required: false}"
    )
    assert (found.values, found.problems) == ({"a": 1, "o": None}, ())
    assert [str(each.path) for each in found.warnings] == ["outputs[1].value"]
    wrong = published("- {id: o, type: INT, value: x, required: false}")
    assert "expected a whole number" in wrong.problems[0].message


def test_a_task_that_never_ran_has_no_outputs(published) -> None:
    tasks = (TaskRecord(id="a", state=State.SKIPPED, skipped=SkippedBy.FAILURE),)
    assert published("- {id: o, type: STRING, value: '{{ outputs.a.exitCode }}'}", tasks).problems
    assert published("- {id: o, type: STRING, value: '{{ outputs.c[0].exitCode }}'}", tasks).problems
    assert (
        "'a' has not run"
        in published("- {id: o, type: STRING, value: '{{ tasks.a.state }}'}", tasks).problems[0].message
    )
    told = published(
        "- {id: o, type: STRING, value: \"{{ tasks.a.state ?? 'none' }}\"}\n"
        "- {id: n, type: INT, value: \"{{ tasksWithState('SKIPPED') | length }}\"}",
        tasks,
    )
    assert told == FlowOutputs({"o": "none", "n": 0})


@pytest.mark.parametrize(
    ("outputs", "problems"),
    [
        ("- {id: o, type: INT, value: '{{ outputs.nope.vars.n }}'}", ["outputs[0].value: there is no task 'nope'"]),
        ("- {id: o, type: INT, value: ['{{ 1 + }}']}", ["outputs[0].value[0]: "]),
        ("- {id: o, type: INT, value: '{{ nosuch() }}'}", ["outputs[0].value: there is no function 'nosuch'"]),
        ("- {id: o, type: INT, value: '{{ outputs.a.stdOut }}'}", ["outputs[0].value: 'stdOut' does not exist"]),
        ("- {id: o, type: INT, value: '{{ tasks.nope.state }}'}", ["outputs[0].value: there is no task 'nope'"]),
        ("- {id: o, type: INT, value: '{{ inputs.nope }}'}", ["outputs[0].value: 'nope' does not exist"]),
        ("- {id: o, type: INT, value: '{{ outputs.nope.n }}', required: false}", []),
        ("- {id: o, type: INT, value: '{{ outputs.c[0].vars.n }} {{ outputs.b.vars.x }}'}", []),
        ("- {id: o, type: STRING, value: \"{{ read(outputs.a.outputFiles['x.txt']) }}\"}", []),
    ],
)
def test_mistakes_are_told_before_anything_runs(run_of, settings, outputs: str, problems: list[str]) -> None:
    try:
        checked_manifest(run_of(f"{TASKS}outputs:\n{outputs}"), settings)
        found = []
    except ManifestError as error:
        found = [str(problem) for problem in error.problems]
    assert len(found) == len(problems)
    assert all(map(str.startswith, found, problems))


def test_they_are_told_with_the_mistakes_of_tasks(run_of, settings) -> None:
    text = TASKS.replace("commands: [x], outputFiles", "commands: ['{{ nope }}'], outputFiles")
    with pytest.raises(ManifestError) as caught:
        checked_manifest(run_of(f"{text}outputs: [{{id: o, type: INT, value: '{{{{ no }}}}'}}]"), settings)
    assert [problem.path for problem in caught.value.problems] == ["tasks[0].commands[0]", "outputs[0].value"]
