from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from prescaler.core.replicas import FORGOTTEN_AFTER, SILENT_AFTER, Replica, present
from tests.support.builders import MONDAY

ONE = Replica(UUID(int=1), "b", "all", "0.1.0", MONDAY, MONDAY)
SECOND = timedelta(seconds=1)


def test_three_beats_may_be_missed() -> None:
    assert not ONE.silent(MONDAY + SILENT_AFTER)
    assert ONE.silent(MONDAY + SILENT_AFTER + SECOND)


def test_the_present_ones_come_by_name_and_the_dead_are_forgotten() -> None:
    now = MONDAY + FORGOTTEN_AFTER
    later = replace(ONE, id=UUID(int=2), name="a", seen_at=now)
    gone = replace(ONE, id=UUID(int=3), name="c", seen_at=MONDAY - SECOND)

    assert present([ONE, later, gone], now) == [later, ONE]
