"""Real prescaler processes, as anybody would start them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.support.ports import free_port

KEY = "process-key-0123456789"


class PrescalerProcess:
    """`prescaler serve` (or another command) with a configuration of its own."""

    def __init__(
        self,
        folder: Path,
        document: Mapping[str, Any],
        *arguments: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.folder = folder
        self.config = folder / "prescaler.yaml"
        server = {
            "listen": f"127.0.0.1:{self.port}",
            "snapshot_dir": str(folder / "snapshot"),
            **document.get("server", {}),
        }
        keys = [{"name": "test", "scope": "admin", "value_env": "TEST_KEY"}]
        self.config.write_text(yaml.safe_dump({"keys": keys, **document, "server": server}))
        self._arguments = arguments or ("serve",)
        self._environment = {
            **os.environ,
            "TEST_KEY": KEY,
            "PRESCALER_LOG_FORMAT": "json",
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "PrescalerProcess":
        """Start it; its log is in its folder."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prescaler", *self._arguments, "--config", str(self.config)],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command with the same configuration, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "prescaler", *arguments, "--config", str(self.config)],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, path: str) -> requests.Response:
        """Ask with the key."""
        return requests.get(f"{self.url}{path}", headers={"X-API-Key": KEY}, timeout=5)

    def metric(self, workload: str) -> dict[str, Any]:
        """KEDA's answer; an empty one while nobody listens."""
        try:
            found: dict[str, Any] = self.ask(f"/api/v1/workloads/{workload}/metric").json()
        except requests.RequestException:
            return {}
        return found

    def metrics(self, name: str) -> float:
        """One of its own metrics; -1 while nobody listens."""
        try:
            text = requests.get(f"{self.url}/metrics", timeout=5).text
        except requests.RequestException:
            return -1.0
        line = next(x for x in text.splitlines() if x.startswith(f"{name} "))
        return float(line.rpartition(" ")[2])

    def events(self, event: str) -> list[dict[str, Any]]:
        """Log lines of one event."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        parsed = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in parsed if line.get("event") == event]

    def kill(self) -> None:
        """Without a goodbye."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None
        return code

    def log(self) -> str:
        """Everything it said."""
        return (self.folder / "log").read_text(errors="replace")


def wait_for(condition: Callable[[], object], seconds: float = 40) -> float:
    """Wait until a condition holds; gives how long that took."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if condition():
            return time.monotonic() - start
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


def children_of(process: int) -> list[int]:
    """Processes whose parent this is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(stat.parent.name))
    return found


def alive(process: int) -> bool:
    """Whether it still runs (a zombie does not)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
