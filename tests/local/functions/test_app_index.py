"""Indexing: what the host serves, and what it says of the rest."""

from __future__ import annotations

from textwrap import dedent

import pytest

TIMER = "import azure.functions as func\napp = func.FunctionApp()\n"


@pytest.fixture
def app_root(request, tmp_path):
    """An app of the given text."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(dedent(request.param))
    return folder


@pytest.mark.parametrize("app_root", ["raise SystemError('no import today')"], indirect=True)
def test_an_app_that_cannot_be_imported_has_no_functions_but_the_host_is_up(running_host):
    """The log shows the exception with its traceback."""
    assert "SystemError: no import today" in running_host.log()
    assert "Found the functions: none" in running_host.log()


SERVED = TIMER + '@app.timer_trigger(arg_name="timer", schedule="0 0 0 29 2 *")\ndef good(timer): pass\n'
"""An app with a function that can be served, to which one that cannot is added."""


@pytest.mark.parametrize(
    ("app_root", "reason"),
    [
        (
            SERVED + '@app.timer_trigger(arg_name="timer", schedule="%MISSING_ONE%")\ndef bad(timer): pass\n',
            "'%MISSING_ONE%' does not resolve to a value",
        ),
        (
            SERVED + '@app.timer_trigger(arg_name="timer", schedule="every day")\ndef bad(timer): pass\n',
            "the schedule 'every day' must have six fields",
        ),
        (
            SERVED + '@app.timer_trigger(arg_name="timer", schedule="* * * * * *")\ndef bad(clock): pass\n',
            "its parameters are ['clock'], but the name of its trigger is 'timer'",
        ),
        (
            SERVED + '@app.blob_trigger(arg_name="b", path="a/{b}", connection="Nowhere")\ndef bad(b): pass\n',
            "the connection string 'Nowhere' is not set",
        ),
        (
            SERVED + '@app.timer_trigger(arg_name="timer", schedule="* * * * * *")\ndef bad(timer: str): pass\n',
            "a timerTrigger does not match the type <class 'str'> of 'timer'",
        ),
    ],
    indirect=["app_root"],
)
def test_a_function_that_cannot_be_served_is_named_and_the_others_run(running_host, reason):
    """The message says which function, and why."""
    assert f"The 'bad' function is in error: {reason}" in running_host.log()
    assert "Found the functions: good" in running_host.log()
