"""Shapes of the review API's bodies."""

import math
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from prescaler.core.control import Control
from prescaler.core.decision import Decision
from prescaler.core.durations import format_duration
from prescaler.core.errors import BadParameter
from prescaler.core.event_records import FeedStatus
from prescaler.core.explain import growth_told
from prescaler.core.hpa import pods_for
from prescaler.core.instants import format_instant, from_epoch, parse_instant
from prescaler.core.lead_time import Late, Raise, next_raise
from prescaler.core.policy import Mode, StartTime
from prescaler.core.records import AuditEntry, LoggedDecision, RunStatus
from prescaler.usecases.foresee import beyond_max
from prescaler.usecases.foretell import Growing, growing, sleeping
from prescaler.usecases.review import Columns
from prescaler.usecases.serve_metric import Served
from prescaler.usecases.survey import Glance, Peak


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("write an instant such as 2026-11-24T20:41:00Z")  # noqa: TRY004 - pydantic collects ValueError
    try:
        return parse_instant(value)
    except BadParameter as error:
        raise ValueError(str(error)) from error


InstantText = Annotated[datetime, BeforeValidator(_instant)]
"""An instant in a query or a body: RFC 3339 with its offset."""


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000, description="why; stands in the audit")
    until: InstantText | None = Field(None, description="when it ends by itself; null = never")


class ModeBody(_Body):
    """Another mode than the file's; the file's own clears the change."""

    mode: Mode


class FreezeBody(_Body):
    """Keep what is being served at this moment."""


class OverrideBody(_Body):
    """A person's own value: either pods or load."""

    pods: int | None = Field(None, ge=0, le=100_000)
    load: Annotated[float, AfterValidator(_finite)] | None = Field(None, ge=0)


def series_json(found: Columns) -> dict[str, Any]:
    """Columns with their stamps; what is not known is null."""
    return {
        "stamps": [format_instant(from_epoch(int(s))) for s in found.stamps],
        "step": format_duration(found.step),
        "columns": {name: _numbers(column) for name, column in found.columns.items()},
    }


def _numbers(column: Any) -> list[float | None]:
    rounded = np.round(column, 3)
    return [float(x) if ok else None for x, ok in zip(rounded, np.isfinite(column), strict=True)]


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision with its waterfall, pods beside every stage."""
    return {
        "at": format_instant(decision.at),
        "value": decision.value,
        "pods": decision.pods,
        "target": decision.target,
        "status": decision.status.value,
        "reason": decision.reason,
        "detail": decision.detail,
        "mode": decision.mode.value,
        "would_serve": decision.would_serve,
        "growth": decision.growth,
        "stages": [
            _stage(stage.name, stage.load, stage.note, decision.target) for stage in decision.stages
        ],
    }


def _stage(name: str, load: float | None, note: str, target: float) -> dict[str, Any]:
    return {
        "stage": name,
        "load": None if load is None else round(load, 3),
        "pods": None if load is None else pods_for(load, target),
        "note": note,
    }


def logged_json(entry: LoggedDecision, target: float) -> dict[str, Any]:
    """A decision from the log; growth_words: what was told of growth, null for a plan."""
    stages = [_stage(name, load, note, entry.target or target) for name, load, note in entry.stages]
    cutoff = format_instant(entry.cutoff) if entry.cutoff else None
    plain = {k: v for k, v in vars(entry).items() if k not in ("since", "cutoff", "stages")}
    return {
        "since": format_instant(entry.since),
        **plain,
        "cutoff": cutoff,
        "growth_words": growth_told(entry.stages),
        "stages": stages,
    }


def control_json(control: Control) -> dict[str, Any]:
    """What people and guards have set, each with author, reason and end."""
    return {
        "mode": _entry(control.mode, "mode"),
        "freeze": _entry(control.freeze, "value"),
        "override": _entry(control.override, "load", "pods"),
        "guard": _plain(vars(control.guard)) if control.guard else None,
        "revision": control.revision,
    }


def _entry(found: Any, *names: str) -> dict[str, Any] | None:
    if found is None:
        return None
    return _plain({**vars(found.by), **{name: getattr(found, name) for name in names}})


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {k: format_instant(v) if isinstance(v, datetime) else v for k, v in found.items()}


def run_json(status: RunStatus | None) -> dict[str, Any] | None:
    """How the newest run ended."""
    if status is None:
        return None
    failure = status.source_failure
    return {
        **_plain({k: v for k, v in vars(status).items() if k != "source_failure"}),
        "outcome": status.outcome.value,
        "source_failure": vars(failure) if failure else None,
    }


def audit_json(entry: AuditEntry) -> dict[str, Any]:
    """One entry of the audit."""
    return _plain(vars(entry))


def feed_json(name: str, status: FeedStatus | None) -> dict[str, Any]:
    """How the newest fetch of a feed went; nulls where there was none."""
    if status is None:
        nothing = dict.fromkeys(("at", "good_at", "error", "events"))
        return {"name": name, **nothing, "warnings": []}
    return {**_plain(vars(status)), "warnings": list(status.warnings)}


def summary_json(glance: Glance) -> dict[str, Any]:
    """One line of the list of workloads, without what costs more."""
    served, decision = glance.served, glance.decision
    forecast = served.state.forecast
    observed = served.state.observed
    return {
        "name": served.workload.name,
        "labels": dict(served.workload.labels),
        "status": decision.status.value,
        "reason": decision.reason,
        "mode": decision.mode.value,
        "value": decision.value,
        "pods": decision.pods,
        "target": decision.target,
        "cutoff": format_instant(forecast.cutoff) if forecast else None,
        "age_seconds": int(decision.age.total_seconds()) if decision.age is not None else None,
        "last_actual": observed.last_actual,
        "last_actual_at": format_instant(observed.last_actual_at)
        if observed.last_actual_at
        else None,
        "expected": glance.expected,
        "error_ratio": glance.error_ratio,
        "coverage": glance.coverage,
        "run_age_seconds": int(glance.behind.total_seconds()) if glance.behind else None,
        "urgency": glance.finding.urgency.name.lower(),
        "finding": glance.finding.what or None,
        "next_step": glance.finding.next_step or None,
        "run": run_json(served.state.status),
    }


def ahead_json(served: Served, decision: Decision, now: datetime) -> dict[str, Any]:
    """How live demand is carried on, and sleep; null each where the workload has none of it."""
    grown, sleep = growing(served, decision, now), sleeping(served, decision, now)
    return {
        "growth": _growing_json(grown) if grown else None,
        "sleep": _plain(vars(sleep)) if sleep else None,
    }


def _growing_json(grown: Growing) -> dict[str, Any]:
    at = grown.ahead.at
    return {
        "now": grown.now,
        "planned": grown.ahead.now,
        "highest": grown.ahead.highest,
        "highest_at": format_instant(at) if at else None,
        "looks_ahead": format_duration(grown.looks_ahead),
        "live": grown.live,
        "reactive_pods": grown.reactive,
        "pods": grown.pods,
    }


def lead_json(served: Served, now: datetime) -> dict[str, Any]:
    """The next raise, when it must begin at the latest, and where the lead time comes from."""
    lead, cells = served.policy.lead_time, served.asking(now)
    asked = served.asked(served.decide(now))
    coming = next_raise(cells, served.policy, now, asked) if cells else None
    late, starts = served.sighting.late, served.starts
    beyond = beyond_max(served, now)
    return {
        "next_raise": raise_json(coming) if coming else None,
        "unreachable": late_json(late) if late else None,
        "beyond_max": _plain(vars(beyond)) if beyond else None,
        "lead_time": {
            "pod_start": _start_json(lead.pod_start, starts.pods if starts else None),
            "node_start": _start_json(lead.node_start, starts.nodes if starts else None),
            "samples": {"pods": starts.pod_samples, "nodes": starts.node_samples}
            if starts
            else None,
        },
    }


def raise_json(coming: Raise) -> dict[str, Any]:
    """More pods at an instant, and the last moment to ask for them."""
    return {
        "at": format_instant(coming.at),
        "pods": coming.pods,
        "latest_start": format_instant(coming.latest_start),
        "lead": format_duration(coming.lead),
    }


def late_json(late: Late) -> dict[str, Any]:
    """A raise whose pods will be too late, and what would have helped."""
    return {
        "at": format_instant(late.at),
        "pods": late.pods,
        "running": late.running,
        "late_by": format_duration(late.late_by),
        "helps": list(late.helps),
    }


def _start_json(used: StartTime, measured: StartTime | None) -> dict[str, Any]:
    source = "measured" if measured is not None else "configured"
    return {"p50": format_duration(used.p50), "p95": format_duration(used.p95), "source": source}


def peak_json(peak: Peak | None) -> dict[str, Any] | None:
    """The next peak, and until when its pods must have been asked for."""
    return _plain(vars(peak)) if peak is not None else None
