"""What crowds of each kind have taught, workload by workload, as curves with their evidence."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.crowd_routes import show_uplifts
from prescaler.apps.api.keys import Caller
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.render import page
from prescaler.apps.pages.sketch import Frame, Tick, highest, round_values
from prescaler.core.instants import parse_instant
from prescaler.usecases.serve_metric import Served

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_SHOWN: Final = 12
_HOUR: Final = 60.0


@dataclass(frozen=True)
class Learnt:
    """A learnt curve as points. top: the highest of its upper line."""

    frame: Frame
    columns: tuple[Tick, ...]
    band: str
    middle: tuple[str, ...]
    top: float


def learnt(found: Mapping[str, Any]) -> Learnt:
    """Draw one item of the uplifts route."""
    curve = found["curve"]
    minutes = curve["minutes"]
    top = highest(curve["q0.9"], least=1.5)
    frame = Frame(minutes[0], minutes[-1], 0.0, top, 420, 150)
    hours = round_values(minutes[0] / _HOUR, minutes[-1] / _HOUR, 5)
    return Learnt(
        frame,
        tuple(Tick(frame.x(_HOUR * hour), _hours(hour)) for hour in hours),
        frame.band(minutes, curve["q0.1"], curve["q0.9"]),
        frame.line(minutes, curve["q0.5"]),
        top,
    )


def _hours(hour: float) -> str:
    return "start" if hour == 0 else f"{hour:+g} h"


@router.get("/event-curves")
def show_curves(
    request: Request,
    context: Context,
    session: Viewer,
    kind: Annotated[str, Query(max_length=50)] = "",
    search: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """One kind on every workload that it has taught something."""
    seen = [s for s in context.table if session.caller.sees(s.workload.name)]
    kinds = Counter(name for s in seen for name in _kinds(s))
    chosen = kind or next(iter(name for name, _ in kinds.most_common(1)), "")
    found = [s for s in seen if chosen in _kinds(s) and search.lower() in s.workload.name.lower()]
    values = {
        "kinds": sorted(kinds.items()),
        "chosen": chosen,
        "search": search,
        "uplifts": [_one(s, chosen) for s in found[:_SHOWN]],
        "more": max(0, len(found) - _SHOWN),
        "parse": parse_instant,
        "learnt": learnt,
    }
    return page(request, "event_curves.html", session, values)


def known_kinds(context: ApiContext, caller: Caller) -> list[str]:
    """Kinds of events that have taught a workload something, for suggestions."""
    seen = (s for s in context.table if caller.sees(s.workload.name))
    return sorted({name for s in seen for name in _kinds(s)})


def _kinds(served: Served) -> Mapping[str, Any]:
    stored = served.state.uplift
    return stored.model.kinds if stored is not None else {}


def _one(served: Served, kind: str) -> dict[str, Any]:
    (item,) = show_uplifts(served, kind)["items"]
    return {**item, "workload": served.workload.name}
