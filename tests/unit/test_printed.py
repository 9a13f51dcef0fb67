"""Kestra's printed protocol."""

import subprocess
import sys

from shared.printed import Printed


def printed(*lines: str) -> Printed:
    result = Printed()
    result.read("stdout.txt", lines)
    return result


def test_later_values_win_and_other_lines_are_passed_over() -> None:
    assert printed(
        '::{"outputs": {"a": 1, "b": 2}}::', "hello", ' ::{"outputs": {"a": 9}}::', '::{"outputs": {"a": 3}}::\r'
    ).vars == {"a": 3, "b": 2}


def test_metrics() -> None:
    (metric,) = printed(
        '::{"metrics": [{"name": "rows", "type": "counter", "value": 5, "tags": {"k": "v"}}]}::'
    ).metrics
    assert (metric.name, metric.value, metric.tags) == ("rows", 5.0, {"k": "v"})


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
