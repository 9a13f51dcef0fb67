"""Runs a command that must not outlive the process that started it.

`python -I -S leash.py FD COMMAND…`: FD is the read end of a pipe whose write end only the starting process has. When
that process ends, for whatever reason, the pipe closes, and the whole process group gets SIGTERM and then SIGKILL.
Unlike Linux's parent death signal this also works on macOS and for any program, and it has no race at the start.

The exit code is that of the command, or 128 + n if signal n ended it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

GRACE_SECONDS = 10.0
"""How long a process may take to stop when asked, before it is killed."""


def main(pipe: int, command: list[str]) -> int:
    """Run the command in this process group; returns its exit code."""
    for request in (signal.SIGTERM, signal.SIGINT):
        signal.signal(request, _leave_it_to_the_command)
    process = subprocess.Popen(command)
    alone = threading.Event()
    threading.Thread(target=_stop_group_when_closed, args=(pipe, alone), daemon=True).start()
    code = process.wait()
    if alone.is_set():
        os.killpg(0, signal.SIGKILL)  # no other process is left to end what the command has left behind
    return code if code >= 0 else 128 - code


def _leave_it_to_the_command(_signal: int, _frame: FrameType | None) -> None:
    """A handler instead of SIG_IGN, because the command would inherit SIG_IGN."""


def _stop_group_when_closed(pipe: int, alone: threading.Event) -> None:
    os.read(pipe, 1)
    alone.set()
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
