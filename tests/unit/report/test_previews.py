"""Which files a report shows, and as what."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents.states import State
from shared.documents.task_result import ItemRecord, OutputFile, Outputs, TaskRecord
from shared.masking import Masker
from shared.outputs.fan_outs import fan_out_record
from shared.report import _preview_texts as texts
from shared.report import previews
from shared.report._preview_texts import Shown, shown_previews
from shared.report.previews import READ_BYTES, FileStart, Kind, Preview, kind_of, previews_to_show
from tests.support.report_samples import COMMANDS_FAILED, EARLIER, ran, record


def outputs(folder: str, *paths: str, size: int = 9) -> Outputs:
    return Outputs(
        output_files={path: OutputFile(blob=f"outputs/{folder}/{path}", bytes=size, md5=None) for path in paths}
    )


def task(name: str, *paths: str, size: int = 9, **values: object) -> TaskRecord:
    return TaskRecord(id=name, **ran(0, 1, **values), outputs=outputs(name, *paths, size=size))


def fan_out(name: str, count: int, *paths: str) -> tuple[TaskRecord, list[ItemRecord]]:
    items = [
        ItemRecord(index=index, value=index, **ran(0, 1), outputs=outputs(f"{name}/{index}", *paths))
        for index in range(count)
    ]
    return fan_out_record(name, items), items


def chosen(*tasks: TaskRecord, **items: list[ItemRecord]) -> list[str]:
    return [f"{each.owner}/{each.path}" for each in previews_to_show(record(tasks=tasks), items)]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.png", Kind.PICTURE),
        ("a/b.c/d.JPEG", Kind.PICTURE),
        ("x.Jpg", Kind.PICTURE),
        ("x.svg", Kind.PICTURE),
        ("x.csv", Kind.TABLE),
        ("x.TSV", Kind.TABLE),
        ("x.json", Kind.JSON),
        ("README.md", Kind.TEXT),
        ("a b.txt", Kind.TEXT),
        ("x.log", Kind.TEXT),
        ("x.jsonl", Kind.TEXT),
        *(
            (path, None)
            for path in (
                "x",
                ".png",
                "a/.csv",
                "png",
                "x.",
                "x.png/y",
                "x.png ",
                "x.html",
                "x.gif",
                "x.csv.gz",
                "x.pdf",
            )
        ),
    ],
)
def test_the_ending_of_its_name_says_what_a_file_is(path: str, kind: Kind | None) -> None:
    assert kind_of(path) is kind


def test_files_are_shown_in_the_order_of_the_manifest_also_those_of_what_failed_and_of_what_is_taken_over() -> None:
    each, items = fan_out("each", 2, "i.csv")
    tasks = (
        task("b", "1.png", "model.bin", "2.csv"),
        each,
        task("a", "3.md", state=State.FAILED, failure=COMMANDS_FAILED),
        task("z", "4.json", taken_from=EARLIER),
    )
    assert chosen(*tasks, each=items) == ["b/1.png", "b/2.csv", "each[0]/i.csv", "each[1]/i.csv", "a/3.md", "z/4.json"]


def test_at_most_twenty_and_no_task_takes_the_place_of_others() -> None:
    each, items = fan_out("each", 20, "x.png", "y.png")
    many = task("many", *(f"{n}.png" for n in range(500)))
    found = chosen(each, many, task("few", "a.csv", "b.csv"), each=items)
    assert len(found) == previews.MAX_PREVIEWS
    assert found == [
        *(f"each[{n}]/x.png" for n in range(14)),
        *(f"many/{n}.png" for n in range(4)),
        "few/a.csv",
        "few/b.csv",
    ]
    assert chosen(many) == [f"many/{n}.png" for n in range(20)]


def test_of_a_large_fan_out_no_file_is_shown() -> None:
    for count, number in ((previews.MAX_ITEMS, 20), (previews.MAX_ITEMS + 1, 0)):
        each, items = fan_out("each", count, "x.png")
        assert len(chosen(each, each=items)) == number


def test_what_is_empty_or_too_large_for_a_browser_is_not_shown() -> None:
    """A text may be as long as it likes: only its beginning is read."""
    too_large = previews.MAX_PICTURE_BYTES + 1
    assert chosen(task("a", "x.png", "x.csv", size=0)) == []
    assert chosen(task("a", "x.png", "x.svg", "x.csv", size=too_large)) == ["a/x.csv"]
    assert chosen(task("a", "x.png", size=too_large - 1)) == ["a/x.png"]


def test_what_leads_out_of_the_folder_is_not_shown() -> None:
    names = ("../../other/x.png", "a/../../../x.csv", "./x.png", "a//x.png", "a\\..\\x.png", "x\n.png")
    assert chosen(task("a", *names, "a..b/..x.png")) == ["a/a..b/..x.png"]


def start(path: str, content: bytes | str, total: int | None = None) -> FileStart:
    data = content.encode() if isinstance(content, str) else content
    kind = kind_of(path)
    assert kind
    file = OutputFile(blob=f"outputs/a/{path}", bytes=len(data), md5=None)
    return FileStart(Preview("a", path, kind, file), data[:READ_BYTES], total or len(data))


def shown(path: str, content: bytes | str, *secrets: str, total: int | None = None) -> Shown | None:
    return next(iter(shown_previews([start(path, content, total)], Masker(secrets).mask)), None)


def rows(path: str, content: bytes | str, *secrets: str) -> list[tuple[str, ...]]:
    found = shown(path, content, *secrets)
    assert found
    assert found.table
    return [found.table.head, *found.table.rows]


@pytest.mark.parametrize(
    "content",
    [
        b"a\0b",
        b"caf\xe9 au lait",
        "ü".encode("utf-16"),
        b"\x89PNG\r\n\x1a\n\0",
        b" \n\t\r\n",
        b"",
        b"\xef\xbb\xbf",
        b"x\xe2\x82",
    ],
)
@pytest.mark.parametrize("path", ["x.csv", "x.txt", "x.json"])
def test_what_is_no_text_is_not_shown(path: str, content: bytes) -> None:
    assert shown(path, content) is None


def test_a_character_that_is_cut_where_reading_ended_does_not_make_it_none() -> None:
    found = shown("x.txt", "€" * READ_BYTES)
    assert found
    assert found.text
    assert set(found.text) == {"€", "…"}


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("x.csv", "a,b\n1,2\n", [("a", "b"), ("1", "2")]),
        ("x.csv", "\ufeffa;b,c;d\r\n1;2,5;3\r\n", [("a", "b,c", "d"), ("1", "2,5", "3")]),
        ("x.csv", "a\tb\n1\t2", [("a", "b"), ("1", "2")]),
        ("x.csv", "a\rb\r", [("a",), ("b",)]),
        ("x.csv", '"a;;;;",b\n"say ""hi""","two\nlines"\n', [("a;;;;", "b"), ('say "hi"', "two\nlines")]),
        ("x.tsv", "a,b\tc\n1\t2\n", [("a,b", "c"), ("1", "2")]),
        ("x.csv", "a,b,c\n1\n\n1,2,3,4\n", [("a", "b", "c", ""), ("1", "", "", ""), ("1", "2", "3", "4")]),
        ("x.csv", "=1+1,@SUM(A1)\n", [("=1+1", "@SUM(A1)")]),
        ("x.csv", 'a,"never closed\n1,2\n', [("a", "never closed\n1,2\n")]),
        ("x.csv", "only\n", [("only",)]),
    ],
)
def test_a_table_is_read_as_it_is_written(path: str, content: str, expected: list[tuple[str, ...]]) -> None:
    """The delimiter is the one that stands most often in the first row, outside of quotes."""
    assert rows(path, content) == expected
    found = shown(path, content)
    assert found
    assert found.limit == ""


def test_of_a_long_and_wide_table_the_first_rows_and_columns_are_shown() -> None:
    content = ",".join(map(str, range(1_000))) + "\n" + "\n".join(f"{n},{'x' * 500}" for n in range(100))
    found = shown("x.csv", content)
    assert found
    assert found.table
    assert (len(found.table.head), len(found.table.rows)) == (texts.MAX_COLUMNS, texts.MAX_ROWS)
    assert max(len(cell) for row in found.table.rows for cell in row) == texts.MAX_CELL
    assert found.limit == "the first 50 rows, 30 of 1,000 columns"


def test_the_last_row_that_was_read_is_not_shown_as_its_end_is_missing() -> None:
    found = shown("x.csv", "a,b\n" + f"{'x' * 3_000},1\n" * 40)
    assert found
    assert found.table
    assert len(found.table.rows) == 21
    assert found.limit == "the first 21 rows"
    assert shown("x.csv", "x," * READ_BYTES).table is None, "nothing but a row without its end: it is shown as text"


def test_columns_of_numbers_are_known() -> None:
    found = shown("x.csv", 'name,n,share,mixed,none\na,1,"1.234,5",1,\nb,-2e-3,50 %,x,\n')
    assert found
    assert found.table
    assert found.table.numbers == (False, True, True, False, False)


SECRET = 'pa"ss;word-v4lue'


def test_secrets_are_masked_also_where_a_table_quotes_them_and_where_cells_are_cut() -> None:
    written = SECRET.replace('"', '""')
    content = f'a;b\n{SECRET};1\n"{written}";2\n"{"x" * 75}{written}";3\n'
    whole = json.dumps(rows("x.csv", content, SECRET))
    for part in ("pa\\", "word", "v4lue", "ss;"):
        assert part not in whole, part
    assert whole.count("******") >= 2


@pytest.mark.parametrize("path", ["x.txt", "x.json", "x.md"])
def test_secrets_are_masked_in_texts(path: str) -> None:
    """Also those in colours, which are not shown."""
    assert shown(path, f"a {SECRET} b {SECRET[:6]}\x1b[1m{SECRET[6:]}", SECRET).text == "a ****** b ******"


LONG_SECRET = "s3cr3t-of-forty-characters-0123456789-abc"


@pytest.mark.parametrize("path", ["x.txt", "x.csv", "x.json", "x.tsv", "x.md"])
@pytest.mark.parametrize("before", ["a,b\n", "", '"quoted\n'], ids=repr)
@pytest.mark.parametrize("part", [6, 20, 40])
def test_a_secret_that_is_cut_in_two_where_reading_ended_is_not_shown_in_part(
    path: str, before: str, part: int
) -> None:
    """It begins a line, and the text before it is short enough to be shown."""
    filler = "y" * (READ_BYTES - part - len(before) - 1)
    found = shown(path, f"{before}{filler}\n{LONG_SECRET} and more\n", LONG_SECRET)
    assert found
    assert "yyy" in repr(found)
    assert "s3cr3t" not in repr(found)


def test_nor_is_one_in_a_text_without_lines() -> None:
    """One line of JSON is shown in many, and its characters may have four bytes each."""
    value = f'"{"𝄞" * 60}",'
    content = ("[" + value * 400).encode()[: READ_BYTES - 21].decode(errors="ignore")
    found = shown("x.json", f"{content}{LONG_SECRET} and more", LONG_SECRET)
    assert found
    assert found.text
    assert found.text.count("\n") > 100
    assert "s3cr3t" not in found.text


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    secret = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n-----END KEY-----"
    content = ("x\n" * READ_BYTES)[: READ_BYTES - 30] + secret
    assert "BEGIN" not in repr(shown("x.txt", content, secret))
    assert "MIIE" not in repr(shown("x.csv", f"a\n{secret}\nb\n", secret).table)


def test_of_a_long_text_the_first_lines_and_of_a_long_line_its_beginning_are_shown() -> None:
    found = shown("x.txt", "".join(f"line {n}\n" for n in range(1_000)))
    assert found
    assert found.text
    assert found.text.split("\n")[-1] == f"line {texts.MAX_LINES - 1}"
    assert found.limit == "the beginning"
    found = shown("x.md", "word " * 4_000)
    assert found
    assert found.text
    assert len(found.text) == texts.MAX_LINE
    assert shown("x.txt", "all\nof it\n").limit == ""


def test_colours_of_a_log_are_left_out() -> None:
    assert shown("x.log", "\x1b[31mred\x1b[0m\r\n1%\r2%\n").text == "red\n1%\n2%"


def test_json_in_one_line_gets_lines_and_its_values_stay_as_they_are_written() -> None:
    content = '{"a": 1.10, "b": [1e400, {}, [ ]], "text \\" {[,:": "x, y: {z}", "long": "' + "y" * 200 + '"}'
    assert shown("x.json", content).text.split("\n")[:-2] == [
        "{",
        '  "a": 1.10,',
        '  "b": [',
        "    1e400,",
        "    {},",
        "    [ ]",
        "  ],",
        '  "text \\" {[,:": "x, y: {z}",',
    ]
    assert shown("x.json", '{"a":1}').text == '{"a":1}', "what is short stays"
    assert shown("x.json", "not json at all " * 20).text == ("not json at all " * 20).strip()


def test_deeply_nested_json_makes_a_text_of_bounded_size() -> None:
    for content in ("[" * 100_000, "]" * 100_000, '{"a":' * 20_000, '"' * 100_000, "\\" * 100_000):
        found = shown("x.json", content)
        assert found
        assert found.text
        assert len(found.text) <= texts.MAX_CHARACTERS
    assert shown("x.json", "[" * 200).text.split("\n")[100] == " " * 2 * texts.DEEPEST + "["


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300), st.sampled_from(["x.csv", "x.tsv", "x.json", "x.txt"]))
def test_whatever_a_file_holds_it_is_shown_or_not(content: bytes, missing: int, path: str) -> None:
    found = shown(path, content, total=len(content) + missing)
    assert found is None or found.table or found.text


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=5), min_size=2, max_size=4), min_size=1, max_size=5))
def test_what_python_writes_as_csv_is_read_as_it_was(table: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(table)
    content = out.getvalue()
    if "\0" in content or content.startswith("\ufeff"):
        return
    width = max(map(len, table))
    assert rows("x.csv", content) == [(*row, *[""] * (width - len(row))) for row in table]
