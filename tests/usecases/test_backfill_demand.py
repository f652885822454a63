"""A whole history comes in newest first, once, and from wherever it stopped."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.memory import MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.errors import SourceUnreachable, StoreUnreachable
from prescaler.core.merging import Keep, Merged
from prescaler.core.records import SourceFailure
from prescaler.core.spans import Span, united
from prescaler.usecases.backfill_demand import (
    BackfillRange,
    Target,
    backfill_demand,
    pieces,
    summary,
)
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand, workload
from tests.support.fakes import PlayedSource

WEB = workload()
YEAR = BackfillRange(Span(MONDAY - 60 * DAY, MONDAY))
SPANS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 40)).map(
        lambda t: Span(MONDAY - t[0] * DAY, MONDAY + (t[1] - t[0]) * DAY)
    ),
    max_size=4,
)


class AtOnce(Executor):
    """Runs what is submitted before it returns."""

    def submit(self, job: Callable[..., Any], /, *arguments: Any, **_: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(job(*arguments))
        except StoreUnreachable as error:
            done.set_exception(error)
        return done


class World:
    """Sixty days of demand behind a source, and an empty store."""

    def __init__(self) -> None:
        self.values = daily_demand(60, step=MINUTE)
        self.source = PlayedSource(MONDAY - 60 * DAY, self.values)
        self.demand = MemoryDemand()
        self.version = MemoryWorkloads().ensure(WEB, MONDAY)

    def target(self, wanted: BackfillRange = YEAR) -> Target:
        todo = pieces(WEB, self.demand.asked(self.version), self.demand.days(self.version), wanted)
        return Target(WEB, self.version, self.source, todo)

    def run(self, wanted: BackfillRange = YEAR, **how: Any) -> Target:
        target = self.target(wanted)
        backfill_demand(
            [target],
            wanted.keep,
            self.demand,
            AtOnce(),
            **how,
        )
        return target

    def stored(self) -> np.ndarray:
        return self.demand.read(self.version, MONDAY - 60 * DAY, MONDAY, MINUTE).mean


@given(SPANS, SPANS, st.booleans())
def test_pieces_cover_exactly_what_is_missing(
    asked: list[Span], stored: list[Span], again: bool
) -> None:
    found = pieces(WEB, asked, stored, replace(YEAR, again=again))

    assert list(found) == sorted(found, reverse=True)
    assert all(piece.length <= 6 * DAY for piece in found)
    days = {YEAR.span.start + n * DAY for n in range(60)}
    known = set() if again else {d for d in days if _inside(d, asked) and _inside(d, stored)}
    assert {d for d in days if _inside(d, found)} == days - known
    assert sum((p.length for p in found), timedelta(0)) == (len(days) - len(known)) * DAY


def _inside(day: datetime, spans: Any) -> bool:
    return any(span.start <= day < span.end for span in united(spans))


def test_everything_comes_newest_first() -> None:
    world = World()

    target = world.run()

    assert world.source.asked[0][1] == MONDAY
    starts = [start for start, _ in world.source.asked]
    assert starts == sorted(starts, reverse=True)
    np.testing.assert_array_equal(world.stored(), world.values)
    assert target.merged == Merged(added=60 * 1440)
    assert list(world.demand.asked(world.version)) == [YEAR.span]


def test_twice_changes_nothing_and_asks_nothing() -> None:
    world = World()
    world.run()
    world.source.asked.clear()

    target = world.run()

    assert world.source.asked == []
    assert (target.pieces, target.merged) == ((), Merged())


def test_it_goes_on_where_it_was_stopped() -> None:
    world = World()
    count = iter(range(100))
    world.run(progress=lambda _: next(count) < 3)
    done = len(world.source.asked)
    pool = ThreadPoolExecutor(2)
    target = world.target()
    backfill_demand([target], Keep.STORED, world.demand, pool)
    pool.shutdown()

    assert done > 0
    assert len({start for start, _ in world.source.asked}) == len(world.source.asked)
    np.testing.assert_array_equal(world.stored(), world.values)


def test_a_stop_leaves_what_was_not_begun() -> None:
    world = World()
    pool = ThreadPoolExecutor(1)
    target = world.target()

    backfill_demand([target], Keep.STORED, world.demand, pool, progress=lambda _: False)
    pool.shutdown()

    assert 1 <= target.done < len(target.pieces)


def test_changed_history_is_overwritten_only_when_told() -> None:
    world = World()
    world.run()
    old = world.values
    world.source = PlayedSource(MONDAY - 60 * DAY, old * 2)

    kept = world.run(replace(YEAR, again=True))
    np.testing.assert_array_equal(world.stored(), old)
    assert kept.merged.differing == 60 * 1440

    world.run(replace(YEAR, replace=True))
    np.testing.assert_array_equal(world.stored(), old * 2)


def test_a_source_that_lost_its_past_erases_nothing() -> None:
    world = World()
    world.run()
    world.source = PlayedSource(MONDAY - 5 * DAY, world.values[-5 * 1440 :])

    world.run(replace(YEAR, replace=True))

    np.testing.assert_array_equal(world.stored(), world.values)


def test_stretches_in_which_nothing_was_found_are_asked_for_again() -> None:
    world = World()
    world.source = PlayedSource(MONDAY - 5 * DAY, world.values[-5 * 1440 :])
    world.run()
    world.source = PlayedSource(MONDAY - 60 * DAY, world.values)

    world.run()

    assert MONDAY - 5 * DAY in [end for _, end in world.source.asked]
    np.testing.assert_array_equal(world.stored(), world.values)


def test_a_source_that_fails_ends_its_own_workload_only() -> None:
    world, other = World(), World()
    world.source.failure = SourceUnreachable("gone")
    targets = [world.target(), other.target()]
    other_version = replace(world.version, id=99)
    targets[1].version = other_version

    backfill_demand(
        targets,
        Keep.STORED,
        world.demand,
        AtOnce(),
    )

    assert targets[0].failure == SourceFailure("unreachable", "gone")
    assert len(world.source.asked) < len(targets[0].pieces)
    assert targets[0].done == 0
    assert targets[1].done == len(targets[1].pieces)


def test_a_store_that_fails_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fails(*_: Any, **__: Any) -> None:
        raise StoreUnreachable("gone")

    monkeypatch.setattr(world.demand, "append", fails)
    with pytest.raises(StoreUnreachable):
        world.run()


def test_a_recording_of_five_minutes_is_kept_once() -> None:
    world = World()
    sparse = np.repeat(daily_demand(60, step=STEP), 5)
    world.source = PlayedSource(MONDAY - 60 * DAY, sparse)

    world.run()

    assert [p.resolution for p in world.demand.parts(world.version)] == [STEP]
    found = world.demand.on_grid(world.version, MONDAY - 60 * DAY, MONDAY, STEP)
    np.testing.assert_array_equal(found.mean, sparse[::5])


def test_mixed_resolutions_are_one_history() -> None:
    world = World()
    mixed = world.values.copy()
    mixed[: 30 * 1440] = np.repeat(daily_demand(30, step=STEP), 5)
    world.source = PlayedSource(MONDAY - 60 * DAY, mixed)

    world.run()

    assert [p.resolution for p in world.demand.parts(world.version)] == [MINUTE, STEP]
    found = world.demand.on_grid(world.version, MONDAY - 60 * DAY, MONDAY, STEP)
    np.testing.assert_allclose(found.mean, mixed.reshape(-1, 5).mean(axis=1))
    np.testing.assert_allclose(found.peak, mixed.reshape(-1, 5).max(axis=1))


def test_the_summary_counts_points_and_lists_gaps() -> None:
    world = World()
    assert summary(MINUTE, world.version, world.demand).points == 0
    values = world.values.copy()
    values[:1440] = np.nan
    values[40_000:40_030] = np.nan
    values[-10:] = np.nan
    world.source = PlayedSource(MONDAY - 60 * DAY, values)
    world.run()

    found = summary(MINUTE, world.version, world.demand)

    start = MONDAY - 60 * DAY
    assert found.points == int(np.isfinite(values).sum())
    assert (found.first, found.last) == (start + DAY, MONDAY - 11 * MINUTE)
    assert found.gaps == (Span(start + 40_000 * MINUTE, start + 40_030 * MINUTE),)
    assert found.bytes > 0


def test_the_summary_of_mixed_resolutions_knows_what_coarse_points_cover() -> None:
    world = World()
    mixed = world.values.copy()
    mixed[: 30 * 1440] = np.repeat(daily_demand(30, step=STEP), 5)
    mixed[20_000:20_100] = np.nan
    world.source = PlayedSource(MONDAY - 60 * DAY, mixed)
    world.run()

    found = summary(MINUTE, world.version, world.demand)

    start = MONDAY - 60 * DAY
    assert found.gaps == (Span(start + 20_000 * MINUTE, start + 20_100 * MINUTE),)
