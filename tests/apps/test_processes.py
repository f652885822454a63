"""Real processes: serving, scheduling, leading, dying."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.builders import MINUTE, daily_demand
from tests.support.migrated import migrated_file
from tests.support.postgres import PostgresServer
from tests.support.processes import KEY, PrescalerProcess, alive, children_of, wait_for
from tests.support.prometheus import PrometheusServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def fed(prometheus: PrometheusServer) -> str:
    """Ten days of demand that ends now; the name of its series."""
    now = int(time.time()) // 60 * 60
    values = daily_demand(10, step=MINUTE)
    start = now - (len(values) - 1) * 60
    prometheus.write({"__name__": "live"}, [(start + 60 * i, v) for i, v in enumerate(values)])
    return "live"


def document(prometheus: str, query: str, store: dict[str, str], **changes: Any) -> dict[str, Any]:
    return {
        "prometheus": {"main": {"url": prometheus, "max_qps": 100}},
        "store": store,
        "scheduler": {"workers": 1},
        "workloads": [
            {
                "name": "web",
                "scale_target": {"name": "web"},
                "demand": {"source": ["main"], "query": query, "delay": "0s"},
                "forecast": {"history": "14d", "every": "15s"},
                "capacity": {"per_pod": 2},
                "policy": {"mode": "active"},
            }
        ],
        **changes,
    }


Start = Callable[..., PrescalerProcess]
killed_at_the_end = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def start(tmp_path: Path, prometheus: PrometheusServer, fed: str) -> Iterator[Start]:
    """Start processes that end with the test."""
    started: list[PrescalerProcess] = []
    sqlite = {"url": migrated_file(tmp_path / "store.sqlite")}

    def starter(
        name: str, *arguments: str, store: dict[str, str] | None = None, **changes: Any
    ) -> PrescalerProcess:
        environment = {"STORE": changes.pop("store_url", "")}
        content = document(prometheus.url, fed, store or sqlite, **changes)
        one = PrescalerProcess(tmp_path / name, content, *arguments, environment=environment)
        started.append(one.start())
        return one

    yield starter
    for one in started:
        one.kill()


def active(one: PrescalerProcess) -> bool:
    return one.metric("web").get("status") == "active"


def test_serve_forecasts_answers_and_ends_cleanly(start: Start) -> None:
    one = start("one")
    wait_for(lambda: active(one))
    answer = one.metric("web")
    workers = children_of(one.process.pid) if one.process else []

    code = one.stop()

    assert answer["value"] > 0
    assert code == 0
    assert one.events("run")[0]["outcome"] == "stored"
    assert one.events("ended")
    wait_for(lambda: not any(alive(worker) for worker in workers))
    assert KEY not in one.log()


def test_the_leader_fetches_calendars_and_every_process_serves_their_events(
    start: Start, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    first, last = (now - 60 * MINUTE).isoformat(), (now + 600 * MINUTE).isoformat()
    (tmp_path / "cup.csv").write_text(f"name,start,end\nFinal,{first},{last}\n")
    cup = {"name": "cup", "file": str(tmp_path / "cup.csv"), "format": "csv"}
    feeds = {"feeds": [{**cup, "workloads": "all", "min_pods": 77}]}
    answering = start("answering", "serve", "--no-scheduler", events=feeds)
    wait_for(lambda: answering.metric("web"))
    assert answering.metric("web")["pods"] < 77

    leading = start("leading", "scheduler", events=feeds)

    wait_for(lambda: answering.metric("web")["pods"] == 77)
    assert leading.stop() == 0
    assert leading.events("feed_taken_over")[0]["created"] == 1


def test_keys_in_query_strings_never_reach_the_log(start: Start) -> None:
    one = start("one", "serve", "--no-scheduler")
    wait_for(lambda: one.metric("web"))
    requests.get(f"{one.url}/api/v1/workloads?api_key={KEY}", timeout=5)
    requests.get(f"{one.url}/api/v1/workloads/web/metric?api_key={KEY}", timeout=5)
    requests.get(f"{one.url}/api/v1/nothing?api_key={KEY}", timeout=5)
    wait_for(lambda: len(one.events("request")) >= 2)
    one.stop()

    assert KEY not in one.log()


def test_serving_and_scheduling_may_be_two_processes(start: Start) -> None:
    answering = start("answering", "serve", "--no-scheduler")
    wait_for(lambda: answering.metric("web"))
    assert answering.metric("web")["reason"] == "warming_up"

    scheduling = start("scheduling", "scheduler")

    wait_for(lambda: active(answering))
    assert not answering.events("leading")
    assert scheduling.stop() == 0
    assert active(answering)


@killed_at_the_end
def test_only_metric_and_only_pages_share_the_work(start: Start) -> None:
    metric = start("metric", "serve", "--only", "metric")
    pages = start("pages", "serve", "--only", "pages")
    wait_for(lambda: active(metric))

    assert metric.ask("/api/v1/workloads").status_code == 404
    assert metric.ask("/readyz").status_code == 200
    assert pages.ask("/api/v1/workloads").status_code == 200
    assert pages.ask("/api/v1/workloads/web/metric").status_code == 404
    assert len(metric.events("leading")) + len(pages.events("leading")) == 1
    assert not metric.events("leading")


@killed_at_the_end
def test_a_file_that_changes_is_reloaded_on_its_own_and_on_sighup(start: Start) -> None:
    one = start("one")
    wait_for(lambda: active(one))
    text = one.config.read_text()

    one.config.write_text(text.replace("mode: active", "mode: 'off'"))
    wait_for(lambda: one.metric("web").get("reason") == "off", 10)
    one.config.write_text(text.replace("mode: active", "mode: maybe"))
    wait_for(lambda: one.events("configuration_refused"), 10)
    assert one.metric("web")["reason"] == "off"
    one.config.write_text(text)
    wait_for(lambda: active(one), 10)
    loaded = len(one.events("configuration_loaded"))
    assert one.process is not None
    one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(one.events("configuration_loaded")) > loaded, 10)


@killed_at_the_end
def test_a_worker_that_is_killed_is_replaced(start: Start) -> None:
    one = start("one")
    wait_for(lambda: active(one))
    assert one.process is not None
    workers = [c for c in children_of(one.process.pid) if _is_worker(c)]
    for worker in workers:
        signal_quietly(worker)
    before = len(one.events("run"))

    wait_for(lambda: len(one.events("run")) > before + 1, 60)

    assert active(one)
    assert workers


def _is_worker(process: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()


def signal_quietly(process: int) -> None:
    import os

    os.kill(process, signal.SIGKILL)


@killed_at_the_end
def test_a_killed_leader_is_followed_and_nothing_is_stored_twice(
    start: Start, postgres: PostgresServer
) -> None:
    url = postgres.migrated_database()
    replicas = [start(n, store={"url_env": "STORE"}, store_url=url) for n in ("one", "two")]
    wait_for(lambda: all(active(one) for one in replicas))
    (leader,) = [one for one in replicas if one.events("leading")]
    (follower,) = [one for one in replicas if one is not leader]
    assert leader.process is not None
    workers = children_of(leader.process.pid)

    leader.kill()

    seconds = wait_for(lambda: follower.events("leading"), 30)
    wait_for(lambda: follower.events("run"))
    assert seconds < 30
    assert active(follower)
    wait_for(lambda: not any(alive(worker) for worker in workers), 10)
    assert _runs_stored_twice(url) == 0


def _runs_stored_twice(url: str) -> int:
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(
            sa.text(
                "SELECT count(*) FROM (SELECT 1 FROM forecast_run "
                "GROUP BY version_id, cutoff, origin HAVING count(*) > 1) AS twice"
            )
        )
    engine.dispose()
    return int(found or 0)


@killed_at_the_end
def test_a_change_through_one_replica_is_served_by_the_other_within_ten_seconds(
    start: Start, postgres: PostgresServer
) -> None:
    url = postgres.migrated_database()
    one, two = (start(n, store={"url_env": "STORE"}, store_url=url) for n in ("one", "two"))
    wait_for(lambda: active(one) and active(two))

    put = requests.put(
        f"{one.url}/api/v1/workloads/web/override",
        headers={"X-API-Key": KEY},
        json={"pods": 77, "reason": "test"},
        timeout=5,
    )

    assert put.status_code == 200
    assert one.metric("web")["pods"] == 77
    assert wait_for(lambda: two.metric("web").get("pods") == 77, 10) < 10


def test_a_port_that_is_taken_is_said_and_ends_with_an_error(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        one = start("one", server={"listen": listen})
        assert one.process is not None
        code = one.process.wait(timeout=60)

    assert code == 3
    said = one.log().splitlines()[-1]
    assert said == (
        f"error server.listen: {listen}: another process listens there: "
        "end it, or name another port"
    )
    assert not one.events("leading")


@pytest.mark.parametrize("listen", ["192.0.2.1:8080", "nowhere.invalid:80"])
def test_an_address_that_nobody_can_listen_on_is_said(start: Start, listen: str) -> None:
    one = start("one", server={"listen": listen})
    assert one.process is not None

    assert one.process.wait(timeout=60) == 3
    assert f"error server.listen: {listen}: " in one.log()


def test_the_demonstration_answers_and_its_answer_can_be_recomputed(tmp_path: Path) -> None:
    import subprocess
    import sys

    folder = tmp_path / "demo"
    shown = subprocess.run(
        [sys.executable, "-m", "prescaler", "demo", "--once", "--folder", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "synthetic" in shown.stdout
    recomputed = subprocess.run(
        [sys.executable, "scripts/recompute_answer.py", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert recomputed.returncode == 0, recomputed.stdout
    assert recomputed.stdout.count("agrees with") == 3
