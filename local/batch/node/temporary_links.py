"""Links that tasks leave in the temporary directory.

A container has a temporary directory of its own, which goes with it; tasks that run as processes share this machine's.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

TEMPORARY_DIRECTORY = Path("/tmp")  # noqa: S108 - the one that scripts name, whatever TMPDIR says

log = logging.getLogger(__name__)


def remove_links_into(directory: Path) -> None:
    """Remove the symbolic links directly in the temporary directory that point to a directory or into it.

    Links are read and never followed. One that cannot be removed stays, which is logged.
    """
    spellings = (directory, directory.resolve())
    with os.scandir(TEMPORARY_DIRECTORY) as entries:
        links = [Path(entry) for entry in entries if entry.is_symlink()]
    for link in links:
        try:
            if any(_target(link).is_relative_to(spelling) for spelling in spellings):
                link.unlink()
        except FileNotFoundError:
            continue  # somebody else has removed it
        except OSError as error:
            log.warning("The link %s, which an ended task left, cannot be removed: %s. Remove it by hand.", link, error)


def _target(link: Path) -> Path:
    return Path(os.path.normpath(link.parent / link.readlink()))
