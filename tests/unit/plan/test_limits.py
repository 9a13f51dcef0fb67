"""What Batch would refuse for its size is refused before, with the number in the message."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import BlobServiceClient

from shared import batch_job
from shared.errors import ManifestError
from shared.manifest._source import parse
from shared.plan._limits import (
    MAX_DEPENDENCIES,
    MAX_TASKS_OF_JOB,
    longest_access,
    size_of_resource_files,
    too_large,
    too_many_tasks,
)
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of
from shared.storage.copies import Copies
from shared.storage.staging import Staging


@pytest.fixture
def plan(run_of, settings):
    def build(text: str) -> RoundPlan:
        run = run_of(text)
        planned = plan_round(manifest_of(run), run, settings)
        assert isinstance(planned, RoundPlan)
        return planned

    return build


def flow_that_collects(count: int) -> str:
    """A task that uses the file of each of so many earlier ones."""
    tasks = [f"- {{id: t{number}, commands: [x], outputFiles: [f], dependsOn: []}}" for number in range(count)]
    used = " ".join(f"{{{{ outputs.t{number}.outputFiles.f }}}}" for number in range(count))
    waits = ", ".join(f"t{number}" for number in range(count))
    return "\n".join(["tasks:", *tasks, f"- {{id: all, commands: ['{used}'], dependsOn: [{waits}]}}"])


def test_a_task_that_takes_files_from_few_places_is_fine(plan) -> None:
    assert len(plan(flow_that_collects(20)).tasks) == 21


def test_a_task_that_takes_files_from_too_many_places(plan) -> None:
    with pytest.raises(ManifestError, match=r"tasks\[300\]: it takes files from 302 places.* the limit is 32768"):
        plan(flow_that_collects(300))


def test_a_task_with_too_many_output_patterns(plan) -> None:
    text = f"commands: [x]\noutputFiles: {[f'**/*/*/*/*{number}.txt' for number in range(60)]}"
    with pytest.raises(ManifestError, match=r"outputFiles: its \d+ patterns make a task of up to \d+ .* use `\*\*` at"):
        plan(text)


def test_too_many_dependencies(plan, settings) -> None:
    planned = plan("commands: [x]")
    task = replace(planned.tasks[0], depends_on=tuple(range(20_000)))
    [problem] = too_large(replace(planned, tasks=(task,)), settings)
    assert problem.path == ("dependsOn",)
    assert problem.message.endswith(f"characters, but the limit is {MAX_DEPENDENCIES}")


def test_a_task_may_wait_for_as_many_as_a_flow_can_have(plan) -> None:
    """By their markers alone it would need more places than Batch allows."""
    tasks = "".join(f"- {{id: t{number}, commands: [x], dependsOn: []}}\n" for number in range(999))
    waits = ", ".join(f"t{number}" for number in range(999))
    last = plan(f"tasks:\n{tasks}- {{id: last, commands: [x], dependsOn: [{waits}]}}").tasks[-1]
    assert (len(last.depends_on), len(last.prefixes)) == (999, 2)


def test_too_many_tasks_in_one_job(plan) -> None:
    assert too_many_tasks(MAX_TASKS_OF_JOB) is None
    fan_outs = "".join(f"- {{id: t{number}, commands: [x], foreach: 10000, dependsOn: []}}\n" for number in range(9))
    with pytest.raises(
        ManifestError, match=r"tasks\[2\].foreach: one job would have 30000 or more tasks, but the limit is 20000"
    ):
        plan(f"tasks:\n{fan_outs}")


@pytest.mark.parametrize("identity", [None, "/subscriptions/" + "i" * 150])
def test_the_estimate_is_not_less_than_what_is_sent(plan, settings, identity) -> None:
    planned = plan(flow_that_collects(40))
    settings = replace(settings, staging_identity=identity)
    with BlobServiceClient.from_connection_string(settings.storage.connection_string) as blobs:
        staging = Staging(blobs, settings, Copies(blobs, settings.storage.blob_endpoint))
        access = staging.access("staging", timedelta(days=6), now=datetime(2026, 1, 1, tzinfo=UTC))
    sent = batch_job.Tasks(planned, access, timedelta(days=1))[-1].as_dict()["resourceFiles"]
    estimated = size_of_resource_files(planned.tasks[-1], longest_access("staging", settings))
    assert len(json.dumps(sent)) <= estimated <= 1.5 * len(json.dumps(sent))


def test_aliases_of_long_texts_count_by_their_length() -> None:
    """A short manifest must not become an endless text."""
    long = f"a: &a {'x' * 100_000}\n"
    assert parse(long + "b: [" + "*a, " * 50 + "]").data["b"][0] == "x" * 100_000
    with pytest.raises(ManifestError, match="more than 100000 values once its aliases are written out"):
        parse(long + "b: [" + "*a, " * 500 + "]")


def test_defaults_of_long_texts_count_by_their_length(plan) -> None:
    default = f"pluginDefaults: [{{type: io.kestra.plugin.scripts, values: {{env: {{A: {'x' * 100_000}}}}}}}]\n"
    tasks = "".join(f"- {{id: t{number}, commands: [x]}}\n" for number in range(500))
    with pytest.raises(ManifestError, match="more than 100000 values once its defaults are written out"):
        plan(f"{default}tasks:\n{tasks}")
