"""Tasks that run as a user account of their pool, and what a task asks for that this account does not have."""

from __future__ import annotations

import pytest
from azure.batch import models
from azure.core.exceptions import ResourceExistsError

from local.batch.models.node_task import NodeTask
from local.batch.models.pool import Pool
from local.batch.node.pre_processing import PreProcessingError
from local.batch.node.task_user import with_account

ACCOUNTS = [{"name": "ada", "password": "p", "elevationLevel": "admin"}, {"name": "bob", "password": "p"}]


@pytest.fixture
def pool(new_machine) -> Pool:
    """A pool with two user accounts."""
    machine = new_machine()
    machine.pool(userAccounts=ACCOUNTS)
    return machine.account.state.pool("pool")


def task_of(username: str) -> NodeTask:
    return NodeTask.model_validate({"commandLine": "x", "userIdentity": {"username": username}})


@pytest.mark.parametrize(("username", "is_admin"), [("ada", True), ("bob", False)])
def test_a_task_has_the_rights_of_its_account(pool, username, is_admin):
    """As those of Batch's own users of the same level."""
    assert with_account(task_of(username), pool).is_admin is is_admin


def test_other_tasks_stay_as_they_are(pool):
    """Whether they name a level or nothing."""
    task = NodeTask.model_validate({"commandLine": "x", "userIdentity": {"autoUser": {"elevationLevel": "admin"}}})
    assert with_account(task, pool) is task


def test_an_account_that_the_pool_does_not_have_is_a_failure(pool):
    """Before the command begins."""
    with pytest.raises(PreProcessingError) as refusal:
        with_account(task_of("eve"), pool)
    assert refusal.value.failure.details[0].value == "The pool pool has no user account eve."


def test_a_task_without_its_account_is_taken_and_fails(run_task):
    """The service looks at it on the node: the pool may change, or come later."""
    task = run_task("true", user_identity=models.UserIdentity(username="eve"))
    assert task.user_identity.username == "eve"
    assert (task.execution_info.failure_info.code, task.execution_info.exit_code) == ("CommandLaunchFailed", None)


def test_packages_cannot_be_had(client, new_job):
    """There are no applications, so no task gets one."""
    job_id = new_job()
    packages = [models.BatchApplicationPackageReference(application_id="none")]
    with pytest.raises(ResourceExistsError) as refusal:
        client.create_task(
            job_id, models.BatchTaskCreateOptions(id="1", command_line="x", application_package_references=packages)
        )
    assert refusal.value.error.code == "InvalidApplicationPackageReferences"
