"""`??`, `???` and `isIn` bind as in the major version of Kestra that a flow is written for.

Extension.java of https://github.com/kestra-io/kestra: their precedence is 120 up to 1.3, and 30 since commit f55795da1.
NullCoalescingExpression.java takes the right side if anything on the left does not exist; what Pebble's operators catch
themselves (AddExpression.java, EqualsExpression.java) is a mistake all the same.
"""

import pytest

from shared.expressions.check import problems_in
from shared.expressions.readings import two_readings
from shared.expressions.render import render
from shared.expressions.values import UNKNOWN, Budget, ExpressionError

VALUES = {"vars": {"none": None, "s": "s", "l": ["s"], "inner": "{{ vars.s ?? 'a' | upper }}"}}


@pytest.mark.parametrize(
    ("expression", "by_1", "by_2"),
    [
        ("vars.s ?? 'a' | upper", "S", "s"),
        ("vars.q ?? 'a' | upper", "A", "A"),
        ("'x' ~ vars.q ?? 'd'", "xd", "d"),
        ("'x' ~ vars.none ??? 'd'", "x", "x"),
        ("vars.q ??? 'a' ~ 'b'", "ab", "ab"),
        ("vars.s ??? 'a' ~ 'b'", "sb", "s"),
        ("vars.s == vars.none ?? 's'", "true", "false"),
        ("vars.none ?? 's' == 's'", "true", "true"),
        ("vars.none ?? 1 + 1", "2", "2"),
        ("4 ?? 1 + 1", "5", "4"),
        ("vars.s ~ '' isIn vars.l", "sfalse", "true"),
        ("vars.s isIn vars.l", "true", "true"),
        ("not (vars.s isIn vars.l) and true", "false", "false"),
        ("render(vars.inner)", "S", "s"),
        ("vars.q | upper ?? 'd'", "d", "d"),
        ("(vars.q | upper | lower) ?? 'd'", "d", "d"),
        ("vars.q.r[0] ?? vars.none ?? 'd'", "d", "d"),
        ("(vars.q ~ 'a') ?? 'd'", "d", "d"),
        ("(vars.q ? 1 : 2) ?? 'd'", "d", "d"),
    ],
)
def test_expressions(expression: str, by_1: str, by_2: str) -> None:
    text = f"{{{{ {expression} }}}}"
    assert [render(text, VALUES, {}, major=major) for major in (1, 2)] == [by_1, by_2]
    assert problems_in(text, VALUES, {}, Budget(), major=1) == problems_in(text, VALUES, {}, Budget(), major=2) == []


@pytest.mark.parametrize("expression", ["(vars.q + 1) ?? 'd'", "(vars.q == 1) ?? 'd'", "(1 < vars.q) ?? 'd'"])
def test_what_an_operator_catches_is_a_mistake_also_before_a_double_question_mark(expression: str) -> None:
    with pytest.raises(ExpressionError, match="^'q' does not exist"):
        render(f"{{{{ {expression} }}}}", VALUES, {})
    (problem,) = problems_in(f"{{{{ {expression} ~ outputs }}}}", {**VALUES, "outputs": UNKNOWN}, {}, Budget())
    assert problem.startswith("'q' does not exist")


def test_mistakes_of_other_kinds_are_told_on_both_sides() -> None:
    found = problems_in("{{ (vars.q | uper) ?? (vars.none | lowr) }}", VALUES, {}, Budget())
    assert [problem.split(";")[0] for problem in found] == ["there is no filter 'uper'", "there is no filter 'lowr'"]


@pytest.mark.parametrize(
    ("expression", "by_1", "by_2"),
    [
        ("a ?? b | upper", "(a ?? b) | upper", "a ?? (b | upper)"),
        ("a ?? now() | date('yyyy', timeZone='UTC')", "(a ?? now()) | date('yyyy', timeZone='UTC')",
         "a ?? (now() | date('yyyy', timeZone='UTC'))"),
        ("'x-' ~ a.b[0] ?? {'k': [1, null]}", "'x-' ~ (a.b[0] ?? {'k': [1, null]})",
         "('x-' ~ a.b[0]) ?? {'k': [1, null]}"),
        ("a == b ??? c", "a == (b ??? c)", "(a == b) ??? c"),
        ("1 + a ?? 2", "1 + (a ?? 2)", "(1 + a) ?? 2"),
        ("a ~ b isIn ['c']", "a ~ (b isIn ['c'])", "(a ~ b) isIn ['c']"),
        ("c ? a ?? 'it\\'s' ~ b : 1", "(a ?? 'it\\'s') ~ b", "a ?? ('it\\'s' ~ b)"),
    ],
)  # fmt: skip
def test_two_readings_are_shown_with_parentheses_and_each_is_read_the_same_by_both(expression, by_1, by_2) -> None:
    assert two_readings(f"x {{% if a %}}{{{{ a }}}} {{{{ {expression} }}}}{{% endif %}}") == (by_1, by_2)
    assert two_readings(f"{{{{ {by_1} }}}}{{{{ {by_2} }}}}") is None


@pytest.mark.parametrize(
    "text",
    ["{{ a ?? b }}", "{{ a ?? b ?? c }}", "{{ a ?? b == c }}", "{{ a ?? -1 }}", "{{ a | lower isIn ['x'] }}",
     "a ?? b | c",
     "{{ (a ?? b) | upper }}", "{{ a ?? b ? 1 : 2 }}", "{{ a ?? b is defined and c }}", "{{ a ?? b | }}",
     "{% raw %}{{ a ?? b | upper }}{% endraw %}", "{{ 'a ?? b | upper' }}", "{{ " + "a ?? " * 9_000 + "1 }}"],
)  # fmt: skip
def test_texts_with_one_reading(text: str) -> None:
    assert two_readings(text) is None
