"""Events from CSV: `name,kind,start,end`, any further field, and other columns as labels."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from prescaler.adapters.events.entries import (
    Entry,
    found_events,
    labelled,
    row_key,
    typed,
)
from prescaler.core.errors import FeedNotUnderstood
from prescaler.core.event_records import FeedRules, FoundEvents

_NEEDED: Final = ("name", "start", "end")
_ALIASES: Final = {"known_at": "known_from"}


def read_table(content: bytes, rules: FeedRules, now: datetime) -> FoundEvents:  # noqa: ARG001 - one signature for all formats
    """Read a CSV file. Times without an offset are on the wall clock of the row's timezone.

    Raises:
        FeedNotUnderstood: no CSV with the columns name, start and end.
        FeedTooLarge: more than 10,000 rows.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedNotUnderstood(f"{rules.name}: is no UTF-8 text (byte {error.start})") from error
    if "\0" in text:
        raise FeedNotUnderstood(f"{rules.name}: is no CSV: it contains a NUL byte")
    try:
        return found_events(_entries(text, rules), rules)
    except csv.Error as error:
        raise FeedNotUnderstood(f"{rules.name}: is no CSV: {error}") from error


def _entries(text: str, rules: FeedRules) -> Iterator[Entry]:
    reader = csv.reader(io.StringIO(text), strict=True)
    head = [name.strip().lower() for name in next(reader, [])]
    columns = [_ALIASES.get(name, name) for name in head]
    missing = [name for name in _NEEDED if name not in columns]
    if missing or len(set(columns)) < len(columns):
        what = f"the column {missing[0]} is missing" if missing else "a column stands twice"
        raise FeedNotUnderstood(
            f"{rules.name}: {what}; an event table begins with name,kind,start,end"
        )
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        place = f"line {reader.line_num}"
        if len(row) != len(columns):
            raise FeedNotUnderstood(
                f"{rules.name}: {place} has {len(row)} columns instead of {len(columns)}"
            )
        cells: dict[str, Any] = {
            name: cell.strip() for name, cell in zip(columns, row, strict=True)
        }
        key = row_key(rules.feed, cells)
        yield place, key, _fields(cells, rules)


def _fields(cells: dict[str, Any], rules: FeedRules) -> dict[str, Any]:
    fields = labelled(typed(cells))
    for name in ("workloads", "exceptions"):
        if isinstance(fields.get(name), str) and fields[name] != "all":
            fields[name] = [part for part in re.split(r"[\s;|,]+", fields[name]) if part]
    fields.setdefault("timezone", rules.zone.key)
    fields.setdefault("workloads", rules.defaults.get("workloads", "all"))
    return fields
