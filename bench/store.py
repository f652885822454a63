"""Bytes in the database per workload: demand, forecasts and decisions of one real day.

    python bench/store.py TRACES_DIRECTORY [TRACE ...]

Replays the last day of each trace (default: nasa_http and wc98_web) through the very code that
runs in production: a run every 5 minutes, a decision every 15 s, on SQLite.
"""

import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.files.traces import read_trace
from prescaler.adapters.memory import MemorySnapshot
from prescaler.core.policy import Capacity
from prescaler.core.records import LoggedDecision
from prescaler.core.series import Series
from prescaler.usecases.forecast_workload import ForecastPorts, forecast_workload
from prescaler.usecases.log_decisions import log_decisions, pack_decisions
from prescaler.usecases.refresh_serving import ServingPorts, refresh_serving, start_serving
from prescaler.usecases.serve_metric import ServingTable
from prescaler.wiring import Stores, lore_ports, open_stores, upgrade_schema
from tests.support.builders import policy, workload
from tests.support.fakes import PlayedSource, SetClock

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def main() -> int:
    """Measure and print."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    folder = Path(sys.argv[1])
    print("| trace | demand, MB a year at 1 min | forecasts, kB a day | decisions, kB a day |")
    print("|---|---|---|---|")
    for name in sys.argv[2:] or ["nasa_http", "wc98_web"]:
        trace = read_trace(folder / f"{name}.csv.gz")
        demand, forecasts, decisions, changes = measure(trace)
        print(
            f"| {name} | {demand:.2f} | {forecasts:.0f} | {decisions:.1f} ({changes} changes) |",
            flush=True,
        )
    print("| budget | 3 | 300 | 20 |")
    return 0


def measure(trace: Series) -> tuple[float, float, float, int]:
    """MB a year, kB a day, kB a day, changes of decision in that day."""
    with tempfile.TemporaryDirectory() as folder:
        stores = open_stores(f"sqlite:///{folder}/store.sqlite")
        upgrade_schema(stores)
        high = float(np.nanquantile(trace.mean, 0.995))
        one = workload(
            policy=policy(capacity=Capacity(max(1.0, high / 30), 1.0), timezone=ZoneInfo("UTC"))
        )
        one = replace(one, forecast=replace(one.forecast, timezone=ZoneInfo("UTC")))
        clock, source = SetClock(trace.end - DAY), PlayedSource(trace.start, trace.mean)
        ports = ForecastPorts(
            clock, source, stores.workloads, stores.demand, stores.forecasts, lore_ports(stores)
        )
        table = ServingTable()
        start_serving(table, [one], {})
        serving = ServingPorts(
            stores.workloads,
            stores.forecasts,
            stores.controls,
            MemorySnapshot(),
            stores.events,
            stores.uplifts,
        )
        newest: dict[UUID, LoggedDecision] = {}
        changes = 0
        for tick in range(int(DAY / timedelta(seconds=15))):
            clock.present = trace.end - DAY + tick * timedelta(seconds=15)
            if tick % 20 == 8:
                forecast_workload(one, ports)
                refresh_serving(table, serving, clock.now())
            record = log_decisions(
                table,
                newest,
                stores.decisions,
                stores.controls,
                clock.now(),
            )
            newest, changes = dict(record.newest), changes + record.written
        pack_decisions(stores.decisions, trace.end + 2 * DAY)
        sizes = [size(stores, column) for column in _PAYLOADS]
        days = (trace.end - max(trace.start, trace.end - 29 * DAY)) / DAY
        stores.database.close()
    return sizes[0] / days * 365 / 1e6, sizes[1] / 1e3, sizes[2] / 1e3, changes


_PAYLOADS = (t.demand_chunk.c.payload, t.forecast_run.c.payload, t.decision_day.c.payload)


def size(stores: Stores, column: sa.Column[bytes]) -> float:
    """Bytes in a column of payloads."""
    with stores.database.read() as connection:
        return float(connection.scalar(sa.select(sa.func.sum(sa.func.length(column)))) or 0)


if __name__ == "__main__":
    raise SystemExit(main())
