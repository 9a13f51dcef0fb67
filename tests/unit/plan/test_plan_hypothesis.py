"""Whatever is planned, and however its tasks end: it comes to its end, or is refused with located problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shared.documents.external_data import ExternalData, SourceFile, TextRead
from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, OutputFile, Outputs, TaskRecord
from shared.errors import ManifestError
from shared.manifest.read import Manifest
from shared.outputs.ended_in_planning import plan_with_ended
from shared.outputs.fan_outs import fan_out_record
from shared.plan._rendering import NOT_KNOWN_YET
from shared.plan.lookups import MissingData
from shared.plan.round_plan import PlannedTask, RoundPlan
from shared.plan.run_manifest import checked_manifest
from shared.steps.prepare_round import MAX_READINGS
from tests.support.generated_manifests import NAMESPACE, NAMESPACE_FILES, mangled, runnable_flows

EXAMPLES = hypothesis_settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

values = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from([[], {}, [1], {"a": "b"}])
texts = st.sampled_from(["{{ vars.x }}", "{{ item }}", "{{ outputs.t0 }}", "{{", "PT1M", "..", "nsfile:///a.txt"])
printed = st.sampled_from([{}, {"n": 1, "list": ["u"]}, {"n": None, "list": "no list"}, {"list": [{"n": []}]}])
made = st.sampled_from([(), ("f.txt",), ("f.txt", "d/g.txt")])
ends = st.sampled_from([State.SUCCESS, State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.SKIPPED])


def planned(run: Run, manifest: Manifest, app_settings) -> tuple[Run, RoundPlan]:
    """The plan of the round; what it needs is read from the namespace of generated manifests."""
    for _ in range(MAX_READINGS):
        run, plan = plan_with_ended(manifest, run, app_settings)
        if isinstance(plan, RoundPlan):
            return run, plan
        run = answered(run, plan)
    raise AssertionError(f"it asks for ever more: {plan}")


def answered(run: Run, needs: MissingData) -> Run:
    """The run with what its plan lacked."""
    paths = {f"namespaces/{NAMESPACE}/{path}": text for path, text in NAMESPACE_FILES.items()}
    files = tuple(SourceFile(blob=f"{NAMESPACE}/{path}", etag="0x1", path=path) for path in NAMESPACE_FILES)

    def chosen(selection) -> tuple[SourceFile, ...]:
        return selection.choose({name: files if name == NAMESPACE else () for name in selection.namespaces}).files

    read = ExternalData(
        namespace_files={task: chosen(selection) for task, selection in needs.namespace_files.items()},
        namespace_items={
            task: tuple(file.path for file in chosen(selection)) for task, selection in needs.namespace_items.items()
        },
        etags={address: "0x1" if address in paths else None for address in needs.etags},
        texts={
            address: TextRead(text=paths[address]) if address in paths else TextRead(problem="there is no such file")
            for address in needs.texts
        },
    )
    return run.with_external_data(run.body.outside.joined(read))


def ended(run: Run, plan: RoundPlan, data: st.DataObject) -> Run:
    """The run after the round: its tasks have ended in some way."""
    records: list[TaskRecord] = []
    items = dict(run.items or {})
    for name, group in groupby(plan.tasks, key=lambda task: task.name):
        tasks = list(group)
        results = [result(task, data) for task in tasks]
        if tasks[0].item is None:
            records.append(TaskRecord(id=name, **results[0]))
        else:
            items[name] = tuple(
                ItemRecord(index=task.item.index, value=task.item.value, **each)
                for task, each in zip(tasks, results, strict=True)
            )
            records.append(fan_out_record(name, items[name]))
    return run.with_items(items).with_finished([*records, *(each.record for each in plan.empty)], None).next_round()


def result(task: PlannedTask, data: st.DataObject) -> dict[str, object]:
    files = {name: OutputFile(blob=f"outputs/{task.name}/{name}", bytes=1, md5=None) for name in data.draw(made)}
    outputs = Outputs(vars=data.draw(printed), output_files=files)
    return {"state": data.draw(ends), "exit_code": data.draw(st.sampled_from([0, 1, None])), "outputs": outputs}


def rounds(run: Run, app_settings, data: st.DataObject) -> Iterator[RoundPlan]:
    """Plan round after round, until nothing is left."""
    manifest = checked_manifest(run, app_settings)
    while True:
        run, plan = planned(run, manifest, app_settings)
        if not plan.tasks and not plan.empty:
            return
        yield plan
        run = ended(run, plan, data)


def plan_to_the_end(text: str, run_of, app_settings, data: st.DataObject) -> None:
    try:
        check_rounds(rounds(run_of(text, name="x.json"), app_settings, data))
    except ManifestError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert [problem for problem in problems if not (problem.message and problem.line and problem.column)] == []


def check_rounds(plans: Iterator[RoundPlan]) -> None:
    """Every task runs once, after what it waits for, and with nothing in it that is not known yet."""
    seen: set[tuple[str, object]] = set()
    for plan in plans:
        names = {(task.name, task.item.index if task.item else None) for task in plan.tasks}
        names |= {(empty.name, "empty") for empty in plan.empty}
        assert not names & seen
        seen |= names
        assert [task.number for task in plan.tasks] == list(range(1, len(plan.tasks) + 1))
        assert all(number < task.number for task in plan.tasks for number in task.depends_on)
        assert not [script for script in plan.scripts().values() if NOT_KNOWN_YET in script]


@EXAMPLES
@given(flow=runnable_flows(), data=st.data())
def test_a_flow_is_planned_round_by_round_until_nothing_is_left(flow, data, run_of, settings) -> None:
    plan_to_the_end(json.dumps(flow), run_of, settings, data)


@EXAMPLES
@given(flow=mangled(runnable_flows(), values | texts), data=st.data())
def test_a_mangled_flow_is_planned_or_refused_with_located_problems(flow, data, run_of, settings) -> None:
    plan_to_the_end(json.dumps(flow), run_of, settings, data)
