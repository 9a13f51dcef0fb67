"""The triggers of stored flows: the forms of Kestra 1 and 2, what they mean, and what is refused by name."""

from __future__ import annotations

import pytest

from shared.documents.states import State
from shared.errors import ManifestError
from shared.manifest.read import BrokenManifest, Manifest, read_manifest
from shared.manifest.triggers import After, FlowTrigger, RecoverMissedSchedules, Schedule

CORE = "io.kestra.plugin.core."
SCHEDULE, FLOW = f"{CORE}trigger.Schedule", f"{CORE}trigger.Flow"
HEAD = "id: f\nnamespace: n\ntasks: [{id: t, commands: [x]}]\ntriggers:\n"
ALL = frozenset({State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.REJECTED})
ETL = "{namespace: a, flowId: etl}"
AT_9 = "cron: 0 9 * * *"


def read(*triggers: str, stored: bool = True) -> Manifest:
    entries = "".join(f"  - {{id: t{number}, {trigger}}}\n" for number, trigger in enumerate(triggers))
    return read_manifest(HEAD + entries, "a.yaml", stored=stored)


def refused(*triggers: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read(*triggers)
    return [str(problem) for problem in caught.value.problems]


def condition(name: str, properties: str = "") -> str:
    return f"{{type: {CORE}condition.{name}, {properties}}}"


NOT_SUCCESS = condition("ExecutionStatus", "notIn: [SUCCESS]")
WELL = condition("ExecutionStatus", "in: [SUCCESS, WARNING]")
IN_A = condition("ExecutionNamespace", "namespace: a, prefix: false")
LABELLED = condition("ExecutionLabels", "labels: [{key: k, value: v}]")


def the_schedule(properties: str) -> Schedule:
    manifest = read(f"type: {SCHEDULE}, {properties}")
    [schedule] = manifest.flow.placed_triggers.schedules
    assert manifest.warnings == ()
    return schedule


def the_flow_trigger(properties: str) -> FlowTrigger:
    [trigger] = read(f"type: {FLOW}, {properties}").flow.placed_triggers.flows
    return trigger


def test_a_schedule_has_the_defaults_of_kestra_and_utc() -> None:
    schedule = the_schedule(AT_9)
    assert (schedule.normal_cron, schedule.timezone) == ("0 9 * * *", "UTC")
    assert schedule.recover_missed_schedules is RecoverMissedSchedules.ALL
    assert list(schedule.whens) == []


@pytest.mark.parametrize("kind", ["Schedule", "Flow"])
def test_the_old_name_of_a_type_is_the_same_trigger(kind: str) -> None:
    more = AT_9 if kind == "Schedule" else f"dependsOn: [{ETL}]"
    [_, old] = read(
        f"type: {CORE}trigger.{kind}, {more}", f"type: io.kestra.core.models.triggers.types.{kind}, {more}"
    ).flow.triggers
    assert old.type == f"{CORE}trigger.{kind}"


def test_triggers_that_are_disabled_are_read_and_start_nothing() -> None:
    manifest = read(f"type: {SCHEDULE}, {AT_9}, disabled: true", f"type: {FLOW}, dependsOn: [{ETL}], disabled: true")
    assert len(manifest.flow.triggers) == 2
    assert (manifest.flow.placed_triggers.schedules, manifest.flow.placed_triggers.flows) == ((), ())


@pytest.mark.parametrize("written", [f"{{id: w, type: {CORE}trigger.Webhook}}", "5", "{id: t, cron: 9}"])
def test_in_a_flow_that_is_not_stored_they_are_a_warning_whatever_they_are(written: str) -> None:
    manifest = read_manifest(f"{HEAD}  - {written}\n", "a.yaml")
    [warning] = manifest.warnings
    assert warning.message == "without effect: only a stored flow has triggers; store it: batchrun flows put FILE"
    assert (warning.path, warning.line, warning.column) == ("triggers", 4, 1)
    assert manifest.flow.placed_triggers.schedules == ()


def test_a_request_with_the_flow_inside_is_not_stored() -> None:
    text = "flow:\n" + "".join(f"  {line}\n" for line in f"{HEAD}  - 5".splitlines())
    [warning] = read_manifest(text, "a.yaml").warnings
    assert (warning.path, warning.line) == ("flow.triggers", 5)


def test_a_flow_whose_triggers_say_when_is_one_of_kestra_2_stored_or_not() -> None:
    entry = f'type: {SCHEDULE}, {AT_9}, when: "{{{{ true }}}}"'
    assert read(entry).flow.major == read(entry, stored=False).flow.major == 2
    assert read(f"type: {SCHEDULE}, {AT_9}").flow.major == 1


@pytest.mark.parametrize(
    ("properties", "after"),
    [
        (f"dependsOn: [{ETL}]", After("a", "etl", ALL)),
        (f"preconditions: {{id: p, flows: [{ETL}]}}", After("a", "etl", ALL)),
        (f"conditions: [{condition('ExecutionFlow', 'namespace: a, flowId: etl')}]", After("a", "etl", ALL)),
        (f"states: [SUCCESS], dependsOn: [{ETL}]", After("a", "etl", frozenset({State.SUCCESS}))),
        (
            "states: [SUCCESS, FAILED], dependsOn: [{namespace: a, flowId: etl, states: [FAILED, WARNING]}]",
            After("a", "etl", frozenset({State.FAILED})),
        ),
        (
            "preconditions: {id: p, flows: [{namespace: a, flowId: etl, states: [KILLED], labels: {n: 1, b: true}}]}",
            After("a", "etl", frozenset({State.KILLED}), (("n", "1"), ("b", "true"))),
        ),
        (
            f"preconditions: {{id: p, flows: [{ETL}]}}, conditions: [{NOT_SUCCESS}, {IN_A}, {LABELLED}]",
            After("a", "etl", ALL - {State.SUCCESS}, (("k", "v"),)),
        ),
        (
            f"conditions: [{condition('ExecutionFlow', 'namespace: a, flowId: etl')}, {WELL}]",
            After("a", "etl", frozenset({State.SUCCESS, State.WARNING})),
        ),
    ],
)
def test_a_flow_trigger_follows_some_runs_of_one_flow(properties: str, after: After) -> None:
    assert the_flow_trigger(properties).after == after


def test_a_run_is_followed_if_flow_state_and_labels_are_as_the_trigger_says() -> None:
    after = After("a", "etl", frozenset({State.SUCCESS}), (("k", "v"),))
    labels = {"k": "v", "other": "x"}.items()
    assert after.is_met_by("a", "etl", State.SUCCESS, labels)
    assert not after.is_met_by("b", "etl", State.SUCCESS, labels)
    assert not after.is_met_by("a", "et", State.SUCCESS, labels)
    assert not after.is_met_by("a", "etl", State.WARNING, labels)
    assert not after.is_met_by("a", "etl", State.SUCCESS, {"k": "w"}.items())
    assert not after.is_met_by("a", "etl", State.SUCCESS, ())


def test_a_state_in_which_no_run_ends_here_is_a_warning() -> None:
    etl = "{namespace: a, flowId: e, states: [SUCCESS, CANCELLED]}"
    manifest = read(f"type: {FLOW}, states: [SUCCESS, PAUSED], dependsOn: [{etl}]")
    assert [str(each).partition(" at line")[0] for each in manifest.warnings] == [
        "triggers[0].states[1]: without effect: no run ends as PAUSED here",
        "triggers[0].dependsOn[0].states[1]: without effect: no run ends as CANCELLED here",
    ]


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (
            f"type: {CORE}trigger.Webhook, key: a",
            "triggers[0].type: there is no trigger '" + CORE + "trigger.Webhook' here: drop a run request",
        ),
        (f"type: {CORE}trigger.ScheduleOnDates", "write a Schedule, and in its `when` the dates"),
        (f"type: {CORE}trigger.Toggle", "put the flow with `disabled` of the trigger"),
        ("type: io.kestra.plugin.core.http.Trigger", "look for it in the commands of a flow with a Schedule"),
        ("type: io.kestra.plugin.aws.s3.Trigger", "look for it in the commands"),
        (f"type: {CORE}trigger.Shedule", f'did you mean "{SCHEDULE}"?'),
        (f"type: {SCHEDULE}", "triggers[0].cron: this property is missing"),
        (
            f"type: {SCHEDULE}, {AT_9}, withSeconds: true",
            "triggers[0].withSeconds: runs start on the minute",
        ),
        (f"type: {SCHEDULE}, cron: 9", "triggers[0].cron: expected text"),
        (
            f"type: {SCHEDULE}, {AT_9}, timezone: Europe/Berln",
            "there is no time zone 'Europe/Berln'; did you mean \"Europe/Berlin\"?",
        ),
        (f"type: {SCHEDULE}, {AT_9}, timezon: UTC", 'triggers[0].timezon: unknown property; did you mean "timezone"?'),
        (f"type: {SCHEDULE}, {AT_9}, recoverMissedSchedules: SOME", "expected 'ALL', 'LAST' or 'NONE'"),
        (f"type: {SCHEDULE}, {AT_9}, lateMaximumDelay: PT1H", "write `recoverMissedSchedules: NONE`"),
        (f"type: {SCHEDULE}, {AT_9}, stopAfter: [FAILED]", "let a task in `errors` tell somebody"),
        (f"type: {SCHEDULE}, {AT_9}, allowConcurrent: false", "write `concurrency: {limit: 1}` at the top of the flow"),
        (f"type: {SCHEDULE}, {AT_9}, backfill: {{}}", "drop a run request for each date"),
        (f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('PublicHoliday')}]", "there are no calendars of holidays"),
        (f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('ExecutionStatus')}]", "it is one of a Flow trigger"),
        (f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('DayWek')}]", f'did you mean "{CORE}condition.DayWeek"?'),
        (
            f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('DayWeek', 'dayOfWeek: MONDY')}]",
            'did you mean "MONDAY"?',
        ),
        (
            f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('TimeBetween')}]",
            "this has neither `after` nor `before`",
        ),
        (
            f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('TimeBetween', 'after: 8am')}]",
            "expected a time with its offset",
        ),
        (
            f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('TimeBetween', 'after: 25:00:00Z')}]",
            "expected a time with its offset",
        ),
        (f"type: {SCHEDULE}, {AT_9}, conditions: [{condition('Or', 'conditions: []')}]", "expected at least 1 entry"),
        (f"type: {SCHEDULE}, {AT_9}, dependsOn: []", "triggers[0].dependsOn: unknown property"),
        (f"type: {FLOW}", "a trigger follows one flow: name it in `dependsOn`"),
        (f"type: {FLOW}, states: [FAILED]", "a trigger follows one flow: name it in `dependsOn`"),
        (
            f"type: {FLOW}, dependsOn: [{{namespace: a}}]",
            "triggers[0].dependsOn[0].flowId: a trigger follows one flow: write its `flowId`",
        ),
        (
            f"type: {FLOW}, dependsOn: [{{flowId: a}}]",
            "triggers[0].dependsOn[0].namespace: a trigger follows one flow: write its `namespace`",
        ),
        (
            f"type: {FLOW}, dependsOn: [{{flowId: a, namespace: '{{{{ flow.namespace }}}}'}}]",
            "as it is: it is not rendered",
        ),
        (f"type: {FLOW}, dependsOn: [{ETL}, {ETL}]", "write a trigger for each"),
        (
            f"type: {FLOW}, preconditions: {{id: p, flows: [{ETL}, {ETL}]}}",
            "triggers[0].preconditions.flows: a trigger follows one flow",
        ),
        (
            f"type: {FLOW}, preconditions: {{id: p, where: [], flows: [{ETL}]}}",
            "triggers[0].preconditions.where: not supported here",
        ),
        (
            f"type: {FLOW}, preconditions: {{id: p, timeWindow: {{}}, flows: [{ETL}]}}",
            "triggers[0].preconditions.timeWindow: not supported",
        ),
        (f"type: {FLOW}, dependsOn: [{ETL}], mode: ANY", "triggers[0].mode: not supported here"),
        (
            f"type: {FLOW}, dependsOn: [{ETL}], window: {{deadline: '09:00:00'}}",
            "triggers[0].window: not supported here",
        ),
        (f"type: {FLOW}, dependsOn: [{ETL}], onMiss: {{}}", "triggers[0].onMiss: not supported here"),
        (
            f"type: {FLOW}, dependsOn: [{ETL}], states: [RUNNING]",
            "a run is followed once it has ended, which RUNNING is not",
        ),
        (f"type: {FLOW}, dependsOn: [{ETL}], states: [SUCESS]", 'did you mean "SUCCESS"?'),
        (f"type: {FLOW}, dependsOn: [{ETL}], states: [PAUSED]", "this follows no run"),
        (
            f"type: {FLOW}, states: [SUCCESS], dependsOn: [{{namespace: a, flowId: e, states: [FAILED]}}]",
            "this follows no run",
        ),
        (
            f"type: {FLOW}, conditions: [{condition('ExecutionNamespace', 'namespace: a, prefix: true')}]",
            "of one namespace",
        ),
        (
            f"type: {FLOW}, dependsOn: [{ETL}], conditions: [{condition('ExecutionNamespace', 'namespace: b')}]",
            "write a trigger for each",
        ),
        (
            f"type: {FLOW}, conditions: [{condition('ExecutionOutputs', 'expression: x')}]",
            "write `when`, as in `{{ trigger.outputs.rows > 0 }}`",
        ),
        (
            f"type: {FLOW}, conditions: [{condition('MultipleCondition')}]",
            "a trigger follows one flow; write a trigger for each",
        ),
        (f"type: {FLOW}, conditions: [{condition('HasRetryAttempt')}]", "write an expression into `when`"),
        (f"type: {FLOW}, cron: 0 9 * * *, dependsOn: [{ETL}]", "triggers[0].cron: unknown property"),
    ],
)
def test_what_is_not_here_is_refused_in_a_stored_flow_with_what_to_do(trigger: str, message: str) -> None:
    found = refused(trigger)
    assert len(found) == 1, found
    assert message in found[0]
    assert " at line 5, column " in found[0]


def test_all_mistakes_of_all_triggers_are_told_at_once_with_those_of_tasks() -> None:
    text = (
        "id: f\nnamespace: n\ntasks: [{id: t, comands: [x]}]\ntriggers:\n"
        f"  - {{id: a b, type: {SCHEDULE}, cron: x}}\n"
        "  - x\n"
        f"  - {{type: {FLOW}, dependsOn: [{{namespace: a}}]}}\n"
        f"  - {{id: d, type: {SCHEDULE}, cron: '@dayly', tz: UTC}}\n"
    )
    with pytest.raises(BrokenManifest) as caught:
        read_manifest(text, "a.yaml", stored=True)
    assert [problem.path for problem in caught.value.problems] == [
        "tasks[0].comands", "triggers[0].id", "triggers[0].cron", "triggers[1]", "triggers[2].id",
        "triggers[2].dependsOn[0].flowId", "triggers[3].cron", "triggers[3].tz",
    ]  # fmt: skip
    assert caught.value.rest is not None


def test_conditions_of_kestra_1_are_texts_like_when_each_at_its_place() -> None:
    monday = condition("DayWeek", "dayOfWeek: MONDAY")
    schedule = the_schedule(f"{AT_9}, conditions: [{monday}, {condition('Weekend')}], scheduleConditions: [{monday}]")
    assert list(schedule.whens) == [
        (("conditions", 0), "{{ dayOfWeek((trigger.date)) == 'MONDAY' }}"),
        (("conditions", 1), "{{ isWeekend((trigger.date)) }}"),
        (("scheduleConditions", 0), "{{ dayOfWeek((trigger.date)) == 'MONDAY' }}"),
    ]
    trigger = the_flow_trigger(f"when: a, dependsOn: [{{namespace: a, flowId: b, when: c}}], conditions: [{WELL}]")
    assert list(trigger.whens) == [(("when",), "a"), (("dependsOn", 0, "when"), "c")]
