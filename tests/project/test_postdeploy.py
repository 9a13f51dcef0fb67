"""The hook that makes Event Grid's subscriptions, with an `az` that notes how it was called."""

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
esac
"""
ENVIRON = {
    "AZURE_SUBSCRIPTION_ID": "s",
    "AZURE_RESOURCE_GROUP": "rg-prod",
    "FUNCTION_APP_NAME": "func-1",
    "TOPIC_NAME": "evgt-1",
    "INBOX_TOPIC_NAME": "evgs-1",
    "STORAGE_ACCOUNT_NAME": "st1",
}


class Hook:
    """The hook in a world of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name, script in (("az", AZ), ("sleep", "#!/bin/sh\n")):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)

    def run(self, *, not_ready: int = 0, login: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it; `not_ready` is how often the functions are not there."""
        own = {"PATH": f"{self._folder}:{os.environ['PATH']}", "NOTES": str(self._folder / "notes")}
        environ = {**ENVIRON, **own, "NOT_READY": str(not_ready), "LOGIN": str(login)}
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
        "functionAppName=func-1 topicName=evgt-1 inboxTopicName=evgs-1 storageAccountName=st1",
    )


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
