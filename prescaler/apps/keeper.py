"""Keeps what is served up to date: the files, the store, the snapshot.

The only writer of the serving table. Every replica has one; none of them depends on the store or
on Prometheus being there.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

import prescaler
from prescaler.adapters.telemetry.metrics import Observation, Telemetry
from prescaler.apps.rounds import rounds
from prescaler.config import InvalidConfiguration, Settings, load_settings
from prescaler.core.errors import StoreError, StoreIncompatible, StoreNotMigrated
from prescaler.core.instants import format_instant
from prescaler.core.lead_time import MeasuredStarts
from prescaler.ports import Clock, SnapshotStore
from prescaler.usecases.legacy_metrics import LegacyRow, legacy_metrics
from prescaler.usecases.refresh_serving import (
    RefreshRecord,
    ServingPorts,
    reconfigure,
    refresh_serving,
    start_serving,
)
from prescaler.usecases.serve_metric import ServingTable
from prescaler.wiring import Stores, check_schema

EVERY_SECONDS: Final = 2.0
"""A change made through one replica must be served by all within 10 s."""

_LOG: Final = structlog.get_logger()


class Keeper:
    """One round every two seconds."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        stores: Stores,
        snapshot: SnapshotStore,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self.table = ServingTable()
        self.settings = settings
        self.on_settings: list[Callable[[Settings], None]] = []
        self._path = path
        self._signature = settings.signature()
        self._stores = stores
        self._ports = ServingPorts(
            stores.workloads,
            stores.forecasts,
            stores.controls,
            snapshot,
            stores.events,
            stores.uplifts,
        )
        self._snapshot = snapshot
        self._telemetry = telemetry
        self._clock = clock
        self._lock = threading.Lock()
        self._reload_asked = threading.Event()
        self._schema_checked = False
        self._store_error: str | None = None
        self._config_error: str | None = None
        self._snapshot_at: datetime | None = None

    def start(self) -> None:
        """Serve the snapshot, then what the store says if it is there.

        Raises:
            StoreError: the database is there, but its schema is not for this release.
        """
        snapshot = self._snapshot
        record = start_serving(
            self.table, self.settings.workloads, snapshot.load(), snapshot.load_events()
        )
        _LOG.info("serving", workloads=len(self.table), from_snapshot=len(record.changed))
        try:
            self._check_schema()
        except (StoreNotMigrated, StoreIncompatible):
            raise
        except StoreError as error:
            self._note_store(error)
        self.refresh()
        self._prepare()

    def run(self, stop: threading.Event) -> None:
        """Rounds until told to stop."""
        rounds(stop, EVERY_SECONDS, self.round, "keeper")

    def round(self) -> None:
        """Look at the files and at the store once."""
        if self._reload_asked.is_set() or self.settings.signature() != self._signature:
            self._reload()
        self.refresh()
        self._prepare()

    def ask_reload(self) -> None:
        """Read the files again at the next round, changed or not."""
        self._reload_asked.set()

    def refresh(self) -> None:
        """Take over what is stored."""
        with self._lock:
            try:
                self._check_schema()
            except StoreError as error:
                self._note_store(error)
                return
            record = refresh_serving(self.table, self._ports, self._clock.now())
        self._note_store(record.failure or record.events_failure)
        self._note_refresh(record)

    def use_starts(self, found: Mapping[str, MeasuredStarts]) -> None:
        """Plan with these start times from now on; workloads not named keep theirs."""
        with self._lock:
            if any(found.get(s.workload.name, s.starts) != s.starts for s in self.table):
                self.table.replace(
                    {
                        s.workload.name: s.with_starts(found.get(s.workload.name, s.starts))
                        for s in self.table
                    }
                )

    def observations(self) -> list[Observation]:
        """Every workload's present decision, for /metrics."""
        now = self._clock.now().replace(microsecond=0)
        seen = []
        for served in self.table:
            at = served.state.observed.last_actual_at
            age = now - at if at is not None else None
            late = served.sighting.late
            late_by = late.late_by if late is not None else None
            name, grows = served.workload.name, served.policy.grows
            seen.append(Observation(name, served.decide(now), age, late_by, grows))
        return seen

    def legacy(self) -> tuple[Sequence[LegacyRow], float]:
        """What prescaling-exporter would expose right now."""
        found = legacy_metrics(self.table, self._clock.now().replace(microsecond=0))
        return found.rows, found.multiplier

    def health(self) -> dict[str, Any]:
        """How prescaler itself is doing."""
        return {
            "version": prescaler.__version__,
            "store": {"ok": self._store_error is None, "error": self._store_error},
            "configuration": {"ok": self._config_error is None, "error": self._config_error},
            "snapshot_at": format_instant(self._snapshot_at) if self._snapshot_at else None,
        }

    def snapshot_age(self) -> float:
        """Seconds since the local copy was last written; NaN before the first time."""
        if self._snapshot_at is None:
            return float("nan")
        return (self._clock.now() - self._snapshot_at).total_seconds()

    def _prepare(self) -> None:
        """Work plans out before somebody waits for them: 1 ms each, 1.5 s for 1,500 workloads."""
        now = self._clock.now().replace(microsecond=0)
        for served in self.table:
            served.prepare(now)

    def _check_schema(self) -> None:
        if not self._schema_checked:
            check_schema(self._stores)
            self._schema_checked = True

    def _reload(self) -> None:
        self._reload_asked.clear()
        self._signature = self.settings.signature()
        try:
            settings = load_settings(self._path)
        except InvalidConfiguration as error:
            self._config_error = str(error)
            self._telemetry.config_valid.set(0)
            _LOG.error("configuration_refused", kept="the one before", problems=str(error))
            return
        with self._lock:
            record = reconfigure(self.table, settings.workloads)
        if settings.store != self.settings.store or settings.server != self.settings.server:
            _LOG.warning("restart_needed", sections="store, server")
        self.settings, self._signature = settings, settings.signature()
        self._config_error = None
        self._telemetry.config_valid.set(1)
        self._snapshot.keep_only(workload.name for workload in settings.workloads)
        _LOG.info("configuration_loaded", workloads=len(self.table), changed=record.changed[:20])
        for callback in self.on_settings:
            callback(settings)

    def _note_store(self, error: StoreError | None) -> None:
        text = str(error) if error is not None else None
        self._telemetry.store_up.set(error is None)
        if text is not None and self._store_error is None:
            _LOG.error("store_lost", error=text, answers="go on from memory")
        if text is None and self._store_error is not None:
            _LOG.info("store_back")
        self._store_error = text

    def _note_refresh(self, record: RefreshRecord) -> None:
        if record.changed and record.snapshot_failure is None:
            self._snapshot_at = self._clock.now()
        if record.snapshot_failure is not None:
            _LOG.warning("snapshot_not_written", error=str(record.snapshot_failure))
        if record.damaged:
            _LOG.error("forecast_unreadable", workloads=record.damaged, served="the one before")
