"""Plans the tasks of one round: their order, fan-outs, expressions, and files of earlier tasks."""

from __future__ import annotations

from functools import partial

from shared.documents.items import Item
from shared.documents.run import Run
from shared.documents.states import JobReason, State
from shared.errors import ManifestError, Problem
from shared.manifest.problems import each_once, first_problems
from shared.manifest.read import Manifest
from shared.manifest.types import PropertyPath
from shared.plan._conditions import Conditions
from shared.plan._fan_out import ItemSource, items_of, share_files, why_empty
from shared.plan._graph import FlowGraph
from shared.plan._limits import too_large, too_many_tasks
from shared.plan._loop_outputs import LoopOutputs
from shared.plan._loop_values import PlaceInLoop
from shared.plan._loops import Loops
from shared.plan._names_used import depends_on_item
from shared.plan._output_globs import globs_of_options, output_patterns
from shared.plan._places import pool_of, staging_container
from shared.plan._rendering import Bindings, Rendering
from shared.plan._round_order import RoundOrder
from shared.plan._rounds import split, why_not_earlier
from shared.plan._scope import Context, Scope
from shared.plan._taken_files import taken_files
from shared.plan._tasks import TaskPlanner
from shared.plan._ties import tied
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
        self.loops = Loops(
            manifest, self._graph, run, self._lookups, self._bindings_of, self._conditions.is_left_out_for
        )
        self.loop_outputs = LoopOutputs(self._graph, run, self._lookups, self.loops, self._bindings_of)
        states = {name: State.SUCCESS if task.is_left_out else task.state for name, task in ended.items()}
        self._is_first = not states
        graph, is_first = self._graph.tasks, run.progress.round == 1
        pools, are_empty, are_out, loops = self.pool_id, self.is_empty, self.is_left_out, self.loops.place
        self.split = split(graph, states, pools, are_empty, is_left_out=are_out, place_loop=loops, is_first=is_first)
        self._order = RoundOrder(self._graph, self.loops, self.split, self._items_to_run)

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
        return each_once(
            [*self._input_problems, *self._graph.problems, *self._conditions.problems, *self.loops.problems, *of_tasks]
        )

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
        count = 0
        for name, items in self._order.counts().items():
            count += items
            if message := too_many_tasks(count):
                self._rendering(name).fail(("foreach",), message)
                return False
        return True

    def submitted_tasks(self) -> tuple[SubmittedTask, ...]:
        """The tasks of the round, with only what recording them needs."""
        return tuple(self._submitted(name, item, number) for number, (name, item) in self._order.numbered())

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
            depends_on=self._order.depends_on(name, item) if number else (),
            branches=self.loops.branches(name, item) if item and is_in_loop else self._graph.branches(name),
            begins=self.loops.begins(name, item) if item and is_in_loop else self._graph.begun_branches(name),
        )

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
            self._items[name] = self.loops.items_of(name)
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
        return tuple(self._order.empty(self.is_left_out, self._why_empty))

    def _why_empty(self, name: str) -> str | None:
        return why_empty(self._tasks[name][1], self._rendering(name))

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
            self._scopes[key], bindings = self._in_scope(name, item, PlaceInLoop(self._graph.placed(name).is_in_group))
            fan_out = self._rendering(name) if item else None
            self._renderings[key] = Rendering(partial(_problem, self._manifest, index), bindings, fan_out)
        return self._renderings[key]

    def _bindings_of(self, name: str, item: Item | None, place: PlaceInLoop) -> Bindings:
        return self._in_scope(name, item, place)[1]

    def _in_scope(self, name: str, item: Item | None, place: PlaceInLoop) -> tuple[Scope, Bindings]:
        """What a task, or a fan-out's task for one item, can use."""
        scope = Scope(self._tasks[name][1], item, self._context, self._graph, self, self._lookups, place)
        unknown = {*self._manifest.gaps.values, *(["inputs"] if self._input_problems else [])}
        if item is UNKNOWN_ITEM or name in self._manifest.gaps.items:
            unknown |= {"item", "taskrun", "parent", "parents"}
        used = {other for other in self._graph.tasks[name].uses_values_of if not self.is_left_out(other)}
        open_ = used - self._run.body.finished.keys()
        if self._manifest.gaps.is_any or not all(self.loops.has_ended(name, other, item) for other in open_):
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
    return SubmittedRound(staging, tasks, planner.empty(), planner.loops.left_for_later(planner.split.ready))


def staging_of(manifest: Manifest, run: Run, settings: Settings) -> str:
    """The run's staging container."""
    return Planner(manifest, run, settings).staging()
