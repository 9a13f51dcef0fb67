"""Event Grid's filters: https://learn.microsoft.com/azure/event-grid/event-filtering."""

from __future__ import annotations

import pytest

from local.event_subscriptions import (
    EventFilter,
    NumberLessThanOrEquals,
    StringEndsWith,
    blob_created,
    inbox_filter,
)

EVENT = {"type": "T", "subject": "/a/b.YAML", "data": {"size": 5, "name": "n", "none": None, "yes": True, "many": [1]}}


@pytest.mark.parametrize(
    ("conditions", "passes"),
    [
        ({}, True),
        ({"included_event_types": ("Other", "t")}, True),
        ({"included_event_types": ("Other",)}, False),
        ({"subject_begins_with": "/A/"}, True),
        ({"subject_begins_with": "/b/"}, False),
        ({"subject_ends_with": ".yaml"}, True),
        ({"subject_ends_with": ".yml"}, False),
        ({"subject_begins_with": "/a/", "subject_ends_with": ".yml"}, False),
        ({"advanced_filters": (StringEndsWith("Subject", (".json", ".yaml")),)}, True),
        ({"advanced_filters": (StringEndsWith("Subject", (".json", ".yml")),)}, False),
        ({"advanced_filters": (StringEndsWith("Data.Name", ("N",)),)}, True),
        ({"advanced_filters": (NumberLessThanOrEquals("data.size", 5),)}, True),
        ({"advanced_filters": (NumberLessThanOrEquals("data.size", 4.9),)}, False),
        ({"advanced_filters": (StringEndsWith("subject", (".yaml",)), NumberLessThanOrEquals("data.size", 4))}, False),
    ],
)
def test_every_condition_must_be_satisfied(conditions, passes):
    """Of one condition's values any; texts in any case."""
    assert EventFilter(**{"included_event_types": ("T",), **conditions}).matches(EVENT) is passes


@pytest.mark.parametrize(
    "advanced",
    [
        StringEndsWith("data.missing", ("",)),
        StringEndsWith("data.size", ("5",)),
        StringEndsWith("data.none", ("",)),
        StringEndsWith("data.name.deeper", ("",)),
        NumberLessThanOrEquals("data.missing", 9),
        NumberLessThanOrEquals("data.name", 9),
        NumberLessThanOrEquals("data.yes", 9),
        NumberLessThanOrEquals("data.many", 9),
        NumberLessThanOrEquals("missing.size", 9),
    ],
)
def test_a_missing_key_or_another_type_is_no_match(advanced):
    """For these two operators, as the documentation notes."""
    assert not EventFilter(("T",), advanced_filters=(advanced,)).matches(EVENT)


def test_event_grids_own_schema_has_the_type_under_another_name():
    """And a subject may be missing in CloudEvents."""
    assert EventFilter(("T",)).matches({"eventType": "T"})
    assert not EventFilter(("T",), subject_ends_with="x").matches({"type": "T", "subject": None})


@pytest.mark.parametrize(
    "advanced",
    [
        (NumberLessThanOrEquals("data.size", 1),) * 26,
        (StringEndsWith("subject", ("a",) * 25), NumberLessThanOrEquals("data.size", 1)),
        (StringEndsWith("subject", ("a" * 513,)),),
    ],
)
def test_more_than_event_grid_takes_is_refused(advanced):
    """25 filters, 25 values in all of them, 512 characters each."""
    with pytest.raises(ValueError, match="at most"):
        EventFilter(("T",), advanced_filters=advanced)


def test_as_much_as_event_grid_takes_is_taken():
    """The deployed filters are far below."""
    EventFilter(("T",), advanced_filters=(StringEndsWith("s", ("a" * 512,) * 24), NumberLessThanOrEquals("n", 1)))


@pytest.mark.parametrize(
    ("container", "blob", "length", "passes"),
    [
        ("inbox", "team/job.yaml", 0, True),
        ("inbox", "JOB.YAML", 1_114_112, True),
        ("inbox", "job.yml", 1_114_113, False),
        ("inbox", "a.json.Cancel", 1, True),
        ("inbox", "a.yml.retry", 1, True),
        ("inbox", "a.zip", 1, False),
        ("inbox", "yaml", 1, False),
        ("inbox2", "job.yaml", 1, False),
    ],
)
def test_the_inbox_is_told_of_small_manifests_and_requests(container, blob, length, passes):
    """Of the container alone, not of others whose names begin so."""
    assert inbox_filter("inbox").matches(blob_created(container, blob, length)) is passes
