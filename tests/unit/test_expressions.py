"""Expressions: what they yield, and what they refuse."""

from datetime import UTC, datetime

import pytest

from shared.expression_environment import ExpressionError
from shared.expressions import render

VALUES = {
    "vars": {"a": "x", "n": 3, "l": [1, 2], "items": "I", "t": True, "none": None, "inner": "{{ vars.a }}"},
    "workingDir": "/tmp/w",
}
FUNCTIONS = {"secret": lambda name: f"S-{name}", "now": lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("no expression {", "no expression {"),
        ("{{ workingDir }}/main.py", "/tmp/w/main.py"),
        ("{{ vars['n'] + 1 }} {{ vars.l[-1] }} {{ 2 * vars.n }}", "4 2 6"),
        ("{{ vars.items }}", "I"),
        ("{{ vars.inner }}", "{{ vars.a }}"),
        ("{{ vars.l }} {{ vars.t }}{{ vars.none }}", "[1, 2] true"),
        ("{{ vars.q ?? 'd' }}{{ vars.q.r ?? vars.none ?? \"e?? //\" }}", "de?? //"),
        ("{{ vars.q | default('d') }}", "d"),
        ("{{ secret('X') }}", "S-X"),
        ("{% if vars.t %}yes{% else %}no{% endif %}", "yes"),
        ("{% raw %}{{ x ?? y // z }}{% endraw %}", "{{ x ?? y // z }}"),
        ("{{ vars.a | upper }}{{ 'a,b' | split(',') | last }}{{ [1, 2] | join('-') }}", "Xb1-2"),
        ("{{ 'aXb' | replace('X', '-') }}{{ 'ab' | replace({'a': 'c'}) }}", "a-bcb"),
        ("{{ now() | date('yyyy-MM-dd HH:mm') }}", "2026-01-02 03:04"),
        ("{{ {'a': 1} | toJson }}", '{"a": 1}'),
        ("{{ 'x' if vars.n > 2 else 'y' }}{{ vars.a ~ vars.n }}", "xx3"),
        ("{{ vars.q is defined }}", "false"),
        ("line\n", "line\n"),
    ],
)
def test_rendering(text: str, rendered: str) -> None:
    assert render(text, VALUES, FUNCTIONS) == rendered


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ vars.q }}", "'q' does not exist"),
        ("{{ 'x' if vars.q else 'y' }}", "'q' does not exist"),
        ("{{ nothing }}", "'nothing' does not exist"),
        ("{{ vars.a.__class__ }}", "does not exist"),
        ("{{ vars.a.upper() }}", "only functions can be called"),
        ("{{ ''['__class__'] }}", "does not exist"),
        ("{{ foo() }}", "there is no function foo()"),
        ("{{ secret }}", "without its parentheses"),
        ("{{ self }}", "parentheses"),
        ("{{ secret(*vars.l) }}", "there is no function"),
        ("{{ range(9) }}", "there is no function range()"),
        ("{{ vars.l | map('upper') }}", "there is no filter 'map'"),
        ("{{ '%s' | format(1) }}", "there is no filter"),
        ("{% for i in vars.l %}{{ i }}{% endfor %}", "there are no loops"),
        ("{% set x = 1 %}", "not supported"),
        ("{% include 'x' %}", "not supported"),
        ("{{ 'a' * 9 }}", "only numbers can be multiplied"),
        ("{{ 2 ** 9 }}", "pow is not supported"),
        ("{{ 7 % 2 }}", "mod is not supported"),
        ("{{ 7 // 2 }}", "no operator //"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ vars.a", "unexpected end of template"),
        ("${#x}", "put text that holds {# between"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "nested too deeply"),
        ("{{ vars.n + vars.a }}", "two numbers or two texts"),
    ],
)
def test_refusals_say_why(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(text, VALUES, FUNCTIONS)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "attack",
    [
        "{{ 'a'" + "|replace('a', '" + "a" * 100 + "')" * 8 + " }}",
        "{{ 'a,a'" + "|split(',')|join(',a,a,a,a,a,a,a,')" * 40 + " }}",
        "{{ vars.big ~ vars.big }}",
    ],
)
def test_no_expression_grows_without_bound(attack: str) -> None:
    with pytest.raises(ExpressionError):
        render(attack, {"vars": {"big": "x" * 1_000_000}}, FUNCTIONS)
