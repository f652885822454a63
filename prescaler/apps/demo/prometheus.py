"""A real Prometheus of our own: filled from OpenMetrics text, then fed by scrapes."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import requests
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from prescaler.apps.demo.traffic import Played
from prescaler.core.errors import ServerAssetMissing, SourceUnreachable
from prescaler.ports import Clock

METRIC: Final = "demo:requests:rate1m"
_READY_SECONDS: Final = 30.0
_CONFIG: Final = """\
global: {{scrape_interval: 10s}}
scrape_configs:
- job_name: demo
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def query(workload: str) -> str:
    """PromQL for one workload: the newest sample of the last minute, none where there is none.

    59 s and not 60: before version 3, Prometheus counts both ends of a range.
    """
    return f'max(last_over_time({METRIC}{{workload="{workload}"}}[59s]))'


class DemoPrometheus:
    """The server process, and the exporter that it scrapes.

    Raises:
        ServerAssetMissing: Prometheus is not installed.
        SourceUnreachable: it does not come up.
    """

    def __init__(
        self, folder: Path, port: int, feed_port: int, played: Sequence[Played], clock: Clock
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._port = port
        self._feed_port = feed_port
        self._played = played
        self._process: subprocess.Popen[bytes] | None = None
        self._feed: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        """Fill, start, feed."""
        self._fill(self._clock.now().replace(microsecond=0))
        self._feed = _start_feed(self._feed_port, self._played, self._clock)
        self._process = self._start()
        self._wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """End both."""
        self._feed()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    def _fill(self, now: datetime) -> None:
        """Write history as OpenMetrics text, and let promtool make blocks of it.

        One block a month: with the default of two hours, eight weeks take 3.7 minutes.
        """
        text = self._folder / "history.om"
        with text.open("w", encoding="ascii") as file:
            file.write(f"# TYPE {METRIC} gauge\n")
            for played in self._played:
                _write_history(file.write, played, now)
            file.write("# EOF\n")
        blocks = ["tsdb", "create-blocks-from", "openmetrics", "-q", "--max-block-duration=768h"]
        done = subprocess.run(
            [_program("promtool"), *blocks, str(text), str(self._folder / "data")],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SourceUnreachable(
                f"promtool could not fill Prometheus: {done.stderr.strip()[:300]}"
            )
        text.unlink()

    def _start(self) -> subprocess.Popen[bytes]:
        config = self._folder / "prometheus.yml"
        config.write_text(_CONFIG.format(port=self._feed_port), encoding="utf-8")
        log = (self._folder / "prometheus.log").open("wb")
        return subprocess.Popen(
            [
                _program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                "--storage.tsdb.retention.time=1y",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )

    def _wait(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/-/ready", timeout=1).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise SourceUnreachable(f"Prometheus does not come up; see {self._folder}/prometheus.log")


class _Feed(Collector):
    """The present demand of every workload; in a gap a workload is not there."""

    def __init__(self, played: Sequence[Played], clock: Clock) -> None:
        self._played = played
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        now = self._clock.now()
        family = GaugeMetricFamily(METRIC, "Demand of the demonstration.", labels=["workload"])
        for played in self._played:
            value = played.at(now)
            if value is not None:
                family.add_metric([played.name], value)
        yield family


def _start_feed(port: int, played: Sequence[Played], clock: Clock) -> Callable[[], None]:
    """Serve the present demand on loopback; gives the function that ends it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Feed(played, clock))
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return end


def _write_history(write: Callable[[str], object], played: Played, now: datetime) -> None:
    """One line a minute up to now; gaps are simply not there."""
    past = played.demand.between(played.demand.start, now)
    name = f'{METRIC}{{workload="{played.name}"}}'
    for stamp, value in zip(past.stamps[past.observed], past.mean[past.observed], strict=True):
        write(f"{name} {value:.6g} {stamp}\n")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ServerAssetMissing(
            f"{name} is not installed: apt-get install --no-install-recommends prometheus"
        )
    return found
