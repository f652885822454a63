"""Once a day: make old demand coarse and forget what is too old, a little at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prescaler.core.retention import COARSE, Amount, Kept, Retention
from prescaler.core.workload import Workload
from prescaler.ports.upkeep import UpkeepStore

_BATCH: Final = 200
"""Rows a transaction: at 10 kB each it is over in milliseconds, and nobody waits for it."""


@dataclass(frozen=True)
class Pruned:
    """What was (or would be) done to a kind; fine demand is made coarse, the rest forgotten."""

    kind: Kept
    before: datetime
    amount: Amount


def prune_history(
    store: UpkeepStore,
    retention: Retention,
    workloads: Sequence[Workload],
    now: datetime,
    *,
    dry_run: bool = False,
    going: Callable[[], bool] = lambda: True,
) -> list[Pruned]:
    """Enforce the ages; `going` is asked between batches, False leaves the rest for the next day.

    Raises:
        StoreError: what was done stays done; the next call does the rest.
    """
    found = []
    for kind in Kept:
        before = now - _age(kind, retention, workloads)
        amount = store.old(kind, before)
        if not dry_run and amount.rows:
            _do(store, kind, before, going)
        found.append(Pruned(kind, before, amount))
    return found


def _age(kind: Kept, retention: Retention, workloads: Sequence[Workload]) -> timedelta:
    """Fine demand that a forecaster still looks at stays, if its step needs it that fine."""
    age = retention.age(kind)
    if kind is Kept.FINE_DEMAND:
        needed = [w.forecast.history for w in workloads if w.forecast.step % COARSE]
        return max([age, *needed])
    if kind is Kept.COARSE_DEMAND:
        return max([age, *(w.forecast.history for w in workloads)])
    return age


def _do(store: UpkeepStore, kind: Kept, before: datetime, going: Callable[[], bool]) -> None:
    while going():
        if kind is Kept.FINE_DEMAND:
            done = store.coarsen(before, COARSE, _BATCH)
        else:
            done = store.drop(kind, before, _BATCH)
        if done < _BATCH:
            return
