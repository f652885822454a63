"""`history import`, `export`: demand from files and into files."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from prescaler.adapters.files.demand_export import write_demand
from prescaler.adapters.files.demand_table import FileForm, Stamps, read_rows
from prescaler.apps.cli import history_upkeep
from prescaler.apps.cli.moments import moment
from prescaler.apps.cli.options import OUT, Config, Debug, Json, config_path, print_json
from prescaler.config import Settings, load_settings
from prescaler.core.demand_rows import BadRow, DemandRows
from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter, UnknownWorkload
from prescaler.core.instants import floor_to, format_instant
from prescaler.core.merging import NOTHING, Keep
from prescaler.core.records import HistoryVersion
from prescaler.core.spans import Span
from prescaler.core.workload import Workload
from prescaler.usecases.move_history import (
    ImportRecord,
    import_rows,
    store_series,
    stored_points,
    stored_span,
)
from prescaler.wiring import Stores, check_schema, clock, open_stores

_DAY: Final = timedelta(days=1)
_MOST_TOLD: Final = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Demand history: files, sizes, upkeep.", no_args_is_help=True)
    group.command("import")(import_)
    group.command()(export)
    history_upkeep.register(group)
    app.add_typer(group, name="history")


def import_(
    file: Annotated[Path, typer.Argument(help="CSV (or .gz), Parquet, VictoriaMetrics export.")],
    workload: Annotated[str, typer.Option("--workload", "-w", help="Whose demand it is.")],
    stamp_column: Annotated[str, typer.Option(help="Column of instants.")] = "timestamp",
    value_column: Annotated[str, typer.Option(help="Column of values.")] = "value",
    stamps: Annotated[Stamps, typer.Option(help="How instants are written.")] = Stamps.ISO,
    timezone: Annotated[
        str | None, typer.Option(help="Of instants without an offset; else they are refused.")
    ] = None,
    scale: Annotated[
        float, typer.Option(help="Values times this are load units: 0.016667 for per minute.")
    ] = 1.0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad rows out instead of the whole file.")
    ] = False,
    replace_: Annotated[
        bool, typer.Option("--replace", help="The file wins where it differs from the store.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check; store nothing.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Take in demand from a file; a bad row is named with its line, and nothing is stored then."""
    settings = load_settings(config_path(config), with_keys=False)
    one = _workload(settings, workload)
    if not 0 < scale < float("inf"):
        raise BadParameter(f"--scale {scale:g} must be more than 0")
    form = FileForm(stamp_column, value_column, stamps, _zone(timezone), scale)
    now = clock().now().replace(microsecond=0)
    rows, bad = DemandRows(one.demand.resolution, one.forecast.step, now), []
    for batch in read_rows(file, form):
        bad += [*batch.bad, *rows.add(batch.lines, batch.stamps, batch.values)]
    bad.sort(key=lambda row: row.line)
    series = import_rows(rows, bad, skip_bad=skip_bad)
    known = [(s.from_first_observation().start, s.last_observation()) for s in series]
    record = ImportRecord(
        rows.rows,
        len(bad),
        rows.holes,
        NOTHING,
        known[0][0],
        known[-1][1][0] if known[-1][1] else None,
        series[0].step,
    )
    if not dry_run:
        stores = _open(settings)
        version = stores.workloads.ensure(one, now)
        keep = Keep.NEWEST if replace_ else Keep.STORED
        record = replace(record, merged=store_series(version, series, stores.demand, keep))
        stores.database.close()
    _tell(record, bad, as_json=as_json, dry_run=dry_run, replaced=replace_)
    return 0


def _tell(
    record: ImportRecord, bad: list[BadRow], *, as_json: bool, dry_run: bool, replaced: bool
) -> None:
    step = format_duration(record.resolution) if record.resolution else "-"
    if as_json:
        document: dict[str, Any] = {
            "rows": record.rows,
            "bad": record.bad,
            "bad_rows": [vars(row) for row in bad[:_MOST_TOLD]],
            "without_value": record.holes,
            "points_added": record.merged.added,
            "points_same": record.merged.same,
            "points_differing": record.merged.differing,
            "first": record.first,
            "last": record.last,
            "resolution": step,
            "dry_run": dry_run,
        }
        print_json(document)
        return
    for row in bad[:_MOST_TOLD]:
        OUT.print(f"left out, line {row.line}: {row.text}", highlight=False, markup=False)
    first, last = (format_instant(x) if x else "-" for x in (record.first, record.last))
    differing = "overwritten" if replaced else "left as they were; --replace overwrites them"
    OUT.print(
        f"{record.rows:,} rows, {record.bad:,} bad, {record.holes:,} without a value; points of "
        f"{step} from {first} to {last}",
        highlight=False,
    )
    done = "nothing stored (--dry-run)" if dry_run else f"{record.merged.added:,} points are new"
    OUT.print(done, highlight=False)
    if record.merged.differing:
        OUT.print(f"{record.merged.differing:,} points differ: {differing}", highlight=False)


def export(
    workload: Annotated[str, typer.Argument(help="Whose demand.")],
    out: Annotated[Path, typer.Option(help=".csv, .csv.gz or .parquet")],
    since: Annotated[str | None, typer.Option(help="28d, or an instant; default: all.")] = None,
    until: Annotated[str | None, typer.Option(help="Likewise.")] = None,
    step: Annotated[
        str | None, typer.Option(help="One even grid; default: the resolutions that are kept.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Of the history; default: newest.")] = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Write demand to a file: instant (UTC), mean and peak in load units, seconds covered.

    Whole UTC days are written. Exit 1 where there is nothing to write.
    """
    settings = load_settings(config_path(config), with_keys=False)
    stores = _open(settings)
    chosen = _version(stores, workload, version)
    now = clock().now()
    kept = stored_span(chosen, stores.demand)
    grid = parse_duration(step) if step is not None else None
    if grid is not None and (not grid or _DAY % grid):
        raise BadParameter(f"--step {step} must divide a day, as 1m, 5m or 1h do")
    if kept is None:
        span = Span(now, now)
    else:
        first = moment(since, now, "--since") if since is not None else kept.start
        last = moment(until, now, "--until") if until is not None else kept.end
        end = floor_to(min(last, kept.end) + _DAY - timedelta(seconds=1), _DAY)
        span = Span(floor_to(max(first, kept.start), _DAY), end)
    rows = write_demand(out, stored_points(chosen, stores.demand, span, grid))
    stores.database.close()
    if as_json:
        print_json({"rows": rows, "file": str(out), "version": chosen.number})
    else:
        OUT.print(f"{rows:,} rows written to {out}", highlight=False)
    return 0 if rows else 1


def _open(settings: Settings) -> Stores:
    stores = open_stores(settings.store.main)
    check_schema(stores)
    return stores


def _workload(settings: Settings, name: str) -> Workload:
    found = settings.workload(name)
    if found is None:
        raise UnknownWorkload(f"no workload {name!r} is configured")
    return found


def _version(stores: Stores, name: str, number: int | None) -> HistoryVersion:
    """Of any workload that was ever known: one that left the file stays readable."""
    versions = [info.version for info in stores.workloads.versions(name)]
    if not versions:
        raise UnknownWorkload(f"nothing is stored of a workload {name!r}")
    for version in versions:
        if version.number == number:
            return version
    if number is not None:
        raise BadParameter(f"--version {number}: there are 1 ... {versions[-1].number}")
    return versions[-1]


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadParameter(f"--timezone {name[:40]!r} is no zone, as in Europe/Paris") from error
