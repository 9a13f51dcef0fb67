"""Expressions: what they yield, as in Kestra, and what they refuse."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.expressions.filters import FILTERS
from shared.expressions.functions import from_json, now_of
from shared.expressions.render import references, render
from shared.expressions.values import ExpressionError

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VALUES = {
    "vars": {
        "a": "x", "n": 3, "l": [1, 2], "items": "I", "t": True, "f": False, "none": None, "m": {"k": "v"},
        "inner": "{{ vars.a }}", "inner2": "{{ vars.inner }}", "again": "{{ render(vars.inner) }}",
        "raw": "{% raw %}{{ vars.a }}{% endraw %} {{ vars.inner }}", "makes_raw": "{{ vars.raw }}",
        "itself": "{{ render(vars.itself) }}", "grows": "{{ vars.grows }}{{ vars.grows }}", "stays": "{{ vars.stays }}",
        "flip": "{{ vars.flop }}", "flop": "{{ vars.flip }}",
    },
    "execution": {"startDate": MOMENT},
    "workingDir": "/tmp/w",
}  # fmt: skip
FUNCTIONS = {"secret": lambda name: f"S-{name}", "now": now_of(MOMENT), "fromJson": from_json}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("no expression {", "no expression {"),
        ("{{ workingDir }}/main.py", "/tmp/w/main.py"),
        ("{{ vars['n'] + 1 }} {{ vars.l[-1] }} {{ 2 * vars.n }}", "4 2 6"),
        ("{{ vars.items }}", "I"),
        ("{{ vars.inner }}", "{{ vars.a }}"),
        ("{{ vars.l }} {{ vars.t }}{{ vars.none }}", "[1,2] true"),
        ("{{ execution.startDate }}", "2026-01-02T03:04:05.000000Z"),
        ("{{ secret('X') }}", "S-X"),
        ("{% if vars.t %}yes{% else %}no{% endif %}", "yes"),
        ("{% if vars.f %}1{% elseif vars.n > 2 %}2{% else %}3{% endif %}", "2"),
        ("{% raw %}{{ x ?? y // z }}{% endraw %}", "{{ x ?? y // z }}"),
        ("{# a comment #}{{ 'a}}b' }}", "a}}b"),
        ("line\n", "line\n"),
    ],
)
def test_rendering(text: str, rendered: str) -> None:
    assert render(text, VALUES, FUNCTIONS) == rendered


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("vars.q ?? 'd'", "d"),
        ('vars.q.r ?? vars.none ?? "e?? //"', "e?? //"),
        ("vars.none ??? 'd'", ""),
        ("vars.q ??? 'd'", "d"),
        ("vars.a ?? secret(vars.q)", "x"),
        ("vars.a ?? 'q' | upper", "X"),
        ("vars.q ?? 1 + 2", "3"),
        ("vars.a ~ vars.n | upper", "X3"),
        ("vars.n > 2 ? 'x' : 'y'", "x"),
        ("vars.f ? 1 : vars.t ? 2 : 3", "2"),
        ("vars.q is defined ? vars.q : null", ""),
        ("vars.a == 'x' and not vars.f", "true"),
        ("vars.f or vars.a", "true"),
        ("not (vars.a equals 'y')", "true"),
        ("vars.t == 1", "false"),
        ("vars.a != 'x'", "false"),
        ("1 == 1.0", "true"),
        ("vars.none < 3", "false"),
        ("'a' < 'b'", "true"),
        ("vars.l contains 2", "true"),
        ("vars.l contains [1, 3]", "false"),
        ("vars.m contains 'k'", "true"),
        ("'abc' contains 'b'", "true"),
        ("'x' in ['x', 'y']", "true"),
        ("vars.a isIn ['y']", "false"),
        ("'v' isIn vars.m", "true"),
        ("'k' isIn vars.m", "true"),
        ("2 isIn ['1', '2']", "true"),
        ("'2' isIn vars.l", "true"),
        ("'b' isIn 'abc'", "false"),
        ("null isIn ['a']", "false"),
        ("'a' isIn vars.none", "false"),
        ("[1] isIn [[1], 2]", "true"),
        ("vars.a not in ['y']", "true"),
        ("not vars.f and vars.a not in ['x']", "false"),
        ("vars.q is defined", "false"),
        ("vars.none is null", "true"),
        ("' ' is empty", "true"),
        ("vars.q is empty", "true"),
        ("vars.l is not empty", "true"),
        ("vars.n is odd", "true"),
        ("vars.n is even", "false"),
        ("vars.l is iterable", "true"),
        ("vars.l is map", "false"),
        ("'a' + 1", "a1"),
        ("1 + 2 * 3 - -1", "8"),
        ("4 / 2", "2"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("vars.n / 2", "1"),
        ("7 / 2.0", "3.5"),
        ("-7 | abs", "7"),
        ("now()", "2026-01-02T03:04:05.000000Z"),
        ("now('yyyy', timeZone='Europe/Paris')", "2026"),
        ("fromJson('{\"a\": [1, 2]}').a[1]", "2"),
        ("fromJson(null)", ""),
        ("render(vars.inner)", "x"),
        ("render(vars.inner2)", "x"),
        ("render(vars.again)", "x"),
        ("render(toRender=vars.inner2, recursive=true)", "x"),
        ("render(vars.inner2, null)", "x"),
        ("render(vars.inner2, recursive=false)", "{{ vars.a }}"),
        ("renderOnce(vars.inner2)", "{{ vars.a }}"),
        ("renderOnce([vars.inner2, 1])", '["{{ vars.a }}",1]'),
        ("render(vars.m)", '{"k":"v"}'),
        ("render({(vars.inner): 1})", '{"x":1}'),
        ("render(vars.raw)", "{{ vars.a }} x"),
        ("render(vars.makes_raw)", "{{ vars.a }} x"),
        ("renderOnce(vars.raw)", "{{ vars.a }} {{ vars.a }}"),
        ("render(vars.stays)", "{{ vars.stays }}"),
        ("render(vars.none)", ""),
        ("render('{ no expression')", "{ no expression"),
        ("render([vars.inner, 1])", '["x",1]'),
        ("render({'a': vars.inner})", '{"a":"x"}'),
        ("render(\"{{ vars.q ?? execution.startDate | date('yyyy-MM-dd') }}\")", "2026-01-02"),
    ],
)  # fmt: skip
def test_expressions_yield_what_they_do_in_kestra(expression: str, result: str) -> None:
    assert render(f"{{{{ {expression} }}}}", VALUES, FUNCTIONS) == result


@pytest.mark.parametrize("name", FILTERS)
def test_the_documented_example_of_each_filter(name: str) -> None:
    assert render(f"{{{{ {FILTERS[name].example} }}}}", {"vars": {}}, {}) == FILTERS[name].result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("'  ' | default('d')", "d"),
        ("[] | default('d')", "d"),
        ("false | default('d')", "false"),
        ("null | upper", ""),
        ("3 | upper", "3"),
        ("'aXb' | replace('X', '-')", "a-b"),
        ("'a,b,,' | split(',')", '["a","b"]'),
        ("'a,b,,' | split(',', -1)", '["a","b","",""]'),
        ("'a,b,c' | split(',', 2)", '["a","b,c"]'),
        ("'a.b' | split('\\\\.')", '["a","b"]'),
        ("'a  b' | split('\\\\s+')", '["a","b"]'),
        ("'ab' | split('')", '["a","b"]'),
        ("'a , b;c' | split('\\\\s*[,;]\\\\s*')", '["a","b","c"]'),
        ("'Mitch' | first", "M"),
        ("'Mitch' | last", "h"),
        ("'file.v1.csv' | slugify", "filev1csv"),
        ("'Été à Paris' | slugify", "ete-a-paris"),
        ('"O\'Brien" | slugify', "obrien"),
        ("'--Test\t\t\ntest9*' | slugify", "test-test9"),
        ("'a_b  c-' | slugify", "a-b-c"),
        ("null | length", "0"),
        ("{'a': 1} | length", "1"),
        ("[1, null, 'a'] | join('-')", "1-null-a"),
        ("[1, '1', 1] | distinct", '[1,"1"]'),
        ("{'a': 1} | merge({'b': 2})", '{"a":1,"b":2}'),
        ("'2.5' | number", "2.5"),
        ("'2' | number('FLOAT')", "2.0"),
        ("('7' | number('INT')) / 2", "3"),
        ("null | toJson", "null"),
        ("execution.startDate | toJson", '"2026-01-02T03:04:05.000000Z"'),
        ("'é' | toJson", '"é"'),
        ("'a.b' | substringBefore('x')", "a.b"),
        ("'a.b' | substringAfter('x')", ""),
        ("'a.b' | substringBeforeLast('x')", "a.b"),
        ("'a.b' | substringAfterLast('x')", ""),
    ],
)
def test_filters(expression: str, result: str) -> None:
    assert render(f"{{{{ {expression} }}}}", VALUES, FUNCTIONS) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ vars.q }}", "'q' does not exist"),
        ("{{ vars.q ? 'x' : 'y' }}", "'q' does not exist"),
        ("{{ vars.q == 1 }}", "'q' does not exist"),
        ("{{ vars.q + 1 }}", "'q' does not exist"),
        ("{{ vars.q | upper }}", "'q' does not exist"),
        ("{{ vars.q contains 1 }}", "'q' does not exist"),
        ("{{ nothing }}", "'nothing' does not exist"),
        ("{{ trigger.date }}", "'trigger' does not exist: no trigger started this run"),
        ("{{ vars.m.trigger }}", "'trigger' does not exist; there is k"),
        ("{{ vars.innr }}", "'innr' does not exist; did you mean \"inner\"?"),
        ("{{ vars.a.__class__ }}", "does not exist"),
        ("{{ vars.a.upper() }}", "only functions can be called"),
        ("{{ ''['__class__'] }}", "does not exist"),
        ("{{ foo() }}", "there is no function 'foo'; there is dayOfMonth, dayOfWeek"),
        ("{{ secert('A') }}", "there is no function 'secert'; did you mean \"secret\"?"),
        ("{{ ksuid() }}", "there is no function 'ksuid': use `uuid()`"),
        ("{{ secret }}", "without its parentheses"),
        ("{{ self }}", "'self' does not exist"),
        ("{{ secret(*vars.l) }}", "arguments cannot be unpacked"),
        ("{{ now(format='a', format='b') }}", "an argument is given twice"),
        ("{{ 'a' | replace(**vars.m) }}", "arguments cannot be unpacked"),
        ("{{ vars.l | map('upper') }}", "there is no filter 'map'"),
        ("{{ vars.a | uper }}", "there is no filter 'uper'; did you mean \"upper\"?"),
        ("{{ vars.a is jason }}", "there is no test 'jason'; did you mean \"json\"?"),
        ("{% macro x() %}{% endmacro %}", "of Kestra's tags there are if, for, set and raw"),
        ("{% include 'x' %}", "not supported"),
        ("{{ 'a' * 9 }}", "* takes numbers"),
        ("{{ vars.t + 1 }}", "+ takes numbers"),
        ("{{ 2 ** 9 }}", "no operator **"),
        ("{{ 7 % 0 }}", "division by zero"),
        ("{{ 'a' % 2 }}", "% takes numbers"),
        ("{{ 7 // 2 }}", "no operator //"),
        ("{{ 'x' if vars.t else 'y' }}", "write it as in `1 < 2 ? 'a' : 'b'`"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ vars.l ? 1 : 2 }}", "ask whether it `is not empty`"),
        ("{{ vars.l < 3 }}", "< compares two numbers or two texts"),
        ("{{ 'a' isIn ['a', null] }}", "among values that are null"),
        ("{{ vars.a is odd }}", "'x' is neither even nor odd"),
        ("{{ 3 contains 3 }}", "only a text, a list or a map can contain something"),
        ('{{ "a #{vars.a}" }}', "join texts, as in"),
        ("{{ vars.a", "unexpected end of template"),
        ("${#x}", "{# begins a comment; to keep it as it is"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "nested too deeply"),
        ("{{ " + "-" * 5000 + "1 }}", "nested too deeply"),
        ("{{ fromJson('[1') }}", "fromJson: this is not valid JSON"),
        ("{{ fromJson('NaN') }}", "fromJson: this is not valid JSON: NaN is not allowed"),
        ("{{ fromJson('" + "[" * 100_000 + "') }}", "nested too deeply"),
        ("{{ render(vars.itself) }}", "call it themselves, 16 deep: does one render itself?"),
        ("{{ render(vars.grows) }}", "words and signs"),
        ("{{ render(vars.flip) }}", "render() has rendered the text 100 times, and it still changes"),
        ("{{ render(vars.inner, recursive='yes') }}", "the argument `recursive` of render() is true or false"),
        ("{{ renderOnce(vars.inner, recursive=true) }}", "the function 'renderOnce' has no argument 'recursive'"),
        ("{{ [] | first }}", "the list or the text is empty"),
        ("{{ 3 | first }}", "'3' is not a list or a text"),
        ("{{ 3 | length }}", "a number has no length"),
        ("{{ 'a' | split('.') }}", "for the character itself write '\\\\.'"),
        ("{{ 'a' | split('(?=a)') }}", "'(?=a)' uses look-ahead or look-behind"),
        ("{{ 'a' | split('(') }}", "for the character itself write '\\\\('"),
        ("{{ 'a' | split('a(') }}", "'a(' is not valid: missing ): a("),
        ("{{ 'a' | replace('', 'b') }}", "needs a text to look for"),
        ("{{ 'a' | base64decode }}", "not valid Base64"),
        ("{{ '7' | number('SHORT') }}", "number has no type 'SHORT'; there is INT, LONG"),
        ("{{ '7.5' | number('INT') }}", "'7.5' is not a number of the type INT"),
        ("{{ 'x' | number }}", "'x' is not a number"),
        ("{{ 'a' | escapeChar('x') }}", "escapeChar has no type 'x'; there is single, double, shell"),
        ("{{ [1] | merge({}) }}", "two lists, or two maps"),
        ("{{ 'a' | upper(1) }}", "the filter 'upper' cannot take these values; it is used as in 'a' | upper"),
        ("{{ 'a' | date(existingFormat=3) }}", "the filter 'date' cannot take these values"),
        ("{{ now(timeZone=3) }}", "the function 'now' cannot take these values; it is used as in now('yyyy-MM-dd'"),
        ("{{ now(existingFormat=3, locale=3) }}", "the function 'now' cannot take these values"),
        ("{{ secret() }}", "the function 'secret' cannot take these values; it is used as in secret('API_TOKEN')"),
    ],
)  # fmt: skip
def test_refusals_say_why(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(text, VALUES, FUNCTIONS)
    assert reason in str(caught.value)


def test_references_are_found_in_all_of_the_syntax() -> None:
    text = "{{ outputs.a.vars.x ?? outputs['b'].y | upper }}{% if vars.t ? outputs.c[0] : 1 %}{{ outputs }}{% endif %}"
    assert references(text, "outputs") == {("a", "vars", "x"), ("b", "y"), ("c",), ()}


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ vars.l.append }}",
        "{{ vars.m.items }}",
        "{{ secret.__globals__ }}",
        "{{ execution.startDate.year }}",
        "{{ fromJson('{}').__class__.__mro__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ loop.index }}",
        "{{ vars.q.__class__ }}",
    ],
)
def test_a_name_after_a_dot_is_never_an_attribute_of_a_python_object(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"^'\w+' does not exist"):
        render(text, VALUES, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((f"{{{{ {name}(vars.l) }}}}", f"no function '{name}'") for name in ("cycler", "dict", "joiner", "namespace")),
        *((f"{{{{ {name}() }}}}", f"no function '{name}'") for name in ("lipsum", "super", "caller", "__import__")),
        ("{{ vars | attr('a') }}", "no filter 'attr'"),
        ("{{ vars.a | format }}", "no filter 'format'"),
        ("{{ vars.a | contains('x') }}", "no filter 'contains'"),
        ("{{ vars.a | in('x') }}", "no filter 'in'"),
        ("{{ ''.__class__() }}", "only functions can be called, not values"),
        ("{{ vars.a[0:1] }}", "slice is not supported in expressions"),
        ("{{ (1, 2) }}", "tuple is not supported in expressions"),
        ("{% call secret('a') %}{% endcall %}", "callblock is not supported"),
        ("{% filter upper %}{% endfilter %}", "filterblock is not supported"),
        ("{% with x = 1 %}{% endwith %}", "with is not supported"),
        ("{% extends 'x' %}", "extends is not supported"),
        ("{% import 'x' as x %}", "import is not supported"),
    ],
)
def test_what_jinja_has_beside_is_refused_before_anything_is_evaluated(text: str, reason: str) -> None:
    def fails(_: str) -> str:
        raise AssertionError

    with pytest.raises(ExpressionError, match=reason):
        render("{{ secret('a') }}" + text, VALUES, {"secret": fails})


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("[vars.q, 1] | length", "2"),
        ("[vars.q][0] ?? 'd'", "d"),
        ("{'a': vars.q}.a is defined", "false"),
        ("vars[vars.q] ?? 'd'", "d"),
        ("vars.a | default(vars.q)", "x"),
        ("vars.q | default(vars.a)", "x"),
        ("render(vars.q) ?? 'd'", "d"),
        ("null | upper(vars.q)", ""),
        ("vars.m contains vars.q", "false"),
    ],
)
def test_a_name_that_does_not_exist_may_be_handed_on(expression: str, result: str) -> None:
    assert render(f"{{{{ {expression} }}}}", VALUES, FUNCTIONS) == result


@pytest.mark.parametrize(
    "expression",
    [
        "[1, vars.q]",
        "{'a': vars.q}",
        "{vars.q: 1}",
        "[1, vars.q] | sort",
        "[vars.q] | join",
        "[vars.q] | distinct",
        "[1] contains vars.q",
        "vars.a in vars.q",
        "vars.q < 3",
        "'a' >= vars.q",
        "-vars.q",
        "not vars.q",
        "vars.t and vars.q",
        "vars.q is odd",
        "vars.q | length",
        "vars.a | startsWith(vars.q)",
        "vars.a | split(',', vars.q)",
        "'a\n' | indent(vars.q)",
        "vars.a | replace({'x': vars.q})",
        "now(timeZone=vars.q)",
        "now(existingFormat=vars.q, locale=vars.q)",
        "secret(vars.q)",
        "fromJson(vars.q)",
        "render(vars.q)",
    ],
)
def test_wherever_a_name_that_does_not_exist_is_used_the_message_names_it(expression: str) -> None:
    with pytest.raises(ExpressionError, match="^'q' does not exist$"):
        render(f"{{{{ {expression} }}}}", VALUES, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("{{ vars.a ?? secret('1') }}", []),
        ("{{ vars.none ?? secret('1') }}", ["1"]),
        ("{{ vars.none ??? secret('1') }}", []),
        ("{{ vars.f and secret('1') }}", []),
        ("{{ vars.t or secret('1') }}", []),
        ("{{ secret('1') or secret('2') }}", ["1"]),
        ("{{ vars.t ? secret('1') : secret('2') }}", ["1"]),
        ("{% if vars.f %}{{ secret('1') }}{% elseif vars.t %}{{ secret('2') }}{% endif %}", ["2"]),
        ("{% if vars.t %}{{ secret('1') }}{% else %}{{ secret('2') }}{% endif %}", ["1"]),
        ("{% if vars.t %}{% elseif secret('1') %}{% endif %}", []),
        ("{% raw %}{{ secret('1') }}{% endraw %}{# {{ secret('2') }} #}", []),
    ],
)  # fmt: skip
def test_only_what_is_needed_is_evaluated(text: str, called: list[str]) -> None:
    calls: list[str] = []
    render(text, VALUES, {"secret": lambda name: calls.append(name) or name})
    assert calls == called


JAVA = json.loads((Path(__file__).parents[2] / "fixtures" / "java_patterns.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("delimiter", "text", "limit", "parts"), JAVA["splits"])
def test_split_is_that_of_java(delimiter: str, text: str, limit: int, parts: list[str]) -> None:
    values = {"delimiter": delimiter, "text": text, "limit": limit}
    assert json.loads(render("{{ text | split(delimiter, limit) | toJson }}", values, {})) == parts
