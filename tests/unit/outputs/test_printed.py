"""Kestra's printed protocol."""

import subprocess
import sys
import tracemalloc

import pytest

from shared.outputs.printed import Printed


def printed(*lines: str) -> Printed:
    result = Printed()
    result.read("stdout.txt", enumerate(lines, start=1))
    return result


def test_later_values_win_and_other_lines_are_passed_over() -> None:
    assert printed(
        '::{"outputs": {"a": 1, "b": 2}}::', "hello", ' ::{"outputs": {"a": 9}}::', '::{"outputs": {"a": 3}}::\r'
    ).vars == {"a": 3, "b": 2}


def test_metrics() -> None:
    (metric,) = printed(
        '::{"metrics": [{"name": "rows", "type": "counter", "value": 5, "tags": {"k": "v", "n": 1, "b": true}}]}::'
    ).metrics
    assert (metric.name, metric.value, metric.tags) == ("rows", 5.0, {"k": "v", "n": "1", "b": "true"})


def test_what_does_not_parse_is_a_warning_with_its_line() -> None:
    result = printed(
        "x", "::{bad}::", '::{"outputs": [1]}::', '::{"metrics": [{"name": 1}]}::', "::{" + "[" * 100_000 + "}::"
    )
    assert result.vars == {}
    assert [text.split(":")[0] for text in result.warnings] == [f"stdout.txt line {number}" for number in (2, 3, 4, 5)]


def test_the_package_of_kestra_prints_what_is_read_here() -> None:
    code = (
        "from kestra import Kestra\n"
        "Kestra.outputs({'a': 'ü'})\nKestra.counter('c', 2, {'t': '1'})\nKestra.logger().info('x')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    result = printed(*run.stdout.splitlines(), *run.stderr.splitlines())
    assert (result.vars, [metric.value for metric in result.metrics], result.warnings) == ({"a": "ü"}, [2.0], [])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(r'::{"outputs": {"a": "\ud800"}}::', id="half a surrogate pair"),
        pytest.param('::{"outputs": {"a": ' + "[" * 300 + "]" * 300 + "}}::", id="nested deeply"),
        pytest.param('::{"metrics": [' + "[" * 900 + "]" * 900 + "]}::", id="a metric nested as deeply as JSON may be"),
        pytest.param('::{"outputs": {"a": NaN}}::', id="no number"),
        pytest.param('::{"metrics": [{"name": "a", "type": "timer", "value": 1e999}]}::', id="an infinite metric"),
        pytest.param('::{"outputs": {"a": "' + "x" * 2_000_000 + '"}}::', id="2 MB"),
    ],
)
def test_what_cannot_stand_in_a_record_is_a_warning_and_nothing_else_is_lost(line: str) -> None:
    result = printed('::{"outputs": {"kept": 1}}::', line)
    assert (result.vars, result.metrics, len(result.warnings)) == ({"kept": 1}, [], 1)


def test_warnings_and_metrics_are_bounded() -> None:
    assert len(printed(*["::{bad}::"] * 1_000).warnings) == 101
    metrics = ", ".join(['{"name": "a", "type": "counter", "value": 1}'] * 2_000)
    assert len(printed(f'::{{"metrics": [{metrics}]}}::').metrics) == 1_000


def test_a_line_that_would_take_much_memory_is_not_parsed() -> None:
    """Sixty megabytes of brackets would be gigabytes of lists, in the process that records all runs."""
    tracemalloc.start()
    result = printed('::{"x": [' + "[]," * 1_000_000 + "[]]}::", '::{"outputs": {"kept": 1}}::')
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (result.vars, len(result.warnings)) == ({"kept": 1}, 1)
    assert peak < 20_000_000


def test_of_two_objects_on_a_line_the_first_counts_as_in_kestra() -> None:
    printed = Printed()
    printed.read("stdout.txt", [(3, '::{"outputs": {"a": 1}}::::{"outputs": {"a": 2}}::')])
    assert printed.vars == {"a": 1}
    assert printed.warnings == [
        "stdout.txt line 3: only the first of its objects counts: print each on a line of its own"
    ]
