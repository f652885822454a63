"""A control loop over demand: from what the metrics say to pods that are ready.

`simulate` is the only door. It imports the compiled loop when it is called: numba takes 0.4 s.
"""

from collections.abc import Sequence
from datetime import timedelta

from prescaler.core.errors import BadParameter
from prescaler.core.replay.scaling import TICK, Delays, Metric, Outcome, Scaling


def simulate(
    metrics: Sequence[Metric],
    scaling: Scaling,
    delays: Delays,
    *,
    seed: int,
    tick: timedelta = TICK,
) -> Outcome:
    """Run the loop from the first tick on, starting with the pods that the metrics ask for.

    Raises:
        BadParameter: no metric, lengths that differ, an impossible bound, delay, sync or poll.
    """
    _check(metrics, scaling, delays, tick)
    from prescaler.core.replay.machine import play

    return play(metrics, scaling, delays, seed, tick)


def _check(metrics: Sequence[Metric], scaling: Scaling, delays: Delays, tick: timedelta) -> None:
    lengths = {len(metric.values) for metric in metrics}
    if len(lengths) != 1 or 0 in lengths:
        raise BadParameter("a replay needs at least one metric, and values at every tick")
    if any(metric.target <= 0 for metric in metrics):
        raise BadParameter("the target of a metric must be above 0")
    if not 1 <= scaling.least <= scaling.most:
        raise BadParameter(f"{scaling.least} to {scaling.most} pods are no bounds of an HPA")
    sleep = scaling.sleep
    if sleep is not None and (sleep.polling <= timedelta(0) or sleep.cooldown < timedelta(0)):
        raise BadParameter("KEDA polls after more than 0 s, and its cooldown cannot be negative")
    if scaling.sync < tick or scaling.sync % tick:
        raise BadParameter("the HPA's sync period must be a multiple of the tick")
    shortest = min(delays.pod_median, delays.node_least, delays.node_most - delays.node_least)
    if shortest < timedelta(0) or delays.pod_sigma < 0 or delays.pods_per_node < 0:
        raise BadParameter("delays and pods per node cannot be negative")
    if not 0 <= delays.spot_loss < 1 or delays.spare_room < 0:
        raise BadParameter("spot loss is a chance below 1, spare room a share of 0 or more")
