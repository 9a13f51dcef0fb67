"""Advice in a message is input that works when it is pasted: every piece of it is taken through a check.

What stands in backticks in the messages of `shared/manifest`, `shared/expressions` and `shared/plan` is collected from
their source, and put where it belongs: a property into a task, an expression into a command, a command into the list.
What a message makes of the user's own input is tried with examples.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from shared.documents.manifest_blob import ManifestBlob
from shared.errors import ManifestError
from shared.expressions.filters import FILTERS, TESTS
from shared.expressions.functions import FUNCTIONS
from shared.manifest.groups import FOR_EACH
from shared.manifest.request import RunRequest
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import checked_manifest
from tests.unit.manifest.test_manifest_fixtures import models

ROOT = Path(__file__).parents[2]
HOLE = "\0"
COMMANDS = ("echo", "exit", "sleep", "pip", "test")
NOT_ADVICE = {
    "#{…}",  # what is refused
    "a if condition else b",
    "<<",
    "ENV_<NAME>",
    "attemptNumber",  # in the results of functions
    "state",
    "taskId",
    "recursive",  # an argument
    "SECRET_<name>",
    "ENV_<name>",  # in tables of the documentation
    "blob://…",
    "*name",  # an alias, whose anchor is elsewhere
}

FOR_KESTRA_2 = ("kestra_2.py", "removed.py")
"""What `check --kestra 2` advises is for Kestra 2, not for this app."""
PROPERTIES = {field.alias for model in (*models(), RunRequest) for field in model.model_fields.values()}
NAMES = {*FUNCTIONS, *FILTERS, *TESTS, "vars", "outputFiles", "existingFormat"}


def texts_of(tree: ast.Module) -> Iterator[str]:
    """The texts of a module that are not docstrings; what is put into them is a hole."""
    nodes = list(ast.walk(tree))
    bodies = [node.body for node in nodes if isinstance(getattr(node, "body", None), list)]
    skipped = {id(each.value) for body in bodies for each in body if isinstance(each, ast.Expr)}
    skipped |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def advice() -> set[str]:
    """Every piece of advice that is not made of the user's input."""
    files = [file for room in ("manifest", "expressions", "plan") for file in (ROOT / "shared" / room).glob("*.py")]
    files = [file for file in files if file.name not in FOR_KESTRA_2]
    texts = [text for file in files for text in texts_of(ast.parse(file.read_text()))]
    found = {piece for text in texts for piece in re.findall(r"`([^`]+)`", text)}
    return {piece for piece in found if HOLE not in piece} - NOT_ADVICE


STORED = (
    "id: f\nnamespace: company.team\nvariables: {holidays: ['2026-12-25']}\ncommands: [x]\n"
    "triggers:\n- <<: {id: t, type: io.kestra.plugin.core.trigger."
)
"""A stored flow, up to the type of its trigger."""
_FOLLOWS = f"{STORED}Flow, dependsOn: [{{namespace: a, flowId: b}}]}}\n"
PLACES = {
    r"\{\{ trigger\..*": f"{_FOLLOWS}  when: 'PIECE'\n",
    r"trigger\.(?:executionId|outputs).*": f"{_FOLLOWS}  when: '{{{{ PIECE }}}}'\n",
    rf"(?:{'|'.join(COMMANDS)})\b.*": "id: f\ncommands:\n  - PIECE\n",
    r'"\{\{.*': "id: f\ncommands:\n  - PIECE\n",
    r"\{\{.*": "commands: ['cp data PIECE']\noutputDirectory: true\n",
    r"\{%.*": 'commands: ["echo PIECE"]',
    r"[^ |]*[*?][^ |]*": "commands: [x]\noutputFiles: ['PIECE']\n",
    r"(?:namespaceFiles|files): .*": (
        "namespace: n\ntasks:\n- {id: extract, commands: [x]}\n- id: t\n  commands: [x]\n  foreach:\n    PIECE\n"
    ),
    r"(?:when|recoverMissedSchedules): .*": f"{STORED}Schedule, cron: '@daily'}}\n  PIECE\n",
    r"concurrency: .*": "id: f\nPIECE\ncommands: [x]\n",
    r"kestra: .*": "commands: [x]\nPIECE\n",
    r"required: .*": "inputs:\n- id: a\n  PIECE\ncommands: [x]\n",
    r"concurrencyLimit: .*": (
        f"tasks:\n- {{id: e, type: {FOR_EACH}, values: [1], PIECE, tasks: [{{id: t, commands: [x]}}]}}\n"
    ),
    r"interval: .*": "commands: [x]\nretry: {type: constant, maxAttempts: 2, PIECE}\n",
    r"\w+: .*": "tasks:\n- {id: other, commands: [x]}\n- id: t\n  commands: [x]\n  PIECE\n",
}
"""Where a piece of advice belongs: the first place whose expression it matches. Others are expressions."""


def manifest_with(piece: str) -> str:
    """A manifest with a piece of advice in its place."""
    if piece.rstrip(":") in PROPERTIES | NAMES or piece.split(".", maxsplit=1)[0] == "taskRunner":
        return "commands: [x]"  # a name: that it exists is all
    place = next((text for pattern, text in PLACES.items() if re.fullmatch(pattern, piece)), None)
    return place.replace("PIECE", piece) if place else with_expression(piece)


def with_expression(piece: str) -> str:
    """A manifest with an expression in the command of a task that comes after others, and has items."""
    if re.match(r"\||is ", piece):
        piece = f"(vars.list {piece}) is defined"
    text = yaml.safe_dump(f"echo {{{{ {piece} }}}}", width=10**6).strip()
    return (
        "id: f\nnamespace: company.team\nvariables: {list: '7'}\ntasks:\n"
        "- {id: a, commands: [x], outputFiles: [data.csv]}\n- {id: each, foreach: [1], commands: [x]}\n"
        f"- id: last\n  foreach: [1]\n  commands:\n  - {text}\n"
    ).replace("outputFiles['data.csv']", "outputs.a.outputFiles['data.csv']")


@pytest.fixture
def check(run_of, environ) -> Callable[[str], list[str]]:
    """What is wrong with a manifest."""
    from shared.settings import Settings  # noqa: PLC0415 - as the fixtures of settings do

    settings = Settings.from_environ({**environ, "SECRET_NAME": '{"name": "x"}', "SECRET_A": "secret-a"})

    def problems(text: str) -> list[str]:
        stored = ManifestBlob(name="company.team/f.yaml", etag="", sha256=None, text=text)
        run = run_of("flow: company.team/f\n", flow=stored) if text.startswith(STORED) else run_of(text)
        try:
            plan_round(checked_manifest(run, settings), run, settings)
        except ManifestError as error:
            return [str(problem) for problem in error.problems]
        return []

    return problems


@pytest.mark.parametrize("piece", sorted(advice()))
def test_what_a_message_advises_passes_a_check(check, piece: str) -> None:
    assert check(manifest_with(piece)) == []


@pytest.mark.parametrize(
    ("wrong", "pattern", "place"),
    [
        ("commands: [x]\nenv:\n  A: {{ flow.id }}\n", r"quotes: (.*) at line", "{{ flow.id }}"),
        ('commands: [x]\nenv:\n  A: {{ flow.id ~ "a" }}\n', r"quotes: (.*) at line", '{{ flow.id ~ "a" }}'),
        ("commands: [x]\nenv:\n  A: {{ flow.id }}/x\n", r"quotes: (.*) at line", "{{ flow.id }}/x"),
        ("commands:\n  - {{ flow.id }} --x\n", r"quotes: (.*) at line", "{{ flow.id }} --x"),
        ("commands:\n  - echo it's 5: 6\n", r"quotes, as it has a colon: (.*) at line", "echo it's 5: 6"),
        ('commands:\n  - echo "a": b\n', r"quotes, as it has a colon: (.*) at line", 'echo "a": b'),
        ("commands: [x]\nenv:\n  A: echo a: b\n", r"quotes: (.*) at line", "echo a: b"),
        ("commands: [x]\noutputFiles:\n  - *.csv\n", r"quotes: (.*) at line", "*.csv"),
        ("commands:\n  - [ -f x ] && echo it's\n", r"quotes: (.*) at line", "[ -f x ] && echo it's"),
        ('commands:\n  - "echo" hi\n', r"in quotes: (.*) at line", '"echo" hi'),
        ('commands: [x]\nenv:\n  A: "[{"a": 1}]"\n', r"in quotes: (.*) at line", '"[{"a": 1}]"'),
        ('commands: [x]\nenv:\n  A: "C:\\data"\n', r"single quotes: (.*) at line", '"C:\\data"'),
        ("commands: x: y\n", r"needs quotes: (.*) at line", None),
        ("commands:\n  - {print $1}\n", r"begins with {: (.*) at line", "{print $1}"),
        ("commands:\n  - [ -f x ]\n", r"begins with \[: (.*) at line", "[ -f x ]"),
        ('commands: [x]\ninputFiles:\n  a.json: {"a": 1, "b": 2}\n', r"with {: (.*) at line", '{"a": 1, "b": 2}'),
        ("commands: [x]\nenv:\n  A: @x\n", r"quotes: (.*) at line", "@x"),
        ("commands:\n  - docker ps --format '{{.Names}}'\n", r"write `(.*)`", "{{.Names}}"),
        ("commands:\n  - docker ps --format '{{ json . }}'\n", r"write `(.*)`", "{{ json . }}"),
        ("commands:\n  - echo ${#HOME}\n", r"as it is, write `(.*)`", "${#HOME}"),
        ("id: t\ntype: io.kestra.plugin.scripts.python.Script\ncommands: [x]\n", r"write `type: (.*)`",
         "io.kestra.plugin.scripts.python.Script"),
        ("id: t\ntype: io.kestra.plugin.scripts.shell.Commands\nscript: x\n", r"write `type: (.*)`",
         "io.kestra.plugin.scripts.shell.Commands"),
        ("id: t\ntype: io.kestra.plugin.scripts.pyhton.Script\nscript: x\n", r'mean "(.*)"\?',
         "io.kestra.plugin.scripts.pyhton.Script"),
        ("comands: [x]\ncommands: [y]\nid: t\n", r'mean "(.*)"\?', None),
        ("commands: [x]\ninputFiles:\n  a: http://example.com/a\n", r"only; write (\S+)", "http://example.com/a"),
        ("commands:\n  - echo {{ secret('A', namespace='x') }}\n", r"write `(.*)`", "secret('A', namespace='x')"),
        ("commands:\n  - echo {{ flow.id | uper }}\n", r'mean "(.*)"\?', "uper"),
        ("commands:\n  - echo {{ upper(flow.id) }}\n", r"write `… \| (.*)`", None),
    ],
)  # fmt: skip
def test_what_a_message_makes_of_the_input_passes_a_check(check, wrong: str, pattern: str, place: str | None) -> None:
    problems = check(wrong)
    assert problems
    match = re.search(pattern, problems[0])
    assert match, problems
    if place is not None:
        assert check(wrong.replace(place, match[1].replace("secret('NAME')", "secret('A')"))) == []
