"""A replay as plain JSON values. docs/replay.md describes the shape; `version` counts changes."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.durations import format_duration
from prescaler.core.instants import format_instant, from_epoch
from prescaler.core.replay.advice import Advice, Judged, frontier
from prescaler.core.replay.arms import Played
from prescaler.core.replay.bound import LEVEL
from prescaler.core.replay.curves import drawing_step, dropped_at, stamps_of, thinned
from prescaler.core.replay.ground import FORECAST_ARMS, Arm, Setting
from prescaler.core.replay.measures import EVENT, ORDINARY, Measures
from prescaler.core.replay.objects import (
    Place,
    changes,
    configured_for,
    object_for,
    settings_for,
)
from prescaler.core.replay.paired import Interval
from prescaler.core.replay.scaling import TICK, Scaling
from prescaler.core.replay.words import advice_words, sleep_words, told
from prescaler.core.scaledobject import Variant, default_variant
from prescaler.usecases.replay_period import Compared, Replay

VERSION: Final = 1
_DIGITS: Final = 9
_GROUPS: Final = (("reactive", (Arm.REACTIVE,)), ("prescaler", FORECAST_ARMS))


def document(replay: Replay, place: Place | None = None) -> dict[str, Any]:
    """The whole result. place: what the ScaledObjects point at."""
    found = {
        "version": VERSION,
        "workload": replay.subject.workload.name,
        "period": _period(replay),
        "assumptions": assumptions(replay),
        "present": _row(replay, replay.present),
        "arms": [
            {**_row(replay, one), "against_present": _compared(beside)}
            for one, beside in zip(replay.arms, replay.compared, strict=True)
        ],
        "events": _events(replay),
        "sweep": [_row(replay, one) for one in replay.sweep],
        "frontier": _frontiers(replay),
        "advice": _advice(replay, place or Place()),
        "series": _series(replay),
    }
    plain: dict[str, Any] = _plain(found)
    return plain


def _period(replay: Replay) -> dict[str, Any]:
    known = float(np.isfinite(replay.ground.load.demand).mean())
    return {
        "start": format_instant(replay.start),
        "end": format_instant(replay.end),
        "days": (replay.end - replay.start) / timedelta(days=1),
        "tick": format_duration(TICK),
        "known_share": known,
        "days_with_forecasts": replay.covered_days,
        "events": len(replay.ground.events),
    }


def assumptions(replay: Replay) -> dict[str, Any]:
    """Everything that was assumed, so that anybody can argue with it."""
    ground, delays, prices = replay.ground, replay.ground.delays, replay.wish.prices
    scaling = ground.scaling
    return {
        "per_pod": ground.capacity,
        "per_pod_guessed": replay.subject.capacity_guessed,
        "seeds": list(replay.wish.seeds),
        "pods": {"least": 0 if scaling.sleep else scaling.least, "most": scaling.most},
        "sleep": _sleep(scaling),
        "tolerance": asdict(scaling.tolerance),
        "behavior": "built-in ramp" if scaling.behavior is None else "policies",
        "running_pods_known": ground.counted,
        "pod_start": {
            "median_seconds": delays.pod_median.total_seconds(),
            "sigma": delays.pod_sigma,
        },
        "node_start": {
            "least_seconds": delays.node_least.total_seconds(),
            "most_seconds": delays.node_most.total_seconds(),
        },
        "pods_per_node": delays.pods_per_node,
        "spare_room": delays.spare_room,
        "spot_loss": delays.spot_loss,
        "prices": asdict(prices),
    }


def _sleep(scaling: Scaling) -> dict[str, Any] | None:
    """KEDA's own loop; null where the workload never sleeps and it plays no part."""
    if scaling.sleep is None:
        return None
    return {
        "polling_seconds": scaling.sleep.polling.total_seconds(),
        "cooldown_seconds": scaling.sleep.cooldown.total_seconds(),
        "wakes_to": scaling.least,
        "wake_at": scaling.sleep.wake_at,
    }


def setting_json(setting: Setting) -> dict[str, Any]:
    """A configuration; null where it does not apply."""
    return {
        "arm": setting.arm.value,
        "utilisation": setting.utilisation,
        "quantile": setting.quantile,
        "hold": format_duration(setting.hold) if setting.hold is not None else None,
        "reactive_utilisation": setting.reactive,
        "times": setting.times,
        "growth": setting.growth,
        "text": told(setting),
    }


def _row(replay: Replay, one: Played) -> dict[str, Any]:
    prices, events = replay.wish.prices, bool(replay.ground.events)
    return {
        "setting": setting_json(one.setting),
        "all": asdict(one.tally.measures(prices)),
        "in_events": asdict(one.tally.measures(prices, EVENT)) if events else None,
        "ordinary": asdict(one.tally.measures(prices, ORDINARY)) if events else None,
        "readiness": one.readiness,
        "minutes_late": one.late,
        "swallowed": one.swallowed,
        "lost": one.lost,
        "asleep": one.asleep,
        "woken": one.woken,
        "if_dead": _if_dead(replay, one),
    }


def _if_dead(replay: Replay, one: Played) -> float | None:
    """Share of demand dropped were prescaler dead; null where it takes no part."""
    if one.setting.arm not in FORECAST_ARMS:
        return None
    runs = [*replay.sweep, *replay.arms, replay.present]
    alone = next((run for run in runs if run.setting == one.setting.alone), None)
    return alone.tally.measures(replay.wish.prices).dropped if alone is not None else None


def _compared(one: Compared) -> dict[str, Any]:
    return {"dropped": _interval(one.dropped), "pod_hours": _interval(one.pod_hours)}


def _interval(one: Interval) -> dict[str, float | None]:
    return {"change": one.value, "low": one.low, "high": one.high}


def _events(replay: Replay) -> list[dict[str, Any]]:
    rows = replay.present.starts
    return [
        {
            "name": at.name,
            "start": format_instant(at.start),
            "needed": at.needed,
            "arms": [
                {
                    "arm": one.setting.arm.value,
                    "readiness": one.starts[number].readiness,
                    "minutes_late": one.starts[number].late,
                }
                for one in replay.arms
            ],
        }
        for number, at in enumerate(rows)
    ]


def _frontiers(replay: Replay) -> dict[str, Any]:
    """Indices into `sweep` of the runs that none of the same side beats."""
    found: dict[str, Any] = {}
    for name, arms in _GROUPS:
        rows = [n for n, one in enumerate(replay.sweep) if one.setting.arm in arms]
        runs = [replay.sweep[n] for n in rows]
        prices = replay.wish.prices
        found[name] = [rows[n] for n in frontier(runs, prices)]
        if replay.ground.events:
            found[f"{name}_in_events"] = [rows[n] for n in frontier(runs, prices, EVENT)]
    return found


def _advice(replay: Replay, place: Place) -> dict[str, Any] | None:
    advice = replay.advice
    if advice is None:
        return None
    return {
        "verdict": advice.verdict.value,
        "promise": {"text": advice.promise.text, "limit": advice.promise.limit},
        "best": _judged(advice, advice.best),
        "present": _judged(advice, advice.present),
        "best_reactive": _judged(advice, advice.reactive),
        "best_forecast": _judged(advice, advice.forecast),
        "next_more_careful": _judged(advice, advice.careful),
        "certainty": LEVEL,
        "certain": advice.sure,
        "kept_on_the_last_third": advice.kept,
        "saving_in_30_days": asdict(advice.saving) if advice.saving is not None else None,
        "words": [
            *advice_words(advice, replay.otherwise, replay.present, _variant(replay, advice)),
            *_sleep_words(replay, advice),
        ],
        "way": _way(replay, advice, place),
    }


def _sleep_words(replay: Replay, advice: Advice) -> list[str]:
    """Only where the workload may sleep at 0 pods."""
    sleep = replay.ground.scaling.sleep
    if sleep is None or advice.best is None:
        return []
    best = next(one for one in replay.sweep if one.setting == advice.best.setting)
    return sleep_words(replay.present, best, sleep.wake_at)


def _variant(replay: Replay, advice: Advice) -> Variant:
    """Of the ScaledObject that the advice leads to."""
    workload = replay.subject.workload
    if advice.best is None:
        return default_variant(workload)
    return default_variant(configured_for(workload, advice.best.setting))


def _way(replay: Replay, advice: Advice, place: Place) -> dict[str, Any] | None:
    """From the present configuration to the advised one: what changes, and the whole object."""
    if advice.best is None:
        return None
    workload, present, best = replay.subject.workload, replay.present.setting, advice.best.setting
    after = object_for(workload, best, place)
    return {
        "configuration": [
            asdict(one)
            for one in changes(settings_for(workload, present), settings_for(workload, best))
        ],
        "scaled_object_changes": [
            asdict(one) for one in changes(object_for(workload, present, place), after)
        ],
        "scaled_object": after,
    }


def _judged(advice: Advice, one: Judged | None) -> dict[str, Any] | None:
    if one is None:
        return None
    promise = advice.promise
    margins = one.margin(promise)
    return {
        "setting": setting_json(one.setting),
        "first_two_thirds": {
            **_part(promise.of(one.chosen_on), margins[0], one.chosen_on),
            "bound": None if one.quiet else one.bound,
        },
        "last_third": _part(promise.of(one.verified_on), margins[1], one.verified_on),
        "if_dead": one.dead.dropped if one.dead is not None else None,
    }


def _part(value: float, margin: float, found: Measures) -> dict[str, Any]:
    return {"value": value, "margin": margin, "pod_hours": found.pod_hours, "kwh": found.kwh}


def _series(replay: Replay) -> dict[str, Any]:
    """Demand, ready pods and dropped demand of every arm, thin enough to draw."""
    load, capacity = replay.ground.load, replay.ground.capacity
    step = drawing_step(load)
    columns: dict[str, Any] = {"demand": _numbers(thinned(load.demand, step))}
    for one in replay.arms:
        name = one.setting.arm.value
        columns[f"ready:{name}"] = _numbers(thinned(one.ready, step))
        columns[f"dropped:{name}"] = _numbers(thinned(dropped_at(load, one.ready, capacity), step))
    stamps = [format_instant(from_epoch(int(t))) for t in stamps_of(load, step)]
    return {"stamps": stamps, "step": format_duration(step), "columns": columns}


def _numbers(values: FloatArray) -> Sequence[float | None]:
    return [None if not np.isfinite(v) else float(f"{v:.5g}") for v in values.tolist()]


def _plain(value: Any) -> Any:
    """Numbers that JSON knows, nine digits of them."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value
