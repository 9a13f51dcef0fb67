"""What every request has: a signature, a version, query options."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from local.batch.api.request_rules import check_request
from local.batch.errors import BatchError
from tests.local.batch.blocking import send

QUERY = {"api-version": "2025-06-01"}


@pytest.fixture
def client(either_client):
    """What is said here holds for both clients of the SDK."""
    return either_client


class TestQueries:
    """Options of listings and reads."""

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/jobs?$select=id,settlesAt", "InvalidQueryParameterValue"),
            ("/jobs?$expand=tasks", "InvalidQueryParameterValue"),
            ("/jobs?$filter=priority eq 1", "InvalidQueryParameterValue"),
            ("/jobs?maxresults=0", "OutOfRangeQueryParameterValue"),
            ("/jobs?maxresults=1001", "OutOfRangeQueryParameterValue"),
            ("/jobs?maxresults=-1", "OutOfRangeQueryParameterValue"),
            ("/jobs?maxresults=many", "InvalidQueryParameterValue"),
            ("/jobs?timeOut=long", "InvalidQueryParameterValue"),
            ("/jobs?timeout=1.5", "InvalidQueryParameterValue"),
            ("/pools/local?$select=nodes", "InvalidQueryParameterValue"),
            ("/pools/local/nodes?$expand=stats", "InvalidQueryParameterValue"),
            ("/nodecounts?$filter=poolId ne 'x'", "InvalidQueryParameterValue"),
        ],
    )
    def test_what_there_is_not_is_refused(self, client, path, code):
        """The answer names the parameter and its value."""
        path, _, query = path.partition("?")
        name, _, value = query.partition("=")
        request = HttpRequest("GET", path, params={"api-version": "2025-06-01", name: value})
        with pytest.raises(HttpResponseError) as refusal:
            client.send_request(request)
        assert (refusal.value.status_code, refusal.value.error.code) == (400, code)
        details = {item["key"]: item["value"] for item in refusal.value.model["values"]}
        assert (details["QueryParameterName"], details["QueryParameterValue"]) == (name, value)

    @pytest.mark.parametrize("option", ["$top", "$skip", "$orderby", "$inlinecount"])
    def test_other_options_of_odata_are_refused(self, client, option):
        """They would change what is listed; the service has none of them."""
        with pytest.raises(HttpResponseError) as refusal:
            client.send_request(HttpRequest("GET", "/jobs", params={"api-version": "2025-06-01", option: "1"}))
        assert (refusal.value.status_code, refusal.value.error.code) == (400, "UnsupportedQueryParameter")

    @pytest.mark.parametrize("version", ["2019-08-01.10.0", "2022-10-01.16.0", "2024-07-01.20.0", "2025-06-01"])
    def test_older_versions_are_served(self, client, version):
        """Clients of other years ask in their own way."""
        assert client.send_request(HttpRequest("GET", "/jobs", params={"api-version": version})).status_code == 200

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "MissingRequiredQueryParameter"),
            ({"api-version": "2026-01-01"}, "UnsupportedRequestVersion"),
            ({"api-version": "latest"}, "UnsupportedRequestVersion"),
            ({"api-version": "2024-07-01"}, "UnsupportedRequestVersion"),
            ({"api-version": "2023-13-45"}, "UnsupportedRequestVersion"),
        ],
    )
    def test_other_versions_are_refused(self, client, params, code):
        """Those to come, those that never were, and none at all."""
        with pytest.raises(HttpResponseError) as refusal:
            client.send_request(HttpRequest("GET", "/jobs", params=params))
        assert (refusal.value.status_code, refusal.value.error.code) == (400, code)


class TestBodies:
    """What is said of a body before it is read."""

    @pytest.mark.parametrize("headers", [{}, {"transfer-encoding": "chunked"}])
    def test_a_post_must_say_how_long_it_is(self, headers):
        """Even one that is sent in chunks: the signature covers the length."""
        with pytest.raises(BatchError) as refusal:
            check_request("POST", QUERY, headers, b"{}")
        assert (refusal.value.error.code, refusal.value.error.status) == ("MissingContentLengthHeader", 411)
        check_request("POST", QUERY, {"content-length": "2"}, b"{}")

    def test_a_body_is_smaller_than_a_megabyte(self):
        """Clients that add collections of tasks halve them then."""
        check_request("POST", QUERY, {"content-length": "1048575"}, b" " * 1_048_575)
        with pytest.raises(BatchError) as refusal:
            check_request("POST", QUERY, {"content-length": "1048576"}, b" " * 1_048_576)
        assert (refusal.value.error.code, refusal.value.error.status) == ("RequestBodyTooLarge", 413)


class TestAuthentication:
    """Every operation needs the account's signature."""

    def test_a_wrong_key_is_refused(self, service):
        """With what the service signed, so that a person can compare."""
        with pytest.raises(HttpResponseError) as refusal:
            service.client(key="d3Jvbmc=").get_job("x")
        assert (refusal.value.status_code, refusal.value.error.code) == (403, "AuthenticationFailed")
        assert "string to sign" in refusal.value.model["values"][0]["value"]

    def test_a_request_without_signature_is_refused(self, service):
        """401, unlike a wrong signature."""
        assert service.send("GET", "/jobs?api-version=2025-06-01")[0] == 401

    def test_an_old_request_is_refused(self, client):
        """After 15 minutes a signature does not hold any more."""
        with pytest.raises(HttpResponseError) as refusal:
            send(client, "GET", "/jobs", headers={"ocp-date": "Mon, 23 Nov 2020 00:00:00 GMT"})
        assert refusal.value.error.code == "AuthenticationFailed"


class TestWhatIsNoOperation:
    """Paths and verbs that the service does not have."""

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/nothing", 400, "InvalidUri"),
            ("GET", "/jobs/", 400, "InvalidUri"),
            ("PUT", "/jobs", 405, "UnsupportedHttpVerb"),
            ("LOOK", "/jobs", 400, "InvalidHttpVerb"),
        ],
    )
    def test_the_answer_has_the_headers_of_any_other(self, client, method, path, status, code):
        """A request id, the client's own if it asks for it; nobody is redirected."""
        headers = {"client-request-id": "mine", "return-client-request-id": "true"}
        with pytest.raises(HttpResponseError) as refusal:
            send(client, method, path, headers=headers)
        assert (refusal.value.status_code, refusal.value.error.code) == (status, code)
        answer = refusal.value.response.headers
        assert answer["request-id"] in refusal.value.error.message
        assert (answer["client-request-id"], answer["DataServiceVersion"]) == ("mine", "3.0")
