"""One suite for every job store."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from prescaler.core.errors import BadParameter, ChangedMeanwhile
from prescaler.core.jobs import MOST_KEPT, Job, JobKind, JobState
from prescaler.usecases.replay_jobs import MOST_WAITING, ask, claim_next, read_wish
from tests.contracts.conftest import AllStores
from tests.support.builders import MONDAY

SECOND = timedelta(seconds=1)
WISH = read_wish({"since": "7d"})


def asked(number: int = 1, **changes: object) -> Job:
    made = Job(
        id=UUID(int=number),
        kind=JobKind.BACKFILL,
        subject="web",
        author="ada",
        created_at=MONDAY + number * SECOND,
        touched_at=MONDAY + number * SECOND,
        request={"since": "400d", "every": None},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_job_is_read_back(stores: AllStores) -> None:
    stores.jobs.create(asked())
    stores.jobs.create(asked(author="somebody who comes second"))

    assert stores.jobs.get(UUID(int=1)) == asked()
    assert stores.jobs.get(uuid4()) is None


def test_jobs_are_found_newest_first_by_kind_and_subject(stores: AllStores) -> None:
    stores.jobs.create(asked(1))
    stores.jobs.create(asked(2, kind=JobKind.REPLAY))
    stores.jobs.create(asked(3, subject="api"))

    def numbers(**how: object) -> list[int]:
        return [job.id.int for job in stores.jobs.find(**how)]  # type: ignore[arg-type]

    assert numbers() == [3, 2, 1]
    assert numbers(limit=2) == [3, 2]
    assert numbers(kind=JobKind.BACKFILL) == [3, 1]
    assert numbers(subject="web") == [2, 1]
    assert numbers(kind=JobKind.REPLAY, subject="api") == []


MANY = 120
"""More than a list of jobs shows unless asked for."""


def crowded(stores: AllStores) -> None:
    """One that waits, one whose worker died, and then many that came later and have ended."""
    stores.jobs.create(asked(2, kind=JobKind.REPLAY))
    stores.jobs.create(asked(1, kind=JobKind.REPLAY))
    stores.jobs.claim(UUID(int=1), "dead", MONDAY)
    stores.jobs.create(asked(3))
    for number in range(4, 4 + MANY):
        stores.jobs.create(asked(number, kind=JobKind.REPLAY))
        stores.jobs.cancel(UUID(int=number), MONDAY + number * SECOND)


def test_the_unfinished_are_all_found_oldest_first_however_many_are_newer(
    stores: AllStores,
) -> None:
    crowded(stores)
    stores.jobs.create(asked(999, kind=JobKind.REPLAY))

    assert [job.id.int for job in stores.jobs.unfinished(JobKind.REPLAY)] == [1, 2, 999]
    assert [job.id.int for job in stores.jobs.unfinished(JobKind.BACKFILL)] == [3]


def test_a_replay_behind_many_newer_ones_is_claimed_first(stores: AllStores) -> None:
    crowded(stores)
    stores.jobs.create(asked(999, kind=JobKind.REPLAY))

    claimed = [claim_next(stores.jobs, "one", MONDAY + n * SECOND) for n in (30, 70, 75, 80)]

    assert [job.id.int if job else None for job in claimed] == [2, 1, 999, None]


def test_the_limit_of_the_queue_counts_replays_behind_many_newer_ones(
    stores: AllStores,
) -> None:
    for number in range(1, MOST_WAITING + 1):
        stores.jobs.create(asked(number, kind=JobKind.REPLAY))
    for number in range(100, 100 + MANY):
        stores.jobs.create(asked(number, kind=JobKind.REPLAY))
        stores.jobs.cancel(UUID(int=number), MONDAY + number * SECOND)
    now = MONDAY + 1000 * SECOND

    with pytest.raises(BadParameter, match="20 replays wait"):
        ask(stores.jobs, "web", WISH, "ada", now)
    stores.jobs.cancel(UUID(int=1), now)
    assert ask(stores.jobs, "web", WISH, "ada", now).subject == "web"


def test_many_at_once_do_not_pass_the_limit_of_the_queue_together(stores: AllStores) -> None:
    for number in range(1, MOST_WAITING):
        stores.jobs.create(asked(number, kind=JobKind.REPLAY))
    crowd, now = 6, MONDAY + 1000 * SECOND
    together = Barrier(crowd)

    def one(number: int) -> bool:
        together.wait()
        try:
            ask(stores.jobs, "web", WISH, f"person {number}", now)
        except BadParameter:
            return False
        return True

    with ThreadPoolExecutor(crowd) as pool:
        taken = list(pool.map(one, range(crowd)))

    assert sum(taken) == 1
    assert len(stores.jobs.unfinished(JobKind.REPLAY)) == MOST_WAITING


def test_only_one_owner_runs_a_job(stores: AllStores) -> None:
    stores.jobs.create(asked())

    claimed = stores.jobs.claim(UUID(int=1), "one", MONDAY)

    assert claimed is not None
    assert (claimed.state, claimed.owner, claimed.touched_at) == (JobState.RUNNING, "one", MONDAY)
    assert stores.jobs.claim(UUID(int=1), "two", MONDAY + SECOND) is None
    assert stores.jobs.claim(UUID(int=1), "one", MONDAY + SECOND) is not None
    assert stores.jobs.claim(uuid4(), "one", MONDAY) is None


def test_many_claim_at_once_and_one_gets_it(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    stores.jobs.create(asked())
    owners = [f"worker {n}" for n in range(6)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda o: stores.jobs.claim(UUID(int=1), o, MONDAY), owners))

    assert sum(job is not None for job in found) == 1


def test_a_silent_owner_loses_its_job_and_the_checkpoint_stays(stores: AllStores) -> None:
    stores.jobs.create(asked())
    stores.jobs.claim(UUID(int=1), "one", MONDAY)
    stores.jobs.report(UUID(int=1), "one", MONDAY, progress=0.5, checkpoint={"day": 12})
    stores.jobs.report(UUID(int=1), "one", MONDAY + 10 * SECOND, progress=0.6, stage="day 13")

    assert stores.jobs.claim(UUID(int=1), "two", MONDAY + 69 * SECOND) is None
    taken = stores.jobs.claim(UUID(int=1), "two", MONDAY + 70 * SECOND)

    assert taken is not None
    assert (taken.checkpoint, taken.progress, taken.stage) == ({"day": 12}, 0.6, "day 13")
    with pytest.raises(ChangedMeanwhile):
        stores.jobs.report(UUID(int=1), "one", MONDAY + 71 * SECOND, progress=0.7)
    with pytest.raises(ChangedMeanwhile):
        stores.jobs.finish(UUID(int=1), "one", MONDAY + 71 * SECOND, JobState.DONE)


def test_finished_pieces_are_there_for_whoever_takes_over_and_go_with_the_end(
    stores: AllStores,
) -> None:
    one, other = UUID(int=1), UUID(int=2)
    for job in (one, other):
        stores.jobs.create(asked(job.int))
        stores.jobs.claim(job, "one", MONDAY)
    assert stores.jobs.keep_part(one, "one", "week 1", b"first try")
    assert stores.jobs.keep_part(one, "one", "week 1", b"\x00\xffforecasts")
    assert stores.jobs.keep_part(other, "one", "week 1", b"of another job")

    stores.jobs.claim(one, "two", MONDAY + 70 * SECOND)

    assert stores.jobs.part(one, "week 1") == b"\x00\xffforecasts"
    assert stores.jobs.part(one, "week 2") is None
    with pytest.raises(ChangedMeanwhile):
        stores.jobs.keep_part(one, "one", "week 2", b"too late")
    assert stores.jobs.keep_part(one, "two", "week 2", b"")
    stores.jobs.finish(one, "two", MONDAY + 80 * SECOND, JobState.DONE, result={})
    assert stores.jobs.part(one, "week 1") is None
    assert stores.jobs.part(one, "week 2") is None
    assert stores.jobs.part(other, "week 1") == b"of another job"
    with pytest.raises(ChangedMeanwhile):
        stores.jobs.keep_part(one, "two", "week 3", b"after the end")


def test_a_job_keeps_no_more_pieces_than_there_is_room_for(stores: AllStores) -> None:
    job, half = UUID(int=1), bytes(MOST_KEPT // 2)
    stores.jobs.create(asked())
    stores.jobs.claim(job, "one", MONDAY)

    assert stores.jobs.keep_part(job, "one", "a", half)
    assert stores.jobs.keep_part(job, "one", "b", half)
    assert not stores.jobs.keep_part(job, "one", "c", b"x")
    assert stores.jobs.part(job, "c") is None
    assert stores.jobs.keep_part(job, "one", "b", b"smaller")
    assert stores.jobs.keep_part(job, "one", "c", b"x")


def test_a_job_ends_with_its_result(stores: AllStores) -> None:
    stores.jobs.create(asked())
    stores.jobs.claim(UUID(int=1), "one", MONDAY)

    stores.jobs.finish(UUID(int=1), "one", MONDAY + SECOND, JobState.DONE, result={"arms": [1.5]})

    found = stores.jobs.get(UUID(int=1))
    assert found is not None
    assert (found.state, found.progress, found.result) == (JobState.DONE, 1.0, {"arms": [1.5]})
    assert stores.jobs.find()[0].result is None
    assert stores.jobs.claim(UUID(int=1), "one", MONDAY + SECOND) is None
    with pytest.raises(ChangedMeanwhile):
        stores.jobs.report(UUID(int=1), "one", MONDAY, progress=0.1)


def test_a_failed_job_says_why(stores: AllStores) -> None:
    stores.jobs.create(asked())
    stores.jobs.claim(UUID(int=1), "one", MONDAY)
    stores.jobs.report(UUID(int=1), "one", MONDAY, progress=0.25, stage="x" * 500)

    stores.jobs.finish(UUID(int=1), "one", MONDAY, JobState.FAILED, error="the source is gone")

    found = stores.jobs.get(UUID(int=1))
    assert found is not None
    assert (found.error, found.progress, len(found.stage)) == ("the source is gone", 0.25, 200)


def test_a_waiting_job_is_cancelled_at_once(stores: AllStores) -> None:
    stores.jobs.create(asked())

    found = stores.jobs.cancel(UUID(int=1), MONDAY + 5 * SECOND)

    assert found is not None
    assert (found.state, found.cancel_asked) == (JobState.CANCELLED, True)
    assert stores.jobs.claim(UUID(int=1), "one", MONDAY) is None
    assert stores.jobs.cancel(UUID(int=1), MONDAY + 6 * SECOND) == found
    assert stores.jobs.cancel(uuid4(), MONDAY) is None


def test_a_running_job_hears_of_it_at_its_next_report(stores: AllStores) -> None:
    stores.jobs.create(asked())
    stores.jobs.claim(UUID(int=1), "one", MONDAY)
    assert stores.jobs.report(UUID(int=1), "one", MONDAY, progress=0.1)

    found = stores.jobs.cancel(UUID(int=1), MONDAY)

    assert found is not None
    assert found.state is JobState.RUNNING
    assert not stores.jobs.report(UUID(int=1), "one", MONDAY, progress=0.2)
    stores.jobs.finish(UUID(int=1), "one", MONDAY, JobState.CANCELLED)


def test_only_ended_jobs_are_forgotten_a_few_at_a_time(stores: AllStores) -> None:
    for number in range(1, 6):
        stores.jobs.create(asked(number))
        if number < 5:
            stores.jobs.cancel(UUID(int=number), MONDAY + number * SECOND)

    assert stores.jobs.forget(MONDAY + 4 * SECOND, limit=2) == 2
    assert stores.jobs.forget(MONDAY + 4 * SECOND, limit=2) == 1
    assert stores.jobs.forget(MONDAY + 4 * SECOND) == 0
    assert {job.id.int for job in stores.jobs.find()} == {4, 5}
