"""Which files of which namespaces a task gets."""

import pytest

from shared.documents.external_data import SourceFile
from shared.errors import ManifestError
from shared.manifest.task import IfExists
from shared.plan.lookups import Selection
from shared.plan.plan_round import plan_round
from shared.plan.round_plan import RoundPlan
from shared.plan.run_manifest import manifest_of

LISTED = {
    "a": [SourceFile(blob=f"a/{path}", etag="1", path=path) for path in ("main.py", "lib/x.py", "lib/data.csv")],
    "b": [SourceFile(blob=f"b/{path}", etag="2", path=path) for path in ("main.py", "other.py")],
}


def paths(*namespaces: str, include=(), exclude=(), if_exists=IfExists.OVERWRITE, folders=False) -> dict[str, str]:
    chosen = Selection(namespaces, include, exclude, if_exists, folders).choose(LISTED)
    return {file.path: file.blob for file in chosen.files}


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ((), (), {"main.py", "lib/x.py", "lib/data.csv"}),
        (("*.py",), (), {"main.py", "lib/x.py"}),
        (("lib/**",), ("*.csv",), {"lib/x.py"}),
        (("lib/*.csv", "main.py"), (), {"lib/data.csv", "main.py"}),
        ((), ("**",), set()),
        (("*.{py,csv}",), ("glob:lib/*.py",), {"main.py", "lib/data.csv"}),
        ((r"regex:.*\.py",), ("/main.*",), {"lib/x.py"}),
        ((), ("lib",), {"main.py"}),
        ((), ("lib/", "[!a-l]*.py"), set()),
    ],
)
def test_include_and_exclude(include, exclude, expected) -> None:
    """Java's patterns; a bare name matches at any depth, and a folder is all of its files."""
    assert set(paths("a", include=include, exclude=exclude)) == expected


@pytest.mark.parametrize(
    ("if_exists", "blob"),
    [(IfExists.OVERWRITE, "b/main.py"), (IfExists.IGNORE, "a/main.py"), (IfExists.WARN, "a/main.py")],
)
def test_of_two_files_with_one_path_if_exists_decides(if_exists: IfExists, blob: str) -> None:
    assert paths("a", "b", if_exists=if_exists)["main.py"] == blob


def test_duplicates_are_reported() -> None:
    selection = Selection(("a", "b"), (), (), IfExists.FAIL, folder_per_namespace=False)
    assert selection.choose(LISTED).duplicates == ("main.py",)


def test_patterns_that_match_nothing_are_told() -> None:
    """An exclude that excludes nothing may hand a file to the container that the author kept out."""
    selection = Selection(("a", "b"), ("*.py", "*.txt"), ("secret*", "*.csv"), IfExists.OVERWRITE, False)
    assert selection.choose(LISTED).unmatched == {("include", 1): "*.txt", ("exclude", 0): "secret*"}


def test_a_folder_for_each_namespace() -> None:
    assert paths("a", "b", include=("main.py",), folders=True) == {"a/main.py": "a/main.py", "b/main.py": "b/main.py"}


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("namespaceFiles: {include: ['*.{py']}", "namespaceFiles.include[0]: '*.{py' has a group without its end"),
        (
            "namespaceFiles: {exclude: [a, 'regex:(?!x)']}",
            "namespaceFiles.exclude[1]: the regular expression",
        ),
        ("foreach: {namespaceFiles: '[a'}", "foreach.namespaceFiles: '[a' has a set of characters without its end"),
        ("foreach: {files: {task: a, glob: '{a,{b}}'}}", "foreach.files.glob: '{a,{b}}' has a group in a group"),
    ],
)
def test_what_is_no_pattern_is_said_before_anything_runs(run_of, settings, properties: str, message: str) -> None:
    run = run_of(f"namespace: n\ntasks:\n- {{id: a, commands: [x]}}\n- id: b\n  commands: [x]\n  {properties}")
    with pytest.raises(ManifestError) as caught:
        plan_round(manifest_of(run), run, settings)
    assert str(caught.value.problems[0]).startswith(f"tasks[1].{message}")


def test_patterns_whose_values_are_not_known_yet_are_read_in_their_round(run_of, settings) -> None:
    """What was listed for a placeholder would be what the task gets later."""
    text = (
        "namespace: n\ntasks:\n- {id: a, commands: [x]}\n"
        "- {id: b, commands: [x], namespaceFiles: {include: ['{{ outputs.a.vars.glob }}']}}"
    )
    assert isinstance(plan_round(manifest_of(run_of(text)), run_of(text), settings), RoundPlan)
