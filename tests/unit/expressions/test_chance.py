"""Values by chance: `uuid()` and the like, in Kestra's forms, and the same whenever the same text is rendered."""

import re
import uuid

import pytest

from shared.expressions.chance import chance
from shared.expressions.render import render
from shared.expressions.values import ExpressionError


def rendered(text: str, seed: str = "run/task/0/commands") -> str:
    return render(text, {}, chance(seed))


@pytest.mark.parametrize(
    ("expression", "form"),
    [
        ("uuid()", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("id()", r"[0-9A-Za-z]{20,22}"),
        ("nanoId()", r"[0-9A-Za-z_-]{21}"),
        ("nanoId(5)", r"[0-9A-Za-z_-]{5}"),
        ("nanoId(length=9, alphabet='abcd')", r"[abcd]{9}"),
        ("nanoId(99, 'abc')", r"[ac]{99}"),  # Kestra takes letters by a mask, and so only some of three
        ("randomInt(1, 3)", r"[12]"),
        ("randomInt(lower=5, upper=5)", r"5"),
        ("randomInt(-3, -2)", r"-3"),
        ("randomPort()", r"[3-6]\d{4}"),
    ],
)
def test_the_forms_are_those_of_kestra(expression: str, form: str) -> None:
    for number in range(50):
        assert re.fullmatch(form, rendered(f"{{{{ {expression} }}}}", str(number)))


def test_a_place_has_its_own_values_and_has_them_again() -> None:
    text = "{{ uuid() }} {{ uuid() }}"
    first, second = rendered(text).split()
    assert first != second
    assert rendered(text) == f"{first} {second}"
    assert {first, second}.isdisjoint(rendered(text, "run/task/1/commands").split())
    assert uuid.UUID(first).version == 4


def test_numbers_are_spread_over_their_range() -> None:
    found = {rendered("{{ randomInt(0, 10) }}", str(number)) for number in range(300)}
    assert found == {str(number) for number in range(10)}


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("randomInt(3, 1)", "randomInt() takes two whole numbers"),
        ("randomInt(1, 2.5)", "randomInt() takes two whole numbers"),
        ("randomInt('1', 2)", "randomInt() takes two whole numbers"),
        ("randomInt(0, 9999999999)", "randomInt() takes two whole numbers"),
        ("randomInt(1)", "the function 'randomInt' cannot take these values; it is used as in randomInt(1, 7)"),
        ("nanoId(1001)", "a length of at most 1000"),
        ("nanoId(3, '')", "a text of letters"),
        ("uuid(1)", "the function 'uuid' cannot take these values"),
        ("randomInt(1, x)", "'x' does not exist"),
    ],
)
def test_refusals_say_why(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        rendered(f"{{{{ {expression} }}}}")
    assert reason in str(caught.value)
