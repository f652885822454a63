"""A decision in words: what was served, through which stages, and why not something else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from prescaler.core.durations import parse_duration
from prescaler.core.errors import BadParameter
from prescaler.core.growth import CARRIED_ON
from prescaler.core.hpa import pods_for
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.records import LoggedDecision

_WORDS: Final = {
    "median": "median of the forecast for that moment",
    "quantile": "quantile that the policy wants",
    "event": "with planned events",
    "peak": "with the peak inside the step",
    "maximum": "highest need from then until the lead time and hold are over",
    "mode": "what the mode lets through",
    "floor": "at least the declared floors",
    "override": "what a person has set",
    "tolerance": "smallest size that the HPA can reach",
    "ceiling": "at most policy.max_pods",
    "rounding": "as it was sent",
}

_NOT_SERVED: Final = {
    "maximum": "highest need of a plan, which growth does not serve",
    "mode": "what is served of the plan: nothing, growth is",
}

_REASONS: Final = {
    "naive": "the pool was worse than a copy of the past, so the copy was served",
    "capped": "mode capped cut the forecast at (1 + cap) x max(naive, last actual)",
    "ceiling": "policy.max_pods cut it",
    "stale_demand": "demand had stopped coming in; the last forecast went on",
    "warming_up": "no forecast: none had been made since the start",
    "too_little_history": "no forecast: there was too little history",
    "no_forecast": "no forecast: the last runs gave none",
    "forecast_ended": "no forecast: the last one had ended",
    "worse_than_naive": "no forecast: it was worse than naive, and naive was missing",
    "shadow": "mode shadow: the forecast was only watched",
    "off": "mode off: nothing was served",
}

_STATUS: Final = {
    "active": "the forecast took part",
    "floor": "only declared floors were served",
    "neutral": "nothing was asked for: reactive scaling alone",
    "held": "the last valid value was held",
    "frozen": "a person had frozen the value",
    "override": "a person had set the value",
}


@dataclass(frozen=True)
class Explained:
    """One stage: pods and load None where nothing was known."""

    stage: str
    load: float | None
    pods: int | None
    text: str


@dataclass(frozen=True)
class Explanation:
    """headline and facts: sentences; stages: the waterfall."""

    headline: str
    facts: tuple[str, ...]
    stages: tuple[Explained, ...]


def explain(entry: LoggedDecision, target: float, zone: ZoneInfo, at: datetime) -> Explanation:
    """What was in force at an instant. target: for decisions logged without theirs."""
    per_pod = entry.target or target
    pods = f"{entry.pods} pod{'' if entry.pods == 1 else 's'}"
    told = f"{pods} ({entry.value:g} load units at {per_pod:g} a pod)"
    grown = growth_told(entry.stages)
    if grown is not None:
        told = f"{grown}; at least {told}" if entry.value else grown
    stages = tuple(_stages(entry.stages, per_pod, grows=grown is not None))
    return Explanation(
        f"{both(at, zone)}: {told}", tuple(_facts(entry, zone, at, grows=grown is not None)), stages
    )


def growth_told(stages: Sequence[tuple[str, float | None, str]]) -> str | None:
    """What was told of growth, as "live demand x 1.5"; None where the forecast acted as a plan."""
    note = next((note for name, _, note in stages if name == "mode"), "")
    _, found, times = note.rpartition(CARRIED_ON)
    if not found:
        return None
    would_be = f"{CARRIED_ON}1.0, would be x {times}"
    return would_be if "would be" in note else f"{CARRIED_ON}{times}"


def _facts(entry: LoggedDecision, zone: ZoneInfo, at: datetime, *, grows: bool) -> list[str]:
    facts = [f"in force since {both(entry.since, zone)}"]
    facts.append(f"status {entry.status}: {_STATUS.get(entry.status, 'unknown to this release')}")
    if entry.reason is not None:
        facts.append(f"reason {entry.reason}: {reason_text(entry.reason)}")
    if entry.detail is not None:
        facts.append(f"detail: {entry.detail}")
    beside = " beside growth" if grows else ""
    facts.append(f"mode {entry.mode}; mode active would have served {entry.would_serve:g}{beside}")
    if grows:
        facts.append("acts as growth: KEDA multiplies what it reads itself; the plan is not served")
    if entry.cutoff is None:
        facts.append("no forecast was there")
    else:
        age = int((at - entry.cutoff).total_seconds()) // 60
        facts.append(f"forecast with cutoff {both(entry.cutoff, zone)}, {age} minutes before")
    return facts


def reason_text(reason: str) -> str:
    """A reason in words."""
    if reason.startswith("guard:"):
        return f"the guard {reason.removeprefix('guard:')} kept the forecast out"
    return _REASONS.get(reason, "unknown to this release")


def _stages(
    stages: tuple[tuple[str, float | None, str], ...], target: float, *, grows: bool
) -> list[Explained]:
    words = _WORDS | _NOT_SERVED if grows else _WORDS
    return [
        Explained(
            name,
            load,
            None if load is None else pods_for(load, target),
            f"{words.get(name, name)}{f' ({note})' if note else ''}",
        )
        for name, load, note in stages
    ]


def both(instant: datetime, zone: ZoneInfo) -> str:
    """An instant in local time and in UTC."""
    local = instant.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {zone.key} ({format_instant(instant)})"


def local_instant(text: str, zone: ZoneInfo) -> datetime:
    """An instant with its offset, or a wall clock time of a zone ("2026-11-24 20:41").

    An hour that the autumn clock shows twice is the first one.

    Raises:
        BadParameter: no such form, day or hour (the spring clock skips one).
    """
    try:
        wall = datetime.fromisoformat(text.strip())
    except ValueError:
        return parse_instant(text.strip())
    if wall.tzinfo is not None:
        return parse_instant(text.strip())
    found = wall.replace(tzinfo=zone, microsecond=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) != wall.replace(microsecond=0):
        raise BadParameter(f"{text!r} does not exist in {zone.key}: the clock skips it")
    return found


def until(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """An end, as a duration from now ("2h") or an instant as in `local_instant`.

    Raises:
        BadParameter: neither.
    """
    try:
        length: timedelta | None = parse_duration(text)
    except BadParameter:
        length = None
    return now + length if length is not None else local_instant(text, zone)
