"""The page that lists runs: its data as JSON, and a script that filters and draws them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from batchrun.cli._text import why_it_waits
from batchrun.client.listing import Entry
from shared import report
from shared.report.text import href, visible

_PAGES = Path(__file__).parent / "pages"
_STYLE_OF_REPORTS = Path(report.__file__).parent / "templates" / "report.css"


def runs_page(entries: Sequence[Entry], nonce: str, *, is_all: bool) -> str:
    """The page as HTML; `nonce` is that of its script, `is_all` whether there are no more runs."""
    data = {"runs": [_row(entry) for entry in entries], "isAll": is_all}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "STYLE": _STYLE_OF_REPORTS.read_text(encoding="utf-8") + (_PAGES / "runs.css").read_text(encoding="utf-8"),
        "SCRIPT": (_PAGES / "runs.js").read_text(encoding="utf-8"),
        "NONCE": nonce,
        # no text of others can end the element, or begin a comment in it: JSON may escape any character
        "DATA": text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"),
    }
    page = (_PAGES / "runs.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        page = page.replace(f"/*{name}*/", part)
    return page


def _row(entry: Entry) -> dict[str, object]:
    flow = entry.flow.id if entry.flow else None
    tasks = f"{entry.tasks.ended}/{entry.tasks.total}" if entry.tasks and entry.tasks.total else ""
    return {
        "id": entry.ref.id,
        "state": entry.state or "DROPPED",
        "flow": visible(flow or ""),
        "manifest": visible(entry.manifest),
        "dropped": entry.ref.dropped.timestamp(),
        "seconds": round(entry.time.total_seconds(), 1),
        "tasks": tasks,
        "note": visible(why_it_waits(entry.status) or entry.note),
        "report": None if entry.is_open else href(f"{entry.ref.folder}/report.html"),
    }
