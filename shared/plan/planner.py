"""Plans the tasks of one round: their order, fan-outs, expressions, and files of earlier tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from shared.documents.record import Item, ItemRecord
from shared.documents.run import Run
from shared.documents.states import JobReason, State
from shared.expressions.render import render
from shared.errors import ManifestError, Problem
from shared.manifest.problems import each_once, first_problems
from shared.manifest.read import Manifest
from shared.manifest.types import PropertyPath
from shared.plan._conditions import Conditions
from shared.plan._fan_out import ItemSource, items_of, share_files, why_empty
from shared.plan._graph import FlowGraph
from shared.plan._loop_values import typed
from shared.plan._loops import Loops
from shared.plan._limits import too_large, too_many_tasks
from shared.plan._names_used import depends_on_item
from shared.plan._output_globs import globs_of_options, output_patterns
from shared.plan._places import pool_of, staging_container
from shared.plan._rendering import Bindings, Rendering
from shared.plan._rounds import split, waits_in_round, why_not_earlier
from shared.plan._scope import Context, Scope
from shared.plan._taken_files import taken_files
from shared.plan._tasks import TaskPlanner
from shared.plan._ties import tied
from shared.plan._units import Late, Unit, Wait
from shared.plan.inputs import with_inputs
from shared.plan.lookups import Lookups, MissingData
from shared.plan.round_plan import UNKNOWN_ITEM, NothingToRun, PlannedTask, RoundPlan, SubmittedRound, SubmittedTask
from shared.plan.upstream import OutputPattern
from shared.settings import Settings


def default_staging(run: Run, settings: Settings) -> str:
    """The app's staging container at the time when the run was accepted."""
    return run.body.default_staging or settings.containers.staging


class Planner:
    """Plans the tasks of one run: makes one rendering for each task and item; collects problems and missing data."""

    def __init__(self, manifest: Manifest, run: Run, settings: Settings) -> None:
        self._manifest = manifest
        self._run = run
        self._settings = settings
        self._lookups = Lookups(run)
        self._context, self._input_problems = with_inputs(Context(manifest.flow, run, settings), manifest)
        self._tasks = {task.id: (index, task) for index, task in enumerate(manifest.flow.tasks)}
        self._renderings: dict[tuple[str, int | None], Rendering] = {}
        self._scopes: dict[tuple[str, int | None], Scope] = {}
        self._items: dict[str, tuple[Item, ...] | None] = {}
        self._patterns: dict[tuple[str, int | None], tuple[OutputPattern, ...]] = {}
        self._graph = FlowGraph(manifest, self._context.values())
        ended = run.body.finished
        self._conditions = Conditions(manifest, self._graph, ended, self._bindings_of)
        self._loops = Loops(
            manifest, self._graph, run, self._lookups, self._bindings_of, self._conditions.is_left_out_for
        )
        states = {name: State.SUCCESS if task.is_left_out else task.state for name, task in ended.items()}
        self._is_first = not states
        graph, is_first = self._graph.tasks, run.progress.round == 1
        self.split = split(
            graph,
            states,
            self.pool_id,
            self.is_empty,
            is_left_out=self.is_left_out,
            place_loop=self._loops.place,
            is_first=is_first,
        )
        self._waits_in_round = waits_in_round(graph, self.split)
        self._numbers: dict[Unit, int] = {}

    @property
    def missing(self) -> MissingData:
        """The data that must be read before the round can be planned."""
        return self._lookups.missing

    def later(self) -> dict[str, JobReason]:
        """The tasks of later rounds, and why each cannot run in this one."""
        graph = self._graph.tasks
        return {name: why_not_earlier([graph[name]], graph) for name in self.split.later}

    def problems(self) -> list[Problem]:
        """All problems found so far, in the order of the file."""
        of_tasks = [problem for rendering in self._renderings.values() for problem in rendering.problems]
        return each_once([*self._input_problems, *self._graph.problems, *self._conditions.problems, *self._loops.problems, *of_tasks])

    def incomplete(self) -> list[str]:
        """The tasks of the round that have a skipped text: none, unless the order of the rounds is wrong."""
        skipped = {name for (name, _), rendering in self._renderings.items() if not rendering.is_complete}
        return sorted(skipped.intersection(self.split.ready))

    def tasks(self) -> tuple[PlannedTask, ...]:
        """The tasks of the round, numbered from 1 in the order in which they can run."""
        if not self._has_few_enough_tasks():
            return ()
        by_name: dict[str, list[PlannedTask]] = {}
        for task in self.submitted_tasks():
            by_name.setdefault(task.name, []).append(self._task(task))
        planned = [share_files(tasks) if self._graph.is_fan_out(name) else tasks for name, tasks in by_name.items()]
        in_order = sorted((task for tasks in planned for task in tasks), key=lambda task: task.number)
        return tied(in_order, self._run.progress.round)

    def _has_few_enough_tasks(self) -> bool:
        for count, (name, _) in enumerate(self._units(), start=1):
            if message := too_many_tasks(count):
                self._rendering(name).fail(("foreach",), message)
                return False
        return True

    def _units(self) -> Iterator[tuple[str, Item | None]]:
        """The tasks of the round with their items, each after those that it waits for."""
        ready, in_loops = self.split.ready, set[str]()
        for name in ready:
            if not self._graph.loops(name):
                yield from ((name, item) for item in self._items_to_run(name))
            elif name not in in_loops:
                for unit in self._loops.ready_with(name, ready):
                    in_loops.add(unit.task)
                    yield unit.task, self._loops.known_items_of(unit.task)[unit.item]

    def submitted_tasks(self) -> tuple[SubmittedTask, ...]:
        """The tasks of the round, with only what recording them needs."""
        submitted: list[SubmittedTask] = []
        for name, item in self._units():
            number = len(submitted) + 1
            self._numbers[Unit(name, item.index if item else -1)] = number
            submitted.append(self._submitted(name, item, number))
        return tuple(submitted)

    def waits_for(self, name: str) -> tuple[int, ...]:
        """The numbers of the tasks of the round that must end well before a task that is ready, or an empty fan-out.

        Those in the same loops do not count: for them it waits item by item.
        """
        before = self._waits_in_round.get(name, ())
        others = (other for other in before if not self._graph.shares_loop(name, other))
        return tuple(self._numbers[Unit(other, -1)] for other in others)

    def _waits_of(self, waits: tuple[Wait, ...]) -> tuple[int, ...]:
        """The numbers of units, and of what tasks wait for outside of their loops."""
        found: dict[int, None] = {}
        for wait in waits:
            found |= dict.fromkeys(self.waits_for(wait) if isinstance(wait, str) else (self._numbers[wait],))
        return tuple(found)

    def _submitted(self, name: str, item: Item | None, number: int = 0) -> SubmittedTask:
        task, is_in_loop = self._tasks[name][1], bool(self._graph.loops(name)) and number > 0
        return SubmittedTask(
            number=number,
            name=name,
            item=item,
            allow_failure=task.allow_failure,
            warns_of_retries=task.retry is not None and task.retry.warning_on_retry,
            output_patterns=self.patterns(name, item),
            paths=self._scope(name, item).paths,
            depends_on=self._depends_on(name, item) if number else (),
            branches=self._loops.branches(name, item) if item and is_in_loop else self._graph.branches(name),
            begins=self._loops.begins(name, item) if item and is_in_loop else self._graph.begun_branches(name),
        )

    def _depends_on(self, name: str, item: Item | None) -> tuple[int, ...]:
        if item is None or not self._graph.loops(name):
            return self.waits_for(name)
        return self._waits_of(self._loops.waits(Unit(name, item.index)))

    def check_later(self) -> None:
        """Collect the problems of the tasks of later rounds, as far as they show now."""
        for name in (*self.split.later, *(self.split.empty if self._is_first else ())):
            if self.is_left_out(name):
                continue  # its condition may be there to keep its expressions from being rendered
            self._conditions.check(name)
            items = self._items_to_run(name) if self.is_known(name) else ()
            self._task(self._submitted(name, items[0] if items else UNKNOWN_ITEM))

    def is_known(self, name: str) -> bool:
        """Whether the items of a fan-out are known; always so if a task is not one."""
        is_known = not self._graph.is_fan_out(name) or bool(self.items_of(name))
        return is_known or self.is_left_out(name) or self._items[name] is not None

    def _items_to_run(self, name: str) -> tuple[Item | None, ...]:
        if not self._graph.is_fan_out(name):
            return (None,)
        items, unfinished = self.items_of(name), self._run.body.unfinished.get(name)
        return items if unfinished is None else tuple(item for item in items if item.index in unfinished)

    def _task(self, submitted: SubmittedTask) -> PlannedTask:
        name, item = submitted.name, submitted.item
        task, rendering, scope = self._tasks[name][1], self._rendering(name, item), self._scope(name, item)
        planner = TaskPlanner(task, rendering, scope, self._lookups, self._settings, self._manifest.flow.namespace)
        return planner.planned(submitted)

    # --- fan-outs

    def items_of(self, name: str) -> tuple[Item, ...]:
        """The items of a fan-out; none if they are not known yet, or it is left out."""
        if self.is_left_out(name):
            return ()
        if self._graph.loops(name):
            self._items[name] = self._loops.items_of(name)
        elif name not in self._items:
            source = ItemSource(name, self._tasks[name][1].foreach)
            self._items[name] = items_of(source, self._rendering(name), self._run, self._lookups)
        return self._items[name] or ()

    def is_empty(self, name: str) -> bool:
        """Whether a task is a fan-out that is known to have no items."""
        return self._graph.is_fan_out(name) and not self.items_of(name) and self.is_known(name)

    def is_left_out(self, name: str) -> bool:
        """Whether a task is left out by a condition."""
        return self._conditions.is_left_out(name)

    def empty(self) -> tuple[NothingToRun, ...]:
        """The tasks with nothing to run whose turn it is; called after the tasks of the round have their numbers."""
        found: list[NothingToRun] = []
        for name in self._graph.tasks:
            late = self._loops.nothing(name) if name in (*self.split.ready, *self.split.empty) else ()
            found += (self._nothing_for_item(name, each) for each in late)
            if name in self.split.empty and not late:
                found.append(self._nothing_to_run(name))
        return tuple(found)

    def _nothing_for_item(self, name: str, late: Late) -> NothingToRun:
        return NothingToRun(name, self._waits_of(late.waits), is_left_out=late.is_left_out, item=late.item)

    def _nothing_to_run(self, name: str) -> NothingToRun:
        if self.is_left_out(name):
            return NothingToRun(name, self.waits_for(name), is_left_out=True)
        return NothingToRun(name, self.waits_for(name), why_empty(self._tasks[name][1], self._rendering(name)))

    def left_for_later(self) -> dict[str, tuple[Item, ...]]:
        """The items of loops that run in later rounds, by task."""
        return self._loops.left_for_later(self.split.ready)

    # --- what expressions see of loops

    def sibling(self, name: str, item: Item) -> ItemRecord | Item | None:
        """How a task in loops ended for what an item of these belongs to; only the item as long as it has not."""
        return self._loops.sibling(name, item)

    def lines(self, name: str) -> Mapping[tuple[str, ...], int]:
        """The texts of the values of the items of a task in loops, and their places."""
        return self._loops.lines(name)

    def ended_items(self, name: str) -> Mapping[int, ItemRecord]:
        """How the items of a task ended, by their indexes."""
        return self._loops.ended_items(name)

    def iterations(self, loop: str, item: Item | None) -> tuple[Item, ...]:
        """The items of a loop that has ended, of those that belong to an item of a loop around it."""
        return self._loops.iterations(loop, item)

    def value_of(self, loop: str, item: Item) -> dict[str, Any]:
        """What a loop makes of the outputs for an item. Raises ExpressionError."""
        each, name = self._graph.loop(loop), self._graph.tasks_in(loop)[-1]
        _, bindings = self._in_scope(name, item, is_in_group=False, loop=loop)
        found: dict[str, Any] = {}
        for output in each.outputs:
            text = render(output.text, bindings.values, bindings.functions, bindings.budget, bindings.major)
            found[output.id] = typed(output, text)
        return found

    # --- pool and staging container

    def pool_id(self, name: str) -> str:
        """The pool of a task."""
        default = self._run.body.default_pool or self._settings.batch.pool_id
        return pool_of(self._tasks[name][1], self._rendering(name), default)

    def staging(self) -> str:
        """The staging container of all tasks: their files pass through it to and from the nodes."""
        tasks = ((self._tasks[name][1], self._rendering(name)) for name in self._graph.tasks)
        return staging_container(tasks, default_staging(self._run, self._settings), self._settings)

    # --- expressions

    def patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """The patterns of the files that a task, or a fan-out's task for one item, uploads."""
        task, rendering = self._tasks[name][1], self._rendering(name, item)
        key = (name, item.index if item and any(map(depends_on_item, task.output_files)) else None)
        if key in self._patterns:
            return self._patterns[key]
        globs = (*rendering.output_globs(("outputFiles",), task.output_files), *globs_of_options(task))
        return self._patterns.setdefault(key, output_patterns(globs))

    def _rendering(self, name: str, item: Item | None = None) -> Rendering:
        key = (name, item.index if item else None)
        if key not in self._renderings:
            index = self._tasks[name][0]
            self._scopes[key], bindings = self._in_scope(name, item, is_in_group=self._graph.placed(name).is_in_group)
            fan_out = self._rendering(name) if item else None
            self._renderings[key] = Rendering(partial(_problem, self._manifest, index), bindings, fan_out)
        return self._renderings[key]

    def _bindings_of(self, name: str, item: Item | None, is_in_group: bool) -> Bindings:  # noqa: FBT001
        return self._in_scope(name, item, is_in_group=is_in_group)[1]

    def _in_scope(
        self, name: str, item: Item | None, *, is_in_group: bool, loop: str | None = None
    ) -> tuple[Scope, Bindings]:
        """What a task, or a fan-out's task for one item, can use."""
        task = self._tasks[name][1]
        scope = Scope(
            task, item, self._context, self._graph, self, self._lookups, is_in_group=is_in_group, loop=loop
        )
        unknown = {*self._manifest.gaps.values, *(["inputs"] if self._input_problems else [])}
        if item is UNKNOWN_ITEM or name in self._manifest.gaps.items:
            unknown |= {"item", "taskrun", "parent", "parents"}
        used = {other for other in self._graph.tasks[name].uses_values_of if not self.is_left_out(other)}
        open_ = used - self._run.body.finished.keys()
        if self._manifest.gaps.is_any or not all(self._loops.has_ended(name, other, item) for other in open_):
            unknown.add("outputs")
        return scope, scope.bindings(unknown)

    def _scope(self, name: str, item: Item | None) -> Scope:
        self._rendering(name, item)
        return self._scopes[name, item.index if item else None]


def _problem(manifest: Manifest, index: int, path: PropertyPath, message: str) -> Problem:
    return manifest.problem(("tasks", index, *path), message)


def plan_round(manifest: Manifest, run: Run, settings: Settings) -> RoundPlan | MissingData:
    """The plan of the run's current round, without tasks if none can run; or the data that must be read first.

    Raises ManifestError with all problems that rendering finds, also in tasks of later rounds.
    """
    planner = Planner(manifest, run, settings)
    if planner.missing.items_of_fan_outs:
        return planner.missing
    tasks = planner.tasks()
    pool_id = planner.pool_id(tasks[0].name) if tasks else ""
    staging = planner.staging()
    planner.check_later()
    if problems := planner.problems():
        raise ManifestError(first_problems(problems))
    if planner.missing:
        return planner.missing
    if incomplete := planner.incomplete():
        raise RuntimeError(f"{incomplete} are ready, but what their expressions use is not known")
    plan = RoundPlan(
        pool_id=pool_id,
        staging=staging,
        priority=manifest.flow.priority,
        keep_job=not all(task.task_runner.delete for task in manifest.flow.tasks),
        reason=JobReason.INFRASTRUCTURE if run.progress.round in run.body.repeated_rounds else planner.split.reason,
        tasks=tasks,
        empty=planner.empty(),
        taken_files=taken_files(run, (task.uses for task in tasks)),
    )
    if limits := list(too_large(plan, settings)):
        raise ManifestError([manifest.problem_of_task(limit.task, limit.path, limit.message) for limit in limits])
    return plan


def has_next_round(manifest: Manifest, run: Run, settings: Settings) -> bool:
    """Whether any task is left that can run. Its problems and missing data are found when it is submitted."""
    try:
        planner = Planner(manifest, run, settings)
    except ManifestError:
        return True
    return bool(planner.split.ready or planner.split.empty or planner.missing.items_of_fan_outs)


def submitted_round(manifest: Manifest, run: Run, settings: Settings) -> SubmittedRound | MissingData:
    """The tasks that were submitted as the run's current round; or, as missing data, the items of fan-outs.

    Problems are ignored: a setting that has changed since must not prevent the recording of results.
    """
    planner = Planner(manifest, run, settings)
    tasks = () if planner.missing.items_of_fan_outs else planner.submitted_tasks()
    if planner.missing.items_of_fan_outs:
        return planner.missing
    staging = run.body.staging or planner.staging()
    return SubmittedRound(staging, tasks, planner.empty(), planner.left_for_later())


def staging_of(manifest: Manifest, run: Run, settings: Settings) -> str:
    """The run's staging container."""
    return Planner(manifest, run, settings).staging()
