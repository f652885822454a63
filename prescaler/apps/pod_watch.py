"""A thread that looks at the pods every 15 seconds; answers never wait for it."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.apps.keeper import Keeper
from prescaler.apps.rounds import rounds
from prescaler.core.instants import floor_to, format_instant
from prescaler.core.records import SourceFailure
from prescaler.ports import Clock, PodSource
from prescaler.usecases.watch_pods import judge_raises, look_at_pods, measure_starts
from prescaler.wiring import open_pod_sources

_EVERY_SECONDS: Final = 15.0
"""As often as the HPA asks; a count is good for 60 s, so three may fail in a row."""

_HOUR: Final = timedelta(hours=1)
_LOG: Final = structlog.get_logger()


class PodWatch:
    """One round every 15 seconds, in every replica."""

    def __init__(self, keeper: Keeper, telemetry: Telemetry, clock: Clock) -> None:
        self._keeper = keeper
        self._telemetry = telemetry
        self._clock = clock
        self._failing: Mapping[str, SourceFailure] = {}
        self._measured_at: datetime | None = None
        self._sources: Mapping[str, PodSource] = {}
        self._changed = threading.Event()
        self._changed.set()
        keeper.on_settings.append(lambda _: self._changed.set())

    def run(self, stop: threading.Event) -> None:
        """Rounds until told to stop."""
        rounds(stop, _EVERY_SECONDS, self.round, "pods")

    def round(self) -> None:
        """Look once."""
        if self._changed.is_set():
            self._changed.clear()
            self._sources = open_pod_sources(self._keeper.settings)
            self._measured_at = None
        now = self._clock.now().replace(microsecond=0)
        failures = dict(look_at_pods(self._keeper.table, self._sources, now).failures)
        hour = floor_to(now, _HOUR)
        if self._measured_at != hour:
            found, not_measured = measure_starts(self._keeper.table, self._sources, now)
            failures |= not_measured
            self._keeper.use_starts(found)
            self._measured_at = hour
        self._note(failures)
        for name, late in judge_raises(self._keeper.table, now).items():
            seconds = int(late.late_by.total_seconds())
            at, helps = format_instant(late.at), "; or ".join(late.helps)
            _LOG.warning(
                "raise_too_late", workload=name, at=at, seconds=seconds, pods=late.pods, helps=helps
            )

    def _note(self, failures: Mapping[str, SourceFailure]) -> None:
        """Count every failure; say only what is new, since this comes every 15 s."""
        for name, failure in failures.items():
            self._telemetry.source_errors.labels(name, failure.kind).inc()
            if name not in self._failing:
                _LOG.warning("pods_not_counted", source=name, **vars(failure))
        for name in self._failing.keys() - failures.keys():
            _LOG.info("pods_counted_again", source=name)
        self._failing = failures
