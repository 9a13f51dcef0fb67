"""What Kestra would do with a flow: a model of its executor, written from its source and not from this project's.

The source is that of Kestra 1.3 and 2.0: `FlowableUtils` (what is next, and the state of a group), `Execution` (what an
execution ends as), `ExecutorService`, `LoopExecutionEventMessageHandler` (the values of a Loop), and the tasks of
`io.kestra.plugin.core.flow`. The flow is its YAML, parsed. Which tasks fail and what texts render to is given.

What runs side by side when something fails depends on time: such task runs are not `sure`, and have the state in which
they would end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

SUCCESS, WARNING, FAILED, SKIPPED = "SUCCESS", "WARNING", "FAILED", "SKIPPED"

Flow = Mapping[str, Any]
Values = tuple[str, ...]
Key = tuple[str, Values]
"""A task run: the id of the task, and the values of the loops around it, the outermost first."""
Fails = Callable[[str, Values], bool]
Text = Callable[[str, Values, AbstractSet[Key]], str]
"""What a text renders to, where the loops around it have these values and these tasks have run."""


@dataclass(frozen=True)
class Ran:
    """One task run; if it is not `sure`, whether there is one depends on time."""

    state: str
    sure: bool = True


@dataclass(frozen=True)
class Result:
    """The state of a task, a group or an execution, and the runs of the tasks in it that are no groups."""

    state: str = SUCCESS
    runs: Mapping[Key, Ran] = field(default_factory=dict)

    def unsure(self, *, begins: bool) -> Result:
        """The same, of which nothing is sure but that its first task run `begins`."""
        first = next(iter(self.runs), None) if begins else None
        runs = {key: ran if key == first else replace(ran, sure=False) for key, ran in self.runs.items()}
        return replace(self, runs=runs)


def as_text(value: object) -> str:
    """The value of a loop as its tasks see it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def execute(flow: Flow, fails: Fails, text: Text) -> Result:
    """The task runs of an execution and its final state, whatever `errors` and `finally` end as."""
    model = _Model(fails, text)
    main = model.with_errors_and_finally(model.in_order(flow.get("tasks"), ()), flow, ())
    after = model.each(flow.get("afterExecution"), ())
    return Result(main.state, {**main.runs, **after.runs})


class _Model:
    def __init__(self, fails: Fails, text: Text) -> None:
        self._fails = fails
        self._text = text
        self._ran: set[Key] = set()

    # --- lists of tasks

    def in_order(self, tasks: object, values: Values) -> Result:
        """Tasks one after the other, until one has failed."""
        results: list[Result] = []
        for task in _enabled(tasks):
            results.append(self._task(task, values))
            if results[-1].state == FAILED:
                break
        return _joined(results)

    def each(self, tasks: object, values: Values) -> Result:
        """Tasks one after the other, also if one has failed."""
        return _joined([self._task(task, values) for task in _enabled(tasks)])

    def with_errors_and_finally(self, tasks: Result, group: Flow, values: Values) -> Result:
        """What follows the tasks of a group, or of a flow; its state is that of the tasks alone."""
        errors = self.each(group.get("errors"), values) if tasks.state == FAILED else Result()
        last = self.each(group.get("finally"), values)
        return Result(tasks.state, {**tasks.runs, **errors.runs, **last.runs})

    # --- one task

    def _task(self, task: Flow, values: Values) -> Result:
        kind = str(task.get("type")).rpartition(".")[2]
        group = _GROUPS.get(kind)
        condition = task.get("runIf", task.get("when"))
        if condition is not None and not self._holds(condition, values):
            return Result(SKIPPED, {} if group else {(task["id"], values): Ran(SKIPPED)})
        if group is None:
            state = _allowed(FAILED if self._ends_ill(task, kind, values) else SUCCESS, task)
            self._ran.add((task["id"], values))
            return Result(state, {(task["id"], values): Ran(state)})
        result = group(self, task, values)
        allowed = _allowed(result.state, task)
        return replace(result, state=WARNING if kind == "AllowFailure" and allowed == FAILED else allowed)

    def _ends_ill(self, task: Flow, kind: str, values: Values) -> bool:
        match kind:
            case "Log" | "Return" | "OutputValues":
                return False
            case "Fail":
                return self._holds(task.get("condition", "true"), values)
            case "Assert":
                return not all(self._holds(condition, values) for condition in task["conditions"])
        return self._fails(task["id"], values)

    def _holds(self, condition: object, values: Values) -> bool:
        """`TruthUtils.isTruthy`."""
        return self._rendered(condition, values).strip() not in {"", "false", "0", "-0"}

    def _rendered(self, text: object, values: Values) -> str:
        return self._text(text, values, self._ran) if isinstance(text, str) else as_text(text)

    def _of_nothing(self, group: Flow, values: Values) -> Result:
        """A group without tasks: it is over at once, with none of its `finally`, the first, or all, by its kind."""
        return replace(self.each(group.get("finally"), values).unsure(begins=False), state=SUCCESS)

    # --- groups

    def _sequential(self, group: Flow, values: Values) -> Result:
        if not list(_enabled(group.get("tasks"))):
            return self._of_nothing(group, values)
        return self.with_errors_and_finally(self.in_order(group.get("tasks"), values), group, values)

    def _if(self, group: Flow, values: Values) -> Result:
        """Without a task to run it is over at once, and well."""
        branch = group.get("then" if self._holds(group["condition"], values) else "else")
        if not list(_enabled(branch)):
            return self._of_nothing(group, values)
        return self.with_errors_and_finally(self.in_order(branch, values), group, values)

    def _switch(self, group: Flow, values: Values) -> Result:
        """Without a case and without `defaults`, it fails at once (`SwitchTest.switchImpossible`)."""
        cases = {str(key): tasks for key, tasks in (group.get("cases") or {}).items()}
        branch = cases.get(self._rendered(group["value"], values), group.get("defaults"))
        if branch is None:
            return Result(FAILED)
        return self.with_errors_and_finally(self.in_order(branch, values), group, values)

    def _parallel(self, group: Flow, values: Values) -> Result:
        results = [self._task(task, values) for task in _enabled(group["tasks"])]
        if not results:
            return self._of_nothing(group, values)
        are_groups = [_is_group(task) for task in _enabled(group["tasks"])]
        found = _side_by_side(results, group.get("concurrent") or 0, are_groups)
        return self.with_errors_and_finally(found, group, values)

    def _dag(self, group: Flow, values: Values) -> Result:
        """A task begins once all that it depends on have ended, unless something has failed meanwhile."""
        todo = [entry for entry in group["tasks"] if not entry["task"].get("disabled")]
        results: dict[str, Result] = {}
        late: set[str] = set()
        while ready := [entry for entry in todo if results.keys() >= set(entry.get("dependsOn") or ())]:
            for entry in ready:
                before = entry.get("dependsOn") or ()
                name = entry["task"]["id"]
                todo.remove(entry)
                is_over = any(results[other].state in {FAILED, _NEVER} for other in before)
                results[name] = Result(_NEVER) if is_over else self._task(entry["task"], values)
                late |= {name} if before else set()
        ran = {name: result for name, result in results.items() if result.state != _NEVER}
        are_groups = [
            _is_group(entry["task"]) for name in ran for entry in group["tasks"] if entry["task"]["id"] == name
        ]
        are_late = [is_group or name in late for name, is_group in zip(ran, are_groups, strict=True)]
        found = _side_by_side(list(ran.values()), group.get("concurrent") or 0, are_late)
        return self.with_errors_and_finally(found, group, values)

    def _each_parallel(self, group: Flow, values: Values) -> Result:
        """All tasks of all values side by side."""
        runs = [
            (task, (*values, value))
            for value in self._values(group["value"], values)
            for task in _enabled(group["tasks"])
        ]
        results = [self._task(task, inside) for task, inside in runs]
        found = _side_by_side(results, group.get("concurrent") or 0, [_is_group(task) for task, _ in runs])
        return self.with_errors_and_finally(found, group, values) if runs else self._of_nothing(group, values)

    def _each_sequential(self, group: Flow, values: Values) -> Result:
        return self._for_each({**group, "values": group["value"], "concurrencyLimit": 1}, values)

    def _for_each(self, group: Flow, values: Values) -> Result:
        """Its `errors` and `finally` follow all of its values."""
        items, tasks = self._values(group["values"], values), list(_enabled(group["tasks"]))
        limit = group.get("concurrencyLimit", 1)
        if not items or not tasks:
            return self._of_nothing(group, values)
        results = [self.in_order(tasks, (*values, value)) for value in items]
        if limit == 1:
            found = _joined(_until_failure(results))
        else:
            found = _side_by_side(results, limit, [_is_group(tasks[0])] * len(items))
        return self.with_errors_and_finally(found, group, values)

    def _loop(self, group: Flow, values: Values) -> Result:
        """Each value is an execution of its own, with `errors` and `finally`; the Loop fails or ends well."""
        items, limit = self._values(group["values"], values), group.get("concurrencyLimit", 1)
        results = [self._sequential(group, (*values, value)) for value in items]
        if limit == 1:
            results = _until_failure(results)
        elif limit:
            failed = [index for index, result in enumerate(results) if result.state == FAILED]
            begins = [index < limit or not failed or index <= failed[0] for index in range(len(results))]
            results = [r if sure else r.unsure(begins=False) for r, sure in zip(results, begins, strict=True)]
        found = _joined(results)
        return found if found.state == FAILED else replace(found, state=SUCCESS)

    def _values(self, written: object, values: Values) -> list[str]:
        """The values of a loop, each once."""
        read = json.loads(self._rendered(written, values)) if isinstance(written, str) else written
        assert isinstance(read, list | dict)
        if isinstance(read, dict):
            return [self._rendered(value, values) for value in read.values()]
        return list(dict.fromkeys(self._rendered(value, values) for value in read))


_NEVER = "NEVER"

_GROUPS: Mapping[str, Callable[[_Model, Flow, Values], Result]] = {
    "Sequential": _Model._sequential,
    "AllowFailure": _Model._sequential,
    "WorkingDirectory": _Model._sequential,
    "Parallel": _Model._parallel,
    "Dag": _Model._dag,
    "If": _Model._if,
    "Switch": _Model._switch,
    "ForEach": _Model._for_each,
    "EachSequential": _Model._each_sequential,
    "EachParallel": _Model._each_parallel,
    "Loop": _Model._loop,
}


def _is_group(task: Flow) -> bool:
    return str(task.get("type")).rpartition(".")[2] in _GROUPS


def _enabled(tasks: object) -> Iterable[Flow]:
    return [task for task in tasks if not task.get("disabled")] if isinstance(tasks, list | tuple) else []


def _until_failure(results: Sequence[Result]) -> list[Result]:
    failed = next((index for index, result in enumerate(results) if result.state == FAILED), len(results))
    return list(results[: failed + 1])


def _joined(results: Sequence[Result]) -> Result:
    """Their runs, and the worst of their states."""
    states = {result.state for result in results}
    state = next((state for state in (FAILED, WARNING) if state in states), SUCCESS)
    return Result(state, {key: ran for result in results for key, ran in result.runs.items()})


def _side_by_side(results: Sequence[Result], limit: int, are_late: Sequence[bool]) -> Result:
    """Once one has failed, no other begins, and nothing else in them need begin either."""
    failed = [index for index, result in enumerate(results) if result.state == FAILED]
    found = []
    for index, result in enumerate(results):
        begins = not are_late[index] and (not limit or index < limit or not failed or index <= failed[0])
        found.append(result.unsure(begins=begins) if any(other != index for other in failed) else result)
    return _joined(found)


def _allowed(state: str, task: Flow) -> str:
    """What `allowFailure` and `allowWarning` make of a state."""
    if state == FAILED and task.get("allowFailure"):
        state = WARNING
    return SUCCESS if state == WARNING and task.get("allowWarning") else state
