"""Patterns of files on storage and nodes: what the author means is brought, what is left out is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.conftest import World

pytestmark = pytest.mark.sampled

MAKE = (
    "mkdir -p d/.e results/s .hidden; echo 1 > a.csv; echo 2 > b.json; echo 3 > c.txt; echo 4 > .env; "
    "echo 5 > d/x.csv; echo 6 > d/.e/.y.csv; echo 7 > results/s/z.txt; echo 8 > results/.r; echo 9 > .hidden/h.txt"
)
ALL = {"a.csv", "b.json", "c.txt", ".env", "d/x.csv", "d/.e/.y.csv", "results/s/z.txt", "results/.r", ".hidden/h.txt"}


def recorded(world: World, text: str) -> dict[str, Any]:
    run = world.accept(text=text)
    world.finish()
    return world.record(run)


def files_of(record: dict[str, Any], task: int = 0) -> set[str]:
    return set(record["tasks"][task]["outputs"]["outputFiles"])


def text_of(world: World, run: str, name: str) -> str:
    results = world._storage.get_container_client(world.settings.containers.results)
    return results.download_blob(f"m/{run}/{name}").readall().decode()


def warnings_of(record: dict[str, Any]) -> list[str]:
    return [warning["message"] for warning in record["warnings"]]


@pytest.mark.parametrize(
    ("entries", "files"),
    [
        (["*.{csv,json}"], {"a.csv", "b.json"}),
        (["glob:*.json", "[!abc]*"], {"b.json", ".env"}),
        (["**/*.csv"], {"a.csv", "d/x.csv", "d/.e/.y.csv"}),
        (["**"], ALL),
        (["results"], {"results/s/z.txt", "results/.r"}),
        (["results/", "a.csv", "*.csv"], {"results/s/z.txt", "results/.r", "a.csv"}),
        (["d/**", "{.hidden,results/s}/*"], {"d/x.csv", "d/.e/.y.csv", ".hidden/h.txt", "results/s/z.txt"}),
    ],
)
def test_output_files(world: World, entries: list[str], files: set[str]) -> None:
    record = recorded(world, f"id: t\ncommands: ['{MAKE}']\noutputFiles: {json.dumps(entries)}")
    assert (record["state"], files_of(record), warnings_of(record)) == ("SUCCESS", files, [])


def test_everything_is_everything_but_the_apps_own_files(world: World) -> None:
    """Dot-files too; neither the script's file, nor files of earlier tasks, nor what programs leave in their home."""
    text = (
        "tasks:\n- {id: a, commands: ['echo hi > a.txt'], outputFiles: [a.txt]}\n"
        "- id: b\n  type: io.kestra.plugin.scripts.perl.Script\n  outputDirectory: true\n"
        "  taskRunner: {type: io.kestra.plugin.ee.azure.runner.Batch, syncWorkingDirectory: true}\n"
        "  outputFiles: ['.*', '**']\n  beforeCommands: ['test -e ._b.pl']\n"
        "  script: |\n    system(q(set -e; cat {{ outputs.a.outputFiles['a.txt'] }} > c.txt; echo > .d;"
        " mkdir ~/.cache {{ outputDir }}/.e; echo > ~/.cache/x;"
        " echo > {{ outputDir }}/.e/.f; echo > {{ outputDir }}/g)) and die;"
    )
    record = recorded(world, text)
    assert record["state"] == "SUCCESS", json.dumps(record)
    assert files_of(record, 1) == {"c.txt", ".d", ".e/.f", "g", "output/.e/.f", "output/g"}


def test_names_that_cannot_be_kept_are_told_and_the_others_are_kept(world: World) -> None:
    commands = r"printf 1 > 'a\\b'; printf 2 > $(printf 'c\\td'); printf 3 > 'e[1]'"
    text = f"id: t\ncommands: [\"{commands}\"]\noutputFiles: ['*']"
    record = recorded(world, text)
    assert (record["state"], record["tasks"][0]["state"], files_of(record)) == ("WARNING", "WARNING", {"e[1]"})
    assert sorted(warnings_of(record)) == [
        f"the output file {name!r} is left out: its name cannot be a name in the results" for name in ("a\\b", "c\td")
    ]


@pytest.mark.parametrize(
    "asked", ["outputFiles: ['**']", "outputFiles: [made]", "outputFiles: [made/]", "outputDirectory: true"]
)
def test_no_name_with_a_backslash_is_taken_for_a_folder(world: World, asked: str) -> None:
    """Neither of a file, nor of a dot-file or a folder."""
    commands = [r"mkdir made; cd made; mkdir 'a\b' c; echo > 'a\b/f'; echo > 'c\d'; echo > '.e\f'; echo > c/h"]
    if "Directory" in asked:
        commands = [commands[0].replace("mkdir made; cd made", 'cd "$OUTPUT_DIR"')]
    record = recorded(world, f"id: t\ncommands: {json.dumps(commands)}\n{asked}")
    folder = "" if "Directory" in asked else "made/"
    assert (record["state"], files_of(record)) == ("WARNING", {f"{folder}c/h"})
    told = "\n".join(warnings_of(record))
    assert all(repr(name)[1:-1] in told for name in (r"a\b/f", r"c\d", r".e\f")), told


def test_a_glob_brings_the_input_files_that_it_matches(world: World) -> None:
    """As Kestra's does (`FilesService.outputFiles`, which takes all that is in the working directory)."""
    record = recorded(world, "id: t\ninputFiles: {in.csv: x}\ncommands: [cp in.csv out.csv]\noutputFiles: ['*.csv']")
    assert files_of(record) == {"in.csv", "out.csv"}


@pytest.mark.parametrize("entry", ["nothing.txt", "nothing/"])
def test_what_is_named_and_was_not_made_is_a_warning(world: World, entry: str) -> None:
    record = recorded(world, f"id: t\ncommands: [echo]\noutputFiles: [{entry}, '*.{{a,b}}']")
    assert (record["state"], warnings_of(record)) == ("WARNING", [f"the output file {entry!r} was not made"])


def test_a_file_that_any_pattern_of_an_entry_brought_can_be_used(world: World) -> None:
    """By its name in the next task, in a folder with all files, and as an item."""
    text = (
        f"tasks:\n- {{id: a, commands: ['{MAKE}'], outputFiles: ['*.{{csv,json}}', results, '.*']}}\n"
        "- id: b\n  commands: [\"cat {{ outputs.a.outputFiles['b.json'] }} "
        "{{ outputs.a.outputFiles['results/s/z.txt'] }} {{ outputs.a.outputFiles['.env'] }}\"]\n"
        "- {id: c, foreach: {files: {task: a, glob: '*.{json,csv}'}}, commands: ['echo {{ item }} > .f.x'],"
        " outputFiles: ['*.x']}\n"
        "- {id: e, commands: ['cat {{ outputs.c }}/*/.f.x']}"
    )
    run = world.accept(text=text)
    world.finish()
    record = world.record(run)
    assert record["state"] == "SUCCESS", json.dumps(record)
    assert text_of(world, run, "logs/b/stdout.txt") == "2\n7\n4\n"
    assert text_of(world, run, "logs/e/stdout.txt") == "a.csv\nb.json\n"


def test_namespace_files_that_are_kept_out_do_not_reach_the_container(world: World) -> None:
    for name in ("main.py", "lib/x.py", "key.pem", "lib/secrets/a.txt", "data/.env"):
        world.put("namespaces", f"n.s/{name}", name)
    text = (
        "id: t\nnamespace: n.s\ncommands: ['find . -type f | grep -v /._ | sort']\n"
        "namespaceFiles:\n  include: ['*.{py,pem,txt}', 'no*.txt', .env]\n"
        "  exclude: ['*.{pem,key}', secrets, 'glob:**/.env']"
    )
    run = world.accept(text=text)
    world.finish()
    record = world.record(run)
    assert text_of(world, run, "logs/t/stdout.txt") == "./lib/x.py\n./main.py\n"
    assert record["state"] == "SUCCESS"
    assert warnings_of(record) == ["no file of the namespace matches 'no*.txt'"]
    assert record["warnings"][0]["path"] == "namespaceFiles.include[1]"


@pytest.mark.parametrize(
    ("foreach", "warning"),
    [
        ("{namespaceFiles: '*.{x,y}'}", "no file of the namespace matches '*.{x,y}': there are no items"),
        (
            "{files: {task: a, glob: 'glob:*.{x,y}'}}",
            "no file of the task 'a' matches 'glob:*.{x,y}': there are no items",
        ),
    ],
)
def test_a_fan_out_over_files_without_any_is_a_warning(world: World, foreach: str, warning: str) -> None:
    text = f"namespace: n.s\ntasks:\n- {{id: a, commands: [echo]}}\n- {{id: b, foreach: {foreach}, commands: [echo]}}"
    record = recorded(world, text)
    assert (record["state"], record["tasks"][1]["items"]["count"]) == ("SUCCESS", 0)
    assert warnings_of(record) == [warning]
