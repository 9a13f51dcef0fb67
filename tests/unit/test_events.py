"""JobEnded in both schemas, as azure-functions hands it over."""

import azure.functions as func
import pytest

from shared.events import JobEnded, parse

DATA = {"runId": "r", "round": 2, "last": False}


@pytest.mark.parametrize(
    "event",
    [
        func.CloudEvent(id="1", source="/s", type="t", specversion="1.0", data=DATA),
        func.EventGridEvent(id="1", data=DATA, topic="", subject="", event_type="", event_time=None, data_version=""),
    ],
)
def test_both_schemas_are_read(event) -> None:
    assert parse(event) == JobEnded("r", 2, last=False)


def test_last() -> None:
    event = func.CloudEvent(id="1", source="/s", type="t", specversion="1.0", data={**DATA, "last": True})
    assert parse(event).last


def test_an_event_that_is_not_ours_is_said_to_be() -> None:
    event = func.CloudEvent(id="1", source="/s", type="t", specversion="1.0", data={"x": 1})
    with pytest.raises(ValueError, match="Check the subscription's filter"):
        parse(event)
