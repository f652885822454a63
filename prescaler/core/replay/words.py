"""The result of a replay in plain words."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.durations import format_duration
from prescaler.core.replay.advice import LEAST_DAYS, WORTH, Advice, Judged, Saving, Verdict
from prescaler.core.replay.arms import Played
from prescaler.core.replay.bound import LEVEL
from prescaler.core.replay.ground import FORECAST_ARMS, Arm, Setting
from prescaler.core.replay.promise import Promise
from prescaler.core.scaledobject import Variant

NAMES: Final = {
    Arm.PEAK: "always the pods of the peak",
    Arm.REACTIVE: "reactive",
    Arm.TODAY_CODE: "windows x multiplier, 11/10 code",
    Arm.TODAY_FLOOR: "windows x multiplier, absolute floor",
    Arm.CRON: "KEDA cron",
    Arm.WEEK_AGO: "copy of last week",
    Arm.PLAIN: "prescaler without events",
    Arm.CALENDAR: "prescaler with events",
    Arm.ORACLE: "oracle, same delays",
    Arm.BOUND: "oracle, no delays",
}
_PERCENT: Final = 100.0
_FEW_DAYS: Final = 0.1
_MOST_OF_IT: Final = 0.8


def told(setting: Setting) -> str:
    """A setting in words."""
    parts = [f"{NAMES[setting.arm]} at {_PERCENT * setting.utilisation:g} %"]
    if setting.growth:
        parts.append("growth of live demand")
    if setting.quantile is not None:
        parts.append(f"quantile {setting.quantile:g}")
    if setting.hold is not None:
        parts.append(f"hold {format_duration(setting.hold)}")
    if setting.reactive is not None:
        parts.append(f"reactive * K at {_PERCENT * setting.reactive:g} %")
    if setting.times > 1:
        parts.append(f"x{setting.times}")
    return ", ".join(parts)


@dataclass(frozen=True)
class Otherwise:
    """What reactive scaling would do in another world; None: not played.

    faster: pods ready in half the time. exact: no scale-up tolerance.
    """

    faster: Advice | None = None
    exact: Advice | None = None


def advice_words(
    advice: Advice, otherwise: Otherwise, present: Played, variant: Variant = Variant.FORMULA
) -> list[str]:
    """What to do, and how sure that is, sentence by sentence. variant: of the ScaledObject."""
    if advice.best is None or advice.saving is None or advice.present is None:
        return [
            (
                f"Too little history: {LEAST_DAYS} whole days with forecasts are needed, to choose "
                "on some and verify on others; each forecast itself needs 36 hours before it. "
                "Backfill, or come back later."
            )
        ]
    found = [_headline(advice, advice.best), *_verified(advice, advice.best), *_next(advice)]
    found.append(_saved(advice.promise, advice.saving, advice.present))
    found += _dead(advice.best) + _frozen(advice.best, variant)
    if advice.verdict is not Verdict.PREDICTION_PAYS:
        found += what_pays(advice, otherwise, present)
    return found


def _headline(advice: Advice, best: Judged) -> str:
    promise, what = advice.promise, told(best.setting)
    if advice.verdict in _KEPT and not advice.kept:
        best_of = "cheapest that" if advice.sure else "most careful of those that"
        return (
            f"Not proven: {what} was the {best_of} kept {promise.text} on the first two thirds, "
            "and broke it on the last."
        )
    if advice.verdict is Verdict.PREDICTION_PAYS:
        best_of = "cheapest that keeps" if advice.sure else "most careful of those that kept"
        return f"Prediction pays: {what} is the {best_of} {promise.text}{_certain(advice)}."
    if advice.verdict is Verdict.REACTIVE_IS_ENOUGH:
        saved, kept = _spared(advice), "keeps" if advice.sure else "kept"
        return (
            f"Prediction does not pay here: {what} {kept} {promise.text}{_certain(advice)} without "
            "a forecast" + (f"; the best forecast spends {saved}" if saved else "") + "."
        )
    value = promise.told(promise.of(best.chosen_on))
    return (
        f"No configuration that was tried keeps {promise.text}; {what} comes nearest with {value}."
    )


def _certain(advice: Advice) -> str:
    loud = advice.sure and advice.best is not None and not advice.best.quiet
    return f" with {_PERCENT * LEVEL:g} % certainty" if loud else ""


def _spared(advice: Advice) -> str:
    if advice.forecast is None or advice.reactive is None:
        return ""
    ratio = advice.forecast.chosen_on.pod_hours / advice.reactive.chosen_on.pod_hours - 1
    side = "more" if ratio >= 0 else "less"
    return (
        f"{abs(_PERCENT * ratio):.1f} % {side} pod-hours, and {_PERCENT * WORTH:g} % less would be "
        "worth it"
    )


def _verified(advice: Advice, best: Judged) -> list[str]:
    promise = advice.promise
    first, last = (promise.told(promise.of(m)) for m in (best.chosen_on, best.verified_on))
    verdict = "which keeps it" if advice.kept else "which BREAKS it"
    found = [
        (
            f"Chosen on the first two thirds ({first}; {_may_come(promise, best)}); the last third "
            f"came to {last}, {verdict}."
        )
    ]
    if advice.verdict in _KEPT and not advice.sure:
        found.append(
            f"These days are too few to be {_PERCENT * LEVEL:g} % certain of any setting: take "
            "it as a hint, and play a longer period."
        )
    return found


def _may_come(promise: Promise, best: Judged) -> str:
    """The bound; where nothing went wrong, the number of spells that this leaves possible."""
    certain = f"with {_PERCENT * LEVEL:g} % certainty"
    if not best.quiet:
        return f"{certain} at most {promise.told(best.bound)}"
    spells = promise.most_spells(best.chosen_on.hours)
    return (
        f"{certain} at most {spells:.2g} bad spells in {format_duration(promise.per)}, however long"
    )


def _next(advice: Advice) -> list[str]:
    """Where the last third broke it: what would have kept it on all days."""
    if advice.kept or advice.best is None:
        return []
    if advice.careful is None:
        return ["No more careful setting that was tried kept it on all days."]
    more = advice.careful.chosen_on.pod_hours / advice.best.chosen_on.pod_hours - 1
    return [
        (
            f"The next more careful one, {told(advice.careful.setting)}, kept it on all days, with "
            f"{abs(_PERCENT * more):.1f} % {'more' if more >= 0 else 'fewer'} pod-hours."
        )
    ]


def _saved(promise: Promise, saving: Saving, present: Judged) -> str:
    side = "saves" if saving.pod_hours >= 0 else "costs"
    return (
        f"Against {told(present.setting)}, which comes to "
        f"{promise.told(promise.of(present.verified_on))}, it {side} "
        f"{abs(saving.pod_hours):,.0f} pod-hours ({abs(_PERCENT * saving.share):.1f} %), "
        f"{abs(saving.cost):,.0f} in money and {abs(saving.kwh):,.0f} kWh in 30 days."
    )


def _dead(best: Judged) -> list[str]:
    if best.setting.arm is Arm.REACTIVE or best.dead is None:
        return []
    share, alone = _PERCENT * best.dead.dropped, best.setting.alone
    return [
        (
            f"Were prescaler dead all the time, {told(alone)} would be left and drop "
            f"{share:.3g} % of demand; `reactive * K` with a constant K keeps reality at a target "
            "of its own."
        )
    ]


def _frozen(best: Judged, variant: Variant) -> list[str]:
    """What no replay of reachable demand shows: the default formula needs reality to answer."""
    if best.setting.arm not in FORECAST_ARMS or variant is not Variant.FORMULA:
        return []
    return [
        (
            "Were Prometheus away, the default formula would keep the pods that run, whatever the "
            "forecast says; `prescaler keda --variant carry-on` lets the forecast stand in "
            "(figures in docs/replay.md, Stress)."
        )
    ]


def sleep_words(present: Played, best: Played, wake_at: float) -> list[str]:
    """What 0 pods mean for a workload that may sleep. wake_at: pods a plan must be above."""
    found = [
        (
            f"The workload may sleep: as today {_asleep(present)}, as named here {_asleep(best)}. "
            "What comes while no pod is ready counts as dropped; the reactive query must see "
            "demand that no pod serves."
        )
    ]
    if best.setting.arm in FORECAST_ARMS:
        found.append(f"A plan above {wake_at:g} pods wakes it, and keeps it awake.")
    return found


def _asleep(one: Played) -> str:
    return f"{_PERCENT * one.asleep:.0f} % of the time at 0 pods and woken {one.woken:.0f} times"


def what_pays(advice: Advice, otherwise: Otherwise, present: Played) -> list[str]:
    """What helps where a forecast does not."""
    found = []
    if _hotter(advice):
        found.append("A higher target pays: the present one keeps more room than is needed.")
    found += _other("Faster pods pay: ready in half the time", advice, otherwise.faster)
    found += _other(
        "A scale-up tolerance of 0 pays (Kubernetes 1.35 or newer, lead_time.tolerance)",
        advice,
        otherwise.exact,
    )
    return found + _rare(present)


def _other(what: str, advice: Advice, other: Advice | None) -> list[str]:
    """A sentence where another world is worth it, or the only one that keeps the promise."""
    best, found = advice.best, other.best if other and other.verdict in _KEPT else None
    if best is None or found is None or not best.chosen_on.pod_hours:
        return []
    spared = 1 - found.chosen_on.pod_hours / best.chosen_on.pod_hours
    if spared <= WORTH and advice.verdict is not Verdict.PROMISE_OUT_OF_REACH:
        return []
    side = "fewer" if spared >= 0 else "more"
    amount = f"{abs(_PERCENT * spared):.0f} % {side} pod-hours"
    return [f"{what}, {told(found.setting)} would keep it with {amount}."]


_KEPT: Final = (Verdict.REACTIVE_IS_ENOUGH, Verdict.PREDICTION_PAYS)


def _hotter(advice: Advice) -> bool:
    best, present = advice.best, advice.present
    return (
        best is not None
        and present is not None
        and advice.verdict in _KEPT
        and best.setting.utilisation > present.setting.utilisation
    )


def _rare(present: Played) -> list[str]:
    """Where a few days hold nearly all that was dropped, knowing these days ahead would help."""
    dropped = present.tally.row("dropped")
    few = max(1, int(_FEW_DAYS * len(dropped)))
    total = float(dropped.sum())
    if total <= 0 or len(dropped) <= few:
        return []
    share = float(np.sort(dropped)[-few:].sum()) / total
    if share < _MOST_OF_IT:
        return []
    return [
        (
            f"{_PERCENT * share:.0f} % of what is dropped now falls on {few} of {len(dropped)} "
            "days: if somebody knows such days ahead, plan them as events."
        )
    ]
