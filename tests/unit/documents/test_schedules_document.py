"""What is known of stored flows: what an edit keeps, and that what is done stays done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.documents.schedules import KnownFlow, KnownSchedule, Schedules

THEN = datetime(2026, 11, 28, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHTLY = KnownSchedule(cron="0 1 * * *", timezone="UTC", since=THEN, done=THEN + HOUR)
KNOWN = Schedules(flows={"a/b": KnownFlow(etag="1", schedules={"t": NIGHTLY}, follows={"f": "a/c"})})


def edited(**changes: object) -> KnownSchedule | None:
    """The schedule after an edit of the flow, at a later time."""
    new = NIGHTLY.model_copy(update={"since": THEN + 5 * HOUR, "done": None, **changes})
    flows = {"a/b": KnownFlow(etag="2", schedules={"t": new})}
    return KNOWN.with_flows(flows, ["a/b"], THEN).schedules().get(("a/b", "t"))


def test_an_edit_keeps_how_far_a_schedule_is_done() -> None:
    assert edited() == NIGHTLY


@pytest.mark.parametrize("changes", [{"cron": "0 2 * * *"}, {"timezone": "Europe/Paris"}])
def test_other_times_begin_anew(changes: dict[str, object]) -> None:
    found = edited(**changes)
    assert found
    assert (found.since, found.done, found.after) == (THEN + 5 * HOUR, None, THEN + 5 * HOUR)


def test_a_version_that_cannot_be_read_starts_nothing_and_forgets_nothing() -> None:
    wrong = KNOWN.with_flows({"a/b": KnownFlow(etag="2", is_wrong=True)}, ["a/b"], THEN)
    assert wrong.schedules() == {}
    assert wrong.followers("a/c") == []
    mended = wrong.with_flows({"a/b": KnownFlow(etag="3", schedules={"t": NIGHTLY})}, ["a/b"], THEN)
    assert mended.schedules() == KNOWN.schedules()


def test_a_flow_that_is_not_stored_any_more_is_forgotten() -> None:
    assert KNOWN.with_flows({}, [], THEN).flows == {}
    assert KNOWN.with_flows({}, ["a/b"], THEN).flows == KNOWN.flows


def test_what_is_done_never_goes_back() -> None:
    name = ("a/b", "t")
    assert KNOWN.with_done({name: THEN}) == KNOWN
    assert KNOWN.with_done({("no", "such"): THEN + 9 * HOUR}) == KNOWN
    assert KNOWN.with_done({name: THEN + 2 * HOUR}).schedules()[name].after == THEN + 2 * HOUR


def test_followers_are_found_by_the_flow_that_they_follow() -> None:
    assert KNOWN.followers("a/c") == [("a/b", "f")]
    assert KNOWN.followers("a/b") == []


def test_the_document_can_be_read_again() -> None:
    assert Schedules.model_validate_json(KNOWN.to_json()) == KNOWN
