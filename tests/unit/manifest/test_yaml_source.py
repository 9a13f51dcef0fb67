"""YAML and JSON as plain data, with places."""

import pytest

from shared.errors import ManifestError
from shared.manifest._source import parse


def test_scalars_follow_yaml_1_2() -> None:
    """`on`, times and dates are text; 010 is eight, as in Kestra, and 08 is text."""
    text = "[on, yes, 12:30, 2024-01-01, 010, 08, 0o17, 0x1F, 1e3, .5, true, ~, '1']"
    assert parse(text).data == ["on", "yes", "12:30", "2024-01-01", 8, "08", 15, 31, 1000.0, 0.5, True, None, "1"]


def test_numbers_remember_how_they_were_written() -> None:
    assert parse("3.10").data.text == "3.10"


def test_problem_names_path_line_and_column() -> None:
    source = parse("a:\n  - b: 1\n    c: 2\n")
    assert str(source.problem(("a", 0, "c"), "is wrong")) == "a[0].c: is wrong at line 3, column 8"
    assert str(source.problem(("a", 0, "c"), "is wrong", at_key=True)).endswith("line 3, column 5")


def test_problem_of_a_missing_property_stands_at_its_parent() -> None:
    assert parse("a:\n  b: 1\n").problem(("a", "x"), "missing").line == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the manifest is empty at line 1"),
        ("a: [1,\n", "this is not valid YAML"),
        ("{", "did not find expected node content at line 1, column 2"),
        ("a: 1\nb: 2\na: 3", "'a' is set twice at line 3, column 1"),
        ("a: !!python/object:os.system x", "line 1, column 4"),
        ("a: \x00", "control characters are not allowed"),
        ("a: 1\n---\nb: 2", "single document"),
        ("[" * 60 + "]" * 60, "nested deeper than 50 levels"),
        ("&a [*a]", "more than 100000 values"),
        (
            "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))]),
            "aliases",
        ),
        ("\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 60))]), "nested deeper"),
    ],
)
def test_what_cannot_be_read_is_one_located_problem(text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=".*") as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.problems[0].line


def test_json_may_use_tabs_and_surrogate_pairs() -> None:
    assert parse('{"a":\t"\\ud83d\\ude00", "b": "\\\\ud83d"}', as_json=True).data == {"a": "😀", "b": "\\ud83d"}


def test_json_errors_are_located() -> None:
    with pytest.raises(ManifestError, match="this is not valid JSON: .* at line 2, column 6"):
        parse('{"a": 1,\n "b" 2}', as_json=True)
