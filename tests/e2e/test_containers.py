"""A manifest in the inbox becomes outputs, logs and a record, with every task in a container of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from local.stack.options import StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def container_stack(busybox):
    """A stack that runs container tasks in containers, in a folder that users other than root can enter."""
    assert busybox
    with tempfile.TemporaryDirectory(prefix="containers-") as folder:
        Path(folder).chmod(0o755)
        with Stack(StackOptions(data_dir=Path(folder), ports=AUTO, containers=True)) as stack:
            yield stack


@pytest.fixture
def drop(container_stack, drop_into, busybox):
    """Drop a manifest whose tasks use the image."""
    return lambda name, text: drop_into(container_stack, name, text.replace("IMAGE", busybox))


def test_a_run_in_containers(drop) -> None:
    """Working directory, input files, printed values, values and files passed on, outputs and logs."""
    text = """
tasks:
  - id: first
    containerImage: IMAGE
    inputFiles: {in.txt: "from {{ workingDir }}"}
    commands:
      - cat {{ workingDir }}/in.txt > made.txt
      - 'echo "::{\\"outputs\\": {\\"there\\": \\"$PWD\\"}}::"'
      - cat /etc/passwd >&2
    outputFiles: [made.txt]
  - id: second
    containerImage: IMAGE
    inputFiles: {before.txt: "{{ outputs.first.outputFiles['made.txt'] }}"}
    commands: ['cat before.txt', 'echo {{ outputs.first.vars.there }}']
"""
    run = drop("containers.yaml", text)
    record = run.record()
    assert record["state"] == "SUCCESS", record
    link = f"/tmp/{run.id}-first"
    assert record["tasks"][0]["outputs"]["vars"] == {"there": link}
    assert run.read("outputs/first/made.txt") == f"from {link}"
    assert run.read("logs/first/stderr.txt").startswith("root:x:0:0::/:/bin/sh\nnobody")
    assert run.read("logs/second/stdout.txt") == f"from {link}{link}\n"
    assert not Path(link).exists()


@pytest.mark.parametrize(
    ("run_as", "user"), [("root", "0"), ("user", "65534" if os.geteuid() == 0 else str(os.geteuid()))]
)
def test_the_user_is_the_one_of_the_manifest(drop, run_as, user) -> None:
    """Both can write their working directory."""
    text = f"id: t\ncontainerImage: IMAGE\nrunAs: {run_as}\ncommands: [id -u > user.txt]\noutputFiles: [user.txt]"
    run = drop(f"{run_as}.yaml", text)
    assert run.record()["state"] == "SUCCESS"
    assert run.read("outputs/t/user.txt") == f"{user}\n"


def test_time_limit_stops_the_commands_and_keeps_what_they_made(drop) -> None:
    text = "id: t\ncontainerImage: IMAGE\ntimeout: PT1S\ncommands: [echo a > a.txt, sleep 600]\noutputFiles: [a.txt]"
    run = drop("slow.yaml", text)
    record = run.record()
    assert (record["state"], record["tasks"][0]["failure"]["code"]) == ("FAILED", "TimeLimitExceeded")
    assert run.read("outputs/t/a.txt") == "a\n"


def test_attempts_share_the_container_but_neither_files_nor_processes(drop) -> None:
    """Even a process in a session of its own is ended; what lies outside the working directory stays."""
    text = """
id: t
containerImage: IMAGE
retry: {maxAttempts: 2}
inputFiles: {given.txt: given}
commands:
  - ls -A; ps > /tmp/ps; grep -c '[t]rap' /tmp/ps || true; if [ -e /tmp/again ]; then exit 0; fi
  - setsid sh -c 'trap "" TERM; while :; do echo >> late; sleep 0.01; done' &
  - while [ ! -e late ]; do sleep 0.01; done
  - touch /tmp/again; echo >> given.txt; exit 1
"""
    run = drop("attempts.yaml", text)
    (task,) = run.record()["tasks"]
    assert [attempt["exitCode"] for attempt in task["attempts"]] == [1, 0]
    first, second = run.read("logs/t/stdout.txt").split("\nazure-batch-task-runner: attempt 2\n")
    assert first == second
    assert first.startswith("._home\ngiven.txt\n")


def test_a_directory_is_passed_on_between_containers_of_different_users(drop) -> None:
    """Whoever owned a file in one container: in the next it belongs to the user of that one."""
    text = """
tasks:
  - id: wd
    type: io.kestra.plugin.core.flow.WorkingDirectory
    outputFiles: [x]
    tasks:
      - id: root
        containerImage: IMAGE
        commands: [mkdir -m 700 d, echo root >d/x, echo root >x, chmod 600 x, 'echo "$PWD/x" >where', sleep 600 &]
      - {id: user, containerImage: IMAGE, runAs: user, commands: [echo user >>d/x, 'echo user >>"$(cat where)"']}
      - {id: again, containerImage: IMAGE, commands: [cat d/x "$(cat where)", 'stat -c %u . d x | sort -u']}
"""
    run = drop("directory.yaml", text)
    record = run.record()
    assert record["state"] == "SUCCESS", record
    assert run.read("logs/again/stdout.txt") == "root\nuser\nroot\nuser\n0\n"
    assert run.read("outputs/again/x") == "root\nuser\n"


def test_only_the_task_s_directory_is_seen_of_the_node(drop) -> None:
    text = "id: t\ncontainerImage: IMAGE\ncommands: ['test ! -e $AZ_BATCH_NODE_SHARED_DIR && ls $AZ_BATCH_TASK_DIR']"
    assert drop("node.yaml", text).record()["state"] == "SUCCESS"


def test_run_options_reach_the_container(drop) -> None:
    text = "id: t\ncontainerImage: IMAGE\ncontainerRunOptions: --hostname=here\ncommands: [hostname]"
    run = drop("hostname.yaml", text)
    assert run.record()["state"] == "SUCCESS"
    assert run.read("logs/t/stdout.txt") == "here\n"
