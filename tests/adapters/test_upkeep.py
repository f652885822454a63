"""What is too old goes, in small batches; what is needed stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from prescaler.core.control import Control
from prescaler.core.errors import BadParameter
from prescaler.core.forecast import Origin
from prescaler.core.jobs import Job, JobKind
from prescaler.core.records import AuditEntry, HistoryVersion, Walk
from prescaler.core.retention import Amount, Kept, Retention
from prescaler.core.series import Series
from prescaler.usecases.prune_history import prune_history
from prescaler.wiring import Stores, open_stores
from tests.support.builders import (
    DAY,
    MINUTE,
    MONDAY,
    STEP,
    daily_demand,
    forecast,
    series,
    workload,
)
from tests.support.migrated import migrated_file

HOUR = timedelta(hours=1)
WEB = workload()
SHORT = Retention(**dict.fromkeys((kind.value for kind in Kept), 60 * DAY))


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        url = migrated_file(tmp_path / "store.sqlite")
    else:
        url = request.getfixturevalue("postgres").migrated_database()
    opened = open_stores(url)
    yield opened
    opened.database.close()


def version_of(stores: Stores) -> HistoryVersion:
    return stores.workloads.ensure(WEB, MONDAY)


def pruned(stores: Stores, retention: Retention = SHORT, **how: bool) -> dict[Kept, Amount]:
    found = prune_history(stores.upkeep, retention, [WEB], MONDAY, **how)  # type: ignore[arg-type]
    return {one.kind: one.amount for one in found}


def test_old_fine_demand_becomes_mean_and_maximum_of_five_minutes(stores: Stores) -> None:
    version, values = version_of(stores), daily_demand(100, step=MINUTE)
    start = MONDAY - 100 * DAY
    values[3000:3100] = np.nan
    fine = Retention(fine_demand=60 * DAY)
    stores.demand.append(version, series(values, start, MINUTE))
    before = stores.demand.on_grid(version, start, MONDAY, STEP)

    assert pruned(stores, fine, dry_run=True)[Kept.FINE_DEMAND].rows == 40
    assert [p.days for p in stores.demand.parts(version)] == [100]
    pruned(stores, fine)

    assert [(p.resolution, p.days) for p in stores.demand.parts(version)] == [
        (MINUTE, 60),
        (STEP, 40),
    ]
    after = stores.demand.on_grid(version, start, MONDAY, STEP)
    np.testing.assert_allclose(after.mean, before.mean, rtol=1e-6)
    np.testing.assert_allclose(after.peak, before.peak, rtol=1e-6)
    assert pruned(stores, fine, dry_run=True)[Kept.FINE_DEMAND] == Amount()


def test_finer_points_win_over_coarse_ones_of_the_same_day(stores: Stores) -> None:
    version, day = version_of(stores), MONDAY - 90 * DAY
    coarse = np.full(288, 7.0)
    stores.demand.append(version, Series(day, STEP, coarse, coarse))
    stores.demand.append(version, series(np.full(10, 1.0), day, MINUTE))

    pruned(stores, Retention(fine_demand=60 * DAY))

    found = stores.demand.read(version, day, day + DAY, STEP)
    assert list(found.mean[:3]) == [1.0, 1.0, 7.0]


def test_coarse_demand_is_forgotten_at_its_age(stores: Stores) -> None:
    version = version_of(stores)
    stores.demand.append(version, series(np.ones(288 * 100), MONDAY - 100 * DAY, STEP))

    assert pruned(stores)[Kept.COARSE_DEMAND].rows == 40

    (part,) = stores.demand.parts(version)
    assert (part.first_day, part.days) == (MONDAY - 60 * DAY, 60)


def test_demand_that_a_forecaster_looks_at_is_never_forgotten(stores: Stores) -> None:
    version = version_of(stores)
    stores.demand.append(version, series(np.ones(288 * 20), MONDAY - 20 * DAY, STEP))
    tiny = Retention(**dict.fromkeys((kind.value for kind in Kept), DAY))

    pruned(stores, tiny)

    assert stores.demand.parts(version)[0].days == 20


def test_old_runs_go_but_the_newest_of_each_origin_stays(stores: Stores) -> None:
    version = version_of(stores)
    runs = [
        forecast(
            workload=version.workload, version=version.number, origin=Origin.BACKFILL,
            cutoff=MONDAY - (200 - n) * DAY, issued_at=MONDAY,
        )
        for n in range(3)
    ]  # fmt: skip
    walk = Walk(MONDAY - 200 * DAY, MONDAY - 197 * DAY, DAY, None)
    stores.forecasts.save_walk(version, walk, runs)

    assert pruned(stores)[Kept.FORECAST_RUNS].rows == 2

    found = stores.forecasts.latest(version, Origin.BACKFILL)
    assert found is not None
    assert found.cutoff == MONDAY - 198 * DAY


def test_old_audit_and_ended_jobs_go(stores: Stores) -> None:
    version, old = version_of(stores), MONDAY - 90 * DAY
    control = Control()
    for at in (old, MONDAY):
        entry = AuditEntry(at, "ada", "mode", "web", "match night", None, "x")
        control = stores.controls.put(version.workload, control, entry)
    jobs = [Job(uuid4(), JobKind.REPLAY, "web", "ada", old, old) for _ in range(3)]
    for job in jobs:
        stores.jobs.create(job)
    stores.jobs.cancel(jobs[0].id, old)

    found = pruned(stores)

    assert (found[Kept.AUDIT].rows, found[Kept.JOBS].rows) == (1, 1)
    assert len(stores.audit.recent(10)) == 1
    assert {job.id for job in stores.jobs.find()} == {job.id for job in jobs[1:]}


def test_a_batch_is_small_and_the_rest_waits_when_told(stores: Stores) -> None:
    version = version_of(stores)
    stores.demand.append(version, series(np.ones(288 * 300), MONDAY - 400 * DAY, STEP))

    assert stores.upkeep.drop(Kept.COARSE_DEMAND, MONDAY - 60 * DAY, 7) == 7
    prune_history(stores.upkeep, SHORT, [WEB], MONDAY, going=lambda: False)
    assert stores.demand.parts(version)[0].days == 293

    pruned(stores)
    assert list(stores.demand.parts(version)) == []
    with pytest.raises(BadParameter):
        stores.upkeep.drop(Kept.FINE_DEMAND, MONDAY, 1)


def test_sizes_name_every_kind(stores: Stores) -> None:
    version = version_of(stores)
    stores.demand.append(version, series(np.ones(1440), MONDAY, MINUTE))

    found = stores.upkeep.sizes()

    assert set(found) == {kind.value for kind in Kept}
    assert found["fine_demand"].rows == 1
    assert found["fine_demand"].bytes > 0
    assert found["coarse_demand"] == Amount()


def test_the_age_is_counted_from_the_instant_given(stores: Stores) -> None:
    version = version_of(stores)
    stores.demand.append(version, series(np.ones(288), MONDAY, STEP))

    later = datetime(2040, 1, 1, tzinfo=UTC)
    prune_history(stores.upkeep, Retention(), [], later)

    assert list(stores.demand.parts(version)) == []
