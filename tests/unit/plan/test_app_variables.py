"""`envs` and `globals`: values of app settings that all flows can use; a client that checks may not know them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shared.documents.states import JobReason
from shared.errors import ManifestError
from shared.masking import MASK
from shared.plan.plan_round import plan_round
from shared.plan.planner import Planner
from shared.plan.run_manifest import checked_manifest
from shared.settings import Settings

SETTINGS = {"ENV_REGION": "eu", "ENV_EMPTY": "", "GLOBAL_DATA_URL": "https://d", "GLOBAL_maxRows": "7"}


@pytest.fixture
def known(environ) -> Settings:
    return Settings.from_environ({**environ, **SETTINGS})


@pytest.fixture
def hidden(settings) -> Settings:
    """Settings of which only the app has the variables."""
    return replace(settings, envs=None, globals=None)


@pytest.fixture
def told(run_of):
    """What is planned of a flow: its planned tasks, or the problems."""

    def told(flow: dict[str, object], settings: Settings):
        run = run_of(json.dumps(flow), name="m.json")
        try:
            return plan_round(checked_manifest(run, settings), run, settings).tasks
        except ManifestError as error:
            return [str(problem).partition(" at line")[0] for problem in error.problems]

    return told


def command(text: str) -> dict[str, object]:
    return {"commands": [text], "failFast": False}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{ envs.region }}", "eu"),
        ("{{ envs['region'] | upper }}", "EU"),
        ("{{ globals.data_url }} {{ globals.maxRows }} {{ globals.maxrows | number + 1 }}", "https://d 7 8"),
        ("{{ envs.none ?? 'a' }} {{ globals.none ??? 'b' }}", "a b"),
        ("{{ env('region') }} {{ env('none', 'a') }} {{ env('empty', default='b') }}", "eu a b"),
        ("{{ env('none') ?? 'c' }}", "c"),
        ("{% if envs.region == 'eu' %}yes{% endif %}", "yes"),
        ("{{ envs }}", '{"region":"eu","empty":""}'),
    ],
)  # fmt: skip
def test_values_are_those_of_the_app_settings(told, known, text, rendered) -> None:
    [task] = told(command(text), known)
    assert task.commands.text == rendered


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ envs.nope }}", "envs.nope does not exist: define it as the app setting ENV_NOPE"),
        ("{{ envs.dataUrl }}", "envs.dataUrl does not exist: define it as the app setting ENV_DATAURL"),
        ("{{ envs.REGION }}", "envs.REGION does not exist: write `envs.region`, as in Kestra"),
        ("{{ globals.Nope | upper }}", "globals.Nope does not exist: define it as the app setting GLOBAL_NOPE"),
    ],
)
def test_a_missing_one_is_named_with_its_setting(told, known, text, problem) -> None:
    assert told(command(text), known) == [f"commands[0]: {problem}"]


FLOW = {
    "id": "f",
    "inputs": [{"id": "n", "type": "INT", "defaults": "{{ envs.count }}"}],
    "variables": {"greeting": "hello {{ envs.name }}"},
    "tasks": [
        {
            "id": "a",
            "runIf": "{{ envs.stage == 'prod' }}",
            "containerImage": "{{ globals.registry }}/a",
            "taskRunner": {"poolId": "{{ envs.pool }}"},
            "env": {"A": "{{ envs.count | number + 1 }}", "B": "{{ render(vars.greeting) }}"},
            "inputFiles": "{{ globals.files }}",
            "outputFiles": ["{{ envs.folder }}/*.csv"],
            "commands": ["{{ fromJson(envs.list)[0].name }} {{ env('x') }} {{ inputs.n }}"],
        },
        {"id": "b", "commands": ["{{ outputs.a.vars.x }} {{ envs.y }}"]},
        {"id": "c", "dependsOn": [], "foreach": "{{ globals.items }}", "commands": ["{{ item }}"]},
    ],
}


def test_what_only_the_app_knows_is_unknown_and_never_missing(told, hidden, run_of) -> None:
    [task] = told(FLOW, hidden)
    assert task.name == "a"
    assert (task.image.name, task.commands.env) == (MASK, {"A": MASK, "B": MASK})
    run = run_of(json.dumps(FLOW), name="m.json")
    later = Planner(checked_manifest(run, hidden), run, hidden).later()
    assert set(later) == {"b", "c"}
    assert set(later.values()) <= set(JobReason)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ envs.a | nosuch }}", "there is no filter 'nosuch'"),
        ("{{ envs.a }} {{ vars.nope }}", "'nope' does not exist"),
        ("{{ nofun(globals.a) }}", "there is no function 'nofun'"),
    ],
)
def test_other_mistakes_beside_them_are_told(told, hidden, text, problem) -> None:
    [found] = told(command(text), hidden)
    assert found.startswith(f"commands[0]: {problem}")
