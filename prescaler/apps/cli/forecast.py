"""`forecast`: run once, by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer

from prescaler.apps.cli.options import (
    ERR,
    OUT,
    Config,
    Debug,
    Json,
    config_path,
    print_json,
    table_of,
)
from prescaler.config import Settings, load_settings
from prescaler.core.errors import (
    SourceOverloaded,
    SourceUnreachable,
    StoreError,
    StoreNotMigrated,
    UnknownWorkload,
)
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.instants import format_instant, from_epoch
from prescaler.core.plan import plan
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.records import Outcome
from prescaler.core.workload import Workload
from prescaler.usecases.forecast_workload import ForecastPorts, RunRecord, forecast_workload
from prescaler.usecases.rehearse import coming_effects
from prescaler.wiring import (
    Stores,
    check_schema,
    dry_run_ports,
    open_stores,
    store_exists,
    worker_plan,
    worker_resources,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(forecast)


@dataclass(frozen=True, eq=False)
class _Run:
    """What a run did for a workload, and what the calendar adds to its forecast."""

    workload: Workload
    record: RunRecord
    effects: tuple[EventEffect, ...]


def forecast(
    workload: Annotated[str | None, typer.Argument(help="Default: all of them.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Store nothing; history and calendar are read as a run reads them."
        ),
    ] = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Fetch what is new, forecast, store; exit 1 where a workload got no forecast."""
    settings = load_settings(config_path(config))
    chosen = _chosen(settings, workload)
    runs = _rehearsed(settings, chosen) if dry_run else _done(settings, chosen)
    if as_json:
        print_json([_document(run) for run in runs])
    else:
        _show(runs)
    return _exit_code([run.record for run in runs])


def _exit_code(records: list[RunRecord]) -> int:
    """4 where a source could not be reached, 1 where a workload got no forecast."""
    kinds = {record.source_failure.kind for record in records if record.source_failure}
    if kinds & {SourceUnreachable.kind, SourceOverloaded.kind}:
        return 4
    return 0 if all(r.outcome in (Outcome.STORED, Outcome.UNCHANGED) for r in records) else 1


def _chosen(settings: Settings, name: str | None) -> list[Workload]:
    if name is None:
        return list(settings.workloads)
    found = settings.workload(name)
    if found is None:
        raise UnknownWorkload(f"no workload {name!r} is configured")
    return [found]


def _done(settings: Settings, chosen: list[Workload]) -> list[_Run]:
    check_schema(open_stores(settings.store.main))
    resources = worker_resources(worker_plan(settings))
    return [_run(workload, resources.ports(workload)) for workload in chosen]


def _rehearsed(settings: Settings, chosen: list[Workload]) -> list[_Run]:
    with _stored_before(settings) as stores:
        return [_run(one, dry_run_ports(settings, one, stores)) for one in chosen]


@contextmanager
def _stored_before(settings: Settings) -> Iterator[Stores | None]:
    """The store as it is; none, said aloud, where there is none to read yet."""
    stores = open_stores(settings.store.main)
    try:
        yield stores if _readable(stores) else None
    finally:
        stores.database.close()


def _readable(stores: Stores) -> bool:
    try:
        if store_exists(stores):
            check_schema(stores)
            return True
        problem = f"{stores.database.place} is not there yet"
    except StoreNotMigrated as error:
        problem = str(error)
    except StoreError as error:
        raise type(error)(f"{error}; a dry run needs its history and calendar") from error
    ERR.print(
        f"without stored history and planned events: {problem}", markup=False, highlight=False
    )
    return False


def _run(workload: Workload, ports: ForecastPorts) -> _Run:
    record = forecast_workload(workload, ports)
    found = record.forecast
    return _Run(workload, record, coming_effects(workload, found, ports) if found else ())


def _document(run: _Run) -> dict[str, Any]:
    document = {key: value for key, value in vars(run.record).items() if key != "forecast"}
    if run.record.forecast is not None:
        document["peak"] = _peak(run, run.record.forecast)
    return document


def _show(runs: list[_Run]) -> None:
    table = table_of(
        "workload", "outcome", "cutoff", "new points", "next hour", "next peak", "remark"
    )
    for run in runs:
        record = run.record
        cutoff = format_instant(record.cutoff) if record.cutoff else "-"
        failure = record.source_failure
        remark = failure.text if failure else record.detail or ""
        hour, peak = "-", "-"
        if record.forecast is not None:
            hour, found = _next_hour(record.forecast), _peak(run, record.forecast)
            peak = f"{found['pods']} pods at {found['at']}"
            peak += f" with {', '.join(found['events'])}" if found["events"] else ""
        table.add_row(
            record.workload, record.outcome.value, cutoff, str(record.points), hour, peak, remark
        )
    OUT.print(table)


def _next_hour(found: Forecast) -> str:
    """Median and 0.95 quantile of the mean of the next hour's steps."""
    steps = max(1, int(3600 / found.step.total_seconds()))
    low = float(np.mean(found.values[:steps, MEDIAN]))
    high = float(np.mean(found.values[:steps, QUANTILES.index(0.95)]))
    return f"{low:,.4g} (0.95: {high:,.4g})"


def _peak(run: _Run, found: Forecast) -> dict[str, Any]:
    """When the plan of the next 24 hours is highest, what it asks for, and the events of them."""
    policy = run.workload.policy
    ahead = found.stamps[: max(1, int(86_400 / found.step.total_seconds()))]
    curve = plan(found, run.effects, policy, ahead)
    highest = int(np.argmax(curve.load))
    load, until = float(curve.load[highest]), from_epoch(int(ahead[-1]))
    return {
        "at": format_instant(from_epoch(int(ahead[highest]))),
        "load": round(load, 3),
        "pods": int(np.ceil(load / policy.target - 1e-9)),
        "events": sorted({effect.name for effect in run.effects if effect.begins <= until}),
    }
