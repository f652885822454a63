"""Every score store: each pair is counted once, whoever counts."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
import pytest

from prescaler.core.forecast import Forecast, Origin
from prescaler.core.records import HistoryVersion, Outcome, RunStatus
from prescaler.core.score_days import WIDTH, ScoreSums, day_of
from tests.contracts.conftest import AllStores
from tests.support.builders import DAY, MONDAY, STEP, forecast, workload

HOUR = timedelta(hours=1)
STORED = RunStatus(MONDAY, Outcome.STORED)
TODAY = day_of(MONDAY)


def version_of(stores: AllStores, name: str = "web") -> HistoryVersion:
    return stores.workloads.ensure(workload(name=name), MONDAY)


def saved(
    stores: AllStores, version: HistoryVersion, cutoff: datetime, origin: Origin = Origin.LIVE
) -> Forecast:
    made = forecast(workload=version.workload, version=version.number, cutoff=cutoff, origin=origin)
    stores.forecasts.save(version, STORED, made)
    return made


def sums(value: float) -> ScoreSums:
    return ScoreSums(np.full(WIDTH, value))


@pytest.fixture(params=[Origin.LIVE, Origin.BACKFILL])
def origin(request: pytest.FixtureRequest) -> Origin:
    found: Origin = request.param
    return found


def test_a_new_run_is_unscored_from_its_first_value(stores: AllStores, origin: Origin) -> None:
    version, other = version_of(stores), version_of(stores, "api")
    made = [saved(stores, version, MONDAY + n * HOUR, origin) for n in range(3)]

    found = stores.scores.unscored(version, origin, MONDAY + 2 * HOUR, 10)

    assert [(r.unscored_from, r.forecast.cutoff) for r in found] == [
        (run.first_valid_at, run.cutoff) for run in made[:2]
    ]
    np.testing.assert_array_equal(found[0].forecast.values, made[0].values)
    assert len(stores.scores.unscored(version, origin, MONDAY + DAY, 1)) == 1
    assert not stores.scores.unscored(other, origin, MONDAY + DAY, 10)
    assert not stores.scores.unscored(version, Origin.BACKTEST, MONDAY + DAY, 10)


def test_sums_are_added_up_and_runs_move_on(stores: AllStores, origin: Origin) -> None:
    version = version_of(stores)
    made = saved(stores, version, MONDAY, origin)
    first, key = made.first_valid_at, (TODAY, "1h")

    for value, way in ((1.5, (first, first + HOUR)), (2.0, (first + HOUR, None))):
        assert stores.scores.add(version, origin, {key: sums(value)}, {MONDAY: way})

    (day,) = stores.scores.between(version, TODAY, TODAY + DAY)
    assert (day.day, day.origin, day.bucket) == (TODAY, origin, "1h")
    assert list(day.sums.row) == [3.5] * WIDTH
    assert not stores.scores.unscored(version, origin, MONDAY + 9 * DAY, 10)


def test_whoever_comes_second_adds_nothing(stores: AllStores) -> None:
    version = version_of(stores)
    made = [saved(stores, version, MONDAY + n * HOUR) for n in range(2)]
    moved = {run.cutoff: (run.first_valid_at, run.valid_until) for run in made}
    stores.scores.add(version, Origin.LIVE, {}, {made[1].cutoff: moved[made[1].cutoff]})

    assert not stores.scores.add(version, Origin.LIVE, {(TODAY, "1h"): sums(1)}, moved)

    assert not stores.scores.between(version, TODAY, TODAY + DAY)
    assert stores.scores.unscored(version, Origin.LIVE, MONDAY + 2 * HOUR, 9)[0].unscored_from == (
        made[0].first_valid_at
    )
    gone = {MONDAY - DAY: (MONDAY - DAY, MONDAY)}
    assert not stores.scores.add(version, Origin.LIVE, {}, gone)


def test_of_many_at_once_one_counts(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    version = version_of(stores)
    made = saved(stores, version, MONDAY)
    way = {MONDAY: (made.first_valid_at, made.valid_until)}

    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(
                lambda _: stores.scores.add(version, Origin.LIVE, {(TODAY, "1h"): sums(1)}, way),
                range(8),
            )
        )

    assert sorted(done) == [False] * 7 + [True]
    (day,) = stores.scores.between(version, TODAY, TODAY + DAY)
    assert day.sums.instants == 1


def test_days_are_found_by_span_and_version(stores: AllStores) -> None:
    version, other = version_of(stores), version_of(stores, "api")
    for n in range(4):
        stores.scores.add(version, Origin.LIVE, {(TODAY + n * DAY, "6h"): sums(n)}, {})
    stores.scores.add(other, Origin.LIVE, {(TODAY, "6h"): sums(9)}, {})

    found = stores.scores.between(version, TODAY + DAY, TODAY + 3 * DAY)

    assert [(d.day, d.sums.instants) for d in found] == [(TODAY + DAY, 1), (TODAY + 2 * DAY, 2)]


def test_a_corrected_history_is_scored_anew(stores: AllStores) -> None:
    version = version_of(stores)
    for origin in (Origin.LIVE, Origin.BACKFILL):
        made = saved(stores, version, MONDAY, origin)
        way = {MONDAY: (made.first_valid_at, None)}
        stores.scores.add(version, origin, {(TODAY, "1h"): sums(1)}, way)

    stores.scores.forget(version, Origin.BACKFILL)

    assert [d.origin for d in stores.scores.between(version, TODAY, TODAY + DAY)] == [Origin.LIVE]
    (again,) = stores.scores.unscored(version, Origin.BACKFILL, MONDAY + DAY, 9)
    assert again.unscored_from <= again.forecast.first_valid_at
    assert not stores.scores.unscored(version, Origin.LIVE, MONDAY + DAY, 9)


def test_only_runs_that_are_kept_are_scored(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    version = version_of(stores)
    for n in range(30):
        saved(stores, version, MONDAY + n * STEP)

    found = stores.scores.unscored(version, Origin.LIVE, MONDAY + DAY, 99)

    assert [run.forecast.cutoff for run in found] == [MONDAY + n * HOUR for n in range(3)]
