"""Finds the few lines of a log that are meant for the runner. Pure.

A log may have millions of lines, or gigabytes without a line's end; what is not looked for is neither decoded nor kept.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_KEPT = 4 * 1024 * 1024


def lines_beginning(start: str, chunks: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """The lines that begin so, with their numbers from 1; what is not UTF-8 in them is replaced.

    Of a line that is longer than LONGEST_KEPT bytes, something in the middle may be missing; it stays longer than that.
    """
    wanted = b"\n" + start.encode()
    number, rest = 0, b""
    for chunk in itertools.chain(chunks, (b"\n",)):
        text = rest[: LONGEST_KEPT + 1] + chunk
        end = text.rfind(b"\n") + 1
        complete, rest = b"\n" + text[:end], text[end:]
        seen = 0
        while (before := complete.find(wanted, seen)) >= 0:
            number += complete.count(b"\n", seen, before + 1)
            seen = complete.index(b"\n", before + 1)
            yield number, complete[before + 1 : seen].decode(errors="replace")
        number += complete.count(b"\n", seen) - 1
