"""Which tasks of a manifest wait for which."""

import pytest

from shared.errors import ManifestError
from shared.manifest.read import Manifest, read_manifest


def problems(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(text, "x.yaml")
    return [str(problem) for problem in caught.value.problems]


def in_loop(group: str) -> str:
    """A group with one TASK in a loop."""
    inner = group.replace("TASK", "{id: a, commands: [x]}")
    return f"{{id: l, type: ForEach, values: [1], tasks: [{inner}, {{id: b, commands: [x]}}]}}"


def dependencies(*tasks: str) -> dict[str, tuple[str, ...]]:
    listed = "".join(f"  - {{commands: [x], {task}}}\n" for task in tasks)
    return dict(read_manifest(f"tasks:\n{listed}", "x.yaml").dependencies)


def test_a_task_waits_for_the_one_before_it() -> None:
    assert dependencies("id: a", "id: b", "id: c") == {"a": (), "b": ("a",), "c": ("b",)}


def test_a_task_with_depends_on_waits_exactly_for_those() -> None:
    graph = dependencies("id: a", "id: b, dependsOn: []", "id: c, dependsOn: [a, b]", "id: d, dependsOn: [a]")
    assert graph == {"a": (), "b": (), "c": ("a", "b"), "d": ("a",)}


def test_a_task_may_wait_for_a_later_one() -> None:
    assert dependencies("id: a, dependsOn: [b]", "id: b, dependsOn: []") == {"a": ("b",), "b": ()}


def test_who_waits_for_a_disabled_task_waits_for_what_it_would_have_waited_for() -> None:
    graph = dependencies("id: a", "id: b, disabled: true", "id: c, disabled: true", "id: d", "id: e, dependsOn: [c, a]")
    assert graph == {"a": (), "d": ("a",), "e": ("a",)}


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            "[{id: one, commands: [x]}, {id: b, commands: [x], dependsOn: [one, on]}]",
            "no task 'on'; did you mean \"one\"?",
        ),
        ("[{id: a, dependsOn: [c], commands: [x]}, {id: b, commands: [x]}, {id: c, commands: [x]}]", "a → c → b → a"),
    ],
)
def test_an_order_that_cannot_be_is_a_located_problem(tasks: str, message: str) -> None:
    [problem] = problems(f"tasks: {tasks}")
    assert message in problem
    assert "dependsOn[" in problem
    assert "at line 1, column" in problem


GROUPS = """
tasks:
  - {id: first, commands: [x]}
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: left, commands: [x]}
      - id: right
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
          - {id: right_1, commands: [x]}
          - {id: right_2, commands: [x], disabled: true}
          - {id: right_3, commands: [x]}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: item, commands: ["echo {{ taskrun.value }}"], timeout: PT5M}
  - {id: last, commands: [x]}
  - {id: aside, commands: [x], dependsOn: [right]}
"""


@pytest.fixture
def groups() -> Manifest:
    return read_manifest(GROUPS, "x.yaml")


def test_groups_are_shapes_of_the_order(groups: Manifest) -> None:
    assert groups.dependencies == {
        "first": (),
        "left": ("first",),
        "right_1": ("first",),
        "right_3": ("right_1",),
        "item": ("left", "right_3"),
        "last": ("item",),
        "aside": ("right_3",),
    }


def test_the_task_in_a_for_each_is_a_fan_out_over_its_values(groups: Manifest) -> None:
    assert groups.flow.tasks[5].foreach == ("a", "b")


def test_problems_in_groups_stand_where_they_are_in_the_file(groups: Manifest) -> None:
    assert str(groups.problem(("tasks", 4, "commands", 0), "!")) == (
        "tasks[1].tasks[1].tasks[2].commands[0]: ! at line 13, column 38"
    )
    assert str(groups.problem(("tasks", 5, "foreach", 1), "!")) == "tasks[2].values[1]: ! at line 16, column 17"
    assert str(groups.problem(("tasks", 5, "timeout"), "!")).startswith("tasks[2].tasks[0].timeout: ! at line 18")


def test_a_disabled_group_leaves_out_its_tasks() -> None:
    text = GROUPS.replace("Parallel\n", "Parallel\n    disabled: true\n")
    graph = read_manifest(text, "x.yaml").dependencies
    assert graph == {"first": (), "item": ("first",), "last": ("item",), "aside": ("first",)}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("{id: g, type: Sequential, tasks: []}", "tasks[0].tasks: expected at least 1 entry"),
        (
            "{id: g, type: Sequential, tasks: [{id: g, commands: [x]}]}",
            "task ids must differ; there is more than one 'g'",
        ),
        (
            "{id: g, type: Sequential, tasks: [{id: a, comands: [x]}]}",
            "tasks[0].tasks[0].comands: unknown property; did you",
        ),
        ("{id: g, type: Sequential, dependson: [], tasks: [{id: a, commands: [x]}]}", 'did you mean "dependsOn"?'),
        (
            "{id: g, type: Parallel, dependsOn: [h], tasks: [{id: a, commands: [x]}]}",
            "dependsOn[0]: there is no task 'h'",
        ),
        (
            "{id: g, type: Parallel, dependsOn: [a], tasks: [{id: a, commands: [x]}]}",
            "cannot wait for each other: g → a",
        ),
        (
            "{id: g, type: Parallel, retry: {maxAttempts: 1}, tasks: [{id: a, commands: [x]}]}",
            "give it to the tasks in",
        ),
        ("{id: g, type: ForEach, tasks: [{id: a, commands: [x]}]}", "tasks[0].values: this property is missing"),
        (
            (
                "{id: g, type: ForEach, dependsOn: [], values: [1], tasks: [{id: a, commands: [x]}, "
                "{id: b, dependsOn: [x], commands: [x]}]}, {id: x, dependsOn: [a], commands: [x]}"
            ),
            "tasks cannot wait for each other: ",
        ),
        (
            (
                "{id: g, type: ForEach, values: [1], tasks: [{id: i, type: Loop, dependsOn: [], values: [1], tasks: ["
                "{id: a, commands: [x]}, {id: b, dependsOn: [y], commands: [x]}]},"
                " {id: y, dependsOn: [a], commands: [x]}]}"
            ),
            "tasks cannot wait for each other: ",
        ),
        (
            "{id: g, type: Loop, values: [1], tasks: [{id: s, type: Parallel, tasks: [{id: a, foreach: 2}]}]}",
            "tasks[0].tasks: the task 'a' in a loop cannot have a `foreach` of its own",
        ),
        ("{id: g, type: Loop, values: 3, tasks: [{id: a, commands: [x]}]}", "tasks[0].values: expected a list, a map,"),
        (
            "{id: g, type: Loop, values: [1], transmitFailed: false, tasks: [{id: a, commands: [x]}]}",
            "tasks[0].transmitFailed: a failure in an iteration is one of the loop",
        ),
        ("{id: g, type: ForEach, values: [1], tasks: [{id: a, commands: [x], foreach: 2}]}", "`foreach` of its own"),
        ("{id: g, type: Dag, tasks: []}", "tasks[0].tasks: expected at least 1 entry"),
        (
            in_loop("{id: s, type: Sequential, tasks: [TASK], errors: [{id: e, commands: [x]}]}"),
            "tasks[0].tasks[0].errors: what failed cannot be told value by value inside a loop: give it to a group",
        ),
        (
            in_loop("{id: s, type: If, condition: 'true', then: [TASK], finally: [{id: e, commands: [x]}]}"),
            "tasks[0].tasks[0].finally: what has ended cannot be told value by value",
        ),
        (
            in_loop("{id: s, type: ForEach, values: [1], tasks: [TASK], errors: [{id: e, commands: [x]}]}"),
            "what failed",
        ),
        (
            in_loop("{id: s, type: AllowFailure, tasks: [TASK]}"),
            "tasks[0].tasks[0]: a group that may fail cannot be told value by value inside a loop: write `allowFailure",
        ),
        (
            in_loop("{id: o, type: Sequential, tasks: [{id: s, type: Parallel, allowFailure: true, tasks: [TASK]}]}"),
            "tasks[0].tasks[0].tasks[0]: a group that may fail",
        ),
        (in_loop("{id: s, type: WorkingDirectory, tasks: [TASK]}"), "a WorkingDirectory cannot be inside a loop: put"),
    ],
)
def test_problems_of_groups(task: str, message: str) -> None:
    for name in ("Sequential", "Parallel", "ForEach", "Loop", "Dag", "If", "AllowFailure", "WorkingDirectory"):
        task = task.replace(f"type: {name}", f"type: io.kestra.plugin.core.flow.{name}")
    assert message in "\n".join(problems(f"tasks: [{task}]"))


def test_what_follows_a_whole_loop_may_be_its_own() -> None:
    own = "errors: [{id: e, commands: [x]}], finally: [{id: f, commands: [x]}], allowFailure: true"
    loop = "{id: l, type: io.kestra.plugin.core.flow.ForEach, values: [1], tasks: [{id: a, commands: [x]}], OWN}"
    assert set(dependencies_of_text(f"tasks: [{loop.replace('OWN', own)}]")) == {"a", "e", "f"}


def dependencies_of_text(text: str) -> dict[str, tuple[str, ...]]:
    return dict(read_manifest(text, "x.yaml").dependencies)


def limited(limit: int, *tasks: str) -> str:
    listed = "".join(f"      - {{commands: [x], {task}}}\n" for task in tasks)
    group = f"  - id: g\n    type: io.kestra.plugin.core.flow.Parallel\n    concurrent: {limit}\n    tasks:\n{listed}"
    return f"tasks:\n{group}  - {{id: last, commands: [x]}}\n"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (0, {"a": (), "b": (), "c": (), "last": ("a", "b", "c")}),
        (1, {"a": (), "b": ("a",), "c": ("b",), "last": ("c",)}),
        (2, {"a": (), "b": (), "c": ("a",), "last": ("b", "c")}),
        (3, {"a": (), "b": (), "c": (), "last": ("a", "b", "c")}),
    ],
)
def test_with_a_limit_each_branch_waits_for_the_one_so_many_before_it(
    limit: int, expected: dict[str, tuple[str, ...]]
) -> None:
    manifest = read_manifest(limited(limit, "id: a", "id: b", "id: c"), "x.yaml")
    assert manifest.dependencies == expected


def test_depends_on_against_the_order_of_a_limited_group_is_a_located_problem() -> None:
    [problem] = problems(limited(1, "id: a, dependsOn: [b]", "id: b"))
    assert "tasks cannot wait for each other: " in problem
    assert "with `concurrent`, a task of the group also waits for one before it" in problem


@pytest.mark.parametrize(("group", "name"), [("Parallel", "concurrent"), ("ForEach", "concurrencyLimit")])
def test_a_limit_is_not_negative(group: str, name: str) -> None:
    values = "values: [1], " if group == "ForEach" else ""
    properties = f"id: g, type: io.kestra.plugin.core.flow.{group}, {values}{name}: -1"
    [problem] = problems(f"tasks: [{{{properties}, tasks: [{{id: a, commands: [x]}}]}}]")
    assert name in problem


@pytest.mark.parametrize(
    ("properties", "warned"),
    [
        ("values: [1, 2, 3, 4]", False),
        ("values: [1, 2, 3, 4, 5]", True),
        ("values: 5", True),
        ("values: '{{ vars.names }}'", True),
        ("values: 5, concurrencyLimit: 1", False),
        ("values: 5, concurrencyLimit: 0", False),
        ("values: 5, concurrencyLimit: 2", False),
    ],
)
def test_many_values_one_after_the_other_are_a_warning_unless_they_are_meant(properties: str, warned: bool) -> None:
    text = (
        f"tasks: [{{id: g, type: io.kestra.plugin.core.flow.ForEach, {properties}, tasks: [{{id: a, commands: [x]}}]}}]"
    )
    warnings = [str(warning) for warning in read_manifest(text, "x.yaml").warnings]
    assert [("tasks[0].values" in warning and "one after the other" in warning) for warning in warnings] == [
        True
    ] * warned
