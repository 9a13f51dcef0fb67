"""Which files of which namespaces a task gets."""

import pytest

from shared.documents.run import SourceFile
from shared.manifest.task import IfExists
from shared.plan.lookups import Selection

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
    ],
)
def test_include_and_exclude(include, exclude, expected) -> None:
    """A bare name matches at any depth."""
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


def test_a_folder_for_each_namespace() -> None:
    assert paths("a", "b", include=("main.py",), folders=True) == {"a/main.py": "a/main.py", "b/main.py": "b/main.py"}
