"""The one duration codec: `<integer><s|m|h|d|w>`, kept as `timedelta`."""

import re
from datetime import timedelta
from typing import Final

from prescaler.core.errors import BadParameter

_SECONDS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_FORM: Final = re.compile(r"([0-9]{1,15})([smhdw])", re.ASCII)
_LONGEST: Final = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `5m`, `28d` as a duration.

    Raises:
        BadParameter: the text has another form, or means more than 100 years.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise BadParameter(
            f"{text[:40]!r} is not a duration; write a whole number and one unit, "
            "as in 90s, 5m, 2h, 28d or 4w"
        )
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise BadParameter(f"{text[:40]!r} is longer than 100 years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration with the largest unit that divides it: 36 h is `36h`, 48 h is `2d`.

    Raises:
        BadParameter: the duration is negative or has a fraction of a second.
    """
    seconds = duration // timedelta(seconds=1)
    if timedelta(seconds=seconds) != duration or seconds < 0:
        raise BadParameter(f"{duration} cannot be written as a whole number of seconds")
    if seconds == 0:
        return "0s"
    unit, size = next((u, s) for u, s in _SECONDS.items() if seconds % s == 0)
    return f"{seconds // size}{unit}"
