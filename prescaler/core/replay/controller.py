"""The horizontal pod autoscaler, one sync at a time, in a form that numba can compile.

Rules as observed on Kubernetes 1.36.2: metrics -> proposals (tolerance, AverageValue or Value) ->
the largest -> stabilisation -> the built-in ramp, or policies counted over past events -> bounds.
`register_jitable` leaves plain Python functions: tests call them as they are.

Import this module only where a loop is about to run: numba takes 0.4 s.
"""

import math
from typing import Final, NamedTuple

from numba.extending import register_jitable

from prescaler.core.arrays import FloatArray, IntArray

AVERAGE_VALUE: Final = 0
"""ceil(value / target): the form for load and for pods."""
VALUE: Final = 1
"""ceil(value / target x ready pods)."""
CODE: Final = 2
"""The value is wanted pods; the metric is 0, 9, 10 or 11 beside them, of type Value against 10."""

MOST_CHANGE: Final = 0
LEAST_CHANGE: Final = 1
NO_CHANGE: Final = 2

_SLACK: Final = 1e-9
_TOO_FEW: Final = 11.0
_ENOUGH: Final = 10.0
_TOO_MANY: Final = 9.0
_NOTHING: Final = -1

_SEEN: Final = 0
_MOVED: Final = 1


class Hpa(NamedTuple):
    """What an HorizontalPodAutoscaler says, as numbers.

    up, down: tolerances. distance_rule: the comparison of Kubernetes before 1.33,
    abs(ratio - 1) > tolerance. up_window, down_window: stabilisation, seconds. built_in: no
    `behavior` at all, the ramp is max(2 x pods, 4). policies: [P, 3] kind (0 pods, 1 percent),
    value, period in seconds. select: `MOST_CHANGE`, `LEAST_CHANGE` or `NO_CHANGE`.
    """

    least: int
    most: int
    up: float
    down: float
    distance_rule: bool
    up_window: float
    down_window: float
    built_in: bool
    up_policies: IntArray
    down_policies: IntArray
    up_select: int
    down_select: int


class Metrics(NamedTuple):
    """M metrics: values [M, T], NaN where the metric fails; targets [M]; kinds [M].

    activation: [M] above which KEDA calls the trigger active.
    landed: index of the metric whose value is moved to the smallest size that the HPA can reach
    (the server knows the running pods); -1: none.
    """

    values: FloatArray
    targets: FloatArray
    kinds: IntArray
    activation: FloatArray
    landed: int


class Memory(NamedTuple):
    """What the controller remembers: rings of recommendations and of changes, and their lengths.

    seen_at, moved_at: seconds. counts: [2] how many were ever written to each ring.
    """

    seen_at: FloatArray
    seen: IntArray
    moved_at: FloatArray
    moved: IntArray
    counts: IntArray


@register_jitable
def ignored(ratio: float, hpa: Hpa) -> bool:
    """Whether a ratio lies within the tolerance."""
    if hpa.distance_rule:
        return abs(ratio - 1.0) <= (hpa.up if ratio > 1.0 else hpa.down)
    return 1.0 - hpa.down <= ratio <= 1.0 + hpa.up


@register_jitable
def smallest_reached(wanted: int, pods: int, hpa: Hpa) -> int:
    """The smallest size >= wanted that the HPA can reach from `pods`."""
    if wanted <= pods or pods == 0 or not ignored(wanted / pods, hpa):
        return wanted
    return math.floor(pods * (1.0 + hpa.up)) + 1


@register_jitable
def proposal(value: float, target: float, kind: int, pods: int, ready: int, hpa: Hpa) -> int:
    """Pods that one metric asks for; -1 where it fails."""
    if math.isnan(value):
        return _NOTHING
    if kind == AVERAGE_VALUE:
        if ignored(value / (target * pods), hpa):
            return pods
        return math.ceil(value / target - _SLACK)
    shown = value
    if kind == CODE:
        if value <= 0.0:
            shown = 0.0
        elif pods < value:
            shown = _TOO_FEW
        else:
            shown = _TOO_MANY if pods > (1.0 + 0.1) * value else _ENOUGH
    ratio = shown / target
    if ignored(ratio, hpa):
        return pods
    return math.ceil(ratio * ready - _SLACK)


@register_jitable
def shown(metrics: Metrics, row: int, tick: int, pods: int, hpa: Hpa) -> float:
    """What the HPA reads of a metric; a landed one asks for a size that it can reach."""
    value, target = float(metrics.values[row, tick]), float(metrics.targets[row])
    if row != metrics.landed or math.isnan(value):
        return value
    wanted = math.ceil(value / target - _SLACK)
    reached = smallest_reached(wanted, pods, hpa)
    return reached * target if reached > wanted else value


@register_jitable
def wanted_pods(metrics: Metrics, tick: int, pods: int, ready: int, hpa: Hpa) -> int:
    """The largest proposal; -1 where nothing may be done.

    A failing metric blocks scaling down; when all fail, nothing happens.
    """
    best, failed = _NOTHING, False
    for row in range(len(metrics.targets)):
        value = shown(metrics, row, tick, pods, hpa)
        found = proposal(value, metrics.targets[row], metrics.kinds[row], pods, ready, hpa)
        failed = failed or found == _NOTHING
        best = max(best, found)
    return _NOTHING if failed and best < pods else best


@register_jitable
def swallowed(metrics: Metrics, tick: int, pods: int, hpa: Hpa) -> bool:
    """Whether the first metric needs more pods than there are and the tolerance gives none."""
    value, target = metrics.values[0, tick], metrics.targets[0]
    if metrics.kinds[0] != AVERAGE_VALUE or math.isnan(value) or pods == 0:
        return False
    wanted = math.ceil(value / target - _SLACK)
    ratio = shown(metrics, 0, tick, pods, hpa) / (target * pods)
    return wanted > pods and ignored(ratio, hpa)


@register_jitable
def stabilised(wanted: int, pods: int, now: float, hpa: Hpa, memory: Memory) -> int:
    """Remember a recommendation, and hold to those of the windows (both edges included).

    Without `behavior` the highest of 300 s is the answer, upwards too: a ramp under way goes on to
    the top that was once recommended. With it, the windows only limit the way from `pods`.
    """
    size = len(memory.seen)
    count = memory.counts[_SEEN]
    memory.seen_at[count % size] = now
    memory.seen[count % size] = wanted
    memory.counts[_SEEN] = count + 1
    lowest, highest = wanted, wanted
    for back in range(1, min(count + 1, size)):
        place = (count - back) % size
        age = now - memory.seen_at[place]
        if age > hpa.up_window and age > hpa.down_window:
            break
        if age <= hpa.up_window and hpa.up_window > 0:
            lowest = min(lowest, memory.seen[place])
        if age <= hpa.down_window and hpa.down_window > 0:
            highest = max(highest, memory.seen[place])
    if hpa.built_in:
        return highest
    return min(max(pods, lowest), highest)


@register_jitable
def changed_since(now: float, period: float, sign: int, memory: Memory) -> int:
    """Pods added (sign 1) or removed (-1) in the last `period` seconds.

    A change exactly one period old still counts: its stamp is taken a moment after the sync that
    made it, so that the next sync finds it younger than the period.
    """
    total, size, count = 0, len(memory.moved), memory.counts[_MOVED]
    for back in range(1, min(count, size) + 1):
        place = (count - back) % size
        if now - memory.moved_at[place] > period:
            break
        change = sign * memory.moved[place]
        if change > 0:
            total += change
    return total


@register_jitable
def up_limit(pods: int, now: float, hpa: Hpa, memory: Memory) -> int:
    """The most pods that this sync may reach.

    In Kubernetes' own floating point: 10 % on top of 100 pods are 111.
    """
    if hpa.built_in:
        return max(2 * pods, 4)
    if hpa.up_select == NO_CHANGE:
        return pods
    limit = _NOTHING
    for row in range(len(hpa.up_policies)):
        kind, value, period = hpa.up_policies[row]
        added = changed_since(now, period, 1, memory)
        removed = changed_since(now, period, -1, memory)
        begun = pods - added + removed
        reach = begun + value if kind == 0 else math.ceil(begun * (1 + value / 100))
        if limit == _NOTHING:
            limit = reach
        elif hpa.up_select == MOST_CHANGE:
            limit = max(limit, reach)
        else:
            limit = min(limit, reach)
    return max(limit, pods)


@register_jitable
def down_limit(pods: int, now: float, hpa: Hpa, memory: Memory) -> int:
    """The fewest pods that this sync may reach."""
    if hpa.built_in:
        return 0
    if hpa.down_select == NO_CHANGE:
        return pods
    limit = _NOTHING
    for row in range(len(hpa.down_policies)):
        kind, value, period = hpa.down_policies[row]
        added = changed_since(now, period, 1, memory)
        removed = changed_since(now, period, -1, memory)
        begun = pods + removed - added
        reach = begun - value if kind == 0 else math.floor(begun * (1 - value / 100))
        reach = max(reach, 0)
        if limit == _NOTHING:
            limit = reach
        elif hpa.down_select == MOST_CHANGE:
            limit = min(limit, reach)
        else:
            limit = max(limit, reach)
    return min(limit, pods)


@register_jitable
def sync(  # noqa: PLR0913, PLR0917 - numba takes no keywords and no objects
    metrics: Metrics, tick: int, now: float, pods: int, ready: int, hpa: Hpa, memory: Memory
) -> int:
    """One sync: the number of pods from now on. HPA and metrics are silent at 0 pods."""
    if pods == 0:
        return 0
    wanted = wanted_pods(metrics, tick, pods, ready, hpa)
    if wanted == _NOTHING:
        return pods
    found = stabilised(wanted, pods, now, hpa, memory)
    if found > pods:
        found = min(found, up_limit(pods, now, hpa, memory))
    elif found < pods:
        found = max(found, down_limit(pods, now, hpa, memory))
    found = min(max(found, hpa.least), hpa.most)
    if found != pods:
        place = memory.counts[_MOVED] % len(memory.moved)
        memory.moved_at[place] = now
        memory.moved[place] = found - pods
        memory.counts[_MOVED] += 1
    return found
