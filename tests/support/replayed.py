"""A real result of a replay, small enough for tests.

`python -m tests.support.replayed` makes it anew; `tests/usecases/test_replay_golden.py` says when.
"""

import json
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.jobs import Job, JobKind, JobState
from prescaler.core.replay.ground import Arm
from prescaler.core.replay.promise import Promise
from prescaler.ports import JobStore
from prescaler.usecases.replay_document import document
from prescaler.usecases.replay_jobs import plain_wish
from prescaler.usecases.replay_period import Crew, Wish, replay_period
from prescaler.usecases.replay_subject import TraceFacts, of_trace
from tests.support.builders import DAY, MINUTE, MONDAY, daily_demand, event, series

END = MONDAY + 12 * DAY
HOUR = timedelta(hours=1)
GOLDEN = Path(__file__).parents[1] / "golden" / "replay.json"
ARMS = (Arm.PEAK, Arm.REACTIVE, Arm.CALENDAR)


class Here(Executor):
    """Does the work at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The finished work."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def played() -> dict[str, Any]:
    """A week and what it would have been; its last evening had a crowd of four times as many."""
    demand = np.repeat(daily_demand(12, seed=3), 5)
    demand[-4 * 60 : -2 * 60] *= 4
    match = event(name="<b>final</b>", start=END - 4 * HOUR, end=END - 2 * HOUR)
    subject = of_trace(series(demand, step=MINUTE), TraceFacts("web", ZoneInfo("UTC")), [match])
    wish = Wish(
        since=7 * DAY,
        arms=ARMS,
        promise=Promise.parse("10m/30d"),
        seeds=(1,),
        utilisations=(0.6, 0.9),
        quantiles=(0.5, 0.95),
    )
    with ThreadPoolExecutor(1) as threads:
        found = replay_period(subject, wish, Crew(Here(), threads), lambda *_: True)
    return {"request": plain_wish(wish), "result": document(found)}


def kept() -> dict[str, Any]:
    """The same from its file: it takes half a minute to make."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text())
    return found


def stored(jobs: JobStore, workload: str, now: datetime, **changes: Any) -> UUID:
    """A job that is done, with that result; `changes` replace fields of it."""
    found = kept()
    job = Job(uuid4(), JobKind.REPLAY, workload, "ada", now, now, found["request"])
    jobs.create(job)
    jobs.claim(job.id, "worker", now)
    jobs.finish(job.id, "worker", now, JobState.DONE, result={**found["result"], **changes})
    return job.id


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(played(), separators=(",", ":")) + "\n")
