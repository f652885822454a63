from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.errors import SourceUnreachable
from prescaler.usecases.ingest_demand import ingest_demand
from tests.support.builders import DAY, MINUTE, MONDAY, daily_demand, workload
from tests.support.fakes import PlayedSource, flat

WEB = workload()
START = MONDAY - 28 * DAY
NOW = MONDAY + MINUTE  # delay of a minute


def prepared() -> tuple[PlayedSource, MemoryDemand, MemoryWorkloads]:
    return PlayedSource(START, daily_demand(29, step=MINUTE)), MemoryDemand(), MemoryWorkloads()


def test_the_first_time_brings_the_whole_history_in_pieces() -> None:
    source, demand, workloads = prepared()
    version = workloads.ensure(WEB, NOW)

    record = ingest_demand(WEB, version, source, demand, NOW)

    assert (record.start, record.end) == (START, MONDAY)
    assert record.points == 28 * 1440
    assert len(source.asked) == 5
    assert demand.known_until(version) == MONDAY


def test_from_then_on_only_what_is_new_is_asked_for() -> None:
    source, demand, workloads = prepared()
    version = workloads.ensure(WEB, NOW)
    ingest_demand(WEB, version, source, demand, NOW)
    source.asked.clear()

    record = ingest_demand(WEB, version, source, demand, NOW + 5 * MINUTE)

    assert source.asked == [(MONDAY, MONDAY + 5 * MINUTE)]
    assert record.points == 5


def test_at_once_again_asks_nothing() -> None:
    source, demand, workloads = prepared()
    version = workloads.ensure(WEB, NOW)
    ingest_demand(WEB, version, source, demand, NOW)
    source.asked.clear()

    assert ingest_demand(WEB, version, source, demand, NOW).points == 0
    assert source.asked == []


def test_an_observation_is_not_asked_for_before_it_is_final() -> None:
    source, demand, workloads = prepared()
    version = workloads.ensure(WEB, NOW)

    record = ingest_demand(WEB, version, source, demand, NOW + timedelta(seconds=59))

    assert record.end == MONDAY


def test_a_crash_costs_one_piece_only(monkeypatch: pytest.MonkeyPatch) -> None:
    source, demand, workloads = prepared()
    version = workloads.ensure(WEB, NOW)
    whole = source.fetch
    calls = iter(range(100))

    def breaking(query: str, start: object, end: object, step: object) -> object:
        if next(calls) == 2:
            raise SourceUnreachable("gone")
        return whole(query, start, end, step)  # type: ignore[arg-type]

    monkeypatch.setattr(source, "fetch", breaking)
    with pytest.raises(SourceUnreachable):
        ingest_demand(WEB, version, source, demand, NOW)
    known = demand.known_until(version)
    monkeypatch.setattr(source, "fetch", whole)
    source.asked.clear()

    record = ingest_demand(WEB, version, source, demand, NOW)

    assert known is not None
    assert START < known < MONDAY
    assert record.start == known
    stored = demand.read(version, START, MONDAY, MINUTE)
    np.testing.assert_array_equal(stored.mean, source.series.mean[: 28 * 1440])


def test_holes_at_the_end_are_asked_for_again_for_six_hours() -> None:
    values = daily_demand(29, step=MINUTE)
    source, demand, workloads = PlayedSource(START, values), MemoryDemand(), MemoryWorkloads()
    late = values.copy()
    late[28 * 1440 - 30 :] = np.nan
    source.series = PlayedSource(START, late).series
    version = workloads.ensure(WEB, NOW)
    ingest_demand(WEB, version, source, demand, NOW)
    source.series, source.asked = PlayedSource(START, values).series, []

    ingest_demand(WEB, version, source, demand, NOW)

    assert source.asked == [(MONDAY - 30 * MINUTE, MONDAY)]
    assert np.isfinite(demand.read(version, START, MONDAY, MINUTE).mean).all()


def test_late_and_corrected_observations_are_read_again() -> None:
    source, demand, workloads = prepared()
    again = replace(WEB, demand=replace(WEB.demand, reread=timedelta(hours=1)))
    version = workloads.ensure(again, NOW)
    ingest_demand(again, version, source, demand, NOW)
    corrected = source.series.mean.copy()
    corrected[28 * 1440 - 90 : 28 * 1440] *= 2.0
    source.series, source.asked = PlayedSource(START, corrected).series, []

    record = ingest_demand(again, version, source, demand, NOW + 5 * MINUTE)

    assert source.asked == [(MONDAY - 60 * MINUTE, MONDAY + 5 * MINUTE)]
    assert record.points == 5
    stored = demand.read(version, START, MONDAY, MINUTE)
    np.testing.assert_array_equal(stored.mean[-60:], corrected[28 * 1440 - 60 : 28 * 1440])
    assert stored.mean[-61] == corrected[28 * 1440 - 61] / 2.0


def test_stretches_of_history_that_were_never_asked_for_are_filled_newest_first() -> None:
    source, demand, workloads = prepared()
    version = workloads.ensure(WEB, NOW)
    piece = source.series.between(MONDAY - 2 * DAY, MONDAY - DAY)
    demand.append(version, piece)
    demand.append(version, source.series.between(MONDAY - 12 * DAY, MONDAY - 10 * DAY))

    ingest_demand(WEB, version, source, demand, NOW)

    assert source.asked[0] == (MONDAY - DAY, MONDAY)
    assert [start for start, _ in source.asked[1:3]] == [MONDAY - 10 * DAY, MONDAY - 4 * DAY]
    assert np.isfinite(demand.read(version, START, MONDAY, MINUTE).mean).all()
    source.asked.clear()
    ingest_demand(WEB, version, source, demand, NOW)
    assert source.asked == []


def test_a_long_outage_is_not_asked_for_from_its_beginning() -> None:
    source, demand, workloads = (
        PlayedSource(START, flat(1.0, 10)),
        MemoryDemand(),
        MemoryWorkloads(),
    )
    version = workloads.ensure(WEB, NOW)
    ingest_demand(WEB, version, source, demand, NOW)
    source.asked.clear()

    ingest_demand(WEB, version, source, demand, NOW + MINUTE)

    assert source.asked == [(MONDAY - timedelta(hours=6), MONDAY + MINUTE)]
