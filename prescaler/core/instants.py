"""Instants: always UTC, RFC 3339 with `Z`, whole seconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from prescaler.core.errors import BadParameter

_FORM: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|z|[+-]\d{2}:\d{2})", re.ASCII
)

_CIVIL: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?", re.ASCII)


def parse_instant(text: str) -> datetime:
    """Read an instant that names its offset, and cut it to the whole second.

    Raises:
        BadParameter: another form, no such day, or no offset (a naive stamp is refused).
    """
    if _FORM.fullmatch(text) is None:
        raise BadParameter(
            f"{text[:40]!r} is not an instant; write it with its offset, "
            "as in 2026-11-24T20:41:00Z or 2026-11-24T21:41:00+01:00"
        )
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise BadParameter(f"{text[:40]!r} is not an instant: {error}") from error


def parse_civil(text: str, zone: ZoneInfo) -> datetime:
    """Read an instant, or a time on a zone's wall clock where no offset is written.

    Of two such times in autumn the first is meant; one that the spring clock skips lies after it.

    Raises:
        BadParameter: neither.
    """
    if _CIVIL.fullmatch(text) is None:
        return parse_instant(text)
    try:
        found = datetime.fromisoformat(text).replace(tzinfo=zone)
        return found.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise BadParameter(f"{text[:40]!r} is no time: {error}") from error


def format_instant(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, whole seconds."""
    # Not strftime: it writes the year 1 with one digit.
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def to_epoch(instant: datetime) -> int:
    """Whole seconds since 1970 (for arrays of stamps)."""
    return int(instant.timestamp())


def from_epoch(seconds: float) -> datetime:
    """The instant of a number of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def floor_to(instant: datetime, step: timedelta) -> datetime:
    """The last grid stamp at or before an instant; the grid is anchored at 1970 in UTC."""
    seconds = int(step.total_seconds())
    return from_epoch(to_epoch(instant) // seconds * seconds)
