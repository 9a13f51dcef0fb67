"""`flows`: stored flows are checked and put, listed, fetched and removed; on a stack that is up."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobClient, ContainerClient

from batchrun.client.apps import App
from batchrun.client.flows import Flows, Put
from batchrun.client.runs import Runs
from batchrun.errors import ClientError
from local.__main__ import main

pytestmark = pytest.mark.sampled

Command = Callable[..., tuple[int, str, str]]
FLOW = (
    "# Kept as it is.\r\nid: {id}\nnamespace: acme.flows\ninputs: [{{id: rows, type: INT}}, {{id: a.b}}]\n"
    "tasks: [{{id: t, commands: ['echo {{{{ inputs.rows }}}} {{{{ inputs.a.b }}}}']}}]\n"
)


@pytest.fixture
def flows(stack, capsys, tmp_path, monkeypatch) -> Command:
    """Run `flows` in a folder of its own; returns its exit code and what it wrote on stdout and stderr."""
    data_dir = stack.data_dir.path.resolve()
    monkeypatch.chdir(tmp_path)

    def flows(*arguments: str) -> tuple[int, str, str]:
        code = main(["flows", "--data-dir", str(data_dir), *arguments])
        return code, *capsys.readouterr()

    return flows


@pytest.fixture
def stored(stack) -> Flows:
    with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
        yield runs.flows


def test_a_flow_is_put_listed_fetched_and_removed(flows: Command, tmp_path: Path) -> None:
    """By its namespace and id, whatever its file is called; an input without a value is no mistake."""
    one, two = tmp_path / "one.yml", tmp_path / "two.yaml"
    one.write_bytes(FLOW.format(id="one").encode())
    two.write_text("id: Two.b\nnamespace: acme.flows\ntasks: [{id: t, commands: [exit 0]}]")
    assert flows("put", "one.yml", "two.yaml") == (0, "acme.flows/one stored\nacme.flows/Two.b stored\n", "")
    two.write_text("id: Two.b\nnamespace: acme.flows\ntasks: [{id: t, commands: [exit 1]}]")
    assert flows("put", "one.yml", "two.yaml") == (0, "acme.flows/one unchanged\nacme.flows/Two.b replaced\n", "")

    listed = flows("ls", "acme.flows")[1].splitlines()
    assert [line.split("  ")[0].strip() for line in listed] == ["acme.flows/Two.b", "acme.flows/one"]
    names = {line.split("  ")[0].strip() for line in flows("ls")[1].splitlines()}
    assert {"acme.flows/Two.b", "acme.flows/one"} <= names
    assert flows("ls", "acme.flow") == (0, "No flow of acme.flow is stored.\n", "")

    assert flows("get", "acme.flows/one", "--out", "down/er") == (0, "down/er/one.yaml\n", "")
    assert (tmp_path / "down/er/one.yaml").read_bytes() == one.read_bytes()
    assert flows("get", "acme.flows/one", "--out", "down/er")[0] == 0
    (tmp_path / "one.yaml").write_text("mine")
    said = "one.yaml is there and differs: choose another folder with --out.\n"
    assert flows("get", "acme.flows/one") == (1, "", said)
    assert (tmp_path / "one.yaml").read_text() == "mine"

    code, printed, errors = flows("rm", "acme.flows/one", "acme.flows/ome", "acme.flows/Two.b")
    assert (code, printed) == (1, "removed acme.flows/one\nremoved acme.flows/Two.b\n")
    assert errors.startswith("there is no stored flow 'acme.flows/ome'")
    assert flows("get", "acme.flows/one")[::2] == (1, "there is no stored flow 'acme.flows/one'.\n")
    assert flows("ls", "acme.flows")[1] == "No flow of acme.flows is stored.\n"


TRIGGER = "io.kestra.plugin.core.trigger"
TIMED = f"""\
id: timed
namespace: acme.timed
inputs: [{{id: day, type: DATE}}]
tasks: [{{id: t, commands: ["echo {{{{ trigger.date }}}} {{{{ inputs.day }}}}"]}}]
triggers:
  - id: yearly
    type: {TRIGGER}.Schedule
    cron: "@yearly"
    inputs: {{day: "{{{{ trigger.date | date('yyyy-MM-dd') }}}}"}}
"""


def test_a_flow_with_triggers_is_checked_as_they_start_it_and_listed_with_its_next_time(
    flows: Command, tmp_path: Path
) -> None:
    """A text that only a run by a trigger can have is right; dropped, the same file has a warning."""
    file = tmp_path / "timed.yaml"
    file.write_text(TIMED)
    assert flows("put", "timed.yaml") == (0, "acme.timed/timed stored\n", "")
    listed = flows("ls", "acme.timed")[1]
    assert re.search(r"next \d{4}-01-01 00:00:00$", listed)
    assert flows("rm", "acme.timed/timed")[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@yearly", "@yearl", "timed.yaml:8:11: error: triggers[0].cron: there is no cron nickname '@yearl'; did you"),
        ("{{ trigger.date }}", "{{ trigger.dat }}", "timed.yaml:4:28: error: tasks[0].commands[0]: 'dat' does not"),
        ("inputs: {day", "inputs: {dy", "timed.yaml:9:18: error: triggers[0].inputs.dy: the flow has no input 'dy'"),
        ("    inputs: {day", "    labels: {day", "timed.yaml:6:5: error: triggers[0]: the input 'day' has no value"),
        (".Schedule", ".Webhook", "timed.yaml:7:11: error: triggers[0].type: there is no trigger"),
        ("{{ trigger.date | date('yyyy-MM-dd') }}", "x", "timed.yaml:9:19: error: triggers[0].inputs.day: expected a"),
    ],
)
def test_mistakes_of_triggers_are_refused_with_their_places(
    flows: Command, tmp_path: Path, old: str, new: str, said: str
) -> None:
    (tmp_path / "timed.yaml").write_text(TIMED.replace(old, new, 1))
    code, printed, errors = flows("put", "timed.yaml")
    assert (code, printed) == (1, "")
    assert said in errors
    assert errors.endswith("\nNothing has been stored.\n")


def test_a_text_must_be_right_for_each_kind_of_trigger(flows: Command, tmp_path: Path) -> None:
    """`trigger.date` is not there in a run that follows another one."""
    follows = (
        f"  - {{id: f, type: {TRIGGER}.Flow, dependsOn: [{{namespace: a, flowId: b}}], inputs: {{day: 2026-01-31}}}}\n"
    )
    (tmp_path / "timed.yaml").write_text(TIMED + follows)
    assert "timed.yaml:4:28: error: tasks[0].commands[0]: 'date' does not exist" in flows("put", "timed.yaml")[2]
    (tmp_path / "timed.yaml").write_text((TIMED + follows).replace("trigger.date }}", "trigger.date ?? 'x' }}", 1))
    assert flows("put", "timed.yaml")[0] == 0
    assert flows("rm", "acme.timed/timed")[0] == 0


NAMELESS = "f.yaml: error: a stored flow needs a name, <namespace>/<id>:"
POOL = "commands: [x]\ntaskRunner: {poolId: none}\n"
REFUSED = [
    ("f.yaml", "namespace: acme.flows\ncommands: [x]\n", 1, f"{NAMELESS} add `id`"),
    ("f.yaml", "id: f\ncommands: [x]\n", 1, f"{NAMELESS} add `namespace`"),
    ("f.yaml", "commands: [x]\n", 1, f"{NAMELESS} add `namespace` and `id`"),
    ("f.yaml", "", 1, "f.yaml:1:1: error: the manifest is empty"),
    ("f.yaml", "id: f\nnamespace: n\ncommands: [x\n", 1, "f.yaml:4:1: error: this is not valid YAML"),
    ("f.yaml", "id: f\nnamespace: n\ncomands: [x]\n", 1, "f.yaml:3:1: error: comands: unknown property"),
    ("f.yaml", "id: f\nnamespace: N\ncommands: [x]\n", 1, "f.yaml:2:12: error: namespace: "),
    ("f.yaml", "id: f\nnamespace: n\ncommands: ['{{ vars.x }}']\n", 1, "f.yaml:3:12: error: commands[0]: 'x' does"),
    ("f.yaml", "flow: n/f\n", 1, "f.yaml:1:1: error: this names a flow, and has none"),
    ("f.yaml", "flow: {id: f, namespace: n, commands: [x]}\n", 1, "f.yaml:1:7: error: flow: a stored flow is a"),
    ("f.yaml", "retry: a/a-20260131t120000-0123abcd\n", 1, "f.yaml:1:1: error: this names a flow, and has none"),
    ("f.yaml", "#" * (1024 * 1024 + 1), 1, "f.yaml: error: the manifest is larger than 1 MiB"),
    ("f.json", '{"id": "f"}', 2, "f.json is JSON, and stored flows are YAML, which JSON is too: rename it to f.yaml."),
    ("f.txt", "id: f", 2, "f.txt is not a manifest: its name must end in one of"),
    (
        "f.yaml",
        "id: f\nnamespace: n\ninputs: [{id: rows, type: INT}]\ncommands: ['{{ inputs.rows }} {{ inputs.row }}']\n",
        1,
        "f.yaml:4:12: error: commands[0]: 'row' does not exist; did you mean \"rows\"?",
    ),
    (
        "f.yaml",
        "id: f\nnamespace: n\ninputs: [{id: a.rows, type: INT, defaults: 0, min: 1}, {id: b}]\ncommands: [x]\n",
        1,
        "f.yaml:3:44: error: inputs[0].defaults: must be at least 1, not 0",
    ),
    ("f.yaml", f"id: f\nnamespace: n\n{POOL}", 1, "f.yaml:4:22: error: taskRunner.poolId: "),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "code", "said"), REFUSED)
def test_what_would_be_refused_at_use_is_refused(
    flows: Command, tmp_path: Path, name: str, text: str, code: int, said: str
) -> None:
    """With its place in the file; nothing is stored, also of the others."""
    (tmp_path / name).write_text(text)
    (tmp_path / "good.yaml").write_text("id: good\nnamespace: acme.refused\ncommands: [x]")
    found, printed, errors = flows("put", "good.yaml", name)
    assert (found, printed) == (code, "")
    assert errors.startswith(said)
    assert errors.endswith("\nNothing has been stored.\n") is (code == 1)
    assert errors.count(": error: ") == (1 if code == 1 else 0)
    assert flows("ls", "acme.refused")[1] == "No flow of acme.refused is stored.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("put", "a.yaml", "b.yaml"), "Two of the files have the flow acme.flows/same.\n"),
        (("put", "nowhere.yaml"), "There is no file nowhere.yaml.\n"),
        (("ls", "a/b"), "'a/b' is not a namespace"),
        (("get", "etl"), "'etl' is not the name of a stored flow: <namespace>/<id>, as in company.team/etl.\n"),
        (("get", "../etl"), "'../etl' is not the name of a stored flow"),
        (("rm", "acme.flows/x", "acme.flows/.."), "'acme.flows/..' is not the name of a stored flow"),
    ],
)
def test_wrong_usage_ends_with_2(flows: Command, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text("id: same\nnamespace: acme.flows\ncommands: [x]")
    code, printed, errors = flows(*arguments)
    assert (code, printed) == (2, "")
    assert errors.startswith(said)


def test_a_flow_that_somebody_else_changes_meanwhile_is_not_replaced(
    stored: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is one that has come into being."""
    upload = BlobClient.upload_blob

    def meanwhile(blob: BlobClient, *arguments: Any, **options: Any) -> object:
        upload(blob, b"theirs", overwrite=True)
        return upload(blob, *arguments, **options)

    for name, first in (("acme.flows/race", b"first"), ("acme.flows/new", None)):
        if first:
            assert stored.put(name, first) is Put.STORED
        with monkeypatch.context() as patch:
            patch.setattr(BlobClient, "upload_blob", meanwhile)
            with pytest.raises(ClientError, match="changed by somebody else meanwhile"):
                stored.put(name, b"mine")
        assert stored.content(name) == b"theirs"
        stored.remove(name)


def test_what_is_no_flow_is_not_listed(stored: Flows) -> None:
    """The container may hold other blobs."""
    for name in ("acme.other/readme.md", "acme.other/deep/x.yaml", "acme.other/x.yml", "acme.other/yes.yaml"):
        stored._container.upload_blob(name, b"")
    assert [flow.name for flow in stored.all("acme.other")] == ["acme.other/yes"]


def test_a_container_that_is_missing_is_said(stack) -> None:
    """As of an app that was deployed before there were stored flows."""
    with Runs.of(App.of_stack(stack.data_dir.path)) as runs:
        missing = Flows(_missing(runs.flows))
        reason = "the container 'nowhere' does not exist: create it, or deploy the app again"
        assert reason in (missing.read("a/b").unreadable or "")
        for ask in (lambda: missing.put("a/b", b""), lambda: missing.content("a/b"), lambda: missing.remove("a/b")):
            with pytest.raises(ClientError, match=reason):
                ask()
        with pytest.raises(ClientError, match=reason):
            missing.all()


def _missing(flows: Flows) -> ContainerClient:
    there = flows._container
    return ContainerClient(there.url.rpartition("/")[0], "nowhere", credential=there.credential)
