"""The plan of the next while as a table, for whoever asks again and again at single instants.

Everything the plan depends on compares an instant with starts, ends and due times of cells and with
the bounds of declared intervals. Between two of these the plan stands still, so a table of the plan
at each of them says the same as `plan` at any instant, and looking it up costs a bisection.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.plan import PlanRow, Requirement, declared, plan
from prescaler.core.policy import Policy


@dataclass(frozen=True, eq=False)
class PlanTable:
    """Rows that hold from their instant (epoch seconds) to the next one's, within [start, end)."""

    start: int
    end: int
    instants: tuple[int, ...]
    rows: tuple[PlanRow, ...]

    def covers(self, instant: int) -> bool:
        """Whether the table says something about an instant."""
        return self.start <= instant < self.end

    def at(self, instant: int) -> PlanRow:
        """The plan at an instant that the table covers."""
        return self.rows[bisect_right(self.instants, instant) - 1]


def tabulate(
    forecast: Forecast | None,
    events: Sequence[EventEffect],
    policy: Policy,
    *,
    start: int,
    end: int,
    requirement: Requirement | None = None,
) -> PlanTable:
    """The plan of [start, end) (epoch seconds); `requirement` as for `plan`."""
    bounds = [start]
    if requirement is not None:
        bounds += np.concatenate([requirement.starts, requirement.ends, requirement.due]).tolist()
    for interval in declared(events, policy, start, end):
        bounds += [interval.start, interval.end]
    instants = sorted({bound for bound in bounds if start <= bound < end})
    curve = plan(forecast, events, policy, np.array(instants), requirement=requirement)
    return PlanTable(start, end, tuple(instants), tuple(curve.rows()))
