"""Which run a person means."""

from __future__ import annotations

import pytest

from batchrun.client.refs import RunRef, latest, the_run
from batchrun.errors import ClientError

HELLO = RunRef("hello-20261125t100000-0a1b2c3d", "hello/hello-20261125t100000-0a1b2c3d")
HELLO_LATER = RunRef("hello-20261125t110000-99999999", "hello/hello-20261125t110000-99999999")
REPORT = RunRef("report-20261125t090000-abcdef01", "team/report/report-20261125t090000-abcdef01")
RUNS = [REPORT, HELLO, HELLO_LATER]
LIST = "python -m local ls"


@pytest.mark.parametrize("text", [REPORT.id, "rep", "report-2026"])
def test_a_run_is_named_by_its_id_or_the_beginning_that_only_it_has(text):
    assert the_run(text, RUNS, LIST) is REPORT


def test_an_id_that_another_one_begins_with_is_still_itself():
    longer = RunRef(HELLO.id + "0", "x")

    assert the_run(HELLO.id, [longer, HELLO], LIST) is HELLO


def test_what_may_mean_several_runs_names_them_the_newest_first():
    with pytest.raises(ClientError) as error:
        the_run("hello", RUNS, LIST)

    assert str(error.value).splitlines() == [
        "'hello' is the beginning of 2 runs:",
        f"  {HELLO_LATER.id}",
        f"  {HELLO.id}",
    ]


def test_of_very_many_runs_five_are_named():
    many = [RunRef(f"m-20261125t1000{n:02}-0a1b2c3d", "m/x") for n in range(20)]

    with pytest.raises(ClientError, match="… and 15 more"):
        the_run("m", many, LIST)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("helo-20261125t100000-0a1b2c3d", f'did you mean "{HELLO.id}"?'),
        ("repotr", 'did you mean "report"?'),
        ("x\x1b[2J", "There is no run 'x"),
    ],
)
def test_a_typo_gets_a_suggestion(text, hint):
    """Of an id, or of a manifest's name; and the way to see all runs."""
    with pytest.raises(ClientError) as error:
        the_run(text, RUNS, LIST)

    assert hint in str(error.value)
    assert "`python -m local ls` lists them." in str(error.value)
    assert "\x1b" not in str(error.value)


def test_where_nothing_was_run_that_is_said():
    with pytest.raises(ClientError, match="nothing has been run here yet"):
        the_run("x", [], LIST)


def test_the_latest_run_is_the_one_that_was_dropped_last() -> None:
    older, newer = (RunRef(run, f"m/{run}") for run in ("b-20260101t000000-00000000", "a-20260101t000001-00000000"))
    assert latest([newer, older]) == newer


def test_of_two_runs_of_the_same_second_neither_is_the_latest() -> None:
    """Times are known to the second, and the wrong run must not be cancelled."""
    runs = [RunRef(f"{name}-20260101t000000-00000000", "m") for name in "ba"]
    with pytest.raises(ClientError, match=r"2 runs were dropped last, in the same second.*:\n  a-2.*\n  b-2"):
        latest(runs)


def test_without_runs_there_is_no_latest() -> None:
    with pytest.raises(ClientError, match="Nothing has been run here yet"):
        latest([])
