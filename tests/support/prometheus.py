"""A real Prometheus of the tests' own, filled by remote write."""

import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import cramjam
import requests

from tests.support.ports import free_port

STALE_NAN = 0x7FF0000000000002
_CONFIG = """\
global: {scrape_interval: 1h}
storage: {tsdb: {out_of_order_time_window: 400d}}
"""
_BATCH = 20_000


class PrometheusServer:
    """One server; it may be stopped and started again with its data."""

    def __init__(self) -> None:
        if shutil.which("prometheus") is None:
            raise RuntimeError(
                "prometheus is missing: apt-get install --no-install-recommends prometheus"
            )
        self.folder = Path(tempfile.mkdtemp(prefix="prescaler-prom-"))
        self.port = free_port()
        (self.folder / "prometheus.yml").write_text(_CONFIG)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    "--storage.tsdb.retention.time=10y",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--web.enable-remote-write-receiver",
                    "--log.level=warn",
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if requests.get(f"{self.url}/-/ready", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise RuntimeError(f"prometheus does not come up: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        """End it without a goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and remove everything."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, labels: Mapping[str, str], samples: Iterable[tuple[int, float]]) -> None:
        """Store samples (epoch seconds, value) of one series; `stale()` ends it."""
        rows = list(samples)
        for start in range(0, len(rows), _BATCH):
            body = _write_request(labels, rows[start : start + _BATCH])
            answer = requests.post(
                f"{self.url}/api/v1/write",
                data=bytes(cramjam.snappy.compress_raw(body)),
                headers={
                    "Content-Encoding": "snappy",
                    "Content-Type": "application/x-protobuf",
                    "X-Prometheus-Remote-Write-Version": "0.1.0",
                },
                timeout=30,
            )
            if not answer.ok:
                raise RuntimeError(f"remote write: {answer.status_code} {answer.text}")


def _write_request(labels: Mapping[str, str], rows: list[tuple[int, float]]) -> bytes:
    """A WriteRequest of Prometheus' remote.proto, written by hand: three tiny messages."""
    series = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    series += b"".join(_field(2, _sample(stamp, value)) for stamp, value in rows)
    return _field(1, series)


def _sample(stamp: int, value: float) -> bytes:
    bits = struct.pack("<d", value)
    return b"\x09" + bits + b"\x10" + _varint(stamp * 1000)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def stale() -> float:
    """Prometheus' stale marker."""
    return float(struct.unpack("<d", struct.pack("<Q", STALE_NAN))[0])
