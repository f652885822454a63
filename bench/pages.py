"""The review pages: how soon they are seen, how heavy they are, and what they cost KEDA.

    python bench/pages.py [--rounds 5] [--seconds 8] [--viewers 20] [--workloads 1500]
                          [--trace FILE.csv.gz]

Paint, drawing and weight come from a real Chromium on loopback, with 4 weeks of 5-minute data and
bands; the overview's time is the server's own (its log line). KEDA's p99 is measured at 150
requests a second over all workloads while forecasts run, with and without people looking, rounds
interleaved.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import requests
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.ports import free_port
from tests.support.prometheus import PrometheusServer
from tests.support.reviewed import KEYS, Filler, configuration, evening, synthetic, workload

RATE = 150
KEY = KEYS["REVIEW_READ"]
CHART = "/workloads/web-player?range=4w"


@dataclass(frozen=True)
class Load:
    """One round of questions by KEDA. Milliseconds."""

    p50: float
    p99: float
    worst: float
    asked: int
    late: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--workloads", type=int, default=1500)
    parser.add_argument("--trace", type=Path)
    asked = parser.parse_args()
    if shutil.which("chromium") is None:
        print("chromium is missing: apt-get install --no-install-recommends chromium")
        return 2
    os.environ.update(KEYS)
    with tempfile.TemporaryDirectory() as name:
        prometheus = PrometheusServer()
        try:
            measure(Path(name), prometheus, asked)
        finally:
            prometheus.close()
    return 0


def measure(folder: Path, prometheus: PrometheusServer, asked: argparse.Namespace) -> None:
    """Fill, serve, look."""
    port = free_port()
    config = fill(folder, port, prometheus, asked)
    url = f"http://127.0.0.1:{port}"
    with serving(config, folder / "log", url):
        paints(url, asked.rounds)
        overview(url, folder / "log")
        under_load(url, asked)
        print(f"{events(folder / 'log', 'run')} forecasts were made meanwhile")


def fill(folder: Path, port: int, prometheus: PrometheusServer, asked: argparse.Namespace) -> Path:
    """One workload with four weeks, many with a newest forecast, two forecast all the time."""
    names = [f"w{n}" for n in range(asked.workloads - 1)]
    busy = {"every": "15s", "refit": "15s", "step": "1m", "history": "28d"}
    documents = [workload("web-player", 2500.0), *map(workload, names)]
    documents += [workload(f"busy{n}", demand={"query": "demand"}, forecast=busy) for n in range(2)]
    config = configuration(folder, port, documents)
    document = yaml.safe_load(config.read_text())
    document["prometheus"]["main"] |= {"url": prometheus.url, "max_qps": 1000.0}
    document["scheduler"] = {"workers": 1}
    document["defaults"]["forecast"] |= {"every": "24h", "refit": "24h"}
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    now = int(time.time()) // 60 * 60
    minutes = np.arange(28 * 1440)
    values = 1000 * (1.3 + np.sin(minutes / 1440 * 2 * np.pi))
    stamps = (now - (len(minutes) - 1 - minutes) * 60).tolist()
    prometheus.write({"__name__": "demand"}, list(zip(stamps, values.tolist(), strict=True)))
    present = datetime.now(UTC)
    filler = Filler(config, present)
    demand = (
        evening(asked.trace, present, 30, "1998-06-30T19:35:00Z")
        if asked.trace
        else synthetic(30, 20_000.0, 1)
    )
    filler.fill("web-player", demand)
    filler.latest_only(names)
    filler.close()
    return config


@contextmanager
def serving(config: Path, log: Path, url: str) -> Iterator[None]:
    """`prescaler serve` with its scheduler, ended with the block."""
    environment = {**os.environ, "PRESCALER_LOG_FORMAT": "json"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "prescaler", "serve", "--config", str(config)],
            env=environment,
            stdout=out,
            stderr=out,
        )
        try:
            wait(url)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait(url: str) -> None:
    """Until the workloads are loaded."""
    for _ in range(300):
        try:
            if requests.get(f"{url}/readyz", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def paints(url: str, rounds: int) -> None:
    """First contentful paint, chart drawn, bytes over the wire; fresh context each time."""
    first: list[float] = []
    drawn: list[float] = []
    weight = 0
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for number in range(rounds + 1):
            paint, chart, weight = look(browser, url)
            if number:  # the first warms the browser up
                first.append(paint)
                drawn.append(chart)
        browser.close()
    print(f"first contentful paint, ms: {spread(first)}")
    print(f"chart drawn, ms:            {spread(drawn)}")
    print(f"page weight, kB:            {weight / 1000:.0f}")


def look(browser: Browser, url: str) -> tuple[float, float, int]:
    """One cold look at the chart."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.get_by_label("Key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    context.clear_permissions()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda e: sizes.append(int(e["encodedDataLength"])))
    page.goto(url + CHART)
    chart = drawn_at(page)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return float(paint), chart, sum(sizes)


def drawn_at(page: Page) -> float:
    """Milliseconds from navigation to the drawn chart, as the page itself marked it."""
    script = "performance.getEntriesByName('chart drawn')[0]?.startTime ?? 0"
    for _ in range(1000):
        found = float(page.evaluate(script))
        if found:
            return found
        time.sleep(0.01)
    raise SystemExit("the chart was not drawn")


def overview(url: str, log: Path) -> None:
    """Milliseconds of the list at the server: the first, and the ones that follow."""
    with signed_in(url) as client:
        for query in ["", "", "", "?sort=-pods", "?search=w1", "?cursor=1000", ""]:
            client.get(f"/{query}").raise_for_status()
            time.sleep(1.7)
        body = client.get("/").content
    lines = [json.loads(x) for x in log.read_text().splitlines() if x.startswith("{")]
    taken = [x["milliseconds"] for x in lines if x.get("path") == "/" and x.get("code") == 200]
    print(f"overview at the server, ms: first {taken[0]:.0f}, then {spread(taken[1:])}")
    print(f"overview's HTML, kB:        {len(body) / 1000:.0f}")


@contextmanager
def signed_in(url: str) -> Iterator[httpx2.Client]:
    """A client with a session."""
    with httpx2.Client(base_url=url, timeout=30) as client:
        client.post("/sign-in", data={"key": KEY})
        yield client


def under_load(url: str, asked: argparse.Namespace) -> None:
    """KEDA's questions with and without viewers, in turn."""
    seen: dict[str, list[Load]] = {"nobody looks": [], f"{asked.viewers} look": []}
    for _ in range(asked.rounds):
        for case, viewers in zip(seen, (0, asked.viewers), strict=True):
            with looking(url, viewers):
                seen[case].append(asyncio.run(keda(url, asked.seconds, asked.workloads)))
    print(f"\nKEDA at {RATE} requests/s, {asked.rounds} interleaved rounds of {asked.seconds} s\n")
    print("| | p50 ms | p99 ms (range) | worst ms | asked |")
    print("|---|---|---|---|---|")
    for case, rounds in seen.items():
        print(
            f"| {case} | {statistics.median(r.p50 for r in rounds):.1f} "
            f"| {spread([r.p99 for r in rounds])} | {max(r.worst for r in rounds):.0f} "
            f"| {sum(r.asked for r in rounds)} |"
        )


@contextmanager
def looking(url: str, viewers: int) -> Iterator[None]:
    """People with the list or a chart open, each asking more often than their browsers would."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=watch, args=(url, number, stop), daemon=True)
        for number in range(viewers)
    ]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)


def watch(url: str, number: int, stop: threading.Event) -> None:
    """One person: arrives within the first seconds, clicks around every five, refreshes between."""
    with signed_in(url) as client:
        stop.wait(number * 0.25)
        turn = 0
        while not stop.is_set():
            page = "/" if (number + turn) % 2 else f"/workloads/w{(7 * number + turn) % 1000}"
            client.get(page)
            if page != "/":
                name = "web-player" if turn % 2 else page.removeprefix("/workloads/")
                client.get(f"/api/v1/workloads/{name}/chart?lead=0s")
            turn += 1
            stop.wait(5)


async def keda(url: str, seconds: int, workloads: int) -> Load:
    """Ask on time, whatever the answers do: the time counts from when it was due."""
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx2.AsyncClient(
        base_url=url, headers={"X-API-Key": KEY}, limits=limits, timeout=10
    ) as client:
        start = time.perf_counter() + 0.2
        tasks = []
        for number in range(RATE * seconds):
            due = start + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            path = f"/api/v1/workloads/w{(number * 7) % (workloads - 1)}/metric?target=80"
            tasks.append(asyncio.create_task(ask(client, path, time.perf_counter())))
        taken = sorted(await asyncio.gather(*tasks))
    late = sum(t > 0.020 for t in taken)
    return Load(
        1000 * taken[len(taken) // 2],
        1000 * taken[int(len(taken) * 0.99)],
        1000 * taken[-1],
        len(taken),
        late,
    )


async def ask(client: Any, path: str, since: float) -> float:
    """One question; seconds until its answer."""
    answer = await client.get(path)
    answer.raise_for_status()
    return time.perf_counter() - since


def events(log: Path, event: str) -> int:
    """How often something was logged."""
    lines = [json.loads(x) for x in log.read_text().splitlines() if x.startswith("{")]
    return sum(line.get("event") == event for line in lines)


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


if __name__ == "__main__":
    raise SystemExit(main())
