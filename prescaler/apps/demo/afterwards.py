"""What the demonstration adds once the first answers are there: a calendar, and a look back.

Both are the commands that anybody would use. They come afterwards, so that the first answers can be
worked out again from one stored forecast alone.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from prescaler.apps.demo.children import end
from prescaler.apps.demo.traffic import Played
from prescaler.core.synthetic import FULL_TIME, KICK_OFF, MATCH_DAYS

_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LOOK_BACK: Final = "3d"
_EVERY: Final = "1h"


def plan_evenings(folder: Path, config: Path, played: Sequence[Played]) -> bool:
    """Put the match evenings of synthetic traffic into the calendar; false where that failed.

    played: of which at least one has match evenings.
    """
    crowded = [one for one in played if one.matches]
    path = folder / "matches.yaml"
    path.write_text(yaml.safe_dump({"events": [_evening(crowded)]}, sort_keys=False), "utf-8")
    reason = "the demonstration's own match evenings"
    command = ["events", "import", str(path), "--reason", reason, "--author", "demo"]
    with (folder / "matches.log").open("wb") as log:
        done = subprocess.run(_prescaler(command, config), stdout=log, stderr=log, check=False)
    return done.returncode == 0


def _evening(crowded: Sequence[Played]) -> dict[str, Any]:
    """The first match evening of the history, and that it comes again every week."""
    zone = crowded[0].zone
    day = crowded[0].demand.start.astimezone(zone).date()
    while day.weekday() not in MATCH_DAYS:
        day += timedelta(days=1)
    days = ",".join(_WEEKDAYS[number] for number in sorted(MATCH_DAYS))
    return {
        "name": "match evening",
        "kind": "football",
        "start": f"{day}T{_clock(KICK_OFF)}",
        "end": f"{day}T{_clock(FULL_TIME)}",
        "timezone": zone.key,
        "rule": f"FREQ=WEEKLY;BYDAY={days}",
        "workloads": {"names": [one.name for one in crowded]},
        "description": "synthetic, as the traffic is",
    }


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}:00"


@contextmanager
def looking_back(folder: Path, config: Path) -> Iterator[None]:
    """Work out, meanwhile, the forecasts that the last days would have seen."""
    command = ["backfill", "--all", "--forecasts", _LOOK_BACK, "--every", _EVERY]
    with (folder / "backfill.log").open("wb") as log:
        walk = subprocess.Popen(
            _prescaler([*command, "--processes", "1"], config), stdout=log, stderr=log
        )
        try:
            yield
        finally:
            end(walk, signal.SIGINT)


def _prescaler(command: Sequence[str], config: Path) -> list[str]:
    return [sys.executable, "-m", "prescaler", *command, "--config", str(config)]
