"""Which of the problems of a manifest are causes, and which only follow from them."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import Problem
from shared.manifest._source import MERGE, Source


def causes(found: Sequence[Problem], source: Source) -> list[Problem]:
    """The problems without those that only follow from a problem with a single value, as `source` has them.

    What is said of a value that cannot be read follows from that; so does what is missing in a map whose `<<` is wrong.
    What is said of an expression without quotes in a map that was to be text follows from the map.
    """
    own = {(each.path, each.line, each.column) for each in source.problems}
    maps = tuple(f"{each.path}." for each in found if each.message.startswith("expected text, found a map"))
    unmerged = {path.removesuffix(f".{MERGE}") for each in source.problems if (path := each.path or "").endswith(MERGE)}

    def follows(problem: Problem) -> bool:
        path = problem.path or ""
        if problem in source.problems:
            return source.is_unquoted(problem) and path.startswith(maps)
        is_of_merged = path in unmerged or (path.rpartition(".")[0] in unmerged and "is missing" in problem.message)
        return source.is_unquoted(problem) or (path, problem.line, problem.column) in own or is_of_merged

    return [problem for problem in found if not follows(problem)]
