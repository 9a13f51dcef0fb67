"""Output patterns."""

import pytest

from shared.plan.upstream import OutputPattern


@pytest.mark.parametrize(
    ("pattern", "is_literal", "folder"),
    [
        ("a.txt", True, ""),
        ("d/e/a.txt", True, "d/e/"),
        ("d/*.txt", False, "d/"),
        ("**/x", False, ""),
        ("d/x[ab]/y", False, "d/"),
    ],
)
def test_literals_and_folders(pattern: str, is_literal: bool, folder: str) -> None:
    assert (OutputPattern(0, pattern).is_literal, OutputPattern(0, pattern).folder) == (is_literal, folder)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a.txt", "a.txt", True),
        ("a.txt", "b/a.txt", False),
        ("*.txt", "a.txt", True),
        ("*.txt", "d/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "d/e/a.txt", True),
        ("d/**/*", "d/e/f", True),
        ("?.txt", "ab.txt", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("a+(b).txt", "a+(b).txt", True),
        ("*.txt", ".a.txt", False),
        (".[!_]*.txt", ".a.txt", True),
        ("**/*", "d/.a", False),
        ("**/*", ".d/a", False),
        ("[.a]b", ".b", False),
        ("[!a]b", ".b", False),
        ("?b", ".b", False),
        ("x[*]{a,b}", "x*{a,b}", True),
        ("x[*]{a,b}", "x*a", False),
    ],
)
def test_globs(pattern: str, path: str, matches: bool) -> None:
    """As Batch reads them: `*` and `?` stay in a folder, `**` does not; no wildcard matches a leading dot."""
    assert OutputPattern(0, pattern).matches(path) is matches


def test_a_pattern_that_only_looks_for_backslashes_brings_nothing() -> None:
    assert not OutputPattern(0, "**/*[[-^]*", finds_backslashes=True).matches("a[1]")
