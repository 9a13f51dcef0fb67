"""Every mistake of a manifest that can be found without running it is told in one round, each once, where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from shared.errors import ManifestError
from shared.plan.plan_round import plan_round
from shared.plan.run_manifest import checked_manifest

FOR_EACH = "io.kestra.plugin.core.flow.ForEach"
WORKING_DIRECTORY = "io.kestra.plugin.core.flow.WorkingDirectory"
LOOP_UNTIL = "io.kestra.plugin.core.flow.LoopUntil"
PYTHON = "io.kestra.plugin.scripts.python"


@pytest.fixture
def told(run_of, settings) -> Callable[..., list[str]]:
    """What is told of a manifest when it is dropped: `path: message`, in this order."""

    def check(text: str, name: str = "m.yaml") -> list[str]:
        run = run_of(text, name=name)
        try:
            plan_round(checked_manifest(run, settings), run, settings)
        except ManifestError as error:
            places = [(problem.line or 0, problem.column or 0) for problem in error.problems]
            assert places == sorted(places)
            assert all(line and column for line, column in places)
            return [f"{problem.path}: {problem.message}" for problem in error.problems]
        return []

    return check


def begins(found: list[str], *expected: str) -> None:
    """Each of the problems begins with a text, and there are no others."""
    assert [each[: len(text)] for each, text in zip(found, expected, strict=False)] == list(expected)
    assert len(found) == len(expected), found[len(expected) :]


def test_mistakes_of_every_kind_are_told_together(told) -> None:
    text = f"""\
labls: {{a: b}}
variables: {{name: x}}
tasks:
  - id: a b
    commands: ["{{{{ vars.nam }}}}"]
  - id: load
    dependsOn: [nobody]
    timeout: 5
    inputFiles: {{../up: x, ok: "s3://bucket/x", last: "{{{{ 1 | nofilter }}}}"}}
    commands: ["{{{{ nosuch() }}}} {{{{ vars.nam }}}}", "{{{{ (1 }}}}"]
  - id: load
    type: {PYTHON}.Commands
    script: print(1)
  - {{id: one, commands: [x], dependsOn: [two]}}
  - {{id: two, commands: [x], dependsOn: [one]}}
"""
    begins(
        told(text),
        'labls: unknown property; did you mean "labels"?',
        "tasks[0].id: 'a b' does not match",
        "tasks[0].commands[0]: 'nam' does not exist; did you mean \"name\"?",
        "tasks[1].dependsOn[0]: there is no task 'nobody'",
        "tasks[1].timeout: expected an ISO 8601 duration",
        "tasks[1].inputFiles.../up: '../up' is not a relative path",
        "tasks[1].inputFiles.ok: s3:// addresses are not supported",
        "tasks[1].inputFiles.last: there is no filter 'nofilter'",
        "tasks[1].commands[0]: there is no function 'nosuch'",
        "tasks[1].commands[0]: 'nam' does not exist",
        "tasks[1].commands[1]: unexpected '}'",
        "tasks[2].id: task ids must differ",
        "tasks[2].script: a task of a type that ends in `.Commands` has no `script`",
        "tasks[4].dependsOn[0]: tasks cannot wait for each other: one → two → one",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "variables: [1]\ncommands: ['{{ vars.a }} {{ nosuch() }}']",
            ["variables: ", "commands[0]: there is no function"],
        ),
        ("inputs: [{id: i, type: INT, defaults: x}]\ncommands: ['{{ inputs.i }}']", ["inputs[0].defaults: "]),
        ("labels: x\ncommands: ['{{ labels.a }}']", ["labels: "]),
        ("id: a b\ncommands: ['{{ flow.id }}']", ["id: "]),
        ("outputDirectory: maybe\ncommands: ['{{ outputDir }}']", ["outputDirectory: "]),
        ("foreach: true\ncommands: ['{{ item.name }} {{ taskrun.value }}']", ["foreach: "]),
        ("commands: 3\nretry: {maxAttempts: 0}", ["commands: ", "retry.maxAttempts: "]),
        (
            "tasks:\n- {id: a, commands: [x], outputFiles: x}\n- {id: b, commands: ['{{ outputs.a.outputFiles.x }}']}",
            ["tasks[0].outputFiles: "],
        ),
        ("tasks:\n- {id: a b, commands: [x]}\n- {id: c, dependsOn: [a b], commands: ['{{ outputs[\"a b\"].vars }}']}",
         ["tasks[0].id: "]),
        ("tasks:\n- {id: a, commands: [x]}\n- {id: b, dependsOn: [aa], commands: ['{{ outputs.a.vars.x }}']}",
         ["tasks[1].dependsOn[0]: "]),
        ("tasks:\n- {id: a, comands: [x]}\n- {id: b, commands: ['{{ outputs.a.vars.x }}']}", ["tasks[0].comands: "]),
        ("tasks: x", ["tasks: "]),
        ("tasks: [x, {id: b, commands: ['{{ nosuch() }}']}]", ["tasks[0]: ", "tasks[1].commands[0]: "]),
        (
            (
                f"tasks:\n- id: a\n  type: {FOR_EACH}\n  values: [1]\n  tasks:\n"
                "  - {id: b, commands: ['{{ taskrun.value.x }}']}\n  - {id: c, commands: ['{{ nosuch() }}']}"
            ),
            ["tasks[0].tasks[0].commands[0]: 'x' does", "tasks[0].tasks[1].commands[0]: there is no function"],
        ),
        (
            f"tasks:\n- {{id: a, type: {LOOP_UNTIL}, inputFiles: {{}}, tasks: [{{id: b, comands: [x]}}]}}",
            ["tasks[0].type: ", 'tasks[0].tasks[0].comands: unknown property; did you mean "commands"?'],
        ),
        (
            (
                f"tasks:\n- {{id: wd, type: {WORKING_DIRECTORY}, outputFiles: x, tasks: [{{id: a, commands: [x]}}]}}\n"
                "- {id: b, commands: ['{{ outputs.wd.outputFiles.x }}', '{{ nosuch() }}']}"
            ),
            ["tasks[0].outputFiles: ", "tasks[1].commands[1]: there is no function"],
        ),
        (
            (
                f"tasks:\n- {{id: a b, type: {WORKING_DIRECTORY}, tasks: [{{id: a, commands: [x]}}]}}\n"
                "- {id: b, commands: ['{{ outputs[\"a b\"].outputFiles.x }}', '{{ outputs.a.vars.x }}']}"
            ),
            ["tasks[0].id: "],
        ),
        ("commands: [x]\nenv: {A: {{ vars.a }}, B: 1, B: 2}",
         ["env.A: an expression without quotes", "env.A: 'a' does not exist", "env.B: the property 'B' is set twice"]),
        ("timeout: {{ vars.t }}\ncommands: [x]", ["timeout: an expression without quotes is a map in YAML"]),
    ],
)  # fmt: skip
def test_what_follows_from_a_mistake_is_not_told_and_everything_else_is(told, text: str, expected: list[str]) -> None:
    begins(told(text), *expected)


def test_a_missing_property_beside_a_wrong_one_is_told_too(told) -> None:
    """The model is only validated as a whole once its properties are right."""
    begins(told("tasks: [{id: a, timeout: 5}]"), "tasks[0]: a task has either", "tasks[0].timeout: ")


def test_a_mistake_that_an_alias_repeats_is_told_once(told) -> None:
    text = "tasks:\n- {id: a, commands: [x], env: &env {A: '{{ nosuch() }}'}}\n- {id: b, commands: [x], env: *env}\n"
    begins(told(text), "tasks[0].env.A: there is no function 'nosuch'")


def test_the_same_mistake_at_two_places_is_told_at_both(told) -> None:
    begins(
        told(
            "tasks:\n- {id: a, commands: ['{{ outputs.b.vars.x }}', '{{ outputs.b.vars.x }}']}\n"
            "- {id: b, commands: [x]}"
        ),
        "tasks[0].commands[0]: uses the outputs of 'b'",
        "tasks[0].commands[1]: uses the outputs of 'b'",
    )


def test_containers_are_judged_one_by_one(told) -> None:
    """A task that names no container is not blamed for one that names a wrong one."""
    runner = "taskRunner: {blobStorage: {containerName: kestra}}"
    begins(
        told(f"tasks: [{{id: a, commands: [x], {runner}}}, {{id: b, commands: [x]}}]"),
        "tasks[0].taskRunner.blobStorage.containerName: this container cannot be used here",
    )


BEFORE = (
    "tasks:\n- {id: a, commands: [x], outputFiles: ['*.csv', named.txt]}\n- {id: fan, foreach: [p, 2], commands: [x]}\n"
)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("outputs.a.vars.list | jq('map(.x)')", "jq takes paths only"),
        ("nosuch(outputs.a.vars.n)", "there is no function 'nosuch'"),
        ("outputs.a.vars.n is jason", "there is no test 'jason'"),
        ("outputs.a.vars.n ~ vars.missing", "'missing' does not exist"),
        ("outputs.a.vars.n + missing", "'missing' does not exist"),
        ("outputs.a.vars.n ? vars.one : 'x'", "'one' does not exist"),
        ("outputs.a.vars.n ~ secret('NONE')", "there is no secret 'NONE'"),
        ("outputs.a.vars.n | upper(1)", "the filter 'upper' cannot take these values"),
        ("secret('TOKEN', namespace=outputs.a.vars.n)", "the function 'secret' has no argument 'namespace'"),
        ("outputs.a.stdOutLineCount", "'stdOutLineCount' does not exist: count the lines in the commands"),
        ("outputs.a.value", "'value' does not exist: what the task printed is in `vars`"),
        ("outputs.a.vrs.x", "'vrs' does not exist; did you mean \"vars\"?"),
        ("outputs.a.vars.n ~ outputs.a.outputFiles", "what '*.csv' matches is not known yet"),
        ("outputs.a.vars.n ~ outputs.a.outputFiles.none", "'none' does not exist"),
        (
            "outputs.fan.vars",
            "'vars' does not exist: 'fan' runs once for each item; name one, as in `outputs.fan[0].vars`",
        ),
        ("outputs.fan[7].vars.x", "'7' does not exist"),
        ("outputs.fan['q'].vars.x", "'q' does not exist"),
        ("outputs.fan[0].uri", "'uri' does not exist"),
        ("render(outputs.a.vars.n ~ nosuch())", "there is no function 'nosuch'"),
        ("read(outputs.a.vars.n ~ vars.q)", "'q' does not exist"),
    ],
)
def test_what_a_task_can_never_have_is_found_before_anything_runs(told, expression: str, message: str) -> None:
    """Also in a text that needs values of earlier tasks, which are not known yet."""
    found = told(f'{BEFORE}- id: last\n  commands: ["{{{{ outputs.a.vars.first }}}} {{{{ {expression} }}}}"]\n')
    assert [each for each in found if each.startswith(f"tasks[2].commands[0]: {message}")] == found != []


@pytest.mark.parametrize(
    "expression",
    [
        "outputs.a.vars.x.y[0] | upper",
        "outputs.a.vars.x ?? vars.missing ?? 'd'",
        "(outputs.a.vars.ok and vars.missing is defined) ? vars.missing : 'd'",
        "outputs.a.vars.x == 1 ? (vars.missing ?? 1) : 2",
        "outputs.a.outputFiles['named.txt'] ~ outputs.a.exitCode",
        "outputs.a.outputFiles[outputs.a.vars.name]",
        "outputs.a.outputFiles['1.csv']",
        "outputs[outputs.a.vars.name].vars.x",
        "outputs.fan[0].vars.x ~ outputs.fan['p'].value ~ outputs.fan",
        "outputs.fan[outputs.a.vars.index].vars",
        "outputs.a.vars | keys | join(',')",
        "[outputs.a.vars.x, 1] | length",
        "render(outputs.a.vars.template)",
        "outputs.a.vars.date | date('yyyy', timeZone='UTC')",
        "{'a': outputs.a.vars.x}.a",
        "not outputs.a.vars.x and 'a' in outputs.a.vars.list",
    ],
)
def test_what_may_be_there_later_is_accepted(told, expression: str) -> None:
    assert told(f'{BEFORE}- id: last\n  commands: ["{{{{ {expression} }}}} {{{{ outputs.a.vars.x }}}}"]\n') == []


def test_texts_of_tasks_whose_items_are_not_known_are_checked(told) -> None:
    """And of a fan-out that has no items."""
    text = "{{ item.x.y }} {{ taskrun.vale }} {{ nosuch(item) }}"
    later = f"- {{id: e, foreach: '{{{{ outputs.a.vars.l }}}}', commands: ['{text}']}}"
    none = "- {id: none, dependsOn: [], foreach: [], env: {A: '{{ vars.q }}'}, commands: [x]}"
    begins(
        told(f"{BEFORE}{later}\n{none}"),
        "tasks[2].commands[0]: there is no function 'nosuch'",
        "tasks[2].commands[0]: 'vale' does not exist; did you mean \"value\"?",
        "tasks[3].env.A: 'q' does not exist",
    )


@pytest.mark.parametrize(
    "task", ["commands: [{}]", "foreach: [1]\ncommands: [{}]", "foreach: 2\nenv: {{N: {}}}\ncommands: [x]"]
)
def test_the_number_of_the_attempt_is_known_to_the_commands_only_if_there_may_be_several(told, task: str) -> None:
    """Kestra renders a task again for each attempt: K2 core/src/main/java/io/kestra/core/runners/RunVariables.java."""
    text = task.format("'{{ taskrun.attemptsCount }}'")
    assert told(text) == []
    [problem] = told(f"{text}\nretry: {{maxAttempts: 2}}")
    assert "the environment variable ATTEMPT is the number of the attempt, 1 in the first" in problem


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("flow.revision", "flows have no revisions; `execution.id` tells which version of a manifest is run"),
        ("flow.tenantId", "there are no tenants"),
        ("execution.originalId", "use `execution.id`; the record of a retry names the run before it"),
        ("taskrun.startDate", "only the node knows it; use `execution.startDate`, or `date` in the commands"),
        ("taskrun.parentId", "use `taskrun.id`, or the id of the group"),
        ("taskrun.value", "it exists only for a task in a ForEach or with `foreach`"),
        ("taskrun.iteration", "it exists only for a task in a ForEach or with `foreach`"),
    ],
)
def test_what_only_kestra_knows_is_named_with_what_there_is_instead(told, name: str, advice: str) -> None:
    [problem] = told(f"commands: ['{{{{ {name} }}}}']")
    assert f"'{name.partition('.')[2]}' does not exist: {advice}" in problem


@pytest.mark.parametrize("name", ["stdOutLineCount", "stdErrLineCount"])
def test_counts_of_lines_are_refused_before_anything_runs(told, name: str) -> None:
    [problem] = told(f"{BEFORE}- {{id: b, commands: ['{{{{ outputs.a.{name} }}}}']}}")
    assert f"'{name}' does not exist: count the lines in the commands, and print the number" in problem


def test_credentials_that_have_no_effect_are_checked_and_need_no_secret(told) -> None:
    assert told("commands: [x]\ntaskRunner: {accessKey: \"{{ secret('NONE') }}\"}") == []
    begins(
        told("commands: [x]\ntaskRunner: {accessKey: \"{{ secret('NONE') | nofilter }}\"}"),
        "taskRunner.accessKey: there is no filter 'nofilter'",
    )


def test_names_of_files_that_are_not_known_yet_do_not_collide(told) -> None:
    names = "'{{ outputs.a.vars.x }}': a, '{{ outputs.a.vars.y }}': b"
    assert told(f"{BEFORE}- {{id: c, commands: [x], inputFiles: {{{names}}}}}") == []


def test_of_very_many_mistakes_of_all_kinds_the_first_are_told(told) -> None:
    tasks = "".join(f"- {{id: t{n}, timeout: 5, commands: ['{{{{ nosuch() }}}}']}}\n" for n in range(40))
    found = told(f"tasks:\n{tasks}")
    assert len(found) == 51
    assert found[-1] == "None: there are more problems from here on"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputFiles: {x: 'http://a.b/c'}", "inputFiles.x: files are fetched by https:// only; write https://a.b/c"),
        ("inputFiles: {x: 'blob://container'}", "inputFiles.x: 'blob://container' names no file"),
        ("inputFiles: {x: 'blob://container/'}", "inputFiles.x: 'blob://container/' names no file"),
        ("inputFiles: {x: 'nsfile:///'}", "inputFiles.x: 'nsfile:///' names no file"),
        ("inputFiles: {x: 'nsfile:a.csv'}", "inputFiles.x: 'nsfile:a.csv' names no file"),
        ("inputFiles: {x: 'nsfile://../a'}", "inputFiles.x: '..' is not a namespace"),
        ("inputFiles: {x: 'NSFILE://../a'}", "inputFiles.x: '..' is not a namespace"),
        ("inputFiles: {x: 'S3://b/c'}", "inputFiles.x: s3:// addresses are not supported"),
        (
            f"inputFiles: {{{'é' * 128}: x}}",
            f"inputFiles.{'é' * 128}: the name of a file or folder has at most 255 bytes",
        ),
        (
            f"inputFiles: {{{'a/' * 251}b: x}}",
            f"inputFiles.{'a/' * 251}b: the path of a file has at most 500 characters",
        ),
        (f"env: {{A: {'x' * 130_000}}}", "env.A: longer than 120 KiB, the limit for one variable"),
        (f"env: {{A: {'é' * 65_000}}}", "env.A: longer than 120 KiB"),
        (
            "variables: {x: "
            + "x" * 100_000
            + "}\nenv: {"
            + ", ".join(f"A{n}: '{{{{ vars.x }}}}'" for n in range(19))
            + "}",
            "env: together 1855 KiB, but the limit is 1792 KiB",
        ),
    ],
)
def test_what_cannot_be_on_the_node_is_said_where_it_stands(told, text: str, message: str) -> None:
    begins(told(f"commands: [x]\n{text}"), message)


@pytest.mark.parametrize(
    "text", [f"inputFiles: {{{'é' * 127}: x}}", f"env: {{A: {'x' * 120_000}}}", "env: {A: 'http://x'}"]
)
def test_what_is_just_small_enough_is_accepted(told, text: str) -> None:
    assert told(f"commands: [x]\n{text}") == []


@pytest.mark.parametrize("value", ["HTTPS://example.com/x", "https://example.com"])
def test_addresses_are_told_by_their_scheme_in_any_case(told, value: str) -> None:
    assert told(f"commands: [x]\ninputFiles: {{x: '{value}'}}") == []


@pytest.mark.parametrize(
    ("name", "value", "is_warned"),
    [
        ("data.csv", "./data.csv", True),
        ("data.csv", "data.csv", True),
        ("x", "/etc/passwd", True),
        ("x", "~/a", True),
        ("x", "../a/b.txt", True),
        ("x", "C:\\\\data\\\\a.csv", True),
        ("data.csv", "a,b\\n1,2\\n", False),
        ("VERSION", "1.5", False),
        ("x", "a/b", False),
        ("x.txt", "see data.txt", False),
    ],
)
def test_a_text_that_is_nothing_but_a_local_path_is_warned_of(run_of, settings, name, value, is_warned) -> None:
    run = run_of(f'commands: [x]\ninputFiles: {{{name}: "{value}"}}')
    warnings = checked_manifest(run, settings).warnings
    assert [warning.path for warning in warnings] == ([f"inputFiles.{name}"] if is_warned else [])
    assert all("no local file is read" in warning.message for warning in warnings)


def test_top_level_tasks_and_commands_together_are_said(told) -> None:
    begins(
        told("commands: [x]\nscript: y\ntasks: [{id: a, commands: [x]}]"),
        "commands: a manifest has `tasks`, or for one task `commands` at top level; this has both",
        "script: a manifest has `tasks`, or for one task `script` at top level; this has both",
    )


def test_a_property_of_another_thing_is_said_to_be_one(told) -> None:
    begins(
        told("priority: 1\nfailFast: true\ntasks: [{id: a, commands: [x], priority: 3, poolId: p}]"),
        "failFast: unknown property",
        "tasks[0].priority: unknown property here; it is one of the flow",
        "tasks[0].poolId: unknown property here; it is one of `taskRunner`",
    )


def test_a_wrong_type_is_compared_with_types_only(told) -> None:
    """And its other properties are those of the type that was meant."""
    [wrong_type, typo] = told(f"tasks: [{{id: a, type: {PYTHON[:-6]}pyhton.Script, script: x, timout: PT1M}}]")
    assert wrong_type.endswith(f'did you mean "{PYTHON}.Script"?')
    assert typo == 'tasks[0].timout: unknown property; did you mean "timeout"?'
    [nothing_near] = told("tasks: [{id: a, type: io.kestra.plugin.scripts.jq.Commands, commands: [x]}]")
    assert "did you mean" not in nothing_near


@pytest.mark.parametrize("form", ["Commands", "Script"])
def test_commands_are_of_commands_and_a_script_is_of_a_script(told, form: str) -> None:
    """Without a type, a task may have both; so may the default type that nobody wrote."""
    right, wrong = ("commands: [x]", "script: x") if form == "Commands" else ("script: x", "commands: [x]")
    assert told(f"id: t\ntype: {PYTHON}.{form}\n{right}") == []
    other = "Script" if form == "Commands" else "Commands"
    begins(
        told(f"id: t\ntype: {PYTHON}.{form}\n{wrong}"),
        f"{wrong.partition(':')[0]}: a task of a type that ends in `.{form}`",
    )
    assert told(f"id: t\ntype: {PYTHON}.{other}\n{wrong}") == []
    assert told(f"id: t\n{wrong}") == []


def test_the_values_of_a_for_each_with_several_tasks_are_told_once_where_they_stand(told) -> None:
    tasks = "- {id: b, commands: [x]}, {id: c, commands: [y]}"
    begins(
        told(
            f"tasks:\n- id: a\n  type: {FOR_EACH}\n  values: '{{{{ nosuch() }}}}'\n"
            f"  tasks: [{tasks.removeprefix('- ')}]\n"
        ),
        "tasks[0].values: there is no function 'nosuch'",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("comands: [x]", ['comands: unknown property; did you mean "commands"?']),
        ("task: [{id: a, commands: [x]}]", ['task: unknown property; did you mean "tasks"?']),
        ("commands: [x]\npriorty: 3", ['priorty: unknown property; did you mean "priority"?']),
        ("commands: [x]\ninputs: [{name: q, defaults: 1}]", ["inputs[0].name: not supported here"]),
        (f"tasks: [{{id: a, type: {FOR_EACH}, value: [1], tasks: [{{id: b, commands: [x]}}]}}]",
         ['tasks[0].value: unknown property; did you mean "values"?']),
        ("commands: [x]\npluginDefaults: [{typ: x}]",
         ['pluginDefaults[0].typ: unknown property; did you mean "type"?']),
        (f"tasks: [{{id: a, type: {FOR_EACH[:-7]}Paralel, concurrent: 2, tasks: [{{id: b, commands: [x]}}]}}]",
         [f"tasks[0].type: '{FOR_EACH[:-7]}Paralel' is not a known task type"]),
        ((f"tasks:\n- {{id: e, type: {FOR_EACH[:-7]}Unless, condition: x, then: [{{id: a, commands: [x]}}]}}\n"
          "- {id: c, dependsOn: [a], commands: ['{{ outputs.a.vars.x }}']}"), ["tasks[0].type: "]),
        ("priority: " + "9" * 5_000 + "\ntimeout: " + "9" * 5_000 + "\ncommands: [x]",
         ["priority: a number of 5,000 characters", "timeout: a number of 5,000 characters"]),
        ("commands: !!x y", ["commands: tags are not supported"]),
        ("tasks: [{<<: x, id: c}]", ["tasks[0].<<: `<<` merges a map"]),
        ("commands:\n- key: {{ flow.id }}", ["commands[0]: expected text, found a map; if it is text, put it"]),
        ("commands: [x]\noutputFiles: ['{{ nosuch() }}']\ninputFiles: {'{{ nosuch() }}': a}",
         ["outputFiles[0]: there is no function", "inputFiles.{{ nosuch() }}: there is no function"]),
        (("variables: [1]\ninputs: [{id: a, type: x}, {id: b, defaults: '{{ vars.x }} {{ inputs.z }} {{ nosuch() }}'}]"
          "\ncommands: [x]"), ["variables: ", "inputs[0].type: ", "inputs[1].defaults: there is no function 'nosuch'"]),
        ("variables: {t: '{{ render(vars.t) }}'}\ncommands: ['{{ render(vars.t) }}']",
         ["commands[0]: texts that render() renders call it themselves, 16 deep"]),
        ("commands: [x]\ntaskRunner: {accessKey: '{{ secret(NAME) }}'}",
         ["taskRunner.accessKey: 'NAME' does not exist"]),
        ("commands: ['{{ \"x\" | date }}']", ["commands[0]: 'x' is not a date of ISO 8601"]),
    ],
)  # fmt: skip
def test_each_mistake_is_told_once_with_its_cause(told, text: str, expected: list[str]) -> None:
    found = told(text)
    begins(found, *expected)
    assert not any("0-stand-in" in each or "no loops" in each for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "accessKey: !!int hunter2", "accessKey: {hunter2: {{ x }}}", "accessKey: [hunter2]", "accessKey: hunter2: x",
        "accessKey:\n    hunter2: x: y", 'accessKey: "hunter2\\q"', "accessKey: 'hunter2' x", "accessKey: *hunter2",
        "accessKey: {{ hunter2 }} x", "accessKey: @hunter2", "accessKey:\n   - [hunter2",
        "registry: {password: hunter2}",
    ],
)  # fmt: skip
def test_no_message_repeats_a_credential(told, text: str) -> None:
    found = told(f"commands: [x]\ntaskRunner:\n  {text}\n")
    assert len(found) == 1
    assert "hunter2" not in found[0]


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("docker ps --format '{{.Names}}'", ["{{.Names}}"]),
        ("docker inspect -f '{{json .State}}' x", ["{{json .State}}"]),
        ("x '{{range .Networks}}{{.IP}},{{end}}'", ["{{range .Networks}}{{.IP}},{{end}}"]),
        ("x {{.A}}\n{{ flow.id }} {{ .B }}", ["{{.A}}", "{{ .B }}"]),
        ("echo ${#x} ${x} ${#list[@]}", ["${#x}", "${#list[@]}"]),
    ],
)
def test_what_is_written_for_other_languages_is_told_as_a_whole(told, command: str, kept: list[str]) -> None:
    """And nothing else is said of it, so that the advice is all that is needed."""
    found = told(json.dumps({"commands": [f"{command} {{{{ nosuch }}}}"]}), name="m.json")
    assert [re.findall("write `(.*)`", each) for each in found[:-1]] == [
        [f"{{% raw %}}{each}{{% endraw %}}"] for each in kept
    ]
    assert found[-1] == "commands[0]: 'nosuch' does not exist"
    for each in kept:
        command = command.replace(each, f"{{% raw %}}{each}{{% endraw %}}")
    assert told(json.dumps({"commands": [command], "id": "f"}), name="m.json") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("{% raw %}{{.x}}", "{% raw %} has no end"), ("a{% endraw %}", "{% endraw %} has no beginning"),
     ("{# x", "{# begins a comment, which has no end"),
     ("{% macro x() %}{% endmacro %}", "there are if, for, set and raw")],
)  # fmt: skip
def test_a_tag_without_its_other_half_is_named(told, text: str, message: str) -> None:
    [found] = told(json.dumps({"commands": [text]}), name="m.json")
    assert message in found


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ("{id: i, type: INT}", "inputs[0].defaults: the input 'i' has no value"),
        ('{id: i, type: INT, defaults: "{{ 1.5 }}"}', "inputs[0].defaults: expected a whole number"),
        ('{id: i, type: INT, max: 1, defaults: "{{ 1 + 1 }}"}', "inputs[0].defaults: must be at most 1"),
        ('{id: i, type: INT, defaults: "{{ nothing }}"}', "inputs[0].defaults: 'nothing' does not exist"),
        ("{id: i, type: INT, max: 1, defaults: 2}", "inputs[0].defaults: must be at most 1"),
    ],
)
def test_nothing_is_told_of_texts_that_use_an_input_without_a_value(told, declared: str, problem: str) -> None:
    text = f"""\
inputs:
  - {declared}
  - {{id: j, type: INT, defaults: "{{{{ inputs.i + 1 }}}}"}}
tasks:
  - {{id: t, foreach: "{{{{ inputs.i }}}}", commands: ["{{{{ inputs.i * 2 }}}} {{{{ inputs.j | number }}}}"]}}
  - {{id: u, commands: ["{{{{ item }}}}"], inputFiles: {{a: "{{{{ read(inputs.i) }}}}"}}}}
"""
    begins(told(text), problem, "tasks[1].commands[0]: 'item' does not exist")


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ("{id: n, type: INT}", "inputs[0].defaults: the input 'n' has no value"),
        ("{id: n, type: INT, defaults: '{{ vars.x }}'}", "inputs[0].defaults: 'x' does not exist"),
        ("{id: n, type: INT, defaults: '{{ flow.id }}'}", "inputs[0].defaults: expected a whole number"),
        ("{id: n, defaults: a}, {id: n.m, defaults: b}", "inputs[1].id: the input 'n' has a value"),
        ("{id: n.m, defaults: b}, {id: n, defaults: a}", "inputs[0].id: the input 'n' has a value"),
    ],
)
def test_of_an_input_without_a_known_value_only_the_value_is_unknown(told, inputs: str, problem: str) -> None:
    """Which inputs there are is known, and what uses this one is not told of what follows."""
    used = "{{ inputs.n }} {{ inputs.n.m }} {{ inputs.ok + 1 }}"
    text = (
        f"id: f\nnamespace: n\ninputs: [{inputs}, {{id: ok, type: INT, defaults: 1}}]\n"
        f"tasks:\n- id: t\n  commands: ['{used}']\n- id: u\n  commands: ['{{{{ inputs.okk }}}}']\n"
    )
    begins(told(text), problem, "tasks[1].commands[0]: 'okk' does not exist; did you mean \"ok\"?")


def test_inputs_that_cannot_be_read_may_be_any(told) -> None:
    text = "id: f\ninputs: [{id: n, type: nothing}]\ncommands: ['{{ inputs.n }} {{ inputs.other }}']\n"
    begins(told(text), "inputs[0].type: expected 'STRING'")


FLOW = "io.kestra.plugin.core.flow"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ("tasks:\n- {id: g, type: flow.If, condition: x, then: [{id: a, comands: [x]}, {id: b, commands: y}],"
             " else: [{id: c d, commands: [x]}]}\n- {id: l, commands: ['{{ nosuch() }}']}"),
            ['tasks[0].then[0].comands: unknown property; did you mean "commands"?', "tasks[0].then[1].commands: exp",
             "tasks[0].else[0].id: 'c d' does not", "tasks[1].commands[0]: there is no function 'nosuch'"],
        ),
        (
            ("tasks:\n- id: g\n  type: flow.Switch\n  value: one\n  cases:\n"
             "    one: [{id: a, commands: [x], timeot: 1}, {id: b, commands: ['{{ nosuch() }}']}]\n"
             "    tasks: [{id: c, commands: [x], retry: 3}]\n    two: x\n  defaults: {id: d}"),
            ['tasks[0].cases.one[0].timeot: unknown property; did you mean "timeout"?',
             "tasks[0].cases.one[1].commands[0]: there is no function 'nosuch'", "tasks[0].cases.tasks[0].retry: expec",
             "tasks[0].cases.two: expected a list, found 'x'", "tasks[0].defaults: expected a list, found a map"],
        ),
        (
            ("tasks:\n- id: g\n  type: flow.Dag\n  tasks:\n  - {task: {id: a, commands: [x]}, dependOn: [b]}\n"
             "  - {id: c, commands: [x], dependsOn: [a]}\n  - {task: x}\n  - x\n"
             "  - {task: {id: e, commands: ['{{ nosuch() }}']}, dependsOn: [c, nobody]}\n"
             "  - {task: {id: f, commands: ['{{ outputs.c.vars.x ~ outputs.b.vars.x }}']}, dependsOn: [e]}"),
            ['tasks[0].tasks[0].dependOn: unknown property; did you mean "dependsOn"?',
             "tasks[0].tasks[1]: an entry in the `tasks` of a Dag has its task at `task`",
             "tasks[0].tasks[2].task: expected a map (name: value), found 'x'", "tasks[0].tasks[3]: expected a map",
             "tasks[0].tasks[4].task.commands[0]: there is no function", "tasks[0].tasks[4].dependsOn[1]: there is no",
             "tasks[0].tasks[5].task.commands[0]: there is no task 'b'"],
        ),
        (
            ("tasks: [{id: a, commands: [x]}]\nerrors: [{id: e, comands: [x]}, {id: k, commands: ['{{ nosuch() }}']}]\n"
             "finally: {id: f}\nafterExecution:\n- id: g\n  type: flow.Sequential\n"
             "  tasks: [{id: h, commands: ['{{ vars.x }}']}]\n  finaly: [{id: i, commands: [x]}]"),
            ['errors[0].comands: unknown property; did you mean "commands"?', "errors[1].commands[0]: there is no fun",
             "finally: expected a list, found a map", "afterExecution[0].tasks[0].commands[0]: 'x' does not exist",
             'afterExecution[0].finaly: unknown property; did you mean "finally"?'],
        ),
        (
            ("tasks:\n- {id: g, type: flow.If, conditon: x, then: [{id: a, commands: [x]}]}\n"
             "- {id: h, type: flow.Swtch, value: x, cases: {x: [{id: b, commands: ['{{ nosuch() }}']}]}}\n"
             "- {id: i, type: flow.Unless, condition: x, then: [{id: c, commands: ['{{ nosuch() }}']}]}\n"
             "- {id: j, type: flow.If, condition: x, tasks: [{id: d, commands: [x]}]}\n"
             "- {id: k, type: flow.Switch, value: x}\n"
             "- {id: l, commands: ['{{ [outputs.a.vars.x, outputs.b.vars.x, outputs.c.vars.x, outputs.d.vars.x] }}']}"),
            ['tasks[0].conditon: unknown property; did you mean "condition"?', "tasks[1].type: ",
             "tasks[1].cases.x[0].commands[0]: there is no function", "tasks[2].type: ",
             "tasks[2].then[0].commands[0]: there is no function", "tasks[3].then: this property is missing",
             "tasks[3].tasks: unknown property here; it is one of groups such as Sequential",
             "tasks[4]: a Switch has `cases`, `defaults`, or both"],
        ),
        (
            ("tasks:\n- {id: g, commands: [x], errors: [{id: a, commands: [x]}]}\n"
             "- {id: h, commands: [x], then: [{id: b, commands: [x]}]}\n"
             "- {id: i, type: flow.EachParallel, values: [1], tasks: [{id: c, commands: [x]}]}\n"
             "- {id: j, type: flow.LoopUntil, condition: x, tasks: [{id: d, commands: ['{{ nosuch() }}']}]}\n"
             "- {id: l, commands: ['{{ [outputs.a.vars.x, outputs.b.vars.x, outputs.c.vars.x, outputs.d.vars.x] }}']}"),
            ["tasks[0].errors: unknown property here; it is one of groups",
             "tasks[1].then: unknown property here; it is one of If",
             'tasks[2].values: unknown property; did you mean "value"?', "tasks[3].type: ",
             "tasks[3].tasks[0].commands[0]: there is no function"],
        ),
        (
            ("tasks:\n- {id: g, type: flow.EachSequential, value: true, tasks: [{id: a, comands: [x]}]}\n"
             "- {id: h, type: flow.EachParallel, value: [1], tasks: [{id: b, commands: ['{{ no() }}'], foreach: 2}]}"),
            ["tasks[0].value: expected a list, a whole number", "tasks[0].tasks[0].comands: unknown property; did you",
             "tasks[1].tasks: the task 'b' in a loop cannot have", "tasks[1].tasks[0].commands[0]: there is no"],
        ),
        (
            ("tasks:\n- {id: g, type: flow.Pause, timeout: PT1S, retry: {maxAttempts: 2},"
             " errors: [{id: a, commands: ['{{ nosuch() }}']}]}"),
            ["tasks[0].type: ", "tasks[0].errors[0].commands[0]: there is no function"],
        ),
        (
            ("tasks:\n- {id: g, type: flow.If, condition: x, then: [{id: a, commands: [x]}]}\n"
             "- {id: b, commands: ['{{ outputs.g.evaluationResult }}']}"),
            ["tasks[1].commands[0]: uses the outputs of the group 'g', which has none here: use those of its tasks"],
        ),
        (
            ("tasks:\n- {id: g, type: flow.If, condition: x, then: [{id: a, commands: [x]}],"
             " else: [{id: b, commands: ['{{ outputs.a.vars.x }}']}]}"),
            ["tasks[0].else[0].commands[0]: uses the outputs of 'a', which does not run before it"],
        ),
        (
            ("tasks: [{id: a, commands: ['{{ outputs.f.vars.x }}']}]\n"
             "finally: [{id: f, commands: ['{{ outputs.a.vars.x ?? 1 }}']}]"),
            ["tasks[0].commands[0]: uses the outputs of 'f', which does not run before it"],
        ),
    ],
)  # fmt: skip
def test_mistakes_in_what_groups_and_flows_have_beside_tasks_are_told_at_their_place_with_all_others(
    told, text: str, expected: list[str]
) -> None:
    begins(told(text.replace("type: flow.", f"type: {FLOW}.")), *expected)


def test_the_outputs_of_all_values_of_loops_in_each_other_have_no_text(told) -> None:
    each = "type: io.kestra.plugin.core.flow.ForEach, values: [1, 2]"
    inner = f"{{id: inner, {each}, tasks: [{{id: a, commands: [x]}}]}}"
    last = "{id: last, commands: ['echo {{ outputs.a }}']}"
    begins(
        told(f"tasks: [{{id: outer, {each}, tasks: [{inner}]}}, {last}]"), "tasks[1].commands[0]: name a value of 'a'"
    )
