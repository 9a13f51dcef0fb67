"""JobEnded and the markers of tasks, in both schemas, as azure-functions hands them over."""

import azure.functions as func
import pytest

from shared.documents.end_markers import EndMarker, end_marker_at
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
    with pytest.raises(ValueError, match="Check the filters of the subscriptions"):
        parse(event)


RUN = "m-20261122t121314-3f9a1c2b"


@pytest.mark.parametrize(
    ("url", "blob", "is_of_job"),
    [
        ("https://s.blob.core.windows.net/staging/RUN/std/t/2/task.ended", "RUN/std/t/2/task.ended", False),
        ("https://s.blob.core.windows.net/staging/RUN/std/t/17/2/task.ended", "RUN/std/t/17/2/task.ended", False),
        ("https://s.blob.core.windows.net/staging/RUN/std/t/2/job.ended", "RUN/std/t/2/job.ended", True),
        ("http://127.0.0.1:10000/devstoreaccount1/staging/RUN/std/t/2/task.ended", "RUN/std/t/2/task.ended", False),
        ("https://s.blob.core.windows.net/staging/RUN/std/a%20b/2/task.ended", "RUN/std/a b/2/task.ended", False),
    ],
)
def test_a_new_marker_is_known_by_its_address(url: str, blob: str, is_of_job: bool) -> None:
    data = {"api": "PutBlob", "url": url.replace("RUN", RUN), "contentLength": 6}
    marker = parse(func.CloudEvent(id="1", source="/s", type="t", specversion="1.0", data=data))
    assert marker == EndMarker("staging", blob.replace("RUN", RUN), RUN, 2)
    assert marker.is_of_job is is_of_job


@pytest.mark.parametrize(
    "path",
    [
        "results/m/RUN/outputs/t/task.ended",
        "staging/RUN/out/t/0/1/task.ended",
        "staging/RUN/std/t/stdout.txt",
        "staging/RUN/std/t/x/task.ended",
        "staging/RUN/std/1/task.ended",
        "staging/x/std/t/1/task.ended",
        "RUN/std/t/1/task.ended",
    ],
)
def test_other_blobs_with_such_an_ending_are_no_markers(path: str) -> None:
    url = f"https://s.blob.core.windows.net/{path.replace('RUN', RUN)}"
    assert end_marker_at(url) is None


def test_the_event_of_a_users_file_with_such_a_name_is_ignored() -> None:
    data = {"url": "https://s.blob.core.windows.net/results/m/RUN/outputs/t/task.ended"}
    assert parse(func.CloudEvent(id="1", source="/s", type="t", specversion="1.0", data=data)) is None
