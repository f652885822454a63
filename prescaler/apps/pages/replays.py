"""Replays: start one, watch it, read what it found, hold two against each other."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.replay_routes import (
    ReplayBody,
    cancel_replay,
    list_replays,
    post_replay,
    show_replay,
)
from prescaler.apps.api.sessions import Session
from prescaler.apps.pages.event_forms import Writer
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.render import page
from prescaler.apps.pages.replay_sketches import days_sketch, frontier_sketch
from prescaler.apps.pages.workload_tabs import typed
from prescaler.core.errors import BadParameter, PrescalerError
from prescaler.core.instants import parse_instant
from prescaler.core.jobs import JobState
from prescaler.core.replay.ground import Arm
from prescaler.core.replay.words import NAMES

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_LISTED: Final = 50
_SHOWN_ARMS: Final = 3
_PERCENT: Final = 100.0
SINCE: Final[Mapping[str, str]] = {
    "7d": "a week",
    "14d": "2 weeks",
    "28d": "4 weeks",
    "56d": "8 weeks",
}


class ReplayForm(BaseModel):
    """The fields as a browser sends them."""

    model_config = ConfigDict(extra="ignore")

    workload: str = Field("", max_length=100)
    since: str = Field("28d", max_length=20)
    until: str = Field("", max_length=40)
    promise: str = Field("10m/30d", max_length=40)
    arms: list[str] = Field(default_factory=list, max_length=20)
    runs: str = Field("5", max_length=4)
    seed: str = Field("1", max_length=12)
    sweep: str = Field("", max_length=5)
    spot_loss: str = Field("0", max_length=12)
    token: str = Field("", max_length=200)


@router.get("/replays")
def replays(
    request: Request,
    context: Context,
    session: Viewer,
    workload: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The newest ones, and the form for the next."""
    filled = ReplayForm(workload=workload, sweep="yes")
    return _list(request, context, session, filled, of=workload)


@router.post("/replays")
def start(
    request: Request,
    context: Context,
    session: Writer,
    filled: Annotated[ReplayForm, Form()],
) -> Response:
    """Start one, or say what is wrong with what was asked."""
    try:
        job = post_replay(_body(context, filled), session.caller, context, Response())
    except PrescalerError as error:
        return _list(request, context, session, filled, problem=str(error))
    return RedirectResponse(f"/replays/{job['id']}", HTTPStatus.SEE_OTHER)


@router.post("/replays/{identity}/cancel")
def cancel(context: Context, session: Writer, identity: UUID) -> Response:
    """Stop it."""
    cancel_replay(identity, session.caller, context)
    return RedirectResponse(f"/replays/{identity}", HTTPStatus.SEE_OTHER)


@router.get("/replays/{identity}")
def one_replay(
    request: Request,
    context: Context,
    session: Viewer,
    identity: UUID,
    arms: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """How far it is, or what it found."""
    job = show_replay(identity, session.caller, context)
    result = job["result"]
    values: dict[str, Any] = {
        "job": job,
        "result": result,
        "parse": parse_instant,
        "zone": _zone(context, job["workload"]),
        "names": _NAMES,
        "others": _others(context, session, job),
        **(_drawn(result, arms, _zone(context, job["workload"])) if result else {}),
    }
    return page(request, "replay.html", session, values)


@router.get("/replay-comparison")
def compare(
    request: Request, context: Context, session: Viewer, one: UUID, other: UUID
) -> Response:
    """Two that are done, side by side."""
    jobs = [show_replay(identity, session.caller, context) for identity in (one, other)]
    if any(job["result"] is None for job in jobs):
        raise BadParameter("one of the two is not done; only replays that are done can be compared")
    results = [job["result"] for job in jobs]
    values = {
        "jobs": jobs,
        "results": results,
        "rows": _rows(*results),
        "differences": _differences(*jobs),
        "frontier": frontier_sketch(results[0], results[1]),
        "parse": parse_instant,
        "zone": _zone(context, jobs[0]["workload"]),
    }
    return page(request, "replay_comparison.html", session, values)


_NAMES: Final[Mapping[str, str]] = {arm.value: text for arm, text in NAMES.items()}


def _body(context: ApiContext, filled: ReplayForm) -> ReplayBody:
    if not filled.workload.strip():
        raise BadParameter("choose a workload")
    for name in ("runs", "seed"):
        if not getattr(filled, name).isascii() or not getattr(filled, name).isdigit():
            raise BadParameter(f"{name}: must be a whole number")
    name = filled.workload.strip()
    zone = _zone(context, name)
    return ReplayBody.model_construct(
        workload=name,
        since=filled.since.strip(),
        until=typed(filled.until, zone) if filled.until else None,
        arms=filled.arms,
        promise=filled.promise.strip() or None,
        seed=int(filled.seed),
        runs=int(filled.runs),
        sweep=filled.sweep == "yes",
        spot_loss=_share(filled.spot_loss),
    )


def _share(percent: str) -> float:
    """Percent as typed; what is no number at all is refused here, an impossible one further in."""
    try:
        return float(percent.strip() or 0) / _PERCENT
    except ValueError:
        raise BadParameter(f"spot nodes: {percent[:12]!r} is no number of percent") from None


def _list(
    request: Request,
    context: ApiContext,
    session: Session,
    filled: ReplayForm,
    *,
    of: str = "",
    problem: str = "",
) -> Response:
    found = list_replays(session.caller, context, of or None, _LISTED)["items"]
    values = {
        "of": of,
        "found": found,
        "filled": filled,
        "problem": problem,
        "arms": [(arm.value, NAMES[arm]) for arm in Arm],
        "spans": SINCE,
        "names": [s.workload.name for s in context.table if session.caller.sees(s.workload.name)],
        "parse": parse_instant,
        "zone": ZoneInfo("UTC"),
    }
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return page(request, "replays.html", session, values, status)


def _zone(context: ApiContext, workload: str) -> ZoneInfo:
    """Of the workload; UTC where it is no longer configured."""
    zones = (s.workload.forecast.timezone for s in context.table if s.workload.name == workload)
    return next(zones, ZoneInfo("UTC"))


def _others(context: ApiContext, session: Session, job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Done ones to compare with, those of the same workload first."""
    found = list_replays(session.caller, context, None, _LISTED)["items"]
    done = [x for x in found if x["state"] == JobState.DONE.value and x["id"] != job["id"]]
    return sorted(done, key=lambda x: x["workload"] != job["workload"])


def _drawn(result: Mapping[str, Any], wanted: list[str], zone: ZoneInfo) -> dict[str, Any]:
    known = [row["setting"]["arm"] for row in result["arms"]]
    chosen = [arm for arm in known if arm in wanted] or _telling(known)
    way = (result["advice"] or {}).get("way")
    return {
        "frontier": frontier_sketch(result),
        "chosen": chosen,
        "days": days_sketch(result, chosen, zone),
        "manifest": yaml.safe_dump(way["scaled_object"], sort_keys=False) if way else "",
    }


_TELLING: Final = (Arm.CALENDAR, Arm.PLAIN, Arm.REACTIVE, Arm.TODAY_FLOOR, Arm.PEAK)


def _telling(known: list[str]) -> list[str]:
    """A few arms that say most, when nobody has chosen."""
    first = [arm.value for arm in _TELLING if arm.value in known]
    return (first or known)[:_SHOWN_ARMS]


def _rows(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arms that both have played, and the present configuration."""
    beside = {row["setting"]["arm"]: row for row in other["arms"]}
    found = [{"name": "as scaled today", "one": one["present"], "other": other["present"]}]
    return found + [
        {"name": row["setting"]["text"], "one": row, "other": beside[row["setting"]["arm"]]}
        for row in one["arms"]
        if row["setting"]["arm"] in beside
    ]


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What was asked for and assumed differently."""
    sides = [
        {
            "workload": job["workload"],
            **{k: job["result"]["period"][k] for k in ("start", "end")},
            **{k: v for k, v in job["request"].items() if k not in ("since", "until")},
            **{k: v for k, v in job["result"]["assumptions"].items() if k != "seeds"},
        }
        for job in (one, other)
    ]
    names = [*sides[0], *(name for name in sides[1] if name not in sides[0])]
    pairs = [(name, sides[0].get(name), sides[1].get(name)) for name in names]
    return [(name, a, b) for name, a, b in pairs if a != b]
