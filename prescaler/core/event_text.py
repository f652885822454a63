"""Planned events as plain values (JSON, YAML, rows of a table), read with every complaint at once.

The one form that all doors share: REST bodies, files, feeds, the store, the audit.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadEvent, BadParameter
from prescaler.core.event_book import LONGEST_RAMP, check_times
from prescaler.core.instants import format_instant, parse_civil, parse_instant
from prescaler.core.planned import Effect, EventState, PlannedEvent, Selection, Stack

FIELDS: Final = (
    *("name", "kind", "start", "end", "timezone", "workloads", "factor", "added", "min_pods"),
    *("min_pods_factor", "ramp_before", "ramp_after", "stack", "state", "known_from", "rule"),
    *("exceptions", "labels", "description"),
)
IGNORED: Final = ("id", "revision", "source", "affects", "next", "occurrence")
"""What our own answers carry and a body may send back."""

MOST_PODS: Final = 100_000
_MOST_LOAD: Final = 1e15
_MOST_FACTOR: Final = 1000.0
_MOST_NAMES: Final = 1000
_MOST_LABELS: Final = 50
_MOST_EXCEPTIONS: Final = 1000
_LONGEST_NAME: Final = 200
_LONGEST_TEXT: Final = 4000
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_KIND: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")

_T = TypeVar("_T")


def to_plain(event: PlannedEvent) -> dict[str, Any]:
    """An event as plain values; `from_plain` reads them back."""
    effect, chosen = event.effect, event.selection
    return {
        "id": str(event.id),
        "name": event.name,
        "kind": event.kind,
        "start": format_instant(event.start),
        "end": format_instant(event.end),
        "timezone": event.timezone.key,
        "workloads": "all"
        if chosen.everything
        else {"names": sorted(chosen.names), "labels": dict(sorted(chosen.labels.items()))},
        "factor": effect.factor,
        "added": effect.added,
        "min_pods": effect.min_pods,
        "min_pods_factor": effect.min_pods_factor,
        "ramp_before": format_duration(effect.ramp_before),
        "ramp_after": format_duration(effect.ramp_after),
        "stack": effect.stack.value,
        "state": event.state.value,
        "known_from": format_instant(event.known_from) if event.known_from else None,
        "rule": event.rule,
        "exceptions": [format_instant(at) for at in sorted(event.exceptions)],
        "labels": dict(event.labels),
        "description": event.description,
        "source": event.source,
        "revision": event.revision,
    }


def from_plain(
    plain: Any, identity: UUID, *, source: str = "api", civil: bool = False
) -> PlannedEvent:
    """Read an event that somebody wrote.

    civil: whether a time without an offset means the wall clock of the `timezone` beside it; a
    naive time without such a timezone is refused everywhere.

    Raises:
        BadEvent: naming every field that is wrong.
    """
    if not isinstance(plain, Mapping):
        raise BadEvent(f"an event is a mapping of fields, not {type(plain).__name__}")
    fields = _Fields(plain)
    fields.refuse_unknown()
    zone = fields.take("timezone", _zone, ZoneInfo("UTC"))
    at = _instant_reader(zone if civil and plain.get("timezone") else None)
    start, end = fields.need("start", at), fields.need("end", at)
    event = PlannedEvent(
        id=identity,
        name=fields.need("name", _name) or "",
        kind=fields.take("kind", _kind, "event"),
        start=start or _NO_TIME,
        end=end or _NO_TIME + timedelta(seconds=1),
        timezone=zone,
        selection=fields.need("workloads", _selection) or Selection(),
        effect=_effect(fields),
        state=fields.take("state", lambda v: _choice(v, EventState), EventState.CONFIRMED),
        known_from=fields.take("known_from", at, None),
        rule=fields.take("rule", _rule, None),
        exceptions=fields.take("exceptions", lambda v: _exceptions(v, at), frozenset()),
        labels=fields.take("labels", _labels, {}),
        description=fields.take("description", _description, ""),
        source=source,
    )
    if start and end:
        fields.check(lambda: check_times(event))
    fields.end()
    return event


def from_stored(plain: Mapping[str, Any], revision: int) -> PlannedEvent:
    """The reverse of `to_plain`, for what was checked when it was written.

    Raises:
        BadEvent: it was altered, or written by another release.
    """
    source = plain.get("source", "")
    event = from_plain(plain, _uuid(plain.get("id")), source=str(source))
    return replace(event, revision=revision)


class _Fields:
    """Takes one field after the other and remembers what was wrong."""

    def __init__(self, plain: Mapping[str, Any]) -> None:
        self._plain = plain
        self._problems: list[str] = []

    def refuse_unknown(self) -> None:
        for name in self._plain:
            if name not in FIELDS and name not in IGNORED:
                self._problems.append(f"{str(name)[:40]}: no such field")

    def need(self, name: str, read: Callable[[Any], _T]) -> _T | None:
        if self._plain.get(name) is None:
            self._problems.append(f"{name}: is missing")
            return None
        found: _T | None = self.take(name, read, None)
        return found

    def take(self, name: str, read: Callable[[Any], _T], default: Any) -> Any:
        value = self._plain.get(name)
        if value is None:
            return default
        try:
            return read(value)
        except BadParameter as error:
            self._problems.append(f"{name}: {error}")
            return default

    def check(self, rule: Callable[[], None]) -> None:
        try:
            rule()
        except BadEvent as error:
            self._problems.append(str(error))

    def end(self) -> None:
        if self._problems:
            raise BadEvent("; ".join(self._problems))


_NO_TIME: Final = parse_instant("1970-01-01T00:00:00Z")


def _effect(fields: _Fields) -> Effect:
    return Effect(
        factor=fields.take("factor", lambda v: _number(v, _MOST_FACTOR), None),
        added=fields.take("added", lambda v: _number(v, _MOST_LOAD), 0.0),
        min_pods=fields.take("min_pods", _pods, 0),
        min_pods_factor=fields.take("min_pods_factor", lambda v: _number(v, _MOST_FACTOR), None),
        ramp_before=fields.take("ramp_before", _ramp, timedelta(0)),
        ramp_after=fields.take("ramp_after", _ramp, timedelta(0)),
        stack=fields.take("stack", lambda v: _choice(v, Stack), Stack.MAX),
    )


def _uuid(value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        raise BadEvent(f"id: {str(value)[:40]!r} is no uuid") from error


def _text(value: Any, longest: int, allowed: str = "") -> str:
    if not isinstance(value, str):
        raise BadParameter("must be text")
    if len(value) > longest:
        raise BadParameter(f"has {len(value)} characters, at most {longest}")
    if any(c not in allowed and (ord(c) < ord(" ") or "\x7f" <= c <= "\x9f") for c in value):
        raise BadParameter("contains a control character")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise BadParameter("contains half a character (a lone surrogate)")
    return value


def _name(value: Any) -> str:
    found = _text(value, _LONGEST_NAME).strip()
    if not found:
        raise BadParameter("is empty")
    return found


def _kind(value: Any) -> str:
    found = _text(value, 50)
    if not found or not set(found) <= _KIND:
        raise BadParameter("write a tag of a-z, 0-9, dot, dash, underscore, such as football")
    return found


def _rule(value: Any) -> str | None:
    return _text(value, _LONGEST_NAME * 3).strip().removeprefix("RRULE:") or None


def _description(value: Any) -> str:
    return _text(value, _LONGEST_TEXT, "\n\r\t")


def _zone(value: Any) -> ZoneInfo:
    text = _text(value, 60)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadParameter(f"{text!r} is no time zone; write Europe/Paris or UTC") from error


def _instant_reader(zone: ZoneInfo | None) -> Callable[[Any], datetime]:
    def read(value: Any) -> datetime:
        text = _text(value, 40)
        found = parse_civil(text, zone) if zone is not None else parse_instant(text)
        if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
            raise BadParameter(f"{text!r} must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
        return found

    return read


def _number(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadParameter("must be a number")
    if not 0 <= value <= most:  # NaN is in no range
        raise BadParameter(f"must lie between 0 and {most:g}")
    return float(value)


def _pods(value: Any) -> int:
    found = _number(value, MOST_PODS)
    if found != int(found):
        raise BadParameter("must be a whole number")
    return int(found)


def _ramp(value: Any) -> timedelta:
    found = parse_duration(_text(value, 20))
    if found > LONGEST_RAMP:
        raise BadParameter(f"is longer than {format_duration(LONGEST_RAMP)}")
    return found


def _choice(value: Any, kind: type[_T]) -> _T:
    known = [str(member) for member in kind]  # type: ignore[attr-defined]
    if value not in known:
        raise BadParameter(f"{str(value)[:40]!r} is none of {', '.join(known)}")
    return kind(value)  # type: ignore[call-arg]


def _selection(value: Any) -> Selection:
    if value == "all":
        return Selection(everything=True)
    if isinstance(value, list | tuple):
        value = {"names": value}
    if not isinstance(value, Mapping) or not set(value) <= {"names", "labels"}:
        raise BadParameter('write "all", a list of names, or {"names": [...], "labels": {...}}')
    names = value.get("names") or ()
    if not isinstance(names, list | tuple) or len(names) > _MOST_NAMES:
        raise BadParameter(f"names is a list of at most {_MOST_NAMES} names")
    chosen = frozenset(_text(name, 100) for name in names)
    labels = _labels(value.get("labels") or {})
    if not chosen and not labels:
        raise BadParameter('selects nothing; write "all" for every workload')
    return Selection(names=chosen, labels=labels)


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > _MOST_LABELS:
        raise BadParameter(f"labels are a mapping of at most {_MOST_LABELS} names to texts")
    return {_text(name, 100): _text(text, 200) for name, text in value.items()}


def _exceptions(value: Any, at: Callable[[Any], datetime]) -> frozenset[datetime]:
    if not isinstance(value, list | tuple) or len(value) > _MOST_EXCEPTIONS:
        raise BadParameter(f"write a list of at most {_MOST_EXCEPTIONS} starts")
    return frozenset(at(one) for one in value)
