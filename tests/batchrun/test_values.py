"""`-i`, `--label` and stored flows of `run` and `check`: on a stack that is up, named by its file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from batchrun.__main__ import main
from batchrun.client import _uploads
from batchrun.client.runs import Runs
from local.__main__ import main as local

pytestmark = pytest.mark.sampled

Command = Callable[..., tuple[int, str, str]]
FLOW = """\
# A flow whose inputs need values.
---
id: {id}
namespace: acme.values
labels: {{team: data, kind: flow}}
inputs:
  - {{id: rows, type: INT, min: 1}}
  - {{id: data, type: FILE, allowedFileExtensions: [.csv], required: false}}
  - {{id: name, defaults: nobody}}
  - {{id: a.b, type: JSON, required: false}}
tasks:
  - id: load
    type: io.kestra.plugin.scripts.shell.Commands
    inputFiles: '{{% if inputs.data %}}{{"in.csv": "{{{{ inputs.data }}}}"}}{{% else %}}{{}}{{% endif %}}'
    commands:
      - "echo '{{{{ inputs.rows }}}} {{{{ inputs.name }}}}' > said.txt"
      - test ! -e in.csv || cat in.csv >> said.txt
    outputFiles: [said.txt]
"""
NO_FILE = (
    "-i a.b: only inputs of type FILE take a file by @, its type is JSON; to give what a file contains:"
    ' -i a.b="$(cat FILE)"'
)
NO_VALUE = (
    "v-bad.yaml:7:5: error: inputs[0].defaults: the input 'rows' has no value: give it one by -i rows=VALUE, or give it"
    " `defaults`"
)
NOT_STORED = (
    "acme.values/v-nont: error: there is no stored flow 'acme.values/v-nont'; did you mean \"acme.values/v-none\"?"
)
FILE_FLOW = """\
id: {id}
namespace: acme.values
inputs: [{{id: data, type: FILE}}]
tasks:
  - id: load
    type: io.kestra.plugin.scripts.shell.Commands
    inputFiles: {{in.bin: "{{{{ inputs.data }}}}"}}
    commands: [sha256sum < in.bin > sum.txt]
    outputFiles: [sum.txt]
"""


@pytest.fixture
def command(command: Command) -> Command:
    """The command, with a file in its folder."""
    Path("local.csv").write_text("a,b\n")
    return command


def record_in(folder: str) -> dict:
    return json.loads(Path(folder, "record.json").read_text())


def inbox_and_results(runs: Runs, name: str) -> list[str]:
    """What there is of a manifest, dropped or run."""
    return [run.id for run in runs.results.runs() if run.name == name] + [
        each.blob for each in runs.inbox.waiting() if each.blob.startswith(f"{name}.")
    ]


def test_values_labels_and_a_file_reach_the_run(command: Command) -> None:
    """Text becomes what the type says; the dropped request is in the results, with the flow's own lines."""
    text = FILE_FLOW.format(id="v-file")
    Path("v-file.yaml").write_text(text)
    code, printed, errors = command("run", "v-file.yaml", "-i", "data=@local.csv", "--label", "k=v", "--out", "out")
    assert (code, errors) == (0, "")
    assert "Uploading local.csv, 4 B\n" in printed
    digest = hashlib.sha256(b"a,b\n").hexdigest()
    assert record_in("out")["inputs"] == {"data": f"blob://uploads/{digest}/local.csv"}
    assert record_in("out")["labels"] == {"k": "v"}
    assert Path("out/outputs/load/sum.txt").read_text().split()[0] == digest
    lines = Path("out/manifest.yaml").read_text().splitlines()
    assert lines[2:] == ["flow:", *(f"  {line}" for line in text.splitlines())]
    assert "Uploading" not in command("run", "v-file.yaml", "-i", "data=@local.csv", "--out", "again")[1]


def test_values_are_converted_by_the_types_of_the_flow(command: Command) -> None:
    text = (
        "id: v-types\ninputs:\n- {id: n, type: INT}\n- {id: f, type: FLOAT}\n- {id: b, type: BOOL}\n- {id: s}\n"
        "- {id: l, type: ARRAY, itemType: INT}\n- {id: j, type: JSON}\n- {id: y, type: YAML}\n- {id: d, type: DATE}\n"
        "- {id: m, type: MULTISELECT, values: [a, b]}\n- {id: x.y}\ncommands: ['exit 0']\n"
    )
    Path("v-types.yaml").write_text(text)
    Path("v-types.json").write_text(
        json.dumps({
            "id": "v-types",
            "inputs": [{"id": "n", "type": "INT"}, {"id": "s"}],
            "commands": ["exit 0"],
        }, indent=1)
    )  # fmt: skip
    pairs = 'n=07 f=1.50 b=true s=@007 l=[1,2] j={"a":[1]} y={a:\\ 1} d=2026-01-31 m=["a"] x.y=='
    given = [pair.replace("\\ ", " ") for pair in pairs.replace("{a:\\ 1}", "{a:\\_1}").split()]
    given = [pair.replace("\\_", " ") for pair in given]
    options = [part for pair in given for part in ("-i", pair)]
    assert command("run", "v-types.yaml", *options, "--out", "yaml")[0] == 0
    assert record_in("yaml")["inputs"] == {
        "n": 7, "f": 1.5, "b": True, "s": "@007", "l": [1, 2], "j": {"a": [1]}, "y": {"a": 1}, "d": "2026-01-31",
        "m": ["a"], "x.y": "=",
    }  # fmt: skip
    assert command("run", "v-types.json", "-i", "n=3", "--input", "s={{ x }}", "--out", "json")[0] == 0
    assert record_in("json")["inputs"] == {"n": 3, "s": "{{ x }}"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-i", "rows"], ["-i rows: write NAME=VALUE"]),
        (["-i", "=1"], ["-i =1: write NAME=VALUE"]),
        (["-i", "rows=1", "--input", "rows=2"], ["-i rows is given twice"]),
        (["-i", "row=1"], ['-i row: the flow has no such input; did you mean "rows"?']),
        (["-i", "zzz=1"], ["-i zzz: the flow has no such input; it has: a.b, data, name, rows"]),
        (["-i", "a=1"], ["-i a: the flow has no such input; it has: a.b, data, name, rows"]),
        (["-i", "data=@nowhere.csv"], ["-i data: there is no file nowhere.csv"]),
        (["-i", "data=@."], ["-i data: . is a folder: name a file"]),
        (["-i", "data=@"], ["-i data: . is a folder: name a file"]),
        (["-i", "data=@/dev/null"], ["-i data: /dev/null is no file that can be read twice"]),
        (["-i", "data=local.csv"], ["-i data: its type is FILE; to upload a file of this machine: -i data=@local.csv"]),
        (["-i", "a.b=@local.csv"], [NO_FILE]),
        (["-i", "rows=\udcff"], ["-i rows: this is not text in UTF-8"]),
        (["--label", "k", "--label", "a=1", "--label", "a="], ["--label k: write NAME=VALUE", "--label a is given"]),
        (["-i", "x", "-i", "row=1", "-i", "data=@nowhere.csv"],
         ["-i x: write NAME=VALUE", "-i row: the flow has no", "-i data: there is no file"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize("is_stored", [False, True])
def test_wrong_options_are_told_at_once_and_nothing_is_dropped(
    command: Command, runs: Runs, verb: str, options: list[str], said: list[str], is_stored: bool
) -> None:
    Path("v-wrong.yaml").write_text(FLOW.format(id="v-wrong"))
    runs.flows.put("acme.values/v-wrong", Path("v-wrong.yaml").read_bytes())
    code, printed, errors = command(verb, "acme.values/v-wrong" if is_stored else "v-wrong.yaml", *options)
    assert (code, printed) == (2, "")
    lines = errors.splitlines()
    assert len(lines) == len(said)
    for line, beginning in zip(lines, said, strict=True):
        assert line.startswith(beginning)
    assert inbox_and_results(runs, "v-wrong") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-i", "rows=many"], "v-bad.yaml: error: -i rows: expected a whole number, as its type is INT"),
        (["-i", "rows=0"], "v-bad.yaml: error: -i rows: must be at least 1, not 0"),
        (["-i", "name=x"], NO_VALUE),
        (["-i", "rows=1", "-i", "data=@data.txt"], "v-bad.yaml: error: -i data: must be a file whose name ends in .cs"),
        (["-i", "rows=1", "-i", "a.b={"], "v-bad.yaml: error: -i a.b: expected JSON, as its type is JSON"),
        (["-i", "rows=1", "-i", "data=x"], "v-bad.yaml: error: -i data: this is not the address of a file"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_stored", [False, True])
def test_what_an_input_cannot_have_is_told_by_its_option(
    command: Command, runs: Runs, options: list[str], said: str, is_stored: bool
) -> None:
    """And what the flow lacks at its own place; nothing is uploaded."""
    Path("v-bad.yaml").write_text(FLOW.format(id="v-bad"))
    Path("data.txt").write_text("never uploaded")
    runs.flows.put("acme.values/v-bad", Path("v-bad.yaml").read_bytes())
    code, _, errors = command("run", "acme.values/v-bad" if is_stored else "v-bad.yaml", *options)
    assert (code, errors.splitlines()[1:]) == (1, ["Nothing has been dropped."])
    shown = errors.replace("flows/acme.values/v-bad.yaml", "v-bad.yaml").replace("acme.values/v-bad:", "v-bad.yaml:")
    assert shown.startswith(said)
    digest = hashlib.sha256(b"never uploaded").hexdigest()
    uploads = runs.uploads._container
    assert not list(uploads.list_blob_names(name_starts_with=digest))
    assert inbox_and_results(runs, "v-bad") == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("v-no.yaml", "commands: [x\n", "v-no.yaml:2:1: error: this is not valid YAML"),
        ("v-no.yaml", "", "v-no.yaml:1:1: error: the manifest is empty"),
        ("v-no.yaml", "- a\n", "v-no.yaml:1:1: error: a manifest is a map"),
        ("v-no.yaml", "id: \xff", "v-no.yaml: error: the manifest is not text in UTF-8"),
        ("v-no.json", "{", "v-no.json:1:2: error: this is not valid JSON"),
        ("v-no.yaml", "comands: [x]\n", "v-no.yaml:1:1: error: comands: unknown property"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_flow_with_mistakes_is_told_as_without_values(
    command: Command, verb: str, name: str, text: str, said: str
) -> None:
    Path(name).write_bytes(text.encode("latin-1"))
    code, _, errors = command(verb, name, "-i", "rows=1", "--label", "k=v")
    if text.startswith("comands"):
        assert (code, errors) == (2, "-i rows: the flow has no inputs\n")
        code, _, errors = command(verb, name, "--label", "k=v")
    assert code == 1
    assert errors.startswith(said)


def test_options_for_what_cannot_take_them(command: Command, runs: Runs) -> None:
    Path("v-a.yaml").write_text("commands: [exit 0]")
    Path("v-b.yaml").write_text("flow: acme.values/v-b\n")
    Path("v-c.yaml").write_text("retry: a/a-20260131t120000-0123abcd\n")
    assert command("run", "v-a.yaml", "v-b.yaml", "-i", "x=1")[::2] == (
        2,
        "-i gives values to one flow. Run the manifests one after the other.\n",
    )
    for name in ("v-b.yaml", "v-c.yaml"):
        said = f"{name} is a run request itself: give it its `inputs` and `labels` there.\n"
        assert command("run", name, "--label", "x=1")[::2] == (2, said)
    assert not inbox_and_results(runs, "v-a")


def test_a_flow_that_does_not_fit_into_a_request_is_said(command: Command) -> None:
    """As a file it may have 1 MiB, and as a stored flow too; and so may what is given to that."""
    text = FLOW.format(id="v-large").encode()
    Path("v-large.yaml").write_bytes(text + b"#\n" * ((1024 * 1024 - len(text)) // 2))
    said = (
        "v-large.yaml and what is given to it are larger than 1 MiB: store it with `batchrun flows put v-large.yaml`.\n"
    )
    assert command("run", "v-large.yaml", "-i", "rows=1")[::2] == (2, said)
    assert command("flows", "put", "v-large.yaml")[:2] == (0, "acme.values/v-large stored\n")
    assert command("run", "acme.values/v-large", "-i", "rows=1", "--out", "out")[0] == 0
    code, _, errors = command("run", "acme.values/v-large", "-i", "rows=1", "-i", "name=" + "x" * 1024 * 1024)
    assert (code, errors.endswith("are larger than 1 MiB: give it less.\n")) == (2, True)


def test_labels_are_for_several_manifests(command: Command) -> None:
    for name in ("v-one", "v-two"):
        Path(f"{name}.yaml").write_text("labels: {a: b}\ncommands: [exit 0]")
    assert command("run", "v-one.yaml", "v-two.yaml", "--label", "k=v", "--out", "out")[0] == 0
    assert [record_in(f"out/{name}")["labels"] for name in ("v-one", "v-two")] == [{"a": "b", "k": "v"}] * 2


@pytest.mark.parametrize("program", [main, local])
@pytest.mark.usefixtures("command")
def test_a_stored_flow_is_run_by_its_name(runs: Runs, stack, capsys, program) -> None:
    """With values and without; its results are those of `<id>`."""
    runs.flows.put("acme.values/v-stored", FLOW.format(id="v-stored").replace(", min: 1", ", defaults: 3").encode())
    where = ("--data-dir", str(stack.data_dir.path)) if program is local else ()
    out = f"out-{program.__module__}"
    assert program(["run", "acme.values/v-stored", "--out", out, *where]) == 0
    assert Path(out, "outputs/load/said.txt").read_text() == "3 nobody\n"
    assert record_in(out)["flow"]["source"]["name"] == "acme.values/v-stored.yaml"
    options = ["-i", "rows=2", "-i", "name=@me", "-i", "data=@local.csv", "--label", "kind=mine"]
    assert program(["run", "acme.values/v-stored", *options, "--out", f"{out}-2", *where]) == 0
    assert Path(f"{out}-2", "outputs/load/said.txt").read_text() == "2 @me\na,b\n"
    assert record_in(f"{out}-2")["labels"] == {"team": "data", "kind": "mine"}
    assert record_in(f"{out}-2")["manifest"]["name"] == "v-stored.yaml"
    capsys.readouterr()
    assert program(["check", "acme.values/v-stored", *options, *where]) == 0
    printed = capsys.readouterr()
    assert printed.err == "acme.values/v-stored: no errors found\n"
    assert json.loads(printed.out)[0]["tasks"][0]["displayName"] == "load"


def test_places_in_a_stored_flow_are_those_of_its_file(command: Command, runs: Runs) -> None:
    """Found by the client, and by the app alone."""
    runs.flows.put("acme.values/v-typo", FLOW.format(id="v-typo").replace("outputFiles", "outputFile").encode())
    place = "flows/acme.values/v-typo.yaml:18:5"
    code, _, errors = command("run", "acme.values/v-typo", "-i", "rows=1")
    assert (code, errors.splitlines()[1:]) == (1, ["Nothing has been dropped."])
    assert errors.startswith(f"{place}: error: tasks[0].outputFile: unknown property")
    Path("v-request.yaml").write_text("flow: acme.values/v-typo\ninputs: {rows: x}\n")
    code, _, errors = command("check", "v-request.yaml")
    assert f"{place}: error: tasks[0].outputFile: unknown property" in errors
    assert "v-request.yaml:2:16: error: inputs.rows: expected a whole number" in errors


def test_what_only_the_app_finds_is_at_its_place_as_well(
    command: Command, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the summary of the run: of values, of the flow inside, and of a stored flow."""
    monkeypatch.setattr("batchrun.cli.run.refuse_errors", lambda *_: None)
    Path("v-app.yaml").write_text(FLOW.format(id="v-app").replace("outputFiles", "outputFile"))
    runs.flows.put("acme.values/v-app", Path("v-app.yaml").read_bytes())
    code, printed, _ = command("run", "v-app.yaml", "-i", "rows=x", "--out", "one")
    assert code == 1
    assert "    -i rows: expected a whole number, as its type is INT\n" in printed
    assert "    v-app.yaml:18:5: tasks[0].outputFile: unknown property" in printed
    code, printed, _ = command("run", "acme.values/v-app", "-i", "rows=x", "--out", "two")
    assert "    -i rows: expected a whole number, as its type is INT\n" in printed
    assert "    flows/acme.values/v-app.yaml:18:5: tasks[0].outputFile: unknown property" in printed
    Path("v-app-2.yaml").write_text("flow: acme.values/v-none\n")
    assert (
        "    v-app-2.yaml:1:7: flow: there is no stored flow 'acme.values/v-none'" in command("run", "v-app-2.yaml")[1]
    )


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("acme.values/v-nont", NOT_STORED),
        ("sub/v-file", "sub/v-file: error: there is no stored flow 'sub/v-file'; there is a file sub/v-file.yaml here"),
        ("acme.values/v-none.yaml", "There is no file acme.values/v-none.yaml. A stored flow is acme.values/v-none."),
        ("Acme/x", "There is no file Acme/x."),
        ("acme.values/..", "There is no file acme.values/..."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_name_that_is_neither_a_file_nor_a_stored_flow(
    command: Command, runs: Runs, verb: str, argument: str, said: str
) -> None:
    runs.flows.put("acme.values/v-none", b"id: v-none\nnamespace: acme.values\ncommands: [exit 0]\n")
    Path("sub").mkdir()
    Path("sub/v-file.yaml").write_text("commands: [exit 0]")
    code, _, errors = command(verb, argument)
    assert code == (1 if "stored flow '" in said else 2)
    assert errors.splitlines()[0] == said


def test_a_stored_flow_cannot_be_checked_without_an_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request in a file can be, as far as it goes."""
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text("flow: acme.values/f\n")
    assert main(["check", "acme.values/f", "--data-dir", "nowhere"]) == 3
    assert "No stack is running in nowhere" in capsys.readouterr().err
    assert local(["check", "acme.values/f", "--data-dir", "nowhere"]) == 3
    assert "A stored flow can be checked only with its app, and no stack is running.\n" in capsys.readouterr().err
    assert main(["check", "r.yaml", "--data-dir", "nowhere"]) == 0
    assert "r.yaml: not known before it runs: its flow" in capsys.readouterr().err


def test_a_file_is_uploaded_once_and_kept_young(command: Command, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces; an empty one has none. One that has been there for a week is made younger, and not uploaded again."""
    monkeypatch.setattr(_uploads, "PIECE", 1024)
    Path("v-big.yaml").write_text(FILE_FLOW.format(id="v-big"))
    for content in (os.urandom(3000), b""):
        Path("data of ü.bin").write_bytes(content)
        options = ("-i", "data=@data of ü.bin", "--out")
        assert command("run", "v-big.yaml", *options, f"{len(content)}")[0] == 0
        digest = hashlib.sha256(content).hexdigest()
        assert Path(f"{len(content)}/outputs/load/sum.txt").read_text().split()[0] == digest
    blob = runs.uploads._container.get_blob_client(f"{digest}/data of ü.bin")
    before = blob.get_blob_properties()
    assert command("run", "v-big.yaml", *options, "again")[0] == 0
    assert blob.get_blob_properties().etag == before.etag
    monkeypatch.setattr(_uploads, "OLD", -_uploads.OLD)
    code, printed, _ = command("run", "v-big.yaml", *options, "old")
    after = blob.get_blob_properties()
    assert (code, after.size, "Uploading" in printed) == (0, before.size, False)
    assert after.etag != before.etag
    assert after.last_modified >= before.last_modified


def test_a_file_that_changes_while_it_is_uploaded_is_not_stored(
    command: Command, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the name of another content."""
    Path("v-change.yaml").write_text(FILE_FLOW.format(id="v-change"))
    has = _uploads.Uploads.has

    def changed(self: _uploads.Uploads, file: _uploads.LocalData) -> bool:
        file.path.write_text("changed")
        return has(self, file)

    monkeypatch.setattr(_uploads.Uploads, "has", changed)
    Path("moving.txt").write_text("at first")
    code, _, errors = command("run", "v-change.yaml", "-i", "data=@moving.txt")
    assert (code, errors) == (
        1,
        "Nothing has been dropped.\nmoving.txt has been changed meanwhile. Run the command again.\n",
    )
    digest = hashlib.sha256(b"at first").hexdigest()
    assert not list(runs.uploads._container.list_blob_names(name_starts_with=digest))
    assert inbox_and_results(runs, "v-change") == []


def test_two_who_upload_the_same_file_do_not_disturb_each_other(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "both.txt").write_bytes(os.urandom(64))
    file = _uploads.LocalData.of(tmp_path / "both.txt")
    blob = runs.uploads._container.get_blob_client(file.blob)

    def faster(_bytes: int) -> None:
        blob.upload_blob((tmp_path / "both.txt").read_bytes(), overwrite=True)

    runs.uploads.put(file, faster)
    assert runs.uploads.has(file)
    assert blob.download_blob().readall() == (tmp_path / "both.txt").read_bytes()


@pytest.mark.parametrize("name", ["a\\b", "line\nbreak", " blank"])
def test_a_file_whose_name_no_address_can_have_is_refused(command: Command, name: str) -> None:
    Path("v-name.yaml").write_text(FILE_FLOW.format(id="v-name"))
    Path(name).write_text("x")
    code, _, errors = command("run", "v-name.yaml", "-i", f"data=@{name}")
    assert code == 2
    assert errors.startswith("-i data: ")
    assert errors.endswith("; rename it\n")
