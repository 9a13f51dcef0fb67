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


def test_merge_keys_are_resolved_as_yaml_1_1_does() -> None:
    """A map's own names win, and of the maps that it merges the first: https://yaml.org/type/merge.html."""
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3, z: 4}\nc: {<<: [*b, *a], x: 5}\nd: {'<<': 1}\n"
    data = parse(text).data
    assert data["b"] == {"x": 1, "y": 3, "z": 4}
    assert data["c"] == {"x": 5, "y": 3, "z": 4}
    assert data["d"] == {"<<": 1}


def test_a_merged_property_has_the_place_where_it_is_written() -> None:
    assert parse("a: &a\n  x: 1\nb:\n  <<: *a\n").problem(("b", "x"), "is wrong").line == 2


@pytest.mark.parametrize("value", ["text", "[1]", "[{}, 1]"])
def test_what_is_no_map_cannot_be_merged(value: str) -> None:
    with pytest.raises(ManifestError, match="`<<` merges a map, or a list of maps"):
        parse(f"a: {{<<: {value}}}")


@pytest.mark.parametrize(
    ("text", "data"), [("0644", 420), ("-017", -15), ("0", 0), ("00", 0), ("089", "089"), ("0.5", 0.5), ("0x1F", 31)]
)
def test_numbers_with_a_leading_zero_are_octal_as_in_kestra(text: str, data: object) -> None:
    """As text they stay as they were written."""
    found = parse(text).data
    assert found == data
    assert getattr(found, "text", text) == text


@pytest.mark.parametrize("text", ["{}", "[{}]", "a: {}"])
@pytest.mark.parametrize("number", ["9" * 5_000, "1." + "9" * 5_000, "0x" + "f" * 5_000])
def test_a_number_that_is_too_long_names_its_property(text: str, number: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse("n:\n  " + text.replace("{}", number))
    [problem] = caught.value.problems
    assert problem.path
    assert problem.path.startswith("n")
    assert "characters is too long; if it is text, put it in quotes" in problem.message


def test_a_number_of_json_that_is_too_long_names_its_property() -> None:
    with pytest.raises(ManifestError, match="a: a number of 5,000 characters is too long"):
        parse('{"a": ' + "9" * 5_000 + "}", as_json=True)


def test_all_problems_of_values_are_told() -> None:
    with pytest.raises(ManifestError) as caught:
        parse("a: 1\na: 2\nb: {{ x }}\nc: !x y\nd: !!int z\n")
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1", "a tab does not indent in YAML; write spaces"),
        ("a: {{ x }}/y", "text that begins with {{ needs quotes: '{{ x }}/y'"),
        ("a: echo x: y", "text with a colon and a space needs quotes: 'echo x: y'"),
        ("a: @x", "text that begins with @ needs quotes: '@x'"),
        ("- *.csv", "text that begins with * needs quotes: '*.csv'"),
        ("a: [echo {{ x }}]", "text with {{ … }} needs quotes here"),
    ],
)
def test_a_syntax_error_says_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(text)
    assert hint in caught.value.problems[0].message


def test_a_credential_is_not_repeated_in_a_hint() -> None:
    for text in ("password: @hunter2", "password: {{ hunter2 }}", "password: a: hunter2"):
        with pytest.raises(ManifestError) as caught:
            parse(text)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "advice"),
    [
        ("a:\n  b: 1\n   c: 2\n", 3, "read as part of the text before it"),
        ("a:\n  - cat <<EOF\n    b: c\n", 3, "read as part of the text before it"),
        ("some words\nid: x\n", 2, "read as part of the text before it"),
        ("a:\n  - |\n    cat\nb: c\nEOF\n", 5, "check the indentation"),
        ("a:\n  - x\n  b: y\n", 3, "check the indentation"),
        ("a: [x\nb: c\n", 2, "close the list that begins with [ in line 1"),
        ("a: 1\nb: {c: d\n", 3, "close the map that begins with { in line 2"),
        ("a: \u00e9\nb: \u00e9\u0007\n", 2, "control characters are not allowed"),
    ],
)
def test_text_that_is_not_yaml_is_told_at_its_line_with_the_likely_cause(text: str, line: int, advice: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(text)
    [problem] = caught.value.problems
    assert problem.line == line
    assert advice in problem.message


def test_half_a_surrogate_pair_in_json_is_told_where_it_is() -> None:
    with pytest.raises(ManifestError, match=r"uD800 is one half") as caught:
        parse('{"a": "\\\\uD800",\n "b": "\\uD800"}', as_json=True)
    assert caught.value.problems[0].line == 2
