"""`forecast`: run once, by hand."""

from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from prescaler.apps.cli.options import OUT, Config, Debug, Json, config_path, print_json
from prescaler.config import Settings, load_settings
from prescaler.core.errors import SourceOverloaded, SourceUnreachable, UnknownWorkload
from prescaler.core.forecast import Forecast
from prescaler.core.instants import format_instant, from_epoch
from prescaler.core.plan import plan
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.records import Outcome
from prescaler.core.workload import Workload
from prescaler.usecases.forecast_workload import RunRecord, forecast_workload
from prescaler.wiring import check_schema, dry_run_ports, open_stores, worker_plan, worker_resources


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(forecast)


def forecast(
    workload: Annotated[str | None, typer.Argument(help="Default: all of them.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing.")] = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Fetch what is new, forecast, store; exit 1 where a workload got no forecast."""
    settings = load_settings(config_path(config))
    records = [_run(settings, chosen, dry_run=dry_run) for chosen in _chosen(settings, workload)]
    if as_json:
        print_json([_document(settings, record) for record in records])
    else:
        _show(settings, records)
    return _exit_code(records)


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


def _run(settings: Settings, workload: Workload, *, dry_run: bool) -> RunRecord:
    if dry_run:
        return forecast_workload(workload, dry_run_ports(settings, workload))
    check_schema(open_stores(settings.store.main))
    return forecast_workload(workload, worker_resources(worker_plan(settings)).ports(workload))


def _document(settings: Settings, record: RunRecord) -> dict[str, Any]:
    workload = settings.workload(record.workload)
    document = {key: value for key, value in vars(record).items() if key != "forecast"}
    if record.forecast is not None and workload is not None:
        document["peak"] = _peak(workload, record.forecast)
    return document


def _show(settings: Settings, records: list[RunRecord]) -> None:
    table = Table("workload", "outcome", "cutoff", "new points", "next hour", "next peak", "remark")
    for record in records:
        workload = settings.workload(record.workload)
        cutoff = format_instant(record.cutoff) if record.cutoff else "-"
        failure = record.source_failure
        remark = failure.text if failure else record.detail or ""
        hour, peak = "-", "-"
        if record.forecast is not None and workload is not None:
            hour, found = _next_hour(record.forecast), _peak(workload, record.forecast)
            peak = f"{found['pods']} pods at {found['at']}"
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


def _peak(workload: Workload, found: Forecast) -> dict[str, Any]:
    """When the plan of the next 24 hours is highest, and what it asks for."""
    ahead = found.stamps[: max(1, int(86_400 / found.step.total_seconds()))]
    curve = plan(found, (), workload.policy, ahead)
    highest = int(np.argmax(curve.load))
    load = float(curve.load[highest])
    return {
        "at": format_instant(from_epoch(int(ahead[highest]))),
        "load": round(load, 3),
        "pods": int(np.ceil(load / workload.policy.target - 1e-9)),
    }
