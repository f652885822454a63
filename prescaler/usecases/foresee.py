"""What the next day's plan will run into: the end of the HPA's range."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.hpa import pods_for_all
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.plan import declared
from prescaler.usecases.serve_metric import Served

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Beyond:
    """More pods than the HPA may run.

    at: when first. pods: the most within the day. most: `scale_target.max_pods`.
    """

    at: datetime
    pods: int
    most: int


def beyond_max(served: Served, now: datetime) -> Beyond | None:
    """Whether the next day needs more than the HPA may run; None where not.

    What the policy's own ceiling cuts is accepted by whoever set it.
    """
    policy, most = served.policy, served.workload.scale_target.max_pods
    if policy.max_pods is not None and policy.max_pods <= most:
        return None
    first, last = to_epoch(now), to_epoch(now + _DAY)
    found = [
        (max(one.start + one.lead, first), one.pods)
        for one in declared(served.effects(now, now + _DAY, now), policy, first, last)
        if one.pods > most and one.start < last and one.end > first
    ]
    cells = served.asking(now)
    if cells is not None:
        pods = pods_for_all(cells.parts[:, -1], policy.target)
        ahead = np.flatnonzero((cells.ends > first) & (cells.starts < last) & (pods > most))
        found += [(max(int(cells.starts[n]), first), int(pods[n])) for n in ahead]
    if not found:
        return None
    return Beyond(from_epoch(min(at for at, _ in found)), max(n for _, n in found), most)
