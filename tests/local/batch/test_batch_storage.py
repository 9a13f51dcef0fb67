"""Files from storage before a task, and to storage after it, with a real Azurite."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError

from local.batch.models.node_task import ResourceFile
from local.batch.models.pool import Pool
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.resource_files import EmptyPrefix, download_resource_files
from local.batch.node.storage import StorageAccess
from tests.local.batch.output_container import Container, output

NOW = datetime.now(UTC)
ANY_POOL = Pool(
    id="pool",
    vm_size="m",
    e_tag="",
    last_modified=NOW,
    creation_time=NOW,
    state_transition_time=NOW,
    allocation_state="steady",
    allocation_state_transition_time=NOW,
)
OURS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ours"


@pytest.fixture(scope="module")
def service_with_identity(start_service):
    """A service whose pool has an identity."""
    return start_service("--node-identity", OURS)


def broken(url: str) -> str:
    """The same URL with a signature that does not hold."""
    return url.replace("sp=", "sp=d")


class TestResourceFiles:
    """What a task finds in its working directory."""

    def test_a_url_is_downloaded_to_its_path(self, container, run_task):
        """With the mode that is asked for, or 0770."""
        container.client.upload_blob("x/data.txt", b"data")
        files = [
            models.ResourceFile(http_url=container.blob_url("x/data.txt"), file_path="in/a.txt"),
            models.ResourceFile(http_url=container.blob_url("x/data.txt"), file_path="b.txt", file_mode="0600"),
        ]
        check = "test $(cat in/a.txt) = data -a $(stat -c %a in/a.txt b.txt | tr -d '\\n') = 770600"
        task = run_task(f'/bin/sh -c "{check}"', resource_files=files)
        assert task.execution_info.exit_code == 0

    def test_a_prefix_brings_blobs_with_their_full_names(self, container, run_task):
        """Below filePath if one is given; a prefix without a final slash matches siblings too."""
        for name in ("run/in/a.txt", "run/in/deep/b.txt", "run/input/c.txt", "other/d.txt"):
            container.client.upload_blob(name, name.encode())
        files = [
            models.ResourceFile(storage_container_url=container.url, blob_prefix="run/in/"),
            models.ResourceFile(storage_container_url=container.url, blob_prefix="run/in", file_path="sub"),
        ]
        outputs = [output(container.url, "**/*.txt", "seen")]
        assert run_task("true", resource_files=files, output_files=outputs).execution_info.exit_code == 0
        seen = {name.removeprefix("seen/") for name in container.blobs() if name.startswith("seen/")}
        plain = {"run/in/a.txt", "run/in/deep/b.txt"}
        assert seen == plain | {f"sub/{name}" for name in (*plain, "run/input/c.txt")}

    def test_a_container_may_be_brought_whole(self, container, run_task):
        """Without a prefix; the mode holds for all its files."""
        for name in ("a", "b/c"):
            container.client.upload_blob(name, b"x")
        files = [models.ResourceFile(storage_container_url=container.url, file_path="all", file_mode="0640")]
        check = "test $(stat -c %a all/a all/b/c | tr -d '\\n') = 640640"
        assert run_task(f'/bin/sh -c "{check}"', resource_files=files).execution_info.exit_code == 0

    def test_there_is_no_automatic_storage(self, client, new_job):
        """The account has none, as long as nobody can link one."""
        files = [models.ResourceFile(auto_storage_container_name="c")]
        spec = models.BatchTaskCreateOptions(id="1", command_line="true", resource_files=files)
        with pytest.raises(HttpResponseError) as refusal:
            client.create_task(new_job(), spec)
        assert refusal.value.status_code == 501

    @pytest.mark.parametrize(
        ("file", "code"),
        [
            (lambda c: models.ResourceFile(http_url=c.blob_url("none"), file_path="a"), "BlobNotFound"),
            (lambda c: models.ResourceFile(http_url=broken(c.blob_url("x")), file_path="a"), "BlobAccessDenied"),
            (lambda _: models.ResourceFile(http_url="http://127.0.0.1:1/a", file_path="a"), "BlobDownloadMiscError"),
            (lambda _: models.ResourceFile(http_url="file:///etc/hosts", file_path="a"), "BlobDownloadMiscError"),
            (lambda _: models.ResourceFile(http_url="http://[::1", file_path="a"), "BlobDownloadMiscError"),
            (lambda c: models.ResourceFile(http_url=c.blob_url("x"), file_path="\0"), "ResourceFileWriteFailed"),
            (lambda c: models.ResourceFile(storage_container_url=broken(c.url)), "ResourceContainerAccessDenied"),
            (
                lambda _: models.ResourceFile(storage_container_url="http://127.0.0.1:1/account/c"),
                "ResourceContainerListMiscError",
            ),
        ],
    )
    def test_what_cannot_be_had_keeps_the_task_from_running(self, container, run_task, file, code):
        """There is no exit code, and nothing is retried."""
        constraints = models.BatchTaskConstraints(max_task_retry_count=3)
        execution = run_task("true", resource_files=[file(container)], constraints=constraints).execution_info
        assert (execution.exit_code, execution.failure_info.code, execution.retry_count) == (None, code, 0)

    def test_nothing_is_written_outside_the_working_directory(self, container, tmp_path):
        """Not even where a name that the service never checked asks for it."""
        container.client.upload_blob("x", b"data")
        file = ResourceFile(http_url=container.blob_url("x"), file_path="../outside.txt")
        with pytest.raises(PreProcessingError) as refusal:
            download_resource_files([file], tmp_path / "wd", StorageAccess(ANY_POOL), EmptyPrefix.BRINGS_NOTHING)
        assert refusal.value.failure.code == "ResourceFileWriteFailed"
        assert not (tmp_path / "outside.txt").exists()

    def test_a_prefix_that_matches_nothing_brings_nothing_or_fails(self, service, container, run_task):
        """Which of the two Azure does is not documented; the rule can change while the service runs."""
        file = models.ResourceFile(storage_container_url=container.url, blob_prefix="none/")
        assert run_task("true", resource_files=[file]).execution_info.exit_code == 0
        service.send("PATCH", "/_local/settings", {"emptyPrefix": "fails"})
        assert service.send("GET", "/_local/settings")[1]["emptyPrefix"] == "fails"
        execution = run_task("true", resource_files=[file]).execution_info
        service.send("PATCH", "/_local/settings", {"emptyPrefix": "brings-nothing"})
        assert (execution.exit_code, execution.failure_info.code) == (None, "BlobNotFound")


class TestIdentity:
    """Storage is reached by an identity of the pool, and by no other."""

    @pytest.fixture
    def client(self, service_with_identity):
        """A client of a service whose pool has the identity."""
        return service_with_identity.client()

    def properties(self, container: Container, identity: str) -> dict[str, object]:
        """Files to and from a container, for which no URL carries a signature."""
        reference = models.BatchNodeIdentityReference(resource_id=identity)
        plain = container.client.url
        destination = models.OutputFileBlobContainerDestination(
            container_url=plain, path="out", identity_reference=reference
        )
        condition = models.OutputFileUploadConfiguration(upload_condition="taskcompletion")
        container.client.upload_blob("in/a.txt", b"data")
        return {
            "resource_files": [
                models.ResourceFile(storage_container_url=plain, blob_prefix="in/", identity_reference=reference),
                models.ResourceFile(http_url=f"{plain}/in/a.txt", file_path="b.txt", identity_reference=reference),
            ],
            "output_files": [
                models.OutputFile(
                    file_pattern="b.txt",
                    destination=models.OutputFileDestination(container=destination),
                    upload_options=condition,
                )
            ],
        }

    def test_it_brings_files_there_and_back(self, container, run_task, client):
        """Resource ids are compared without regard to case; the pool tells its identities."""
        task = run_task("cat in/a.txt", **self.properties(container, OURS.upper()))
        assert task.execution_info.failure_info is None
        assert container.blobs()["out"] == b"data"
        identity = client.get_pool("local").identity
        assert (identity.type, identity.user_assigned_identities[0].resource_id) == ("UserAssigned", OURS)

    @pytest.mark.parametrize(
        ("kept", "code"),
        [
            ("container", "ResourceContainerListMiscError"),
            ("url", "BlobDownloadMiscError"),
            ("output", "FileUploadMiscError"),
        ],
    )
    def test_one_that_the_pool_does_not_have_fails_the_task(self, container, run_task, kept, code):
        """Azure's own words for containers: listing them ends with HTTP 400 Bad Request."""
        properties = self.properties(container, "/other")
        by_container, by_url = properties["resource_files"]
        properties["resource_files"] = {"container": [by_container], "url": [by_url], "output": []}[kept]
        command = "touch b.txt"
        failure = run_task(command, **properties).execution_info.failure_info
        assert failure.code == code
        message = {detail.name: detail.value for detail in failure.details}["Message"]
        assert message.startswith("HTTP 400 Bad Request")


class TestOutputFiles:
    """What a task leaves in storage."""

    def test_files_are_there_when_the_task_is_completed(self, container, run_task):
        """Standard output and error too."""
        outputs = [
            output(container.url, "../stdout.txt", "std/out.txt"),
            output(container.url, "out/**/*", "files"),
        ]
        run_task("/bin/sh -c 'echo hello; mkdir -p out/d; echo 1 > out/1; echo 2 > out/d/2'", output_files=outputs)
        assert container.blobs() == {
            "std/out.txt": b"hello\n",
            "files/out/1": b"1\n",
            "files/out/d/2": b"2\n",
        }

    @pytest.mark.parametrize(
        ("exit_code", "expected"), [(0, {"tasksuccess", "taskcompletion"}), (3, {"taskfailure", "taskcompletion"})]
    )
    def test_the_exit_code_decides_what_is_uploaded(self, container, run_task, exit_code, expected):
        """Each file has its condition."""
        conditions = ("tasksuccess", "taskfailure", "taskcompletion")
        outputs = [output(container.url, "../stdout.txt", name, name) for name in conditions]
        task = run_task(f"/bin/sh -c 'exit {exit_code}'", output_files=outputs)
        assert (task.execution_info.exit_code, set(container.blobs())) == (exit_code, expected)

    def test_headers_go_with_the_upload(self, container, run_task):
        """Such as the type of the content."""
        file = output(container.url, "../stdout.txt", "page")
        headers = [models.OutputFileUploadHeader(name="x-ms-blob-content-type", value="text/html")]
        file.destination.container.upload_headers = headers
        run_task("echo page", output_files=[file])
        assert (
            container.client.get_blob_client("page").get_blob_properties().content_settings.content_type == "text/html"
        )

    def test_a_missing_file_is_no_failure(self, container, run_task):
        """Whether named or matched."""
        outputs = [output(container.url, "nothing.txt", "a"), output(container.url, "*.none", "b")]
        assert run_task("true", output_files=outputs).execution_info.result == "success"
        assert container.blobs() == {}

    def test_a_failed_upload_fails_the_task(self, container, new_container, run_task):
        """Although its exit code is 0; what can be uploaded still is. A retry does not help."""
        missing = new_container()
        missing.client.delete_container()
        outputs = [output(missing.url, "../stdout.txt", "x"), output(container.url, "../stdout.txt", "y")]
        constraints = models.BatchTaskConstraints(max_task_retry_count=3)
        execution = run_task("true", output_files=outputs, constraints=constraints).execution_info
        assert (execution.exit_code, execution.result, execution.retry_count) == (0, "failure", 0)
        assert execution.failure_info.code == "FileUploadContainerNotFound"
        assert set(container.blobs()) == {"y"}

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            (lambda c: broken(c.url), "FileUploadAccessDenied"),
            (lambda _: "http://127.0.0.1:1/a/c", "FileUploadMiscError"),
        ],
    )
    def test_a_failed_upload_says_why(self, container, run_task, url, code):
        """Also on the node, in fileuploaderr.txt."""
        execution = run_task("true", output_files=[output(url(container), "../stdout.txt", "x")]).execution_info
        assert execution.failure_info.code == code

    @pytest.mark.parametrize(
        ("name", "escaped"),
        [(r"bell\007", r"'bell\x07'"), (r"latin\351", r"'latin\udce9'"), (r"end\357\277\277", r"'end\uffff'")],
    )
    def test_a_name_that_no_listing_could_hold_is_refused(self, container, run_task, name, escaped):
        """The failure names the file; the other files are uploaded, and the container can be listed."""
        command = f"""/bin/sh -c 'touch a z "$(printf "{name}")"'"""
        execution = run_task(command, output_files=[output(container.url, "*", "files")]).execution_info
        assert (execution.exit_code, execution.failure_info.code) == (0, "FileUploadMiscError")
        details = {detail.name: detail.value for detail in execution.failure_info.details}
        assert f"The file {escaped} was not uploaded" in details["Message"]
        assert set(container.blobs()) == {"files/a", "files/z"}

    def test_unusual_names_are_uploaded_as_they_are(self, container, run_task):
        """White space and all that XML can hold."""
        command = r"""/bin/sh -c 'touch "$(printf "tab\tline\nreturn\rend")" "é 😀"'"""
        execution = run_task(command, output_files=[output(container.url, "*")]).execution_info
        assert execution.result == "success"
        assert set(container.blobs()) == {"tab\tline\nreturn\rend", "é 😀"}

    def test_a_terminated_task_uploads_too(self, container, client, new_job, wait_completed, wait_until):
        """Its process has ended, and with an exit code."""
        job_id = new_job()
        command, outputs = "/bin/sh -c 'echo begun; sleep 1000'", [output(container.url, "../stdout.txt", "o")]
        spec = models.BatchTaskCreateOptions(id="1", command_line=command, output_files=outputs)
        client.create_task(job_id, spec)
        wait_until(lambda: client.get_task(job_id, "1").state == "running")
        wait_until(lambda: "stdout.txt" in files_of(client, job_id) and files_of(client, job_id)["stdout.txt"])
        client.terminate_task(job_id, "1")
        wait_completed(job_id, "1")
        assert container.blobs() == {"o": b"begun\n"}

    def test_a_retry_on_the_same_node_downloads_nothing_again(self, container, run_task):
        """What the first try made of a file stays so: https://github.com/Azure/Batch/issues/14."""
        container.client.upload_blob("given", b"as it was")
        constraints = models.BatchTaskConstraints(max_task_retry_count=1)
        files = [models.ResourceFile(http_url=container.blob_url("given"), file_path="given")]
        command = "/bin/sh -c 'grep -q changed given || { echo changed > given; exit 1; }'"
        task = run_task(command, constraints=constraints, resource_files=files)
        assert (task.execution_info.exit_code, task.execution_info.retry_count) == (0, 1)

    def test_only_the_last_try_uploads(self, container, run_task):
        """What an earlier try printed is not kept in storage."""
        constraints = models.BatchTaskConstraints(max_task_retry_count=1)
        command = "/bin/sh -c 'test -e left || { touch left first; exit 1; }; rm first'"
        run_task(command, constraints=constraints, output_files=[output(container.url, "*", "files")])
        assert set(container.blobs()) == {"files/left"}


def files_of(client, job_id: str) -> dict[str, int]:
    files = client.list_task_files(job_id, "1")
    return {file.name: file.properties.content_length for file in files if file.properties}
