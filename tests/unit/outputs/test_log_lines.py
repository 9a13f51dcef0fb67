"""The lines of a log that are meant for the runner."""

import tracemalloc

import pytest

from shared.outputs.printed import LONGEST_KEPT, lines_beginning

TEXT = "é::{0\n::{1\n\n ::{2\n::{3\r\nx\n::{é\n::{4".encode()
FOUND = [(2, "::{1"), (5, "::{3\r"), (7, "::{é"), (8, "::{4")]


@pytest.mark.parametrize("size", range(1, len(TEXT) + 1))
def test_lines_are_found_with_their_numbers_wherever_the_pieces_end(size: int) -> None:
    pieces = [TEXT[start : start + size] for start in range(0, len(TEXT), size)]
    assert list(lines_beginning("::{", pieces)) == FOUND


def test_what_is_not_utf_8_is_replaced() -> None:
    assert list(lines_beginning("::{", [b"\xff\n::{\xff\n"])) == [(2, "::{\ufffd")]


@pytest.mark.parametrize("line", [b"\0", b"y\n"])
def test_neither_a_line_without_end_nor_millions_of_lines_are_kept(line: bytes) -> None:
    """What a node prints must not fill the memory of the process that records all runs."""
    piece = line * (1024 * 1024 // len(line))
    tracemalloc.start()
    found = list(lines_beginning("::{", [piece] * 64 + [b"\n::{last"]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [text for _, text in found] == ["::{last"]
    assert peak < 6 * LONGEST_KEPT


def test_a_line_that_is_too_long_stays_so() -> None:
    """It is told to be lost, rather than read without its middle."""
    (found,) = lines_beginning("::{", [b"::{", *[b"x" * 1024 * 1024] * 9, b"}::\n"])
    assert found[0] == 1
    assert len(found[1]) > LONGEST_KEPT
