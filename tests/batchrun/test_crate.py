"""What the crate of a run says: an entity for each file, each value and each thing that ran, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from batchrun.client.crate.metadata import METADATA, RunDocuments, crate_metadata
from shared.documents.record import Record
from shared.documents.states import State
from shared.documents.task_result import ItemsSummary, Outputs, TaskRecord
from shared.masking import MASK
from tests.batchrun import crates
from tests.batchrun.crates import EARLIER_ID, HOSTILE, RUN_ID, Crate

COMPLETED, FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"
WORKFLOW_RUN = "https://w3id.org/ro/wfrun/workflow/0.5"
RUN = f"#run/{RUN_ID}"
CONTEXTS = Path(__file__).parents[1] / "fixtures" / "crate"
ALL = {
    "flow": crates.flow_run(),
    "single": crates.single_run(),
    "rejected": crates.rejected_run(),
    "killed": crates.killed_run(),
    "wide": crates.wide_run(3),
    "hostile": crates.hostile_run(),
}


@pytest.fixture(params=ALL)
def crate(request) -> Crate:
    """The crate of a run of each kind."""
    return Crate(ALL[request.param])


@pytest.fixture(scope="module")
def flow() -> Crate:
    return Crate(ALL["flow"])


def texts(value: object) -> list[str]:
    """All texts in a value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_every_reference_is_to_an_entity_or_to_a_term_of_others(crate: Crate) -> None:
    """And no entity holds another one: the document is flat."""
    known = {each["@id"] for each in crate.graph} | {"https://w3id.org/ro/terms/workflow-run#DockerImage"}
    known.add("https://w3id.org/ro/crate/1.1")
    for each in crate.graph:
        for value in each.values():
            for part in value if isinstance(value, list) else [value]:
                assert not isinstance(part, list)
                if isinstance(part, dict):
                    assert set(part) == {"@id"}
                    assert part["@id"] in known


def test_every_property_is_a_term_of_the_contexts_that_makes_no_id_of_a_text(crate: Crate) -> None:
    """So a text that looks like an id stays one."""
    terms: dict[str, object] = {}
    for file in ("ro-crate-1.1.jsonld", "workflow-run.json"):
        terms |= json.loads((CONTEXTS / file).read_text())["@context"]
    used = {name for each in crate.graph for name in each if not name.startswith("@")}
    types = {
        name for each in crate.graph for name in ([each["@type"]] if isinstance(each["@type"], str) else each["@type"])
    }
    assert {name: terms.get(name) for name in used | types if not isinstance(terms.get(name), str)} == {}


@pytest.mark.parametrize("run", ALL.values(), ids=ALL)
def test_the_same_record_is_the_same_text(run: RunDocuments) -> None:
    """In whatever order files were listed."""
    files = crates.sizes(run)
    assert crate_metadata(run, files) == crate_metadata(run, dict(reversed(files.items())))


def test_files_that_were_fetched_are_parts_by_their_encoded_paths(crate: Crate) -> None:
    own = [each for each in crate.of_type("File") if not re.match(r"[a-z]+://", each["@id"])]
    assert {unquote(each["@id"]) for each in own} == set(crate.files)
    assert {each["@id"] for each in crate.of_type("File")} == set(crate.of(crate["./"], "hasPart"))
    for each in own:
        assert each["contentSize"] == str(crate.files[unquote(each["@id"])])
        assert re.fullmatch(r"[^\s\"<>\\^`{|}#?:\x00-\x1f\x7f-\x9f]+", each["@id"])


def test_files_that_were_not_fetched_are_nowhere_but_counted() -> None:
    run = crates.flow_run()
    files = {name: size for name, size in crates.sizes(run).items() if not name.endswith((".parquet", ".html", ".txt"))}
    crate = Crate(run, files)
    assert not {".parquet", ".html", ".txt"} & {Path(each["@id"]).suffix for each in crate.of_type("File")}
    assert "1 output file not in this crate" in crate.action("load")["description"]
    assert "outputs/load/all.csv" in crate.of(crate.action("load"), "result")


def test_a_run_of_a_flow_is_a_workflow_run_crate(flow: Crate) -> None:
    """Its workflow is the flow that the manifest names."""
    root = flow["./"]
    assert WORKFLOW_RUN in flow.of(root, "conformsTo")
    assert root["mainEntity"] == {"@id": "flow.yaml"}
    workflow = flow["flow.yaml"]
    assert workflow["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert (workflow["name"], workflow["description"]) == ("etl", "Loads the orders of a day.")
    assert workflow["version"] == "aa"
    assert flow[workflow["programmingLanguage"]["@id"]]["name"] == "Kestra"
    assert flow.run["instrument"] == {"@id": "flow.yaml"}
    assert root["keywords"] == "team=data"


@pytest.mark.parametrize("name", ["single", "rejected"])
def test_another_run_is_a_process_run_crate(name: str) -> None:
    """What it runs is the manifest."""
    crate = Crate(ALL[name])
    assert crate.of(crate["./"], "conformsTo") == ["https://w3id.org/ro/wfrun/process/0.5"]
    assert "mainEntity" not in crate["./"]
    assert crate["manifest.yaml"]["@type"] == ["File", "SoftwareSourceCode"]
    assert crate.run["instrument"] == {"@id": "manifest.yaml"}


def test_a_flow_whose_document_is_not_there_is_no_workflow() -> None:
    """RO-Crate wants the file of a workflow."""
    run = crates.flow_run()
    crate = Crate(run, {"record.json": 1})
    assert WORKFLOW_RUN not in crate.of(crate["./"], "conformsTo")
    assert crate[crate.run["instrument"]["@id"]]["@type"] == "SoftwareApplication"
    assert crate[crate.run["instrument"]["@id"]]["name"] == "etl"


def test_the_single_task_of_a_manifest_is_the_run_itself() -> None:
    crate = Crate(crates.single_run())
    [action] = crate.of_type("CreateAction")
    assert action["@id"] == RUN
    assert action["startTime"] == "2026-11-22T12:13:20.000+00:00"
    assert crate.of(action, "result") == ["outputs/single/plot.png", f"#value/{RUN_ID}/single/total", "#exit-code/0"]
    assert crate["logs/single/stdout.txt"]["about"] == {"@id": RUN}
    image = crate[action["containerImage"]["@id"]]
    assert (image["registry"], image["name"], image["sha256"]) == ("docker.io", "library/python", "ab" * 32)
    assert "tag" not in image


def test_a_single_task_that_failed_says_how() -> None:
    crate = Crate(crates.single_run(state=State.FAILED, exit_code=3, failure=crates.FAILED))
    assert crate.run["actionStatus"] == FAILED
    assert crate.run["error"] == "the commands ended with exit code 3"
    assert crate["#exit-code/3"]["value"] == 3


def test_tasks_and_items_that_ran_are_actions_of_their_own(flow: Crate) -> None:
    """Those that were skipped are not; all are mentioned by the crate."""
    names = [each["name"] for each in flow.of_type("CreateAction")]
    assert names == [f"Run {RUN_ID}", "extract", "clean[0]", "clean[1]", "load", "tell"]
    assert flow.of(flow["./"], "mentions") == [each["@id"] for each in flow.of_type("CreateAction")]
    tool = flow[flow.action("clean[1]")["instrument"]["@id"]]
    assert (tool["@type"], tool["name"]) == ("SoftwareApplication", "clean")
    assert flow.of(flow["flow.yaml"], "hasPart") == ["#task/extract", "#task/clean", "#task/load", "#task/tell"]
    item = flow[flow.of(flow.action("clean[1]"), "object")[0]]
    assert (item["@type"], item["name"], item["value"]) == ("PropertyValue", "S", "south")


def test_how_it_ended_is_the_status_of_an_action(flow: Crate) -> None:
    """A failure that the manifest allows is one of its task, not of the run."""
    assert (flow.run["actionStatus"], flow.run.get("error")) == (COMPLETED, None)
    failed = flow.action("clean[1]")
    assert (failed["actionStatus"], failed["error"]) == (FAILED, "the commands ended with exit code 3")
    assert "exit code 3; 3 attempts" in failed["description"]
    assert flow.action("load")["endTime"] == "2026-11-22T12:14:34.000+00:00"
    assert flow.run["endTime"] == "2026-11-22T12:14:44.250+00:00"


def test_a_run_that_was_rejected_says_why() -> None:
    crate = Crate(crates.rejected_run())
    [action] = crate.of_type("CreateAction")
    assert action["actionStatus"] == FAILED
    assert action["error"] == "this is not valid YAML\ntasks: no"
    assert "startTime" not in action
    assert action["endTime"] == "2026-11-22T12:13:15.000+00:00"


def test_a_run_that_was_cancelled_has_the_tasks_that_had_begun() -> None:
    crate = Crate(crates.killed_run())
    assert [(each["name"], each["error"]) for each in crate.of_type("CreateAction")] == [
        (f"Run {RUN_ID}", "it ended as KILLED"),
        ("load", "it ended as KILLED"),
    ]


def test_inputs_are_values_of_the_parameters_of_the_flow(flow: Crate) -> None:
    """Maps and lists are text; a file is a file by its address."""
    given = {flow[name].get("name"): flow[name] for name in flow.of(flow.run, "object")}
    values = {name: given[name]["value"] for name in ("day", "rows", "sizes", "options")}
    assert values == {"day": "2026-11-22", "rows": 10, "sizes": "[1, 2]", "options": '{"@id": "./", "deep": true}'}
    assert given["day"]["exampleOfWork"] == {"@id": "#input/day"}
    kinds = {each["name"]: each["additionalType"] for each in flow.of_type("FormalParameter")}
    of_values = {"day": "Date", "rows": "Integer", "sizes": "Text", "options": "PropertyValue", "token": "Text"}
    assert kinds == of_values | dict.fromkeys(("orders", "again", "prices", "table"), "File") | {"total": "Integer"}
    orders = flow["blob://uploads/9f2c/orders%20of%20today.csv"]
    assert orders["exampleOfWork"] == [{"@id": "#input/orders"}, {"@id": "#input/again"}]
    assert given["manifest.yaml"]["@type"] == "File"


def test_what_a_flow_publishes_is_a_result(flow: Crate) -> None:
    assert "#published/total" in flow.of(flow.run, "result")
    assert flow["#published/total"]["exampleOfWork"] == {"@id": "#output/total"}
    assert flow["outputs/load/all.csv"]["exampleOfWork"] == {"@id": "#output/table"}


def test_files_have_their_size_digest_and_type(flow: Crate) -> None:
    """And the name that they had where they were made."""
    file = flow["outputs/load/d/ü%20%231%25.parquet"]
    assert file["name"] == "d/ü #1%.parquet"
    assert (file["contentSize"], file["md5"]) == ("15", "0f" * 16)
    assert file["encodingFormat"] == "application/vnd.apache.parquet"
    assert {flow[name]["encodingFormat"] for name in ("record.json", "report.html", "flow.yaml")} == {
        "application/json",
        "text/html",
        "application/yaml",
    }
    assert flow["logs/clean/0/stderr.txt"]["about"] == {"@id": f"{RUN}/clean/0"}
    assert flow["record.json"]["about"] == {"@id": RUN}


def test_an_image_is_known_where_no_expression_makes_it(flow: Crate) -> None:
    image = flow[flow.action("extract")["containerImage"]["@id"]]
    assert (image["registry"], image["name"], image["tag"]) == ("myregistry.azurecr.io", "team/extract", "1.2")
    assert "containerImage" not in flow.action("clean[0]")
    default = flow[flow.action("load")["containerImage"]["@id"]]
    assert (default["registry"], default["name"], default["tag"]) == ("docker.io", "library/ubuntu", "latest")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("busybox", ("docker.io", "library/busybox", "latest", None)),
        ("busybox:1", ("docker.io", "library/busybox", "1", None)),
        ("a/b", ("docker.io", "a/b", "latest", None)),
        ("index.docker.io/b", ("docker.io", "library/b", "latest", None)),
        ("localhost/b", ("localhost", "b", "latest", None)),
        ("host:5000/a/b:c", ("host:5000", "a/b", "c", None)),
        ("ghcr.io/a/b:c@sha256:00ff", ("ghcr.io", "a/b", "c", "00ff")),
        ("Host/b", ("Host", "b", "latest", None)),
    ],
)
def test_images_have_the_parts_that_docker_reads(name: str, parts: tuple[str | None, ...]) -> None:
    run = crates.single_run()
    crate = Crate(RunDocuments(run.record, manifest=f"id: single\ncontainerImage: {name}\ncommands: [make]\n"))
    [image] = crate.of_type("ContainerImage")
    assert tuple(image.get(each) for each in ("registry", "name", "tag", "sha256")) == parts


def test_files_that_tasks_are_given_by_address_are_their_objects(flow: Crate) -> None:
    """A namespace is named; what only an expression knows, and a text, is not there."""
    assert flow.of(flow.action("extract"), "object") == ["nsfile://company.team/lib.py"]


def test_a_retry_names_the_earlier_run(flow: Crate) -> None:
    """And what was taken over the run in which it ran."""
    earlier = f"#earlier-run/{EARLIER_ID}"
    assert flow[earlier]["identifier"] == EARLIER_ID
    assert flow["./"]["isBasedOn"] == {"@id": earlier}
    assert earlier in flow.of(flow.run, "object")
    assert flow.action("extract")["subjectOf"] == {"@id": earlier}
    assert EARLIER_ID in flow.action("extract")["description"]
    assert "subjectOf" not in flow.action("load")


def test_items_that_stand_beside_the_record_are_actions_too() -> None:
    crate = Crate(crates.wide_run(1000))
    assert len(crate.of_type("CreateAction")) == 1001
    assert crate.of(crate.action("clean[999]"), "result")[0] == "outputs/clean/999/clean.csv"
    assert len(crate.of(crate.run, "result")) == 1000
    assert crate["#item/" + RUN_ID + "/clean/7"]["value"] == '{"n": 7}'


def test_a_fan_out_that_failed_before_its_items_were_known_is_an_action() -> None:
    none = ItemsSummary(count=0, states={}, records=())
    task = TaskRecord(id="clean", state=State.FAILED, failure=crates.FAILED, items=none)
    crate = Crate(RunDocuments(crates.record(State.FAILED, tasks=(task,)), manifest=crates.FLOW))
    assert crate.action("clean")["error"] == crates.FAILED.message
    assert crate.run["error"] == f"clean: {crates.FAILED.message}"


def test_a_fan_out_without_items_did_nothing() -> None:
    none = ItemsSummary(count=0, states={}, records=())
    task = TaskRecord(id="clean", state=State.SUCCESS, items=none)
    crate = Crate(RunDocuments(crates.record(tasks=(task,)), manifest=crates.FLOW))
    assert crate.of_type("CreateAction") == [crate.run]
    assert "hasPart" not in crate["manifest.yaml"]


def test_no_secret_and_no_masked_value_is_in_it(flow: Crate) -> None:
    """A signature in an address, a login before its host, an input that holds a secret, values with masks."""
    assert not {part for part in (crates.SIGNATURE, "sig=", "user:pw") if part in flow.text}
    prices = flow["https://data.example.com:8443/p%20q/prices.csv.gz"]
    assert prices["description"].startswith("Its address had a query")
    assert not [each for each in flow.of_type("PropertyValue") if each["name"] == "token"]
    assert "hold a secret: token" in flow.run["description"]
    printed = Outputs(vars={"open": 1, "url": f"https://{MASK}@x", "deep": {"a": [f"-{MASK}-"]}, MASK: 2})
    task = TaskRecord(id="load", **crates.ran(1, 2, outputs=printed, masked=True))
    record = crates.record(tasks=(task,), inputs={"a": MASK}, outputs={"b": [MASK]}, labels={"x": MASK, "y": "z"})
    crate = Crate(RunDocuments(record, manifest=crates.FLOW))
    assert MASK not in crate.text
    assert [each["name"] for each in crate.of_type("PropertyValue")] == ["open", "exitCode"]
    assert crate["./"]["keywords"] == "y=z"


def test_texts_of_others_stay_texts() -> None:
    """They are in no key and in no id but encoded; control characters and lone surrogates are escaped."""
    crate = Crate(crates.hostile_run())
    assert HOSTILE in [each.get("value") for each in crate.of_type("PropertyValue")]
    assert crate["./"]["keywords"] == f"{HOSTILE}={HOSTILE}"
    for each in crate.graph:
        assert re.fullmatch(r"[^\s\"<>\\^`{|}\x00-\x1f\x7f-\x9f\u202e\u2028\ud800]+", each["@id"])
        assert each["@id"].count("#") <= 1
    values = {each["name"]: each["value"] for each in crate.of_type("PropertyValue")}
    assert (values["@id"], values["@type"]) == ('{"@id": "./"}', '["File"]')
    assert (values["nan"], values["large"]) == ("NaN", str(10**30))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]", crate.text)
    assert "about" not in crate[f"outputs/task/{METADATA}"]


def test_names_that_look_alike_have_ids_of_their_own() -> None:
    """The task `a/b`, and item `b` of a task `a`."""
    crate = Crate(crates.hostile_run())
    assert crate.action("a/b")["@id"] == f"{RUN}/a%2Fb"
    assert crate.action("a[0]")["@id"] == f"{RUN}/a/0"


def test_nothing_is_invented(flow: Crate) -> None:
    """No author and no agent; the licence, which must be there, says that there is none."""
    assert not {"agent", "author", "publisher", "creator"} & {name for each in flow.graph for name in each}
    assert flow[flow["./"]["license"]["@id"]]["name"] == "No licence is stated"
    assert flow["./"]["datePublished"] == "2026-11-22T12:14:45.000+00:00"


def test_the_record_of_a_former_version_is_enough() -> None:
    """Without inputs, outputs, labels, and times."""
    old = {
        "schemaVersion": "1",
        "runId": RUN_ID,
        "state": "SUCCESS",
        "manifest": {"name": "etl.json", "etag": "0x8D", "sha256": None},
        "timings": {"dropped": "2026-11-22T12:13:14Z"},
        "tasks": [{"id": "load", "state": "SUCCESS"}],
    }
    crate = Crate(RunDocuments(Record.model_validate(old)))
    assert crate["manifest.yaml"]["version"] == "0x8D"
    assert crate["manifest.yaml"]["encodingFormat"] == "application/json"
    assert crate["./"]["datePublished"] == "2026-11-22T12:13:14.000+00:00"
