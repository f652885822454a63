"""The last good states on local disk."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from prescaler.adapters.memory import MemorySnapshot
from prescaler.adapters.snapshot.local import LocalSnapshot
from prescaler.core.control import Authored, Control, Freeze, LastValid
from prescaler.core.errors import StoreError
from prescaler.core.records import HistoryVersion, Outcome, RunStatus, ServingState, SourceFailure
from prescaler.ports import SnapshotStore
from tests.support.builders import MONDAY, WORKLOAD_ID, event, forecast

STATE = ServingState(
    version=HistoryVersion(7, WORKLOAD_ID, "web", 2, "abc"),
    forecast=forecast(),
    control=Control(
        freeze=Freeze(Authored("ada", "why", MONDAY, None), 3.5),
        last_valid=LastValid(9.0, MONDAY),
        revision=4,
    ),
    status=RunStatus(
        MONDAY, Outcome.STORED, None, SourceFailure("refused", "HTTP 400"), 12.0, MONDAY
    ),
)


@pytest.fixture(params=["memory", "local"])
def snapshot(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SnapshotStore]:
    """Opens the same snapshot again and again."""
    if request.param == "memory":
        kept = MemorySnapshot()
        return lambda: kept
    return lambda: LocalSnapshot(tmp_path / "snapshot")


def test_a_state_comes_back_whole(snapshot: Callable[[], SnapshotStore]) -> None:
    snapshot().save({"web": STATE, "empty": ServingState()}, MONDAY)

    found = snapshot().load()

    assert found["empty"] == ServingState()
    web = found["web"]
    assert (web.version, web.control, web.status) == (STATE.version, STATE.control, STATE.status)
    assert web.forecast is not None
    assert web.forecast.valid_until == forecast().valid_until
    np.testing.assert_array_equal(web.forecast.values, forecast().values)


def test_saving_some_keeps_the_others(snapshot: Callable[[], SnapshotStore]) -> None:
    snapshot().save({"web": STATE, "api": STATE}, MONDAY)
    snapshot().save({"api": ServingState()}, MONDAY)
    found = snapshot().load()

    assert found["web"].forecast is not None
    assert found["api"].forecast is None


def test_what_is_no_longer_configured_is_forgotten(snapshot: Callable[[], SnapshotStore]) -> None:
    snapshot().save({"web": STATE, "api": STATE}, MONDAY)
    snapshot().keep_only(["api"])

    assert list(snapshot().load()) == ["api"]


def test_nothing_saved_is_nothing_loaded(snapshot: Callable[[], SnapshotStore]) -> None:
    assert dict(snapshot().load()) == {}


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    (tmp_path / "snapshot.sqlite").write_bytes(b"garbage" * 1000)
    kept = LocalSnapshot(tmp_path)

    assert dict(kept.load()) == {}
    kept.save({"web": STATE}, MONDAY)
    assert list(kept.load()) == ["web"]
    assert (tmp_path / "snapshot.damaged").exists()


def test_an_entry_that_cannot_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    kept = LocalSnapshot(tmp_path)
    kept.save({"web": STATE, "api": STATE, "db": STATE}, MONDAY)
    with sqlite3.connect(tmp_path / "snapshot.sqlite") as connection:
        connection.execute("UPDATE state SET body = '{\"version\": 1}' WHERE name = 'web'")
        connection.execute("UPDATE state SET body = replace(body, 'A', 'B') WHERE name = 'api'")
    connection.close()

    assert list(kept.load()) == ["db"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_folder_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="snapshot_dir"):
        LocalSnapshot(tmp_path / "file" / "folder")


def test_a_reader_beside_a_writer_sees_the_old_or_the_new(tmp_path: Path) -> None:
    kept = LocalSnapshot(tmp_path)
    kept.save({"web": STATE}, MONDAY)
    writer = sqlite3.connect(tmp_path / "snapshot.sqlite")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM state")

    assert list(kept.load()) == ["web"]
    writer.close()
    assert list(kept.load()) == ["web"]


def test_a_full_disk_is_a_named_error_and_the_old_state_stays(tmp_path: Path) -> None:
    kept = LocalSnapshot(tmp_path)
    kept.save({"web": STATE}, MONDAY)
    limited = _LimitedSnapshot(tmp_path)

    with pytest.raises(StoreError, match="full"):
        limited.save({f"w{n}": STATE for n in range(60)}, MONDAY + timedelta(hours=1))

    assert list(kept.load()) == ["web"]


class _LimitedSnapshot(LocalSnapshot):
    """A disk with a few free pages."""

    def _open(self) -> sqlite3.Connection:
        connection = super()._open()
        connection.execute("PRAGMA max_page_count = 30")
        return connection


def test_events_come_back_whole_and_are_replaced_together(
    snapshot: Callable[[], SnapshotStore],
) -> None:
    first, second = event(name="final \u26bd", revision=3), event(rule="FREQ=WEEKLY")

    assert list(snapshot().load_events()) == []
    snapshot().save_events([first, second], MONDAY)
    assert list(snapshot().load_events()) == [first, second]
    snapshot().save_events([second], MONDAY)
    assert list(snapshot().load_events()) == [second]


def test_an_event_that_cannot_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    kept = LocalSnapshot(tmp_path)
    kept.save_events([event(name="a"), event(name="b"), event(name="c")], MONDAY)
    with sqlite3.connect(tmp_path / "snapshot.sqlite") as connection:
        connection.execute("UPDATE event SET body = '[' WHERE number = 1")
        connection.execute("UPDATE event SET body = '{}' WHERE number = 2")
    connection.close()

    assert [e.name for e in kept.load_events()] == ["c"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_events_on_a_full_disk_leave_the_old_ones(tmp_path: Path) -> None:
    kept = LocalSnapshot(tmp_path)
    kept.save_events([event(name="a")], MONDAY)

    with pytest.raises(StoreError, match="full"):
        _LimitedSnapshot(tmp_path).save_events([event() for _ in range(2000)], MONDAY)

    assert [e.name for e in kept.load_events()] == ["a"]
