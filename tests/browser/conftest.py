"""A real Chromium on a real server with the evenings of a World Cup (or invented ones) in it."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from prescaler.apps.pages.render import chart_folder
from prescaler.core.arrays import FloatArray
from prescaler.core.instants import format_instant
from tests.support.processes import PrescalerProcess, wait_for
from tests.support.prometheus import PrometheusServer
from tests.support.replayed import stored
from tests.support.reviewed import (
    KEYS,
    Filler,
    evening,
    invented_matches,
    matches,
    synthetic,
    workload,
)

TRACES = os.environ.get("TRACES", "")
KICK_OFF = "1998-06-30T19:35:00Z"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
WIDE, PHONE = (1440, 900), (360, 740)

SPECIAL: dict[int, dict[str, Any]] = {
    5: {"policy": {"acts_as": "growth"}},
    6: {"scale_target": {"name": "sleeper", "namespace": "prod", "min_pods": 0, "max_pods": 20}},
}


@dataclass
class Site:
    """A running prescaler with a past."""

    process: PrescalerProcess

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.process.url


def _documents() -> list[dict[str, object]]:
    return [
        workload("web-player", 2500.0, labels={"team": "player"}),
        workload("checkout", labels={"team": "shop", "note": HOSTILE}),
        workload("ingest", labels={"team": "data"}),
        workload("newborn", labels={"team": "data"}),
        *(workload(f"svc-{n:02d}", **SPECIAL.get(n, {})) for n in range(30)),
    ]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Filled once, served until the end; nothing is scheduled. Prometheus knows the pods."""
    prometheus = PrometheusServer()
    folder = tmp_path_factory.mktemp("site")
    keys = [
        {"name": "rita", "scope": "read", "value_env": "REVIEW_READ"},
        {"name": "ada", "scope": "admin", "value_env": "REVIEW_ADMIN"},
    ]
    document = {
        "prometheus": {"main": {"url": prometheus.url}},
        "store": {"url": f"sqlite:///{folder / 'store.sqlite'}"},
        "keys": keys,
        "defaults": {
            "demand": {"source": ["main"], "delay": "0s"},
            "policy": {"mode": "active"},
            "forecast": {"timezone": "Europe/Paris", "every": "15m"},
        },
        "workloads": _documents(),
    }
    process = PrescalerProcess(folder, document, "serve", "--no-scheduler", environment=KEYS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        count_pods(prometheus, _fill(process.config))
    process.start()
    try:
        wait_for(lambda: _ready(process))
        yield Site(process)
    finally:
        process.stop()
        prometheus.close()


def count_pods(prometheus: PrometheusServer, demand: FloatArray) -> None:
    """What kube-state-metrics would have said of web-player in the last two days."""
    now = int(time.time()) // 60 * 60
    pods = np.ceil(demand[-2 * 1440 :] * 1.25 / 2000.0)
    stamps = now - 60 * np.arange(len(pods))[::-1]
    for suffix, behind in (("", 0), ("_ready", 2)):
        labels = {"namespace": "prod", "deployment": "web-player"}
        rows = zip(stamps.tolist(), np.roll(pods, behind).tolist(), strict=True)
        prometheus.write(
            {"__name__": f"kube_deployment_status_replicas{suffix}", **labels}, list(rows)
        )


def _ready(process: PrescalerProcess) -> bool:
    try:
        return process.ask("/readyz").status_code == 200
    except OSError:
        return False


def _fill(config: Path) -> FloatArray:
    filler = Filler(config, datetime.now(UTC))
    trace = Path(TRACES) / "wc98_web.csv.gz"
    if TRACES and trace.exists():
        demand = evening(trace, filler.now, 28, KICK_OFF)
        planned = matches(trace.with_name("wc98_events.csv"), filler.now, KICK_OFF)
    else:
        print("no TRACES: the evenings are invented")  # noqa: T201 - said once, as everywhere
        demand, planned = synthetic(28, 20_000.0, 1), invented_matches(filler.now)
    filler.fill("web-player", demand, weeks_of_forecasts=3.5, planned=planned)
    filler.judged("web-player")
    filler.fill("checkout", synthetic(3, 300.0, 2), weeks_of_forecasts=0.2)
    filler.deaf("ingest")
    filler.too_young("newborn")
    filler.latest_only([f"svc-{n:02d}" for n in range(30)])
    start = filler.now + timedelta(hours=3)
    filler.event(
        name="Drop",
        kind="launch",
        workloads={"names": ["svc-05"]},
        start=format_instant(start),
        end=format_instant(start + timedelta(hours=1)),
        timezone="Europe/Paris",
        factor=3,
    )
    stored(filler.stores.jobs, "web-player", filler.now)
    stored(filler.stores.jobs, "web-player", filler.now - timedelta(hours=1), advice=None)
    filler.close()
    return demand


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, started once a module.

    Not for the whole session: Playwright keeps an event loop running in this thread, and tests of
    other modules start their own.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("chromium is missing: apt-get install --no-install-recommends chromium")
    if chart_folder() is None:
        pytest.fail("the chart library is missing: run scripts/setup.sh dev where npm is")
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A signed-in person with a browser window; what the browser complained about is kept."""

    page: Page
    site: Site
    complaints: list[str]

    def open(self, path: str) -> Page:
        """Go somewhere; a chart that is there gets drawn."""
        self.page.goto(self.site.url + path)
        if self.page.locator("[data-chart]").count():
            self.drawn(1)
        return self.page

    def drawn(self, times: int) -> None:
        """Wait for the chart, by asking: the page's policy forbids waiting inside of it."""
        script = "Number(document.querySelector('[data-chart]').dataset.drawn || 0)"
        self.until(lambda: self.page.evaluate(script) >= times)

    def until(self, holds: Callable[[], object]) -> None:
        """Wait for something the page does by itself."""
        end = time.monotonic() + 15
        while not holds():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.03)


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Visit]:
    """Open a window: scheme, size, and the key that is typed (none: nobody signs in)."""
    contexts: list[BrowserContext] = []

    def start(
        key: str | None = KEYS["REVIEW_ADMIN"],
        scheme: str = "light",
        size: tuple[int, int] = WIDE,
        *,
        script: bool = True,
    ) -> Visitor:
        context = chromium.new_context(
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=script,
            timezone_id="America/New_York",
        )
        contexts.append(context)
        context.set_default_timeout(6000)
        page, complaints = context.new_page(), list[str]()

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        visitor = Visitor(page, site, complaints)
        if key is not None:
            page.goto(f"{site.url}/sign-in")
            page.get_by_label("Key").fill(key)
            page.get_by_role("button", name="Sign in").click()
        return visitor

    yield start
    for context in contexts:
        context.close()
