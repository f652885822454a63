"""One suite for every store: what is promised in `ports/`, and nothing of how it is kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from prescaler.core.engine import refit, roll
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.history import History
from prescaler.core.merging import Keep, Merged
from prescaler.core.records import (
    HistoryVersion,
    Outcome,
    RunStatus,
    SourceFailure,
    Walk,
)
from prescaler.core.series import Series
from prescaler.core.spans import Span
from prescaler.core.workload import DemandQuery
from tests.contracts.conftest import AllStores
from tests.support.builders import (
    DAY,
    MINUTE,
    MONDAY,
    PARIS,
    STEP,
    daily_demand,
    forecast,
    series,
    workload,
)

HOUR = timedelta(hours=1)
STORED = RunStatus(MONDAY, Outcome.STORED)


def version_of(stores: AllStores, name: str = "web") -> HistoryVersion:
    return stores.workloads.ensure(workload(name=name), MONDAY)


def test_a_workload_keeps_its_identity(stores: AllStores) -> None:
    first, again = version_of(stores), version_of(stores)
    other = version_of(stores, "api")

    assert first == again
    assert first.number == 1
    assert other.workload != first.workload
    assert {v.name for v in stores.workloads.current()} == {"web", "api"}


def test_another_query_opens_another_version_of_the_same_workload(stores: AllStores) -> None:
    first = version_of(stores)
    changed = workload(demand=DemandQuery(("main",), "sum(other)", MINUTE, MINUTE))

    second = stores.workloads.ensure(changed, MONDAY)

    assert (second.workload, second.number) == (first.workload, 2)
    assert second.fingerprint != first.fingerprint
    assert stores.workloads.current() == [second]


def test_all_versions_of_a_history_stay_readable(stores: AllStores) -> None:
    first = version_of(stores)
    version_of(stores, "api")
    stores.demand.append(first, series(np.ones(3), MONDAY, MINUTE))
    changed = workload(demand=DemandQuery(("main",), "sum(other)", MINUTE, MINUTE))
    second = stores.workloads.ensure(changed, MONDAY + HOUR)

    assert [(v.version, v.query, v.opened_at) for v in stores.workloads.versions("web")] == [
        (first, "sum(rate(requests[1m]))", MONDAY),
        (second, "sum(other)", MONDAY + HOUR),
    ]
    assert list(stores.workloads.versions("nobody")) == []
    assert len(stores.demand.days(first)) == 1
    assert list(stores.demand.days(second)) == []


def test_a_renamed_workload_keeps_its_history(stores: AllStores) -> None:
    first = version_of(stores)

    renamed = stores.workloads.ensure(workload(name="website", aliases=("web",)), MONDAY)

    assert (renamed.id, renamed.workload) == (first.id, first.workload)
    assert [v.name for v in stores.workloads.current()] == ["website"]


def test_many_at_once_create_one_workload(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: version_of(stores), range(8)))

    assert len({v.id for v in found}) == 1


def test_demand_is_read_back_with_its_holes(stores: AllStores) -> None:
    version = version_of(stores)
    values = np.array([1.5, np.nan, 0.0, 2e6, 1e-3])
    stores.demand.append(version, series(values, MONDAY, MINUTE))

    found = stores.demand.read(version, MONDAY - MINUTE, MONDAY + 6 * MINUTE, MINUTE)

    np.testing.assert_allclose(found.mean, [np.nan, *values, np.nan], rtol=1e-6)
    assert found.start == MONDAY - MINUTE


def test_demand_over_midnights_is_one_series(stores: AllStores) -> None:
    version = version_of(stores)
    values = daily_demand(2.5, step=MINUTE)
    start = MONDAY - timedelta(hours=7)
    stores.demand.append(version, series(values, start, MINUTE))

    found = stores.demand.read(version, start, start + len(values) * MINUTE, MINUTE)

    np.testing.assert_allclose(found.mean, values, rtol=1e-6)


def test_mean_and_peak_are_kept_apart(stores: AllStores) -> None:
    version = version_of(stores)
    mean = np.array([1.0, 2.0, np.nan])
    stores.demand.append(version, Series(MONDAY, STEP, mean, mean * 1.5))

    found = stores.demand.read(version, MONDAY, MONDAY + 3 * STEP, STEP)

    np.testing.assert_allclose(found.peak, mean * 1.5, rtol=1e-6)


def test_later_observations_win_and_holes_erase_nothing(stores: AllStores) -> None:
    version = version_of(stores)
    stores.demand.append(version, series(np.array([1.0, 2.0, np.nan]), MONDAY, MINUTE))
    stores.demand.append(version, series(np.array([np.nan, 20.0, 30.0]), MONDAY, MINUTE))

    found = stores.demand.read(version, MONDAY, MONDAY + 3 * MINUTE, MINUTE)

    assert list(found.mean) == [1.0, 20.0, 30.0]


def test_known_until_only_moves_forward(stores: AllStores) -> None:
    version = version_of(stores)
    assert stores.demand.known_until(version) is None

    stores.demand.append(version, series(np.full(10, np.nan), MONDAY, MINUTE))
    stores.demand.append(version, series(np.ones(3), MONDAY, MINUTE))
    stores.demand.append(version, series(np.empty(0), MONDAY, MINUTE))

    assert stores.demand.known_until(version) == MONDAY + 10 * MINUTE


def test_versions_and_resolutions_do_not_mix(stores: AllStores) -> None:
    web, api = version_of(stores), version_of(stores, "api")
    stores.demand.append(web, series(np.ones(5), MONDAY, MINUTE))
    stores.demand.append(web, series(np.full(1, 7.0), MONDAY, STEP))

    assert np.isnan(stores.demand.read(api, MONDAY, MONDAY + STEP, MINUTE).mean).all()
    assert list(stores.demand.read(web, MONDAY, MONDAY + STEP, STEP).mean) == [7.0]


def test_what_is_stored_wins_where_it_is_told_to(stores: AllStores) -> None:
    version = version_of(stores)
    stores.demand.append(version, series(np.array([1.0, np.nan, 3.0]), MONDAY, MINUTE))

    found = stores.demand.append(
        version, series(np.array([9.0, 2.0, 3.0]), MONDAY, MINUTE), Keep.STORED
    )

    assert found == Merged(added=1, same=1, differing=1)
    assert list(stores.demand.read(version, MONDAY, MONDAY + 3 * MINUTE, MINUTE).mean) == [1, 2, 3]


def test_where_the_source_was_asked_is_remembered(stores: AllStores) -> None:
    version = version_of(stores)
    assert list(stores.demand.asked(version)) == []

    for day in (5, 3, 4):
        stores.demand.append(version, series(np.full(5, np.nan), MONDAY + day * DAY, MINUTE))
    later, nothing = Span(MONDAY + 9 * DAY, MONDAY + 10 * DAY), Span(MONDAY, MONDAY)
    stores.demand.append(version, series(np.ones(2), MONDAY, MINUTE), asked=nothing)
    stores.demand.append(version, series(np.empty(0), MONDAY, MINUTE), asked=later)

    assert list(stores.demand.asked(version)) == [
        *(Span(MONDAY + day * DAY, MONDAY + day * DAY + 5 * MINUTE) for day in (3, 4, 5)),
        later,
    ]
    assert stores.demand.known_until(version) == later.end


def test_a_backfill_and_a_live_run_store_at_once(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    version, values = version_of(stores), daily_demand(24, step=MINUTE)
    pieces = [
        series(values[at : at + 2000], MONDAY + at * MINUTE, MINUTE)
        for at in range(0, len(values), 1500)
    ]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda piece: stores.demand.append(version, piece), pieces))

    end = MONDAY + len(values) * MINUTE
    found = stores.demand.read(version, MONDAY, end, MINUTE)
    np.testing.assert_allclose(found.mean, values, rtol=1e-6)
    assert list(stores.demand.asked(version)) == [Span(MONDAY, end)]


def test_several_resolutions_are_one_series_on_a_grid(stores: AllStores) -> None:
    version = version_of(stores)
    start, end = MONDAY - DAY, MONDAY + DAY
    fine = np.where(np.arange(1440) < 12, np.nan, 2.0)
    fine[20] = 9.0
    stores.demand.append(version, series(fine, MONDAY, MINUTE))
    coarse = np.full(288, 7.0)
    stores.demand.append(version, Series(start, STEP, coarse, coarse * 2))
    stores.demand.append(version, Series(MONDAY, STEP, coarse, coarse * 2))
    stores.demand.append(version, series(np.full(24, 5.0), MONDAY - DAY, HOUR))

    found = stores.demand.on_grid(version, start, end, STEP)

    assert (found.start, found.end, found.step) == (start, end, STEP)
    assert set(found.mean[:288]) == {7.0}
    np.testing.assert_allclose(found.mean[288:294], [7.0, 7.0, 2.0, 2.0, 3.4, 2.0])
    assert (found.peak[0], found.peak[292]) == (14.0, 9.0)
    assert len(stores.demand.on_grid(version, start, start, STEP)) == 0
    assert np.isnan(stores.demand.on_grid(version, start, end, 2 * MINUTE).mean[:720]).all()


def test_what_is_stored_is_told_by_resolution_and_day(stores: AllStores) -> None:
    version = version_of(stores)
    assert list(stores.demand.parts(version)) == []
    stores.demand.append(version, series(np.ones(2 * 1440), MONDAY, MINUTE))
    stores.demand.append(version, series(np.full(1440, np.nan), MONDAY + 5 * DAY, MINUTE))
    stores.demand.append(version, series(np.ones(10), MONDAY - 3 * DAY, STEP))

    fine, coarse = stores.demand.parts(version)

    assert (fine.resolution, fine.first_day, fine.last_day) == (MINUTE, MONDAY, MONDAY + DAY)
    assert (coarse.resolution, coarse.first_day, coarse.days) == (STEP, MONDAY - 3 * DAY, 1)
    assert fine.days == 2
    assert fine.bytes > 0
    assert list(stores.demand.days(version)) == [
        Span(MONDAY - 3 * DAY, MONDAY - 2 * DAY),
        Span(MONDAY, MONDAY + 2 * DAY),
    ]


def test_an_empty_range_is_an_empty_series(stores: AllStores) -> None:
    assert len(stores.demand.read(version_of(stores), MONDAY, MONDAY, MINUTE)) == 0


def same(one: Forecast | None, two: Forecast) -> bool:
    assert one is not None
    arrays = ("values", "peak_ratio", "naive")
    plain = {k: v for k, v in vars(one).items() if k not in arrays}
    return plain == {k: v for k, v in vars(two).items() if k not in arrays} and all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in arrays
    )


def issued(version: HistoryVersion, cutoff: datetime, origin: Origin = Origin.LIVE) -> Forecast:
    return forecast(
        workload=version.workload,
        version=version.number,
        cutoff=cutoff,
        issued_at=cutoff + 2 * STEP,
        origin=origin,
        weights={"15m": {"profile": 0.75, "naive_day": 0.25}},
    )


def test_a_forecast_is_read_back_bit_by_bit(stores: AllStores) -> None:
    version = version_of(stores)
    made = issued(version, MONDAY)

    assert stores.forecasts.save(version, STORED, made)

    assert same(stores.forecasts.latest(version), made)
    assert stores.forecasts.newest_cutoffs() == {version.id: MONDAY}


def test_one_cutoff_is_stored_once(stores: AllStores) -> None:
    version = version_of(stores)
    first = issued(version, MONDAY)
    second = replace(first, historic_max=1.0)

    assert stores.forecasts.save(version, STORED, first)
    assert not stores.forecasts.save(version, STORED, second)

    assert same(stores.forecasts.latest(version), first)
    assert list(stores.forecasts.cutoffs(version, MONDAY, MONDAY + STEP)) == [MONDAY]


def test_backfilled_forecasts_are_never_the_latest_live_one(stores: AllStores) -> None:
    version = version_of(stores)
    stores.forecasts.save(version, STORED, issued(version, MONDAY, Origin.BACKFILL))

    assert stores.forecasts.latest(version) is None
    assert stores.forecasts.newest_cutoffs() == {}
    assert stores.forecasts.latest(version, Origin.BACKFILL) is not None


def test_a_walk_goes_on_where_it_was(stores: AllStores) -> None:
    version = version_of(stores)
    state = refit(History.of(series(daily_demand(5)), PARIS, 60), 60)
    assert stores.forecasts.walk(version) is None
    first = [issued(version, MONDAY + n * HOUR, Origin.BACKFILL) for n in range(3)]
    stores.forecasts.save_walk(version, Walk(MONDAY, MONDAY + 3 * HOUR, HOUR, None), first)
    again = replace(first[0], historic_max=1.0)

    stores.forecasts.save_walk(version, Walk(MONDAY, MONDAY + 4 * HOUR, HOUR, state), [again])

    found = stores.forecasts.walk(version)
    assert found is not None
    assert found.state is not None
    assert (found.start, found.until, found.every) == (MONDAY, MONDAY + 4 * HOUR, HOUR)
    assert found.state.fitted_at == state.fitted_at
    assert same(stores.forecasts.latest(version, Origin.BACKFILL), first[2])
    assert stores.forecasts.state(version) is None

    stores.forecasts.forget_walk(version)
    assert stores.forecasts.walk(version) is None
    assert stores.forecasts.latest(version, Origin.BACKFILL) is None


def test_live_runs_adopt_a_state(stores: AllStores) -> None:
    version = version_of(stores)
    state = refit(History.of(series(daily_demand(5)), PARIS, 60), 60)

    stores.forecasts.adopt(version, state)

    found = stores.forecasts.state(version)
    assert found is not None
    assert found.fitted_at == state.fitted_at


def test_as_of_gives_what_was_known_then(stores: AllStores) -> None:
    version = version_of(stores)
    early, late = issued(version, MONDAY), issued(version, MONDAY + 3 * HOUR)
    for made in (early, late):
        stores.forecasts.save(version, STORED, made)

    assert same(stores.forecasts.as_of(version, MONDAY + HOUR), early)
    assert same(stores.forecasts.as_of(version, MONDAY + 4 * HOUR), late)
    assert stores.forecasts.as_of(version, MONDAY) is None


def test_forecasts_of_a_span_come_with_the_one_before_it(stores: AllStores) -> None:
    version = version_of(stores)
    made = [issued(version, MONDAY + number * HOUR) for number in range(4)]
    for one in [*reversed(made), issued(version, MONDAY + HOUR, Origin.BACKFILL)]:
        stores.forecasts.save(version, STORED, one)

    def cutoffs(start: datetime, end: datetime, origin: Origin = Origin.LIVE) -> list[datetime]:
        return [f.cutoff for f in stores.forecasts.between(version, start, end, origin)]

    hours = [f.cutoff for f in made]
    assert cutoffs(MONDAY, MONDAY + DAY)[-1] == hours[-1]
    assert cutoffs(MONDAY + HOUR, MONDAY + 3 * HOUR) == hours[:3]
    assert cutoffs(MONDAY + DAY, MONDAY + 2 * DAY) == hours[-1:]
    assert cutoffs(MONDAY - DAY, MONDAY) == []
    assert cutoffs(MONDAY - DAY, MONDAY + DAY, Origin.BACKFILL) == [hours[1]]
    assert same(stores.forecasts.between(version, MONDAY, MONDAY + STEP)[0], made[0])


def test_of_many_forecasts_some_are_chosen_evenly(stores: AllStores) -> None:
    version = version_of(stores)
    made = [issued(version, MONDAY + number * HOUR) for number in range(9)]
    for one in made:
        stores.forecasts.save(version, STORED, one)

    def chosen(most: int, start: datetime = MONDAY) -> list[int]:
        found = stores.forecasts.between(version, start, MONDAY + DAY, most=most)
        return [made.index(next(f for f in made if f.cutoff == one.cutoff)) for one in found]

    assert chosen(9) == list(range(9))
    assert chosen(4) == [2, 5, 8]
    assert chosen(1) == [8]
    assert chosen(3, MONDAY + 5 * HOUR) == [4, 6, 8]
    assert stores.forecasts.between(version, MONDAY - DAY, MONDAY - HOUR, most=4) == []


def test_runs_are_thinned_to_the_hour_but_the_newest_stays(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    version = version_of(stores)
    for number in range(40):
        stores.forecasts.save(version, STORED, issued(version, MONDAY + number * STEP))

    found = list(stores.forecasts.cutoffs(version, MONDAY, MONDAY + DAY))

    assert found == [
        MONDAY,
        MONDAY + HOUR,
        MONDAY + 2 * HOUR,
        MONDAY + 3 * HOUR,
        MONDAY + 39 * STEP,
    ]


def test_old_runs_are_thinned_to_six_hours_and_then_to_days(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    version = version_of(stores)
    start = MONDAY - 70 * DAY
    for number in range(71 * 8):
        stores.forecasts.save(version, STORED, issued(version, start + number * 3 * HOUR))
    newest = start + (71 * 8 - 1) * 3 * HOUR

    found = list(stores.forecasts.cutoffs(version, start, newest + HOUR))

    gaps: dict[str, list[timedelta]] = {age: [] for age in ("old", "middle", "young")}
    for one, two in pairwise(found):
        age = newest - two
        kind = "old" if age > 56 * DAY else "middle" if age > 7 * DAY else "young"
        gaps[kind].append(two - one)
    assert set(gaps["old"]) == {DAY}
    assert set(gaps["middle"][1:-1]) == {6 * HOUR}
    assert set(gaps["young"][1:]) == {3 * HOUR}


def test_a_status_replaces_the_one_before_with_or_without_a_forecast(stores: AllStores) -> None:
    version = version_of(stores)
    failed = RunStatus(
        MONDAY + HOUR,
        Outcome.TOO_LITTLE_HISTORY,
        "5.0 h of history, 48 h are needed",
        SourceFailure("refused", "HTTP 400: bad query"),
        12.5,
        MONDAY,
    )
    stores.forecasts.save(version, STORED, issued(version, MONDAY))
    assert not stores.forecasts.save(version, failed)

    assert stores.forecasts.statuses() == {version.id: failed}
    assert stores.forecasts.latest(version) is not None


def test_the_engines_state_survives(stores: AllStores) -> None:
    version = version_of(stores)
    known = History.of(series(daily_demand(5)), PARIS, 60)
    state = refit(known, 60)
    assert stores.forecasts.state(version) is None

    stores.forecasts.save(version, STORED, None, state)
    stores.forecasts.save(version, STORED, None, None)

    found = stores.forecasts.state(version)
    assert found is not None
    assert (found.fitted_at, found.scale, found.naive) == (
        state.fitted_at,
        state.scale,
        state.naive,
    )
    one, two = (roll(kept, known, 60) for kept in (found, state))
    np.testing.assert_array_equal(one.values, two.values)
    assert one.weights == two.weights
