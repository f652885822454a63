"""How a backfill is shown, stopped and reported."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import yaml
from rich.console import Console

from prescaler.adapters.memory_jobs import MemoryJobs
from prescaler.apps.cli import backfill_view
from prescaler.apps.cli.backfill_run import _JobReport
from prescaler.apps.cli.backfill_view import Bars, Lines, Silent, view
from prescaler.core.jobs import Job, JobKind, JobState
from prescaler.wiring import open_stores
from tests.support.builders import MONDAY
from tests.support.fakes import SetClock
from tests.support.faulty import faulty_server, silent
from tests.support.migrated import migrate

SECOND = timedelta(seconds=1)


def terminal(monkeypatch: pytest.MonkeyPatch, *, real: bool) -> io.StringIO:
    out = io.StringIO()
    console = Console(file=out, force_terminal=real, width=120)
    monkeypatch.setattr(backfill_view, "ERR", console)
    return out


@pytest.mark.parametrize("count", [2, 40])
def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    out = terminal(monkeypatch, real=True)
    shown = view(SetClock(MONDAY), as_json=False)
    assert isinstance(shown, Bars)
    names = [f"w{number}" for number in range(count)]

    shown.begin("demand", dict.fromkeys(names, 10))
    for name in names:
        shown.moved(name, 10, "1,000 points/s")
    shown.begin("forecasts", dict.fromkeys(names, 4))
    shown.end()

    text = out.getvalue()
    assert ("demand of w0" in text) == (count == 2)
    assert f"{10 * (1 if count == 2 else count)}/{10 * (1 if count == 2 else count)}" in text


def test_elsewhere_a_line_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    out, clock = terminal(monkeypatch, real=False), SetClock(MONDAY)
    shown = view(clock, as_json=False)
    assert isinstance(shown, Lines)

    shown.begin("demand", {"web": 20})
    for done in range(1, 21):
        clock.move(SECOND)
        shown.moved("web", done, "1,000 points/s")
    shown.end()

    lines = out.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[1] == "demand: 5 of 20 pieces, 15 s left; web: 1,000 points/s"
    assert "20 of 20" in lines[-1]


def test_json_keeps_standard_error_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch, real=True)
    shown = view(SetClock(MONDAY), as_json=True)
    assert isinstance(shown, Silent)
    shown.begin("demand", {"web": 1})
    shown.moved("web", 1, "")
    shown.end()

    assert out.getvalue() == ""


def report(jobs: MemoryJobs) -> _JobReport:
    stores: Any = SimpleNamespace(jobs=jobs)
    return _JobReport(stores, {"workloads": ["web"]})


def test_a_run_is_a_job_that_others_may_cancel() -> None:
    jobs = MemoryJobs()
    one = report(jobs)
    one.begin(MONDAY)
    assert one.report(MONDAY, 0.25, "demand")
    jobs.cancel(one.id, MONDAY)
    one._said = 0.0

    assert not one.report(MONDAY, 0.5, "demand")
    assert one.cancelled
    one.ended(MONDAY, {"workloads": []}, interrupted=True)
    found = jobs.get(one.id)
    assert found is not None
    assert (found.state, found.subject) == (JobState.CANCELLED, "web")


def test_a_job_whose_process_is_gone_is_ended() -> None:
    jobs = MemoryJobs()
    old = Job(UUID(int=1), JobKind.BACKFILL, "web", "cli", MONDAY, MONDAY)
    jobs.create(old)
    jobs.claim(old.id, "gone", MONDAY)

    report(jobs).begin(MONDAY + 5 * SECOND)
    first = jobs.get(old.id)
    report(jobs).begin(MONDAY + 100 * SECOND)

    found = jobs.get(old.id)
    assert first is not None
    assert found is not None
    assert first.state is JobState.RUNNING
    assert found.state is JobState.FAILED
    assert "without a word" in str(found.error)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A child does not inherit that this process ignores interrupts, as one behind `&` does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_130_and_says_that_it_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    stores = open_stores(url)
    migrate(stores.database)
    with faulty_server(silent(2)) as server:
        document = {
            "prometheus": {"main": {"url": server.url, "timeout": "1s"}},
            "store": {"url": url},
            "workloads": [
                {
                    "name": "web",
                    "scale_target": {"name": "web"},
                    "demand": {"source": ["main"], "query": "x"},
                    "capacity": {"per_pod": 10},
                }
            ],
        }
        (tmp_path / "prescaler.yaml").write_text(yaml.safe_dump(document))
        process = subprocess.Popen(
            [sys.executable, "-m", "prescaler", "backfill", "web", "--concurrency", "1",
             "--config", str(tmp_path / "prescaler.yaml")],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        end = time.monotonic() + 30
        while not server.seen and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=120)

    assert process.returncode == 130, said
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
    assert [job.state for job in stores.jobs.find()] == [JobState.CANCELLED]
    stores.database.close()
