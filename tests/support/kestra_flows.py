"""Flows that Hypothesis makes up of Kestra's groups and loops, what fails in them, and what their texts render to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.support.kestra_model import Key, Values

_FLOW = "io.kestra.plugin.core.flow."
LOG, FAIL = "io.kestra.plugin.core.log.Log", "io.kestra.plugin.core.execution.Fail"
VARIABLES: dict[str, Any] = {"yes": True, "no": False, "letter": "a", "letters": ["b", "a", "b"]}
_KNOWN = {
    "{{ vars.yes }}": "true",
    "{{ vars.no }}": "false",
    "{{ vars.letter }}": "a",
    "{{ vars.letters }}": '["b","a","b"]',
}
_IS_A = re.compile(r"{{ (?:taskrun|item)\.value == 'a' }}")
_OF_TASK = re.compile(r"{{ outputs\.(\w+)(?:\[taskrun\.value\])?\.vars\.(\w+) \?\? (.*) }}")


@dataclass(frozen=True)
class Scenario:
    """A flow, which of its tasks fail (for one value, or for all), and which print that something is so."""

    flow: Mapping[str, Any]
    failing: Mapping[str, str | None]
    printing: AbstractSet[str]

    def fails(self, name: str, values: Values) -> bool:
        """Whether the commands of a task fail."""
        return name in self.failing and (not values or self.failing[name] in {None, values[-1]})

    def prints(self, name: str, _values: Values) -> dict[str, object]:
        """What the commands of a task print, whatever the values of the loops around it."""
        return {"ok": name in self.printing, "list": ["a", "c"] if name in self.printing else []}

    def text(self, text: str, values: Values, ran: AbstractSet[Key]) -> str:
        """What a text of the flow renders to."""
        if _IS_A.fullmatch(text):
            return str(values[-1] == "a").lower()
        if text in {"{{ taskrun.value }}", "{{ item.value }}"}:
            return values[-1]
        if match := _OF_TASK.fullmatch(text):
            has_run = any((match[1], values[:depth]) in ran for depth in range(len(values) + 1))
            printed = self.prints(match[1], values)[match[2]]
            return str(printed).lower().replace("'", '"') if has_run else match[3]
        return _KNOWN.get(text, text)


@dataclass
class _Names:
    """The ids that are given away; those of tasks with commands are `scripts`."""

    count: int = 0
    scripts: list[str] = field(default_factory=list)

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"


@dataclass(frozen=True)
class _Place:
    """Where a task is: how deep, in which loop, and which references to earlier tasks it may use."""

    is_2: bool
    depth: int = 0
    loops: int = 0
    value: str | None = None
    before: tuple[str, ...] = ()

    @property
    def has_outputs(self) -> bool:
        """Whether what tasks print is used here: not where it has a longer name than in the loop itself."""
        return self.is_2 or not self.loops or (self.loops == 1 and self.value is not None)

    def inside(self) -> _Place:
        """In a group; the value of a ForEach has another name there, and so have the outputs of its tasks."""
        before = tuple(name for name in self.before if "[" not in name)
        return replace(self, depth=self.depth + 1, value=self.value if self.is_2 else None, before=before)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A flow of nested groups and loops, and how its tasks end."""
    names, place = _Names(), _Place(draw(st.booleans()))
    flow: dict[str, Any] = {"id": "f", "namespace": "n", "variables": VARIABLES}
    flow["tasks"] = draw(_lists(names, place))
    for phase in ("errors", "finally", "afterExecution"):
        if draw(st.integers(0, 3)) == 0:
            flow[phase] = draw(_lists(names, replace(place, depth=2)))
    ids = st.sampled_from(names.scripts or ["none"])
    failing = draw(st.dictionaries(ids, st.sampled_from([None, None, "a", "b"]), max_size=3))
    return Scenario(flow, failing, frozenset(draw(st.sets(ids, max_size=3))))


@st.composite
def _lists(draw: st.DrawFn, names: _Names, place: _Place) -> list[dict[str, Any]]:
    """Tasks one after the other, which may use what those before them have printed."""
    tasks: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        tasks.append(draw(_tasks(names, place)))
        if "commands" in tasks[-1] and "disabled" not in tasks[-1] and place.has_outputs:
            of_value = "[taskrun.value]" if place.loops and not place.is_2 else ""
            place = replace(place, before=(*place.before, f"outputs.{tasks[-1]['id']}{of_value}.vars"))
    return tasks


@st.composite
def _tasks(draw: st.DrawFn, names: _Names, place: _Place) -> dict[str, Any]:
    kinds = ["", "", "", "Log", "Fail", *(_groups(place) if place.depth < 3 else [])]
    kind = draw(st.sampled_from(kinds))
    common: dict[str, Any] = {}
    for name, often in (("allowFailure", 4), ("allowWarning", 8), ("disabled", 12)):
        if draw(st.integers(0, often)) == 1:
            common[name] = True
    if draw(st.integers(0, 4)) == 1:
        common["when" if place.is_2 else "runIf"] = draw(_conditions(place))
    if kind in {"", "Log", "Fail"}:
        return {**draw(_leaves(names, place, kind)), **common}
    for name in ["allowFailure"] * bool(place.loops) + ["allowWarning"] * (kind == "AllowFailure"):
        common.pop(name, None)
    return {"id": names.new("g"), "type": f"{_FLOW}{kind}", **draw(_contents(names, place, kind)), **common}


def _groups(place: _Place) -> Iterator[str]:
    yield from ("Sequential", "Parallel", "Dag", "If", "Switch")
    if place.loops < 2:
        yield from ("Loop", "Loop") if place.is_2 else ("ForEach", "ForEach", "EachSequential", "EachParallel")
    if not place.loops:
        yield from ("AllowFailure", "WorkingDirectory")


@st.composite
def _leaves(draw: st.DrawFn, names: _Names, place: _Place, kind: str) -> dict[str, Any]:
    if kind == "Log":
        return {"id": names.new("l"), "type": LOG, "message": "x"}
    if kind == "Fail":
        return {"id": names.new("x"), "type": FAIL, "condition": draw(_conditions(place))}
    names.scripts.append(names.new("t"))
    return {"id": names.scripts[-1], "type": "io.kestra.plugin.scripts.shell.Commands", "commands": ["x"]}


def _conditions(place: _Place) -> st.SearchStrategy[str]:
    texts = ["true", "{{ vars.yes }}", "{{ vars.no }}", " 0 "]
    texts += [f"{{{{ {place.value}.value == 'a' }}}}"] * 3 if place.value else []
    return st.sampled_from(texts + [f"{{{{ {name}.ok ?? false }}}}" for name in place.before[-3:] * 2])


def _values(place: _Place) -> st.SearchStrategy[Any]:
    lists: list[Any] = [[], ["a"], ["a", "b"], ["b", "a", "c"], ["a", "a", "b"], "{{ vars.letters }}"]
    return st.sampled_from(lists + [f"{{{{ {name}.list ?? [] }}}}" for name in place.before[-2:]])


@st.composite
def _contents(draw: st.DrawFn, names: _Names, place: _Place, kind: str) -> dict[str, Any]:
    """The properties of a group: its tasks, and what comes with them.

    A Switch without `defaults`, and a Loop, have neither `errors` nor `finally`: with them, Kestra does something else.
    """
    inside = place.inside()
    match kind:
        case "If" | "Switch":
            found = draw(_choices(names, place, kind))
        case "Dag":
            tasks = [draw(_tasks(names, inside)) for _ in range(draw(st.integers(1, 4)))]
            found = {"tasks": draw(_dag([{**task, "disabled": False} for task in tasks]))}
        case "Parallel":
            found = {"tasks": [draw(_tasks(names, inside)) for _ in range(draw(st.integers(1, 3)))]}
        case "WorkingDirectory":
            found = {"tasks": [draw(_leaves(names, inside, "")) for _ in range(draw(st.integers(1, 3)))]}
        case "Sequential" | "AllowFailure":
            found = {"tasks": draw(_lists(names, inside))}
        case _:
            found = draw(_loops(names, place, kind))
    if kind in {"Parallel", "Dag", "EachParallel"} and draw(st.integers(0, 2)) == 0:
        found["concurrent"] = draw(st.integers(1, 2))
    has_them = kind not in {"WorkingDirectory", "Loop"} and not (kind == "Switch" and "defaults" not in found)
    later = replace(inside, depth=3, value=None, before=())
    for name in ("errors", "finally"):
        if has_them and not place.loops and draw(st.integers(0, 5)) == 1:
            found[name] = draw(_lists(names, later))
    return found


@st.composite
def _choices(draw: st.DrawFn, names: _Names, place: _Place, kind: str) -> dict[str, Any]:
    inside = place.inside()
    if kind == "If":
        found = {"condition": draw(_conditions(place)), "then": draw(_lists(names, inside))}
        return found | ({"else": draw(_lists(names, inside))} if draw(st.booleans()) else {})
    values = ["a", "b", "{{ vars.letter }}", *([f"{{{{ {place.value}.value }}}}"] * 2 if place.value else [])]
    cases = {"a": draw(_lists(names, inside))}
    defaults = {"defaults": draw(_lists(names, inside))} if draw(st.booleans()) else {}
    return {"value": draw(st.sampled_from(values)), "cases": cases, **defaults}


@st.composite
def _loops(draw: st.DrawFn, names: _Names, place: _Place, kind: str) -> dict[str, Any]:
    in_loop = replace(place.inside(), loops=place.loops + 1, value="item" if place.is_2 else "taskrun")
    if kind in {"EachSequential", "EachParallel"}:
        tasks = [draw(_tasks(names, in_loop)) for _ in range(draw(st.integers(1, 2)))]
        return {"value": draw(_values(place)), "tasks": tasks}
    limit: dict[str, int] = draw(st.sampled_from([{}, {"concurrencyLimit": 0}, {"concurrencyLimit": 2}]))
    return {"values": draw(_values(place)), "tasks": draw(_lists(names, in_loop)), **limit}


@st.composite
def _dag(draw: st.DrawFn, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for task in tasks:
        before = [entry["task"]["id"] for entry in entries]
        waits = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        entries.append({"task": task, **({"dependsOn": waits} if waits else {})})
    return entries
