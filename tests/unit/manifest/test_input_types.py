"""What the types of inputs take: the tables are of Kestra's behaviour.

FlowInputOutput.parseType, models/flows/input/*.java and their tests (InputsTest, FlowInputOutputTest) in
https://github.com/kestra-io/kestra; the forms are those of Java's `parse` and `valueOf`.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ManifestError
from shared.manifest.inputs import Input
from shared.manifest.read import read_manifest

A = "nsfile:///a.csv"
BACK = "expected a date and time with its zone, such as 2026-01-31T12:00:00Z, as its type is DATETIME"


def input_of(text: str) -> Input:
    """An input, given in YAML without its id."""
    return read_manifest(f"inputs:\n- {{id: i, required: false, {text}}}\ncommands: [x]\n", "x.yaml").flow.inputs[0]


TAKEN = [
    ("STRING", "a", "a"),
    ("STRING", "", ""),
    ("STRING", " a ", " a "),
    ("STRING", 1.5, "1.5"),
    ("STRING", True, "true"),
    ("INT", "12", 12),
    ("INT", 12, 12),
    ("INT", "+12", 12),
    ("INT", "-0", 0),
    ("INT", "007", 7),
    ("INT", 2147483647, 2147483647),
    ("INT", "-2147483648", -2147483648),
    ("FLOAT", "1.5", 1.5),
    ("FLOAT", 1, 1.0),
    ("FLOAT", " 1e3 ", 1000.0),
    ("FLOAT", ".5f", 0.5),
    ("FLOAT", "5.", 5.0),
    ("BOOL", "true", True),
    ("BOOL", "TRUE", True),
    ("BOOLEAN", False, False),
    ("BOOL", "on", True),
    ("ARRAY", "[1, 2]", [1, 2]),
    ("ARRAY", [1, 2], [1, 2]),
    ("ARRAY", "[]", []),
    ("MULTISELECT", "[1, true]", ["1", "true"]),
    ("JSON", '{"a": 1}', {"a": 1}),
    ("JSON", {"a": 1}, {"a": 1}),
    ("JSON", '"a"', "a"),
    ("YAML", "a: [1]", {"a": [1]}),
    ("YAML", {"a": 1}, {"a": 1}),
    ("DATETIME", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
    ("DATETIME", "2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"),
    ("DATETIME", "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00Z"),
    ("DATETIME", "2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"),
    ("DATETIME", "2042-04-02T04:20:42.00Z", "2042-04-02T04:20:42Z"),
    ("DATE", "2026-01-31", "2026-01-31"),
    ("TIME", "12:30", "12:30"),
    ("TIME", "18:27:49.123", "18:27:49.123"),
    ("DURATION", "PT5M6S", "PT5M6S"),
    ("DURATION", "P1DT0.5S", "P1DT0.5S"),
    ("DURATION", "pt5m", "pt5m"),
    ("DURATION", "PT0S", "PT0S"),
    ("DURATION", "-PT5M", "-PT5M"),
    ("DURATION", "PT-5M+3S", "PT-5M+3S"),
    ("URI", "https://www.google.com", "https://www.google.com"),
    ("URI", "kestra:///io/kestra/run1/results.ion", "kestra:///io/kestra/run1/results.ion"),
    ("URI", "jdbc:duckdb:", "jdbc:duckdb:"),
    ("URI", "file:///tmp/myfile.csv", "file:///tmp/myfile.csv"),
    ("URI", "http://localhost:8080/api", "http://localhost:8080/api"),
    ("URI", "https://a.com/%20?q=1#f", "https://a.com/%20?q=1#f"),
    ("EMAIL", "a@example.com", "a@example.com"),
    ("EMAIL", "a+b@localhost", "a+b@localhost"),
    ("EMAIL", "", ""),
    ("FILE", A, A),
    ("FILE", "nsfile://company.team/in/a.csv", "nsfile://company.team/in/a.csv"),
    ("FILE", "blob://uploads/0123/a.csv", "blob://uploads/0123/a.csv"),
    ("FILE", "https://example.com/a.csv?sig=b", "https://example.com/a.csv?sig=b"),
]

REFUSED = [
    ("STRING", [1], "expected text"),
    ("STRING", {"a": 1}, "expected text"),
    ("INT", "", "expected a whole number, as its type is INT"),
    ("INT", "1.5", "expected a whole number"),
    ("INT", 1.5, "expected a whole number"),
    ("INT", 1.0, "expected a whole number"),
    ("INT", " 1", "expected a whole number"),
    ("INT", "1_000", "expected a whole number"),
    ("INT", "0x10", "expected a whole number"),
    ("INT", True, "expected a whole number"),
    ("INT", "9" * 5000, "expected a whole number"),
    ("INT", 2147483648, "must be from -2147483648 to 2147483647"),
    ("INT", "-2147483649", "must be from -2147483648 to 2147483647"),
    ("FLOAT", "", "expected a number"),
    ("FLOAT", "nan", "expected a number"),
    ("FLOAT", "Infinity", "expected a number"),
    ("FLOAT", "1_0", "expected a number"),
    ("FLOAT", "1,5", "expected a number"),
    ("FLOAT", True, "expected a number"),
    ("BOOL", "maybe", "expected true or false"),
    ("BOOL", "", "expected true or false"),
    ("ARRAY", "{}", "expected a list"),
    ("ARRAY", "a", "expected a list"),
    ("ARRAY", {}, "expected a list"),
    ("MULTISELECT", "a", "expected a list"),
    ("JSON", "{", "expected JSON"),
    ("JSON", "", "expected JSON"),
    ("JSON", "NaN", "expected JSON"),
    ("JSON", "[" * 10000, "expected JSON"),
    ("YAML", "a: [", "expected YAML"),
    ("DATE", "31.1.2026", "expected a date such as 2026-01-31"),
    ("DATE", "2026-02-30", "expected a date"),
    ("DATE", "20260131", "expected a date"),
    ("DATE", "2026-W05-6", "expected a date"),
    ("DATE", "2026-01-31T00:00:00Z", "expected a date"),
    ("DATETIME", "0001-01-01T00:00:00+14:00", BACK),
    ("DATETIME", "2026-01-31T12:00:00", BACK),
    ("DATETIME", "2026-01-31T12:00Z", BACK),
    ("DATETIME", "2026-01-31", BACK),
    ("DATETIME", "2026-01-31 12:00:00Z", BACK),
    ("DATETIME", "2026-01-31T12:00:00+0200", BACK),
    ("TIME", "12", "expected a time such as 12:30:00"),
    ("TIME", "1230", "expected a time"),
    ("TIME", "25:00", "expected a time"),
    ("TIME", "12:30Z", "expected a time"),
    ("TIME", "9:00", "expected a time"),
    ("DURATION", "5m", "expected an ISO 8601 duration"),
    ("DURATION", "30", "expected an ISO 8601 duration"),
    ("DURATION", "P", "expected an ISO 8601 duration"),
    ("DURATION", "PT", "expected an ISO 8601 duration"),
    ("DURATION", "P1DT", "expected an ISO 8601 duration"),
    ("DURATION", "P1W", "expected an ISO 8601 duration"),
    ("DURATION", "P1Y", "expected an ISO 8601 duration"),
    ("DURATION", "PT9223372036854775808S", "expected an ISO 8601 duration"),
    ("DURATION", "PT1.5H", "expected an ISO 8601 duration"),
    ("URI", "justastring", "expected an address"),
    ("URI", "not a uri", "expected an address"),
    ("URI", "", "expected an address"),
    ("URI", "http://", "expected an address"),
    ("URI", "https://a.com/a b", "expected an address"),
    ("URI", "https://a.com/%zz", "expected an address"),
    ("EMAIL", "example.com", "expected an e-mail address"),
    ("EMAIL", "a@b c", "expected an e-mail address"),
    ("EMAIL", "a@b@c", "expected an e-mail address"),
    ("FILE", "", "this is not the address of a file; use nsfile:///<path>"),
    ("FILE", "data.csv", "this is not the address of a file; use nsfile:///<path>"),
    ("FILE", "/data/a.csv", "this is not the address of a file"),
    ("FILE", "kestra:///a.csv", "kestra:// addresses are not supported; use nsfile:///<path>"),
    ("FILE", "file:///tmp/a.csv", "file:// addresses are not supported; use nsfile:///<path>"),
    ("FILE", "http://example.com/a", "files are fetched by https:// only; write https://example.com/a"),
    ("FILE", "nsfile:///", "'nsfile:///' names no file"),
    ("FILE", "blob://uploads", "'blob://uploads' names no file"),
    ("FILE", "blob:///a", "'blob:///a' names no file"),
    ("FILE", "nsfile:///../a", "'../a' is not the path of a file"),
    ("FILE", [A], "expected the address of a file, as its type is FILE"),
]


def named(rows: list[tuple[str, object, object]]) -> list[object]:
    return [pytest.param(*row, id=f"{row[0]} {str(row[1])[:40]}") for row in rows]


@pytest.mark.parametrize(("input_type", "value", "read"), named(TAKEN))
def test_a_value_is_read_as_one_of_its_type(input_type: str, value: object, read: object) -> None:
    flow = {"inputs": [{"id": "i", "type": input_type, "defaults": value}], "commands": ["x"]}
    declared = read_manifest(json.dumps(flow), "x.json").flow.inputs[0]
    for found in (declared.defaults, declared.value_of(value)):
        assert found == read
        assert type(found) is type(read)


@pytest.mark.parametrize(("input_type", "value", "problem"), named(REFUSED))
def test_a_value_that_the_type_does_not_have_is_refused(input_type: str, value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=".") as given_value:
        Input(id="i", type=input_type).value_of(value)
    assert str(given_value.value).startswith(problem)
    flow = {"inputs": [{"id": "i", "type": input_type, "defaults": value}], "commands": ["x"]}
    with pytest.raises(ManifestError) as default:
        read_manifest(json.dumps(flow), "x.json")
    assert str(default.value).startswith(f"inputs[0].defaults: {problem}")


def test_no_value_is_one_of_every_type() -> None:
    assert Input(id="i", type="INT", min=1).value_of(None) is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("type: STRING, defaults: 3.10", "3.10"),
        ("type: STRING, defaults: 0x1F", "0x1F"),
        ("type: INT, defaults: 0x1F", 31),
        ("type: INT, defaults: 010", 8),
        ('type: INT, defaults: "010"', 10),
        ("type: SELECT, values: [1.0], defaults: 1.0", "1.0"),
        ("type: TIME, defaults: 12:30", "12:30"),
        ("type: DATE, defaults: 2026-01-31", "2026-01-31"),
        ("type: BOOL, defaults: on", True),
    ],
)
def test_what_yaml_makes_of_a_default(written: str, value: object) -> None:
    assert input_of(written).defaults == value


@pytest.mark.parametrize("value", ["{{ 1 }}", "{% if %}", "{{"])
def test_a_given_value_is_no_expression(value: str) -> None:
    assert input_of("type: STRING").value_of(value) == value
    with pytest.raises(ValueError, match="is not one of its values: a"):
        input_of("type: SELECT, values: [a]").value_of(value)
    with pytest.raises(ValueError, match="entry 1 of the list: expected a whole number, as its `itemType` is INT"):
        input_of("type: ARRAY, itemType: INT").value_of([value])


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 1))
def test_every_integer_of_java_and_its_text_is_an_int(number: int) -> None:
    declared = Input(id="i", type="INT")
    assert declared.value_of(number) == declared.value_of(str(number)) == number


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_every_number_is_a_float(number: float) -> None:
    assert Input(id="i", type="FLOAT").value_of(str(number)) == number


@settings(deadline=None)
@given(st.dates(), st.times(), st.timedeltas(timedelta(0)))
def test_dates_and_times_are_read_as_python_writes_them(day, moment, length) -> None:
    for kind, text in (("DATE", day.isoformat()), ("TIME", moment.isoformat())):
        assert Input(id="i", type=kind).value_of(text) == text
    seconds = f"PT{length.days * 86400 + length.seconds}.{length.microseconds:06}S"
    assert Input(id="i", type="DURATION", min=seconds, max=seconds).value_of(seconds) == seconds


@settings(deadline=None)
@given(st.sampled_from(["INT", "FLOAT", "BOOL", "DATETIME", "DATE", "TIME", "DURATION", "URI", "EMAIL", "FILE", "JSON",
                        "ARRAY", "MULTISELECT"]), st.text())  # fmt: skip
def test_any_text_is_taken_or_refused_with_a_reason(kind: str, text: str) -> None:
    try:
        Input(id="i", type=kind).value_of(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - any other exception is a failure
