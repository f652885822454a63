"""The stores of every kind: in memory, on SQLite, on a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from prescaler.adapters.database.control import DatabaseAudit, DatabaseControl
from prescaler.adapters.database.decisions import DatabaseDecisions
from prescaler.adapters.database.demand import DatabaseDemand
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.events import DatabaseEvents, DatabaseFeeds
from prescaler.adapters.database.forecasts import DatabaseForecasts
from prescaler.adapters.database.jobs import DatabaseJobs
from prescaler.adapters.database.scores import DatabaseScores
from prescaler.adapters.database.uplifts import DatabaseUplifts
from prescaler.adapters.database.workloads import DatabaseWorkloads
from prescaler.adapters.memory import (
    MemoryControl,
    MemoryDecisions,
    MemoryForecasts,
    MemoryScores,
    MemoryWorkloads,
)
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.adapters.memory_events import MemoryEvents, MemoryFeeds
from prescaler.adapters.memory_jobs import MemoryJobs
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.ports import (
    DecisionStore,
    DemandStore,
    EventStore,
    ForecastStore,
    JobStore,
    ScoreStore,
    UpliftStore,
    WorkloadStore,
)
from prescaler.ports.control import AuditStore, ControlStore
from prescaler.ports.events import FeedStore
from tests.support.migrated import migrated_file


@dataclass(frozen=True)
class AllStores:
    """One of each."""

    kind: str
    workloads: WorkloadStore
    demand: DemandStore
    forecasts: ForecastStore
    controls: ControlStore
    audit: AuditStore
    decisions: DecisionStore
    jobs: JobStore
    scores: ScoreStore
    events: EventStore
    feeds: FeedStore
    uplifts: UpliftStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AllStores]:
    """Empty stores."""
    if request.param == "memory":
        control, forecasts = MemoryControl(), MemoryForecasts()
        yield AllStores(
            "memory",
            MemoryWorkloads(),
            MemoryDemand(),
            forecasts,
            control,
            control,
            MemoryDecisions(),
            MemoryJobs(),
            MemoryScores(forecasts),
            MemoryEvents(control.entries),
            MemoryFeeds(),
            MemoryUplifts(),
        )
        return
    if request.param == "sqlite":
        url = migrated_file(tmp_path / "store.sqlite")
    else:
        url = request.getfixturevalue("postgres").migrated_database()
    database = Database(url)
    yield on_database(request.param, database)
    database.close()


def on_database(kind: str, database: Database) -> AllStores:
    """All stores on one database."""
    return AllStores(
        kind,
        DatabaseWorkloads(database),
        DatabaseDemand(database),
        DatabaseForecasts(database),
        DatabaseControl(database),
        DatabaseAudit(database),
        DatabaseDecisions(database),
        DatabaseJobs(database),
        DatabaseScores(database),
        DatabaseEvents(database),
        DatabaseFeeds(database),
        DatabaseUplifts(database),
    )
