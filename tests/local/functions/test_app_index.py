"""Indexing: what the host serves, and what it says of the rest."""

from __future__ import annotations

import pytest

APP = """
import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(arg_name="timer", schedule="0 0 0 29 2 *")
def good(timer): ...


@app.timer_trigger(arg_name="timer", schedule="%MISSING_ONE%")
def bad_setting(timer): ...


@app.timer_trigger(arg_name="timer", schedule="every day")
def bad_schedule(timer): ...


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def bad_parameter(clock): ...


@app.blob_trigger(arg_name="blob", path="a/{name}", connection="Nowhere")
def bad_connection(blob): ...


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def bad_type(timer: str): ...
"""


@pytest.fixture
def app_root(request, tmp_path):
    """An app of the given text."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(request.param)
    return folder


@pytest.mark.parametrize("app_root", ["raise SystemError('no import today')"], indirect=True)
def test_an_app_that_cannot_be_imported_has_no_functions_but_the_host_is_up(running_host):
    """The log shows the exception with its traceback."""
    assert "SystemError: no import today" in running_host.log()
    assert "Found the functions: none" in running_host.log()


@pytest.mark.parametrize("app_root", [APP], indirect=True)
def test_functions_that_cannot_be_served_are_named_with_the_reason_and_the_others_run(running_host):
    """Not one of them keeps the host from serving the rest."""
    log = running_host.log()

    assert "The 'bad_setting' function is in error: '%MISSING_ONE%' does not resolve to a value" in log
    assert "The 'bad_schedule' function is in error: the schedule 'every day' must have six fields" in log
    assert "The 'bad_parameter' function is in error: its parameters are ['clock'], but the name of its trigger" in log
    assert "The 'bad_connection' function is in error: the connection string 'Nowhere' is not set" in log
    assert "The 'bad_type' function is in error: a timerTrigger does not match the type <class 'str'>" in log
    assert "Found the functions: good" in log
