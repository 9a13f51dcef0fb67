"""A child process of the stack: its process group, its log, and how it ends."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.errors import LocalError
from local.stack import leash
from local.stack.options import REPOSITORY

STOP_SECONDS = leash.GRACE_SECONDS + 5  # a Functions host waits for its invocations as long as a leash does
READY_SECONDS = 60
READY_POLL_SECONDS = 0.03
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Program:
    """What a child runs: its name in messages, and the URL that answers once it is ready."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    ready_url: str


class Child:
    """A running program: the leader of its own session and process group."""

    def __init__(self, program: Program) -> None:
        self.program = program
        leash_end, our_end = os.pipe()
        self._pipe = our_end
        with program.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, str(leash_end), *program.command],
                cwd=REPOSITORY,
                env=program.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(leash_end,),
            )
        os.close(leash_end)

    @property
    def pid(self) -> int:
        """The id of the process, its process group and its session."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask the whole process group to end, wait a bounded time, and kill the rest."""
        self._signal_group(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{self.program.name} did not stop within {STOP_SECONDS:.0f} s and is killed.", file=sys.stderr)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the whole process group, as if the machine failed."""
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def wait_ready(self) -> None:
        """Wait until the program answers. Raises LocalError if it ends before, or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(self.program.ready_url):
            self.raise_if_ended()
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{self.program.name} did not answer within {READY_SECONDS} s: see {self.program.log}."
                )
            time.sleep(READY_POLL_SECONDS)

    def raise_if_ended(self) -> None:
        """Raise LocalError, with the end of the log, if the program has ended by itself."""
        code = self.exit_code()
        if code is not None:
            name = self.program.name
            raise LocalError(
                f"{name} has ended with exit code {code}. The end of {self.program.log}:\n{self._log_tail()}"
            )

    def _signal_group(self, signal_number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, signal_number)
        except ProcessLookupError:
            return  # no process is left in the group

    def _log_tail(self) -> str:
        lines = self.program.log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])


def _answers(url: str) -> bool:
    """Whether the URL answers, and not with a server error."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
