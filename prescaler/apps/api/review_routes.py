"""The review API: everything a page, a tool or a person may want to look at."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import yaml
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from prescaler.apps.api.context import ApiContext, Context, OneWorkload, Reader, documented
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.shapes import (
    InstantText,
    ahead_json,
    control_json,
    decision_json,
    feed_json,
    lead_json,
    logged_json,
    peak_json,
    run_json,
    series_json,
    summary_json,
)
from prescaler.apps.api.warnings import replica_json, warning_json, warnings
from prescaler.core.durations import parse_duration
from prescaler.core.errors import BadParameter, StoreError
from prescaler.core.explain import explain
from prescaler.core.instants import format_instant
from prescaler.core.scaledobject import (
    Variant,
    default_variant,
    scaled_object,
    trigger_authentications,
)
from prescaler.usecases.log_decisions import logged
from prescaler.usecases.review import (
    Span,
    demand_columns,
    forecast_as_of,
    forecast_columns,
    plan_columns,
)
from prescaler.usecases.serve_metric import Served
from prescaler.usecases.survey import Glance, Urgency, next_peak
from prescaler.wiring import reactive_sources

router = APIRouter(prefix="/api/v1", tags=["review"], dependencies=documented)

From = Annotated[InstantText | None, Query(alias="from", description="first instant, RFC 3339")]
To = Annotated[InstantText | None, Query(alias="to", description="end, not included")]
Step = Annotated[str | None, Query(description="spacing such as 5m")]
Limit = Annotated[int, Query(ge=1, le=500)]


class ListQuery(BaseModel):
    """Which workloads, and in which order."""

    search: str = Field("", max_length=200, description="part of a name or of a label's value")
    label: str | None = Field(None, max_length=200, description="key=value")
    status: str | None = Field(None, max_length=20, description="status of the present answer")
    urgency: str | None = Field(
        None, pattern="^(fine|note|look|act)$", description="this urgency or a higher one"
    )
    sort: str = Field(
        "name",
        pattern="^-?(name|value|pods|age_seconds|error_ratio|coverage|attention)$",
        description="`attention` begins with what somebody should look at",
    )
    limit: int = Field(100, ge=1, le=500)
    cursor: str | None = Field(None, max_length=20, description="`next` of the page before")


@router.get("/workloads")
def list_workloads(
    context: Context, caller: Reader, asked: Annotated[ListQuery, Query()]
) -> dict[str, Any]:
    """Workloads that the key may see, page by page."""
    page = workload_page(context, caller, asked)
    items = [
        {
            **summary_json(g),
            "next_peak": peak_json(next_peak(g.served, page.at)),
            **ahead_json(g.served, g.decision, page.at),
        }
        for g in page.glances
    ]
    return {"items": items, "next": page.following, "total": page.total, "counts": page.counts}


@dataclass(frozen=True)
class WorkloadPage:
    """A page of the list.

    chosen: all that search and label choose; counts: of every status and urgency among them;
    total: those that also have the status and urgency asked for.
    """

    at: datetime
    chosen: list[Glance]
    glances: list[Glance]
    following: str | None
    total: int
    counts: dict[str, int]


def workload_page(context: ApiContext, caller: Caller, asked: ListQuery) -> WorkloadPage:
    """The workloads that were asked for, sorted; the page that begins at the cursor."""
    now = context.now()
    chosen = [s for s in context.table if _chosen(s, caller, asked)]
    glances = context.survey.of(chosen, now)
    counts = Counter(g.decision.status.value for g in glances)
    counts.update(g.finding.urgency.name.lower() for g in glances)
    least = Urgency[asked.urgency.upper()] if asked.urgency else Urgency.FINE
    found = [
        g
        for g in glances
        if asked.status in (None, g.decision.status.value) and g.finding.urgency >= least
    ]
    found.sort(key=lambda g: g.served.workload.name)
    found.sort(key=_KEYS[asked.sort.lstrip("-")], reverse=asked.sort.startswith("-"))
    start = _position(asked.cursor)
    end = start + asked.limit
    following = str(end) if end < len(found) else None
    shown = [context.survey.now(g.served, now) for g in found[start:end]]
    return WorkloadPage(now, glances, shown, following, len(found), dict(counts))


_Sortable = tuple[bool, float | str]


def _number(of: Callable[[Glance], float | None]) -> Callable[[Glance], _Sortable]:
    """Unknown ones last (first, where the order is turned round)."""

    def key(glance: Glance) -> _Sortable:
        found = of(glance)
        return (found is None, found if found is not None else 0.0)

    return key


_KEYS: Final[dict[str, Callable[[Glance], _Sortable]]] = {
    "name": lambda g: (False, g.served.workload.name),
    "value": _number(lambda g: g.decision.value),
    "pods": _number(lambda g: g.decision.pods),
    "age_seconds": _number(lambda g: g.decision.age.total_seconds() if g.decision.age else None),
    "error_ratio": _number(lambda g: g.error_ratio),
    "coverage": _number(lambda g: g.coverage),
    "attention": _number(lambda g: -g.finding.urgency),
}


@router.get("/rises")
def list_rises(
    context: Context,
    caller: Reader,
    asked: Annotated[ListQuery, Query()],
) -> dict[str, Any]:
    """Workloads that will need more pods within a day, the steepest first, as `search` chooses."""
    now = context.now()
    chosen = [s for s in context.table if _chosen(s, caller, asked)]
    found = context.survey.rises(context.survey.of(chosen, now), now)
    items = [
        {
            "workload": rise.glance.served.workload.name,
            "pods": rise.glance.asked,
            "more": rise.more,
            "peak": peak_json(rise.peak),
        }
        for rise in found[: asked.limit]
    ]
    return {"items": items, "next": None}


@router.get("/workloads/{name}")
def show_workload(served: OneWorkload, context: Context, response: Response) -> dict[str, Any]:
    """One workload: what is declared, what is set, what is served, and why."""
    workload, control = served.workload, served.state.control.at(context.now())
    response.headers["ETag"] = etag(control.revision)
    now = context.now()
    glance = context.survey.now(served, now)
    decision = served.told(now)
    told = explain(logged(decision), decision.target, served.workload.forecast.timezone, now)
    return {
        **summary_json(glance),
        "next_peak": peak_json(next_peak(served, now)),
        "query": workload.demand.query,
        "sources": workload.demand.sources,
        "scale_target": vars(workload.scale_target),
        "timezone": str(workload.forecast.timezone),
        "control": control_json(control),
        "decision": decision_json(decision),
        "words": [told.headline, *told.facts],
        **lead_json(served, now),
        **ahead_json(served, decision, now),
        "weights": served.state.forecast.weights if served.state.forecast else None,
    }


@router.get("/workloads/{name}/demand")
def show_demand(
    served: OneWorkload, context: Context, first: From = None, to: To = None, step: Step = None
) -> dict[str, Any]:
    """Observed demand: mean and max in each step; null where nothing was observed."""
    now = context.now()
    span = _span(served, first or now - timedelta(days=1), to or now, step)
    return series_json(demand_columns(served, context.stores.demand, span))


@router.get("/workloads/{name}/forecasts")
def list_forecasts(
    served: OneWorkload,
    context: Context,
    first: From = None,
    to: To = None,
    as_of: Annotated[InstantText | None, Query(description="the newest at this instant")] = None,
) -> dict[str, Any]:
    """Cutoffs of stored forecasts, or with `as_of` the one that was the newest then."""
    if as_of is not None:
        found = forecast_as_of(served, context.stores.forecasts, as_of)
        return _forecast(found)
    version, now = served.state.version, context.now()
    if version is None:
        return {"items": [], "next": None}
    start, end = first or now - timedelta(days=7), to or now + timedelta(seconds=1)
    cutoffs = context.stores.forecasts.cutoffs(version, start, end)
    return {"items": [format_instant(cutoff) for cutoff in cutoffs], "next": None}


@router.get("/workloads/{name}/forecasts/latest")
def latest_forecast(served: OneWorkload) -> dict[str, Any]:
    """The forecast that is being served."""
    return _forecast(served.state.forecast)


@router.get("/workloads/{name}/plan")
def show_plan(
    served: OneWorkload, context: Context, first: From = None, to: To = None, step: Step = None
) -> dict[str, Any]:
    """The plan of the next hours, stage by stage, and the next raise with its latest safe start."""
    now = context.now()
    span = _span(served, first or now, to or now + timedelta(hours=48), step)
    return {**series_json(plan_columns(served, span, now)), **lead_json(served, now)}


@router.get("/workloads/{name}/decisions")
def list_decisions(
    served: OneWorkload,
    context: Context,
    first: From = None,
    to: To = None,
    at: Annotated[InstantText | None, Query(description="what was served at this instant")] = None,
) -> dict[str, Any]:
    """Changes of what was served, each with its waterfall; with `at` also in words."""
    version, now = served.state.version, context.now()
    if version is None:
        return {"items": [], "next": None}
    start = at or first or now - timedelta(days=1)
    end = start + timedelta(seconds=1) if at else to or now + timedelta(seconds=1)
    found = context.stores.decisions.between(version.workload, start, end)
    found = found[:1] if at else found
    target, zone = served.policy.target, served.policy.timezone
    items = [logged_json(entry, target) for entry in found]
    if at is not None:
        for item, entry in zip(items, found, strict=True):
            told = explain(entry, target, zone, at)
            item["words"] = [told.headline, *told.facts]
    return {"items": items, "next": None}


@router.get("/workloads/{name}/scaledobject", response_class=Response)
def show_scaledobject(
    served: OneWorkload, context: Context, variant: Variant | None = None
) -> Response:
    """The ScaledObject and TriggerAuthentication to paste."""
    settings, workload = context.settings(), served.workload
    sources = reactive_sources(settings, workload)
    found = scaled_object(
        workload,
        variant or default_variant(workload),
        public_url=settings.server.public_url,
        sources=sources,
    )
    documents = [found, *trigger_authentications(workload, sources)]
    text = yaml.safe_dump_all(documents, sort_keys=False, width=1000)
    return Response(text, media_type="application/yaml")


@router.get("/status")
def show_status(context: Context, caller: Reader) -> dict[str, Any]:
    """How prescaler itself is doing, and what differs from the file."""
    now = context.now()
    visible = [served for served in context.table if caller.sees(served.workload.name)]
    return {
        **context.health(),
        "warnings": [warning_json(one) for one in warnings(context, caller)],
        "replicas": [replica_json(one, now) for one in context.replicas(now)],
        "workloads": len(visible),
        "feeds": feeds_json(context),
        "differs_from_file": [
            {"workload": s.workload.name, **control_json(control)}
            for s in visible
            if _set(control := s.state.control.at(now))
        ],
        "source_failures": [
            {"workload": s.workload.name, "run": run_json(s.state.status)}
            for s in visible
            if s.state.status and s.state.status.source_failure
        ],
    }


def feeds_json(context: ApiContext) -> list[dict[str, Any]]:
    """How the configured calendars are doing; `at` is null where one was never fetched."""
    try:
        known = context.stores.feeds.all()
    except StoreError:
        known = {}
    return [feed_json(feed.name, known.get(feed.name)) for feed in context.settings().feeds]


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"{revision}"'


def revision_in(if_match: str | None) -> int | None:
    """The revision that an If-Match header names; None: whatever it is.

    Raises:
        BadParameter: it is no ETag of ours.
    """
    if if_match is None or if_match == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit():
        raise BadParameter("If-Match must be the ETag of what was read")
    return int(text)


def _set(control: Any) -> bool:
    return any((control.mode, control.freeze, control.override, control.guard))


def _chosen(served: Served, caller: Caller, asked: ListQuery) -> bool:
    workload = served.workload
    if not caller.sees(workload.name):
        return False
    if asked.label is not None:
        key, _, value = asked.label.partition("=")
        if workload.labels.get(key) != value:
            return False
    text = " ".join([workload.name, *workload.labels.values()]).lower()
    return asked.search.lower() in text


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit():
        raise BadParameter("cursor must be the `next` of the page before")
    return int(cursor)


def _span(served: Served, start: datetime, end: datetime, step: str | None) -> Span:
    spacing = parse_duration(step) if step else served.workload.forecast.step
    return Span(start, end, spacing)


def _forecast(found: Any) -> dict[str, Any]:
    if found is None:
        return {"cutoff": None, "issued_at": None, "series": None}
    return {
        "cutoff": format_instant(found.cutoff),
        "issued_at": format_instant(found.issued_at),
        "basis": found.basis.value,
        "origin": found.origin.value,
        "weights": found.weights,
        "track_record": found.track_record,
        "plan_record": found.plan_record,
        "series": series_json(forecast_columns(found)),
    }
