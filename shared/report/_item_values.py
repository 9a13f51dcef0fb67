"""Which item of a fan-out printed which value: tables that can be sorted by each of their columns.

The page has no scripts. Each row has its rank in every column, and the style sheet puts the rows into the order of the
column that is chosen; so columns are ranked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.documents.record import Record
from shared.documents.task_result import ItemRecord
from shared.report.text import plain

MAX_ITEMS = 1000
MAX_TABLES = 20
MAX_NAMES = 8
FEW_ITEMS = 24


@dataclass(frozen=True)
class Cell:
    """What an item printed; `rank` is the place of the value among all of column `key`, None if it printed nothing."""

    key: int
    value: Any = None
    rank: int | None = None


@dataclass(frozen=True)
class Column:
    """The values of the items, or what they printed with a name; `key` names its ranks, after 0 for the items' own."""

    key: int
    name: str
    cells: tuple[Cell, ...]
    is_of_numbers: bool


@dataclass(frozen=True)
class ItemTable:
    """The first items of a fan-out with their values; `left_out` and `names_left_out` say how many more there are."""

    task: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]
    left_out: int
    names_left_out: int

    @property
    def has_few_items(self) -> bool:
        """Whether it can be shown opened."""
        return len(self.rows) <= FEW_ITEMS


@dataclass(frozen=True)
class ItemTables:
    """The tables that are shown, with at most MAX_ITEMS rows in all, and how many more there are."""

    shown: tuple[ItemTable, ...]
    left_out: int


def item_tables(record: Record, items: Mapping[str, Sequence[ItemRecord]]) -> ItemTables:
    """A table for each fan-out whose items have printed values, in the order of the manifest."""
    tables: list[ItemTable] = []
    left, left_out = MAX_ITEMS, 0
    for task in record.tasks:
        of_task = items.get(task.id, ())
        if not any(item.outputs.vars for item in of_task):
            continue
        if left and len(tables) < MAX_TABLES:
            tables.append(_table(task.id, of_task, left))
            left -= len(tables[-1].rows)
        else:
            left_out += 1
    return ItemTables(tuple(tables), left_out)


def _table(task: str, items: Sequence[ItemRecord], limit: int) -> ItemTable:
    names = list(dict.fromkeys(name for item in items for name in item.outputs.vars))
    shown = items[:limit]
    columns = [_column(1, "Value", [(item.value,) for item in shown])]
    for key, name in enumerate(names[:MAX_NAMES], start=2):
        printed = [(item.outputs.vars[name],) if name in item.outputs.vars else () for item in shown]
        columns.append(_column(key, name, printed))
    return ItemTable(
        task=task,
        columns=tuple(columns),
        rows=tuple((item.index, tuple(column.cells[place] for column in columns)) for place, item in enumerate(shown)),
        left_out=len(items) - len(shown),
        names_left_out=max(0, len(names) - MAX_NAMES),
    )


def _column(key: int, name: str, values: Sequence[tuple[Any, ...]]) -> Column:
    """A column of values, each of them in a tuple that is empty where there is none."""
    keys = [_sort_key(*value) if value else None for value in values]
    ranks = {sort_key: rank for rank, sort_key in enumerate(sorted({each for each in keys if each}))}
    cells = [Cell(key, value[0], ranks[each]) if each else Cell(key) for value, each in zip(values, keys, strict=True)]
    return Column(key, name, tuple(cells), is_of_numbers=not any(kind for kind, _ in ranks))


def _sort_key(value: object) -> tuple[int, float | str]:
    """Numbers come first, by size; everything else after them, by its text without regard to case."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, value
    return 1, plain(value).casefold()
