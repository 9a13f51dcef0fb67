"""Which major version of Kestra a flow is written for, and the warning where both would read it differently."""

import pytest

from shared.manifest.read import read_manifest

DIFFERENT = "{{ vars.a ?? 'b' | upper }}"


def flow_of(command: str, *, top: str = "", task: str = "", variables: str = "") -> str:
    return f'{top}\nvariables: {{a: x{variables}}}\ntasks:\n- id: t\n  commands: ["{command}"]\n{task}'


@pytest.mark.parametrize(
    ("text", "major"),
    [
        (flow_of("x"), 1),
        (flow_of("x", top="kestra: 2"), 2),
        (flow_of("{{ isWeekend('2026-01-01') }}", top="kestra: 1"), 1),
        (flow_of("{{ isWeekend('2026-01-01') }}"), 2),
        (flow_of("{{ 'a' | regexMatch('b') }}"), 2),
        (flow_of("{% if 'a' | regexMatch('b') %}{% endif %}"), 2),
        (flow_of("{{ 1 }} isWeekend(x) env(y)"), 1),
        (flow_of("x", variables=", b: \"{{ 'a' | regexReplace('b', 'c') }}\""), 2),
        (flow_of("x", task="  env: {when: always, id: a}\n"), 1),
    ],
)
def test_the_major_version_is_told_by_what_a_flow_says_or_uses(text: str, major: int) -> None:
    assert read_manifest(text, "f.yaml").flow.major == major


def test_a_text_with_two_readings_is_warned_of_with_both() -> None:
    (warning,) = read_manifest(flow_of(f"a {DIFFERENT}"), "f.yaml").warnings
    assert warning.message == (
        "this is read as in Kestra 1, as `(vars.a ?? 'b') | upper`; Kestra 2 reads `vars.a ?? ('b' | upper)`:"
        " write the parentheses that are meant, or `kestra: 1` or `kestra: 2` at the top of the flow"
    )
    assert warning.path == "tasks[0].commands[0]"


def test_the_warning_of_a_flow_of_kestra_2_says_so() -> None:
    text = flow_of(DIFFERENT, variables=", b: \"{{ dayOfWeek('2026-01-01') }}\"")
    (warning,) = read_manifest(text, "f.yaml").warnings
    assert "as in Kestra 2, as `vars.a ?? ('b' | upper)`; Kestra 1 reads `(vars.a ?? 'b') | upper`" in str(warning)


@pytest.mark.parametrize("top", ["kestra: 1", "kestra: 2"])
def test_a_flow_that_says_its_version_is_not_warned_of(top: str) -> None:
    assert read_manifest(flow_of(DIFFERENT, top=top), "f.yaml").warnings == ()


@pytest.mark.parametrize("written", ["3", "1.3", "two"])
def test_other_versions_are_refused(written: str) -> None:
    with pytest.raises(Exception, match="kestra"):
        read_manifest(flow_of("x", top=f"kestra: {written}"), "f.yaml")
