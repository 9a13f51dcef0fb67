"""What is planned of a manifest, and what rendering shows to be wrong."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.documents.earlier_run import EarlierRun
from shared.documents.external_data import ExternalData, SourceFile, TextRead
from shared.documents.states import State
from shared.documents.task_result import Outputs, TaskRecord
from shared.errors import ManifestError
from shared.plan.lookups import MissingData
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of


@pytest.fixture
def plan(run_of, settings):
    def build(text: str, **body: object) -> RoundPlan:
        run = run_of(text, **body)
        planned = plan_round(manifest_of(run), run, settings)
        assert isinstance(planned, RoundPlan)
        return planned

    return build


def test_working_dir_is_the_same_path_in_commands_env_and_files(plan) -> None:
    """An absolute path that is known before the task has a node."""
    text = (
        "id: t\ncommands: ['cat {{ workingDir }}/a']\nenv: {D: '{{ workingDir }}'}\ninputFiles: {a: '{{ workingDir }}'}"
    )
    task = plan(text).tasks[0]
    link = "/tmp/env-20261122t121314-3f9a1c2b-t"
    assert (task.commands.text, task.commands.env["D"], task.input_files["a"]) == (f"set -e\ncat {link}/a", link, link)


def test_values_an_expression_may_see(plan) -> None:
    text = (
        "id: f\nnamespace: n.s\nlabels: {l: L}\nvariables: {v: {w: V}}\ninputs: [{id: i, defaults: I}]\n"
        "tasks: [{id: t, commands: ['{{ flow.id }} {{ flow.namespace }} {{ labels.l }} {{ vars.v.w }} {{ inputs.i }} "
        "{{ task.id }} {{ execution.id }} {{ secret(''TOKEN'') }} {{ json(''[7]'')[0] }}']}]"
    )
    expected = "f n.s L V I t env-20261122t121314-3f9a1c2b s3cr3t-t0ken 7"
    assert plan(text).tasks[0].commands.text == f"set -e\n{expected}"


def test_the_value_of_a_task_run_is_text_as_in_kestra(plan) -> None:
    """A list or a map stays one, so that its parts can be named."""
    text = (
        "id: t\nforeach: [a, 2, 0.5, true, null, [1], {k: 3}]\n"
        "commands: [\"{{ taskrun.value }}|{{ taskrun.value == '2' }}|{{ taskrun.value.k ?? '' }}\"]"
    )
    found = [task.commands.text.removeprefix("set -e\n") for task in plan(text).tasks]
    assert found == ["a|false|", "2|true|", "0.5|false|", "true|false|", "|false|", "[1]|false|", '{"k":3}|false|3']


BY_CHANCE = """\
variables: {v: "{{ uuid() }}"}
inputs: [{id: i, defaults: "{{ uuid() }}"}]
tasks:
- {id: a, commands: ["{{ uuid() }} {{ uuid() }}", "{{ uuid() }}", "{{ render(vars.v) }}", "{{ inputs.i }}"]}
- {id: b, foreach: [1, 1], commands: ["{{ uuid() }}", "{{ inputs.i }}"]}
"""


def test_values_by_chance_are_those_of_a_place_and_an_item_and_stay_the_same(plan) -> None:
    """Also in a retry, which takes the seed of the earlier run; another run has others."""
    found = [task.commands.text for task in plan(BY_CHANCE).tasks]
    words = " ".join(found).split()
    ids = [word for word in words if word.count("-") == 4]
    assert (len(ids), len(set(ids))) == (9, 7)  # that of the input is there three times
    assert [task.commands.text for task in plan(BY_CHANCE).tasks] == found
    other = [task.commands.text for task in plan(BY_CHANCE, run_id="other").tasks]
    assert set(ids).isdisjoint(" ".join(other).split())
    first = {"run_id": "env-20261122t121314-3f9a1c2b", "results": "x"}
    for earlier in ({**first, "seed": None}, {"run_id": "second", "results": "y", "seed": first["run_id"]}):
        retried = plan(BY_CHANCE, run_id="other", earlier=EarlierRun(**earlier))
        assert [task.commands.text for task in retried.tasks] == found


@pytest.mark.parametrize(
    ("expression", "asked", "outside", "rendered"),
    [
        ("fileExists('a.txt')", "etags", {"etags": {"namespaces/n.s/a.txt": "1"}}, "true"),
        ("fileExists('a.txt')", "etags", {"etags": {"namespaces/n.s/a.txt": None}}, "false"),
        ("fileExists(path='nsfile://o/a.txt')", "etags", {"etags": {"namespaces/o/a.txt": "1"}}, "true"),
        ("fileSize('a.txt')", "texts", {"texts": {"namespaces/n.s/a.txt": {"text": "é"}}}, "2"),
        ("isFileEmpty('a.txt')", "texts", {"texts": {"namespaces/n.s/a.txt": {"text": ""}}}, "true"),
        ("isFileEmpty('a.txt')", "texts", {"texts": {"namespaces/n.s/a.txt": {"text": " "}}}, "false"),
        ("read(path='a.txt')", "texts", {"texts": {"namespaces/n.s/a.txt": {"text": "t"}}}, "t"),
    ],
)
def test_functions_about_files_ask_for_what_they_need(
    run_of, settings, plan, expression, asked, outside, rendered
) -> None:
    text = f'id: t\nnamespace: n.s\ncommands: ["{{{{ {expression} }}}}"]'
    run = run_of(text)
    missing = plan_round(manifest_of(run), run, settings)
    assert isinstance(missing, MissingData)
    assert list(getattr(missing, asked)) == list(outside[asked])
    assert plan(text, outside=ExternalData(**outside)).tasks[0].commands.text == f"set -e\n{rendered}"


@pytest.mark.parametrize("function", ["fileSize", "isFileEmpty"])
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("'a.txt'", "a.txt cannot be read: there is no such file"),
        ("'blob://other/a.txt'", "ALLOWED_CONTAINERS does not allow it"),
        ("'kestra:///a/b'", "kestra"),
        ("'a.txt', namespace='x'", "nsfile://company.team/names.json"),
    ],
)
def test_files_that_cannot_be_read_are_refused(run_of, settings, function: str, argument: str, message: str) -> None:
    text = f'id: t\nnamespace: n.s\ncommands: ["{{{{ {function}({argument}) }}}}"]'
    gone = ExternalData(texts={"namespaces/n.s/a.txt": TextRead(problem="there is no such file")})
    run = run_of(text, outside=gone)
    with pytest.raises(ManifestError, match=message):
        plan_round(manifest_of(run), run, settings)


def test_a_file_of_an_earlier_task_is_looked_for_when_the_task_has_ended(run_of, settings) -> None:
    text = (
        "tasks:\n- {id: a, commands: [x], outputFiles: [f.txt]}\n"
        "- {id: b, commands: [\"{{ fileSize(outputs.a.outputFiles['f.txt']) }}\"]}"
    )
    run = run_of(text)
    planned = plan_round(manifest_of(run), run, settings)
    assert isinstance(planned, RoundPlan)
    assert [task.name for task in planned.tasks] == ["a"]


def test_tasks_run_in_the_order_of_the_flow(plan) -> None:
    planned = plan("tasks: [{id: a, commands: [x]}, {id: b, commands: [x]}, {id: c, commands: [x]}]")
    assert [(task.id, task.name, task.depends_on) for task in planned.tasks] == [
        ("1", "a", ()),
        ("2", "b", (1,)),
        ("3", "c", (2,)),
    ]
    assert [task.ties.is_depended_on for task in planned.tasks] == [True, True, False]


def test_defaults_come_from_the_settings(plan) -> None:
    planned = plan("commands: [x]")
    assert (planned.pool_id, planned.staging, planned.tasks[0].image.name) == ("pool1", "staging", "ubuntu")
    assert planned.tasks[0].time_limit == timedelta(hours=1)


def test_a_final_double_star_means_every_file_below(plan) -> None:
    patterns = plan("commands: [x]\noutputFiles: [out/**, '**', ./a/**/*.csv]").tasks[0].output_patterns
    assert [pattern.pattern for pattern in patterns[:3]] == ["out/**/*", "**/*", "a/**/*.csv"]


def test_fail_fast_can_be_switched_off(plan) -> None:
    assert plan("commands: [a, b]\nfailFast: false\nbeforeCommands: [z]").tasks[0].commands.text == "z\na\nb"


def test_python_script_becomes_a_hidden_file(plan) -> None:
    """So that no glob in `outputFiles` brings it back; Python's own variables are set."""
    task = plan("id: s\ntype: io.kestra.plugin.scripts.python.Script\nscript: print('{{ task.id }}')").tasks[0]
    assert task.commands.text == "set -e\npython ._s.py"
    assert task.input_files == {"._s.py": "print('s')"}
    assert task.commands.env["PYTHONUNBUFFERED"] == "true"


def test_namespace_files_come_from_the_run_document(plan) -> None:
    """What was listed once is what every later planning uses."""
    file = SourceFile(blob="n/main.py", etag="1", path="main.py")
    planned = plan(
        "id: t\nnamespace: n\ncommands: [x]\nnamespaceFiles: {enabled: true}",
        outside=ExternalData(namespace_files={"t": (file,)}),
    )
    assert planned.tasks[0].source_files == {"main.py": file}


def test_namespace_files_need_a_namespace(run_of, settings) -> None:
    run = run_of("commands: [x]\nnamespaceFiles: {enabled: true}")
    with pytest.raises(ManifestError, match="namespaceFiles: the flow has no `namespace` to take files from at line 2"):
        plan_round(manifest_of(run), run, settings)


def test_namespaces_and_globs_of_namespace_files_are_rendered(run_of, settings) -> None:
    text = (
        "id: t\nnamespace: n.s\nvariables: {v: lib}\ncommands: [x]\n"
        "namespaceFiles: {namespaces: ['{{ flow.namespace }}', other], include: ['{{ vars.v }}/**']}"
    )
    needs = plan_round(manifest_of(run_of(text)), run_of(text), settings)
    assert isinstance(needs, MissingData)
    selection = needs.namespace_files["t"]
    assert (selection.namespaces, selection.include) == (("n.s", "other"), ("lib/**",))


def test_output_directory(plan) -> None:
    """Everything in it comes back, told relative to it."""
    task = plan("id: t\ncommands: ['echo > {{ outputDir }}/a']\noutputDirectory: true").tasks[0]
    assert task.commands.text == "set -e\necho > /tmp/env-20261122t121314-3f9a1c2b-t/output/a"
    first, second, *_ = [(pattern.pattern, pattern.base) for pattern in task.output_patterns]
    assert (first, second) == (("output/**/*", "output/"), ("output/**/.[!_]*", "output/"))


@pytest.mark.parametrize(
    "text",
    [
        "commands: ['{{ outputDir }}']",
        "commands: ['{{ outputDir ~ \"/a\" }}']",
        "beforeCommands: ['{{ outputDir }}']\ncommands: [x]",
        "env: {A: '{{ outputDir }}'}\ncommands: [x]",
        "inputFiles: {a.py: '{{ outputDir }}'}\ncommands: [x]",
        "script: '{{ outputDir }}'",
        "runner: DOCKER\ncommands: [x]",
        "outputDirectory: true\ncommands: [x]",
    ],
)
def test_the_output_directory_comes_back_if_anything_uses_it(plan, text: str) -> None:
    """An old `runner` has it too: CommandsWrapper.getEnableOutputDirectory of Kestra 1.x."""
    [task] = plan(text).tasks
    assert task.commands.has_output_directory
    assert "output/" in {pattern.base for pattern in task.output_patterns}


@pytest.mark.parametrize(
    "text",
    [
        "commands: [x]",
        "commands: ['$outputDir {# outputDir #}']",
        "runner: DOCKER\noutputDirectory: false\ncommands: [x]",
    ],
)
def test_there_is_no_output_directory_unless_it_is_used(plan, text: str) -> None:
    [task] = plan(text).tasks
    assert (task.commands.has_output_directory, task.output_patterns) == (False, ())


def test_an_output_directory_that_is_refused_does_not_exist(plan) -> None:
    with pytest.raises(ManifestError, match="'outputDir' does not exist: .* not with `outputDirectory: false`"):
        plan("commands: ['{{ outputDir }}']\noutputDirectory: false")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "commands: ['{{ secret(''NO'') }}']",
            "commands[0]: there is no secret 'NO'; define it as the app setting SECRET_NO",
        ),
        ("commands: ['{{ vars.x }}']", "commands[0]: 'x' does not exist at line 1, column 12"),
        ("commands: [x]\nenv: {a-b: c}", "env.a-b: not a valid name of an environment variable"),
        (
            "commands: [x]\ninputFiles: {../a: b}",
            "inputFiles.../a: '../a' is not a relative path inside the working directory",
        ),
        ("commands: [x]\ninputFiles: {/a: b}", "not a relative path"),
        ("commands: [x]\ninputFiles: {a: 'nsfile:///b'}", "inputFiles.a: the flow has no `namespace` to take the file"),
        (
            "commands: [x]\ninputFiles: {a: 'kestra:///b'}",
            "inputFiles.a: kestra:// addresses are not supported; use nsf",
        ),
        (
            "commands: [x]\ninputFiles: {a: 'blob://runs/b'}",
            "inputFiles.a: the container 'runs' cannot be read; of the app's own only 'uploads' can, and namespaces by",
        ),
        (
            "commands: [x]\ninputFiles: {a: 'blob://other/b'}",
            "inputFiles.a: the container 'other' cannot be read; ALLOWED",
        ),
        ("commands: [x]\ninputFiles: {a: 'nsfile://n/../b'}", "inputFiles.a: '../b' is not the path of a file"),
        ("commands: [x]\ninputFiles: {'a\\b': b}", "not a relative path"),
        ("commands: [x]\noutputFiles: [a/../../b]", "outputFiles[0]: 'a/../../b' is not a relative path"),
        ("commands: [x]\noutputFiles: [$AZ_BATCH_NODE_ROOT_DIR/x]", "Batch would expand it"),
        ("commands: [x]\ntaskRunner: {account: other}", "taskRunner.account: runs use the app's own account, batch1"),
        (
            "commands: [x]\ntaskRunner: {blobStorage: {containerName: runs}}",
            "this container cannot be used here; name 'staging'",
        ),
        (
            "commands: [x]\ntaskRunner: {blobStorage: {connectionString: \"{{ secret('TOKEN') }}\"}}",
            "own storage account, store1",
        ),
    ],
)
def test_problems_are_located(plan, text: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        plan(text)
    assert message in "\n".join(map(str, caught.value.problems))
    assert "s3cr3t" not in str(caught.value)
    assert all(problem.line for problem in caught.value.problems)


def test_account_found_in_a_manifest_is_not_repeated(plan) -> None:
    with pytest.raises(ManifestError) as caught:
        plan("commands: [x]\ntaskRunner: {account: \"{{ secret('TOKEN') }}\"}")
    assert "s3cr3t" not in str(caught.value)


def test_a_file_of_an_earlier_task_becomes_a_path_and_is_brought_there(plan) -> None:
    """In commands, and as an input file under any name; the node takes it from where the earlier task uploaded it."""
    text = (
        "tasks:\n- {id: a, commands: [x], outputFiles: [x.txt, 'd/*.csv']}\n"
        "- id: b\n  commands: [\"cat {{ outputs.a.outputFiles['d/1.csv'] }}\"]\n"
        "  inputFiles: {mine.txt: \"{{ outputs.a.outputFiles['x.txt'] }}\", other: text}\n"
    )
    _, b = plan(text).tasks
    run = "env-20261122t121314-3f9a1c2b"
    assert b.commands.text == f"set -e\ncat /tmp/{run}-b/._upstream/a/d/1.csv"
    links = {link.name: link.sources for link in b.commands.links}
    of_the_glob = sorted(links["._upstream/a/d/1.csv"])
    assert b.prefixes == [f"{run}/sys/b/", f"{run}/in/b/", f"{run}/out/a/0/", *of_the_glob]
    assert links["mine.txt"] == (f"{run}/out/a/0/{run}/in/a/x.txt", f"{run}/out/a/0/x.txt")
    assert links["._upstream/a/d/1.csv"] == (f"{run}/out/a/1/{run}/in/a/d/1.csv", f"{run}/out/a/1/1.csv")
    assert b.input_files == {"other": "text"}


def test_values_of_an_earlier_task_are_known_in_the_next_round(plan) -> None:
    text = (
        "tasks:\n- {id: a, commands: [x]}\n"
        "- {id: b, commands: ['echo {{ outputs.a.vars.n + 1 }} {{ outputs.a.exitCode }}']}\n"
    )
    assert [task.name for task in plan(text).tasks] == ["a"]
    ended = TaskRecord(id="a", state=State.SUCCESS, exit_code=0, outputs=Outputs(vars={"n": 41}))
    (b,) = plan(text, finished={"a": ended}).tasks
    assert (b.name, b.id, b.depends_on, b.commands.text) == ("b", "1", (), "set -e\necho 42 0")


def test_values_of_an_earlier_task_may_stand_in_a_variable_that_is_rendered(plan) -> None:
    """But a variable that is not asked for makes nobody wait."""
    text = (
        "variables: {x: {y: ['{{ vars.of_a }}']}, of_a: '{{ outputs.a.vars.n }}', other: '{{ outputs.c.vars.n }}'}\n"
        "tasks:\n- {id: a, commands: [x]}\n- {id: b, commands: ['echo {{ render(vars.x.y[0]) }}']}\n"
    )
    assert [task.name for task in plan(text).tasks] == ["a"]
    ended = TaskRecord(id="a", state=State.SUCCESS, exit_code=0, outputs=Outputs(vars={"n": 41}))
    assert plan(text, finished={"a": ended}).tasks[0].commands.text == "set -e\necho 41"


def test_render_evaluates_what_a_task_printed_and_nothing_else_does(plan) -> None:
    """As in Kestra; see SECURITY.md."""
    printed = TaskRecord(id="a", state=State.SUCCESS, exit_code=0, outputs=Outputs(vars={"n": "{{ secret('TOKEN') }}"}))
    for use, result in (("outputs.a.vars.n", "{{ secret('TOKEN') }}"), ("render(outputs.a.vars.n)", "s3cr3t-t0ken")):
        text = f"tasks:\n- {{id: a, commands: [x]}}\n- {{id: b, commands: ['echo {{{{ {use} }}}}']}}\n"
        assert plan(text, finished={"a": printed}).tasks[0].commands.text == f"set -e\necho {result}"


def test_what_is_wrong_with_a_task_of_a_later_round_is_said_at_once(plan) -> None:
    text = "tasks:\n- {id: a, commands: [x]}\n- {id: b, commands: ['{{ outputs.a.vars.n }} ', '{{ nothing }}']}\n"
    with pytest.raises(ManifestError, match=r"tasks\[1\].commands\[1\]: 'nothing' does not exist at line 3"):
        plan(text)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("outputs.c.vars.x", "uses the outputs of 'c', which does not run before it"),
        ("outputs.a.vars.x", "uses the outputs of 'a', which does not run before it"),
        ("render(vars.of_c)", "uses the outputs of 'c', which does not run before it"),
        ("render(vars.leads_to_c)", "uses the outputs of 'c', which does not run before it"),
        ("tasks.c.state", "uses the state of 'c', which does not run before it"),
        ("tasks.last-one.state", "there is no task 'last'; write `tasks['last-one']`"),
        ("outputs.d.vars.x", "there is no task 'd'"),
        ("outputs.frist.vars.x", "there is no task 'frist'; did you mean \"first\"?"),
        ("outputs.last-one.vars.x", "there is no task 'last'; write `outputs['last-one']`"),
    ],
)
def test_only_tasks_that_run_before_can_be_used(plan, expression: str, message: str) -> None:
    others = "".join(f"\n- {{id: {name}, commands: [x]}}" for name in ("c", "first", "last-one"))
    with pytest.raises(ManifestError) as caught:
        plan(
            "variables: {of_c: '{{ outputs.c.vars.x }}', leads_to_c: '{{ vars.of_c }}'}\ntasks:\n"
            f"- {{id: a, commands: [x], env: {{E: '{{{{ {expression} }}}}'}}}}{others}"
        )
    assert str(caught.value) == f"tasks[0].env.E: {message} at line 3, column 35"


def test_a_file_that_no_pattern_brings_back_is_an_error(plan) -> None:
    b = "{id: b, commands: ['{{ outputs.a.outputFiles.y }}']}"
    text = f"tasks:\n- {{id: a, commands: [x], outputFiles: ['*.txt']}}\n- {b}"
    with pytest.raises(ManifestError, match="'y' does not exist"):
        plan(text)


def test_all_files_of_a_task_are_known_only_where_no_glob_brings_them_back(plan) -> None:
    """What a glob matches is known when the task has ended: one error says so."""
    b = "{id: b, commands: [x], inputFiles: '{{ outputs.a.outputFiles }}'}"
    task = plan(f"tasks:\n- {{id: a, commands: [x], outputFiles: [x.txt, d/y.txt]}}\n- {b}").tasks[1]
    assert [link.name for link in task.commands.links[:2]] == ["x.txt", "d/y.txt"]
    with pytest.raises(ManifestError) as caught:
        plan(f"tasks:\n- {{id: a, commands: [x], outputFiles: ['*.txt']}}\n- {b}")
    [problem] = caught.value.problems
    assert problem.message == "what '*.txt' matches is not known yet: name a file, as in `outputFiles['data.csv']`"


def test_tasks_on_different_pools_run_in_different_rounds(plan) -> None:
    planned = plan("tasks: [{id: a, commands: [x]}, {id: b, commands: [x], taskRunner: {poolId: p}}]")
    assert (planned.pool_id, [task.name for task in planned.tasks]) == ("pool1", ["a"])


@pytest.mark.parametrize(
    ("registry", "identity"),
    [
        ("{registryServer: r.io}", "/nodes"),
        ("{registryServer: r.io, identityReference: {resourceId: /own}}", "/own"),
        ("{registryServer: r.io, userName: u, password: \"{{ secret('TOKEN') }}\"}", None),
    ],
)
def test_a_registry_without_credentials_is_reached_by_the_identity_of_the_nodes(
    run_of, settings, registry: str, identity: str | None
) -> None:
    run = run_of(f"commands: [x]\ntaskRunner: {{registry: {registry}}}")
    plan = plan_round(manifest_of(run), run, replace(settings, node_identity="/nodes"))
    assert isinstance(plan, RoundPlan)
    assert plan.tasks[0].image.identity == identity


EACH = "tasks: [{{id: e, type: io.kestra.plugin.core.flow.ForEach, values: {}, tasks: [{{id: t, commands: [x]}}]}}]"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("[a, b, a]", ["a", "b"]),
        ("[1, '1', true, 'true', 1.0]", [1, True, 1.0]),
        ("[{k: 1}, {k: 1}, '{\"k\":1}']", [{"k": 1}]),
        ("'{{ [2, 1, 2] }}'", [2, 1]),
        ("3", [0, 1, 2]),
    ],
)
def test_kestras_for_each_takes_values_once_that_are_the_same_as_text(plan, values: str, expected: list) -> None:
    assert [task.item.value for task in plan(EACH.format(values)).tasks] == expected


@pytest.mark.parametrize("values", ["[a, null]", "'{{ [1, null] | toJson }}'"])
def test_kestras_for_each_takes_no_null(plan, values: str) -> None:
    with pytest.raises(ManifestError, match=r"tasks\[0\].values: a loop takes no null, but value 1 \(counted from 0\)"):
        plan(EACH.format(values))


def test_a_foreach_of_a_task_takes_each_value_as_often_as_it_stands_there(plan) -> None:
    assert [task.item.value for task in plan("id: t\ncommands: [x]\nforeach: [a, null, a]").tasks] == ["a", None, "a"]
