"""What came beside what was forecast, planned and served: the data of a workload's chart."""

import zlib
from datetime import timedelta
from typing import Annotated, Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import Context, OneWorkload, documented
from prescaler.apps.api.review_routes import From, Step, To
from prescaler.apps.api.shapes import InstantText
from prescaler.core.arrays import FloatArray
from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.events import EventEffect
from prescaler.core.instants import format_instant, from_epoch
from prescaler.core.spans import Span as Gap
from prescaler.usecases.look_back import Question, acting, chart, gaps, residuals
from prescaler.usecases.review import Columns, Span

router = APIRouter(prefix="/api/v1/workloads/{name}", tags=["review"], dependencies=documented)

Lead = Annotated[str, Query(description="least age of a forecast that counts, such as 1h")]

_DIGITS: Final = 5
_LEVEL: Final = 4
_WORTH_PACKING: Final = 2000


@router.get("/chart", response_class=Response)
def show_chart(  # noqa: PLR0913, PLR0917 - one argument a parameter of the query
    served: OneWorkload,
    context: Context,
    request: Request,
    first: From = None,
    to: To = None,
    step: Step = None,
    as_of: Annotated[
        InstantText | None, Query(description="show the forecast that was the newest then")
    ] = None,
    lead: Lead = "0s",
) -> Response:
    """Actual demand, forecast, plan, answers on one grid; five significant digits; events."""
    now = context.now()
    start, end = first or now - timedelta(days=3), to or now + timedelta(days=1)
    spacing = parse_duration(step) if step else served.workload.forecast.step
    asked = Question(Span(start, end, spacing), as_of, parse_duration(lead))
    ports = context.look_back_ports()
    found = _chart_json(chart(served, ports, asked, now))
    found["events"] = [event_json(effect) for effect in acting(served, ports, asked, now)]
    return packed(request, found)


@router.get("/residuals")
def show_residuals(
    served: OneWorkload, context: Context, first: From = None, to: To = None, lead: Lead = "1h"
) -> dict[str, Any]:
    """Errors of the median as a share of demand, by local weekday and hour."""
    now = context.now()
    span = Span(first or now - timedelta(weeks=4), to or now, served.workload.forecast.step)
    share, count = residuals(served, context.look_back_ports(), span, parse_duration(lead), now)
    return {
        "timezone": str(served.workload.forecast.timezone),
        "lead": lead,
        "share": [[_or_none(x) for x in row] for row in share],
        "count": count.tolist(),
    }


@router.get("/gaps")
def list_gaps(served: OneWorkload, context: Context) -> dict[str, Any]:
    """Holes in the history that the forecasters look at."""
    found = gaps(served, context.stores.demand, context.now())
    return {"items": [gap_json(gap) for gap in found], "next": None}


@router.get("/pods", response_class=Response)
def show_pods(
    served: OneWorkload,
    context: Context,
    request: Request,
    first: From = None,
    to: To = None,
    step: Step = None,
) -> Response:
    """Running and ready pods as the source counted them; `why` says what is not known, and why."""
    now = context.now()
    start, end = first or now - timedelta(days=1), to or now
    seen = context.pods.look(served, Span(start, end, parse_duration(step or "1m")), now)
    return packed(request, {**_chart_json(seen.columns), "why": seen.why})


def gap_json(gap: Gap) -> dict[str, Any]:
    """A hole, [from, to)."""
    length = format_duration(gap.length)
    return {"from": format_instant(gap.start), "to": format_instant(gap.end), "length": length}


def event_json(effect: EventEffect) -> dict[str, str]:
    """A planned event that acts on the workload in the span."""
    start, end = format_instant(effect.start), format_instant(effect.end)
    return {"name": effect.name, "from": start, "to": end}


def packed(request: Request, body: dict[str, Any]) -> Response:
    """A JSON answer, deflated here: in a worker's thread, and not while KEDA waits."""
    raw = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = {"Vary": "Accept-Encoding"}
    if len(raw) > _WORTH_PACKING and "gzip" in request.headers.get("accept-encoding", ""):
        packer = zlib.compressobj(_LEVEL, wbits=31)
        raw = packer.compress(raw) + packer.flush()
        headers["Content-Encoding"] = "gzip"
    return Response(raw, headers=headers, media_type="application/json")


def _chart_json(found: Columns) -> dict[str, Any]:
    return {
        "stamps": [format_instant(from_epoch(int(stamp))) for stamp in found.stamps],
        "step": format_duration(found.step),
        "columns": {name: _significant(column) for name, column in found.columns.items()},
    }


def _significant(column: FloatArray) -> FloatArray:
    """Five significant digits: forecasts are stored with three and a half."""
    known = np.isfinite(column) & (column != 0)
    scale = np.ones(len(column))
    scale[known] = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.abs(column[known]))))
    return np.asarray(np.round(column * scale) / scale, dtype=np.float64)


def _or_none(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
