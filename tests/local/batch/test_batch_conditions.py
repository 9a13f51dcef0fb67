"""Conditional headers, by the SDK and by bare requests where it cannot show the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from azure.batch import models
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError
from azure.core.rest import HttpRequest

from local.batch.api.conditions import Version, check_conditions
from local.batch.errors import BatchError

MODIFIED = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
VERSION = Version("0x1", MODIFIED)


def at(seconds: int) -> str:
    return format_datetime(MODIFIED + timedelta(seconds=seconds), usegmt=True)


class TestConditions:
    """When a call is carried out."""

    @pytest.mark.parametrize(
        ("name", "value", "holds"),
        [
            ("if-match", '"0x1"', True),
            ("if-match", "0x1", True),
            ("if-match", "*", True),
            ("if-match", '"0x2"', False),
            ("if-none-match", '"0x1"', False),
            ("if-none-match", "*", False),
            ("if-none-match", '"0x2"', True),
            ("if-modified-since", at(-1), True),
            ("if-modified-since", at(0), False),
            ("if-modified-since", at(1), False),
            ("if-unmodified-since", at(-1), False),
            ("if-unmodified-since", at(0), True),
        ],
    )
    @pytest.mark.parametrize(("reading", "status"), [(True, 304), (False, 412)])
    def test_a_condition_that_does_not_hold_stops_the_call(self, name, value, holds, reading, status):
        """304 for a read, 412 for a write; times are whole seconds in headers."""
        if holds:
            check_conditions({name: value}, VERSION, reading=reading)
            return
        with pytest.raises(BatchError) as refusal:
            check_conditions({name: value}, VERSION, reading=reading)
        assert (refusal.value.error.code, refusal.value.error.status) == ("ConditionNotMet", status)

    def test_one_condition_at_a_time(self):
        """The service has a code of its own for more."""
        with pytest.raises(BatchError) as refusal:
            check_conditions({"if-match": "0x1", "if-modified-since": at(-1)}, VERSION, reading=True)
        assert refusal.value.error.code == "MultipleConditionHeadersNotSupported"

    @pytest.mark.parametrize(
        "text",
        ["yesterday", "2026-01-01T00:00:00Z", "Sun, 06 Nov 1994 08:49:37", "Sun Nov  6 08:49:37 1994"],
    )
    def test_a_time_must_be_one(self, text):
        """Otherwise nobody can say whether the condition holds."""
        with pytest.raises(BatchError) as refusal:
            check_conditions({"if-modified-since": text}, VERSION, reading=True)
        assert refusal.value.error.code == "InvalidHeaderValue"

    @pytest.mark.parametrize("text", ["Sunday, 06-Nov-94 08:49:37 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
    def test_the_service_reads_the_older_format_too(self, text):
        """That of RFC 850, https://learn.microsoft.com/rest/api/batchservice/common-parameters-and-headers."""
        check_conditions({"if-modified-since": text}, VERSION, reading=True)

    def test_a_time_may_be_the_last_of_all(self):
        """Some clients mean "never" by it."""
        check_conditions({"if-unmodified-since": "Fri, 31 Dec 9999 23:59:59 GMT"}, VERSION, reading=True)


class TestOverTheWire:
    """What clients see of it."""

    def test_reads(self, client, new_job):
        """Nothing is sent again that the client has."""
        job_id = new_job()
        job = client.get_job(job_id)
        for condition in (
            {"etag": job.etag, "match_condition": MatchConditions.IfModified},
            {"if_modified_since": job.last_modified + timedelta(seconds=1)},
        ):
            with pytest.raises(HttpResponseError) as refusal:
                client.get_job(job_id, **condition)
            assert refusal.value.status_code == 304
        assert client.get_job(job_id, if_unmodified_since=job.last_modified + timedelta(seconds=1)).id == job_id

    @pytest.mark.parametrize("change", ["delete_task", "terminate_task"])
    def test_writes(self, client, new_job, change):
        """A resource that changed meanwhile is left alone."""
        job_id = new_job(pool_id="none")
        client.create_task(job_id, models.BatchTaskCreateOptions(id="1", command_line="true"))
        with pytest.raises(ResourceModifiedError) as refusal:
            getattr(client, change)(job_id, "1", etag="0x0", match_condition=MatchConditions.IfNotModified)
        assert refusal.value.error.code == "ConditionNotMet"
        assert client.get_task(job_id, "1").state == "active"

    def test_pools(self, client):
        """Their every operation has conditions, HEAD included."""
        with pytest.raises(HttpResponseError) as refusal:
            client.pool_exists("local", etag="0x0", match_condition=MatchConditions.IfNotModified)
        assert refusal.value.status_code == 304
        options = models.BatchPoolResizeOptions(target_dedicated_nodes=9)
        with pytest.raises(ResourceModifiedError):
            client.begin_resize_pool("local", options, etag="0x0", match_condition=MatchConditions.IfNotModified)

    def test_files(self, client, run_task):
        """By time alone: files have no ETags."""
        job_id = run_task("/bin/sh -c 'echo hello'").url.split("/")[-3]
        modified = client.get_task_file_properties(job_id, "task", "stdout.txt").last_modified
        with pytest.raises(HttpResponseError) as refusal:
            client.download_task_file(job_id, "task", "stdout.txt", if_modified_since=modified)
        assert refusal.value.status_code == 304
        content = client.download_task_file(job_id, "task", "stdout.txt", if_unmodified_since=modified)
        assert b"".join(content) == b"hello\n"

    def test_a_change_tells_of_the_new_version(self, client, new_job):
        """So that the next change can be made on the condition that there was no other."""
        job_id = new_job()
        request = HttpRequest("PATCH", f"/jobs/{job_id}", params={"api-version": "2025-06-01"}, json={"priority": 3})
        headers = client.send_request(request).headers
        job = client.get_job(job_id)
        assert (headers["ETag"], headers["DataServiceId"]) == (job.etag, job.url)
        assert parsedate_to_datetime(headers["Last-Modified"]) == job.last_modified.replace(microsecond=0)
