"""What is known of a run → its page. The only module that uses Jinja2 and the templates.

Everything that is printed into the page passes `finalize`: secrets are masked, control characters are escaped, and then
Jinja2 escapes the text for HTML. A text that is shortened or rewritten is masked before that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shared.documents.record import ITEMS_BLOB, Record
from shared.documents.run import Run
from shared.documents.task_result import ItemRecord
from shared.report._advice import notices
from shared.report._chain import followers, started
from shared.report._files import files
from shared.report._gantt import gantt, time_of
from shared.report._item_values import item_tables
from shared.report._overview import events, figures, headline, phases
from shared.report._preview_texts import shown_previews
from shared.report._tasks import tasks
from shared.report._usage import usage_table
from shared.report._values import inputs, labels, outputs, values
from shared.report.earlier import earlier
from shared.report.listing import KeptText, listings
from shared.report.log_ends import LogEnd, LogText, log_text
from shared.report.previews import FileStart
from shared.report.text import (
    clock,
    count,
    day_and_time,
    duration,
    href,
    number,
    plain,
    shortened,
    size,
    visible,
    without_middle,
)

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Report:
    """All that is known of a run when it is recorded.

    `items` are those of its fan-outs, by task. `flow` is that of a manifest that only names its flow. `description` is
    what the flow says of itself. `followers` are the runs that start once this one is recorded.
    """

    record: Record
    items: Mapping[str, Sequence[ItemRecord]] = field(default_factory=dict)
    manifest: KeptText = field(default_factory=KeptText)
    flow: KeptText | None = None
    description: str = ""
    log_ends: Sequence[LogEnd] = ()
    previews: Sequence[FileStart] = ()
    followers: Sequence[Run] = ()

    def html(self, mask: Callable[[str], str]) -> str:
        """The page, self-contained; `mask` replaces the secrets in a text."""
        record, items = self.record, self.items
        logs = [each for end in self.log_ends if (each := log_text(end, mask)).total]
        texts = listings(record, self.manifest.masked(mask), self.flow.masked(mask) if self.flow else None)
        return (
            _environment(mask)
            .get_template("report.html.j2")
            .render(
                record=record,
                title=record.flow.id or PurePosixPath(record.manifest.name).stem,
                description=self.description,
                labels=labels(record),
                headline=headline(record),
                figures=figures(record, items),
                phases=phases(record),
                events=events(record),
                notices=notices(record),
                gantt=gantt(record, items),
                tasks=tasks(record, items),
                usage=usage_table(record),
                logs=logs,
                log_anchors=_anchors(logs),
                earlier=earlier(record, items),
                started=started(record),
                followers=followers(record, self.followers),
                inputs=inputs(record),
                outputs=outputs(record),
                printed=values(record, items),
                item_tables=item_tables(record, items),
                previews=shown_previews(self.previews, mask),
                files=files(record, items),
                texts=texts,
                line_anchors=dict(place for text in texts for place in text.places()),
                items_blob=ITEMS_BLOB if any(task.items and task.items.blob for task in record.tasks) else None,
            )
        )


def _anchors(logs: Sequence[LogText]) -> dict[str, str]:
    """The anchor of the first log of each task; of a fan-out, that of its first item. They hold no text of others."""
    found: dict[str, str] = {}
    for place, log in enumerate(logs, start=1):
        for name in (log.log.owner, log.log.owner.partition("[")[0]):
            found.setdefault(name, f"log-{place}")
    return found


@lru_cache(maxsize=8)
def _environment(mask: Callable[[str], str]) -> Environment:
    """Jinja2 for a function that masks texts, made once: compiling the templates is the slowest part of a record."""

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else visible(mask(str(value)))

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters(mask))
    return environment


def _filters(mask: Callable[[str], str]) -> dict[str, Callable[..., object]]:
    """The filters of the templates. Those that shorten or rewrite a text mask it before."""

    def masked_number(value: float) -> str:
        digits = str(value)
        return number(value) if mask(digits) == digits else mask(digits)

    def prose(value: str) -> Markup:
        """A sentence; text in backticks is code."""
        parts = visible(mask(value)).split("`")
        has_pairs = len(parts) % 2 == 1
        marked = (
            Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
        )
        return Markup().join(marked) if has_pairs else escape("`".join(parts))

    return {
        "number": masked_number,
        "prose": prose,
        "count": count,
        "size": size,
        "duration": duration,
        "clock": clock,
        "day_and_time": day_and_time,
        "plain": lambda value: mask(plain(value)),
        "short": lambda value, length: shortened(mask(plain(value)), length),
        "in_short": lambda value: without_middle(mask(value)),
        "href": lambda blob: href(mask(blob)),
        "time_of": time_of,
    }
