"""The hook that makes Event Grid's subscriptions, with an `az` that notes how it was called.

What the notes do not show, Azure's answers are: the system topic is in the file `topic`, its identity in `identity`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AZ = """\
#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
"account show"*) exit "$LOGIN" ;;
"functionapp function list"*) [ "$(grep -c 'function list' "$NOTES")" -gt "$NOT_READY" ] && echo 3 ;;
"functionapp keys list"*) echo true ;;
"storage account show"*"--query location"*) echo westeurope ;;
"storage account show"*"--query id"*) echo /storage/st1 ;;
"eventgrid system-topic list"*"].name "*) cat "$TOPIC" 2>/dev/null || true ;;
"eventgrid system-topic list"*"].id "*) echo "/topics/$(cat "$TOPIC")" ;;
"eventgrid system-topic list"*"].identity.principalId "*) cat "$IDENTITY" 2>/dev/null || true ;;
"eventgrid system-topic create"*) echo evgs-st1 > "$TOPIC"; echo its-identity > "$IDENTITY" ;;
"rest --method patch"*) echo new-identity > "$IDENTITY" ;;
"deployment group create"*) [ "$(grep -c 'deployment group create' "$NOTES")" -gt "$REFUSED" ] || exit 1 ;;
esac
"""
ENVIRON = {
    "AZURE_SUBSCRIPTION_ID": "s",
    "AZURE_RESOURCE_GROUP": "rg-prod",
    "FUNCTION_APP_NAME": "func-1",
    "TOPIC_NAME": "evgt-1",
    "STORAGE_ACCOUNT_NAME": "st1",
    "LOG_WORKSPACE_ID": "/workspaces/log-1",
}
PATCH = (
    "rest --method patch --url /topics/st1-0f5b?api-version=2025-02-15 "
    '--body {"identity": {"type": "SystemAssigned"}} --output none'
)


class Hook:
    """The hook in a world of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name, script in (("az", AZ), ("sleep", "#!/bin/sh\n")):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)

    def has_topic(self, name: str, identity: str | None) -> None:
        """The system topic that the storage account has already."""
        (self._folder / "topic").write_text(name)
        if identity:
            (self._folder / "identity").write_text(identity)

    def run(self, *, not_ready: int = 0, login: int = 0, refused: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it; `not_ready` is how often the functions are not there, `refused` how often the deployment fails."""
        own = {"PATH": f"{self._folder}:{os.environ['PATH']}"}
        files = {name.upper(): str(self._folder / name) for name in ("notes", "topic", "identity")}
        states = {"NOT_READY": str(not_ready), "LOGIN": str(login), "REFUSED": str(refused)}
        environ = {**ENVIRON, **own, **files, **states}
        command = ["sh", "infra/hooks/postdeploy.sh"]
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    @property
    def calls(self) -> list[str]:
        """How `az` was called."""
        return (self._folder / "notes").read_text().splitlines()


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    return Hook(tmp_path)


def test_subscriptions_are_deployed_once_the_functions_are_there(hook: Hook) -> None:
    done = hook.run(not_ready=2)
    assert done.returncode == 0, done.stderr
    *waiting, deployment = hook.calls
    assert sum("function list" in call for call in waiting) == 3
    assert deployment.startswith("deployment group create --subscription s --resource-group rg-prod")
    assert deployment.endswith(
        "functionAppName=func-1 topicName=evgt-1 storageAccountName=st1 workspaceId=/workspaces/log-1 "
        "inboxTopicName=evgs-st1 inboxTopicPrincipalId=its-identity",
    )


def calls_of(hook: Hook, *commands: str) -> list[str]:
    return [call for call in hook.calls if call.startswith(commands)]


def test_the_account_gets_a_system_topic(hook: Hook) -> None:
    hook.run()
    (made,) = calls_of(hook, "eventgrid system-topic create")
    assert "--name evgs-st1 --location westeurope --source /storage/st1 " in made
    assert "--mi-system-assigned" in made


@pytest.mark.parametrize("identity", ["its-own", None])
def test_a_system_topic_that_is_there_is_used(hook: Hook, identity: str | None) -> None:
    """Defender for Storage makes one, without an identity, and an account can have no second."""
    hook.has_topic("st1-0f5b", identity)
    assert hook.run().returncode == 0
    assert "inboxTopicName=st1-0f5b " in hook.calls[-1]
    assert hook.calls[-1].endswith(f"inboxTopicPrincipalId={identity or 'new-identity'}")
    assert not calls_of(hook, "eventgrid system-topic create")
    patches = calls_of(hook, "rest")
    assert patches == ([] if identity else [PATCH])


def test_a_handshake_or_a_role_that_needs_a_moment_is_waited_for(hook: Hook) -> None:
    done = hook.run(refused=3)
    assert done.returncode == 0, done.stderr
    assert len(calls_of(hook, "deployment group create")) == 4


def test_subscriptions_that_cannot_be_made_are_an_error(hook: Hook) -> None:
    done = hook.run(refused=1000)
    assert done.returncode == 1
    assert "azd hooks run postdeploy" in done.stderr
    assert len(calls_of(hook, "deployment group create")) == 5


def test_functions_that_never_come_are_an_error_that_says_what_to_do(hook: Hook) -> None:
    done = hook.run(not_ready=1000)
    assert done.returncode == 1
    assert "azd hooks run postdeploy" in done.stderr
    assert sum("function list" in call for call in hook.calls) == 30
    assert not any("deployment" in call for call in hook.calls)


def test_who_is_not_logged_in_is_told(hook: Hook) -> None:
    done = hook.run(login=1)
    assert done.returncode == 1
    assert "az login" in done.stderr
    assert len(hook.calls) == 1


def test_no_key_leaves_azure(hook: Hook) -> None:
    """What is asked of the keys is only whether there is one."""
    hook.run()
    asked = [call for call in hook.calls if "keys list" in call]
    assert all("--query systemKeys.blobs_extension != `null`" in call for call in asked)
    assert asked
