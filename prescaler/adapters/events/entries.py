"""What all formats share: plain fields become events one by one; none spoils the others."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from prescaler.core.errors import BadEvent, FeedNotUnderstood, FeedTooLarge
from prescaler.core.event_records import Complaint, FeedKey, FeedRules, FoundEvent, FoundEvents
from prescaler.core.event_text import FIELDS, from_plain

MOST_EVENTS: Final = 10_000
_MOST_COMPLAINTS: Final = 100
_LONGEST_UID: Final = 400
_NUMBERS: Final = ("factor", "added", "min_pods", "min_pods_factor")

Entry = tuple[str, FeedKey, Mapping[str, Any]]
"""Where it stands, who it is, and its fields."""


def found_events(entries: Iterable[Entry], rules: FeedRules) -> FoundEvents:
    """Read every entry; those that cannot be used are complained about.

    Raises:
        FeedTooLarge: more than 10,000 entries.
        FeedNotUnderstood: more than 100 of them are wrong: that is no calendar of ours.
    """
    found: dict[FeedKey, FoundEvent] = {}
    complaints: list[Complaint] = []
    for number, (place, key, plain) in enumerate(entries):
        if number >= MOST_EVENTS:
            raise FeedTooLarge(f"{rules.name}: more than {MOST_EVENTS} events; split it")
        try:
            event = from_plain(
                {**rules.defaults, **plain}, identity(key), source=_source(rules), civil=True
            )
        except BadEvent as error:
            complaints.append(Complaint(key, f"{place}: {error}"))
            if len(complaints) > _MOST_COMPLAINTS:
                raise FeedNotUnderstood(
                    f"{rules.name}: more than {_MOST_COMPLAINTS} entries are wrong; "
                    f"the first: {complaints[0].text}"
                ) from error
            continue
        if key in found:
            complaints.append(Complaint(key, f"{place}: stands twice; the first one counts"))
            continue
        found[key] = FoundEvent(key, event)
    return FoundEvents(tuple(found.values()), tuple(complaints))


def identity(key: FeedKey) -> UUID:
    """The same uuid for the same entry, whoever reads it and whenever."""
    return uuid5(NAMESPACE_URL, f"prescaler:{key.feed}\n{key.uid}\n{key.recurrence}")


def row_key(feed: str, row: Mapping[str, Any]) -> FeedKey:
    """The key of a row: its own `uid`, else what makes it this event and no other."""
    own = row.get("uid")
    if isinstance(own, str) and own.strip():
        return FeedKey(feed, short_uid(own))
    parts = [str(row.get(name, "")) for name in ("name", "kind", "start", "workloads")]
    return FeedKey(feed, _digest("\n".join(parts)))


def short_uid(uid: str) -> str:
    """A uid that fits, and that every database takes."""
    plain = uid.isprintable() and len(uid) <= _LONGEST_UID
    return uid if plain else _digest(uid)


def typed(row: Mapping[str, Any], nulls: Collection[str] = ()) -> dict[str, Any]:
    """Fields that came as text: empty ones are left out, numbers are numbers where they can be.

    nulls: how the format writes nothing; nobody's name is nothing.
    """
    kept = {
        name: value
        for name, value in row.items()
        if value not in (None, "")
        and (name == "name" or not isinstance(value, str) or value not in nulls)
    }
    for name in _NUMBERS:
        if isinstance(kept.get(name), str):
            kept[name] = _number(kept[name])
    return kept


def labelled(row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that are no fields of an event are its labels."""
    fields = {name: value for name, value in row.items() if name in FIELDS}
    others = {name: value for name, value in row.items() if name not in FIELDS and name != "uid"}
    return {**fields, "labels": {**fields.get("labels", {}), **others}} if others else fields


def _source(rules: FeedRules) -> str:
    return f"{rules.source}:{rules.name}"


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
