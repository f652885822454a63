"""The cluster's configuration on this machine, and a prescaler that runs by it."""

import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from tests.k8s.manifests import BASE_CONFIGURATION, read
from tests.support.ports import free_port

KEY: Final = "a-key-of-thirty-two-characters-x"
FLOOR_PODS: Final = 3
_NOBODY: Final = "http://127.0.0.1:9"
_START_SECONDS: Final = 30


def local_base(folder: Path, *, prometheus: str | None = None, **server: Any) -> Path:
    """The base's file with a key and a database of this machine.

    Beside its workload stand two with a floor, one of them counted in pods, which answer more
    than 0.
    """
    content = read(BASE_CONFIGURATION)[0]
    key = folder / "api-key"
    key.write_text(f"{KEY}\n")
    content["keys"][0]["value_file"] = str(key)
    content["store"] = {"url": f"sqlite:///{folder / 'prescaler.sqlite'}"}
    content["server"] |= server
    if prometheus is not None:
        content["prometheus"]["main"]["url"] = prometheus
    (web,) = content["workloads"]
    floored = {**web, "name": "floored", "policy": {"min_pods": FLOOR_PODS}}
    counted = {**floored, "name": "counted", "capacity": {"per_pod": 0.5, "unit": "pods"}}
    content["workloads"] = [web, floored, counted]
    path = folder / "prescaler.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


class LocalServer:
    """`prescaler db upgrade`, then `prescaler serve`, ready to answer."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.configuration = local_base(
            folder,
            prometheus=_NOBODY,
            listen=f"127.0.0.1:{self.port}",
            snapshot_dir=str(folder / "state"),
        )
        self._log = folder / "log"
        subprocess.run(self._command("db", "upgrade"), check=True, capture_output=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command("serve"), stdout=log, stderr=log)
        self._wait()

    def get(self, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Ask a URL of the cluster as KEDA's HTTP client does; only the address is another."""
        asked = urlsplit(url)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=3)
        sent = {
            "Host": asked.netloc,
            "User-Agent": "Go-http-client/1.1",
            "Accept-Encoding": "gzip",
            **headers,
        }
        try:
            connection.request("GET", f"{asked.path}?{asked.query}", headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def end(self) -> tuple[int, float]:
        """Send SIGTERM; the exit code, and the seconds that it took."""
        start = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=_START_SECONDS)
        return code, time.monotonic() - start

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "prescaler", *arguments, "--config", str(self.configuration)]

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if self.get("http://any/readyz", {})[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        self._process.kill()
        raise RuntimeError(f"prescaler does not come up: {self._log.read_text()}")
