"""The app's log: a JSON object a line, with fields that queries rely on, and no secrets in any of them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from shared.log import LONGEST_TRACEBACK, Stage, log, log_event, log_exception
from shared.masking import MASK, Masker, MaskingFilter

SECRET = 's3cr3t "quoted" \\ t0ken'
MESSAGE_LIMIT = 32_768


@pytest.fixture
def lines(caplog):
    """What has been logged: each record's level and the object that its text is."""
    caplog.set_level(logging.INFO, logger=log.name)
    masking = MaskingFilter(Masker([SECRET]))
    log.addFilter(masking)
    yield lambda: [(record.levelname, json.loads(record.getMessage())) for record in caplog.records]
    log.removeFilter(masking)


def test_an_event_is_one_line_of_json_with_its_stage_and_fields(lines) -> None:
    """What is not known is left out; numbers stay numbers, so that queries can compute with them."""
    log_event(Stage.SUBMIT, "submitted", run="a-1", job="a-1-1", ms=12, blob=None)

    expected = {"event": "submitted", "stage": "submit", "run": "a-1", "job": "a-1-1", "ms": 12}
    assert lines() == [("INFO", expected)]


def test_secrets_are_masked_in_fields_also_within_messages_of_exceptions(lines) -> None:
    log_event(Stage.POLL, "put-off", level=logging.WARNING, reason=SECRET)
    try:
        [].index(SECRET)
    except ValueError:
        log_exception(Stage.RECORD, "failed", reason=repr(SECRET))

    [(_, plain), (level, bug)] = lines()
    assert plain["reason"] == MASK
    assert (level, bug["reason"]) == ("ERROR", f"'{MASK}'")
    assert bug["traceback"].endswith(f"ValueError: '{MASK}' is not in list\n")
    assert "t0ken" not in json.dumps(bug)


def test_a_traceback_is_part_of_the_object_and_never_too_long_for_application_insights(lines, caplog) -> None:
    """A message that is cut off could not be parsed; the end of a traceback says most."""
    try:
        [].index("é" * 2 * LONGEST_TRACEBACK)
    except ValueError:
        log_exception(Stage.RECORD, "failed")

    [(_, bug)] = lines()
    assert bug["traceback"].endswith("é' is not in list\n")
    assert len(caplog.records[0].getMessage()) < MESSAGE_LIMIT


def test_the_log_needs_nothing_but_the_standard_library() -> None:
    """It is imported in every cold start."""
    program = "import sys; before = set(sys.modules); import shared.log; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    roots = {name.partition(".")[0] for name in loaded}
    assert roots - {"shared"} <= sys.stdlib_module_names
