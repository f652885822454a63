"""`history status` and `history prune`: what is there, and what is too old."""

from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from prescaler.apps.cli.options import OUT, Config, Debug, Json, config_path, print_json, table_of
from prescaler.config import Settings, load_settings
from prescaler.core.durations import format_duration
from prescaler.core.errors import UnknownWorkload
from prescaler.core.instants import format_instant
from prescaler.core.records import VersionInfo
from prescaler.core.workload import Workload
from prescaler.usecases.backfill_demand import summary
from prescaler.usecases.prune_history import prune_history
from prescaler.wiring import Stores, check_schema, clock, open_stores

_GAPS_TOLD: Final = 5


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command()(prune)
    group.command()(status)


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Enforce `retention` now; the leader does so once a day by itself."""
    settings = load_settings(config_path(config), with_keys=False)
    stores = _open(settings)
    now = clock().now().replace(microsecond=0)
    found = prune_history(
        stores.upkeep, settings.retention, settings.workloads, now, dry_run=dry_run
    )
    stores.database.close()
    rows: list[dict[str, Any]] = [
        {
            "kind": one.kind.value,
            "before": format_instant(one.before),
            "rows": one.amount.rows,
            "bytes": one.amount.bytes,
        }
        for one in found
    ]
    if as_json:
        print_json({"dry_run": dry_run, "kinds": rows})
        return
    table = table_of("kind", "older than", "rows", "MB")
    for row in rows:
        table.add_row(row["kind"], row["before"], f"{row['rows']:,}", f"{row['bytes'] / 1e6:.2f}")
    OUT.print(table)
    OUT.print("nothing was changed (--dry-run)" if dry_run else "done; fine demand is now coarse")


def status(
    workload: Annotated[str | None, typer.Argument(help="Default: all of them.")] = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What is stored: versions, spans, points, gaps, sizes."""
    settings = load_settings(config_path(config), with_keys=False)
    stores = _open(settings)
    names = [workload] if workload else sorted({v.name for v in stores.workloads.current()})
    rows = [row for name in names for row in _rows(settings, stores, name)]
    if workload is not None and not rows:
        raise UnknownWorkload(f"nothing is stored of a workload {workload!r}")
    sizes = {kind: vars(amount) for kind, amount in stores.upkeep.sizes().items()}
    stores.database.close()
    if as_json:
        print_json({"histories": rows, "sizes": sizes})
        return
    _show(rows, sizes)


def _rows(settings: Settings, stores: Stores, name: str) -> list[dict[str, Any]]:
    configured = settings.workload(name)
    return [_row(stores, info, configured) for info in stores.workloads.versions(name)]


def _row(stores: Stores, info: VersionInfo, workload: Workload | None) -> dict[str, Any]:
    version, demand = info.version, stores.demand
    parts = demand.parts(version)
    finest = parts[0].resolution if parts else timedelta(minutes=1)
    found = summary(finest, version, demand)
    longest = sorted(found.gaps, key=lambda gap: gap.length, reverse=True)[:_GAPS_TOLD]
    return {
        "workload": version.name,
        "version": version.number,
        "current": workload is not None and workload.fingerprint == version.fingerprint,
        "query": info.query,
        "opened_at": format_instant(info.opened_at),
        "asked": [[format_instant(s.start), format_instant(s.end)] for s in demand.asked(version)],
        "points": found.points,
        "first": format_instant(found.first) if found.first else None,
        "last": format_instant(found.last) if found.last else None,
        "gaps": len(found.gaps),
        "longest_gaps": [[format_instant(g.start), format_instant(g.end)] for g in longest],
        "bytes": found.bytes,
        "resolutions": [
            {
                "resolution": format_duration(part.resolution),
                "first_day": f"{part.first_day:%Y-%m-%d}",
                "last_day": f"{part.last_day:%Y-%m-%d}",
                "days": part.days,
                "bytes": part.bytes,
            }
            for part in parts
        ],
    }


def _show(rows: list[dict[str, Any]], sizes: dict[str, dict[str, int]]) -> None:
    table = table_of("workload", "version", "points", "gaps", "MB", "resolutions", "from ... to")
    for row in rows:
        mark = "" if row["current"] else " (old)"
        table.add_row(
            row["workload"],
            f"{row['version']}{mark}",
            f"{row['points']:,}",
            f"{row['gaps']:,}",
            f"{row['bytes'] / 1e6:.2f}",
            ", ".join(f"{p['resolution']} x {p['days']} d" for p in row["resolutions"]) or "-",
            f"{row['first'] or '-'} ... {row['last'] or '-'}",
        )
    OUT.print(table)
    for row in rows:
        for start, end in row["longest_gaps"]:
            OUT.print(
                f"{row['workload']} {row['version']}: no demand from {start} to {end}",
                highlight=False,
            )
    for kind, amount in sizes.items():
        OUT.print(
            f"{kind}: {amount['rows']:,} rows, {amount['bytes'] / 1e6:.2f} MB", highlight=False
        )


def _open(settings: Settings) -> Stores:
    stores = open_stores(settings.store.main)
    check_schema(stores)
    return stores
