"""Demand from anything that speaks the Prometheus HTTP API, through prometheus-api-client."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from prometheus_api_client import PrometheusConnect

from prescaler.adapters.prometheus.access import PrometheusAccess
from prescaler.adapters.prometheus.chunk_size import MOST_POINTS, ChunkSize
from prescaler.adapters.prometheus.session import RETRY, PrometheusSession
from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import (
    AnswerNotUnderstood,
    AnswerTooLarge,
    ImpossibleDemand,
    NotASeries,
    SeveralSeries,
    SourceSlow,
)
from prescaler.core.instants import floor_to
from prescaler.core.series import Series, missing_series, overlay, series_from_points

_LARGEST: Final = 1e30
"""Far above any demand, far below the largest float32 that the store can keep."""

_NOISE: Final = 1e-9
"""Sums and differences of floats end up this far (relatively) below zero; that is 0."""


class PrometheusSource:
    """`DemandSource` on one server."""

    def __init__(self, access: PrometheusAccess) -> None:
        self._access = access
        self._session = PrometheusSession(access)
        self._size = ChunkSize()
        self._client = PrometheusConnect(
            url=access.url.rstrip("/"),
            session=self._session,
            retry=RETRY,
            method="POST",
        )

    @property
    def name(self) -> str:
        """The name it is configured under."""
        return self._access.name

    def fetch(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series:
        """Observations stamped in [start, end), fetched in chunks that the server accepts."""
        found = missing_series(start, step, 0)
        while start < end:
            last = next(chunks(start, end, step, self._size.points))[1]
            piece = self._sized(query, start, last, step)
            if piece is not None:
                found, start = overlay(found, piece), last
        return found

    def series_now(self, query: str, at: datetime) -> tuple[str, ...]:
        """Label sets of the series that the query gives at an instant.

        Raises:
            SourceError: by its subclass.
        """
        answer = self._session.request(
            "POST",
            f"{self._client.url}/api/v1/query",
            params={"query": query, "time": at.timestamp()},
        )
        data = answer.document["data"]
        kind = data.get("resultType")
        if kind != "vector":
            raise NotASeries(_kind_text(query, str(kind)))
        return tuple(_labels(item) for item in data["result"])

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _sized(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series | None:
        """A chunk; None where it was too much and a smaller one is worth a try."""
        points, begun = (end - start) // step, time.monotonic()
        try:
            piece = self._chunk(query, start, end, step)
        except AnswerTooLarge:
            if not self._size.refused(points):
                raise
            return None
        except SourceSlow:
            if not self._size.timed_out(points):
                raise
            return None
        self._size.answered(points, time.monotonic() - begun)
        return piece

    def _chunk(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series:
        result = self._client.custom_query_range(
            query=query,
            start_time=start,
            end_time=end - step,
            step=str(int(step.total_seconds())),
        )
        stamps, values = _one_series(query, result)
        values = _possible(query, values)
        return series_from_points(stamps, values, start=start, end=end, step=step)


def chunks(
    start: datetime, end: datetime, step: timedelta, points: int = MOST_POINTS
) -> Iterator[tuple[datetime, datetime]]:
    """Cut [start, end) into pieces of at most `points` points, at days where a day fits.

    Pieces that end with the day are the same in every later call: a query front end can answer
    them from its cache, and each fills whole rows of the store.
    """
    longest = points * step
    unit = min(timedelta(days=1), longest)
    span = longest // unit * unit
    while start < end:
        aligned = floor_to(start, unit) + span if unit.days else start + span
        last = min(end, aligned)
        yield start, last
        start = last


def _one_series(query: str, result: Any) -> tuple[IntArray, FloatArray]:
    """Stamps and values of the one series in a range answer; empty where there is none."""
    if not isinstance(result, list) or not all(isinstance(item, dict) for item in result):
        raise NotASeries(_kind_text(query, "scalar or string"))
    if not result:
        return np.empty(0, dtype=np.int64), np.empty(0)
    if len(result) > 1:
        raise SeveralSeries(
            f"{_short(query)} gives {len(result)} series, the first two {_labels(result[0])} and "
            f"{_labels(result[1])}; wrap it in sum(...) or narrow it to one"
        )
    if "values" not in result[0]:
        kind = "histogram" if "histograms" in result[0] else "result without values"
        raise NotASeries(_kind_text(query, kind))
    return _points(query, result[0]["values"])


def _points(query: str, pairs: Any) -> tuple[IntArray, FloatArray]:
    try:
        stamps = np.array([pair[0] for pair in pairs], dtype=np.float64)
        values = np.array([pair[1] for pair in pairs], dtype=np.float64)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise AnswerNotUnderstood(
            f"{_short(query)}: the points are no pairs of stamp and number ({error})"
        ) from error
    if np.any(stamps != np.floor(stamps)):
        raise AnswerNotUnderstood(f"{_short(query)}: stamps that are no whole seconds")
    return stamps.astype(np.int64), values


def _possible(query: str, values: FloatArray) -> FloatArray:
    """Values [N] without the noise below zero; what is not finite is left for a hole."""
    known = values[np.isfinite(values)]
    if not len(known):
        return values
    lowest, highest = float(known.min()), float(known.max())
    if lowest < -_NOISE * max(1.0, highest):
        raise ImpossibleDemand(
            f"{_short(query)} gives {lowest:g}; demand cannot be negative: a counter wants rate(), "
            "a difference clamp_min(..., 0)"
        )
    if highest > _LARGEST:
        raise ImpossibleDemand(f"{_short(query)} gives {highest:g}, beyond any demand")
    return np.where(np.isfinite(values), np.maximum(values, 0.0), np.nan)


def _kind_text(query: str, kind: str) -> str:
    return (
        f"{_short(query)} gives a {kind}, not a series of numbers; a native histogram wants "
        "histogram_count(rate(...)), a scalar vector(...)"
    )


def _labels(item: Any) -> str:
    labels = item.get("metric", {}) if isinstance(item, dict) else {}
    text = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{{{text[:120]}}}"


def _short(query: str) -> str:
    text = " ".join(query.split())
    return f"`{text[:80]}{'...' if len(text) > 80 else ''}`"  # noqa: PLR2004 - a line's worth
