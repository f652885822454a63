"""Recurrence of planned events: RFC 5545 rules walked in civil time, always within bounds.

python-dateutil walks a rule until it finds the next date, or until the year 9999: a rule that can
never match (30 February) would keep it busy for 8,000 years. The Gregorian calendar repeats itself
every 400 years, weekdays included, so rules are walked 400 x n years later, close enough to 9999
that a hopeless one ends at once, and the dates found are brought back.
"""

import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from prescaler.core.errors import BadEvent

MOST_A_DAY: Final = 24
_MOST_TIMES: Final = 1_000
_MOST_INTERVAL: Final = 1000
_LONGEST: Final = 500
_ERA: Final = 400
_LAST_YEAR: Final = 9599
_MARGIN: Final = timedelta(days=1)
_UNITS: Final = {"DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
_KNOWN: Final = frozenset(
    {
        *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH"),
        *("BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYHOUR", "BYMINUTE", "BYSECOND"),
    }
)
_FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_UNTIL: Final = re.compile(r"(\d{8})(T\d{6}(Z?))?", re.ASCII)


class Civil(NamedTuple):
    """Where a recurrence lives: the first start on its wall clock (no zone), and that zone."""

    start: datetime
    zone: ZoneInfo


def civil_of(start: datetime, zone: ZoneInfo) -> Civil:
    """The wall clock of the first start."""
    return Civil(start.astimezone(zone).replace(tzinfo=None, fold=0), zone)


def check_rule(rule: str, civil: Civil) -> None:
    """Refuse a rule that cannot be followed.

    Raises:
        BadEvent: no RFC 5545 rule, more often than 24 times a day, or never again after the start.
    """
    parts = _parts(rule)
    _check_bounds(parts)
    walk = _walk(rule, civil)
    if next(islice(walk, 1), None) is None:
        raise BadEvent(f"rule {rule!r} never matches a date after the start")


def moments(rule: str, civil: Civil, start: datetime, end: datetime) -> Iterator[datetime]:
    """Civil starts (no zone) that lie in [start, end) on the wall clock, ascending, no exceptions.

    The cost follows the length of the span, not the age of the rule: a daily or weekly rule
    without a count is entered a whole number of its periods before the span.
    """
    first = max(civil.start, _entry(rule, civil, start))
    found = _walk(rule, Civil(first, civil.zone))
    return (at for at in takewhile(lambda at: at < end, found) if at >= start)


@lru_cache(maxsize=20_000)
def latest_start(rule: str, civil: Civil) -> datetime | None:
    """A civil moment after which no start comes, None where the rule has no end."""
    parts = _parts(rule)
    if "UNTIL" in parts:
        return max(civil.start, _until(parts["UNTIL"], civil.zone))
    if "COUNT" not in parts:
        return None
    return max(_walk(rule, civil), default=civil.start)


def to_utc(civil: datetime, zone: ZoneInfo) -> datetime:
    """A start on the wall clock: the first of two, and past an hour that the clock skips."""
    return civil.replace(tzinfo=zone).astimezone(UTC)


def to_utc_end(civil: datetime, zone: ZoneInfo) -> datetime:
    """An end on the wall clock: the later of what it may mean, so that nobody is cut short."""
    both = (civil.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(both)


def _entry(rule: str, civil: Civil, start: datetime) -> datetime:
    """A start of the same rhythm shortly before an instant; the first one where that is unsafe."""
    parts = _parts(rule)
    unit = _UNITS.get(parts["FREQ"])
    if unit is None or "COUNT" in parts or start - civil.start < _MARGIN:
        return civil.start
    period = unit * int(parts.get("INTERVAL", "1"))
    return civil.start + (start - civil.start) // period * period - period


def _walk(rule: str, civil: Civil) -> Iterator[datetime]:
    """Civil starts from the first one on."""
    years = (_LAST_YEAR - civil.start.year) // _ERA * _ERA
    for at in _rule_at(rule, civil, years):
        yield at.replace(year=at.year - years)


def _rule_at(rule: str, civil: Civil, years: int) -> rrule:
    parts = _parts(rule)
    if "UNTIL" in parts:
        until = min(_until(parts["UNTIL"], civil.zone), datetime(MAXYEAR - years, 12, 31))  # noqa: DTZ001 - civil time
        shifted = until.replace(year=until.year + years)
        parts = parts | {"UNTIL": shifted.strftime("%Y%m%dT%H%M%S")}
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        found = rrulestr(text, dtstart=civil.start.replace(year=civil.start.year + years))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise BadEvent(f"rule {rule[:100]!r} cannot be followed: {error}") from error
    if not isinstance(found, rrule):
        raise BadEvent(f"rule {rule[:100]!r} is not one single RRULE")
    return found


def _until(text: str, zone: ZoneInfo) -> datetime:
    """The last civil moment of a rule; a date alone contains its whole day."""
    match = _UNTIL.fullmatch(text)
    if match is None:
        raise BadEvent(f"UNTIL={text[:40]} in the rule is no instant; write 20261231T230000Z")
    try:
        if match[2] is None:
            return datetime.strptime(text + "235959", "%Y%m%d%H%M%S")  # noqa: DTZ007 - civil time
        found = datetime.strptime(text[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - civil time
        if match[3]:
            found = found.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    except (ValueError, OverflowError) as error:
        raise BadEvent(f"UNTIL={text} in the rule is no instant: {error}") from error
    return found


@lru_cache(maxsize=20_000)
def _parts_of(rule: str) -> tuple[tuple[str, str], ...]:
    if len(rule) > _LONGEST:
        raise BadEvent(f"a rule has at most {_LONGEST} characters")
    pairs = [part.partition("=") for part in rule.strip().upper().rstrip(";").split(";")]
    names = [name for name, _, _ in pairs]
    if "FREQ" not in names or len(set(names)) < len(names) or not all(v for _, _, v in pairs):
        raise BadEvent(f"rule {rule[:100]!r} is none; write it as in FREQ=WEEKLY;BYDAY=TU")
    unknown = sorted(set(names) - _KNOWN)
    if unknown:
        raise BadEvent(f"rule {rule[:100]!r}: {unknown[0][:40]} is no part of an RFC 5545 rule")
    return tuple((name, value) for name, _, value in pairs)


def _parts(rule: str) -> dict[str, str]:
    return dict(_parts_of(rule))


def _check_bounds(parts: dict[str, str]) -> None:
    if parts["FREQ"] not in _FREQUENCIES:
        known = ", ".join(_FREQUENCIES)
        raise BadEvent(f"FREQ={parts['FREQ'][:20]} is too frequent or unknown; use one of {known}")
    for name, most in (("INTERVAL", _MOST_INTERVAL), ("COUNT", _MOST_TIMES)):
        value = parts.get(name, "1")
        if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
            raise BadEvent(f"{name}={value[:20]} in the rule must lie between 1 and {most}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise BadEvent("a rule has either COUNT or UNTIL")
    a_day = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        a_day *= len(set(parts.get(name, "0").split(",")))
    if a_day > MOST_A_DAY:
        raise BadEvent(f"the rule is too frequent: {a_day} times a day, at most {MOST_A_DAY}")
