"""The demonstration: real traffic from a real Prometheus, forecast, stored and answered to KEDA."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import requests
import yaml
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from prescaler.apps.demo.afterwards import looking_back, plan_evenings
from prescaler.apps.demo.children import end
from prescaler.apps.demo.prometheus import DemoPrometheus, query
from prescaler.apps.demo.traffic import HISTORY, Played, from_trace, generated, has_clock_change
from prescaler.core.durations import format_duration
from prescaler.core.errors import PrescalerError, ServerAssetMissing
from prescaler.core.instants import parse_instant
from prescaler.wiring import clock

_PORTS: Final = (18080, 18090, 18091)
_PATIENCE_SECONDS: Final = 120.0
_KEY_FILE: Final = "key"


class DemoFailed(PrescalerError):
    """The demonstration did not get to an answer."""

    kind = "demo_failed"


@dataclass(frozen=True)
class DemoOptions:
    """trace: a file, None = generated traffic. once: end after the first active answer."""

    folder: Path
    trace: Path | None
    zone: ZoneInfo
    once: bool


@dataclass(frozen=True)
class _Shown:
    """What a person is shown at the end. seconds: until the first answers."""

    url: str
    key: str
    folder: Path
    answers: list[dict[str, Any]]
    played: Sequence[Played]
    seconds: float


def run_demo(options: DemoOptions, console: Console) -> None:
    """Play until told to stop (or, with `once`, until the first answer with status active).

    Raises:
        DemoFailed, SourceError, ServerAssetMissing
    """
    present = clock()
    start, now = time.monotonic(), present.now().replace(microsecond=0)
    played = _played(options, now)
    folder = _fresh(options.folder)
    api, prometheus, feed = (_free_port(port) for port in _PORTS)
    console.print(f"filling Prometheus with {_described(played, now)} ...")
    with DemoPrometheus(folder, prometheus, feed, played, present) as source:
        url, key = f"http://127.0.0.1:{api}", _new_key(folder)
        config = _write_config(folder, played, source.url, api)
        with _prescaler(folder, config):
            console.print("Prometheus answers; prescaler migrates its database and forecasts ...")
            answers = _first_answers(url, key, played, folder)
            _keep_answers(folder, answers, played)
            seconds = time.monotonic() - start
            _show(console, _Shown(url, key, folder, answers, played, seconds))
            if not options.once:
                _stay(console, folder, config, played)


def _played(options: DemoOptions, now: datetime) -> list[Played]:
    if options.trace is None:
        return generated(now, options.zone)
    return [from_trace(options.trace, now, options.zone)]


def _described(played: Sequence[Played], now: datetime) -> str:
    first = played[0]
    begin = max(first.demand.start, now - HISTORY)
    days = (now - begin).total_seconds() / 86_400
    span = f"{days / 7:.1f} weeks" if days >= 14 else f"{days:.1f} days"  # noqa: PLR2004
    text = f"{span} of {first.label} traffic"
    if has_clock_change(first.zone, begin, now):
        text += ", with a clock change in it"
    return f"{text} ({', '.join(p.name for p in played)})"


def _fresh(folder: Path) -> Path:
    """An empty folder; only one that an earlier demonstration made is ever emptied."""
    mark = folder / "prescaler-demo"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise ServerAssetMissing(f"{folder} is not empty and no folder of a demonstration")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.touch()
    return folder.resolve()


def _free_port(wanted: int) -> int:
    """The wanted port on loopback, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerAssetMissing("no port is free on 127.0.0.1")


def _new_key(folder: Path) -> str:
    """A key in a file that only its owner reads, so that every command finds it by itself."""
    key, path = secrets.token_urlsafe(24), folder / _KEY_FILE
    path.touch(mode=0o600)
    path.write_text(key, encoding="utf-8")
    return key


def _write_config(folder: Path, played: Sequence[Played], prometheus: str, api: int) -> Path:
    document = {
        "prometheus": {"demo": {"url": prometheus, "max_qps": 50.0}},
        "store": {"url": f"sqlite:///{folder / 'prescaler.sqlite'}"},
        "server": {
            "listen": f"127.0.0.1:{api}",
            "public_url": f"http://127.0.0.1:{api}",
            "snapshot_dir": str(folder / "snapshot"),
        },
        "keys": [{"name": "demo", "scope": "admin", "value_file": str(folder / _KEY_FILE)}],
        "workloads": [_workload(one) for one in played],
    }
    path = folder / "prescaler.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def _workload(played: Played) -> dict[str, Any]:
    capacity: dict[str, Any] = {"per_pod": float(f"{played.per_pod:.6g}"), "utilisation": 0.8}
    if capacity["per_pod"] * capacity["utilisation"] < 1:
        capacity["unit"] = "pods"
    return {
        "name": played.name,
        "labels": {"traffic": played.label},
        "scale_target": {"name": played.name, "namespace": "demo", "min_pods": 1, "max_pods": 200},
        "demand": {
            "source": ["demo"],
            "query": query(played.name),
            "resolution": "1m",
            "delay": "15s",
        },
        "forecast": {
            "step": format_duration(played.step),
            "timezone": str(played.zone),
            "every": "1m",
        },
        "capacity": capacity,
        "policy": {"quantile": 0.95, "hold": "5m", "mode": "active"},
    }


@contextmanager
def _prescaler(folder: Path, config: Path) -> Iterator[None]:
    """`prescaler db upgrade`, then `prescaler serve`, as anybody would run them."""
    environment = {**os.environ, "PRESCALER_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "prescaler"]
    log_path = folder / "prescaler.log"
    with log_path.open("wb") as log:
        migrated = subprocess.run(
            [*command, "db", "upgrade", "--config", str(config)],
            env=environment,
            stdout=log,
            stderr=log,
            check=False,
        )
        if migrated.returncode:
            raise DemoFailed(f"the database could not be migrated; see {log_path}")
        server = subprocess.Popen(
            [*command, "serve", "--config", str(config)], env=environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            end(server, signal.SIGTERM)


def _first_answers(
    url: str, key: str, played: Sequence[Played], folder: Path
) -> list[dict[str, Any]]:
    """Ask as KEDA would until every workload has status active."""
    end = time.monotonic() + _PATIENCE_SECONDS
    answers: list[dict[str, Any]] = []
    while time.monotonic() < end:
        answers = [_ask(url, key, one.name) for one in played]
        if all(answer.get("status") == "active" for answer in answers):
            return answers
        time.sleep(0.5)
    reasons = "; ".join(
        f"{one.name}: {answer.get('status')}, {answer.get('reason') or answer.get('error')}"
        for one, answer in zip(played, answers, strict=True)
    )
    log = folder / "prescaler.log"
    raise DemoFailed(f"no active answer in {_PATIENCE_SECONDS:.0f} s: {reasons}; see {log}")


def _ask(url: str, key: str, workload: str) -> dict[str, Any]:
    try:
        answer = requests.get(
            f"{url}/api/v1/workloads/{workload}/metric", headers={"X-API-Key": key}, timeout=3
        )
        found: dict[str, Any] = answer.json()
    except (requests.RequestException, ValueError) as error:
        return {"error": type(error).__name__}
    return found


def _keep_answers(folder: Path, answers: list[dict[str, Any]], played: Sequence[Played]) -> None:
    """Write the answers down, for `scripts/recompute_answer.py`."""
    kept = [{**a, "traffic": p.label} for a, p in zip(answers, played, strict=True)]
    (folder / "answers.json").write_text(json.dumps(kept, indent=2), encoding="utf-8")


def _show(console: Console, shown: "_Shown") -> None:
    table = Table("workload", "traffic", "status", "value", "pods", "target", "until (UTC)")
    for answer, one in zip(shown.answers, shown.played, strict=True):
        table.add_row(
            one.name,
            one.label,
            f"{answer['status']}{' ' + answer['reason'] if answer['reason'] else ''}",
            f"{answer['value']:,.3f}",
            str(answer["pods"]),
            f"{answer['target']:g}",
            f"{parse_instant(answer['valid_until']):%a %H:%M}",
        )
    console.print(table)
    name, url, key, folder = shown.played[0].name, shown.url, shown.key, _near(shown.folder)
    programs = _near(Path(sys.executable).parent)
    console.print(Panel(json.dumps(shown.answers[0], indent=1), title=f"KEDA's answer for {name}"))
    console.print(
        f"""first answers after {shown.seconds:.1f} s. Try next:

  review pages          {url}/   (key: {key})
  API docs              {url}/docs
  KEDA's answer         curl -H 'X-API-Key: {key}' {url}/api/v1/workloads/{name}/metric
  the plan of 48 h      curl -H 'X-API-Key: {key}' '{url}/api/v1/workloads/{name}/plan?step=30m'
  the ScaledObject      {programs}/prescaler keda {name} --config {folder}/prescaler.yaml
  check it by yourself  {programs}/python scripts/recompute_answer.py {folder}
""",
        highlight=False,
        markup=False,
    )


def _near(path: Path) -> Path:
    """As it is written from the working folder, where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _stay(console: Console, folder: Path, config: Path, played: Sequence[Played]) -> None:
    """Fill the calendar and the record of past forecasts, and run until told to stop."""
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _: stop.append(caught))
    if any(one.matches for one in played):
        planned = plan_evenings(folder, config, played)
        console.print(
            "the match evenings stand in the calendar: prescaler learns from past ones"
            if planned
            else f"the match evenings could not be put into the calendar; see {folder}/matches.log"
        )
    console.print("the forecasts of the last 3 days are worked out meanwhile, for the pages")
    console.print("running; Ctrl-C ends everything")
    with looking_back(folder, config):
        while not stop:
            time.sleep(0.2)
