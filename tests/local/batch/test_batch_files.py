"""Deleting the files of tasks, and how long they stay."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from local.batch.node.task_files import list_files
from tests.local.batch.blocking import send

MAKE_FOLDERS = "/bin/sh -c 'mkdir -p full/deep empty; echo 1 > full/deep/file; ln -s /etc link'"


@pytest.fixture
def job_id(run_task) -> str:
    """A job whose task `task` has left files and folders."""
    return run_task(MAKE_FOLDERS).url.split("/")[-3]


def names(client, job_id: str) -> set[str]:
    return {file.name for file in client.list_task_files(job_id, "task", recursive=True)}


def test_a_file_or_an_empty_folder_can_be_deleted(client, job_id):
    """By its name, which may have slashes."""
    for name in ("wd/full/deep/file", "wd/full/deep", "wd/empty"):
        client.delete_task_file(job_id, "task", name)
        assert name not in names(client, job_id)


def test_a_folder_with_files_is_deleted_only_with_all_that_is_in_it(client, job_id):
    """If that is asked for."""
    with pytest.raises(HttpResponseError) as refusal:
        client.delete_task_file(job_id, "task", "wd/full")
    assert (refusal.value.status_code, refusal.value.error.code) == (403, "IOError")
    assert "wd/full/deep/file" in names(client, job_id)
    client.delete_task_file(job_id, "task", "wd/full", recursive=True)
    assert not any(name.startswith("wd/full") for name in names(client, job_id))


def test_a_link_is_deleted_not_what_it_points_to(client, job_id):
    """Nothing outside of the task's directory is touched."""
    client.delete_task_file(job_id, "task", "wd/link", recursive=True)
    assert "wd/link" not in names(client, job_id)
    with pytest.raises(HttpResponseError):
        client.delete_task_file(job_id, "task", "../../..", recursive=True)


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "stdout.txt/x", "wd", "wd/pipe"])
def test_what_is_no_file_is_not_found(client, run_task, name):
    """Names that no file can have, folders, and pipes, which would never end."""
    job_id = run_task("/bin/sh -c 'mkfifo pipe'").url.split("/")[-3]
    with pytest.raises(ResourceNotFoundError) as refusal:
        send(client, "GET", f"/jobs/{job_id}/tasks/task/files/{name}")
    assert refusal.value.error.code == "FileNotFound"


@pytest.mark.parametrize("text", ["1", "yes", ""])
def test_recursive_is_true_or_false(client, job_id, text):
    """Anything else is a mistake, not false."""
    with pytest.raises(HttpResponseError) as refusal:
        client.send_request(
            HttpRequest(
                "GET", f"/jobs/{job_id}/tasks/task/files", params={"api-version": "2025-06-01", "recursive": text}
            )
        )
    assert (refusal.value.status_code, refusal.value.error.code) == (400, "InvalidQueryParameterValue")


def test_what_is_not_there_cannot_be_deleted(client, job_id):
    """FileNotFound."""
    with pytest.raises(ResourceNotFoundError) as refusal:
        client.delete_task_file(job_id, "task", "wd/none")
    assert refusal.value.error.code == "FileNotFound"


def test_files_are_listed_while_a_task_removes_them(tmp_path):
    """What is gone is not listed, and what is there is."""
    (tmp_path / "stays").touch()
    stop = threading.Event()
    churn = threading.Thread(target=make_and_remove_folders, args=(tmp_path, stop))
    churn.start()
    try:
        assert all("stays" in {file.name for file in list_files(tmp_path, recursive=True)} for _ in range(500))
    finally:
        stop.set()
        churn.join()


def make_and_remove_folders(directory, stop: threading.Event) -> None:
    """Do so until asked to stop."""
    while not stop.is_set():
        for number in range(20):
            (directory / f"{number}" / "inner").mkdir(parents=True)
        for number in range(20):
            shutil.rmtree(directory / f"{number}")


def test_files_are_listed_by_how_their_names_start(client, job_id):
    """The one filter that the service has for files."""
    listed = client.list_task_files(job_id, "task", recursive=True, filter="startswith(name, 'wd/full')")
    assert {file.name for file in listed} == {"wd/full", "wd/full/deep", "wd/full/deep/file"}


def test_files_go_when_their_time_is_over(client, run_task, wait_until):
    """The task stays, and says that its files are gone."""
    constraints = models.BatchTaskConstraints(retention_time=timedelta(milliseconds=1))
    job_id = run_task("true", constraints=constraints).url.split("/")[-3]

    def are_gone() -> bool:
        try:
            list(client.list_task_files(job_id, "task"))
        except ResourceExistsError as refusal:
            return refusal.error.code == "TaskFilesCleanedup"
        return False

    wait_until(are_gone)
    assert client.get_task(job_id, "task").state == "completed"
