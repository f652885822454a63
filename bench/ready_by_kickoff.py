"""Are the pods there at kick-off? The crowd comes at 21:00 and is whole two minutes later.

The stored plan of an event (x5, x10) against the HPA's rules, beside prescaling-exporter's code of
11 over `Value: 10`, on the same cluster. Start times are drawn, so every arm runs with 20 seeds.
Prints one Markdown table; `PYTHONPATH=. python bench/ready_by_kickoff.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.events import EventEffect
from prescaler.core.hpa import pods_for_all
from prescaler.core.instants import to_epoch
from prescaler.core.lead_time import raise_at
from prescaler.core.plan import plan, require
from prescaler.core.policy import Policy, StartTime
from prescaler.core.replay.scaling import Delays, Kind, Metric, Outcome, Scaling
from prescaler.core.replay.simulate import simulate
from tests.support.builders import forecast, lead_time, policy

TICK = timedelta(seconds=15)
TARGET, BASE = 80.0, 12
KICK_OFF = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
RAMP = timedelta(minutes=2)
FROM, SPAN = KICK_OFF - timedelta(hours=1), timedelta(hours=2)
SEEDS = 20
DELAYS = Delays(pod_median=timedelta(seconds=45), pod_sigma=0.3, pods_per_node=10)
ZONE = timedelta(hours=1)


@dataclass(frozen=True)
class Arm:
    """name; metric: what the HPA reads at each tick."""

    name: str
    metric: Metric
    scaling: Scaling


def own_policy() -> Policy:
    """Measured start times of such a cluster: pods 45 s (75 s), nodes 3 min (4 min)."""
    starts = lead_time(
        pod_start=StartTime(timedelta(seconds=45), timedelta(seconds=75)),
        node_start=StartTime(timedelta(minutes=3), timedelta(minutes=4)),
    )
    return policy(quantile=0.5, hold=timedelta(minutes=5), lead_time=starts)


def ticks() -> IntArray:
    """[T] epoch seconds."""
    return np.arange(to_epoch(FROM), to_epoch(FROM + SPAN), int(TICK.total_seconds()))


def stored_plan(factor: float) -> tuple[FloatArray, datetime]:
    """[T] load that we serve, and the latest safe start of the whole crowd."""
    flat = np.full(600, BASE * TARGET)
    said = forecast(
        flat,
        values=np.repeat(flat[:, None], 8, axis=1).astype(np.float32),
        peak_ratio=np.ones(600, dtype=np.float32),
        cutoff=KICK_OFF - timedelta(hours=6),
    )
    event = EventEffect(
        "semi-final", KICK_OFF + RAMP, KICK_OFF + timedelta(hours=1), factor, ramp_before=RAMP
    )
    own = own_policy()
    cells = require(said, [event], own)
    whole = raise_at(cells, own, KICK_OFF + timedelta(minutes=1))
    if whole is None:
        raise ValueError("the forecast does not reach kick-off")
    return plan(said, [event], own, ticks()).load, whole.latest_start


def by_hand(factor: float, start: datetime) -> FloatArray:
    """[T] pods that a person asks for from a start that was guessed."""
    return np.where(ticks() >= to_epoch(start), BASE * factor, float(BASE))


def arms(factor: float) -> tuple[list[Arm], datetime]:
    """Ours, and theirs with the start at kick-off and a quarter of an hour before."""
    load, latest = stored_plan(factor)
    free = Scaling(least=BASE, most=1000)
    old = Scaling(least=BASE, most=1000, distance_rule=True)
    found = [Arm("stored plan", Metric(load, TARGET, landed=True), free)]
    for minutes in (0, 15):
        start = KICK_OFF - timedelta(minutes=minutes)
        metric = Metric(by_hand(factor, start), 10.0, kind=Kind.CODE)
        at = f"{start + ZONE:%H:%M}"
        found.append(Arm(f"11/10 from {at}, Kubernetes >= 1.33", metric, free))
        found.append(Arm(f"11/10 from {at}, Kubernetes < 1.33", metric, old))
    return found, latest


def row(factor: float, arm: Arm, latest: datetime) -> str:
    """Medians and worst over the seeds."""
    runs = [simulate([arm.metric], arm.scaling, DELAYS, seed=s, tick=TICK) for s in range(SEEDS)]
    wanted = int(pods_for_all(np.array([BASE * factor * TARGET]), TARGET)[0])
    at = [_told(runs, KICK_OFF + t) for t in (timedelta(0), RAMP)]
    start = f"{latest + ZONE:%H:%M:%S}" if arm.name == "stored plan" else "a person's guess"
    return (
        f"| x{factor:g} | {arm.name} | {start} | {wanted} | {at[0]} | {at[1]} "
        f"| {_ready(runs, wanted, max)} |"
    )


def _told(runs: list[Outcome], instant: datetime) -> str:
    tick = (instant - FROM) // TICK
    ready = [int(run.ready[tick]) for run in runs]
    return f"{int(np.median(ready))} ({min(ready)})"


def _ready(runs: list[Outcome], wanted: int, worst: Callable[..., int]) -> str:
    """When all pods were ready in the worst run."""
    reached = [np.flatnonzero(run.ready >= wanted) for run in runs]
    if not all(len(found) for found in reached):
        return "never within the hour"
    last = worst(int(found[0]) for found in reached)
    return f"{FROM + last * TICK + ZONE:%H:%M:%S}"


def main() -> None:
    """Print the table."""
    print(
        f"{BASE} pods before, crowd from 21:00:00, whole at 21:02:00; {SEEDS} runs: median (least)"
    )
    print()
    print("| crowd | arm | latest safe start | pods needed | ready 21:00 | 21:02 | all ready by |")
    print("|---|---|---|---|---|---|---|")
    for factor in (5.0, 10.0):
        found, latest = arms(factor)
        for arm in found:
            print(row(factor, arm, latest))


if __name__ == "__main__":
    main()
