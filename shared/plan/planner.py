"""Plans the tasks of one round: their order, fan-outs, expressions, and files of earlier tasks."""

from __future__ import annotations

import itertools

from shared.documents.items import Item
from shared.documents.run import Run
from shared.documents.states import JobReason, Phase, SkippedBy
from shared.errors import Problem
from shared.manifest.problems import each_once
from shared.manifest.read import Manifest
from shared.plan._conditions import Conditions
from shared.plan._context import Context
from shared.plan._directories import Directories, paths_of
from shared.plan._fan_out import ItemSource, items_of, share_files, why_empty
from shared.plan._graph import FlowGraph
from shared.plan._graph_task import in_dependency_order, never_run
from shared.plan._limits import too_many_tasks
from shared.plan._loop_outputs import LoopOutputs
from shared.plan._loops import Loops
from shared.plan._names_used import depends_on_item
from shared.plan._output_globs import globs_of_options, output_patterns
from shared.plan._phases import states_of
from shared.plan._places import pool_of, staging_container
from shared.plan._renderings import Renderings
from shared.plan._round_order import RoundOrder
from shared.plan._rounds import split, why_not_earlier
from shared.plan._tasks import TaskPlanner
from shared.plan._ties import tied
from shared.plan._without_node import evaluated, evaluated_for, wrong
from shared.plan.inputs import with_inputs
from shared.plan.lookups import Lookups, MissingData
from shared.plan.round_plan import UNKNOWN_ITEM, NothingToRun, PlannedTask, SubmittedTask
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
        context, self._input_problems = with_inputs(Context(manifest.flow, run, settings), manifest)
        self._indexes = {task.id: index for index, task in enumerate(manifest.flow.tasks)}
        self._tasks = {task.id: task for task in manifest.flow.node_tasks}
        self._items: dict[str, tuple[Item, ...] | None] = {}
        self._patterns: dict[tuple[str, int | None], tuple[OutputPattern, ...]] = {}
        self._graph = FlowGraph(manifest, context.values)
        wrong_inputs, knows = bool(self._input_problems), self._knows_outputs
        self._renderings = Renderings(
            manifest, context, self._graph, self, self._lookups, has_wrong_inputs=wrong_inputs, knows_outputs=knows
        )
        bindings_of = self._renderings.bindings
        ended = run.body.finished
        self._conditions = Conditions(manifest, self._graph, ended, bindings_of)
        left_out, evaluated_of = self._conditions.is_left_out_for, self._evaluated_for
        self.loops = Loops(manifest, self._graph, run, self._lookups, bindings_of, left_out, evaluated_of)
        self.loop_outputs = LoopOutputs(self._graph, run, self._lookups, self.loops, bindings_of)
        self._directories = Directories(manifest, self._graph, self._conditions, ended)
        states = states_of(manifest, run)
        self.is_first = not states and not run.body.jobs and not run.body.parts_of_planning
        self._unread: set[str] = set()
        graph, is_first = self._graph.tasks, run.progress.round == 1
        self._never = never_run(graph, states)
        self._over = states.keys() | self._never
        pools, are_empty, are_out, loops = self.pool_id, self.is_empty, self.is_left_out, self.loops.place
        self.split = split(graph, states, pools, are_empty, is_left_out=are_out, place_loop=loops, is_first=is_first)
        self._order = RoundOrder(self._graph, self.loops, self.split, self._items_to_run)

    @property
    def missing(self) -> MissingData:
        """The data that must be read before the round can be planned."""
        return self._lookups.missing

    def later(self) -> dict[str, JobReason]:
        """Why each task of later jobs cannot be in this one; the reason may be that of one before it."""
        graph, later = self._graph.tasks, set(self.split.later)
        pools = {name: self.pool_id(name) for name in later.intersection(self._tasks)}
        found: dict[str, JobReason] = {}
        for task in (each for each in in_dependency_order(graph) if each.id in later):
            reason, pool = why_not_earlier([task], graph), pools.get(task.id)
            before = [name for name in task.waits_for if name in found and pool in (None, pools.get(name, pool))]
            found[task.id] = found[before[0]] if before and reason is JobReason.POOL else reason
        return {name: found[name] for name in self.split.later if name in pools}  # no job has what the app evaluates

    def problems(self) -> list[Problem]:
        """All problems found so far, in the order of the file."""
        of_tasks = itertools.chain.from_iterable(self._problems_of_tasks().values())
        return each_once([*self._input_problems, *self._graph.problems, *of_tasks])

    def _problems_of_tasks(self) -> dict[str, list[Problem]]:
        found: dict[str, list[Problem]] = {}
        for key, of_condition in self._conditions.renderings.items():
            found.setdefault(key[0], []).extend(of_condition.problems)
        for name, rendering in self._renderings:
            if self.is_first or name in self._tasks or not self._graph.loops(name):  # otherwise failures of its items
                found.setdefault(name, []).extend(rendering.problems)
        for name, problem in self.loops.problems_of_tasks():
            found.setdefault(name, []).append(problem)
        return {name: each_once(problems) for name, problems in found.items()}

    def incomplete(self) -> list[str]:
        """The tasks of the round that have a skipped text: none, unless the order of the rounds is wrong."""
        skipped = {name for name, rendering in self._renderings if not rendering.is_complete}
        return sorted(self._unread.union(skipped.intersection(self.split.ready)))

    def tasks(self) -> tuple[PlannedTask, ...]:
        """The tasks of the round, numbered from 1 in the order in which they can run."""
        if not self._has_few_enough_tasks():
            return ()
        by_name: dict[str, list[PlannedTask]] = {}
        for number, (name, item) in self._order.numbered():
            by_name.setdefault(name, []).append(self._task(self._submitted(name, item, number)))
            self._renderings.forget(name, item)
        planned = [share_files(tasks) if self._graph.is_fan_out(name) else tasks for name, tasks in by_name.items()]
        in_order = sorted((task for tasks in planned for task in tasks), key=lambda task: task.number)
        return tied(in_order, self._run.progress.round)

    def _has_few_enough_tasks(self) -> bool:
        count = 0
        for name, items in self._order.counts().items():
            count += items
            if message := too_many_tasks(count):
                self._renderings.of(name).fail(("foreach",), message)
                return False
        return True

    def submitted_tasks(self) -> tuple[SubmittedTask, ...]:
        """The tasks of the round, with only what recording them needs."""
        return tuple(self._submitted(name, item, number) for number, (name, item) in self._order.numbered())

    def _submitted(self, name: str, item: Item | None, number: int = 0) -> SubmittedTask:
        task, is_in_loop = self._tasks[name], bool(self._graph.loops(name)) and number > 0
        return SubmittedTask(
            number=number,
            name=name,
            item=item,
            allow_failure=task.allow_failure,
            allows_warnings=task.allow_warning,
            slots=task.required_slots,
            warns_of_retries=task.retry is not None and task.retry.warning_on_retry,
            output_patterns=self.patterns(name, item),
            paths=paths_of(self._run, self._graph, name, item),
            depends_on=self._order.depends_on(name, item) if number else (),
            branches=self.loops.branches.of(name, item) if item and is_in_loop else self._graph.branches(name),
            begins=self.loops.branches.begins(name, item) if item and is_in_loop else self._graph.begun_branches(name),
        )

    def check_later(self) -> None:
        """Collect the problems of the tasks of later rounds, as far as they show now."""
        for name in (*self.split.later, *self.split.passed, *(self.split.empty if self.is_first else ())):
            if self.is_left_out(name):
                continue  # its condition may be there to keep its expressions from being rendered
            self._conditions.check(name)
            items = self._items_to_run(name) if self.is_known(name) else ()
            item = items[0] if items else UNKNOWN_ITEM
            if app_task := self._graph.app_task(name):
                evaluated(app_task, self._renderings.of(name, item))
            else:
                self._task(self._submitted(name, item))

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
        task, rendering, scope = self._tasks[name], self._renderings.of(name, item), self._renderings.scope(name, item)
        namespace, turn = self._manifest.flow.namespace, self._directories.turn(name)
        return TaskPlanner(task, rendering, scope, self._lookups, self._settings, namespace, turn).planned(submitted)

    # --- fan-outs

    def items_of(self, name: str) -> tuple[Item, ...]:
        """The items of a fan-out; none if they are not known yet, or it is left out."""
        if self.is_left_out(name):
            return ()
        if self._graph.loops(name):
            self._items[name] = self.loops.items_of(name)
        elif name not in self._items:
            source = ItemSource(name, self._tasks[name].foreach)
            self._items[name] = items_of(source, self._renderings.of(name), self._run, self._lookups)
        return self._items[name] or ()

    def is_empty(self, name: str) -> bool:
        """Whether a task is a fan-out that is known to have no items."""
        return self._graph.is_fan_out(name) and not self.items_of(name) and self.is_known(name)

    def is_left_out(self, name: str) -> bool:
        """Whether a task is left out by a condition, which is not asked before what the task follows has ended."""
        return self._graph.tasks[name].follows <= self._over and self._conditions.is_left_out(name)

    def has_no_outputs(self, name: str) -> bool:
        """Whether a task is left out, or can never run, so that it has no outputs."""
        return name in self._never or self.is_left_out(name)

    @property
    def phase(self) -> Phase:
        """The part of the flow that the tasks of the round are in."""
        return self._graph.phase(self.split.ready[0]) if self.split.ready else Phase.TASKS

    def empty(self) -> tuple[NothingToRun, ...]:
        """The tasks with nothing to run whose turn it is; called after the tasks of the round have their numbers."""
        return tuple(self._order.empty(self._why_left_out, self._why_empty))

    def turn(self) -> tuple[NothingToRun, ...]:
        """The tasks, and items of tasks in loops, that the app can evaluate now."""
        app_tasks = [task for task in map(self._graph.app_task, self.split.turn) if task]
        alone = (evaluated(task, self._renderings.of(task.id)) for task in app_tasks if not self._graph.loops(task.id))
        in_loops = itertools.chain.from_iterable(self.loops.evaluated(task.id).values() for task in app_tasks)
        return (*alone, *in_loops)

    def _evaluated_for(self, name: str, item: Item) -> NothingToRun | None:
        task = self._graph.app_task(name)
        found = evaluated_for(task, item, self._renderings.of(name, item), self._renderings.of(name)) if task else None
        if found is None:
            self._unread.add(name)
        return found

    def wrong(self) -> tuple[NothingToRun, ...]:
        """The tasks whose turn it is, but whose expressions turn out wrong: they have failed."""
        now = {*self.split.ready, *self.split.empty, *self.split.turn}
        found = {name: problems for name, problems in self._problems_of_tasks().items() if name in now and problems}
        return tuple(
            wrong(self._manifest.flow.tasks[self._indexes[name]], problems) for name, problems in found.items()
        )

    def _why_left_out(self, name: str) -> SkippedBy | None:
        return self._conditions.why_left_out(name) if self.is_left_out(name) else None

    def _why_empty(self, name: str) -> str | None:
        return why_empty(self._tasks[name], self._renderings.of(name)) if name in self._tasks else None

    # --- pool and staging container

    def pool_id(self, name: str) -> str:
        """The pool of a task."""
        default = self._run.body.default_pool or self._settings.batch.pool_id
        return pool_of(self._tasks[name], self._renderings.of(name), default)

    def staging(self) -> str:
        """The staging container of all tasks: their files pass through it to and from the nodes."""
        tasks = ((self._tasks[name], self._renderings.of(name)) for name in self._graph.tasks if name in self._tasks)
        return staging_container(tasks, default_staging(self._run, self._settings), self._settings)

    # --- expressions

    def patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """The patterns of the files that a task, or a fan-out's task for one item, uploads."""
        own = self.own_patterns(name, item)
        is_in_directory = self._graph.directory(name) is not None
        return (
            (*own, *self._directories.patterns(name, self._renderings.of(name), len(own))) if is_in_directory else own
        )

    def own_patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """Of these, those that are not of its group; known before it is known which task of a group is the last."""
        task = self._tasks[name]
        key = (name, item.index if item and any(map(depends_on_item, task.output_files)) else None)
        if key not in self._patterns:
            globs = self._renderings.of(name, item).output_globs(("outputFiles",), task.output_files)
            self._patterns[key] = output_patterns((*globs, *globs_of_options(task)))
        return self._patterns[key]

    def _knows_outputs(self, name: str, item: Item | None) -> bool:
        used = {other for other in self._graph.tasks[name].uses_values_of if not self.has_no_outputs(other)}
        open_ = used - self._run.body.finished.keys()
        return all(self.loops.has_ended(name, other, item) for other in open_)
