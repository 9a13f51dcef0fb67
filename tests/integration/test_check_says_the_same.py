"""`python -m local check` says of a manifest what the record of its run would say."""

from datetime import UTC, datetime

import pytest

from batchrun.cli.check import check
from batchrun.client.pools import Pools
from batchrun.client.requests import as_it_is
from local.stack.settings import default_settings
from shared.settings import Settings

pytestmark = pytest.mark.sampled


@pytest.mark.parametrize(
    "text",
    [
        "commands: [x",
        "comands: [x]\ntimeout: soon",
        "id: t\ncommands: ['{{ vars.a }}', '{{ secret(''NO'') }}']\nenv: {a-b: c}\noutputFiles: [../x]",
        "tasks:\n- {id: a, commands: [x]}\n- {id: b, commands: ['{{ outputs.a.vars.n }}', '{{ nothing | uper }}']}",
        "commands: [x]\nretry: {maxAttempts: 9, interval: PT5M}\nlogLevel: DEBUG\ninputFiles: {/a: b}",
        "commands: [x]\nforeach: \"{{ ['a', }}\"",
        "",
    ],
)
def test_errors_and_warnings_are_those_of_the_record(world, tmp_path, text: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    checked = check(
        as_it_is(file, text.encode(), datetime.now(UTC)), Settings.from_environ(default_settings({})), Pools()
    )
    record = world.record(world.accept(text=text))

    assert record["state"] == "REJECTED"
    assert [problem.model_dump() for problem in checked.errors] == record["errors"]
    assert [problem.model_dump() for problem in checked.warnings] == record["warnings"]
