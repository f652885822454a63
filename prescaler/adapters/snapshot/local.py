"""The last good serving states in one small SQLite file of this process's own.

SQLite gives what a restart on a bad day needs: a write is whole or not there, many workloads cost
one disk flush, and a damaged file is noticed. The main database plays no part in it.
"""

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog

from prescaler.adapters.packed_uplift import pack_uplift, unpack_uplift
from prescaler.adapters.packing import (
    control_from_json,
    control_to_json,
    pack_forecast,
    status_from_json,
    status_to_json,
    unpack_forecast,
)
from prescaler.core.errors import PrescalerError, StoreDamaged, StoreError, StoreFull
from prescaler.core.event_text import from_stored, to_plain
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import HistoryVersion, ServingState, StoredUplift

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, saved_at TEXT, body TEXT) "
    "WITHOUT ROWID"
)
_EVENTS: Final = "CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, body TEXT)"
_LOG: Final = structlog.get_logger()


class LocalSnapshot:
    """`SnapshotStore` in a folder. One process per folder.

    Raises:
        StoreError: the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "snapshot.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"server.snapshot_dir {folder}: {error.strerror}") from error

    def save(self, states: Mapping[str, ServingState], now: datetime) -> None:
        """Replace the states of these workloads, all or none."""
        stamp = format_instant(now)
        rows = [(name, stamp, json.dumps(_to_json(state))) for name, state in states.items()]
        with self._write() as connection:
            connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", rows)

    def save_events(self, events: Sequence[PlannedEvent], now: datetime) -> None:  # noqa: ARG002 - the port's signature
        """Replace the events, all or none."""
        rows = [(json.dumps(to_plain(event)),) for event in events]
        with self._write() as connection:
            connection.execute("DELETE FROM event")
            connection.executemany("INSERT INTO event (body) VALUES (?)", rows)

    def load(self) -> Mapping[str, ServingState]:
        """What was saved last; what cannot be read is set aside, with a warning."""
        rows = self._read("SELECT name, body FROM state")
        return {name: state for name, body in rows if (state := _readable(name, body))}

    def load_events(self) -> Sequence[PlannedEvent]:
        """The events that were saved last; without those that cannot be read."""
        rows = self._read("SELECT body FROM event ORDER BY number")
        return [event for (body,) in rows if (event := _readable_event(body))]

    def _read(self, query: str) -> list[Any]:
        if not self._path.exists():
            return []
        try:
            with closing(self._open()) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.DatabaseError as error:
            aside = self._path.with_suffix(".damaged")
            self._path.replace(aside)
            _LOG.warning("snapshot_damaged", error=str(error), set_aside=str(aside))
            return []

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._open()) as connection, connection:
                yield connection
        except sqlite3.DatabaseError as error:
            kind = StoreFull if "full" in str(error) else StoreError
            raise kind(f"snapshot {self._path}: {error}") from error

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget the states of all other workloads."""
        kept = set(names)
        with closing(self._open()) as connection, connection:
            known = [name for (name,) in connection.execute("SELECT name FROM state")]
            gone = [(name,) for name in known if name not in kept]
            connection.executemany("DELETE FROM state WHERE name = ?", gone)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=5)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_TABLE)
        connection.execute(_EVENTS)
        return connection


def _readable_event(body: str) -> PlannedEvent | None:
    """An event from its text; one that cannot be read must not take the others with it."""
    try:
        plain = json.loads(body)
        return from_stored(plain, plain["revision"])
    except (PrescalerError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("snapshot_event_unreadable", error=str(error))
        return None


def _readable(name: str, body: str) -> ServingState | None:
    """A state from its text; one that this release cannot read is as good as none."""
    try:
        return _from_json(json.loads(body))
    except (PrescalerError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("snapshot_entry_unreadable", workload=name, error=str(error))
        return None


def _to_json(state: ServingState) -> dict[str, Any]:
    return {
        "version": _version_to_json(state.version) if state.version else None,
        "forecast": _forecast_to_json(state.forecast) if state.forecast else None,
        "control": control_to_json(state.control),
        "status": status_to_json(state.status) if state.status else None,
        "uplift": _uplift_to_json(state.uplift) if state.uplift else None,
    }


def _from_json(found: dict[str, Any]) -> ServingState:
    version, forecast, status = found["version"], found["forecast"], found["status"]
    return ServingState(
        version=_version_from_json(version) if version else None,
        forecast=_forecast_from_json(forecast) if forecast else None,
        control=control_from_json(found["control"]),
        status=status_from_json(status) if status else None,
        uplift=_uplift_from_json(found["uplift"]) if found.get("uplift") else None,
    )


def _uplift_to_json(uplift: StoredUplift) -> dict[str, str]:
    return {
        "learned_at": format_instant(uplift.learned_at),
        "payload": base64.b64encode(pack_uplift(uplift.model)).decode("ascii"),
    }


def _uplift_from_json(found: dict[str, str]) -> StoredUplift | None:
    """What was learnt of crowds; without it declared factors still act."""
    try:
        payload = base64.b64decode(found["payload"], validate=True)
        return StoredUplift(parse_instant(found["learned_at"]), unpack_uplift(payload))
    except (ValueError, StoreDamaged) as error:
        _LOG.warning("snapshot_uplift_unreadable", error=str(error))
        return None


def _version_to_json(version: HistoryVersion) -> dict[str, Any]:
    return {**vars(version), "workload": str(version.workload)}


def _version_from_json(found: dict[str, Any]) -> HistoryVersion:
    return HistoryVersion(**{**found, "workload": UUID(found["workload"])})


def _forecast_to_json(forecast: Forecast) -> dict[str, Any]:
    return {
        "workload": str(forecast.workload),
        "version": forecast.version,
        "cutoff": format_instant(forecast.cutoff),
        "payload": base64.b64encode(pack_forecast(forecast)).decode("ascii"),
    }


def _forecast_from_json(found: dict[str, Any]) -> Forecast:
    try:
        payload = base64.b64decode(found["payload"], validate=True)
    except ValueError as error:
        raise StoreDamaged(f"a snapshot's forecast cannot be read back: {error}") from error
    return unpack_forecast(
        payload,
        workload=UUID(found["workload"]),
        version=found["version"],
        cutoff=parse_instant(found["cutoff"]),
        origin=Origin.LIVE,
    )
