"""Which values of its type an input may have: inclusive limits, whole matches, as in Kestra.

`validate` in core/src/main/java/io/kestra/core/models/flows/input/*.java of https://github.com/kestra-io/kestra.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ManifestError
from shared.manifest.inputs import Input
from shared.manifest.read import read_manifest

OTHERS = {
    "validator": "STRING",
    "min": "INT and FLOAT and DURATION",
    "max": "INT and FLOAT and DURATION",
    "after": "DATE and DATETIME and TIME",
    "before": "DATE and DATETIME and TIME",
    "values": "SELECT and ENUM and MULTISELECT",
    "itemType": "ARRAY and MULTISELECT",
    "isRadio": "SELECT",
    "allowCustomValue": "SELECT and MULTISELECT",
    "autoSelectFirst": "SELECT and MULTISELECT",
    "allowedFileExtensions": "FILE",
}


def input_of(text: str) -> Input:
    """An input, given in YAML without its id."""
    return read_manifest(f"inputs:\n- {{id: i, required: false, {text}}}\ncommands: [x]\n", "x.yaml").flow.inputs[0]


def refusal(text: str) -> str:
    """What is said of an input, given in YAML without its id."""
    with pytest.raises(ManifestError) as caught:
        input_of(text)
    [problem] = caught.value.problems
    assert problem.line == 2
    return f"{problem.path}: {problem.message}"


WITHIN = [
    ("type: INT, min: 10, max: 20", ("10", "20", 15)),
    ("type: INT, min: '10'", (10,)),
    ("type: INT, min: 0", (0,)),
    ("type: FLOAT, min: 0.1, max: 0.5", ("0.1", 0.5)),
    ("type: FLOAT, max: 1", (1, "1.0")),
    ("type: DURATION, min: PT10S, max: PT20S", ("PT10S", "PT20S", "PT0M20S", "PT10.0S")),
    ("type: DURATION, max: PT0S", ("-PT1S", "PT-1H")),
    ("type: DATE, after: 2023-01-01, before: 2023-12-31", ("2023-01-01", "2023-12-31")),
    ('type: DATETIME, after: "2023-01-01T00:00:00Z"', ("2023-01-01T00:00:00Z", "2023-01-01T01:00:00+01:00")),
    ('type: TIME, after: "01:00:00", before: "11:59:59"', ("01:00", "11:59:59", "11:59:59.0")),
    (r"validator: A\d+", ("A123",)),
    ("validator: 'a|ab'", ("ab",)),
    ("validator: ''", ("",)),
    ("validator: 123", ("123", 123)),
    ("type: SELECT, values: [a, 1]", ("a", "1", 1)),
    ("type: SELECT, values: [{label: A, value: 1}, {value: b}]", (1, "b")),
    ("type: SELECT, values: [a], allowCustomValue: true, isRadio: true", ("b",)),
    ("type: SELECT, expression: '{{ kv() }}'", ("b",)),
    ("type: ENUM, values: [a]", ("a",)),
    ("type: MULTISELECT, values: [a, b]", (["b", "a"], [], '["a"]')),
    ("type: MULTISELECT, itemType: INT, values: [1, 2]", ([1, "2"], "[1]")),
    ("type: MULTISELECT, values: [a], allowCustomValue: true", (["b"],)),
    ("type: ARRAY", ([1, "a", None, [2]],)),
    ("type: FILE, allowedFileExtensions: [.csv, .TXT]", ("nsfile:///a.CSV", "blob://c/d.e/a.txt", "https://a.b/c.csv?d=e.f#.g")),
    ("type: FILE, allowedFileExtensions: [.gz]", ("nsfile:///a.tar.gz", "nsfile:///.gz")),
    ("type: FILE, allowedFileExtensions: []", ("nsfile:///a",)),
]  # fmt: skip

BEYOND = [
    ("type: INT, min: 10, max: 20", "9", "must be at least 10, not 9"),
    ("type: INT, min: 10, max: 20", "21", "must be at most 20, not 21"),
    ("type: INT, max: 0", 1, "must be at most 0, not 1"),
    ("type: FLOAT, min: 0.1", "0.01", "must be at least 0.1, not 0.01"),
    ("type: FLOAT, max: 0.5", "1.01", "must be at most 0.5, not 1.01"),
    ("type: DURATION, min: PT10S", "PT9.999999999S", "must be at least PT10S, not PT9.999999999S"),
    ("type: DURATION, max: PT20S", "PT1M", "must be at most PT20S, not PT1M"),
    ("type: DATE, after: 2023-01-01", "2022-12-31", "must be 2023-01-01 or later, not 2022-12-31"),
    ("type: DATE, before: 2023-12-31", "2024-01-01", "must be 2023-12-31 or earlier, not 2024-01-01"),
    ('type: DATETIME, after: "2023-01-01T00:00:00Z"', "2023-01-01T00:59:59+01:00",
     "must be 2023-01-01T00:00:00Z or later, not 2022-12-31T23:59:59Z"),
    ('type: TIME, after: "01:00:00"', "00:59:59.9", "must be 01:00:00 or later, not 00:59:59.9"),
    ('type: TIME, before: "11:59"', "11:59:01", "must be 11:59 or earlier, not 11:59:01"),
    (r"validator: A\d+", "xA1", r"must match its `validator` as a whole, which is A\d+"),
    (r"validator: A\d+", "A1x", "must match its `validator` as a whole"),
    (r"validator: A\d+", "A1\n", "must match its `validator` as a whole"),
    (r"validator: ^A\d+$", "A1\n", "must match its `validator` as a whole"),
    ("type: SELECT, values: [a, b]", "c", "'c' is not one of its values: a, b"),
    ("type: SELECT, values: []", "c", "'c' is not one of its values: there are none"),
    ("type: ENUM, values: [a]", "A", "'A' is not one of its values: a"),
    ("type: MULTISELECT, values: [a]", ["a", "b"], "'b' is not one of its values: a"),
    ("type: MULTISELECT", [["a"]], "entry 1 of the list: expected text, as its `itemType` is STRING"),
    ("type: MULTISELECT, itemType: INT", ["a"], "entry 1 of the list: expected a whole number"),
    ("type: ARRAY, itemType: INT", '["1", "s1"]',
     "entry 2 of the list: expected a whole number, as its `itemType` is INT"),
    ("type: ARRAY, itemType: DATE", [None], "entry 1 of the list: expected a date"),
    ("type: ARRAY, itemType: FILE", ["a.csv"], "entry 1 of the list: this is not the address of a file"),
    ("type: FILE, allowedFileExtensions: [.csv, .txt]", "nsfile:///a.pdf",
     "must be a file whose name ends in .csv or .txt, not nsfile:///a.pdf"),
    ("type: FILE, allowedFileExtensions: [.csv]", "nsfile:///a.csv/b", "must be a file whose name ends in .csv"),
    ("type: FILE, allowedFileExtensions: [.csv]", "https://a.b/c?d=e.csv", "must be a file whose name ends in .csv"),
    ("type: FILE, allowedFileExtensions: [.com]", "https://a.com", "must be a file whose name ends in .com"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "values"), WITHIN)
def test_a_value_within_the_limits_is_taken(declared: str, values: tuple[object, ...]) -> None:
    for value in values:
        input_of(declared).value_of(value)


@pytest.mark.parametrize(("declared", "value", "problem"), BEYOND)
def test_a_value_beyond_the_limits_is_refused(declared: str, value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        input_of(declared).value_of(value)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ("type: INT, min: 1, defaults: 0", "inputs[0].defaults: must be at least 1, not 0"),
        ("type: DATE, before: 2026-01-01, defaults: 2026-01-02", "inputs[0].defaults: must be 2026-01-01 or earlier"),
        ("validator: a+, defaults: b", "inputs[0].defaults: must match its `validator` as a whole, which is a+"),
        ("type: ARRAY, itemType: INT, defaults: [1, a]", "inputs[0].defaults: entry 2 of the list: expected a whole"),
        ("type: MULTISELECT, values: [a], defaults: [b]", "inputs[0].defaults: 'b' is not one of its values: a"),
        ("type: FILE, allowedFileExtensions: [.csv], defaults: 'nsfile:///a'", "inputs[0].defaults: must be a file"),
        ("defaults: 0, min: 1, type: INT", "inputs[0].defaults: must be at least 1, not 0"),
    ],
)
def test_a_default_beyond_the_limits_is_a_problem_of_the_manifest(declared: str, problem: str) -> None:
    assert refusal(declared).startswith(problem)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ("type: INT, min: abc", "inputs[0].min: expected a whole number, as its type is INT"),
        ("type: INT, max: 1.5", "inputs[0].max: expected a whole number, as its type is INT"),
        ("type: INT, min: '{{ vars.n }}'", "inputs[0].min: expected a whole number, as its type is INT"),
        ("type: FLOAT, max: [1]", "inputs[0].max: expected a number, as its type is FLOAT"),
        ("type: DURATION, min: 10 minutes", "inputs[0].min: expected an ISO 8601 duration"),
        ("type: DATE, after: 2026-02-30", "inputs[0].after: expected a date such as 2026-01-31"),
        ("type: DATETIME, before: 2026-01-31", "inputs[0].before: expected a date and time with its zone"),
        ("type: INT, min: abc, defaults: x", "inputs[0].min: expected a whole number, as its type is INT"),
        (r"validator: \, defaults: a", "inputs[0].validator: the regular expression '\\\\' is not valid"),
        ("validator: '(?=a)b'", "inputs[0].validator: the regular expression '(?=a)b' uses look-ahead or look-behind"),
        ("validator: '(a)\\1'", "inputs[0].validator: the regular expression '(a)\\\\1' uses back references"),
        *((f"type: ARRAY, itemType: {each}", f"inputs[0].itemType: the entries of a list cannot be of type {each}")
          for each in ("ARRAY", "MULTISELECT", "SELECT", "SECRET")),
        ("type: ARRAY, itemType: ION", "inputs[0].itemType: inputs of type ION are not supported here: use JSON"),
        ("type: ARRAY, itemType: NUMBER", "inputs[0].itemType: expected 'STRING'"),
        ("type: FILE, allowedFileExtensions: [csv]", "inputs[0].allowedFileExtensions: an extension begins with a dot"),
    ],
)  # fmt: skip
def test_a_limit_that_cannot_be_one_is_a_problem_of_the_manifest(declared: str, problem: str) -> None:
    assert refusal(declared).startswith(problem)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("input_type", ["JSON", "BOOL"])
def test_a_limit_of_another_type_is_a_problem_of_the_manifest(name: str, input_type: str) -> None:
    values = {**dict.fromkeys(("values", "allowedFileExtensions"), "['.a']"), "itemType": "INT"}
    flags = dict.fromkeys(("isRadio", "allowCustomValue", "autoSelectFirst"), "true")
    value = {**values, **flags}.get(name, "1")
    expected = (
        f"inputs[0].{name}: an input of type {input_type} has no `{name}`; only those of type {OTHERS[name]} have it"
    )
    assert refusal(f"type: {input_type}, {name}: {value}").startswith(expected)


@settings(deadline=None)
@given(*[st.integers(-(2**31), 2**31 - 1)] * 3)
def test_limits_include_themselves(low: int, high: int, value: int) -> None:
    declared = Input(id="i", type="INT", min=low, max=high)
    if low <= value <= high:
        assert declared.value_of(value) == value
    else:
        with pytest.raises(ValueError, match="must be at (least|most)"):
            declared.value_of(value)
