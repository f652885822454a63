"""What `backtest`, `replay` and `demo` take beside a trace: its civil time, country and events."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prescaler.adapters.events.source import FORMATS
from prescaler.apps.cli.options import ERR
from prescaler.core.calendar import is_holiday
from prescaler.core.errors import BadParameter, NoSeries
from prescaler.core.event_records import FeedRules
from prescaler.core.planned import PlannedEvent
from prescaler.wiring import clock

_SUFFIXES: Final = {".csv": "csv", ".ics": "ical", ".yaml": "yaml", ".yml": "yaml"}
_ANY_DAY: Final = date(2026, 1, 1)


def zone_of(name: str) -> ZoneInfo:
    """A civil zone by its name.

    Raises:
        BadParameter: there is none ("Europe" is a folder of the tables, which is an OSError).
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadParameter(f"--timezone {name[:40]!r} is no zone, as in Europe/Paris") from error


def country_of(code: str | None) -> str | None:
    """The code, if there are tables of public holidays for it.

    Raises:
        UnknownCountry: there are none; better said before the work than by one of its processes.
    """
    if code is not None:
        is_holiday(_ANY_DAY, code)
    return code


def planned_events(path: Path | None, timezone: str) -> Sequence[PlannedEvent]:
    """Events of a file; what cannot be used is told.

    Raises:
        BadParameter: no known kind of file. NoSeries: it cannot be read. FeedNotUnderstood.
    """
    if path is None:
        return ()
    form = _SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise BadParameter(f"--events {path.name}: the name must end in .csv, .ics or .yaml")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NoSeries(f"{path} cannot be read: {error}") from error
    rules = FeedRules(path.stem, zone_of(timezone), {"workloads": "all"}, allow_empty=True)
    found = FORMATS[form](content, rules, clock().now())
    for complaint in found.complaints:
        ERR.print(f"left out: {complaint.text}", style="yellow", markup=False)
    return [one.event for one in found.events]
