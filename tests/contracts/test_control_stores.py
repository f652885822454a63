"""What people set, what they did, and what was decided: the same laws on every database."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from prescaler.core.control import Authored, Control, Freeze, LastValid, ModeChange, Override
from prescaler.core.errors import ChangedMeanwhile
from prescaler.core.policy import Mode
from prescaler.core.records import (
    AuditEntry,
    AuditQuery,
    HistoryVersion,
    LoggedDecision,
    Outcome,
    RunStatus,
)
from tests.contracts.conftest import AllStores
from tests.support.builders import (
    DAY,
    MONDAY,
    workload,
)

HOUR = timedelta(hours=1)
STORED = RunStatus(MONDAY, Outcome.STORED)
BY = Authored("ada", "match night", MONDAY, MONDAY + HOUR)


def version_of(stores: AllStores, name: str = "web") -> HistoryVersion:
    return stores.workloads.ensure(workload(name=name), MONDAY)


def entry(at: datetime, action: str = "mode") -> AuditEntry:
    return AuditEntry(at, "ada", action, "web", "match night", None, '{"mode": "active"}')


def test_control_is_read_back_with_the_next_revision(stores: AllStores) -> None:
    version = version_of(stores)
    control = Control(
        mode=ModeChange(BY, Mode.CAPPED),
        freeze=Freeze(BY, 1840.0),
        override=Override(BY, None, 125),
    )

    stored = stores.controls.put(version.workload, control, entry(MONDAY))

    assert stored == replace(control, revision=1)
    assert stores.controls.all() == {version.workload: stored}
    assert list(stores.audit.recent(10)) == [entry(MONDAY)]


def test_one_workloads_control_is_that_of_all(stores: AllStores) -> None:
    version, other = version_of(stores), version_of(stores, "api")
    assert stores.controls.get(version.workload) == Control()
    stores.controls.put_last_valid({version.workload: LastValid(5.0, MONDAY)})
    stores.controls.put(version.workload, Control(freeze=Freeze(BY, 1.0)), None)
    stores.controls.put(other.workload, Control(), None)

    for one in (version.workload, other.workload):
        assert stores.controls.get(one) == stores.controls.all()[one]


def test_of_two_who_read_the_same_only_the_first_writes(stores: AllStores) -> None:
    version = version_of(stores)
    first = stores.controls.put(version.workload, Control(), None)

    stores.controls.put(version.workload, replace(first, freeze=Freeze(BY, 1.0)), None)
    with pytest.raises(ChangedMeanwhile):
        stores.controls.put(version.workload, first, entry(MONDAY))
    with pytest.raises(ChangedMeanwhile):
        stores.controls.put(version.workload, Control(), entry(MONDAY))

    assert stores.controls.all()[version.workload].freeze is not None
    assert list(stores.audit.recent(10)) == []


def test_the_last_valid_value_moves_without_a_revision(stores: AllStores) -> None:
    version = version_of(stores)
    stores.controls.put_last_valid({version.workload: LastValid(5.0, MONDAY)})
    first = stores.controls.put(version.workload, Control(), None)
    stores.controls.put_last_valid({version.workload: LastValid(7.0, MONDAY + HOUR)})

    found = stores.controls.all()[version.workload]

    assert first.revision == found.revision == 1
    assert found.last_valid == LastValid(7.0, MONDAY + HOUR)


def test_the_audit_is_newest_first_and_can_be_paged(stores: AllStores) -> None:
    version = version_of(stores)
    control = Control()
    for number in range(5):
        at = MONDAY + number * HOUR
        control = stores.controls.put(version.workload, control, entry(at, f"change {number}"))

    newest = stores.audit.recent(2)
    older = stores.audit.recent(10, AuditQuery(end=newest[-1].at))

    assert [e.action for e in newest] == ["change 4", "change 3"]
    assert [e.action for e in older] == ["change 2", "change 1", "change 0"]


def test_a_page_of_the_audit_loses_nothing_of_the_same_second(stores: AllStores) -> None:
    version, control = version_of(stores), Control()
    for number in range(5):
        control = stores.controls.put(version.workload, control, entry(MONDAY, f"change {number}"))

    first = stores.audit.recent(2)
    mark = (first[-1].at, first[-1].number)
    second = stores.audit.recent(9, AuditQuery(mark=mark))

    assert [e.action for e in (*first, *second)] == [f"change {n}" for n in (4, 3, 2, 1, 0)]


def test_the_audit_is_searched(stores: AllStores) -> None:
    version, control = version_of(stores), Control()
    wanted = [
        replace(entry(MONDAY, "override"), author="grace", reason="Match 100%_night"),
        replace(entry(MONDAY + HOUR, "freeze"), subject="api"),
        entry(MONDAY + 2 * HOUR, "set mode"),
    ]
    for one in wanted:
        control = stores.controls.put(version.workload, control, one)
    override, freeze, mode = wanted

    def found(**asked: Any) -> list[AuditEntry]:
        return list(stores.audit.recent(10, AuditQuery(**asked)))

    assert found(text="MATCH 100%_n") == [override]
    assert found(text="0%n") == []  # no wildcards
    assert found(text="api") == found(subject="api") == [freeze]
    assert found(author="grace") == found(text="GRAC") == [override]
    assert found(author="grac") == []
    assert found(start=MONDAY + HOUR) == [mode, freeze]
    assert found(end=MONDAY + HOUR) == [override]
    assert found(start=MONDAY + HOUR, text="set mode", author="ada") == [mode]


def logged(since: datetime, value: float = 800.0) -> LoggedDecision:
    stages = (("median", None, ""), ("floor", 800.0, "10 pods"))
    return LoggedDecision(since, value, 10, "floor", "shadow", "shadow", 900.0, MONDAY, stages)


def test_decisions_in_force_are_found_from_before_the_span(stores: AllStores) -> None:
    version = version_of(stores)
    for hour in (0, 2, 4):
        stores.decisions.append({version.workload: logged(MONDAY + hour * HOUR, hour)})

    found = stores.decisions.between(version.workload, MONDAY + 3 * HOUR, MONDAY + 5 * HOUR)

    assert [e.since for e in found] == [MONDAY + 2 * HOUR, MONDAY + 4 * HOUR]
    assert found[0] == logged(MONDAY + 2 * HOUR, 2)
    assert stores.decisions.newest() == {version.workload: logged(MONDAY + 4 * HOUR, 4)}
    assert stores.decisions.between(version.workload, MONDAY - DAY, MONDAY) == []


def test_packing_changes_nothing_that_is_read(stores: AllStores) -> None:
    version, other = version_of(stores), version_of(stores, "api")
    days = [MONDAY + n * timedelta(hours=7) for n in range(12)]
    for since in days:
        entry = logged(since, since.hour)
        stores.decisions.append({version.workload: entry, other.workload: logged(since, 1.0)})
    spans = [
        (MONDAY - DAY, MONDAY + 5 * DAY),
        (MONDAY + timedelta(hours=20), MONDAY + timedelta(hours=30)),
        (MONDAY + timedelta(hours=60), MONDAY + timedelta(hours=61)),
        (MONDAY + 4 * DAY, MONDAY + 5 * DAY),
        (MONDAY - 2 * DAY, MONDAY - DAY),
    ]
    before = [list(stores.decisions.between(version.workload, *span)) for span in spans]
    newest = stores.decisions.newest()

    for hours in (30, 50, 80, 80):
        stores.decisions.pack(MONDAY + timedelta(hours=hours), MONDAY - 400 * DAY)
        after = [list(stores.decisions.between(version.workload, *span)) for span in spans]
        assert after == before
        assert stores.decisions.newest() == newest
    late = logged(MONDAY + timedelta(hours=1), 99.0)
    stores.decisions.append({version.workload: late})
    stores.decisions.pack(MONDAY + 5 * DAY, MONDAY - 400 * DAY)
    assert late in stores.decisions.between(version.workload, *spans[0])


def test_old_days_of_decisions_are_forgotten(stores: AllStores) -> None:
    version = version_of(stores)
    for day in range(5):
        stores.decisions.append({version.workload: logged(MONDAY + day * DAY, day)})

    stores.decisions.pack(MONDAY + 10 * DAY, MONDAY + 3 * DAY)

    found = stores.decisions.between(version.workload, MONDAY - DAY, MONDAY + 10 * DAY)
    assert [e.value for e in found] == [3.0, 4.0]


def test_a_decision_of_the_same_instant_is_replaced(stores: AllStores) -> None:
    version = version_of(stores)
    for value in (1.0, 2.0):
        stores.decisions.append({version.workload: logged(MONDAY, value)})

    found = stores.decisions.between(version.workload, MONDAY, MONDAY + HOUR)

    assert [e.value for e in found] == [2.0]
