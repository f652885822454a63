"""What planned events were before they were changed, each form for as long as it was so."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prescaler.core.errors import BadEvent
from prescaler.core.event_book import last_end
from prescaler.core.event_text import from_stored
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import AuditEntry


@dataclass(frozen=True)
class Revision:
    """An event as it was from an instant on, until the next one. since None: it was so before."""

    event: PlannedEvent
    since: datetime | None


def revisions_of(entries: Iterable[AuditEntry]) -> list[Revision]:
    """The forms of one event, from its entries in the audit, oldest first.

    Raises:
        BadEvent: an entry was altered, or written by another release.
    """
    found: list[Revision] = []
    for entry in entries:
        if not found and entry.before is not None:
            found.append(Revision(_read(entry.before, 0), None))
        if entry.after is not None:
            found.append(Revision(_read(entry.after, 1), entry.at))
    return found


def _read(text: str, later: int) -> PlannedEvent:
    """later: by how much a stored revision is higher than the one that the entry wrote down."""
    try:
        plain = json.loads(text)
        return from_stored(plain, int(plain["revision"]) + later)
    except (ValueError, TypeError, KeyError) as error:
        raise BadEvent(f"an entry of the audit holds no event ({error})") from error


def as_known(present: PlannedEvent, revisions: Sequence[Revision]) -> list[PlannedEvent]:
    """All forms of an event, of which at every instant at most one may be used.

    The first one counts from its own `known_from` on, however late it was entered: who fills a
    calendar in says what had been known. Each later one counts from the change on. Of an event that
    was entered when it was over, nobody knew anything before: its present form counts.
    """
    if len(revisions) < 2 or _in_hindsight(revisions[0]):  # noqa: PLR2004 - one form is no history
        return [present]
    forms = [one.event for one in revisions[:-1]] + [present]
    ends = [one.since for one in revisions[1:]] + [None]
    found = []
    for number, (form, end) in enumerate(zip(forms, ends, strict=True)):
        since = revisions[number].since if number else None
        known = max((at for at in (since, form.known_from) if at is not None), default=None)
        if known is None or end is None or known < end:
            found.append(replace(form, known_from=known, known_until=end))
    return found


def _in_hindsight(first: Revision) -> bool:
    over = last_end(first.event)
    return first.since is not None and over is not None and over <= first.since
