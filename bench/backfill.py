"""Backfill: speed beside a bare HTTP client, memory, bytes a year, reads, and where the time goes.

    python bench/backfill.py [TRACES_DIRECTORY] [--workloads N] [--walk-days D]

A real Prometheus on this machine holds a year of demand by the minute. The bare client asks it for
the very same chunks with the same number of requests in flight and throws the answers away, before
and after each backfill; five rounds. Bytes a year are measured on two real traces (if a directory
is given) and on a series of rate() values; reads on SQLite and on a real PostgreSQL.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import requests
import yaml

from prescaler.adapters.database.engine import Database
from prescaler.adapters.files.traces import read_trace
from prescaler.core.arrays import FloatArray
from prescaler.core.instants import floor_to, from_epoch
from prescaler.core.series import Series, coarsen
from prescaler.core.spans import Span
from prescaler.usecases.backfill_demand import BackfillRange, pieces
from prescaler.wiring import open_stores, upgrade_schema
from tests.support.builders import workload
from tests.support.postgres import PostgresServer
from tests.support.prometheus import PrometheusServer

DAY, MINUTE, STEP = timedelta(days=1), timedelta(minutes=1), timedelta(minutes=5)
YEAR = 365
ROUNDS = 5
IN_FLIGHT = 2


def main() -> int:
    """Run everything, print as it comes, end with one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("traces", nargs="?", type=Path)
    parser.add_argument("--workloads", type=int, default=4)
    parser.add_argument("--walk-days", type=int, default=56)
    parser.add_argument("--only", choices=["speed", "bytes", "many"])
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    prometheus = PrometheusServer()
    postgres = PostgresServer()
    try:
        if arguments.only in (None, "speed"):
            found["speed"] = speed(prometheus, postgres)
        if arguments.only in (None, "bytes"):
            found["bytes_and_reads"] = sizes(arguments.traces, postgres)
        if arguments.only in (None, "many"):
            found["many"] = many(prometheus, arguments.workloads, arguments.walk_days)
    finally:
        prometheus.close()
        postgres.close()
    print(json.dumps(found, indent=2))
    return 0


def year_of_rates(seed: int, days: int = YEAR) -> FloatArray:
    """[N] by the minute, as rate() gives it: whole requests over a minute, divided by 60."""
    minutes = np.arange(days * 1440)
    day = minutes / 1440
    shape = 1.2 + np.sin(2 * np.pi * (day - 0.3)) + 0.1 * np.sin(2 * np.pi * day / 7)
    expected = 60 * 40.0 * np.maximum(0.05, shape) * np.where(day.astype(int) % 7 >= 5, 0.6, 1.0)
    return np.random.default_rng(seed).poisson(expected) / 60.0


def fill(prometheus: PrometheusServer, name: str, values: FloatArray, end: int) -> None:
    """Write a series that ends just before `end`."""
    stamps = end - 60 * np.arange(len(values), 0, -1)
    prometheus.write({"__name__": name}, zip(stamps.tolist(), values.tolist(), strict=True))


def configuration(folder: Path, prometheus: str, store: str, metrics: list[str]) -> Path:
    """A file with one workload a metric."""
    document = {
        "prometheus": {"main": {"url": prometheus, "max_qps": 10_000.0}},
        "store": {"url_env": "BENCH_STORE"},
        "workloads": [
            {
                "name": name,
                "scale_target": {"name": name, "namespace": "bench", "max_pods": 100},
                "demand": {"source": ["main"], "query": f"sum({name})"},
                "capacity": {"per_pod": 10},
            }
            for name in metrics
        ],
    }
    os.environ["BENCH_STORE"] = store
    (folder / "prescaler.yaml").write_text(yaml.safe_dump(document))
    return folder / "prescaler.yaml"


def command(path: Path, *arguments: str) -> tuple[Any, float, int]:
    """Run the command line; its JSON, wall seconds, and peak memory in bytes."""
    code = (
        "import sys, prescaler.apps.cli.main as m; c = m._exit_code(sys.argv[1:]); "
        "print(next(l.split()[1] for l in open('/proc/self/status') if l[:5] == 'VmHWM'), "
        "file=sys.stderr); "
        "sys.exit(c)"
    )
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--config", str(path), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(done.stdout), seconds, 1024 * int(done.stderr.split()[-1])


@contextmanager
def stores(postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """An empty, migrated database of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        urls = {"sqlite": f"sqlite:///{folder}/store.sqlite", "postgres": postgres.fresh_database()}
        for url in urls.values():
            opened = open_stores(url)
            upgrade_schema(opened)
            opened.database.close()
        yield urls


def speed(prometheus: PrometheusServer, postgres: PostgresServer) -> dict[str, Any]:
    """A year of one workload, beside the bare client, three rounds."""
    end = int(floor_to(from_epoch(time.time() - 600), STEP).timestamp())
    fill(prometheus, "speed", year_of_rates(1), end)
    until = from_epoch(end)
    wanted = BackfillRange(Span(until - YEAR * DAY, until))
    chunks = pieces(workload(), (), (), wanted)
    rows = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder, stores(postgres) as urls:
            for kind, url in urls.items():
                path = configuration(Path(folder), prometheus.url, url, ["speed"])
                since = (until - YEAR * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
                arguments = ("backfill", "speed", "--since", since)
                before = bare_client(prometheus.url, "sum(speed)", chunks)
                document, wall, memory = command(path, *arguments)
                bare = (before + bare_client(prometheus.url, "sum(speed)", chunks)) / 2
                one = document["workloads"][0]
                rows.append(
                    {
                        "round": number,
                        "store": kind,
                        "points": one["points"],
                        "seconds": one["seconds"],
                        "wall_with_start": round(wall, 2),
                        "bare_seconds": round(bare, 3),
                        "share_of_bare": round(bare / one["seconds"], 3),
                        "memory_mb": round(memory / 1e6, 1),
                    }
                )
                print(rows[-1], flush=True)
    shares = {
        kind: statistics.median(row["share_of_bare"] for row in rows if row["store"] == kind)
        for kind in ("sqlite", "postgres")
    }
    return {"chunks": len(chunks), "in_flight": IN_FLIGHT, "median_share": shares, "rows": rows}


def bare_client(url: str, query: str, chunks: tuple[Span, ...]) -> float:
    """Seconds to fetch the same chunks and throw them away."""
    session = requests.Session()

    def fetch(chunk: Span) -> int:
        form = {
            "query": query,
            "start": str(chunk.start.timestamp()),
            "end": str((chunk.end - MINUTE).timestamp()),
            "step": "60",
        }
        return len(session.post(f"{url}/api/v1/query_range", data=form, timeout=60).content)

    begun = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        sizes = list(pool.map(fetch, chunks))
    if min(sizes) < 1000:
        raise RuntimeError("the bare client got an empty answer")
    return time.perf_counter() - begun


def sizes(traces: Path | None, postgres: PostgresServer) -> list[dict[str, Any]]:
    """Bytes a workload-year and the time of reads, on each series and database."""
    series = {"rate()": Series(from_epoch(0) + 20_000 * DAY, MINUTE, *(2 * [year_of_rates(2)]))}
    for name in ("nasa_http", "wc98_web"):
        if traces is None:
            print(f"{name}: left out, no directory of traces was given")
            continue
        series[name] = read_trace(traces / f"{name}.csv.gz")
    rows = []
    for name, one in series.items():
        whole = one.between(floor_to(one.start, DAY) + DAY, floor_to(one.end, DAY))
        with stores(postgres) as urls:
            for kind, url in urls.items():
                rows.append({"series": name, "store": kind, **measured(url, whole)})
                print(rows[-1], flush=True)
    return rows


def measured(url: str, series: Series) -> dict[str, Any]:
    """Store a series by the minute, and as five minutes with its maximum; read it back."""
    opened = open_stores(url)
    version = opened.workloads.ensure(workload(), series.end)
    start = series.start
    while start < series.end:
        opened.demand.append(version, series.between(start, start + 6 * DAY))
        start += 6 * DAY
    stored = opened.demand.parts(version)[0]
    days = min(28, int(len(series) * series.step / DAY))
    end = series.end
    read = opened.demand.read(version, series.start, series.end, series.step)
    error = np.nanmax(np.abs(read.mean - series.mean) / np.maximum(series.mean, 1e-30))
    result = {
        "resolution_seconds": int(series.step.total_seconds()),
        "days": stored.days,
        "payload_mb_a_year": round(stored.bytes / stored.days * YEAR / 1e6, 3),
        "table_mb_a_year": round(table_bytes(opened.database) / stored.days * YEAR / 1e6, 3),
        "relative_error": float(error),
        "day_read_ms": timed(lambda: opened.demand.on_grid(version, end - DAY, end, series.step)),
        "days_for_engine": days,
        "engine_read_ms": timed(
            lambda: opened.demand.on_grid(version, end - days * DAY, end, STEP)
        ),
    }
    coarse = coarsen(series, STEP)
    other = opened.workloads.ensure(workload(name="coarse"), series.end)
    opened.demand.append(other, coarse)
    part = opened.demand.parts(other)[0]
    result["five_minutes_mean_and_peak_mb_a_year"] = round(part.bytes / part.days * YEAR / 1e6, 3)
    opened.database.close()
    return result


def table_bytes(database: Database) -> int:
    """What the table takes on disk, with its index and the room between rows."""
    with database.read() as connection:
        if database.sqlite:
            pages = connection.exec_driver_sql(
                "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%demand_chunk%'"
            )
            return int(pages.scalar() or 0)
        size = connection.exec_driver_sql("SELECT pg_total_relation_size('demand_chunk')")
        return int(size.scalar() or 0)


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Milliseconds: median and worst of 50 calls after a warm-up."""
    work()
    seconds = []
    for _ in range(50):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return {
        "median": round(1000 * statistics.median(seconds), 2),
        "worst": round(1000 * max(seconds), 2),
    }


def many(prometheus: PrometheusServer, count: int, days: int) -> dict[str, Any]:
    """56 days of demand of 100 workloads; walk-forward forecasts of some of them, every hour."""
    end = int(floor_to(from_epoch(time.time() - 600), STEP).timestamp())
    names = [f"many_{number}" for number in range(100)]
    for number, name in enumerate(names):
        fill(prometheus, name, year_of_rates(number, 56), end)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.sqlite"
        path = configuration(Path(folder), prometheus.url, url, names)
        opened = open_stores(url)
        upgrade_schema(opened)
        opened.database.close()
        demand, seconds, memory = command(path, "backfill", "--all", "--since", "56d")
        result: dict[str, Any] = {
            "workloads": 100,
            "demand_seconds": round(seconds, 1),
            "demand_points": sum(one["points"] for one in demand["workloads"]),
            "demand_memory_mb": round(memory / 1e6, 1),
        }
        print(result, flush=True)
        cores = resource.getrusage(resource.RUSAGE_CHILDREN)
        arguments = ("--since", "56d", "--forecasts", f"{days}d", "--every", "1h")
        walked, seconds, _ = command(path, "backfill", *names[:count], *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        parts: dict[str, float] = {}
        for one in walked["workloads"]:
            for part, spent in one["seconds_by_part"].items():
                parts[part] = round(parts.get(part, 0.0) + spent, 1)
        made = sum(one["forecasts"]["made"] for one in walked["workloads"])
        used = after.ru_utime + after.ru_stime - cores.ru_utime - cores.ru_stime
        result |= {
            "walked_workloads": count,
            "walked_days": days,
            "forecasts": made,
            "walk_wall_seconds": round(seconds, 1),
            "walk_cpu_seconds": round(used, 1),
            "cpu_ms_a_forecast": round(1000 * used / max(1, made), 1),
            "seconds_by_part_summed": parts,
            "store_mb": round((Path(folder) / "store.sqlite").stat().st_size / 1e6, 1),
        }
    print(result, flush=True)
    return result


if __name__ == "__main__":
    raise SystemExit(main())
