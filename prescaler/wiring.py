"""The only place that chooses implementations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from prescaler.adapters.clock import SystemClock
from prescaler.adapters.database import schema
from prescaler.adapters.database.control import DatabaseAudit, DatabaseControl
from prescaler.adapters.database.decisions import DatabaseDecisions
from prescaler.adapters.database.demand import DatabaseDemand
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.events import DatabaseEvents, DatabaseFeeds
from prescaler.adapters.database.forecasts import DatabaseForecasts
from prescaler.adapters.database.jobs import DatabaseJobs
from prescaler.adapters.database.leadership import leadership_on
from prescaler.adapters.database.replicas import DatabaseReplicas
from prescaler.adapters.database.scores import DatabaseScores
from prescaler.adapters.database.upkeep import DatabaseUpkeep
from prescaler.adapters.database.uplifts import DatabaseUplifts
from prescaler.adapters.database.workloads import DatabaseWorkloads
from prescaler.adapters.events.download import Place, read_place
from prescaler.adapters.events.source import FORMATS, CalendarSource
from prescaler.adapters.memory import MemoryForecasts, MemorySnapshot, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.adapters.prometheus.access import PrometheusAccess, Secret
from prescaler.adapters.prometheus.pods import PrometheusPods
from prescaler.adapters.prometheus.source import PrometheusSource
from prescaler.adapters.prometheus.summed import SummedSources
from prescaler.adapters.snapshot.local import LocalSnapshot
from prescaler.config import Settings
from prescaler.config.feeds import FeedFormat, FeedSection
from prescaler.config.models import PrometheusSection
from prescaler.core.event_records import FeedRules, FoundEvents
from prescaler.core.scaledobject import ReactiveSource
from prescaler.core.workload import Workload
from prescaler.ports import (
    Clock,
    DecisionStore,
    DemandSource,
    DemandStore,
    EventStore,
    ForecastStore,
    JobStore,
    Leadership,
    PodSource,
    ScoreStore,
    SnapshotStore,
    UpliftStore,
    WorkloadStore,
)
from prescaler.ports.control import AuditStore, ControlStore
from prescaler.ports.events import FeedStore
from prescaler.ports.replicas import ReplicaStore
from prescaler.ports.upkeep import UpkeepStore
from prescaler.usecases.crowd_lore import LorePorts
from prescaler.usecases.forecast_workload import ForecastPorts
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.refresh_serving import ServingPorts, refresh_serving, start_serving
from prescaler.usecases.rehearse import StoredBefore, recall
from prescaler.usecases.review_trust import TrustPorts
from prescaler.usecases.score_forecasts import ScorePorts
from prescaler.usecases.serve_metric import Served, ServingTable
from prescaler.usecases.sync_events import Feed, SyncPorts
from prescaler.usecases.walk_forward import WalkPorts


@dataclass(frozen=True)
class Stores:
    """Every store port, on one database."""

    database: Database
    workloads: WorkloadStore
    demand: DemandStore
    forecasts: ForecastStore
    controls: ControlStore
    audit: AuditStore
    decisions: DecisionStore
    events: EventStore
    feeds: FeedStore
    jobs: JobStore
    upkeep: UpkeepStore
    scores: ScoreStore
    uplifts: UpliftStore
    replicas: ReplicaStore


@dataclass(frozen=True)
class WorkerPlan:
    """What a worker process needs to know; small, hashable, and free of secrets' values but one.

    url: of the store. sources: access to each server, with the request rate shared out.
    """

    url: str
    sources: tuple[PrometheusAccess, ...]


def clock() -> Clock:
    """The clock of this machine."""
    return SystemClock()


def open_stores(url: str, *, pool_size: int = 5) -> Stores:
    """All stores on one database. Nothing is connected yet.

    Raises:
        ConfigurationError: the URL is none of ours.
    """
    database = Database(url, pool_size=pool_size)
    return Stores(
        database=database,
        workloads=DatabaseWorkloads(database),
        demand=DatabaseDemand(database),
        forecasts=DatabaseForecasts(database),
        controls=DatabaseControl(database),
        audit=DatabaseAudit(database),
        decisions=DatabaseDecisions(database),
        events=DatabaseEvents(database),
        feeds=DatabaseFeeds(database),
        jobs=DatabaseJobs(database),
        upkeep=DatabaseUpkeep(database),
        scores=DatabaseScores(database),
        uplifts=DatabaseUplifts(database),
        replicas=DatabaseReplicas(database),
    )


def open_leadership(direct_url: str) -> Leadership:
    """The lock that says who schedules."""
    return leadership_on(Database(direct_url, pool_size=1))


def open_snapshot(folder: str) -> SnapshotStore:
    """The last good state on local disk."""
    return LocalSnapshot(Path(folder))


def worker_plan(settings: Settings) -> WorkerPlan:
    """What the worker processes need of the settings."""
    return WorkerPlan(
        url=settings.store.main,
        sources=tuple(
            access(name, section, share=settings.workers)
            for name, section in settings.prometheus.items()
        ),
    )


def access(name: str, section: PrometheusSection, *, share: int = 1) -> PrometheusAccess:
    """How a server is reached; `share` processes divide its request rate between them."""
    auth = section.auth
    return PrometheusAccess(
        name=name,
        url=section.url,
        username=auth.username,
        password=_secret(auth.password_env, auth.password_file),
        bearer=_secret(auth.bearer_env, auth.bearer_file),
        headers=tuple(section.headers.items()),
        ca_file=section.ca_file,
        cert_file=section.cert_file,
        key_file=section.key_file,
        timeout=section.timeout,
        max_qps=section.max_qps / share,
    )


def _secret(env: str | None, file: str | None) -> Secret | None:
    return Secret(env, file) if env or file else None


@dataclass(frozen=True)
class WorkerResources:
    """What a worker process keeps open between runs."""

    stores: Stores
    sources: dict[str, PrometheusSource]
    lore: LorePorts
    pods: dict[str, PodSource]

    def ports(self, workload: Workload) -> ForecastPorts:
        """The ports of a run for one workload."""
        return ForecastPorts(
            clock=clock(),
            source=demand_source(workload, self.sources),
            workloads=self.stores.workloads,
            demand=self.stores.demand,
            forecasts=self.stores.forecasts,
            lore=self.lore,
            pods=self.pods,
        )

    @property
    def score_ports(self) -> ScorePorts:
        """The ports of scoring."""
        return ScorePorts(self.stores.demand, self.stores.scores, self.lore)

    @property
    def trust_ports(self) -> TrustPorts:
        """The ports of guards and ladder."""
        stores = self.stores
        return TrustPorts(
            stores.demand, stores.forecasts, stores.scores, stores.controls, stores.events
        )


@lru_cache(maxsize=1)
def worker_resources(plan: WorkerPlan) -> WorkerResources:
    """Connections of this process for a plan, kept for the next run; another plan replaces them."""
    stores = open_stores(plan.url, pool_size=2)
    pods: dict[str, PodSource] = {one.name: PrometheusPods(one) for one in plan.sources}
    return WorkerResources(stores, _open_sources(plan.sources), lore_ports(stores), pods)


def dry_run_ports(settings: Settings, workload: Workload, stores: Stores | None) -> ForecastPorts:
    """Ports that read the real sources and calendar, and store nothing. stores: None = none yet.

    Raises:
        StoreError: by its subclass.
    """
    plan = worker_plan(settings)
    events = MemoryEvents() if stores is None else stores.events
    ports = ForecastPorts(
        clock=clock(),
        source=demand_source(workload, _open_sources(plan.sources)),
        workloads=MemoryWorkloads(),
        demand=MemoryDemand(),
        forecasts=MemoryForecasts(),
        lore=LorePorts(CalendarReader(events), MemoryUplifts()),
        pods={one.name: PrometheusPods(one) for one in plan.sources},
    )
    if stores is not None:
        like = settings.workload(workload.like.workload) if workload.like is not None else None
        found = StoredBefore(stores.workloads, stores.demand, stores.forecasts, stores.uplifts)
        wanted = [workload] if like is None else [like, workload]
        recall(found, wanted, ports, clock().now().replace(microsecond=0))
    return ports


def open_feed(section: FeedSection) -> Feed:
    """A calendar as it is fetched and taken over; nothing is asked yet."""
    address = section.address
    place = Place(
        name=section.name,
        url=address or "",
        timeout=section.timeout,
        max_bytes=section.max_bytes,
        allow_http=section.allow_http,
        allow_private=section.allow_private,
        ca_file=section.ca_file,
    )
    source = CalendarSource(
        rules=section.rules(),
        format=section.format.value,
        place=place if address is not None else None,
        file=Path(section.file) if section.file is not None else None,
        max_bytes=section.max_bytes,
    )
    return Feed(section.name, source, allow_empty=section.allow_empty)


def sync_ports(settings: Settings, stores: Stores) -> SyncPorts:
    """What taking a calendar over needs."""
    names = {name for one in settings.workloads for name in (one.name, *one.aliases)}
    return SyncPorts(stores.events, stores.feeds, names)


def read_events(content: bytes, form: FeedFormat, rules: FeedRules, now: datetime) -> FoundEvents:
    """The events in a file, entry by entry.

    Raises:
        FeedError: it is no such file at all.
    """
    return FORMATS[form.value](content, rules, now)


def read_file(name: str, path: Path, max_bytes: int) -> bytes:
    """A file of events, no larger than that.

    Raises:
        FeedUnreachable, FeedTooLarge
    """
    return read_place(name, path, max_bytes)


def lore_ports(stores: Stores) -> LorePorts:
    """The calendar, and what past crowds taught."""
    return LorePorts(CalendarReader(stores.events), stores.uplifts)


def open_source(name: str, section: PrometheusSection) -> PrometheusSource:
    """One server."""
    return PrometheusSource(access(name, section))


def backfill_source(
    settings: Settings, workload: Workload, max_qps: float | None = None
) -> DemandSource:
    """The workload's source for a backfill; all workloads of a process share its request rate."""
    return demand_source(workload, _shared_sources(settings, max_qps))


@lru_cache(maxsize=1)
def _shared(accesses: tuple[PrometheusAccess, ...]) -> dict[str, PrometheusSource]:
    return _open_sources(accesses)


def _shared_sources(settings: Settings, max_qps: float | None) -> dict[str, PrometheusSource]:
    found = (access(name, section) for name, section in settings.prometheus.items())
    return _shared(
        tuple(one if max_qps is None else replace(one, max_qps=max_qps) for one in found)
    )


def walk_ports(stores: Stores) -> WalkPorts:
    """What forecasts of the past need."""
    return WalkPorts(
        clock(),
        stores.workloads,
        stores.demand,
        stores.forecasts,
        stores.scores,
        lore_ports(stores),
    )


def demand_source(workload: Workload, sources: dict[str, PrometheusSource]) -> DemandSource:
    """The workload's source, or the sum of several."""
    wanted: Sequence[PrometheusSource] = [sources[name] for name in workload.demand.sources]
    return wanted[0] if len(wanted) == 1 else SummedSources(wanted)


def open_pod_sources(settings: Settings) -> dict[str, PodSource]:
    """The servers that count pods, by name."""
    wanted = {workload.pods.source for workload in settings.workloads if workload.pods}
    sections = settings.prometheus
    return {n: PrometheusPods(access(n, sections[n])) for n in sorted(wanted) if n in sections}


def _open_sources(accesses: Sequence[PrometheusAccess]) -> dict[str, PrometheusSource]:
    return {access.name: PrometheusSource(access) for access in accesses}


def reactive_sources(settings: Settings, workload: Workload) -> list[ReactiveSource]:
    """The servers that a workload's reactive trigger reads."""
    return [_reactive_source(name, settings.prometheus[name]) for name in workload.demand.sources]


def _reactive_source(name: str, section: PrometheusSection) -> ReactiveSource:
    auth = section.auth
    bearer = auth.bearer_env or auth.bearer_file
    mode = "bearer" if bearer else "basic" if auth.username else None
    private_tls = section.ca_file is not None or section.cert_file is not None
    return ReactiveSource(name, section.url, tuple(section.headers.items()), mode, private_tls)


def load_serving(workload: Workload, stores: Stores, now: datetime) -> Served:
    """One workload as every replica serves it, read from the store once.

    Raises:
        StoreError: by its subclass.
    """
    return load_table([workload], stores, now).get(workload.name)


def load_table(workloads: Sequence[Workload], stores: Stores, now: datetime) -> ServingTable:
    """Workloads as every replica serves them, read from the store once.

    Raises:
        StoreError: by its subclass.
    """
    table, snapshot = ServingTable(), MemorySnapshot()
    start_serving(table, workloads, {})
    ports = ServingPorts(
        stores.workloads,
        stores.forecasts,
        stores.controls,
        snapshot,
        stores.events,
        stores.uplifts,
    )
    record = refresh_serving(table, ports, now)
    failure = record.failure or record.events_failure
    if failure is not None:
        raise failure
    return table


def check_schema(stores: Stores) -> None:
    """Refuse a database that this release cannot work with.

    Raises:
        StoreError: StoreNotMigrated, StoreIncompatible, or StoreUnreachable.
    """
    schema.check(stores.database)


def store_exists(stores: Stores) -> bool:
    """Whether there is anything to read: asking SQLite would make an empty file."""
    database = stores.database
    return not database.sqlite or Path(database.url.database or "").exists()


def upgrade_schema(stores: Stores) -> tuple[str | None, str]:
    """Bring the database to this release; gives the schema before and after."""
    return schema.upgrade(stores.database)


def schema_versions(stores: Stores) -> tuple[str | None, str]:
    """The database's schema, and the one that this release needs."""
    return schema.current(stores.database), schema.head()
