"""What the agent of the nodes does if it fails itself."""

from __future__ import annotations

import asyncio

from local.batch.node.agent import Agent
from local.batch.node.blob_naming import BlobNaming
from local.batch.node.environment import AccountInfo
from local.batch.node.task_process import NodeSettings, TaskProcess
from tests.support.waiting import WAIT_SECONDS


def test_a_task_on_which_the_agent_fails_fails(machine, tmp_path, monkeypatch, caplog):
    """It would be running for ever; the log has what happened."""

    async def fail(_: TaskProcess) -> None:
        raise RuntimeError("the disk is gone")

    async def run_and_report():
        reported = asyncio.get_running_loop().create_future()
        settings = NodeSettings(tmp_path, AccountInfo("account", "http://batch"), BlobNaming.WORKING_DIRECTORY)
        agent = Agent(settings, lambda run, end: reported.set_result((run, end)))
        agent.execute(machine.running["1"])
        return await asyncio.wait_for(reported, timeout=WAIT_SECONDS)

    monkeypatch.setattr(TaskProcess, "run", fail)
    machine.job()
    machine.task("1")
    run, end = asyncio.run(run_and_report())
    assert run == machine.running["1"].run
    assert (end.exit_code, end.failure.code, end.failure.category) == (None, "Unknown", "ServerError")
    assert end.failure.details[0].value == "the disk is gone"
    assert "the disk is gone" in caplog.text
