"""The generated reference in docs/: in step with the models, and usable by editors."""

from pathlib import Path

import jsonschema
import pytest

from docs.reference.__main__ import DOCS, reference
from docs.reference.schemas import manifest_schema
from shared.errors import ManifestError
from shared.manifest._source import parse
from shared.manifest.read import read_manifest
from tests.support.expected import manifest_of, manifests

ROOT = Path(__file__).parents[2]
ACCEPTED = [manifest_of(name) for name in manifests() if not name.startswith("rejected/")]


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(manifest_schema())


@pytest.mark.parametrize(
    "name",
    [
        "manifest.md",
        "manifest.schema.json",
        "record.schema.json",
        "status.schema.json",
        "tasks.schema.json",
        "run-ended.schema.json",
        "ledger.schema.json",
        "app.schema.json",
    ],
)
def test_docs_are_in_step_with_the_models(name: str) -> None:
    """`make docs` brings them back into step."""
    assert (DOCS / name).read_text(encoding="utf-8") == reference()[name]


def test_the_schema_is_one(schema: jsonschema.Draft202012Validator) -> None:
    schema.check_schema(schema.schema)


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("samples/**/*.yaml")), *ACCEPTED], ids=lambda path: path.name)
def test_what_the_app_accepts_is_valid_in_an_editor(path: Path, schema: jsonschema.Draft202012Validator) -> None:
    text = path.read_text(encoding="utf-8")
    read_manifest(text, path.name)
    assert [error.message for error in schema.iter_errors(parse(text).data)] == []


FOR_EACH = "io.kestra.plugin.core.flow.ForEach"


@pytest.mark.parametrize(
    "text",
    [
        "commands: [3.10]\nenv: {A: 1, B: true}\ntaskRunner: {accessKey: \"{{ secret('A') }}\"}",
        f"tasks: [{{id: a, type: {FOR_EACH}, values: [1, b], tasks: [{{id: b, commands: [x]}}]}}]",
        "tasks: [{id: a, commands: [x], foreach: {files: {task: b, glob: x}}}]",
        "labels: [{key: a, value: b}]\ncommands: [x]",
    ],
)
def test_valid_manifests(text: str, schema: jsonschema.Draft202012Validator) -> None:
    assert schema.is_valid(parse(text).data)


@pytest.mark.parametrize(
    "text",
    [
        "comands: [x]",
        "commands: [x]\ntimeuot: PT1M",
        "commands: [x]\nscript: y",
        "commands: [x]\nerrors: [{id: e}]",
        "commands: [x]\ntype: io.kestra.plugin.core.log.Log",
        "commands: [x]\ntaskRunner: {accessKey: abc}",
        "tasks: [{id: a, commands: [x], taskRunner: {pool: x}}]",
        f"tasks: [{{id: a, type: {FOR_EACH}, tasks: [{{id: b, commands: [x]}}]}}]",
        f"tasks: [{{id: a, type: {FOR_EACH}, values: [1], tasks: [{{id: b, comands: [x]}}]}}]",
    ],
)
def test_mistakes_are_marked_in_an_editor_and_refused_by_the_app(
    text: str, schema: jsonschema.Draft202012Validator
) -> None:
    assert not schema.is_valid(parse(text).data)
    with pytest.raises(ManifestError):
        read_manifest(text, "x.yaml")
