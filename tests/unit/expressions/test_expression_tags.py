"""Loops and names that a text sets itself, ranges, remainders and the test `json`: as in Pebble and Kestra.

The sources: ForNode.java, SetNode.java, ScopeChain.java, RangeFunction.java and ModulusExpression.java of
https://github.com/PebbleTemplates/pebble, and JsonTest.java of https://github.com/kestra-io/kestra.
"""

import pytest

from shared.expressions.check import problems_in
from shared.expressions.render import references, render
from shared.expressions.values import UNKNOWN, Budget, ExpressionError

VALUES = {
    "vars": {
        "l": [7, 8],
        "m": {"b": 1, "a": 2},
        "none": None,
        "text": "[1]",
        "inner": "{{ x }}-{{ loop.index }}",
        "sets": "{% set x = 9 %}{{ x }}",
    }
}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{% for x in vars.l %}<{{ x }}>{% endfor %}", "<7><8>"),
        ("{% for x in vars.l %}{{ loop.index }}/{{ loop.length }} {% endfor %}", "0/2 1/2 "),
        ("{% for x in vars.l %}{{ loop.first }} {{ loop.last }} {{ loop.revindex }};{% endfor %}",
         "true false 1;false true 0;"),
        ("{% for x in vars.l %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "7, 8"),
        ("{% for x in [] %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% for x in vars.l %}{% else %}none{% endfor %}", ""),
        ("{% for x in vars.none %}{{ x }}{% else %}none{% endfor %}.", "."),
        ("{% for e in vars.m %}{{ e.key }}={{ e.value }};{% endfor %}", "b=1;a=2;"),
        ("{%- for x in vars.l -%} {{ x }} {%- endfor -%} .", "78."),
        ("{% for x in 1..3 %}\n- {{ x }}{% endfor %}\n", "\n- 1\n- 2\n- 3\n"),
        ("{% for a in 1..2 %}{% for b in 3..4 %}{{ a ~ b }}{{ loop.index }} {% endfor %}{{ loop.last }}{% endfor %}",
         "130 141 false230 241 true"),
        ("{% for loop in vars.l %}{{ loop }}{% endfor %}", "78"),
        ("{% for vars in vars.l %}{{ vars }}{% endfor %}{{ vars.none }}", "78"),
        ("{% for x in vars.l %}{{ render(vars.inner) }} {% endfor %}", "7-0 8-1 "),
    ],
)  # fmt: skip
def test_loops(text: str, rendered: str) -> None:
    assert render(text, VALUES, {}) == rendered


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{% set x = 'a' %}{{ x }}", "a"),
        ("{% set x = null %}{{ x is defined }}{{ x }}", "true"),
        ("{% set x = 1 %}{% set x = x + 1 %}{{ x }}", "2"),
        ("{% if true %}{% set x = 1 %}{% endif %}{{ x }}", "1"),
        ("{% set x = 0 %}{% for i in 1..4 %}{% set x = x + i %}{% endfor %}{{ x }}", "10"),
        ("{% for i in 1..3 %}{% set x = (x ?? 0) + 1 %}{{ x }}{% endfor %}{{ x is defined }}", "123false"),
        ("{% set vars = 3 %}{{ vars }}", "3"),
        ("{% set x = 1 %}{{ render(vars.sets) }}{{ x }}", "91"),
        ("{% set max = 3 %}{{ max }}", "3"),
        ("{% set object = {'a': [5]} %}{{ object.a[0] }}", "5"),
        ("{% set a = vars.none ?? 'x' %}{{ a }}", "x"),
    ],
)
def test_names(text: str, rendered: str) -> None:
    assert render(text, VALUES, {}) == rendered


def test_what_a_text_sets_is_not_there_for_the_next_one() -> None:
    values = {"vars": {"a": 1}}
    assert render("{% set vars = 2 %}{% set b = 3 %}{{ vars }}{{ b }}", values, {}) == "23"
    assert render("{{ vars }}{{ b is defined }}", values, {}) == '{"a":1}false'


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1..3", "[1,2,3]"),
        ("1 .. 3", "[1,2,3]"),
        ("3..1", "[]"),
        ("'a'..'c'", '["a","b","c"]'),
        ("1.9..3", "[1,2,3]"),
        ("vars.l[0]..vars.l[1]", "[7,8]"),
        ("-1..1", "[-1,0,1]"),
        ("1..3 | join('-')", "1-2-3"),
        ("7 % 3", "1"),
        ("-7 % 3", "-1"),
        ("7 % -3", "1"),
        ("7.5 % 2", "1.5"),
        ("2 * 7 % 4", "2"),
        ("1 + 7 % 4", "4"),
        ("'{\"a\": 1}' is json", "true"),
        ("'{a: 1}' is json", "false"),
        ("'a' is not json", "true"),
        ("'' is json", "true"),
        ("'12' is json", "true"),
        ("'12,' is json", "false"),
        ("'01' is json", "false"),
        ("'truex' is json", "false"),
        ("'NaN' is json", "false"),
        ("'[1] and more' is json", "true"),
    ],
)
def test_operators_and_tests(expression: str, result: str) -> None:
    assert render(f"{{{{ {expression} }}}}", VALUES, {}) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{% for x in vars.text %}{% endfor %}", "for goes through a list or a map, not through '[1]'"),
        ("{% for x in 3 %}{% endfor %}", "not through '3'"),
        ("{% for x in vars.q %}{% endfor %}", "'q' does not exist"),
        ("{% set x = vars.q %}", "'q' does not exist"),
        ("{% for x in vars.l %}{% endfor %}{{ x }}", "'x' does not exist"),
        ("{% for x in vars.l %}{% endfor %}{{ loop.index }}", "'loop' does not exist"),
        ("{% for x in vars.l %}{{ loop }}{% endfor %}", "name one of its values: index, length, first, last, revindex"),
        ("{% for x in vars.m %}{{ x }}{% endfor %}", "name one of its values: key, value"),
        ("{% for x in vars.l %}{{ loop.idex }}{% endfor %}", "'idex' does not exist; did you mean \"index\"?"),
        ("{% for x in vars.l %}{{ x }}", "'endfor'"),
        ("{% for a, b in vars.m %}{% endfor %}", "expected token 'in'"),
        ("{% for x in vars.l if x %}{% endfor %}", "there is no `a if condition else b`"),
        ("{% set x %}a{% endset %}", "a name is set as in `{% set name = 'value' %}`"),
        ("{% set vars.x = 1 %}", "a name is set as in"),
        ("{% set true = 1 %}", "'true' is a value"),
        ("{{ 1..'a' }}", "a range goes from a number to a number, or from a character to a character"),
        ("{{ 'ab'..'c' }}", "a range goes from"),
        ("{{ true..false }}", "a range goes from"),
        ("{{ 1..10001 }}", "the list has more than 10000 entries"),
        ("{{ 5 % 0.0 }}", "division by zero"),
        ("{{ 1 is json }}", "only a text may be JSON or not, '1' is none"),
    ],
)
def test_refusals_say_why(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(text, VALUES, {})
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{% for x in outputs.l %}{{ x.y }}{{ loop.index }}{% endfor %}", []),
        ("{% for x in outputs.l %}{{ vars.z1 }}{% else %}{{ vars.z2 }}{% endfor %}", ["z1", "z2"]),
        ("{% for x in outputs.l %}{{ loop.idx }}{% endfor %}", ["idx"]),
        ("{% for x in vars.l %}{{ outputs.y }}{{ vars.z1 }}{% endfor %}", ["z1"]),
        ("{% for x in vars.text %}{{ outputs.y }}{% endfor %}", ["for goes through"]),
        ("{% for x in vars.z1 %}{{ outputs.y }}{% endfor %}", ["z1"]),
        ("{% for x in outputs.l %}{% endfor %}{{ x }}", ["'x'"]),
        ("{% set x = vars.z1 %}{{ x }}{{ outputs.y }}", ["z1"]),
        ("{% set x = 1 %}{{ x == 1 ? 'a' : vars.z1 }}{{ outputs.y }}", []),
        ("{% set x = 1 %}{% if outputs.y %}{% set x = 2 %}{% endif %}{{ x == 1 ? vars.z1 : 'a' }}", ["z1"]),
        ("{% if outputs.y %}{% set x = 1 %}{% endif %}{{ x }}", []),
        ("{% if outputs.y %}{{ x }}{% endif %}", ["'x'"]),
        ("{% set n = 0 %}{% for x in outputs.l %}{{ n == 1 ? 'a' : 'b' }}{% set n = n + 1 %}{% endfor %}{{ n }}", []),
        ("{% set n = 0 %}{% for x in 1..9 %}{% set n = n + 1 %}{% endfor %}{{ n < 9 ? vars.z1 : outputs.y }}", []),
        ("{% for x in vars.l %}{{ x | uper }}{% endfor %}{{ outputs.y }}", ["'uper'"]),
        ("{% for x in vars.l %}{{ x }}{{ outputs.y }}{{ x | }}{% endfor %}", ["expected token 'name'"]),
        ("{{ outputs.a..3 }}{{ outputs.a % 2 }}{{ outputs.a is json }}{{ outputs.a..vars.z1 }}", ["z1"]),
    ],
)
def test_a_check_finds_what_is_wrong_before_all_values_are_known(text: str, problems: list[str]) -> None:
    found = problems_in(text, {**VALUES, "outputs": UNKNOWN}, {}, Budget())
    assert len(found) == len(problems), found
    assert all(part in message for part, message in zip(problems, found, strict=True)), found


def test_what_a_loop_goes_through_is_a_reference() -> None:
    text = "{% for x in outputs.a.vars.l %}{{ x }}{{ outputs.b }}{% endfor %}{% set y = outputs.c.vars %}"
    assert references(text, "outputs") == {("a", "vars", "l"), ("b",), ("c", "vars")}
