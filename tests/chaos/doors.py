"""Hostile texts for every door that people and documents in storage come in by; the same ones for the same seed."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from tests.chaos.hostile import BOMB, COSTS, DOCUMENTS, ESCAPES, FLOW, PAYLOADS, spoiled

RUN = "etl-20261128t120000-0123abcd"
MOMENT = "2026-11-28T12:00:00Z"
TERMINAL = ("\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "a\rb", "a\x08\x08", "\x1b[2J\x1b[H", "\u202egnp.exe", "\x00")

NAMED: dict[str, Any] = {"flow": "company.team/stored", "inputs": {"i": "v"}, "labels": {"a": "b"}}
INSIDE: dict[str, Any] = {"flow": FLOW, "inputs": {"i": "v"}, "labels": {"a": "b"}}
RETRY: dict[str, Any] = {"retry": f"etl/{RUN}", "from": ["t"], "labels": {"a": "b"}}
REQUESTS = (NAMED, INSIDE, RETRY)

TYPES = (
    "STRING", "ENUM", "SELECT", "INT", "FLOAT", "BOOLEAN", "BOOL", "DATETIME", "DATE", "TIME", "DURATION", "FILE",
    "JSON", "URI", "SECRET", "ARRAY", "MULTISELECT", "YAML", "EMAIL",
)  # fmt: skip
VALUES_OF_INPUTS: tuple[Any, ...] = (
    "1e999999999", "9" * 5000, "0x" + "f" * 5000, "-0", "1_000", "\uff11\uff12", "nan", "-inf", "2026-02-30", "24:00",
    "P1Y2M", "PT" + "9" * 400 + "H", "[" * 50_000, "{" * 50_000 + "}" * 50_000, '{"a": ' * 900 + "1" + "}" * 900,
    BOMB.decode(), "a: &a [*a]", "!!python/object:os.system x", "http://[::1", "mailto:x@" + "y" * 5000, "0000-00-00",
    "9999-12-31T23:59:59.999999999999Z", "0001-01-01T00:00:00+23:59", "file:///etc/passwd", "blob://../x",
)  # fmt: skip

STORED: dict[str, Any] = {
    "id": "stored",
    "namespace": "company.team",
    "inputs": [{"id": "i", "type": "STRING", "defaults": "d"}],
    "triggers": [
        {
            "id": "s",
            "type": "io.kestra.plugin.core.trigger.Schedule",
            "cron": "30 6 * * MON-FRI",
            "timezone": "Europe/Paris",
            "inputs": {"i": "{{ trigger.date }}"},
            "when": "{{ trigger.date | date('HH') == '06' }}",
            "recoverMissedSchedules": "LAST",
            "labels": [{"key": "k", "value": "v"}],
            "conditions": [{"type": "io.kestra.plugin.core.condition.Weekend", "date": "{{ trigger.date }}"}],
        },
        {
            "id": "f",
            "type": "io.kestra.plugin.core.trigger.Flow",
            "inputs": {"i": "{{ trigger.executionId }}"},
            "when": "{{ trigger.state == 'SUCCESS' }}",
            "states": ["SUCCESS"],
            "preconditions": {
                "id": "p",
                "flows": [
                    {"namespace": "company.team", "flowId": "other", "states": ["SUCCESS"], "labels": {"a": "b"}}
                ],
            },
        },
    ],
    "tasks": [{"id": "t", "type": "io.kestra.plugin.scripts.shell.Commands", "commands": ["echo {{ inputs.i }}"]}],
}
CRONS = (
    "0 0 30 2 *", "* * * * * *", "@reboot", "@every 1s", "*/0 * * * *", "0-59/999999999 * * * *", "60 24 32 13 8",
    "* * L * *", "0 0 * * 5#9", "H H * * *", "R * * * *", "0 0 1 1 * 2099", "*,*,*,*,* * * * *",
    ",".join(map(str, range(60))) + " * * * *", "0 0 29 2 1#1", "9" * 500 + " * * * *", "\uff11 * * * *", "@daily\n",
    "-", "* * * * MON-MON,TUE-SUN", "5-1 * * * *", "0 0 W * *", "0 0 1W * *", "0 0 LW * *", "? ? ? ? ?", "1/ * * * *",
)  # fmt: skip
ZONES = ("Mars/Olympus", "../../etc/passwd", "/etc/localtime", "localtime", "", "GMT+99", "utc", "EST5EDT", "x" * 5000)

GROUPS = (
    "Sequential", "Parallel", "If", "Switch", "Dag", "ForEach", "Loop", "EachSequential", "EachParallel",
    "WorkingDirectory", "AllowFailure", "LoopUntil", "ForEachItem", "Subflow",
)  # fmt: skip
ITEMS: tuple[Any, ...] = (
    [1, 2], 3, "{{ range(1, 1000000000) }}", "{{ range(1, 20000) }}", "{{ range(1, 20) }}", list(range(30)), 10**30,
    "[1, 2", [[1]], [None],
    "{{ taskrun.value }}", "{{ outputs }}", '{"a": 1}', [], "", ["x" * 100_000], [{"a": 1}, {"a": 1}], -1, 1e400,
    "{{ parents[99].taskrun.value }}", "{{ parent.taskrun.value }}", ["{{ secret('HOSTILE') }}"], "{{ inputs }}",
)  # fmt: skip
CONDITIONS = (
    "{{ outputs.t0.vars.x }}", "a", "{{ inputs.x }}", "{{ 1 == 1 }}", "{{ tasks.t0.state == 'FAILED' }}", *ESCAPES[:5],
    "{{ outputs.t0.vars.x == outputs.t1.vars.x }}", "{{ taskrun.value }}", *COSTS[:3],
)  # fmt: skip
DEPTHS = (30, 100, 300, 1000, 5000)
TREES = (
    "tasks: [&a {id: g, type: io.kestra.plugin.core.flow.Sequential, tasks: [*a]}]",
    "tasks: &t [{id: g, type: io.kestra.plugin.core.flow.Parallel, tasks: *t}]",
    f"{BOMB.decode()}tasks: [{{id: g, type: io.kestra.plugin.core.flow.ForEach, values: *s, tasks: []}}]",
    "tasks: [{id: a, dependsOn: [b], commands: [x]}, {id: b, dependsOn: [a], commands: [x]}]",
    "tasks: [{id: a, dependsOn: [a], commands: [x]}]",
    "tasks: [{id: a, foreach: '{{ outputs.b.vars.n }}', commands: [x]}, {id: b, foreach: '{{ outputs.a }}'}]",
)  # fmt: skip

LINE: dict[str, Any] = {
    "schemaVersion": "1",
    "kind": "recorded",
    "runId": RUN,
    "manifest": "etl.yaml",
    "results": f"etl/{RUN}",
    "flow": {"id": "etl", "namespace": "company.team"},
    "dropped": MOMENT,
    "state": "FAILED",
    "times": {"dropped": MOMENT, "started": MOMENT, "ended": MOMENT, "recorded": MOMENT},
    "failure": "t: the commands ended with exit code 3",
    "warning": "w",
    "tasks": {"ended": 1, "total": 2},
    "cost": {"amount": 1.5, "currency": "USD"},
}
CARD: dict[str, Any] = {
    "schemaVersion": "1",
    "version": "0.2",
    "batchEndpoint": "http://127.0.0.1:9",
    "batchAccount": "local",
    "defaultPool": "local",
    "containers": {each: each for each in ("inbox", "runs", "staging", "results", "namespaces", "flows", "uploads")},
    "lastTick": MOMENT,
}
OF_DOCUMENTS: tuple[Any, ...] = (
    "2026-11-28T12:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", 0, -1, 1e18,
    2**70, "9999-12-31T23:59:59-14:00", f"../{RUN}", f"a/../b/{RUN}", f"/{RUN}", "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>", "javascript:alert(1)", "=cmd|' /C calc'!A0", *TERMINAL,
)  # fmt: skip


def requests(chance: random.Random) -> str:
    """A run request."""
    if chance.random() < 0.1:
        return f"flow: {_any_document(chance)}"
    return _yaml(_spoiled_often(chance.choice(REQUESTS), chance))


def inputs(chance: random.Random) -> str:
    """A request that gives a value to an input."""
    declared: dict[str, Any] = {"id": "i", "type": chance.choice(TYPES)}
    more = {"min": 1, "max": 2, "values": ["a"], "itemType": "INT", "validator": "(a+)+$", "after": "2026-01-01"}
    for name in chance.sample(list(more), chance.choice((0, 0, 1, 2))):
        declared[name] = chance.choice((more[name], chance.choice(PAYLOADS)))
    value = chance.choice((*VALUES_OF_INPUTS, *PAYLOADS))
    flow = {"id": "f", "inputs": [declared], "tasks": [{"id": "t", "commands": ["echo {{ inputs.i }}"]}]}
    if chance.random() < 0.3:
        declared["defaults"] = value
        return _yaml(flow)
    return _yaml({"flow": flow, "inputs": {"i": value}})


def stored_flows(chance: random.Random) -> str:
    """A stored flow with triggers."""
    if chance.random() < 0.05:
        return _any_document(chance)
    if chance.random() < 0.3:
        schedule = {**STORED["triggers"][0], "cron": chance.choice(CRONS), "timezone": chance.choice(("UTC", *ZONES))}
        return _yaml({**STORED, "triggers": [schedule]})
    return _yaml({**STORED, "triggers": _spoiled_often(STORED["triggers"], chance)})


def groups(chance: random.Random) -> str:
    """A flow of groups in groups: deep, wide, in circles, with loops over anything."""
    kind = chance.random()
    if kind < 0.03:
        return chance.choice(TREES)
    if kind < 0.1:
        return _deep(chance)
    names = [f"t{number}" for number in range(chance.choice((3, 12, 40)))]
    ids = itertools.cycle(names) if kind < 0.3 else (f"t{number}" for number in itertools.count())
    flow: dict[str, Any] = {"id": "g", "tasks": [_group(chance, names, ids, 0) for _ in range(3)]}
    if kind > 0.8:
        flow[chance.choice(("errors", "finally"))] = [_group(chance, names, ids, 3)]
    if kind > 0.95:
        flow["tasks"] += [{"id": next(ids), "commands": ["x"]} for _ in range(chance.choice((30, 300)))]
    return _yaml(spoiled(flow, chance) if chance.random() < 0.4 else flow)


def _deep(chance: random.Random) -> str:
    depth, kind = chance.choice(DEPTHS), chance.choice(GROUPS)
    more = {"ForEach": '"values": [1, 2], ', "Loop": '"values": [1], ', "If": '"condition": "x", '}.get(kind, "")
    inside = {"If": "then", "Dag": "tasks"}.get(kind, "tasks")
    heads = (
        f'{{"id": "g{number}", "type": "io.kestra.plugin.core.flow.{kind}", {more}"{inside}": ['
        for number in range(depth)
    )
    return '{"id": "deep", "tasks": [' + "".join(heads) + '{"id": "t", "commands": ["x"]}' + "]}" * depth + "]}"


def _group(chance: random.Random, names: list[str], ids: Iterator[str], depth: int) -> dict[str, Any]:
    if depth > 4 or chance.random() < 0.3:
        return _task(chance, names, ids)
    kind = chance.choice(GROUPS[:9] if chance.random() < 0.98 else GROUPS)
    tasks = [_group(chance, names, ids, depth + 1) for _ in range(chance.choice((1, 1, 2, 2, 3)))]
    group: dict[str, Any] = {"id": next(ids), "type": f"io.kestra.plugin.core.flow.{kind}"}
    match kind:
        case "ForEach" | "Loop" | "EachSequential" | "EachParallel":
            name = "value" if kind.startswith("Each") else "values"
            limit = {"concurrencyLimit": chance.choice((0, 1, 2, 10**9))} if kind in ("ForEach", "Loop") else {}
            return {**group, name: _often([1, 2], ITEMS, chance), **limit, "tasks": tasks}
        case "If":
            return {
                **group,
                "condition": _often("{{ 1 == 1 }}", CONDITIONS, chance),
                "then": tasks[:1],
                "else": tasks[1:],
            }
        case "Switch":
            return {**group, "value": _often("a", CONDITIONS, chance), "cases": {"a": tasks}}
        case "Dag":
            return {**group, "tasks": [_of_dag(chance, tasks, index) for index in range(len(tasks))]}
    if chance.random() < 0.2:
        group[chance.choice(("errors", "finally"))] = [_task(chance, names, ids)]
    return {**group, "tasks": tasks}


def _often(usual: Any, others: Sequence[Any], chance: random.Random) -> Any:
    return chance.choice(others) if chance.random() < 0.05 else usual


def _of_dag(chance: random.Random, tasks: list[dict[str, Any]], index: int) -> dict[str, Any]:
    others = [task["id"] for task in (tasks if chance.random() < 0.2 else tasks[:index])]
    return {"task": tasks[index], "dependsOn": chance.sample(others, min(1, len(others)))}


def _task(chance: random.Random, names: list[str], ids: Iterator[str]) -> dict[str, Any]:
    other = chance.choice(names)
    texts = ("{{ outputs.OTHER }}", "{{ tasks.OTHER.state }}", "{{ taskrun.value }}", "{{ parents }}")
    text = _often("x", texts, chance).replace("OTHER", other)
    rare = {"dependsOn": [other], "foreach": chance.choice(ITEMS), "runIf": chance.choice(CONDITIONS)}
    chosen = {name: value for name, value in rare.items() if chance.random() < 0.04}
    return {"id": next(ids), "commands": [f"echo {text}"], **chosen}


def ledger_lines(chance: random.Random) -> bytes:
    """Some lines of a ledger, all of runs of one day."""
    return b"\n".join(_line(chance, number) for number in range(4))


def _line(chance: random.Random, number: int) -> bytes:
    run = f"{RUN[:-1]}{number}"
    line = {**LINE, "runId": run, "results": f"etl/{run}"}
    if chance.random() < 0.1:
        return chance.choice(DOCUMENTS).replace(b"\n", b" ")
    return _json(_of_documents(line, chance))


def cards(chance: random.Random) -> bytes:
    """A card of an app."""
    if chance.random() < 0.1:
        return chance.choice(DOCUMENTS)
    card = CARD
    if chance.random() < 0.5:
        card = {**card, "lastTick": chance.choice(OF_DOCUMENTS)}
    return _json(_of_documents(card, chance))


def _of_documents(document: Any, chance: random.Random) -> Any:
    if chance.random() < 0.5:
        return spoiled(document, chance)
    name = chance.choice(list(document))
    if isinstance(document[name], dict):
        return {**document, name: _of_documents(document[name], chance)}
    return {**document, name: chance.choice(OF_DOCUMENTS)}


def _spoiled_often(document: Any, chance: random.Random) -> Any:
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        document = spoiled(document, chance)
    return document


def _any_document(chance: random.Random) -> str:
    return chance.choice(DOCUMENTS).decode(errors="replace")


def _yaml(document: Any) -> str:
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def texts(door: str, seed: int, count: int) -> Iterator[str | bytes]:
    """So many texts for a door."""
    chance = random.Random(f"{door} {seed}")
    return (DOORS[door](chance) for _ in range(count))


DOORS = {
    "requests": requests,
    "inputs": inputs,
    "stored flows": stored_flows,
    "groups": groups,
    "ledger": ledger_lines,
    "card": cards,
}
