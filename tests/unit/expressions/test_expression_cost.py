"""No expression takes long, or much memory, whatever it is: what would is refused."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.expressions.check import problems_in
from shared.expressions.filters import FILTERS
from shared.expressions.functions import from_json
from shared.expressions.render import references, render
from shared.expressions.values import UNKNOWN, Budget, ExpressionError

VALUES = {
    "vars": {
        "big": "x" * 1_000_000,
        "commas": "a," * 1_000_000,
        "list": list(range(10_000)),
        "ones": "{{ 1 }}" * 1_000,
        "nines": 10**99,
    }
}
FUNCTIONS = {"fromJson": from_json}


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        ("{{ 'a'" + ("|replace({'a': '" + "a" * 100 + "'})") * 8 + " }}", "is longer than 1048576 characters"),
        ("{{ vars.big ~ vars.big }}", "is longer than"),
        ("{{ vars.big }}{{ vars.big }}", "is longer than"),
        ("{{ vars.list | join(vars.big) }}", "is longer than"),
        ("{{ 'a\n' | indent(9999999999) }}", "is longer than"),
        ("{{ vars.commas | split(',') }}", "more than 10000 entries"),
        ("{{ vars.commas | split('(a|,)*a(a|,){200}') }}", "too much work"),
        ("{{ vars.list | merge([1]) }}", "more than 10000 entries"),
        ("{{ vars.list contains vars.list }}", "too much work"),
        ("{{ vars.nines * vars.nines }}", "the number is too large"),
        ("{{ " + "9" * 5_000 + " }}", "more digits than can be read"),
        ("{{ 1e308 * 10 }}", "the number is too large"),
        ("{{ render('" + "{{ 1 }}" * 9_000 + "') }}", "words and signs"),
        ("{{ 1 }}" * 100_000, "more than 20000 words and signs"),
        ("{{ [" + "1," * 100_000 + "1] }}", "more than 20000 words and signs"),
        ("{{ 1 }}" * 5_000, "more than 5000 parts"),
        ("{{ " + "a ~ " * 1_000 + "1 }}", "nested too deeply"),
        ("{{ " + "1 ? " * 3_000 + "1" + " : 1" * 3_000 + " }}", "nested too deeply"),
        ("{{ " + "{'a':" * 3_000 + "1" + "}" * 3_000 + " }}", "nested too deeply"),
        ("{{ vars.list" + ".x" * 1_000 + " }}", "nested too deeply"),
        ("{{ 1 " + "| abs" * 1_000 + " }}", "nested too deeply"),
        ("{{ " + "1 and " * 1_000 + "1 }}", "nested too deeply"),
        ("{% if 1 %}" * 3_000 + "{% endif %}" * 3_000, "nested too deeply"),
        ("{{" * 500_000, "nested too deeply"),
        ("{{ " + "'" * 999_999 + " }}", "words and signs"),
        ("{#" * 500_000, "begins a comment, which has no end"),
        ("{{ '" + "1" * 190 + "' | date('iso', existingFormat='d" + "yM" * 90 + "') }}", "the letter 'y' twice"),
        ("{{ '1' | date('" + "y" * 300 + "') }}", "more than 200 characters"),
    ],
    ids=range(28),
)  # fmt: skip
def test_what_would_take_long_is_refused(attack: str, reason: str) -> None:
    """The time limit of the test run is what fails if it is not."""
    references(attack, "vars")
    with pytest.raises(ExpressionError, match=reason):
        render(attack, VALUES, FUNCTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "{{ text | regexReplace('a.*b|a', 'x') }}",
        "{{ text | replace({'a.*b|a': 'x'}, regexp=true) }}",
        "{% for i in 1..999 %}{{ text | regexMatch('(x+x+)+y') }}{% endfor %}",
        "{% for i in 1..999 %}{{ text | regexExtract('(x+x+)+y') }}{% endfor %}",
        "{% for i in 1..9999 %}{% set x = vars.list | jq('.[]') %}{% endfor %}",
        "{% for i in 1..9999 %}{% set x = json | jq('.') %}{% endfor %}",
        "{% for i in 1..9999 %}{% set x = 1..10000 | chunk(1) | flatten %}{% endfor %}",
        "{{ text | regexReplace('a', text) }}",
    ],
)
def test_regular_expressions_and_paths_take_bounded_time(text: str) -> None:
    values = {"text": "a," * 50_000, "json": "[" + "1," * 50_000 + "1]", **VALUES}
    with pytest.raises(ExpressionError, match="too much work|is longer than"):
        render(text, values, {}, Budget(20_000_000))


def test_matches_that_each_look_at_the_whole_text_are_paid_for() -> None:
    """An engine whose time is linear in the text takes it once for each match."""
    values = {"text": "a," * 50_000}
    with pytest.raises(ExpressionError, match="too much work"):
        render("{{ text | split('a.*b|a') }}", values, {}, Budget(100_000_000))


@pytest.mark.parametrize(
    "text",
    [
        "{% if vars.big | upper | lower %}{% endif %}",
        "{% if render(vars.ones) %}{% endif %}{# {} #}",
        "{{ vars.list | length }}{# {} #}",
        "{{ vars.x is defined }}" * 1_000,
    ],
)
def test_all_texts_of_a_budget_together_are_bounded(text: str) -> None:
    budget = Budget(10_000_000)

    def render_many() -> None:
        for number in range(1_000):
            render(text.replace("{}", str(number)), VALUES, FUNCTIONS, budget)

    with pytest.raises(ExpressionError, match="too much work"):
        render_many()


@pytest.mark.parametrize("name", ["a ~ ", "a.b ?? ", "a and ", "-", "not ", "1 ? 2 : "])
def test_how_deep_an_expression_may_be_does_not_depend_on_who_renders_it(name: str) -> None:
    def render_below(frames: int, text: str) -> str:
        return render_below(frames - 1, text) if frames else rendered_or_refused(text, {"a": 1})

    for levels in (150, 400):
        text = f"{{{{ {name * levels}1 }}}}"
        assert render_below(300, text) == render_below(0, text)


TWICE = "{% set a = [1] %}{% for i in 1..60 %}{% set a = [a, a] %}{% endfor %}"
AGAIN = TWICE.replace("set a", "set b").replace("[a, a]", "[b, b]")


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        ("{% for a in 1..10000 %}{% for b in 1..10000 %}{% endfor %}{% endfor %}", "too much work"),
        ("{% for a in 1..10000 %}{% for b in 1..10000 %}{{ a }}{% endfor %}{% endfor %}", "too much work"),
        ("{% for a in 1..10000 %}{% if vars.list contains a %}{% endif %}{% endfor %}", "too much work"),
        ("{% for a in 1..10000 %}{% set x = render('{{ a }}') %}{% endfor %}" * 20, "too much work"),
        ("{% set s = 'a' %}{% for a in 1..99 %}{% set s = s ~ s %}{% endfor %}", "is longer than"),
        ("{% set s = [] %}{% for a in 1..9999 %}{% set s = s | merge([vars.big ~ a]) %}{% endfor %}", "too much work"),
        (
            "{% set s = [] %}{% for a in 1..9999 %}{% set s = s | merge([vars.big | upper]) %}{% endfor %}",
            "too much work",
        ),
        ("{{ 1..999999999999999999999 }}", "more than 10000 entries"),
        (f"{TWICE}{{{{ a }}}}", "too much work"),
        (f"{TWICE}{{{{ a | join }}}}", "too much work"),
        (f"{TWICE}{AGAIN}{{{{ a == b }}}}", "too much work"),
        (f"{TWICE}{AGAIN}{{{{ a contains b }}}}", "too much work"),
        (f"{TWICE}{AGAIN}{{{{ [a, b] | sort }}}}", "lists and maps have no order"),
        (f"{TWICE}{{{{ render(a) }}}}", "too much work"),
        ("{% set a = 1 %}{% for i in 1..9999 %}{% set a = [a] %}{% endfor %}{{ a }}", "nested too deeply"),
        ("{% for i in vars.list %}" * 3_000 + "{% endfor %}" * 3_000, "nested too deeply"),
    ],
    ids=range(16),
)
def test_loops_and_what_they_make_are_bounded(attack: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        render(attack, VALUES, FUNCTIONS, Budget(20_000_000))
    assert len(problems_in(attack, {"vars": UNKNOWN}, FUNCTIONS, Budget(20_000_000))) < 9  # and this ends as well


@pytest.mark.parametrize("text", ["{{ ranges(999999999) }}", "{% macro m(x) %}{% endmacro %}", "{{ 9 ** 9 ** 9 }}"])
def test_what_is_not_in_the_language_is_refused_at_the_cost_of_parsing_it(text: str) -> None:
    with pytest.raises(ExpressionError, match="no function|not supported|no operator"):
        render(text, VALUES, FUNCTIONS, Budget(50_000))


def test_no_memory_is_taken_for_lines_that_are_not_there() -> None:
    assert render("{{ 'a' | indent(99999999999999) }}", VALUES, FUNCTIONS) == "a"


def test_the_same_text_is_read_once() -> None:
    """Such as those of the items of a fan-out."""
    budget = Budget(1_000_000)
    for number in range(5_000):
        assert render("item {{ vars.n }}", {"vars": {"n": number}}, {}, budget) == f"item {number}"


WORDS = (
    "vars .big .list .x 'a' \"b\" 1 2.5 null true ( ) [ ] { } , : ? ?? ??? ~ + - * / == < and or not is in contains "
    "defined empty json .. % set for x endfor | fromJson( render( secret( {{ }} {% %} if else endif for raw ' \\ = "
    "regexp now"
)
words = st.sampled_from([*WORDS.split(" "), *FILTERS])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)


def rendered_or_refused(text: str, values: dict[str, object]) -> str:
    """The text, or the reason why it is refused."""
    references(text, "vars")
    try:
        return render(text, values, FUNCTIONS, Budget(100_000_000))
    except ExpressionError as error:
        return str(error) or pytest.fail("there is no reason")


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(words, max_size=20).map(" ".join) | st.text(max_size=40))
def test_any_expression_is_rendered_or_refused(expression: str) -> None:
    for text in (f"{{{{ {expression} }}}}", f"{{% if {expression} %}}a{{% endif %}}", expression):
        assert isinstance(rendered_or_refused(text, VALUES), str)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(FILTERS)), values, st.lists(values, max_size=3))
def test_any_filter_takes_or_refuses_any_values(name: str, value: object, arguments: list[object]) -> None:
    names = ", ".join(f"args[{index}]" for index in range(len(arguments)))
    text = f"{{{{ value | {name}({names}) }}}}"
    assert isinstance(rendered_or_refused(text, {"value": value, "args": arguments}), str)
