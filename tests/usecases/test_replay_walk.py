"""Forecasts of a replay, walked in pieces that a later worker need not walk again."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prescaler.core.event_book import EMPTY_BOOK, EventIndex
from prescaler.core.replay.track import Said
from prescaler.usecases.replay_subject import TraceFacts, of_trace
from prescaler.usecases.replay_walk import (
    NothingKept,
    Stretch,
    mark,
    stretches,
    walk_all,
)
from tests.support import builders as make
from tests.support.replayed import Here

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Kept:
    """In memory."""

    def __init__(self) -> None:
        self.walks: dict[str, Sequence[Said]] = {}

    def find(self, mark: str) -> Sequence[Said] | None:
        """What was kept."""
        return self.walks.get(mark)

    def keep(self, mark: str, found: Sequence[Said]) -> None:
        """Keep it."""
        self.walks[mark] = found


@pytest.fixture(scope="module")
def parts() -> list[Stretch]:
    """Three weeks, hour by hour, without planned events."""
    values = make.daily_demand(40, step=HOUR)
    subject = of_trace(make.series(values, step=HOUR), TraceFacts("web", ZoneInfo("UTC")))
    end, workload = subject.series.end, subject.workload
    seldom = replace(workload.forecast, every=6 * HOUR, refit=DAY)
    workload = replace(workload, forecast=seldom)
    return stretches(workload, subject.series, EMPTY_BOOK, end - 15 * DAY, end)


def same(one: Sequence[Sequence[Said]], other: Sequence[Sequence[Said]]) -> bool:
    return [[x.issued for x in part] for part in one] == [
        [x.issued for x in part] for part in other
    ] and all(
        np.array_equal(x.values, y.values)
        for a, b in zip(one, other, strict=True)
        for x, y in zip(a, b, strict=True)
    )


def test_a_worker_goes_on_after_what_was_kept(parts: list[Stretch]) -> None:
    whole: list[float] = []
    undisturbed = walk_all(parts, Here(), NothingKept(), whole.append)
    kept = Kept()

    def killed(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(1) as one:
        walk_all(parts, one, kept, killed)
    assert len(kept.walks) == 2
    kept.walks[mark(parts[0])] = kept.walks[mark(parts[0])][:3]

    shares: list[float] = []
    found = walk_all(parts, Here(), kept, shares.append)

    assert len(found[0]) == 3, "it was not walked again"
    assert same(found[1:], undisturbed[1:])
    assert shares == pytest.approx([2 / 3, 1])
    assert whole == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert len(kept.walks) == 3


def test_without_a_stretch_nothing_is_walked() -> None:
    assert walk_all([], Here(), NothingKept(), lambda _: None) == []


def test_another_name_as_soon_as_anything_differs(parts: list[Stretch]) -> None:
    part = parts[1]
    policy = replace(part.workload.policy, quantile=0.9)
    late = part.series.mean.copy()
    late[-1] += 1.0
    seen = part.series.mean.copy()
    seen[500] += 1.0
    others = [
        parts[0],
        replace(part, workload=replace(part.workload, policy=policy)),
        replace(part, book=EventIndex([make.event()]).book("web", {})),
        replace(part, series=replace(part.series, mean=seen)),
    ]

    assert len({mark(part), *map(mark, others)}) == 5
    assert mark(replace(part)) == mark(part)
    assert mark(replace(part, series=replace(part.series, mean=late))) == mark(part), (
        "what came after the stretch does not matter"
    )
