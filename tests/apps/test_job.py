"""What a worker does after its forecast: score, then review trust, whatever the source does."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from prescaler.adapters.clock import SystemClock
from prescaler.apps.scheduler.job import run_job
from prescaler.config import load_settings
from prescaler.core.policy import Mode
from prescaler.core.records import Outcome, RunStatus
from prescaler.core.score_days import day_of
from prescaler.usecases.forecast_workload import RunRecord
from prescaler.wiring import open_stores, worker_plan, worker_resources
from tests.apps.conftest import configuration, workload
from tests.support.builders import DAY, MINUTE, MONDAY, daily_demand, forecast, series
from tests.support.migrated import migrate

NOW = MONDAY + 12 * timedelta(hours=1)


def test_a_run_scores_what_came_and_trips_a_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("READ", "WEB", "ADMIN"):
        monkeypatch.setenv(f"KEY_{name}", f"{name.lower()}-key-0123456789")
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW)
    web = workload("web", trust={"auto": True}, policy={"mode": "active"})
    path = tmp_path / "prescaler.yaml"
    path.write_text(yaml.safe_dump(configuration(tmp_path, workloads=[web])))
    settings = load_settings(path)
    (one,) = settings.workloads
    stores = open_stores(settings.store.main)
    migrate(stores.database)
    version = stores.workloads.ensure(one, NOW)
    demand = daily_demand(15, step=MINUTE)
    start = NOW - len(demand) * MINUTE
    stores.demand.append(version, series(demand, start, MINUTE))
    # Three hours ago somebody said a hundredth of what came.
    cutoff = NOW - timedelta(hours=3)
    made = forecast(np.ones(600), workload=version.workload, cutoff=cutoff, issued_at=cutoff)
    stores.forecasts.save(version, RunStatus(cutoff, Outcome.STORED), made)
    plan = worker_plan(settings)

    record = run_job(plan, one)

    assert isinstance(record, RunRecord)
    assert record.afterwards_failed is None
    assert (record.trust.tripped, record.trust.mode) == ("residuals", Mode.SHADOW)
    days = stores.scores.between(version, day_of(NOW), day_of(NOW) + DAY)
    assert {row.bucket for row in days} == {"15m", "1h", "6h", "24h", "48h"}
    worker_resources.cache_clear()
    stores.database.close()
