"""What verbs that download have in common: patterns, progress, and what is said at the end or when interrupted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from batchrun.cli._display import downloading
from batchrun.client.downloads import Download, RemoteFile
from batchrun.errors import UsageError
from shared.patterns import PatternError, check
from shared.regexes import RegexError
from shared.report.text import count

MOST_PROBLEMS = 10


def check_patterns(patterns: Sequence[str]) -> None:
    """Raise UsageError for a pattern that is none."""
    for pattern in patterns:
        try:
            check(pattern)
        except (PatternError, RegexError) as error:
            raise UsageError(f"The pattern {error}.") from error


def is_wanted(path: str, patterns: Sequence[str], matches: Callable[[str, str], bool]) -> bool:
    """Whether a file matches one of the patterns, if there are any."""
    return not patterns or any(matches(pattern, path) for pattern in patterns)


def fetched(
    download_to: Callable[[Callable[[int], None]], Download], files: Sequence[RemoteFile], folder: Path, again: str
) -> Download:
    """Download files into a folder, with progress, and say how many are there, and why others are not.

    `again` is the command that goes on after an interruption.
    """
    download: Download | None = None
    try:
        with downloading(Console(highlight=False), files) as progress:
            download = download_to(progress)
            download.fetch(files)
    except BaseException:
        done = download.fetched + download.present if download else 0
        print(f"{done:,} of {count(len(files), 'file')} are in {folder}, all of them whole. To go on: {again}")
        raise
    present = f", {download.present:,} were there already" if download.present else ""
    print(f"{count(download.fetched, 'file')} fetched{present}: {folder}/")
    for problem in download.problems[:MOST_PROBLEMS]:
        print(problem, file=sys.stderr)
    if len(download.problems) > MOST_PROBLEMS:
        print(f"… and {len(download.problems) - MOST_PROBLEMS} more could not be fetched", file=sys.stderr)
    return download
