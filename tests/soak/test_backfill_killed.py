"""A backfill is killed with SIGKILL at random moments; what a resume makes of it is as if never."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
import yaml

from prescaler.adapters.database import tables as t
from prescaler.adapters.files.demand_export import write_demand
from prescaler.core.instants import floor_to, format_instant, from_epoch
from prescaler.usecases.move_history import stored_points, stored_span
from prescaler.wiring import open_stores, upgrade_schema
from tests.support.builders import DAY, MINUTE, daily_demand
from tests.support.postgres import PostgresServer
from tests.support.prometheus import PrometheusServer

pytestmark = pytest.mark.soak
DAYS, KILLS = 365, 20
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Place:
    """A folder with a configuration, and a Prometheus with a year of demand."""

    folder: Path
    since: str
    until: str

    def command(self, url: str, *more: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "prescaler", "backfill", "web", "--since", self.since),
                *("--until", self.until, "--config", str(self.folder / "prescaler.yaml"), *more),
            ],
            env={**os.environ, "STORE": url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def finished(self, url: str, *more: str) -> float:
        begun = time.monotonic()
        assert self.command(url, *more).wait(300) == 0
        return time.monotonic() - begun

    def exported(self, url: str, name: str) -> bytes:
        stores = open_stores(url)
        version = stores.workloads.current()[0]
        span = stored_span(version, stores.demand)
        assert span is not None
        write_demand(self.folder / name, stored_points(version, stores.demand, span))
        stores.database.close()
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Demand with holes; a quarter of it recorded every five minutes only."""
    server, folder = PrometheusServer(), tmp_path_factory.mktemp("killed")
    end = floor_to(from_epoch(time.time()) - HOUR, HOUR)
    values = daily_demand(DAYS, step=MINUTE)
    quarter = len(values) // 4 // 1440 * 1440
    values[:quarter] = np.repeat(values[:quarter:5], 5)
    values[200_000:203_000] = np.nan
    stamps = int(end.timestamp()) - 60 * np.arange(len(values), 0, -1)
    known = np.isfinite(values)
    rows = zip(stamps[known].tolist(), values[known].tolist(), strict=True)
    server.write({"__name__": "killed"}, rows)
    document = {
        "prometheus": {"main": {"url": server.url, "max_qps": 30.0}},
        "store": {"url_env": "STORE"},
        "workloads": [
            {
                "name": "web",
                "scale_target": {"name": "web", "namespace": "prod", "max_pods": 9},
                "demand": {"source": ["main"], "query": "last_over_time(killed[1m])"},
                "forecast": {"horizon": "6h", "history": "14d"},
                "capacity": {"per_pod": 10},
            }
        ],
    }
    (folder / "prescaler.yaml").write_text(yaml.safe_dump(document))
    yield Place(folder, format_instant(end - DAYS * DAY), format_instant(end))
    server.close()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    found = PostgresServer()
    yield found
    found.close()


def fresh(kind: str, folder: Path, server: PostgresServer, number: int) -> str:
    url = f"sqlite:///{folder / f'{kind}{number}.sqlite'}"
    if kind == "postgres":
        url = server.fresh_database()
    stores = open_stores(url)
    upgrade_schema(stores)
    stores.database.close()
    return url


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_demand_is_the_same_however_often_it_is_killed(
    kind: str, place: Place, server: PostgresServer
) -> None:
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    dice, reference = random.Random(seed), fresh(kind, place.folder, server, 0)
    whole = place.finished(reference)
    expected = place.exported(reference, f"{kind}.csv")
    halfway = []
    for number in range(1, KILLS + 1):
        url = fresh(kind, place.folder, server, number)
        process = place.command(url)
        time.sleep(dice.uniform(0.5 * whole, whole))
        process.kill()
        process.wait()
        halfway.append(pieces_asked(url))
        place.finished(url)
        assert place.exported(url, f"{kind}-killed.csv") == expected, (seed, number)
    inside = sum(0 < share < 1 for share in halfway)
    print(
        f"\n{kind}: seed {seed}, {KILLS} kills, {inside} with part of the year stored "
        f"({', '.join(f'{share:.0%}' for share in sorted(halfway))}); after each resume the "
        f"export of {len(expected):,} bytes was the same"
    )
    assert inside > 0


def pieces_asked(url: str) -> float:
    """Share of the year that was stored when it was killed."""
    stores = open_stores(url)
    asked = [span for v in stores.workloads.current() for span in stores.demand.asked(v)]
    stores.database.close()
    return sum((span.length for span in asked), timedelta(0)) / (DAYS * DAY)


def test_forecasts_of_the_past_are_the_same_after_kills(
    place: Place, server: PostgresServer
) -> None:
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    dice, more = random.Random(seed), ("--forecasts", "6d", "--every", "1h")
    reference = fresh("sqlite", place.folder, server, 100)
    place.finished(reference)
    whole = place.finished(reference, *more)
    killed = fresh("sqlite", place.folder, server, 101)
    place.finished(killed)
    for _ in range(5):
        process = place.command(killed, *more)
        time.sleep(dice.uniform(0.4 * whole, 0.9 * whole))
        process.kill()
        process.wait()
        time.sleep(1)
    place.finished(killed, *more)
    one, other = runs(reference), runs(killed)
    print(f"\nseed {seed}: {len(one)} forecasts, {len(scores(reference))} scores, as undisturbed")
    assert one == other
    assert scores(reference) == scores(killed)


def runs(url: str) -> list[tuple[int, bytes]]:
    stores = open_stores(url)
    columns = (sa.type_coerce(t.forecast_run.c.cutoff, sa.BigInteger), t.forecast_run.c.payload)
    with stores.database.read() as connection:
        found = connection.execute(sa.select(*columns).order_by(columns[0])).all()
    stores.database.close()
    return [(row[0], row[1]) for row in found]


def scores(url: str) -> list[tuple[int, str, bytes]]:
    stores = open_stores(url)
    with stores.database.read() as connection:
        found = connection.execute(
            sa.select(t.score_day.c.day, t.score_day.c.bucket, t.score_day.c.payload)
        ).all()
    stores.database.close()
    return sorted((row[0], row[1], row[2]) for row in found)
