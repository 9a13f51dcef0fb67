"""Judges crates by roc-validator, in its own environment: `roc_validator.py FOLDER …`, each with a crate of its own.

Prints for each crate which of the checks of its profile, and of those that this one extends, it does not pass: a list
of maps of `severity`, `check` and `message`. It works without a network: the contexts of JSON-LD are in tests/fixtures,
from docs/_specification/1.1/context.jsonld of https://github.com/ResearchObject/ro-crate, and workflow-run/context.json
of https://github.com/ResearchObject/ro-terms.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

CRATE_FILE = "ro-crate-metadata.json"
CONTEXTS = Path(__file__).parents[1] / "fixtures" / "crate"
FILES = {
    "https://w3id.org/ro/crate/1.1/context": "ro-crate-1.1.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": "workflow-run.json",
}


class _Contexts(HTTPAdapter):
    """Answers requests for the contexts."""

    def send(self, request: PreparedRequest, *_arguments: object, **_options: object) -> Response:
        content = (CONTEXTS / FILES[request.url or ""]).read_bytes()
        headers = {"Content-Type": "application/ld+json"}
        return self.build_response(
            request, HTTPResponse(io.BytesIO(content), headers=headers, status=200, preload_content=False)
        )


def fill(cache: Path) -> None:
    """Fill the cache of the validator, which it uses alone when it is offline."""
    with CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", _Contexts())
        for address in FILES:
            session.get(address).raise_for_status()


def problems(crate: Path, cache: Path) -> list[dict[str, str]]:
    """What a crate does not pass, of all that is required or recommended."""
    is_of_flow = "https://w3id.org/ro/wfrun/workflow/" in (crate / CRATE_FILE).read_text()
    settings = ValidationSettings(
        rocrate_uri=crate,
        profile_identifier="workflow-run-crate" if is_of_flow else "process-run-crate",
        requirement_severity=Severity.RECOMMENDED,
        offline=True,
        cache_path=cache,
    )
    return [
        {"severity": issue.severity.name, "check": issue.check.identifier, "message": issue.message or ""}
        for issue in validate(settings).get_issues()
    ]


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "cache")
        json.dump([problems(Path(crate), Path(folder) / "cache") for crate in sys.argv[1:]], sys.stdout)
