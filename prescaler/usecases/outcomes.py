"""How past occurrences went, in one line each: the debriefs of a list, worked out once."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final
from uuid import UUID

from prescaler.core.debrief import Debrief
from prescaler.core.planned import Occurrence
from prescaler.usecases.review_events import DebriefPorts, debriefs
from prescaler.usecases.serve_metric import Served

MOST_WORKLOADS: Final = 3
"""A debrief takes about 30 ms: of events about more workloads only their own page tells."""

_KEPT: Final = 1000

_Key = tuple[UUID, int, datetime, str]


@dataclass(frozen=True)
class Outcome:
    """The workload on which an occurrence went worst: most minutes late, else the highest peak."""

    workload: str
    debrief: Debrief


class Outcomes:
    """Debriefs of occurrences that are over; these no longer change."""

    def __init__(self, ports: DebriefPorts) -> None:
        self._ports = ports
        self._lock = Lock()
        self._kept: OrderedDict[_Key, Debrief] = OrderedDict()

    def worst(self, occurrence: Occurrence, meant: Sequence[Served]) -> Outcome | None:
        """None where it is about too many workloads, or none of them has a history."""
        if len(meant) > MOST_WORKLOADS:
            return None
        found = [(s.workload.name, self._one(occurrence, s)) for s in meant]
        known = [Outcome(name, one) for name, one in found if one is not None]
        return max(known, key=_badness, default=None)

    def _one(self, occurrence: Occurrence, served: Served) -> Debrief | None:
        event = occurrence.event
        key = (event.id, event.revision, occurrence.start, served.workload.name)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = debriefs(occurrence, [served], self._ports).get(served.workload.name)
            if found is not None:
                self._keep(key, found)
        return found

    def _keep(self, key: _Key, found: Debrief) -> None:
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _badness(outcome: Outcome) -> tuple[float, float]:
    ready, came = outcome.debrief.ready, outcome.debrief.came
    return (ready.minutes_late if ready else -1.0, came[1] if came else -1.0)
