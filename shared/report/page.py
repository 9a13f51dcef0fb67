"""What is known of a run → its page. The only module that knows Jinja2 and the templates.

Whatever is printed into the page passes `finalize`: secrets are masked, characters that would be obeyed instead of
shown are escaped, and then Jinja2 escapes it for HTML. What is shortened or rewritten on the way is masked before that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shared.documents.record import ITEMS_BLOB, ItemRecord, Record
from shared.report import _advice as advice
from shared.report import _files as files
from shared.report import _gantt as gantt
from shared.report import _listing as listing
from shared.report import _overview as overview
from shared.report import _tasks as tasks
from shared.report import _values as values
from shared.report import log_ends, text
from shared.report.log_ends import LogEnd, LogText

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Report:
    """All that is known of a run when it is recorded.

    `items` are those of its fan-outs, by task; `manifest` is the text without credentials, None where it is none (not
    UTF-8, or too large), and `dropped_lines` the number of lines that it had with them.
    """

    record: Record
    items: Mapping[str, Sequence[ItemRecord]] = field(default_factory=dict)
    manifest: str | None = None
    dropped_lines: int = 0
    log_ends: Sequence[LogEnd] = ()

    def html(self, mask: Callable[[str], str]) -> str:
        """The page, self-contained; `mask` takes secrets out of a text."""
        record, items = self.record, self.items
        logs = [each for end in self.log_ends if (each := log_ends.shown(end, mask)).total]
        manifest = None if self.manifest is None else mask(self.manifest)
        has_dropped_lines = manifest is None or len(manifest.splitlines()) == self.dropped_lines
        return (
            _environment(mask)
            .get_template("report.html.j2")
            .render(
                record=record,
                title=record.flow.id or PurePosixPath(record.manifest.name).stem,
                headline=overview.headline(record),
                figures=overview.figures(record, items),
                phases=overview.phases(record),
                events=overview.events(record),
                notices=advice.notices(record),
                gantt=gantt.gantt(record, items),
                tasks=tasks.tasks(record, items),
                logs=logs,
                log_anchors=_anchors(logs),
                printed=values.values(record, items),
                files=files.files(record, items),
                listing=None
                if manifest is None
                else listing.listing(manifest, record.errors if has_dropped_lines else ()),
                has_dropped_lines=has_dropped_lines,
                items_blob=ITEMS_BLOB if any(task.items and task.items.blob for task in record.tasks) else None,
            )
        )


def _anchors(logs: Sequence[LogText]) -> dict[str, str]:
    """Where the log of a task begins, of a fan-out that of its first item; the names of the anchors are ours."""
    found: dict[str, str] = {}
    for place, log in enumerate(logs, start=1):
        for name in (log.log.owner, log.log.owner.partition("[")[0]):
            found.setdefault(name, f"log-{place}")
    return found


@lru_cache(maxsize=8)
def _environment(mask: Callable[[str], str]) -> Environment:
    """Made once for the masker of an app: to compile the templates takes longer than all else that a record needs."""

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else text.visible(mask(str(value)))

    def number(value: float) -> str:
        plain = str(value)
        return text.number(value) if mask(plain) == plain else mask(plain)

    def prose(value: str) -> Markup:
        """A sentence; what stands in backticks is code."""
        parts = text.visible(mask(value)).split("`")
        has_pairs = len(parts) % 2 == 1
        marked = (
            Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
        )
        return Markup().join(marked) if has_pairs else escape("`".join(parts))

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        prose=prose,
        count=text.count,
        size=text.size,
        duration=text.duration,
        clock=text.clock,
        day_and_time=text.day_and_time,
        plain=lambda value: mask(text.plain(value)),
        short=lambda value, length: text.shortened(mask(text.plain(value)), length),
        in_short=lambda value: text.without_middle(mask(value)),
        href=lambda blob: text.href(mask(blob)),
        time_of=gantt.time_of,
    )
    return environment
