"""`infra/access.py` gives a colleague the roles that `batchrun` needs; `az` and `azd` are stand-ins that note calls."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from batchrun.client import health
from infra.access import ON_BATCH, ON_CONTAINERS, READS, WRITES

ROOT = Path(__file__).parents[2]
ACCOUNT = "/subscriptions/s/resourceGroups/rg-prod/providers/Microsoft.Storage/storageAccounts/st1"
BATCH = "/subscriptions/s/resourceGroups/rg-prod/providers/Microsoft.Batch/batchAccounts/ba1"
AZ = f"""\
#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
"storage account show"*) echo "{ACCOUNT}" ;;
"batch account show"*) echo "{BATCH}" ;;
"role assignment create"*/containers/$REFUSED*) echo "AuthorizationFailed" >&2; exit 1 ;;
esac
"""
AZD = """\
#!/bin/sh
[ "$*" = "env get-values" ] || exit 2
[ -f "$ENVIRONMENT" ] || { echo "no project exists" >&2; exit 1; }
/bin/cat "$ENVIRONMENT"
"""
VALUES = """\
AZURE_ENV_NAME="prod"
AZURE_RESOURCE_GROUP="rg-prod"
AZURE_SUBSCRIPTION_ID="s"
BATCH_ACCOUNT_NAME="ba1"
STORAGE_ACCOUNT_NAME="st1"
"""


class Shell:
    """Where the command is typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("az", AZ), ("azd", AZD)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """How it ended, and what it printed."""
        known = {"PATH": str(self.folder), "NOTES": str(self.folder / "notes"), "REFUSED": "none"}
        known["ENVIRONMENT"] = str(self.folder / "values")
        command = [sys.executable, str(ROOT / "infra" / "access.py"), *arguments]
        return subprocess.run(command, env={**known, **environ}, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        """The command lines of `az`."""
        return (self.folder / "notes").read_text().splitlines()

    def assigned(self, verb: str = "create") -> dict[str, str]:
        """The role by the container, or by the Batch account."""
        pattern = rf"role assignment {verb} --assignee ada@example\.com --role (.+) --scope (\S+)( --output none)?"
        found = [match for call in self.calls() if (match := re.fullmatch(pattern, call))]
        return {match[2].removeprefix(f"{ACCOUNT}/blobServices/default/containers/"): match[1] for match in found}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


ALL = {**ON_CONTAINERS, BATCH: ON_BATCH}


def test_the_roles_are_those_that_the_command_looks_for() -> None:
    """`batchrun doctor` tries the same containers, to read and to write."""
    assert {name for name, role in ON_CONTAINERS.items() if role == WRITES} == set(health.WRITTEN)
    assert {name for name, role in ON_CONTAINERS.items() if role == READS} == set(health.READ)


def test_they_are_those_of_who_deploys_but_stored_flows_can_only_be_read() -> None:
    text = (ROOT / "infra" / "roles.bicep").read_text()
    names = {"storageBlobDataContributor": WRITES, "storageBlobDataReader": READS, "batchAccountReader": ON_BATCH}
    of_user = dict(re.findall(r"guid\((?:account::blobs::)?(\w+)\.id, userPrincipalId, role\.(\w+)\)", text))
    deployer = {place: names[role] for place, role in of_user.items()}
    assert {**deployer, "flows": READS} == {**ON_CONTAINERS, "batch": ON_BATCH}
    assert deployer["flows"] == WRITES


def test_one_command_where_azd_up_was_run(shell: Shell) -> None:
    (shell.folder / "values").write_text(VALUES)
    done = shell.run("ada@example.com")
    assert (done.returncode, done.stderr) == (0, "")
    assert shell.assigned() == ALL
    assert all(call.endswith("--subscription s") for call in shell.calls() if " account show" in call)
    assert "batchrun use st1 --storage https://st1.blob.core.windows.net\n" in done.stdout


def test_by_hand_variables_name_the_app(shell: Shell) -> None:
    named = {"AZURE_RESOURCE_GROUP": "rg", "STORAGE_ACCOUNT_NAME": "st1", "BATCH_ACCOUNT_NAME": "ba1"}
    assert shell.run("ada@example.com", **named).returncode == 0
    assert shell.assigned() == ALL
    assert not any("--subscription" in call for call in shell.calls())


def test_it_is_taken_back(shell: Shell) -> None:
    (shell.folder / "values").write_text(VALUES)
    done = shell.run("ada@example.com", "--remove")
    assert (done.returncode, shell.assigned("delete"), shell.assigned()) == (0, ALL, {})
    assert "ada@example.com has none of these roles any more." in done.stdout


def test_a_role_that_cannot_be_assigned_ends_it_and_says_how_to_go_on(shell: Shell) -> None:
    (shell.folder / "values").write_text(VALUES)
    done = shell.run("ada@example.com", REFUSED="uploads")
    assert done.returncode == 1
    assert "AuthorizationFailed\naz role assignment has failed, see above. Not everything is done" in done.stderr
    assert "results" not in shell.assigned()
    assert done.stdout == ""


def test_without_an_app_it_says_where_to_run_it(shell: Shell) -> None:
    assert "azd env get-values has failed" in shell.run("ada@example.com").stderr
    (shell.folder / "values").write_text('AZURE_ENV_NAME="new"\n')
    done = shell.run("ada@example.com")
    assert (done.returncode, "run this where 'azd up' was run" in done.stderr) == (1, True)
    (shell.folder / "azd").unlink()
    assert "azd is not installed." in shell.run("ada@example.com").stderr


def test_a_name_is_one_word_whatever_it_holds(shell: Shell) -> None:
    (shell.folder / "values").write_text(VALUES)
    shell.run("a b; touch x")
    assert any("--assignee a b; touch x --role" in call for call in shell.calls())
