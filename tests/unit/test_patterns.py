"""Kestra's patterns of file names are Java's; `fixtures/java_patterns.json` holds what Java does."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from shared.patterns import PatternError, globs_of, matches_namespace_file, matches_output, regex_of
from shared.regexes import RegexError, compiled, engine

JAVA = json.loads((Path(__file__).parents[1] / "fixtures" / "java_patterns.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("glob", JAVA["globs"]["matches"])
def test_a_glob_matches_what_it_matches_in_java(glob: str) -> None:
    expected = JAVA["globs"]["matches"][glob]
    if expected is None:
        with pytest.raises(PatternError):
            globs_of(glob)
        return
    expression = engine("|".join(map(regex_of, globs_of(glob))), glob)
    assert [each for each in JAVA["globs"]["subjects"] if expression.fullmatch(each)] == expected


@pytest.mark.parametrize("regex", JAVA["regexes"]["matches"])
def test_a_regular_expression_matches_what_it_matches_in_java(regex: str) -> None:
    expected = JAVA["regexes"]["matches"][regex]
    if expected is None:
        with pytest.raises(RegexError):
            compiled(regex)
        return
    assert [each for each in JAVA["regexes"]["subjects"] if compiled(regex).fullmatch(each)] == expected


@pytest.mark.parametrize(
    ("regex", "lacking"),
    [
        (r"(a)\1", "back references"),
        (r"(?<n>a)\k<n>", "back references"),
        ("(?=a)", "look-ahead or look-behind"),
        ("(?<!a)", "look-ahead or look-behind"),
        ("(?>a)", "atomic groups"),
        ("a*+", "possessive quantifiers"),
        ("a{2}+", "possessive quantifiers"),
        ("[a[bc]]", "classes within classes"),
        ("[a-z&&[^b]]", "intersections of classes"),
        (r"\R", r"\\R"),
        (r"[\H]", r"\\H"),
        ("(?x) a", "the flag x"),
        (r"\p{InGreek}", r"uses \\p\{InGreek\}"),
        (r"[\P{javaLowerCase}]", r"uses \\P\{javaLowerCase\}"),
        (r"\p{L}\p{L}", "classes are written out"),
        ("(?U)a*", "the flag U"),
        ("a" * 1001, "may have 1000 characters"),
        ("(?:(?:[a-z]{30}){30}){3}", "repetition|too large"),
    ],
)
def test_what_has_no_bounded_time_is_refused_by_name(regex: str, lacking: str) -> None:
    """Some of it means something else to the engine, which would say nothing."""
    with pytest.raises(RegexError, match=lacking):
        compiled(regex)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.py", "main.py", True),
        ("*.py", "lib/x.py", True),
        ("glob:*.py", "main.py", True),
        ("glob:*.py", "lib/x.py", False),
        ("glob:**/*.py", "main.py", True),
        ("glob:/*.py", "main.py", True),
        ("/*.py", "main.py", True),
        ("/*.py", "lib/x.py", False),
        ("data/*.csv", "data/a.csv", True),
        ("data/*.csv", "old/data/a.csv", True),
        ("/data/*.csv", "old/data/a.csv", False),
        ("*/a.csv", "data/a.csv", True),
        ("**/*.{csv,json}", "a.json", True),
        ("*.{csv,json}", "d/a.csv", True),
        ("*", "d/.env", True),
        ("secrets", "secrets/key.pem", True),
        ("secrets/", "secrets/deep/key.pem", True),
        ("secrets/", "secrets", False),
        ("secrets", "secrets2/key.pem", False),
        (r"regex:.*\.py", "lib/x.py", True),
        (r"regex:/lib/.*", "lib/x.py", True),
        (r"regex:lib/.*", "lib/x.py", True),
        (r"regex:x\.py", "lib/x.py", False),
        ("./main.py", "main.py", True),
        ("./main.py", "lib/main.py", False),
    ],
)
def test_where_a_pattern_of_namespace_files_begins(pattern: str, path: str, matches: bool) -> None:
    """As in Kestra: at any depth, unless a slash or `glob:` says otherwise; a name is that of a file or a folder."""
    assert matches_namespace_file(pattern, path) is matches


@pytest.mark.parametrize("path", ["a/b", "a/c/b", "a/c/d/b"])
def test_double_stars_between_slashes_may_be_no_folder(path: str) -> None:
    """As in Azure Batch; Java wants at least one."""
    assert matches_output("a/**/b", path)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{a,{b,c}}", "a group in a group"),
        ("*.{csv,json", "a group without its end"),
        ("[a-c", "a set of characters without its end"),
        ("[a/b]", "a slash in a set"),
        ("[c-a]", "the range c-a, which is empty"),
        ("a\\", "ends in a backslash"),
        ("{a,b}" * 7, "stands for 128 patterns, but the limit is 64"),
        ("{a,b}" * 20_000, "stands for more than 1000000000 patterns, but the limit is 64"),
    ],
)
def test_what_is_no_glob_says_what_is_wrong(pattern: str, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        matches_namespace_file(pattern, "a")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 60 + "b", "a" * 500),
        ("**/" + "*a" * 60 + "b", "a/" * 200),
        ("regex:(a+)+b", "a" * 500),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    """Where an engine tries every way to match, such patterns take longer than anybody waits."""
    started = time.thread_time()
    assert not matches_namespace_file(pattern, path)
    assert time.thread_time() - started < 5


@pytest.mark.parametrize("pattern", ["x" * 500_000, "*a" * 250_000, "a/" * 250_000])
def test_a_pattern_as_long_as_a_manifest_is_read_at_a_cost_by_its_length(pattern: str) -> None:
    assert len(globs_of(pattern)) == 1
