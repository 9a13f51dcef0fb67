"""Whatever is dropped: it is read, or refused with located problems; never anything else."""

import json
import re

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import ManifestError
from shared.manifest.flow import Flow
from shared.manifest.groups import ALLOW_FAILURE, DAG, FOR_EACH, IF, PARALLEL, SEQUENTIAL, SWITCH
from shared.manifest.read import Manifest, read_manifest
from shared.manifest.redaction import redacted
from shared.manifest.task_types import all_types
from tests.support.generated_manifests import TASK_NAMES, mangled, runnable_flows

# Nothing is timed: what takes too long is stopped by the time limit of the test run.
EXAMPLES = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

ids = st.sampled_from(["a", "b", "c", "d", "e"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["{{ vars.x }}", "PT1M", "P9D", "..", "secret", "{{ secret('X') }}", FOR_EACH, *all_types()[:2]])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TASK_NAMES) | st.text(max_size=5), inner)
    ),
    max_leaves=8,
)


@st.composite
def tasks(draw: st.DrawFn, task_ids: list[str]) -> dict[str, object]:
    task: dict[str, object] = {
        "id": task_ids.pop(),
        "commands": draw(st.lists(st.text(max_size=20), min_size=1, max_size=3)),
    }
    optional = {
        "type": st.sampled_from([name for name in all_types() if name.endswith("Commands")]),
        "dependsOn": st.lists(st.sampled_from(task_ids), max_size=2, unique=True) if task_ids else st.just([]),
        "allowFailure": st.booleans(),
        "foreach": st.integers(0, 9) | st.lists(scalars, max_size=3),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), st.text(max_size=9) | st.integers() | st.booleans()),
        "timeout": st.sampled_from(["PT1M", "PT2H30M", "P1D"]),
        "retry": st.fixed_dictionaries({"maxAttempts": st.integers(1, 9)}),
        "requiredSlots": st.integers(1, 9),
        "outputFiles": st.lists(st.text(max_size=9), max_size=2),
    }
    return task | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def grouped(draw: st.DrawFn, task: dict[str, object]) -> dict[str, object]:
    """The task, or a group that has it somewhere."""
    group: dict[str, object] = {"id": f"g_{task['id']}"}
    other = [{"id": f"o_{task['id']}", "commands": ["x"]}]
    in_dag = {"task": {name: value for name, value in task.items() if name != "dependsOn"}}
    forms: list[dict[str, object]] = [
        {"type": SEQUENTIAL, "tasks": [task]},
        {"type": PARALLEL, "tasks": [task], "allowFailure": True},
        {"type": ALLOW_FAILURE, "tasks": other, "errors": [task]},
        {"type": SEQUENTIAL, "tasks": other, "finally": [task]},
        {"type": IF, "condition": "{{ 1 }}", "then": [task]},
        {"type": IF, "condition": "{{ 1 }}", "then": other, "else": [task]},
        {"type": SWITCH, "value": "a", "cases": {"a": [task], "b": other}},
        {"type": SWITCH, "value": "a", "cases": {"a": other}, "defaults": [task]},
        {"type": DAG, "tasks": [{"task": other[0]}, {**in_dag, "dependsOn": [other[0]["id"]]}]},
    ]
    return draw(st.just(task) | st.sampled_from([group | form for form in forms]))


@st.composite
def flows(draw: st.DrawFn) -> dict[str, object]:
    """A valid flow: tasks wait for earlier ones only; some are in groups."""
    task_ids = [f"t{number}" for number in range(draw(st.integers(1, 6)))]
    listed: list[dict[str, object]] = []
    while task_ids:
        task = draw(tasks(task_ids))
        listed.append(draw(grouped(task)))
    others = {name: [draw(tasks([name[0]]))] for name in draw(st.sampled_from([[], ["errors"], ["errors", "finally"]]))}
    return {
        "id": "f",
        "tasks": listed[::-1],
        **others,
        "variables": draw(st.dictionaries(st.text(max_size=5), scalars, max_size=2)),
    }


def read(text: str, name: str) -> Manifest | None:
    """The manifest, or None where it is refused: then every problem has a place in the text."""
    try:
        return read_manifest(text, name)
    except ManifestError as error:
        problems = error.problems
    lines = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text))
    assert problems
    assert [problem for problem in problems if not problem.message or not 1 <= (problem.line or 0) <= lines] == []
    return None


@EXAMPLES
@given(flows())
def test_a_valid_flow_is_read_and_every_task_waits_for_others_only(flow: dict[str, object]) -> None:
    manifest = read(json.dumps(flow), "x.json")
    assert manifest
    assert set(manifest.dependencies) == {task.id for task in manifest.flow.tasks}
    assert all(other in manifest.dependencies for names in manifest.comes_after.values() for other in names)
    assert manifest.comes_after.keys() == manifest.dependencies.keys()


@EXAMPLES
@given(mangled(flows(), anything) | mangled(runnable_flows(), anything))
def test_a_mangled_flow_is_read_or_refused_with_located_problems(flow: object) -> None:
    text = json.dumps(flow)
    read(text, "x.json")
    read(yaml.safe_dump(json.loads(text), allow_unicode=True), "x.yaml")


@EXAMPLES
@given(anything)
def test_any_data_is_read_or_refused_with_located_problems(data: object) -> None:
    read(yaml.safe_dump(data, allow_unicode=True), "x.yaml")


@EXAMPLES
@given(
    st.text(alphabet=st.sampled_from("tasks:commands \n-[]{}&*!'\"|>#?%@`,\t\x00\u2028é😀10.e"), max_size=80)
    | st.text(max_size=60)
)
def test_any_text_is_read_or_refused_with_located_problems(text: str) -> None:
    read(text, "x.yaml")
    read(text, "x.json")
    redacted(text)


@EXAMPLES
@given(st.dictionaries(st.sampled_from([field.alias for field in Flow.model_fields.values()]), anything, max_size=4))
def test_properties_of_the_flow_with_any_values(flow: dict[str, object]) -> None:
    read(yaml.safe_dump({"tasks": [{"id": "a", "commands": ["x"]}], **flow}, allow_unicode=True), "x.yaml")
