"""Events from iCalendar (RFC 5545): matches, overrides, cancellations, recurrences."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import icalendar
import recurring_ical_events

from prescaler.adapters.events.entries import Entry, found_events, short_uid, typed
from prescaler.core.errors import FeedNotUnderstood, FeedTooLarge
from prescaler.core.event_records import Complaint, FeedKey, FeedRules, FoundEvents
from prescaler.core.event_text import FIELDS
from prescaler.core.instants import format_instant

_MOST_COMPONENTS: Final = 12_000
_BEGIN: Final = re.compile(rb"^BEGIN:VEVENT\s*$", re.MULTILINE | re.IGNORECASE)
_TIMES: Final = ("DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE")
_NEEDED: Final = (*_TIMES, "DURATION", "RRULE", "SEQUENCE")
_STATES: Final = {"CANCELLED": "cancelled", "TENTATIVE": "draft"}
_PREFIX: Final = "X-PRESCALER-"
_PAST, _AHEAD = timedelta(days=30), timedelta(days=400)
"""How far a recurrence that no single rule can say is written out."""

_MOST_WRITTEN_OUT: Final = 2000
_FAULTS: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)
"""What icalendar raises on entries that are no iCalendar after all."""


def read_ical(content: bytes, rules: FeedRules, now: datetime) -> FoundEvents:
    """Read a calendar.

    Raises:
        FeedNotUnderstood: HTML, cut off, damaged.
        FeedTooLarge: more than 10,000 events.
    """
    begun = _check_form(content, rules)
    try:
        calendars = icalendar.Calendar.from_ical(content, multiple=True)
        parts = [part for calendar in calendars for part in calendar.walk("VEVENT")]
    except _FAULTS as error:
        what = " ".join(str(error).split())[:200]
        raise FeedNotUnderstood(f"{rules.name}: the calendar cannot be read: {what}") from error
    if len(parts) < begun:
        raise FeedNotUnderstood(
            f"{rules.name}: is damaged: {begun} events begin, {len(parts)} can be read"
        )
    reader = _Reader(rules, now)
    found = found_events(reader.entries(parts), rules)
    return FoundEvents(found.events, (*found.complaints, *reader.complaints))


def _check_form(content: bytes, rules: FeedRules) -> int:
    """Cheap, before a parser sees it: a beginning, an end, and no more events than we take."""
    head = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:200]
    if not head.upper().startswith(b"BEGIN:VCALENDAR"):
        kind = (
            "is an HTML page"
            if head.lstrip()[:1] == b"<"
            else "does not begin with BEGIN:VCALENDAR"
        )
        raise FeedNotUnderstood(f"{rules.name}: {kind}, no calendar; is the address right?")
    if not content.rstrip().upper().endswith(b"END:VCALENDAR"):
        raise FeedNotUnderstood(f"{rules.name}: is cut off: END:VCALENDAR is missing")
    count = len(_BEGIN.findall(content))
    if count > _MOST_COMPONENTS:
        raise FeedTooLarge(f"{rules.name}: {count} events; at most 10000 are taken")
    return count


class _Reader:
    """Turns components into entries; what cannot be read is complained about."""

    def __init__(self, rules: FeedRules, now: datetime) -> None:
        self.complaints: list[Complaint] = []
        self._rules = rules
        self._now = now

    def entries(self, parts: Iterable[Any]) -> Iterator[Entry]:
        groups: dict[str, list[Any]] = {}
        for part in parts:
            if self._wanted(part):
                groups.setdefault(_uid(part), []).append(part)
        for uid, group in groups.items():
            key = FeedKey(self._rules.feed, uid)
            try:
                yield from list(self._group(key, group))
            except _FAULTS as error:
                name = _text(group[0].get("SUMMARY"), 60)
                self.complaints.append(Complaint(key, f"{name or uid}: cannot be read: {error}"))

    def _group(self, key: FeedKey, parts: list[Any]) -> Iterator[Entry]:
        """One uid: the event itself, and occurrences that were moved or cancelled."""
        newest: dict[str, Any] = {}
        for part in parts:
            _check_part(part)
        for part in sorted(parts, key=lambda p: int(p.get("SEQUENCE", 0))):
            newest[self._recurrence(part)] = part
        moved = [name for name in newest if name]
        if any(part["RECURRENCE-ID"].params.get("RANGE") for name, part in newest.items() if name):
            raise ValueError("RANGE=THISANDFUTURE is not supported")
        for name, part in newest.items():
            if not name and _is_complicated(part):
                yield from self._written_out(key, part, moved)
                continue
            fields = self._fields(part)
            if not name and moved:
                fields["exceptions"] = [*fields.get("exceptions", []), *moved]
            title = fields.get("name", key.uid)
            yield str(title)[:60], FeedKey(key.feed, key.uid, name), fields

    def _written_out(self, key: FeedKey, part: Any, moved: list[str]) -> Iterator[Entry]:
        """Extra dates and several rules: every occurrence of the next year as its own event."""
        calendar = icalendar.Calendar()
        calendar.add_component(part)
        asked = recurring_ical_events.of(calendar)
        first, last = self._now - _PAST, self._now + _AHEAD
        for number, one in enumerate(asked.between(first, last)):
            if number >= _MOST_WRITTEN_OUT:
                raise ValueError(f"more than {_MOST_WRITTEN_OUT} occurrences in a year")
            name = format_instant(self._instant(one["DTSTART"].dt))
            if name not in moved:
                fields = {**self._fields(part), **self._times(one)}
                for recurring in ("rule", "exceptions"):
                    fields.pop(recurring, None)
                yield str(fields["name"])[:60], FeedKey(key.feed, key.uid, name), fields

    def _fields(self, part: Any) -> dict[str, Any]:
        fields = {
            "name": _text(part.get("SUMMARY"), 200) or _uid(part)[:200],
            "description": _text(part.get("DESCRIPTION"), 4000, "\n\t"),
            "state": _STATES.get(str(part.get("STATUS", "")).upper(), "confirmed"),
            **self._times(part),
        }
        if "RRULE" in part:
            fields["rule"] = part["RRULE"].to_ical().decode()
            fields["exceptions"] = self._exceptions(part)
        categories = _categories(part)
        if categories:
            fields["labels"] = {"categories": ", ".join(categories)[:200]}
        return fields | (self._own(part) if self._rules.obey else {})

    def _times(self, part: Any) -> dict[str, Any]:
        start = part["DTSTART"].dt
        if "DTEND" in part:
            end = part["DTEND"].dt
        elif "DURATION" in part:
            end = start + part["DURATION"].dt
        elif not isinstance(start, datetime):
            end = start + timedelta(days=1)
        elif self._rules.length is not None:
            end = start + self._rules.length
        else:
            raise ValueError("has no end; set `length` for this feed")
        zone = getattr(getattr(start, "tzinfo", None), "key", None)
        return {
            "start": format_instant(self._instant(start)),
            "end": format_instant(self._instant(end)),
            "timezone": zone or self._rules.zone.key,
        }

    def _instant(self, value: date | datetime) -> datetime:
        """Whole days and floating times are on the feed's wall clock."""
        if not isinstance(value, datetime):
            value = datetime.combine(value, time())
        if value.tzinfo is None:
            value = value.replace(tzinfo=self._rules.zone)
        return value.astimezone(UTC)

    def _recurrence(self, part: Any) -> str:
        if "RECURRENCE-ID" not in part:
            return ""
        value = part["RECURRENCE-ID"].dt
        return format_instant(self._instant(value))

    def _exceptions(self, part: Any) -> list[str]:
        found, start = [], part["DTSTART"].dt
        for group in _listed(part.get("EXDATE", [])):
            for one in group.dts:
                value = one.dt
                if not isinstance(value, datetime) and isinstance(start, datetime):
                    value = datetime.combine(value, start.timetz())
                found.append(format_instant(self._instant(value)))
        return found

    def _own(self, part: Any) -> dict[str, Any]:
        """What the calendar itself says of effects: X-PRESCALER-FACTOR:1.5 and the like."""
        found: dict[str, Any] = {}
        for name, value in part.items():
            if not name.upper().startswith(_PREFIX):
                continue
            field = name.upper().removeprefix(_PREFIX).lower().replace("-", "_")
            if field not in FIELDS:
                raise ValueError(f"{name}: no such field")
            text = str(value)
            several = field in ("workloads", "exceptions") and text != "all"
            found[field] = [one.strip() for one in text.split(",")] if several else text
        return typed(found)

    def _wanted(self, part: Any) -> bool:
        words = self._rules.only
        seen = " ".join([str(part.get("SUMMARY", "")), *_categories(part)]).casefold()
        return not words or any(word.casefold() in seen for word in words)


def _check_part(part: Any) -> None:
    """Refuse what the parser let pass: it drops a field that it cannot read, and any zone."""
    for name, why in part.errors:
        if name in _NEEDED:
            raise ValueError(f"{name}: {why}")
    for one in (one for name in _TIMES for one in _listed(part.get(name, []))):
        zone = one.params.get("TZID")
        for value in getattr(one, "dts", [one]):
            if zone is not None and getattr(value.dt, "tzinfo", None) is None:
                raise ValueError(f"TZID={zone} is no known time zone")
    if "RRULE" in part and not part["RRULE"]:
        raise ValueError("RRULE: is empty")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_complicated(part: Any) -> bool:
    return "RDATE" in part or "EXRULE" in part or isinstance(part.get("RRULE"), list)


def _uid(part: Any) -> str:
    uid = str(part.get("UID", "")).strip()
    start = part.get("DTSTART")
    return short_uid(uid or f"{part.get('SUMMARY', '')}\n{start.to_ical() if start else ''}")


def _categories(part: Any) -> list[str]:
    groups = _listed(part.get("CATEGORIES", []))
    return [
        _text(one, 100) for group in groups for one in getattr(group, "cats", [group]) if str(one)
    ]


def _text(value: Any, longest: int, allowed: str = "") -> str:
    """Somebody else's text, without what no page or database should meet."""
    kept = (c if c.isprintable() or c in allowed else " " for c in str(value or ""))
    return "".join(kept).strip()[:longest]
