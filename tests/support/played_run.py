"""Plays a run without services: its rounds are planned, and end as the tasks in Azure Batch would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.documents.ended_task import EndedTask, TaskState
from shared.documents.external_data import ExternalData, TextRead
from shared.documents.items import Item
from shared.documents.run import Run
from shared.documents.states import State
from shared.documents.task_result import ItemRecord, TaskRecord
from shared.manifest.read import Manifest
from shared.outputs.ended_in_planning import plan_with_ended
from shared.outputs.fan_outs import fan_out_record
from shared.outputs.files import NO_FILES
from shared.outputs.judgement import Judgement, judge
from shared.outputs.nothing_to_run import items_of_nothing, records_of_nothing, unfinished_items
from shared.outputs.outcome import SKIPPED, outcome_of
from shared.outputs.printed import Printed
from shared.outputs.record_tasks import task_record
from shared.plan.lookups import MissingData
from shared.plan.plan_round import has_next_round, submitted_round
from shared.plan.round_plan import PlannedTask, RoundPlan, SubmittedRound, SubmittedTask
from shared.plan.run_manifest import checked_manifest
from shared.plan.run_state import run_state
from shared.script.build import SKIPPED_EXIT_CODE, Marker, ScriptReport
from shared.settings import Settings
from shared.steps._external_data import MAX_READINGS
from tests.support.kestra_model import Fails, Key, Values, as_text

Prints = Callable[[str, Values], Mapping[str, object]]
MAX_ROUNDS = 200

_SAYS_SKIPPED = ScriptReport(Marker.SKIPPED, "a task before it did not end well")


@dataclass(frozen=True)
class Played:
    """What became of a run: the states of the tasks that ran, or that a condition left out, and its own."""

    state: str
    runs: Mapping[Key, str]


def play(run: Run, settings: Settings, fails: Fails, prints: Prints) -> Played:
    """Play the run to its end. Raises ManifestError if its manifest is refused."""
    manifest = checked_manifest(run, settings)
    for _ in range(MAX_ROUNDS):
        run, plan = _planned(run, manifest, settings)
        if plan.tasks or plan.empty:
            run = _after_round(run, plan, manifest, settings, fails, prints)
        if not (plan.tasks and has_next_round(manifest, run, settings)):
            return _played(run, manifest)
        run = run.next_round()
    raise AssertionError("it has ever more rounds")


def _played(run: Run, manifest: Manifest) -> Played:
    records = run.body.finished
    missing = (task.id for task in manifest.flow.tasks if task.id not in records)
    all_records = [*records.values(), *(TaskRecord(id=name, state=State.SKIPPED) for name in missing)]
    runs: dict[Key, str] = {}
    for name, record in records.items():
        if name.endswith(".defaults"):
            continue  # the failure of a Switch, which is no task run of its own in Kestra
        each = (run.items or {}).get(name, ()) if record.items else [record]
        runs |= {
            (name, _values(one.item) if isinstance(one, ItemRecord) else ()): one.state.value
            for one in each
            if one.state is not State.SKIPPED or one.is_left_out
        }
    return Played(run_state(manifest.flow, all_records, cancelled=False).value, runs)


def _values(item: Item | None) -> Values:
    return tuple(as_text(each.value) for each in item.lineage) if item else ()


def _planned(run: Run, manifest: Manifest, settings: Settings) -> tuple[Run, RoundPlan]:
    """The plan of a round. Namespaces are empty, and every text that is read is the same."""
    for _ in range(MAX_READINGS):
        run, plan = plan_with_ended(manifest, run.with_items(run.items or {}), settings)
        if isinstance(plan, RoundPlan):
            return run, plan
        run = _answered(run, plan)
    raise AssertionError(f"it asks for ever more: {plan}")


def _answered(run: Run, needs: MissingData) -> Run:
    read = ExternalData(
        namespace_files=dict.fromkeys(needs.namespace_files, ()),
        namespace_items=dict.fromkeys(needs.namespace_items, ("a",)),
        etags=dict.fromkeys(needs.etags, "1"),
        texts=dict.fromkeys(needs.texts, TextRead(text='{"a": 1}')),
    )
    return run.with_external_data(run.body.outside.joined(read))


# --- the end of a round


def _after_round(
    run: Run, plan: RoundPlan, manifest: Manifest, settings: Settings, fails: Fails, prints: Prints
) -> Run:
    """The run with what the tasks of the round left; as `record_run` does it."""
    submitted = submitted_round(manifest, run, settings)
    assert isinstance(submitted, SubmittedRound)
    tasks = _in_batch(plan, fails)
    judgement = judge(run, submitted, tasks, ran_out_of_time=False)
    assert not judgement.again
    records = [_record(task, tasks[task.id], judgement, prints) for task in submitted.tasks]
    stored = {name: {item.index: item for item in items} for name, items in (run.items or {}).items()}
    for task, record in zip(submitted.tasks, records, strict=True):
        if isinstance(record, ItemRecord):
            stored.setdefault(task.name, {})[record.index] = record
    for name, items in items_of_nothing(submitted.empty, judgement.of_empty).items():
        stored.setdefault(name, {}).update({item.index: item for item in items})
    in_order = {name: tuple(item for _, item in sorted(items.items())) for name, items in stored.items()}
    later = unfinished_items(submitted, judgement)
    now = {task.name for task in submitted.tasks if task.item} | {each.name for each in submitted.empty if each.item}
    done = [record for record in records if isinstance(record, TaskRecord)]
    done += [fan_out_record(name, in_order[name]) for name in now if name in in_order and name not in later]
    done += records_of_nothing(submitted.empty, judgement.of_empty, in_order)
    return run.with_finished(done, None).with_unfinished(later).with_items(in_order)


def _in_batch(plan: RoundPlan, fails: Fails) -> dict[str, EndedTask]:
    """How the tasks of a job end that run in their order, each after those before it have ended."""
    found: dict[str, EndedTask] = {}
    well: set[int] = set()
    failed: list[PlannedTask] = []
    for task in plan.tasks:
        is_stopped = any(
            own.group == other.group and own != other for own in task.begins for bad in failed for other in bad.branches
        )
        if any(other.ties.ends_job for other in failed):
            found[task.id] = EndedTask(state=TaskState.ACTIVE)
        elif is_stopped or not well.issuperset(task.depends_on):
            found[task.id] = EndedTask(state=TaskState.COMPLETED, exit_code=SKIPPED_EXIT_CODE)
        else:
            is_ill = fails(task.name, _values(task.item))
            found[task.id] = EndedTask(state=TaskState.COMPLETED, exit_code=int(is_ill), succeeded=not is_ill)
            if task.allow_failure or not is_ill:
                well.add(task.number)
            else:
                failed.append(task)
    return found


def _record(task: SubmittedTask, ended: EndedTask, judgement: Judgement, prints: Prints) -> TaskRecord | ItemRecord:
    report = _SAYS_SKIPPED if ended.exit_code == SKIPPED_EXIT_CODE else None
    outcome = SKIPPED if task.number in judgement.skipped else outcome_of(ended, report)
    printed = Printed()
    if outcome is not SKIPPED:
        printed.vars.update(prints(task.name, _values(task.item)))
    return task_record(task, outcome, NO_FILES, printed)
