"""What every demand source promises, on a real Prometheus."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count, pairwise

import numpy as np
import pytest

from prescaler.adapters.prometheus.access import PrometheusAccess
from prescaler.adapters.prometheus.source import PrometheusSource, chunks
from prescaler.adapters.prometheus.summed import SummedSources
from prescaler.core.arrays import FloatArray
from prescaler.core.errors import AnswerTooLarge, SourceError
from prescaler.ports import DemandSource
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand
from tests.support.ports import free_port
from tests.support.prometheus import PrometheusServer, stale

_NUMBERS = count(1)
FIFTEEN = timedelta(seconds=15)


def real(server: PrometheusServer) -> PrometheusSource:
    return PrometheusSource(PrometheusAccess("main", server.url, max_qps=1000.0))


@pytest.fixture(params=["one server", "two servers"])
def source(request: pytest.FixtureRequest, prometheus: PrometheusServer) -> Iterator[DemandSource]:
    """One source, or two whose sum is the demand (here the same server asked twice)."""
    opened = [real(prometheus) for _ in range(1 if request.param == "one server" else 2)]
    yield opened[0] if len(opened) == 1 else SummedSources(opened)
    for one in opened:
        one.close()


@pytest.fixture
def times(source: DemandSource) -> int:
    """How often the demand is counted."""
    return 2 if isinstance(source, SummedSources) else 1


@pytest.fixture
def written(prometheus: PrometheusServer) -> Callable[[FloatArray, timedelta], str]:
    """Write a series that begins on Monday; gives a query that finds exactly its samples."""

    def write(values: FloatArray, step: timedelta = MINUTE) -> str:
        name, start = f"demand_{next(_NUMBERS)}", int(MONDAY.timestamp())
        seconds = int(step.total_seconds())
        samples = [(start + i * seconds, v) for i, v in enumerate(values) if not np.isnan(v)]
        prometheus.write({"__name__": name, "app": "web"}, samples)
        return f"max(last_over_time({name}[{seconds - 1}s]))"

    return write


def test_observations_come_back_as_they_were(
    source: DemandSource, times: int, written: Callable[..., str]
) -> None:
    values = np.array([1.0, 2.5, np.nan, 0.0, 7e5])

    found = source.fetch(written(values), MONDAY, MONDAY + STEP, MINUTE)

    np.testing.assert_allclose(found.mean, values * times)
    assert (found.start, found.step, len(found)) == (MONDAY, MINUTE, 5)


def test_a_range_beyond_the_servers_limit_is_fetched_in_chunks(
    source: DemandSource, times: int, written: Callable[..., str]
) -> None:
    values = daily_demand(16, step=MINUTE)

    found = source.fetch(written(values), MONDAY, MONDAY + 16 * DAY, MINUTE)

    np.testing.assert_allclose(found.mean, values * times)


def test_the_limit_is_real(prometheus: PrometheusServer, written: Callable[..., str]) -> None:
    query = written(np.ones(3))
    one = real(prometheus)

    with pytest.raises(AnswerTooLarge, match="11,000"):
        one._chunk(query, MONDAY, MONDAY + 11_002 * MINUTE, MINUTE)
    one.close()


def test_a_counter_that_resets_and_an_outage_are_no_zero_demand(
    prometheus: PrometheusServer, source: DemandSource, times: int
) -> None:
    name, start = f"counter_{next(_NUMBERS)}", int(MONDAY.timestamp())
    total = np.concatenate([np.arange(60.0), np.arange(60.0)]) * 300
    minutes = np.arange(120)
    up = (minutes < 80) | (minutes >= 100)
    rows = zip((start + 60 * minutes[up]).tolist(), total[up].tolist(), strict=True)
    prometheus.write({"__name__": name}, rows)

    found = source.fetch(f"rate({name}[2m])", MONDAY, MONDAY + 120 * MINUTE, MINUTE)

    known = found.mean[found.observed]
    assert known.min() >= 0
    np.testing.assert_allclose(np.median(known), 5.0 * times)
    assert np.isfinite(found.mean[55:65]).all()
    assert np.isnan(found.mean[84:100]).all()


def test_a_range_without_series_is_all_holes(source: DemandSource) -> None:
    found = source.fetch("sum(nothing_here)", MONDAY, MONDAY + STEP, MINUTE)

    assert np.isnan(found.mean).all()
    assert len(found) == 5


def test_an_empty_range_is_empty(source: DemandSource) -> None:
    assert len(source.fetch("sum(x)", MONDAY, MONDAY, MINUTE)) == 0


def test_stale_markers_are_holes(prometheus: PrometheusServer, source: DemandSource) -> None:
    name, start = f"demand_{next(_NUMBERS)}", int(MONDAY.timestamp())
    prometheus.write({"__name__": name}, [(start, 4.0), (start + 60, stale())])

    found = source.fetch(f"sum({name})", MONDAY, MONDAY + 3 * MINUTE, MINUTE)

    assert np.isfinite(found.mean[0])
    assert np.isnan(found.mean[1:]).all()


def test_fine_resolutions_work(
    source: DemandSource, times: int, written: Callable[..., str]
) -> None:
    values = np.arange(20.0)

    found = source.fetch(written(values, FIFTEEN), MONDAY, MONDAY + STEP, FIFTEEN)

    np.testing.assert_allclose(found.mean, values * times)


@pytest.mark.parametrize("query", ["sum(", "not promql at all", "", "sum(x) by", "x\x00y"])
def test_a_query_that_is_none_is_a_named_error(source: DemandSource, query: str) -> None:
    with pytest.raises(SourceError):
        source.fetch(query, MONDAY, MONDAY + STEP, MINUTE)


@pytest.mark.parametrize("query", ['"text"', "x[5m]"])
def test_a_query_of_another_kind_is_a_named_error(source: DemandSource, query: str) -> None:
    with pytest.raises(SourceError):
        source.fetch(query, MONDAY, MONDAY + STEP, MINUTE)


def test_one_source_down_is_no_half_demand(
    prometheus: PrometheusServer, written: Callable[..., str]
) -> None:
    dead = PrometheusSource(PrometheusAccess("blue", f"http://127.0.0.1:{free_port()}"))
    live = real(prometheus)

    with pytest.raises(SourceError, match="blue"):
        SummedSources([live, dead]).fetch(written(np.ones(5)), MONDAY, MONDAY + STEP, MINUTE)
    live.close()
    dead.close()


def test_series_now_names_what_a_query_finds(prometheus: PrometheusServer) -> None:
    name, start = f"demand_{next(_NUMBERS)}", int(MONDAY.timestamp())
    for app in ("web", "api"):
        prometheus.write({"__name__": name, "app": app}, [(start, 1.0)])
    one = real(prometheus)

    assert one.series_now(f"sum({name})", MONDAY) == ("{}",)
    assert len(one.series_now(name, MONDAY)) == 2
    assert one.series_now(name, MONDAY - DAY) == ()
    one.close()


@pytest.mark.parametrize(
    ("step", "most"),
    [
        (MINUTE, 6 * DAY),
        (FIFTEEN, DAY),
        (STEP, 34 * DAY),
        (timedelta(seconds=1), timedelta(seconds=10_000)),
    ],
)
def test_chunks_cover_the_range_once_and_keep_below_the_limit(
    step: timedelta, most: timedelta
) -> None:
    start, end = MONDAY + 7 * MINUTE, MONDAY + 80 * DAY + 13 * MINUTE

    found = list(chunks(start, end, step))

    assert found[0][0] == start
    assert found[-1][1] == end
    assert all(one[1] == two[0] for one, two in pairwise(found))
    assert max(last - first for first, last in found) == most
    assert all((last - first) / step <= 10_000 for first, last in found)
