"""The command `batchrun` in a process of its own, one of whose calls goes wrong.

A call that is made repeatedly, as one that waits for an end, is one call.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport

from batchrun.__main__ import VERBS, main

KILLED = 137
SECONDS = 120
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__, *(f"batchrun.cli.{verb}" for verb in VERBS)])


class Fault(Enum):
    """What goes wrong with a call."""

    KILLED_BEFORE = "it is killed right before the call"
    KILLED_AFTER = "it is killed right after the call"
    REFUSED = "the service refuses"
    ANSWER_LOST = "the call is carried out, but its answer is lost"


@dataclass(frozen=True)
class Told:
    """How a command ended, what it said, and its calls."""

    code: int
    text: str
    calls: tuple[str, ...]


def batchrun(stack: Path, folder: Path, *arguments: str, fault: Fault | None = None, at: int = 0) -> Told:
    """Run a command with the stack of a description, in a folder; the call with the number `at` goes wrong."""
    with TemporaryDirectory() as kept:
        child = _PROCESSES.Process(target=_command, args=(stack, folder, arguments, Path(kept), fault, at))
        child.start()
        child.join(SECONDS)
        if child.exitcode is None:
            child.kill()
            raise AssertionError(f"batchrun {' '.join(arguments)} does not end")
        calls = Path(kept, "calls").read_text().splitlines() if Path(kept, "calls").exists() else []
        return Told(child.exitcode, Path(kept, "said").read_text(), tuple(map(json.loads, calls)))


def _command(stack: Path, folder: Path, arguments: tuple[str, ...], kept: Path, fault: Fault | None, at: int) -> None:
    os.environ["BATCHRUN_STACK"] = str(stack)
    os.chdir(folder)
    said = os.open(kept / "said", os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    _intercept(kept / "calls", fault, at)
    sys.argv = ["batchrun", *arguments]
    main()


def _intercept(noted: Path, fault: Fault | None, at: int) -> None:
    send, known, lock = RequestsTransport.send, set[str](), threading.Lock()

    def sent(self, request, **options):
        call = _name(request)
        with lock:
            is_new = call not in known
            known.add(call)
            goes_wrong = fault if is_new and len(known) == at else None
            if is_new:
                with noted.open("a") as calls:
                    calls.write(f"{json.dumps(call)}\n")
        if goes_wrong is Fault.KILLED_BEFORE:
            os._exit(KILLED)
        if goes_wrong is Fault.REFUSED:
            request.headers["Authorization"] = "SharedKey nobody:AAAA"
        answer = send(self, request, **options)
        if goes_wrong is Fault.KILLED_AFTER:
            os._exit(KILLED)
        if goes_wrong is Fault.ANSWER_LOST:
            raise ServiceResponseError("the connection broke before the answer came")
        return answer

    RequestsTransport.send = sent


def _name(request) -> str:
    """A call by its method, path and kind."""
    url = urlsplit(request.url)
    query = parse_qs(url.query)
    kind = [*query.get("comp", []), *query.get("blockid", []), *query.get("prefix", [])]
    return f"{request.method} {url.path} {' '.join(kind)} {request.headers.get('x-ms-range', '')}".strip()
