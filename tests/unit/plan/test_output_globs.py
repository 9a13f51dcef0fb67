"""The globs of `outputFiles` bring with Batch's patterns what they match in Java."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.batch.node.globs import FilePattern
from shared.documents.names import is_own
from shared.errors import ManifestError
from shared.patterns import globs_of, regex_of
from shared.plan._output_globs import output_glob
from shared.plan.plan_round import plan_round, submitted_round
from shared.plan.run_manifest import manifest_of
from shared.regexes import engine

FILES = [
    *("a.csv", "b.json", "c.txt", ".csv", ".a.csv", ".env", "x.env", "._task.py", "._upstream/a/f.csv", "a*", "{a}"),
    *("x", "d/a.csv", "d/.a.csv", "d/.csv", "d/e/a.csv", ".d/a.csv", ".d/.a.csv", "d/.e/f/a.csv", ".d/x/.e/.a.csv"),
    *("axb", "ax/b", "ax/y/zb", "ax/.zb", "ax/c/d", "-", "^", "results/a.csv", "results/.b", "results/s/.t/c", "dd/.x"),
    *("profile", ".profile", "results/s/d.txt", "b", "ab", "a-b", "..x.csv", ".b", ".xb"),
]
GLOBS = [
    *("*", "**", "*.csv", "*.{csv,json}", "**/*.csv", "**.csv", "d/**", "d/*", "*/*.csv", "**/e/*.csv", "a**b", "a**"),
    *("?", "?env", "[.a]*", "[!a]*", "[^a]", "[-a]", "[!^-]", ".*", ".*.csv", "*profile", "*.env", "*/*/*.csv", ".d/*"),
    *("{d,.d}/*.csv", "{d/**,*.txt}", r"a\*", r"\{a\}", "**/.*", "**/*", "*d/*", "?/a.csv", "??", "ax**/b", "**b"),
    *(
        "*.*",
        "*?b",
        "*[.x]b",
        "[!a]?*",
        "[!_]*?*",
        "{.*,*}[!a]b",
        "{*,.*}*.csv",
        "**{*,.*}",
        "{d,*}**",
        "?.csv",
        "*.*/**",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("wd")
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).touch()
    return made


def brought(entry: str, folder: Path) -> set[str]:
    files = [file for text in output_glob(entry).patterns for file in FilePattern.parse(text, folder).files()]
    return {file.relative_to(folder).as_posix() for file in files}


@pytest.mark.parametrize("glob", GLOBS)
def test_batch_brings_what_java_matches(glob: str, folder: Path) -> None:
    """Dot-files and what is in dot-folders included, on a node that is as strict as Batch may be; but no own files."""
    expression = engine("|".join(map(regex_of, globs_of(glob))), glob)
    assert brought(glob, folder) == {name for name in FILES if expression.fullmatch(name) and not is_own(name)}


def test_of_the_folders_on_a_path_at_most_two_begin_with_a_dot(tmp_path: Path) -> None:
    """More patterns for what nobody has would cost everybody."""
    (tmp_path / ".a/.b/.c").mkdir(parents=True)
    for name in (".a/.b/f", ".a/.b/.c/f"):
        (tmp_path / name).touch()
    assert brought("**", tmp_path) == {".a/.b/f"}


@pytest.mark.parametrize("entry", ["results", "results/"])
def test_a_folder_brings_its_files(entry: str, folder: Path) -> None:
    assert brought(entry, folder) == {"results/a.csv", "results/.b", "results/s/d.txt", "results/s/.t/c"}


@pytest.mark.parametrize(("entry", "is_whole"), [("d.v2", False), ("d.v2/", True), (".d", True), ("a.b/d", True)])
def test_a_folder_whose_name_could_be_that_of_a_file_needs_a_slash(tmp_path: Path, entry: str, is_whole: bool) -> None:
    """For all of its files. Many entries name a file; twice as many patterns for each would be in vain."""
    folder = entry.rstrip("/")
    (tmp_path / folder / ".cache").mkdir(parents=True)
    for name in ("a", ".b", ".cache/c"):
        (tmp_path / folder / name).touch()
    found = {f"{folder}/a", f"{folder}/.b"}
    assert brought(entry, tmp_path) == (found | {f"{folder}/.cache/c"} if is_whole else found)


@pytest.fixture
def problem(run_of, settings):
    def find(*entries: str) -> str:
        run = run_of(f"commands: [x]\noutputFiles: {list(entries)}")
        with pytest.raises(ManifestError) as caught:
            plan_round(manifest_of(run), run, settings)
        [found] = caught.value.problems
        return str(found)

    return find


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (".", "'.' is the working directory itself; for all of its files, write `**`"),
        ("./", "'./' is the working directory itself; for all of its files, write `**`"),
        (r"regex:.*\.json", "Azure Batch, which brings the files, has no regular expressions; use a glob"),
        ("{a,{b,c}}", "a group in a group"),
        ("*.{csv", "a group without its end"),
        ("[a/b]", "a slash in a set"),
        ("glob:../*.csv", "'../*.csv' is not a relative path inside the working directory"),
        ("{a,../b}", "is not a relative path inside"),
        ("/tmp/x", "is not a relative path inside"),
        ("a//b", "is not a relative path inside"),
        ("a/../b", "is not a relative path inside"),
        ("$HOME/x", "$ is not allowed, Batch would expand it"),
        ("._upstream/*", "names that begin with ._ are those of the app's own files"),
        ("[^!]", "Azure Batch has no set of the characters ^ !"),
        ("*/" * 40 + "x", "needs more than 500 patterns in Azure Batch"),
        ("x" * 600, "is longer than 500 characters"),
    ],
)
def test_what_batch_cannot_bring_is_refused_by_name(problem, entry: str, message: str) -> None:
    found = problem(entry)
    assert found.startswith("outputFiles[0]: ")
    assert message in found


def test_a_task_has_at_most_64_patterns(problem, run_of, settings) -> None:
    names = [f"f{number}.txt" for number in range(60)]
    assert "outputFiles: it stands for 65 patterns once groups are written out, but the limit is 64" in problem(
        *names, "{a,b,c,d,e}.csv"
    )
    run = run_of(f"commands: [x]\noutputFiles: {[*names, '{a,b,c,d}.csv']}")
    assert plan_round(manifest_of(run), run, settings).tasks


def test_the_first_pattern_of_each_entry_has_the_place_of_the_entry(run_of, settings) -> None:
    """So the files of a round that an earlier version of the app submitted, with one pattern each, are found."""
    text = "commands: [x]\noutputFiles: [a.txt, 'd/*.csv', out/**]\noutputDirectory: true"
    run = run_of(f"{text}\ntaskRunner: {{syncWorkingDirectory: true}}")
    patterns = plan_round(manifest_of(run), run, settings).tasks[0].output_patterns
    assert [pattern.index for pattern in patterns] == list(range(len(patterns)))
    first = [(pattern.pattern, pattern.base) for pattern in patterns[:5]]
    assert first == [("a.txt", ""), ("d/*.csv", ""), ("out/**/*", ""), ("output/**/*", "output/"), ("**/*", "")]


def test_what_is_refused_today_keeps_its_place_in_a_round_that_is_running(run_of, settings) -> None:
    """The files of the other entries would be looked for in the wrong places."""
    run = run_of("commands: [x]\noutputFiles: ['[', a.txt]")
    patterns = submitted_round(manifest_of(run), run, settings).tasks[0].output_patterns
    assert [pattern.pattern for pattern in patterns[:2]] == ["[", "a.txt"]
