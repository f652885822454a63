"""Moments as people type them: an instant with its offset, or how long ago."""

from datetime import datetime, timedelta
from typing import Final

from prescaler.core.durations import parse_duration
from prescaler.core.errors import BadParameter
from prescaler.core.instants import parse_instant

_LONGEST_AGO: Final = timedelta(days=20 * 366)


def moment(text: str, now: datetime, option: str) -> datetime:
    """`400d` is that long ago, anything else an instant.

    Raises:
        BadParameter: neither, before the last twenty years, or in the future.
    """
    found = _ago(text, now, option) if text[-1:] in "smhdw" else parse_instant(text)
    if found > now:
        raise BadParameter(f"{option} {text} lies in the future")
    if now - found > _LONGEST_AGO:
        raise BadParameter(f"{option} {text} is more than 20 years ago; no source keeps that")
    return found


def _ago(text: str, now: datetime, option: str) -> datetime:
    try:
        return now - parse_duration(text)
    except (BadParameter, OverflowError) as error:
        raise BadParameter(
            f"{option} {text[:40]!r}: write how long ago, as in 400d, or an instant with its "
            "offset, as in 2026-01-01T00:00:00Z"
        ) from error
