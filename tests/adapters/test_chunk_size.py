"""Chunks shrink to what a server gives, and grow again where nothing forbids it."""

from datetime import timedelta

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.prometheus.access import PrometheusAccess
from prescaler.adapters.prometheus.chunk_size import LEAST_POINTS, MOST_POINTS, ChunkSize
from prescaler.adapters.prometheus.source import PrometheusSource
from prescaler.core.errors import AnswerTooLarge, SourceSlow
from prescaler.core.series import Series
from tests.support.builders import DAY, MINUTE, MONDAY
from tests.support.faulty import Behaviour, FaultyHandler, faulty_server, silent

LIMITS = {
    "Prometheus points": (400, "exceeded maximum resolution of 11,000 points per timeseries."),
    "Prometheus samples": (
        422,
        "query processing would load too many samples into memory in query execution",
    ),
    "Prometheus time": (503, "query timed out in expression evaluation"),
    "Mimir": (422, "the query time range exceeds the limit (err-mimir-max-query-length)"),
    "Thanos": (422, "exceeded samples limit: samples (limit 1000, got 2000)"),
    "VictoriaMetrics points": (422, "too many points; see -search.maxPointsPerTimeseries"),
    "VictoriaMetrics samples": (422, "cannot process more than -search.maxSamplesPerQuery=1000"),
    "a proxy": (413, "<html>Request Entity Too Large</html>"),
}  # fmt: skip


def limited(points: int, code: int, text: str) -> Behaviour:
    """Gives minutes, but not more than so many at once; the value is the minute since Monday."""

    def behave(handler: FaultyHandler) -> None:
        form = handler.faulty.seen[-1].form
        start, end, step = (int(float(form[name][0])) for name in ("start", "end", "step"))
        stamps = range(start, end + 1, step)
        if len(stamps) > points:
            handler.answer(code, orjson.dumps({"status": "error", "error": text}))
            return
        first = int(MONDAY.timestamp())
        values = [[stamp, str((stamp - first) // 60)] for stamp in stamps]
        found = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
        handler.answer(200, orjson.dumps({"status": "success", "data": found}))

    return behave


def fetch(url: str, days: int, timeout: float = 5.0) -> Series:
    access = PrometheusAccess("main", url, timeout=timedelta(seconds=timeout), max_qps=1e4)
    source = PrometheusSource(access)
    try:
        return source.fetch("sum(x)", MONDAY, MONDAY + days * DAY, MINUTE)
    finally:
        source.close()


@pytest.mark.parametrize(("code", "text"), LIMITS.values(), ids=LIMITS)
def test_what_a_server_refuses_as_too_much_is_asked_in_smaller_chunks(code: int, text: str) -> None:
    # 503 is retried first, with pauses: one refusal is enough to see.
    with faulty_server(limited(5000 if code == 503 else 1000, code, text)) as server:
        found = fetch(server.url, 7)

    np.testing.assert_array_equal(found.mean, np.arange(7 * 1440))


def test_no_more_than_needed_is_refused() -> None:
    with faulty_server(limited(1000, 422, "too many samples")) as server:
        fetch(server.url, 14)
        sizes = [int(float(s.form["end"][0]) - float(s.form["start"][0])) // 60 + 1
                 for s in server.seen]  # fmt: skip

    assert sum(size > 1000 for size in sizes) <= 5
    assert max(sizes[6:]) <= 1000


def test_even_the_smallest_chunk_refused_is_an_error() -> None:
    with (
        faulty_server(limited(10, 422, "too many samples")) as server,
        pytest.raises(AnswerTooLarge, match="too many samples"),
    ):
        fetch(server.url, 1)


def test_a_server_too_slow_for_anything_is_an_error() -> None:
    with faulty_server(silent(0.3)) as server:
        access = PrometheusAccess("main", server.url, timeout=timedelta(seconds=0.05), max_qps=1e4)
        source = PrometheusSource(access)
        with pytest.raises(SourceSlow):
            source.fetch("sum(x)", MONDAY, MONDAY + 60 * MINUTE, MINUTE)
        source.close()


def test_fast_answers_make_it_grow_but_never_to_what_was_refused() -> None:
    size = ChunkSize()
    size.refused(10_000)
    size.refused(5_000)
    for _ in range(100):
        size.answered(size.points, 0.1)

    assert size.points == 2_500


def test_after_a_timeout_it_may_grow_to_the_full_size_again() -> None:
    size = ChunkSize()
    size.timed_out(10_000)
    assert size.points == 5_000
    for _ in range(20):
        size.answered(size.points, 0.1)

    assert size.points == MOST_POINTS


@given(st.lists(st.tuples(st.sampled_from("art"), st.floats(0, 60)), max_size=60))
def test_it_always_stays_between_its_bounds(events: list[tuple[str, float]]) -> None:
    size = ChunkSize()
    for kind, seconds in events:
        if kind == "a":
            size.answered(size.points, seconds)
        elif kind == "r":
            size.refused(size.points)
        else:
            size.timed_out(size.points)
        assert LEAST_POINTS <= size.points <= MOST_POINTS
