"""Plans the tasks of one round: order, fan-outs, expressions, files of earlier tasks."""

from __future__ import annotations

from shared.documents.names import OUTPUT_DIRECTORY
from shared.documents.record import Item
from shared.documents.run import Run
from shared.documents.states import JobReason
from shared.errors import ManifestError, Problem
from shared.manifest.problems import first_problems, in_file_order
from shared.manifest.read import Manifest, read_manifest
from shared.plan import _fan_out as fan_out
from shared.plan._fan_out import items_of
from shared.plan._graph import FlowGraph
from shared.plan._limits import too_large, too_many_tasks
from shared.plan._rendering import Rendering
from shared.plan._rounds import Split, split, why_not_earlier
from shared.plan._scope import Context, Scope, with_inputs
from shared.plan._tasks import TaskPlanner
from shared.plan.lookups import Lookups, MissingData
from shared.plan.round_plan import PlannedTask, RoundPlan, SubmittedRound, SubmittedTask
from shared.plan.upstream import OutputPattern
from shared.settings import Settings

_CONTAINER = ("taskRunner", "blobStorage", "containerName")
ANY_ITEM = Item(index=-1, value=None)  # of a fan-out whose items are not known yet


def own_staging(run: Run, settings: Settings) -> str:
    """The app's own staging container, as it was when the run was accepted."""
    return run.body.default_staging or settings.containers.staging


class Planner:
    """Plans the tasks of one run; renderings are made once for each task and item, and collect problems and needs."""

    def __init__(self, manifest: Manifest, run: Run, settings: Settings) -> None:
        self._manifest = manifest
        self._run = run
        self._settings = settings
        self._lookups = Lookups(run)
        self._context, self._wrong_inputs = with_inputs(Context(manifest.flow, run, settings), manifest)
        self._tasks = {task.id: (index, task) for index, task in enumerate(manifest.flow.tasks)}
        self._renderings: dict[tuple[str, int | None], Rendering] = {}
        self._scopes: dict[tuple[str, int | None], Scope] = {}
        self._items: dict[str, tuple[Item, ...] | None] = {}
        self._graph = FlowGraph(manifest, self._context.values())
        states = {name: task.state for name, task in run.body.finished.items()}
        self.split: Split = split(self._graph.tasks, states, self.pool_id, self.is_empty)

    @property
    def missing(self) -> MissingData:
        """What must be read before the round can be planned."""
        return self._lookups.missing

    def later(self) -> dict[str, JobReason]:
        """The tasks of later rounds, and why each cannot run in this one."""
        graph = self._graph.tasks
        return {name: why_not_earlier([graph[name]], graph) for name in self.split.later}

    def problems(self) -> list[Problem]:
        """Everything that was wrong so far, in the order of the file."""
        found = dict.fromkeys(self._wrong_inputs)
        found |= {problem: None for rendering in self._renderings.values() for problem in rendering.problems}
        return first_problems(sorted(found, key=in_file_order))

    def incomplete(self) -> list[str]:
        """The tasks of the round of which a text was passed over: none, unless the order of the rounds is wrong."""
        return sorted(
            {name for (name, _), each in self._renderings.items() if not each.is_complete and name in self.split.ready}
        )

    def tasks(self) -> tuple[PlannedTask, ...]:
        """The tasks of the round, numbered from 1 in the order in which they can run."""
        planned: list[PlannedTask] = []
        numbers: dict[str, int] = {}
        for name in self.split.ready:
            numbers[name] = len(planned) + 1
            waits_for = tuple(numbers[other] for other in self._manifest.dependencies[name] if other in numbers)
            items = self._items_to_run(name)
            if message := too_many_tasks(len(planned) + len(items)):
                raise ManifestError([self._manifest.problem(("tasks", self._tasks[name][0], "foreach"), message)])
            tasks = [self._task(name, item, numbers[name] + place, waits_for) for place, item in enumerate(items)]
            planned += fan_out.arranged(tasks) if self._graph.is_fan_out(name) and tasks else tasks
        return tuple(planned)

    def submitted_tasks(self) -> tuple[SubmittedTask, ...]:
        """The same tasks, as far as recording them goes."""
        to_run = [(name, item) for name in self.split.ready for item in self._items_to_run(name)]
        return tuple(self._submitted(name, item, number) for number, (name, item) in enumerate(to_run, start=1))

    def _submitted(self, name: str, item: Item | None, number: int) -> SubmittedTask:
        paths = self._scope(name, item).paths
        return SubmittedTask(number, name, item, self._tasks[name][1].allow_failure, self.patterns(name, item), paths)

    def check_later(self) -> None:
        """Find what is wrong with the tasks of later rounds, as far as it can be known now."""
        for name in self.split.later:
            items = self._items_to_run(name) if self._is_known(name) else (ANY_ITEM,)
            for item in items[:1]:
                self._task(name, item, 0, ())

    def _is_known(self, name: str) -> bool:
        """Whether it is known for which items a task is run."""
        return not self._graph.is_fan_out(name) or bool(self.items_of(name)) or self._items[name] is not None

    def _items_to_run(self, name: str) -> tuple[Item | None, ...]:
        if not self._graph.is_fan_out(name):
            return (None,)
        left = self._run.body.unfinished.get(name)
        return (
            self.items_of(name) if left is None else tuple(item for item in self.items_of(name) if item.index in left)
        )

    def _task(self, name: str, item: Item | None, number: int, depends_on: tuple[int, ...]) -> PlannedTask:
        task = self._tasks[name][1]
        rendering, scope = self._rendering(name, item), self._scope(name, item)
        planner = TaskPlanner(task, rendering, scope, self._lookups, self._settings, self._manifest.flow.namespace)
        return planner.planned(self._submitted(name, item, number), depends_on)

    # --- fan-outs

    def items_of(self, name: str) -> tuple[Item, ...]:
        """The items of a fan-out; none if they are not known yet."""
        if name not in self._items:
            self._items[name] = items_of(self._tasks[name][1], self._rendering(name), self._run, self._lookups)
        return self._items[name] or ()

    def is_empty(self, name: str) -> bool:
        """Whether a task is a fan-out that is known to have no items."""
        return self._graph.is_fan_out(name) and not self.items_of(name) and self._is_known(name)

    # --- what tasks have in common

    def pool_id(self, name: str) -> str:
        """The pool of a task."""
        task = self._tasks[name][1]
        rendering = self._rendering(name)
        default = self._run.body.default_pool or self._settings.batch.pool_id
        pool = rendering.optional(("taskRunner", "poolId"), task.task_runner.pool_id) or default
        if pool is None:
            rendering.fail(("taskRunner",), "no pool: name one in `poolId`, or set the app setting BATCH_POOL_ID")
        return pool or ""

    def staging(self) -> str:
        """The container through which the files of all tasks pass to and from the nodes."""
        own = own_staging(self._run, self._settings)
        containers: dict[str, None] = {}
        for name in self._graph.tasks:
            rendering = self._rendering(name)
            container = (
                rendering.optional(_CONTAINER, self._tasks[name][1].task_runner.blob_storage.container_name) or own
            )
            containers[container] = None
            if container != own and not self._settings.container_is_allowed(container):
                rendering.fail(_CONTAINER, f"this container cannot be used here; name {own!r}, or leave it out")
            elif len(containers) > 1:
                rendering.fail(_CONTAINER, "all tasks of a flow must use the same container")
        return next(iter(containers), own)

    # --- expressions

    def patterns(self, name: str, item: Item | None) -> tuple[OutputPattern, ...]:
        """What a task, or a fan-out's task for one item, brings back."""
        task = self._tasks[name][1]
        patterns = [
            (pattern, "") for pattern in self._rendering(name, item).patterns(("outputFiles",), task.output_files)
        ]
        if task.output_directory:
            patterns.append((f"{OUTPUT_DIRECTORY}/**/*", f"{OUTPUT_DIRECTORY}/"))
        if task.task_runner.sync_working_directory:
            patterns.append(("**/*", ""))
        return tuple(OutputPattern(index, pattern, base) for index, (pattern, base) in enumerate(patterns))

    def _rendering(self, name: str, item: Item | None = None) -> Rendering:
        key = (name, item.index if item else None)
        if key not in self._renderings:
            index, task = self._tasks[name]
            scope = self._scopes[key] = Scope(task, item, self._context, self._graph, self, self._lookups)
            unknown = ["item", "taskrun"] if item is ANY_ITEM else []
            if not self._graph.tasks[name].uses_values_of <= self._run.body.finished.keys():
                unknown.append("outputs")
            whole = self._rendering(name) if item else None
            self._renderings[key] = Rendering(self._manifest, ("tasks", index), scope.visible(unknown), whole)
        return self._renderings[key]

    def _scope(self, name: str, item: Item | None) -> Scope:
        self._rendering(name, item)
        return self._scopes[name, item.index if item else None]


def plan_round(manifest: Manifest, run: Run, settings: Settings) -> RoundPlan | MissingData:
    """The tasks of the run's current round; none if nothing is left that could run. Or what must be read before.

    Raises ManifestError with everything that rendering shows to be wrong, also in tasks of later rounds.
    """
    planner = Planner(manifest, run, settings)
    tasks = planner.tasks()
    pool_id = planner.pool_id(tasks[0].name) if tasks else ""
    staging = planner.staging()
    planner.check_later()
    if problems := planner.problems():
        raise ManifestError(problems)
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
        empty=planner.split.empty,
    )
    if large := list(too_large(plan, settings)):
        raise ManifestError([problem_of_task(manifest, each.task, each.path, each.message) for each in large])
    return plan


def has_next_round(manifest: Manifest, run: Run, settings: Settings) -> bool:
    """Whether any task is left that can run. What is wrong with it, or must be read for it, shows at submission."""
    try:
        split = Planner(manifest, run, settings).split
    except ManifestError:
        return True
    return bool(split.ready or split.empty)


def submitted_round(manifest: Manifest, run: Run, settings: Settings) -> SubmittedRound | MissingData:
    """What was submitted as the run's current round. Or that the items of fan-outs are needed to tell.

    Nothing is wrong here: if a setting has changed since, that must not keep the results from being recorded.
    """
    planner = Planner(manifest, run, settings)
    tasks = planner.submitted_tasks()
    if planner.missing.items_of_fan_outs:
        return planner.missing
    return SubmittedRound(run.body.staging or planner.staging(), tasks, planner.split.empty)


def staging_of(manifest: Manifest, run: Run, settings: Settings) -> str:
    """The container through which the run's files pass."""
    return Planner(manifest, run, settings).staging()


def manifest_of(run: Run) -> Manifest:
    """The manifest that a run document holds. Raises ManifestError if it cannot be read."""
    text = run.body.manifest.text
    if text is None:
        raise ManifestError([Problem("the manifest is larger than 1 MiB, or not text in UTF-8")])
    return read_manifest(text, run.body.manifest.name)


def problem_of_task(manifest: Manifest, name: str, path: tuple[str, ...], message: str) -> Problem:
    """A problem with a property of the task of that id."""
    index = next(index for index, task in enumerate(manifest.flow.tasks) if task.id == name)
    return manifest.problem(("tasks", index, *path), message)
