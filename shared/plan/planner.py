"""Plans the tasks of one round: their order, fan-outs, expressions, and files of earlier tasks."""

from __future__ import annotations

import itertools
from functools import partial

from shared.documents.record import Item
from shared.documents.run import Run
from shared.documents.states import JobReason, Phase
from shared.errors import Problem
from shared.manifest.problems import each_once
from shared.manifest.read import Manifest
from shared.manifest.types import PropertyPath
from shared.plan._conditions import Conditions
from shared.plan._directories import Directories
from shared.plan._fan_out import items_of, limited, share_files, why_empty
from shared.plan._graph import FlowGraph
from shared.plan._limits import too_many_tasks
from shared.plan._names_used import depends_on_item
from shared.plan._output_globs import globs_of_options, output_patterns
from shared.plan._phases import states_of
from shared.plan._places import pool_of, staging_container
from shared.plan._rendering import Bindings, Rendering
from shared.plan._rounds import never_run, split, waits_in_round, why_not_earlier
from shared.plan._scope import VALUES_OF_ENDED, Context, Scope
from shared.plan._tasks import TaskPlanner
from shared.plan._ties import tied
from shared.plan._without_node import evaluated, left_out, without_items, wrong
from shared.plan.inputs import with_inputs
from shared.plan.lookups import Lookups, MissingData
from shared.plan.round_plan import NothingToRun, PlannedTask, SubmittedTask
from shared.plan.upstream import OutputPattern
from shared.settings import Settings

UNKNOWN_ITEM = Item(index=-1, value=None)  # stands for the items of a fan-out that are not known yet


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
        self._indexes = {task.id: index for index, task in enumerate(manifest.flow.tasks)}
        self._tasks = {task.id: task for task in manifest.flow.node_tasks}
        self._renderings: dict[tuple[str, int | None], Rendering] = {}
        self._scopes: dict[tuple[str, int | None], Scope] = {}
        self._items: dict[str, tuple[Item, ...] | None] = {}
        self._patterns: dict[tuple[str, int | None], tuple[OutputPattern, ...]] = {}
        self._graph = FlowGraph(manifest, self._context.values())
        ended = run.body.finished
        self._conditions = Conditions(manifest, self._graph, ended, lambda name: self._in_scope(name, None)[1])
        states = states_of(manifest, run)
        self._directories = Directories(manifest, self._graph, self._conditions, ended)
        self.is_first = not states
        graph, is_first = self._graph.tasks, run.progress.round == 1
        self._never = never_run(graph, states)
        self._over = states.keys() | self._never
        self.split = split(graph, states, self.pool_id, self.is_empty, is_left_out=self.is_left_out, is_first=is_first)
        self._waits_in_round = waits_in_round(graph, self.split)
        self._numbers: dict[str, int] = {}

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
        of_tasks = itertools.chain.from_iterable(self._problems_of_tasks().values())
        return each_once([*self._input_problems, *self._graph.problems, *of_tasks])

    def _problems_of_tasks(self) -> dict[str, list[Problem]]:
        found = {name: list(rendering.problems) for name, rendering in self._conditions.renderings.items()}
        for (name, _), rendering in self._renderings.items():
            found.setdefault(name, []).extend(rendering.problems)
        return {name: each_once(problems) for name, problems in found.items()}

    def incomplete(self) -> list[str]:
        """The tasks of the round that have a skipped text: none, unless the order of the rounds is wrong."""
        skipped = {name for (name, _), rendering in self._renderings.items() if not rendering.is_complete}
        return sorted(skipped.intersection(self.split.ready))

    def tasks(self) -> tuple[PlannedTask, ...]:
        """The tasks of the round, numbered from 1 in the order in which they can run."""
        planned: list[PlannedTask] = []
        if not self._has_few_enough_tasks():
            return ()
        for name, group in itertools.groupby(self.submitted_tasks(), key=lambda task: task.name):
            tasks = [self._task(task) for task in group]
            planned += share_files(tasks) if self._graph.is_fan_out(name) else tasks
        return tied(planned, self._run.progress.round)

    def _has_few_enough_tasks(self) -> bool:
        count = 0
        for name in self.split.ready:
            count += len(self._items_to_run(name))
            if message := too_many_tasks(count):
                self._rendering(name).fail(("foreach",), message)
                return False
        return True

    def submitted_tasks(self) -> tuple[SubmittedTask, ...]:
        """The tasks of the round, with only what recording them needs."""
        submitted: list[SubmittedTask] = []
        for name in self.split.ready:
            self._numbers[name] = len(submitted) + 1
            items = enumerate(self._items_to_run(name), start=self._numbers[name])
            tasks = [self._submitted(name, item, number, self.waits_for(name)) for number, item in items]
            submitted += limited(tasks, self._graph.limit(name))
        return tuple(submitted)

    def waits_for(self, name: str) -> tuple[int, ...]:
        """The numbers of the tasks of the round that must end well before a task that is ready, or an empty fan-out."""
        return tuple(self._numbers[other] for other in self._waits_in_round[name])

    def _submitted(
        self, name: str, item: Item | None, number: int = 0, depends_on: tuple[int, ...] = ()
    ) -> SubmittedTask:
        task = self._tasks[name]
        return SubmittedTask(
            number=number,
            name=name,
            item=item,
            allow_failure=task.allow_failure,
            warns_of_retries=task.retry is not None and task.retry.warning_on_retry,
            output_patterns=self.patterns(name, item),
            paths=self._scope(name, item).paths,
            depends_on=depends_on,
            branches=self._graph.branches(name),
            begins=self._graph.begun_branches(name),
        )

    def check_later(self) -> None:
        """Collect the problems of the tasks of later rounds, as far as they show now."""
        for name in (*self.split.later, *self.split.passed, *(self.split.empty if self.is_first else ())):
            if self.is_left_out(name):
                continue  # its condition may be there to keep its expressions from being rendered
            self._conditions.check(name)
            if app_task := self._graph.app_task(name):
                evaluated(app_task, self._rendering(name))
                continue
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
        task, rendering, scope = self._tasks[name], self._rendering(name, item), self._scope(name, item)
        namespace, turn = self._manifest.flow.namespace, self._directories.turn(name)
        return TaskPlanner(task, rendering, scope, self._lookups, self._settings, namespace, turn).planned(submitted)

    # --- fan-outs

    def items_of(self, name: str) -> tuple[Item, ...]:
        """The items of a fan-out; none if they are not known yet, or it is left out."""
        if self.is_left_out(name):
            return ()
        if name not in self._items:
            is_distinct = self._graph.each(name) is not None
            found = items_of(
                self._tasks[name], self._rendering(name), self._run, self._lookups, is_distinct=is_distinct
            )
            self._items[name] = found
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
        return tuple(map(self._nothing_to_run, self.split.empty))

    def _nothing_to_run(self, name: str) -> NothingToRun:
        record = (
            left_out(name)
            if self.is_left_out(name)
            else without_items(name, why_empty(self._tasks[name], self._rendering(name)))
        )
        return NothingToRun(record, self.waits_for(name))

    def turn(self) -> tuple[NothingToRun, ...]:
        """The tasks that the app can evaluate now."""
        app_tasks = filter(None, map(self._graph.app_task, self.split.turn))
        return tuple(evaluated(task, self._rendering(task.id)) for task in app_tasks)

    def wrong(self) -> tuple[NothingToRun, ...]:
        """The tasks whose turn it is, but whose expressions turn out wrong: they have failed."""
        now = {*self.split.ready, *self.split.empty, *self.split.turn}
        found = {name: problems for name, problems in self._problems_of_tasks().items() if name in now and problems}
        allowed = {task.id for task in self._manifest.flow.tasks if task.allow_failure}
        return tuple(wrong(name, problems, allow_failure=name in allowed) for name, problems in found.items())

    # --- pool and staging container

    def pool_id(self, name: str) -> str:
        """The pool of a task."""
        default = self._run.body.default_pool or self._settings.batch.pool_id
        return pool_of(self._tasks[name], self._rendering(name), default)

    def staging(self) -> str:
        """The staging container of all tasks: their files pass through it to and from the nodes."""
        tasks = ((self._tasks[name], self._rendering(name)) for name in self._graph.tasks if name in self._tasks)
        return staging_container(tasks, default_staging(self._run, self._settings), self._settings)

    # --- expressions

    def patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """The patterns of the files that a task, or a fan-out's task for one item, uploads."""
        task, rendering = self._tasks[name], self._rendering(name, item)
        key = (name, item.index if item and any(map(depends_on_item, task.output_files)) else None)
        if key in self._patterns:
            return self._patterns[key]
        own = output_patterns((*rendering.output_globs(("outputFiles",), task.output_files), *globs_of_options(task)))
        return self._patterns.setdefault(key, (*own, *self._directories.patterns(name, rendering, len(own))))

    def _rendering(self, name: str, item: Item | None = None) -> Rendering:
        key = (name, item.index if item else None)
        if key not in self._renderings:
            index = self._indexes[name]
            self._scopes[key], bindings = self._in_scope(name, item)
            fan_out = self._rendering(name) if item else None
            self._renderings[key] = Rendering(partial(_problem, self._manifest, index), bindings, fan_out)
        return self._renderings[key]

    def _in_scope(self, name: str, item: Item | None) -> tuple[Scope, Bindings]:
        """What a task, or a fan-out's task for one item, can use."""
        scope = Scope(
            self._manifest.flow.tasks[self._indexes[name]], item, self._context, self._graph, self, self._lookups
        )
        unknown = {*self._manifest.gaps.values, *(["inputs"] if self._input_problems else [])}
        if item is UNKNOWN_ITEM or name in self._manifest.gaps.items:
            unknown |= {"item", "taskrun"}
        used = {other for other in self._graph.tasks[name].uses_values_of if not self.has_no_outputs(other)}
        if self._manifest.gaps.is_any or not used <= self._run.body.finished.keys():
            unknown |= VALUES_OF_ENDED
        return scope, scope.bindings(unknown)

    def _scope(self, name: str, item: Item | None) -> Scope:
        self._rendering(name, item)
        return self._scopes[name, item.index if item else None]


def _problem(manifest: Manifest, index: int, path: PropertyPath, message: str) -> Problem:
    return manifest.problem(("tasks", index, *path), message)
