"""A replay whose process is killed without a goodbye; another one goes on after what was kept."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.apps.replays import ReplayRunner
from prescaler.core.jobs import JobState
from tests.apps.conftest import AS_ADMIN, NOW, Serve, Served, workload
from tests.support.builders import DAY, daily_demand, series
from tests.support.processes import wait_for

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("unmeasured")]
HOUR = timedelta(hours=1)
HOURLY = {"step": "1h", "every": "6h", "refit": "1d"}
WEEKS = 3

WORKER = """
import sys, threading
from datetime import datetime
from types import SimpleNamespace
from pathlib import Path
from prescaler.apps.replays import ReplayRunner
from prescaler.config import load_settings
from prescaler.wiring import open_stores

if __name__ == "__main__":
    settings = load_settings(Path(sys.argv[1]))
    clock = SimpleNamespace(now=lambda: datetime.fromisoformat(sys.argv[2]))
    stores = open_stores(settings.store.main)
    ReplayRunner(SimpleNamespace(settings=settings), stores, clock).round(threading.Event())
"""


@pytest.fixture
def served(serve: Serve) -> Served:
    """An hourly workload with three months of demand."""
    demand = {"source": ["main"], "query": "sum(web)", "resolution": "1h"}
    found = serve(workloads=[workload("web", demand=demand, forecast=HOURLY)])
    web = found.keeper.settings.workloads[0]
    version = found.stores.workloads.ensure(web, NOW)
    values = daily_demand(90, step=HOUR)
    found.stores.demand.append(version, series(values, NOW - 90 * DAY, HOUR))
    found.keeper.refresh()
    return found


def ask(served: Served, weeks: int = WEEKS) -> UUID:
    body = {
        "workload": "web",
        "since": f"{weeks}w",
        "until": f"{NOW - HOUR:%Y-%m-%dT%H:%M:%SZ}",
        "arms": ["reactive", "prescaler"],
        "runs": 1,
        "sweep": False,
    }
    answer = served.client.post("/api/v1/replays", json=body, headers=AS_ADMIN)
    return UUID(answer.json()["id"])


def parts(served: Served) -> int:
    with served.stores.database.read() as connection:
        found = connection.scalar(sa.select(sa.func.count()).select_from(t.job_part))
    return int(found or 0)


def result(served: Served, job: UUID) -> dict[str, Any]:
    found = served.stores.jobs.get(job)
    assert found is not None
    assert (found.state, found.error) == (JobState.DONE, None)
    assert found.result is not None
    return dict(found.result)


def test_a_killed_replay_goes_on_and_comes_to_the_same(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(served)
    arguments = (str(served.path), NOW.isoformat())
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments], start_new_session=True, env={**os.environ}
    )
    wait_for(lambda: parts(served) >= 1, 300)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    left = parts(served)
    found = served.stores.jobs.get(job)
    assert found is not None
    assert (found.state, left < WEEKS) == (JobState.RUNNING, True), "it was killed in between"

    kept: list[str] = []
    keep = served.stores.jobs.keep_part

    def counted(job: UUID, owner: str, name: str, payload: bytes) -> bool:
        kept.append(name)
        return keep(job, owner, name, payload)

    monkeypatch.setattr(served.stores.jobs, "keep_part", counted)
    served.clock.present = NOW + timedelta(minutes=2)
    runner = ReplayRunner(served.keeper, served.stores, served.clock)
    runner.round(threading.Event())
    taken = result(served, job)
    assert 0 < len(kept) <= WEEKS + 1 - left, "what was kept was not walked again"
    assert parts(served) == 0, "it goes with the job"

    again = ask(served)
    runner.round(threading.Event())
    assert result(served, again) == taken
    assert np.isfinite(taken["arms"][1]["all"]["pod_hours"])


def test_a_piece_that_is_damaged_is_walked_again(served: Served) -> None:
    job = ask(served, weeks=1)
    runner = ReplayRunner(served.keeper, served.stores, served.clock)
    keep = served.stores.jobs.keep_part

    stop = threading.Event()

    def damaged(job: UUID, owner: str, name: str, payload: bytes) -> bool:
        stop.set()
        return keep(job, owner, name, b"damaged")

    served.stores.jobs.keep_part = damaged  # type: ignore[method-assign]
    runner.round(stop)
    served.stores.jobs.keep_part = keep  # type: ignore[method-assign]
    assert parts(served) >= 1

    served.clock.present = NOW + timedelta(minutes=2)
    ReplayRunner(served.keeper, served.stores, served.clock).round(threading.Event())
    assert result(served, job)["arms"]
