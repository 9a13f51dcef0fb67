r"""Filters and functions of Kestra 1 and 2: what they yield and what they refuse.

The sources: *Filter.java and *Function.java in core/src/main/java/io/kestra/core/runners/pebble of
https://github.com/kestra-io/kestra, AbbreviateFilter.java, RangeFunction.java, MaxFunction.java and MinFunction.java of
https://github.com/PebbleTemplates/pebble, and https://jqlang.org/manual/v1.6/.
"""

from datetime import UTC, datetime

import pytest

from shared.expressions.check import problems_in
from shared.expressions.functions import FUNCTIONS, PURE_FUNCTIONS
from shared.expressions.render import render
from shared.expressions.values import UNKNOWN, Budget, ExpressionError, Parts, Unknown

START = datetime(2026, 1, 30, 23, 4, 5, tzinfo=UTC)
VALUES = {
    "vars": {"a": 3, "none": None, "l": [3, 1, 2], "j": '{"a": [1, 2]}'},
    "o": {"a": {"b": [1, 2, {"c": None}]}, "b-c": "text"},
    "execution": {"startDate": START},
    "outputs": Parts({"t": {"vars": {"x": 5}}}),
}


def rendered(expression: str) -> str:
    return render(f"{{{{ {expression} }}}}", VALUES, {"now": lambda: START})


@pytest.mark.parametrize("name", PURE_FUNCTIONS)
def test_the_documented_example_of_each_function_can_be_used(name: str) -> None:
    assert rendered(FUNCTIONS[name][1])


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("range(1, 3)", "[1,2,3]"),
        ("range(1, 6, 2)", "[1,3,5]"),
        ("range(3, 1, increment=-1)", "[3,2,1]"),
        ("range(3, 1)", "[]"),
        ("range(start='a', end='e', increment=2)", '["a","c","e"]'),
        ("max(1, 3, 2)", "3"),
        ("min(1, 3, 2)", "1"),
        ("max(1, 1.5)", "1.5"),
        ("max(null, 2, null)", "2"),
        ("max()", ""),
        ("max([1, 2])", "[1,2]"),
        ("[1, 2, 3, 4, 5] | chunk(2)", "[[1,2],[3,4],[5]]"),
        ("[] | chunk(2)", "[]"),
        ("null | chunk(2)", ""),
        ("[[1, [2]], 3, null] | flatten", "[1,[2],3,null]"),
        ("'abcdefgh' | abbreviate(7)", "abcd..."),
        ("'abcdefgh' | abbreviate(9)", "abcdefgh"),
        ("'abcdefgh' | abbreviate(8)", "abcde..."),
        ("'abcdefgh' | abbreviate(2)", "ab"),
        ("'abc' | abbreviate(2)", "abc"),
        ("'abc' | md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("'abc' | sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("('abc' | sha512) | length", "128"),
        ("null | md5", ""),
    ],
)
def test_lists_numbers_and_hashes(expression: str, result: str) -> None:
    assert rendered(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("'abc-123' | regexMatch('[0-9]+')", "true"),
        ("'abc' | regexMatch(regex='^b')", "false"),
        ("null | regexMatch('a')", "false"),
        ("123 | regexMatch('2')", "true"),
        ("'hello world' | regexReplace(regex='world', replacement='java')", "hello java"),
        ("'a1b22' | regexReplace('[0-9]+', '#')", "a#b#"),
        (r"'2026-01' | regexReplace('(\\d+)-(\\d+)', '$2/$1')", "01/2026"),
        ("'ab' | regexReplace('(?<x>a)', '<${x}>')", "<a>b"),
        (r"'ab' | regexReplace('a', '\\$1')", "$1b"),
        ("'ab' | regexReplace('(a)', '$10')", "a0b"),
        ("'axb' | regexReplace('x*', '-')", "-a--b-"),
        ("'ac' | regexReplace('(a)|(b)', '[$1$2]')", "[a]c"),
        ("'zz' | regexReplace('(a)', '$5')", "zz"),
        ("null | regexReplace('a', 'b')", ""),
        ("'order-12345-done' | regexExtract('[0-9]+')", "12345"),
        ("'k=v' | regexExtract('(.)=(.)', 2)", "v"),
        ("'k=v' | regexExtract(regex='(.)=(.)', group=1)", "k"),
        ("('a' | regexExtract('b')) is null", "true"),
        ("('a' | regexExtract('b', 7)) is null", "true"),
        ("('a' | regexExtract('b')) ?? 'none'", "none"),
        ("'a.b' | replace({'[a-z]': 'x'}, regexp=true)", "x.x"),
        ("'a.b' | replace({'.': 'x'})", "axb"),
        ("'line\n' | trim | regexMatch('e$')", "true"),
    ],
)
def test_regular_expressions(expression: str, result: str) -> None:
    assert rendered(expression) == result


@pytest.mark.parametrize(
    ("path", "result"),
    [
        (".", '[{"a":{"b":[1,2,{"c":null}]},"b-c":"text"}]'),
        (".a.b[0]", "[1]"),
        (" .a .b [ 0 ] ", "[1]"),
        (".a.b[-1].c", "[null]"),
        (".a.b[9]", "[null]"),
        (".nope.deeper[0]", "[null]"),
        (".a.b[]", '[1,2,{"c":null}]'),
        ('.a["b"][1]', "[2]"),
        ('.["b-c"]', '["text"]'),
        ('."b-c"', '["text"]'),
        ('."b-c"[1:3]', '["ex"]'),
        (".a | .b | .[1:]", '[[2,{"c":null}]]'),
        (".a.b[:1] | .[]", "[1]"),
        (".a.b[-2:-1]", "[[2]]"),
        (".[]?", '[{"b":[1,2,{"c":null}]},"text"]'),
        (".a.b.c?", "[]"),
        (".a.b[].c?", "[null]"),
    ],
)
def test_jq_takes_paths(path: str, result: str) -> None:
    assert render("{{ o | jq(path) }}", {**VALUES, "path": path}, {}) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("vars.j | jq('.a[1]') | first", "2"),
        ("[1, 2, 3] | jq('.[0]') | first", "1"),
        ("outputs | jq('.t.vars.x') | first", "5"),
        ("null | jq('.')", ""),
        ("'\"a\"' | jq('.')", '["a"]'),
    ],
)
def test_jq_takes_values_and_texts_of_json(expression: str, result: str) -> None:
    assert rendered(expression) == result


@pytest.mark.parametrize(
    ("program", "part"),
    [
        ("map(.x)", "the function 'map'"),
        (". | length", "the function 'length'"),
        (".a[] | select(.x)", "the function 'select'"),
        (".a, .b", "', .b'"),
        (".a // 1", "'// 1'"),
        (".value * 2", "'* 2'"),
        (".b-c", "'-c'"),
        ("..", "'..'"),
        ("{a: .b}", "'{a: .b}'"),
        ("[.a]", "'[.a]'"),
        (".a.[0]", "'.[0]'"),
        (r'."x\(1)"', "'.\"x"),
        (".[1.5]", "'[1.5]'"),
        ("", "a path is missing"),
        (".a |", "a path is missing"),
        ("reduce .[] as $num (0; .+$num)", "the function 'reduce'"),
    ],
)
def test_other_programs_of_jq_are_refused_when_the_flow_is_checked(program: str, part: str) -> None:
    values = {"outputs": UNKNOWN, "program": program}
    for text in ("{{ outputs.a | jq(program) }}", "{{ {} | jq(program) }}"):
        (problem,) = problems_in(text, values, {}, Budget())
        assert problem.startswith("jq takes paths only, such as")
        assert part in problem
        assert "run jq in the commands" in problem


@pytest.mark.parametrize("path", [".t.vars.x[0]", ".t.vars[].y", ".t.vars | .[1:]"])
def test_what_jq_yields_of_unknown_values_is_not_known(path: str) -> None:
    values = {"outputs": Unknown({"t": Unknown({"vars": UNKNOWN})}), "path": path}
    assert problems_in("{{ outputs | jq(path) | first }}{{ outputs.t | jq('.vars') }}", values, {}, Budget()) == []


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("dayOfWeek('2025-01-06')", "MONDAY"),
        ("dayOfWeek('2025-01-06T00:30:00+02:00')", "MONDAY"),
        ("dayOfWeek(execution.startDate)", "FRIDAY"),
        ("dayOfMonth('2026-01-31T23:59:59')", "31"),
        ("monthOfYear('2026-02-01')", "2"),
        ("hourOfDay('2025-01-06T14:30:00+02:00')", "14"),
        ("hourOfDay('2025-01-06T14:30')", "14"),
        ("isWeekend('2026-01-31')", "true"),
        ("isWeekend(date='2026-01-30')", "false"),
        ("isLastWorkingDay('2026-01-30')", "true"),
        ("isLastWorkingDay('2026-01-31')", "false"),
        ("isLastWorkingDay('2026-01-29')", "false"),
        ("isLastWorkingDay('2026-01-29', 'monday, thursday')", "true"),
        ("isLastWorkingDay('2026-01-30', ' ')", "true"),
        ("isDayWeekInMonth('2026-01-05', 'MONDAY', 'FIRST')", "true"),
        ("isDayWeekInMonth('2026-01-12', 'monday', 'second')", "true"),
        ("isDayWeekInMonth('2026-01-12', 'MONDAY', 'FIRST')", "false"),
        ("isDayWeekInMonth('2026-01-26', 'MONDAY', 'FOURTH')", "true"),
        ("isDayWeekInMonth('2026-01-26', 'MONDAY', position='LAST')", "true"),
        ("isDayWeekInMonth('2026-01-26', 'TUESDAY', 'LAST')", "false"),
        ("isDateBetween('2026-06-30T00:00:00+02:00', '2026-06-29T21:59:59Z', '2026-06-29T22:00:01Z')", "true"),
        ("isDateBetween(now(), now(), '2027-01-01T00:00:00Z')", "false"),
        ("isDateBefore('2026-01-01T00:00:00Z', now())", "true"),
        ("isDateAfter('2026-01-01T00:00:00Z', now())", "false"),
    ],
)
def test_dates(expression: str, result: str) -> None:
    assert rendered(expression) == result


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("range(1, 2, 0)", "the increment of a range is a number other than 0"),
        ("range(1)", "the function 'range' cannot take these values; it is used as in range(1, 9, 2)"),
        ("range(0, 99999)", "more than 10000 entries"),
        ("max('a', 'b')", "max and min compare numbers"),
        ("[1] | chunk(0)", "chunk takes a size of at least 1"),
        ("'a' | chunk(1)", "'a' is not a list"),
        ("'a' | flatten", "'a' is not a list"),
        ("'a' | abbreviate(-1)", "not negative"),
        ("'a' | regexMatch", "the filter 'regexMatch' cannot take these values"),
        ("'a' | regexMatch(null)", "the argument 'regex' is required"),
        ("'a' | regexMatch('a(')", "is not valid"),
        ("'a' | regexMatch('(?=a)')", "look-ahead"),
        ("'a\n' | regexMatch('a$')", "`| trim` it first"),
        ("'É' | regexMatch('(?i)é')", "write both cases"),
        ("'a' | regexReplace('a', 'b$')", "$ in a replacement begins the number of a group"),
        ("'a' | regexReplace('a', '$1')", "has no group 1; it has 0"),
        ("'a' | regexReplace('a', '${x}')", "has no group 'x'"),
        ("'a' | regexReplace('a')", "the filter 'regexReplace' cannot take these values"),
        ("'a' | regexExtract('a', 1)", "has no group 1; it has 0"),
        ("'a' | regexExtract('a', -1)", "not negative"),
        ("'a' | jq('.')", "jq reads a text as JSON"),
        ("[1] | jq('.a')", "'[1]' has no part 'a'"),
        ("{} | jq('.[0]')", "has no entry 0"),
        ("1 | jq('.[]')", "[] goes through a list or a map"),
        ("hourOfDay('2026-01-31')", "hourOfDay() needs a time"),
        ("dayOfWeek(null)", "dayOfWeek() needs a date"),
        ("dayOfWeek(7)", "dayOfWeek() takes a date as text"),
        ("dayOfWeek('31.1.2026')", "is not a date of ISO 8601"),
        ("isDayWeekInMonth('2026-01-26', 'MON', 'LAST')", "there is no day 'MON'; there is MONDAY"),
        ("isDayWeekInMonth('2026-01-26', 'MONDAY', 'FIFTH')", "there is no position 'FIFTH'"),
        ("isLastWorkingDay('2026-01-30', 'weekdays')", "there is no day 'weekdays'"),
        ("isDateBefore('2026-01-01T00:00:00', now())", "needs dates with a time zone"),
        ("isPublicHoliday('2026-01-01', 'FR')", "there are no calendars of holidays here"),
        ("'a' | regexmatch('a')", 'did you mean "regexMatch"?'),
        ("isWeekEnd('2026-01-01')", 'did you mean "isWeekend"?'),
        ("max(vars.q)", "'q' does not exist"),
        ("'a' | regexMatch(vars.q)", "'q' does not exist"),
    ],
)
def test_refusals_say_why(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        rendered(expression)
    assert reason in str(caught.value)


@pytest.mark.parametrize("applied", ["regexMatch('a(b')", "regexReplace('a(b', 'b')", "regexExtract(regex='a(b')"])
def test_an_expression_that_is_not_valid_is_found_before_its_text_is_known(applied: str) -> None:
    (problem,) = problems_in(f"{{{{ outputs.a | {applied} }}}}", {"outputs": UNKNOWN}, {}, Budget())
    assert "is not valid" in problem
