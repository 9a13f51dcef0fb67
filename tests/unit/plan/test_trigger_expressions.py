"""What triggers say before there is a run, what is told of them when a flow is stored, and `trigger` in a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from shared.documents.manifest_blob import ManifestBlob
from shared.documents.record import FlowRef, ManifestRef, Record, RecordedFlow, Timings
from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import TaskRecord
from shared.documents.trigger import DueTime, EndedRun, StartedBy
from shared.errors import ManifestError
from shared.manifest.read import Flow, Manifest, read_manifest
from shared.manifest.triggers import numbered
from shared.masking import MASK
from shared.plan.planner import Planner
from shared.plan.run_manifest import checked_manifest
from shared.plan.triggers import (
    StartedWith,
    TriggerRefused,
    ended_run,
    given_by,
    kinds_of_start,
    problems_of_triggers,
    starts,
)
from shared.settings import Settings
from tests.support.pure import MOMENT

CORE = "io.kestra.plugin.core."
PARIS = "Europe/Paris"
FLOW = f"""\
id: f
namespace: n.s
labels: {{own: x}}
variables: {{days: [MONDAY]}}
inputs:
  - {{id: day, type: DATE, required: false}}
  - {{id: rows, type: INT, defaults: 1}}
  - {{id: a.b, type: JSON, required: false}}
tasks: [{{id: t, commands: ["echo {{{{ trigger.date ?? 'by hand' }}}}"]}}]
triggers:
  - id: t
    type: {CORE}trigger.%s
"""
SCHEDULE = FLOW % f"Schedule\n    cron: 0 9 * * *\n    timezone: {PARIS}\n"
FOLLOWS = FLOW % "Flow\n    dependsOn: [{namespace: a, flowId: etl}]\n"
LOCAL = timedelta(hours=1)
DUE = DueTime(
    date=datetime.fromisoformat("2026-11-30T09:00:00+01:00"),
    next=datetime.fromisoformat("2026-12-01T09:00:00+01:00"),
    previous=datetime.fromisoformat("2026-11-29T09:00:00+01:00"),
)
ENDED = EndedRun(
    run_id="etl-20261130t080000-0123abcd",
    results="a/etl/etl-20261130t080000-0123abcd",
    namespace="a",
    flow_id="etl",
    state=State.WARNING,
    started=datetime(2026, 11, 30, 8, tzinfo=UTC),
    ended=datetime(2026, 11, 30, 8, 5, 0, 500_000, tzinfo=UTC),
    first_failed_task="one",
    last_task="two",
    labels={"team": "data"},
    outputs={"rows": 3, "files": ["a", "b"]},
)
BY_TIME = StartedBy(id="t", type=f"{CORE}trigger.Schedule", flow="n.s/f", due=DUE)
BY_END = StartedBy(id="t", type=f"{CORE}trigger.Flow", flow="n.s/f", ended=ENDED, depth=1)


def read(text: str) -> Manifest:
    return read_manifest(text, "a.yaml", stored=True)


def with_lines(text: str, *lines: str) -> Flow:
    return read(text + "".join(f"    {line}\n" for line in lines)).flow


@pytest.fixture
def holds(settings: Settings) -> Callable[..., bool]:
    def ask(text: str, when: str, *lines: str, kestra: int = 1) -> bool:
        flow = with_lines(f"kestra: {kestra}\n{text}", f"when: {when!r}", *lines)
        [(_, trigger)] = numbered(flow.triggers)
        return starts(trigger, flow, BY_TIME if text is SCHEDULE else BY_END, settings)

    return ask


@pytest.fixture
def given(settings: Settings) -> Callable[..., StartedWith]:
    def ask(text: str, *lines: str, by: StartedBy | None = None) -> StartedWith:
        flow = with_lines(text, *lines)
        [(_, trigger)] = numbered(flow.triggers)
        return given_by(trigger, flow, by or (BY_TIME if text is SCHEDULE else BY_END), settings)

    return ask


@pytest.mark.parametrize("text", ["true", "{{ 1 }}", "x", "{{ trigger.date }}", "{{ isWeekend('2026-11-29') }}"])
def test_a_time_is_due_if_the_text_is_true(holds, text: str) -> None:
    assert holds(SCHEDULE, text)


@pytest.mark.parametrize("text", ["false", "", "  ", "0", "-0", "{{ 1 == 2 }}", "{{ isWeekend(trigger.date) }}"])
def test_a_time_is_not_due_if_the_text_is_one_of_kestras_words_for_false(holds, text: str) -> None:
    assert not holds(SCHEDULE, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ trigger.date }}", "2026-11-30T09:00:00+01:00"),
        ("{{ trigger.next }}", "2026-12-01T09:00:00+01:00"),
        ("{{ trigger.previous }}", "2026-11-29T09:00:00+01:00"),
        ("{{ trigger.date | date('HH:mm', timeZone='Europe/Paris') }}", "09:00"),
        ("{{ now('HH:mm') }}", "08:00"),
        ("{{ trigger._context.id }} {{ trigger._context.type }}", f"t {CORE}trigger.Schedule"),
        ("{{ flow.namespace }}/{{ flow.id }}", "n.s/f"),
        ("{{ labels.own }}", "x"),
        ("{{ vars.days contains dayOfWeek(trigger.date) }}", "true"),
    ],
)
def test_what_a_schedule_can_use(given, text: str, expected: str) -> None:
    assert given(SCHEDULE, f"labels: {{l: {text!r}}}").labels == {"l": expected}


def test_times_in_utc_end_in_z_and_the_last_one_has_no_next(given) -> None:
    due = DueTime(date=datetime(2026, 11, 30, 9, tzinfo=UTC))
    by = BY_TIME.model_copy(update={"due": due})
    found = given(SCHEDULE, "labels: {a: '{{ trigger.date }}', b: \"{{ trigger.next ?? 'none' }}\"}", by=by).labels
    assert found == {"a": "2026-11-30T09:00:00Z", "b": "none"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ trigger.executionId }}", ENDED.run_id),
        ("{{ trigger.namespace }}/{{ trigger.flowId }}", "a/etl"),
        ("{{ trigger.state }}", "WARNING"),
        ("{{ trigger.startDate }}", "2026-11-30T08:00:00Z"),
        ("{{ trigger.endDate }}", "2026-11-30T08:05:00.500Z"),
        ("{{ trigger.firstFailedTaskId }} {{ trigger.lastTaskId }}", "one two"),
        ("{{ trigger.outputs.rows + 1 }}", "4"),
        ("{{ trigger.outputs.files | first }}", "a"),
        ("{{ trigger.outputs['a'].etl.rows }}", "3"),
        ("{{ trigger.outputs.no ?? 'none' }}", "none"),
        ("{{ trigger.executionLabels.team }} {{ labels.team }}", "data data"),
        ("{{ execution.id == trigger.executionId }} {{ execution.state }}", "true WARNING"),
        ("{{ flow.namespace }}/{{ flow.id }}", "n.s/f"),
        ("{{ now('HH:mm') }}", "08:05"),
    ],
)
def test_what_a_flow_trigger_can_use(given, text: str, expected: str) -> None:
    assert given(FOLLOWS, f"labels: {{l: {text!r}}}").labels == {"l": expected}


@pytest.mark.parametrize(("kestra", "flow"), [(1, "n.s/f"), (2, "a/etl")])
def test_the_flow_is_that_which_ended_in_kestra_2(holds, kestra: int, flow: str) -> None:
    """FlowTriggerService.java: `runContextFactory.of(f.getFlow(), execution)` in 1.x, `of(null, execution)` in 2.x."""
    assert holds(FOLLOWS, f"{{{{ flow.namespace ~ '/' ~ flow.id == '{flow}' }}}}", kestra=kestra)


def test_all_texts_that_say_when_must_hold(holds) -> None:
    of_entry = FOLLOWS.replace("flowId: etl", "flowId: etl, when: '{{ trigger.outputs.rows > 2 }}'")
    for text, when, expected in ((of_entry, "true", True), (of_entry, "false", False), (FOLLOWS, "true", True)):
        assert holds(text, when) is expected
    condition = f"conditions: [{{type: {CORE}condition.DayWeek, dayOfWeek: %s}}]"
    assert holds(SCHEDULE, "true", condition % "MONDAY")
    assert not holds(SCHEDULE, "true", condition % "SUNDAY")
    assert not holds(SCHEDULE, "false", condition % "MONDAY")


def test_values_for_inputs_are_rendered_wherever_they_are_in_lists_and_maps(given) -> None:
    """The names in maps too, as in Kestra."""
    found = given(
        FOLLOWS,
        "inputs: {rows: '{{ trigger.outputs.rows }}', day: 2026-01-31,"
        " a: {'{{ trigger.flowId }}': {n: 1, l: ['{{ trigger.state }}', true]}}}",
        "labels: {empty: '{{ trigger.outputs.no ?? \"\" }}', by: '{{ trigger.flowId }}'}",
    )
    assert found.inputs == {"rows": "3", "day": "2026-01-31", "a": {"etl": {"n": 1, "l": ["WARNING", True]}}}
    assert found.labels == {"by": "etl"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (SCHEDULE, "inputs: {rows: \"{{ secret('A') }}\"}", "inputs.rows of the trigger 't': a secret would be stored"),
        (SCHEDULE, "labels: {l: \"{{ secret('A') }}\"}", "labels.l of the trigger 't': a secret would be stored"),
        (SCHEDULE, "labels: {l: \"{{ read('a') }}\"}", "a trigger reads no files"),
        (SCHEDULE, "labels: {l: '{{ inputs.rows }}'}", "a trigger has no inputs, it gives them: use `vars`"),
        (SCHEDULE, "labels: {l: '{{ trigger.executionId }}'}", "'executionId' does not exist; there is date, next"),
        (SCHEDULE, "labels: {l: '{{ outputs.t.x }}'}", "'outputs' does not exist"),
        (FOLLOWS, "labels: {l: '{{ inputs.rows }}'}", "only what the flow that ended publishes is known"),
        (FOLLOWS, "labels: {l: \"{{ outputs.t ?? 'a' }}\"}", "write it into its `outputs`"),
        (FOLLOWS, "labels: {l: '{{ vars.days }}'}", "only what the flow that ended publishes is known"),
        (FOLLOWS, "labels: {l: '{{ trigger.date }}'}", "'date' does not exist"),
        (FOLLOWS, "labels: {l: '{{ trigger.flowRevision }}'}", "flows have no revisions"),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_what_and_why(given, text: str, line: str, message: str) -> None:
    with pytest.raises(TriggerRefused) as caught:
        given(text, line)
    assert message in str(caught.value)


def test_a_condition_that_cannot_be_rendered_is_neither_true_nor_false(holds) -> None:
    with pytest.raises(TriggerRefused, match="when of the trigger 't': 'dat' does not exist"):
        holds(SCHEDULE, "{{ trigger.dat }}")


def test_a_condition_may_use_a_secret_which_is_stored_nowhere(holds, settings: Settings) -> None:
    assert settings.secrets["TOKEN"]
    assert holds(SCHEDULE, "{{ secret('TOKEN') != '' }}")
    with pytest.raises(TriggerRefused, match="there is no secret 'NO'"):
        holds(SCHEDULE, "{{ secret('NO') == 'x' }}")


PROBLEMS = [
    (SCHEDULE, "inputs: {row: 1}", "triggers[0].inputs.row: the flow has no input 'row'; did you mean \"rows\"?"),
    (SCHEDULE, "inputs: {rows: x}", "triggers[0].inputs.rows: expected a whole number, as its type is INT"),
    (SCHEDULE, "inputs: {rows: 1.5}", "triggers[0].inputs.rows: expected a whole number"),
    (SCHEDULE, "inputs: {day: [1]}", "triggers[0].inputs.day: expected a date such as 2026-01-31"),
    (SCHEDULE, "inputs: {a: {c: 1}}", "triggers[0].inputs.a.c: the flow has no input 'a.c'"),
    (SCHEDULE, "inputs: {rows: '{{ trigger.dat }}'}", "triggers[0].inputs.rows: 'dat' does not exist; did you mean"),
    (SCHEDULE, "inputs: {a: {b: ['{{ x }}']}}", "triggers[0].inputs.a.b[0]: 'x' does not exist"),
    (SCHEDULE, "inputs: {rows: '{{ nosuch(1) }}'}", "there is no function 'nosuch'"),
    (SCHEDULE, "inputs: {rows: \"{{ secret('A') }}\"}", "triggers[0].inputs.rows: a secret would be stored"),
    (SCHEDULE, "labels: {l: '{{ trigger.x }}'}", "triggers[0].labels.l: 'x' does not exist"),
    (SCHEDULE, "when: '{{ inputs.rows > 1 }}'", "triggers[0].when: a trigger has no inputs"),
    (SCHEDULE, "when: '{{ trigger.date | nofilter }}'", "triggers[0].when: there is no filter 'nofilter'"),
    (
        SCHEDULE,
        f"conditions: [{{type: {CORE}condition.Weekend, date: '{{{{ trigger.dat }}}}'}}]",
        "triggers[0].conditions[0]: 'dat' does not exist",
    ),
    (FOLLOWS, "when: '{{ trigger.date }}'", "triggers[0].when: 'date' does not exist"),
    (FOLLOWS, "when: '{{ trigger.output.a }}'", "triggers[0].when: 'output' does not exist; did you mean \"outputs\"?"),
    (FOLLOWS, "when: '{{ vars.x }}'", "triggers[0].when: only what the flow that ended publishes is known"),
    (FOLLOWS.replace("namespace: a, flowId: etl", "namespace: n.s, flowId: f"), "", "a flow cannot follow itself"),
    (
        SCHEDULE.replace("{id: day, type: DATE, required: false}", "{id: day, type: DATE}"),
        "",
        "triggers[0]: the input 'day' has no value, so that no run could start: add it to `inputs` of the trigger",
    ),
    (
        FOLLOWS.replace("{id: day, type: DATE, required: false}", "{id: day, type: DATE}"),
        "inputs: {rows: 1}",
        "triggers[0]: the input 'day' has no value",
    ),
    (SCHEDULE, f"description: x\n  - {{id: t, type: {CORE}trigger.Schedule, cron: '@daily'}}", "their ids must differ"),
]


@pytest.mark.parametrize(("text", "line", "message"), PROBLEMS)
def test_what_is_wrong_is_told_with_its_place_when_the_flow_is_stored(
    settings: Settings, text: str, line: str, message: str
) -> None:
    [problem] = problems_of_triggers(read(f"{text}    {line}\n"), settings)
    assert message in str(problem)
    assert problem.line >= 10


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SCHEDULE, "inputs: {rows: '{{ trigger.date }}', day: '2026-01-31', a.b: {x: 1}}"),
        (SCHEDULE, "inputs: {a: {b: [1]}}"),
        (SCHEDULE, "when: \"{{ secret('A') == envs.x }}\""),
        (SCHEDULE, "when: \"{{ trigger.next ?? 'x' }} {{ now() }} {{ uuid() }} {{ globals.x ?? 1 }}\""),
        (FOLLOWS, "inputs: {rows: '{{ trigger.outputs.anything.at.all }}'}"),
        (FOLLOWS, "when: '{{ trigger.executionLabels.x == labels.y and execution.outputs.z and flow.id }}'"),
        (FOLLOWS, "inputs: {rows: null}"),
    ],
)
def test_what_only_a_run_can_tell_is_no_problem(settings: Settings, text: str, line: str) -> None:
    known = settings  # without app settings for envs and globals nothing of them is known
    found = problems_of_triggers(read(f"{text}    {line}\n"), known)
    assert [problem for problem in found if "define it as the app setting" not in problem.message] == []


def test_a_flow_that_is_not_stored_has_no_problems_of_triggers(settings: Settings) -> None:
    manifest = read_manifest(SCHEDULE + "    inputs: {no: 1}\n", "a.yaml")
    assert problems_of_triggers(manifest, settings) == []


def run_of_stored(run_of: Callable[..., Run], flow: str, **body: object) -> Run:
    stored = ManifestBlob(name="n.s/f.yaml", etag="0x1", sha256="00", text=flow)
    return run_of("flow: n.s/f\n", flow=stored, **body)


def command_of(run: Run, settings: Settings) -> str:
    [task] = Planner(checked_manifest(run, settings), run, settings).tasks()
    return task.commands.text.splitlines()[-1]


@pytest.mark.parametrize(
    ("by", "expected"),
    [(None, "echo by hand"), (BY_TIME, "echo 2026-11-30T09:00:00+01:00"), (BY_END, "echo by hand")],
)
def test_a_run_knows_what_started_it(run_of, settings: Settings, by: StartedBy | None, expected: str) -> None:
    assert command_of(run_of_stored(run_of, SCHEDULE, trigger=by), settings) == expected


def test_defaults_of_inputs_may_use_it(run_of, settings: Settings) -> None:
    text = SCHEDULE.replace("required: false}", "defaults: \"{{ trigger.date | date('yyyy-MM-dd') }}\"}", 1)
    text = text.replace("{{ trigger.date ?? 'by hand' }}", "{{ inputs.day }}")
    assert command_of(run_of_stored(run_of, text, trigger=BY_TIME), settings) == "echo 2026-11-30"
    by_hand = run_of_stored(run_of, text)
    [problem] = Planner(checked_manifest(by_hand, settings), by_hand, settings).problems()
    assert problem.path == "inputs[0].defaults"
    assert "'trigger' does not exist: no trigger started this run" in problem.message


def test_a_run_of_a_stored_flow_tells_mistakes_of_its_triggers_and_no_warning(run_of, settings: Settings) -> None:
    manifest = checked_manifest(run_of_stored(run_of, SCHEDULE), settings)
    assert manifest.warnings == ()
    with pytest.raises(ManifestError) as caught:
        checked_manifest(
            run_of_stored(run_of, SCHEDULE + "    inputs: {row: 1, rows: x}\n    when: '{{ x }}'\n"), settings
        )
    assert [problem.path for problem in caught.value.problems] == [
        "triggers[0].inputs.row",
        "triggers[0].inputs.rows",
        "triggers[0].when",
    ]
    assert {problem.file for problem in caught.value.problems} == {"flow.yaml"}


@pytest.mark.parametrize(
    ("triggers", "text", "problem"),
    [
        (SCHEDULE, "{{ trigger.date | dateAdd(-1, 'DAYS') }}", None),
        (SCHEDULE, "{{ trigger.dat }}", "'dat' does not exist; did you mean \"date\"?"),
        (SCHEDULE, "{{ trigger.state }}", "'state' does not exist"),
        (FOLLOWS, "{{ trigger.outputs.anything }} {{ trigger.state | lower }}", None),
        (FOLLOWS, "{{ trigger.date }}", "'date' does not exist; did you mean \"endDate\"?"),
    ],
)
def test_where_a_flow_is_only_checked_its_trigger_is_known_by_its_parts(
    run_of, settings: Settings, triggers: str, text: str, problem: str | None
) -> None:
    """As each kind of its triggers would start it; what a text becomes is not known then."""
    flow = triggers.replace("{{ trigger.date ?? 'by hand' }}", text)
    [by] = kinds_of_start(read(flow).flow)
    run = run_of_stored(run_of, flow, trigger=by)
    planner = Planner(checked_manifest(run, settings), run, settings)
    [task] = planner.tasks()
    assert [each.message.partition("; there is")[0] for each in planner.problems()] == ([problem] if problem else [])
    assert problem or MASK in str(task.commands)


def record(**more: object) -> Record:
    fields: Mapping[str, object] = {
        "run_id": ENDED.run_id,
        "state": State.FAILED,
        "manifest": ManifestRef(name="a.yaml", etag="0x1", sha256=None),
        "flow": RecordedFlow(id="etl", namespace="a"),
        "timings": Timings(
            dropped=MOMENT, submitted=MOMENT + LOCAL, ended=MOMENT + 2 * LOCAL, recorded=MOMENT + 3 * LOCAL
        ),
        "tasks": (
            TaskRecord(id="one", state=State.SUCCESS),
            TaskRecord(id="two", state=State.FAILED),
            TaskRecord(id="three", state=State.SKIPPED),
        ),
        "labels": {"a": "b"},
        "outputs": {"n": 1},
    }
    return Record.model_validate({**fields, **more})


def test_a_run_that_ended_is_known_by_its_record() -> None:
    assert ended_run(record(), ENDED.results) == EndedRun(
        run_id=ENDED.run_id,
        results=ENDED.results,
        namespace="a",
        flow_id="etl",
        state=State.FAILED,
        started=MOMENT + LOCAL,
        ended=MOMENT + 2 * LOCAL,
        first_failed_task="two",
        last_task="two",
        labels={"a": "b"},
        outputs={"n": 1},
    )


def test_a_run_that_never_began_has_ended_when_it_was_recorded() -> None:
    ended = ended_run(record(tasks=(), timings=Timings(dropped=MOMENT, recorded=MOMENT + LOCAL)), "x")
    assert ended
    assert (ended.started, ended.ended, ended.first_failed_task, ended.last_task) == (
        MOMENT,
        MOMENT + LOCAL,
        None,
        None,
    )


@pytest.mark.parametrize("flow", [RecordedFlow(), RecordedFlow(id="a"), RecordedFlow(namespace="a")])
def test_nothing_follows_a_run_of_a_flow_without_a_name(flow: FlowRef) -> None:
    assert ended_run(record(flow=flow), "x") is None
