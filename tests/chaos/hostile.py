"""Manifests and names that mean harm, or are merely wrong; the same ones for the same seed.

What they run, if they run, must do no harm to the machine of the tests: no command here does anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

LONG = "x" * 1000
NAMES = (
    "a//b", "/x", "x\\..\\y", LONG[:990], "a/" * 200 + "x", ".", "", "-", "💥<&>'\"", "a?b#c%20", "tab\ty", "x./y",
    "x ", "%2e%2e/x", "record", "status", "report.html", "{{ secret('HOSTILE') }}", "$(id)", "`id`", "; id", "a\nb",
    "\u202ex", "parts", "CON", "x.yaml/record", "xn--", "é" * 200,
)  # fmt: skip
TRAVERSALS = (
    "../x", "../../../../etc/passwd", "/etc/passwd", "a/../../b", "..", ".", "", "\\..\\x", "x\0y", "C:\\x", "~/x",
    "//x", "$AZ_BATCH_NODE_SHARED_DIR/x", "%2e%2e/x", LONG, "a/" * 300 + "b", "\ud800", "\x01", "x\n../y",
    "{{ '..' }}/x", "../" * 40 + "x", "x/", "./x", "**/../x", "[", "{a,b}", "nsfile:///../x", "blob://runs/x",
    "blob://results/../runs/x", "file:///etc/passwd", "https://169.254.169.254/metadata", "blob://inbox/x",
    "nsfile://../x",
)  # fmt: skip
ESCAPES = (
    "{{ ''.__class__.__mro__ }}", "{{ self }}", "{{ self.__init__.__globals__ }}", "{{ lipsum.__globals__ }}",
    "{{ cycler }}", "{{ config }}", "{{ secret('../BATCH_ACCOUNT_KEY') }}", "{{ secret('BATCH_ACCOUNT_KEY') }}",
    "{{ secret }}", "{{ secret('RunStorage') }}", "{{ outputs.__class__ }}", "{{ flow['__class__'] }}",
    "{{ (1).__class__ }}", "{% for x in [1] %}{% endfor %}", "{% import 'os' as os %}", "{% include '/etc/passwd' %}",
    "{% set x = 1 %}", "{% macro m() %}{% endmacro %}", "{{ read('../runs/x.json') }}", "{{ read('/etc/passwd') }}",
    "{{ env }}", "{{ envs.PATH }}", "{{ 'x' | attr('__class__') }}", "{{ [].append }}", "{{ vars['__class__'] }}",
    "{{ {}.__class__ }}", "{{ namespace() }}", "{{ joiner }}", "{{ dict(a=1) }}", "{{ render('{{ secret(1) }}') }}",
    "{{ 'x'.format(1) }}", "{{ '%s' % 1 }}", "{{", "}}", "{{ }}", "{% raw %}", "{# #}", "{{ 1 if }}",
    "{{ ''|map('x') }}", "{{ 'a'.__add__('b') }}", "{{ \0 }}",
)  # fmt: skip
COSTS = (
    "{{ 'a' * 1000000000 }}", "{{ 10 ** 10 ** 10 }}", "{{ 9 ** 9 ** 9 }}", "{{ range(1000000000) }}",
    "{{ 1..1000000000 }}", "{{ 'a' | replace('', 'a') }}", "{{ " + "[" * 500 + "]" * 500 + " }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{{ " + "not " * 5000 + "1 }}", "{{ " + "1 + " * 20000 + "1 }}",
    "{{ '" + "a" * 100000 + "' | upper | lower }}",
    "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' matches '(a+)+$' }}", "{{ vars.big ~ vars.big ~ vars.big }}",
    "{{ 'a,' | split(',') | join('" + "x" * 5000 + "') }}",
    "{{ 99999999999999999999999999 * 99999999999999999999999999 }}", "{{ '" + "9" * 5000 + "' | number }}",
    "{{ 1e308 * 10 }}", "{{ '1' | date('" + "y" * 5000 + "') }}", "{{ max(1, 2) }}",
    "{{ now() | dateAdd(99999999999999, 'YEARS') }}", "{{ '[' | fromJson }}", "{{ fromJson('" + "[" * 100000 + "') }}",
    "{{ 'x' | indent(1000000000) }}", "{{ 'x' | abbreviate(-1) }}", "{{ " + "'a' ~ " * 10000 + "'a' }}", "{{ 1 // 0 }}",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e400, float("nan"), [], {}, [[]], {"": ""}, [None], {"a": {"b": {"c": {}}}}, "", " ",
    LONG, "\0", "\u2028", "\ufeff", "PT", "P1000000Y", "-PT1S", "PT1H; id", "2024-99-99", ["x"] * 3000,
    {str(n): n for n in range(3000)}, 10001, 2**63, "yes", "!!python/object:os.system", "*alias",
    "'; DROP TABLE runs; --", "--privileged", "-v /:/host", "a b",
)  # fmt: skip
PAYLOADS = (*TRAVERSALS, *ESCAPES, *COSTS, *VALUES)

FLOW: dict[str, Any] = {
    "id": "flow",
    "namespace": "n.s",
    "description": "d",
    "labels": {"l": "v"},
    "variables": {"v": "1", "big": "x" * 50000},
    "inputs": [{"id": "i", "type": "STRING", "defaults": "d"}],
    "timeout": "PT1H",
    "priority": 1,
    "pluginDefaults": [{"type": "io.kestra.plugin.ee.azure.runner.Batch", "values": {"poolId": "local"}}],
    "tasks": [
        {
            "id": "t",
            "type": "io.kestra.plugin.scripts.shell.Commands",
            "commands": ["true"],
            "beforeCommands": ["true"],
            "interpreter": ["/bin/sh", "-c"],
            "containerImage": "i",
            "env": {"E": "1"},
            "inputFiles": {"i.txt": "x"},
            "outputFiles": ["o.txt"],
            "namespaceFiles": {"enabled": True, "include": ["*"]},
            "timeout": "PT1M",
            "retry": {"type": "constant", "maxAttempts": 1, "interval": "PT1S"},
            "containerRunOptions": "--memory 1g",
            "requiredSlots": 1,
            "taskRunner": {
                "type": "io.kestra.plugin.ee.azure.runner.Batch",
                "poolId": "local",
                "blobStorage": {"containerName": "staging"},
                "registry": {"registryServer": "r", "userName": "u", "password": "{{ secret('HOSTILE') }}"},
            },
        },
        {"id": "f", "dependsOn": ["t"], "foreach": [1, 2], "commands": ["true"]},
    ],
}
BOMB = b"a: &a [x, x]\n" + b"".join(
    b"%c: &%c [%b]\n" % (n + 1, n + 1, b", ".join([b"*%c" % n] * 4)) for n in range(97, 117)
)
DOCUMENTS = (
    b"", b"\0", b"\xff\xfe\x00", "commands: [é]".encode("utf-16"), b"[" * 100_000, b"{" * 100_000, b"a: " * 50_000,
    b"- " * 50_000, b"&a [*a]",
    BOMB, b"<<: &x {<<: *x}", b"commands: !!python/object/apply:os.system ['true']", b"x" * (1024 * 1024 + 1),
    b"commands: ['true']\n---\ncommands: ['true']", b"commands: ['true']\ncommands: ['true']", b"? [a]\n: b", b"42",
    b"- a", b"%YAML 9.9\n---\na", b"a: 0x" + b"f" * 100_000, b"a: 1:" + b"1:" * 10_000 + b"1", b"\t\ta", b"'",
    b'"\\xZZ"', b"#" * 500_000, b"a: |\n" + b" x\n" * 200_000, b"!!binary x", b"!!set {a, b}", b"!<tag:x> y",
    b"{" + b'"a":' * 20_000 + b"1" + b"}" * 20_000,
)  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """A blob for the inbox."""

    name: str
    content: bytes


def attacks(seed: int, count: int) -> Iterator[Attack]:
    """So many of them, each under a name of its own."""
    chance = random.Random(seed)
    for number in range(count):
        name = chance.choice(NAMES) if chance.random() < 0.2 else "m"
        suffix = chance.choice((".yaml", ".yml", ".json"))
        yield Attack(f"{seed}-{number}/{name}{suffix}", _content(chance))


def _content(chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return chance.choice(DOCUMENTS)
    flow: Any = FLOW
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        flow = spoiled(flow, chance)
    text = yaml.safe_dump(flow, allow_unicode=True, sort_keys=False)
    return text.encode("utf-8", "surrogatepass")


def spoiled(node: Any, chance: random.Random) -> Any:
    """A copy with one payload in it: in place of a value, or as a name."""
    if isinstance(node, dict) and node and chance.random() < 0.93:
        key = chance.choice(list(node))
        if chance.random() < 0.05:
            return {**node, str(chance.choice(PAYLOADS)): node[key]}
        return {**node, key: spoiled(node[key], chance)}
    if isinstance(node, list) and node and chance.random() < 0.9:
        place = chance.randrange(len(node))
        return [*node[:place], spoiled(node[place], chance), *node[place + 1 :]]
    return chance.choice(PAYLOADS)
