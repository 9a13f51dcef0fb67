"""What bodies of requests must be like, sent bare: the SDK makes no such mistakes."""

from __future__ import annotations

import uuid

import pytest
from azure.core.exceptions import HttpResponseError

from tests.local.batch.blocking import send

BODY = "application/json; odata=minimalmetadata"
INVALID, MALFORMED = "InvalidPropertyValue", "InvalidRequestBody"


def refusal_of(client, path: str, body: str) -> tuple[int, str, dict[str, str]]:
    """Post a body that is refused; return status, code and values of the answer."""
    with pytest.raises(HttpResponseError) as refusal:
        send(client, "POST", path, content=body, headers={"content-type": BODY})
    values = {item["key"]: item["value"] for item in refusal.value.model.get("values", [])}
    return refusal.value.status_code, refusal.value.error.code, values


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "{", '{"id": "1",}'])
def test_a_body_is_an_object(client, body):
    """Anything else is not read as one."""
    assert refusal_of(client, "/jobs", body)[:2] == (400, MALFORMED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", '"five"'),
        ("priority", "5.5"),
        ("usesTaskDependencies", '"yes"'),
        ("usesTaskDependencies", "1"),
        ("displayName", "5"),
    ],
)
def test_values_are_of_the_types_of_json(client, name, value):
    """Text that reads like a truth value is none."""
    status, code, values = refusal_of(
        client, "/jobs", f'{{"id": "1", "poolInfo": {{"poolId": "p"}}, "{name}": {value}}}'
    )
    assert (status, code, values["PropertyName"]) == (400, INVALID, name)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ('{"name": "", "value": "x"}', "EmptyMetadataKey"),
        ('{"name": "x"}', "MissingRequiredProperty"),
        ('{"value": "x"}', "MissingRequiredProperty"),
    ],
)
def test_metadata_have_a_name_and_a_value(client, item, code):
    """An empty name has an error of its own."""
    body = f'{{"id": "1", "poolInfo": {{"poolId": "p"}}, "metadata": [{item}]}}'
    assert refusal_of(client, "/jobs", body)[:2] == (400, code)


@pytest.mark.parametrize(
    ("path", "required"),
    [
        ("/jobs", '"poolInfo": {"poolId": "p"}'),
        ("/jobs/any/tasks", '"commandLine": "true"'),
        ("/pools", '"vmSize": "m"'),
    ],
)
def test_a_display_name_has_at_most_1024_characters(client, path, required):
    """Of jobs, tasks and pools."""
    body = f'{{"id": "1", {required}, "displayName": "{"x" * 1025}"}}'
    status, code, values = refusal_of(client, path, body)
    assert (status, code, values["PropertyName"]) == (400, INVALID, "displayName")


def test_an_affinity_says_to_what(client, new_job):
    """Though tasks run anywhere here."""
    body = '{"id": "1", "commandLine": "true", "affinityInfo": {}}'
    status, code, values = refusal_of(client, f"/jobs/{new_job()}/tasks", body)
    assert (status, code, values["PropertyName"]) == (400, "MissingRequiredProperty", "affinityInfo.affinityId")


def test_text_may_stand_for_a_whole_number(client):
    """`az batch pool create --target-dedicated-nodes 1` sends "1"."""
    body = f'{{"id": "{uuid.uuid4().hex}", "poolInfo": {{"poolId": "p"}}, "priority": "5"}}'
    assert send(client, "POST", "/jobs", content=body, headers={"content-type": BODY}).status_code == 201


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_in_json_is_no_number_here(client, number):
    """Nor where nothing depends on it: it could not be returned."""
    body = f'{{"id": "1", "poolInfo": {{"poolId": "p"}}, "networkConfiguration": {{"x": {number}}}}}'
    assert refusal_of(client, "/jobs", body)[:2] == (400, MALFORMED)


@pytest.mark.parametrize("limit", ["1:00:00", "3600", "-PT1H", "P", "PT", "one hour"])
def test_durations_are_those_of_iso_8601(client, new_job, limit):
    """As text, and not below zero."""
    for text in (f'"{limit}"', "3600"):
        body = f'{{"id": "1", "commandLine": "true", "constraints": {{"maxWallClockTime": {text}}}}}'
        status, code, values = refusal_of(client, f"/jobs/{new_job()}/tasks", body)
        assert (status, code, values["PropertyName"]) == (400, INVALID, "constraints.maxWallClockTime")


@pytest.mark.parametrize("limit", ["PT1H", "P7D", "PT0.5S", "P1DT1H1M1.5S", "P1Y", "P10675199DT2H48M5.4775807S"])
def test_durations_may_have_any_parts(client, new_job, limit):
    """Clients write them differently."""
    body = f'{{"id": "1", "commandLine": "true", "constraints": {{"maxWallClockTime": "{limit}"}}}}'
    answer = send(
        client, "POST", f"/jobs/{new_job(pool_id='none')}/tasks", content=body, headers={"content-type": BODY}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("command_line", ["", "  "])
def test_a_task_without_a_container_has_a_command(client, new_job, command_line):
    """Blanks are none."""
    body = f'{{"id": "{uuid.uuid4().hex}", "commandLine": "{command_line}"}}'
    status, code, values = refusal_of(client, f"/jobs/{new_job()}/tasks", body)
    assert (status, code) == (400, INVALID)
    assert values["Reason"].startswith("commandLine must not be empty")
