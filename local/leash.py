"""Runs a command that must not outlive whoever started it.

`python -I -S leash.py FD COMMAND…`: FD is the read end of a pipe whose write end only the starter holds. When the
starter is gone, however it ended, the pipe closes, and the whole process group is told to stop and then killed. Unlike
Linux' parent death signal this also works on macOS, for programs that are not ours, and leaves no moment unguarded.

The exit code is the command's own, 128 + n if signal n ended it.
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
        os.killpg(0, signal.SIGKILL)  # nobody else is there to end what the command has left behind
    return code if code >= 0 else 128 - code


def _leave_it_to_the_command(_signal: int, _frame: FrameType | None) -> None:
    """A handler of ours, not SIG_IGN: what is ignored stays ignored in the command."""


def _stop_group_when_closed(pipe: int, alone: threading.Event) -> None:
    os.read(pipe, 1)
    alone.set()
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
