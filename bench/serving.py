"""The metric endpoint beside a bare ASGI application that returns the same bytes.

    python bench/serving.py [--seconds 4] [--rounds 5] [--workloads 1500] [--connections 64]

One worker each, authentication on, forecasts running beside both, rounds interleaved in one run:
quote the ratios. Three questions: one workload again and again (answers kept within the second),
1,500 workloads in turn (most answers decided anew), and the bare application. Needs `wrk`
(apt-get install --no-install-recommends wrk) and a real Prometheus, which it starts itself.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import requests
import yaml

from prescaler.config import load_settings
from prescaler.core.forecast import Forecast, storable
from prescaler.core.instants import floor_to
from prescaler.core.records import Outcome, RunStatus
from prescaler.wiring import open_stores, upgrade_schema
from tests.support.ports import free_port
from tests.support.prometheus import PrometheusServer

KEY = "benchmark-key-0123456789"
STEP = timedelta(minutes=5)
BARE = """
BODY = {body!r}
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"{length}"),
           (b"cache-control", b"no-store")]

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({{"type": "http.response.start", "status": 200, "headers": HEADERS}})
    await send({{"type": "http.response.body", "body": BODY}})
"""
LUA = """
local n = 0
request = function()
  n = (n + 7) % {count}
  return wrk.format("GET", "/api/v1/workloads/w" .. n .. "/metric?target=80")
end
"""


@dataclass(frozen=True)
class Round:
    """What wrk printed."""

    rate: float
    p50: float
    p99: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workloads", type=int, default=1500)
    parser.add_argument("--connections", type=int, default=64)
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install --no-install-recommends wrk")
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prometheus = PrometheusServer()
        try:
            measure(folder, prometheus, asked)
        finally:
            prometheus.close()
    return 0


def measure(folder: Path, prometheus: PrometheusServer, asked: argparse.Namespace) -> None:
    """Start both servers, ask them in turn, print the table."""
    fill(prometheus)
    config, port = configure(folder, prometheus.url, asked.workloads)
    store_forecasts(config)
    url = f"http://127.0.0.1:{port}"
    with started(["-m", "prescaler", "serve", "--config", str(config)], folder / "log"):
        body = wait_for_answer(f"{url}/api/v1/workloads/w0/metric?target=80")
        bare_port = free_port()
        (folder / "bare.py").write_text(BARE.format(body=body, length=len(body)))
        bare = ["-m", "uvicorn", "bare:app", "--port", str(bare_port), "--no-access-log"]
        with started([*bare, "--log-level", "error"], folder / "bare.log", folder):
            wait_for_answer(f"http://127.0.0.1:{bare_port}/")
            script = folder / "turn.lua"
            script.write_text(LUA.format(count=asked.workloads))
            one = "/api/v1/workloads/w0/metric?target=80"
            limit = f"http://127.0.0.1:{bare_port}"
            cases: dict[str, tuple[str, Path | None]] = {
                "bare ASGI, one path": (limit + one, None),
                "one workload": (url + one, None),
                f"bare ASGI, {asked.workloads} paths": (limit + one, script),
                f"{asked.workloads} workloads": (url + one, script),
            }
            seen: dict[str, list[Round]] = {case: [] for case in cases}
            for _ in range(asked.rounds):
                for case, (address, lua) in cases.items():
                    seen[case].append(wrk(address, lua, asked))
            runs = runs_logged(folder / "log")
    show(seen, asked, runs)


def fill(prometheus: PrometheusServer) -> None:
    """Four weeks of demand for the workloads that are forecast during the benchmark."""
    now = int(time.time()) // 60 * 60
    minutes = np.arange(28 * 1440)
    values = (
        1000
        * (1.3 + np.sin(minutes / 1440 * 2 * np.pi))
        * np.exp(0.05 * np.random.default_rng(1).standard_normal(len(minutes)))
    )
    samples = list(zip((now - (len(minutes) - 1 - minutes) * 60).tolist(), values, strict=True))
    prometheus.write({"__name__": "demand"}, samples)


def configure(folder: Path, prometheus: str, count: int) -> tuple[Path, int]:
    """`count` workloads that answer, two of which forecast every 15 s and refit each time."""
    os.environ["BENCH_KEY"] = KEY
    port = free_port()
    document: dict[str, Any] = {
        "prometheus": {"main": {"url": prometheus, "max_qps": 1000.0}},
        "store": {"url": f"sqlite:///{folder / 'store.sqlite'}"},
        "server": {"listen": f"127.0.0.1:{port}", "snapshot_dir": str(folder / "snapshot")},
        "scheduler": {"workers": 1},
        "keys": [{"name": "keda", "value_env": "BENCH_KEY"}],
        "defaults": {
            "scale_target": {"name": "web"},
            "demand": {"source": ["main"], "query": "demand", "delay": "0s"},
            "capacity": {"per_pod": 100},
            "policy": {"mode": "active"},
            "forecast": {"history": "28d", "every": "24h", "refit": "24h"},
        },
        "workloads": [{"name": f"w{n}"} for n in range(count)]
        + [
            {"name": f"busy{n}", "forecast": {"every": "15s", "refit": "15s", "step": "1m"}}
            for n in range(2)
        ],
    }
    path = folder / "prescaler.yaml"
    path.write_text(yaml.safe_dump(document))
    return path, port


def store_forecasts(config: Path) -> None:
    """A forecast for every workload, so that every answer is a real decision."""
    settings = load_settings(config)
    stores = open_stores(settings.store.main)
    upgrade_schema(stores)
    now = datetime.now(UTC).replace(microsecond=0)
    cutoff = floor_to(now, STEP) - STEP
    path = 1000 * (1.3 + np.sin(np.arange(600) / 288 * 2 * np.pi))
    spread = np.array([0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5])
    values, flat = storable(path[:, None] * spread), storable(np.full(600, 1.1))
    for workload in settings.workloads:
        version = stores.workloads.ensure(workload, now)
        made = Forecast(
            version.workload, 1, cutoff, now, STEP, values, flat, storable(path), 3000.0
        )
        status = RunStatus(now, Outcome.STORED, last_actual=900.0, last_actual_at=now)
        stores.forecasts.save(version, status, made)
    stores.database.close()


@contextmanager
def started(arguments: list[str], log: Path, folder: Path | None = None) -> Iterator[None]:
    """A Python process of its own, ended with the block."""
    environment = {**os.environ, "PRESCALER_LOG_FORMAT": "json"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=environment, stdout=out, stderr=out, cwd=folder
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for_answer(url: str) -> bytes:
    """The first good answer."""
    for _ in range(600):
        try:
            answer = requests.get(url, headers={"X-API-Key": KEY}, timeout=2)
            if answer.ok and b"warming_up" not in answer.content:
                return answer.content
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def wrk(url: str, script: Path | None, asked: argparse.Namespace) -> Round:
    """One round of load."""
    command = ["wrk", "-t1", f"-c{asked.connections}", f"-d{asked.seconds}s", "--latency"]
    command += ["-s", str(script)] if script else []
    text = subprocess.run(
        [*command, "-H", f"X-API-Key: {KEY}", url], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"faults under load:\n{text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    latency = dict(re.findall(r"(50|99)%\s+([\d.]+(?:us|ms|s))", text))
    return Round(float(rate[1]) if rate else 0.0, ms(latency["50"]), ms(latency["99"]))


def ms(text: str) -> float:
    """`850.00us` in milliseconds."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def runs_logged(log: Path) -> int:
    """Forecasts that were made meanwhile."""
    lines = [json.loads(x) for x in log.read_text().splitlines() if x.startswith("{")]
    return sum(line.get("event") == "run" for line in lines)


def show(seen: dict[str, list[Round]], asked: argparse.Namespace, runs: int) -> None:
    """Medians, ranges, and the ratio to the bare application, round by round."""
    print(
        f"{asked.rounds} interleaved rounds of {asked.seconds} s, {asked.connections} connections,"
    )
    print(f"one worker each, authentication on; {runs} forecasts were made meanwhile\n")
    print("| | requests/s, median (range) | p50 ms | p99 ms (range) | ratio to bare (range) |")
    print("|---|---|---|---|---|")
    bare: list[float] = []
    for case, rounds in seen.items():
        rates, p99 = [r.rate for r in rounds], [r.p99 for r in rounds]
        bare = rates if case.startswith("bare") else bare
        ratios = [rate / limit for rate, limit in zip(rates, bare, strict=True)]
        print(
            f"| {case} | {statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f}) "
            f"| {statistics.median(r.p50 for r in rounds):.1f} "
            f"| {statistics.median(p99):.1f} ({min(p99):.1f}-{max(p99):.1f}) "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |"
        )


if __name__ == "__main__":
    raise SystemExit(main())
