"""Whatever is dropped: it is planned, or refused with located problems; never anything else."""

import json

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from shared.errors import ManifestError
from shared.outside import Needs
from shared.plan import manifest_of, plan_round
from shared.planned import RoundPlan
from shared.run import ManifestBlob, Progress, Run, RunBody
from shared.settings import Settings
from tests.unit.conftest import ENVIRON, MOMENT

SETTINGS = Settings.from_environ(ENVIRON)
TASKS = ["a", "b", "c"]
expressions = st.sampled_from(
    [
        "x",
        "{{ vars.v }}",
        "{{ inputs.i }}",
        "{{ vars.nothing }}",
        "{{ vars.nothing ?? 'd' }}",
        "{{ secret('TOKEN') }}",
        "{{ secret('NO') }}",
        "{{ workingDir }}/{{ item }}",
        "{{ taskrun.value }}",
        "{{ outputDir }}",
        "{{ outputs.a.vars.x }}",
        "{{ outputs.a }}",
        "{{ outputs.b[0].vars }}",
        "{{ outputs['b'].outputFiles['x.txt'] }}",
        "{{ render(vars.r) }}",
        "{{ render(vars) }}",
        "{{ read('x') }}",
        "{{ read(outputs.a.outputFiles['x.txt']) }}",
        "{{ now('yyyy') | number + 1 }}",
        "{{ fromJson(vars.v) }}",
        "{{ [1, 2] }}",
        "{{ {'f': 'x'} }}",
        "{% if vars.v == 'x' %}[1]{% else %}2{% endif %}",
        "{{",
        "../x",
        "nsfile:///x",
        "blob://other/x",
        "https://example.com/x",
        "\x00",
        "*.txt",
        "",
    ]
)
texts = expressions | st.builds("{} {}".format, expressions, expressions) | st.text(max_size=6)
files = st.dictionaries(texts, texts, max_size=2) | texts


@st.composite
def tasks(draw: st.DrawFn, task_id: str, earlier: list[str]) -> dict[str, object]:
    optional = {
        "containerImage": texts,
        "beforeCommands": st.lists(texts, max_size=1),
        "env": st.dictionaries(st.sampled_from(["A", "B", "a-b"]), texts, max_size=2),
        "inputFiles": files,
        "outputFiles": st.lists(texts, max_size=3),
        "outputDirectory": st.booleans(),
        "foreach": st.integers(0, 3) | st.lists(texts | st.integers(), max_size=3) | texts,
        "dependsOn": st.lists(st.sampled_from(earlier), max_size=2, unique=True) if earlier else st.just([]),
        "disabled": st.booleans(),
        "namespaceFiles": st.fixed_dictionaries({}, optional={"include": st.lists(texts, max_size=1)}),
        "taskRunner": st.fixed_dictionaries({}, optional={"poolId": texts, "syncWorkingDirectory": st.booleans()}),
    }
    task = {"id": task_id, "commands": draw(st.lists(texts, min_size=1, max_size=2))}
    return task | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def flows(draw: st.DrawFn) -> dict[str, object]:
    names = TASKS[: draw(st.integers(1, 3))]
    return {
        "id": "f",
        **draw(st.sampled_from([{}, {"namespace": "n"}])),
        "variables": {"v": draw(texts), "r": draw(texts)},
        "inputs": [{"id": "i", "defaults": "{{ vars.v }}"}],
        "tasks": [draw(tasks(name, names[:place])) for place, name in enumerate(names)],
    }


@examples(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_any_flow_is_planned_or_refused_with_located_problems(flow: dict[str, object]) -> None:
    """Twice the same, for two submitters must not disagree."""
    manifest = ManifestBlob(name="f.json", etag="1", sha256="00", text=json.dumps(flow))
    run = Run(RunBody(run_id="f-1", manifest=manifest, dropped=MOMENT, accepted=MOMENT), Progress())
    try:
        plan = plan_round(manifest_of(run), run, SETTINGS)
    except ManifestError as error:
        problems = error.problems
    else:
        assert isinstance(plan, RoundPlan | Needs)
        assert plan_round(manifest_of(run), run, SETTINGS) == plan
        return
    assert problems
    assert [problem for problem in problems if not problem.message or problem.line != 1] == []
