"""After a run: trip or clear guards, and move the workload on its trust ladder."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from prescaler.core.control import Authored, Control, GuardTrip, ModeChange
from prescaler.core.errors import ChangedMeanwhile
from prescaler.core.event_book import EventIndex
from prescaler.core.instants import floor_to
from prescaler.core.policy import Mode
from prescaler.core.records import AuditEntry, HistoryVersion
from prescaler.core.score_days import day_of
from prescaler.core.series import Series
from prescaler.core.trust import (
    CALM_FOR,
    GUARD_AUTHOR,
    LADDER_AUTHOR,
    Evidence,
    Guard,
    Step,
    beyond_seen,
    demotion,
    evidence,
    far_residuals,
    promotion,
)
from prescaler.core.workload import Workload
from prescaler.ports import DemandStore, EventStore, ForecastStore, ScoreStore
from prescaler.ports.control import ControlStore
from prescaler.usecases.change_control import control_text

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class TrustPorts:
    """What a review needs of the world."""

    demand: DemandStore
    forecasts: ForecastStore
    scores: ScoreStore
    controls: ControlStore
    events: EventStore


@dataclass(frozen=True)
class TrustRecord:
    """What a review did: the guard that tripped or was cleared, and the new mode."""

    tripped: str | None = None
    cleared: str | None = None
    mode: Mode | None = None


def review_trust(
    workload: Workload, version: HistoryVersion, ports: TrustPorts, now: datetime
) -> TrustRecord:
    """Look once. Whoever changes the workload at the same moment wins; the next run looks again.

    Raises:
        StoreError: nothing was changed.
    """
    review = _Review(workload, version, ports, now, ports.controls.get(version.workload).at(now))
    try:
        return review.guards() or review.ladder()
    except ChangedMeanwhile:
        return TrustRecord()


def trust_evidence(
    workload: Workload, version: HistoryVersion, scores: ScoreStore, control: Control, now: datetime
) -> Evidence:
    """What the record says, and what keeps the workload from the next rung."""
    return _evidence(workload, version, scores, control, now, stale=False)


@dataclass(frozen=True)
class _Review:
    workload: Workload
    version: HistoryVersion
    ports: TrustPorts
    now: datetime
    control: Control

    def guards(self) -> TrustRecord | None:
        """Trip or clear; None where nothing of that is due."""
        change = self.control.mode
        if (change.mode if change else self.workload.policy.mode) is Mode.OFF:
            return None
        tripped = self.control.guard
        if tripped is None:
            for guard, look in self._looks().items():
                detail = look()
                if detail is not None:
                    return self._trip(guard, detail)
            return None
        known = next((g for g in Guard if g.value == tripped.name), None)
        if known is None or self.now - tripped.since < CALM_FOR:
            return None
        return None if self._looks()[known]() is not None else self._clear(tripped)

    def ladder(self) -> TrustRecord:
        """Go up a rung where the record carries it."""
        settings = self.workload.trust
        if not settings.auto:
            return TrustRecord()
        found = _evidence(
            self.workload,
            self.version,
            self.ports.scores,
            self.control,
            self.now,
            stale=self._stale(),
        )
        step = promotion(self.control, self.workload.policy, settings, found, self.now)
        if step is None:
            return TrustRecord()
        self._put("mode", self._with_mode(self.control, step), LADDER_AUTHOR, step.reason)
        return TrustRecord(mode=step.mode)

    def _looks(self) -> dict[Guard, Callable[[], str | None]]:
        """What each guard sees, in words; None where all is well or nothing can be told."""
        return {Guard.BEYOND_SEEN: self._beyond, Guard.RESIDUALS: self._residuals}

    def _beyond(self) -> str | None:
        times, forecast = self.workload.trust.beyond_seen, self.ports.forecasts.latest(self.version)
        if times is None or forecast is None:
            return None
        found = beyond_seen(forecast, self.workload.policy, times, self.now)
        if found is None:
            return None
        return f"the next two hours are said to need {found:.1f} times the highest demand ever seen"

    def _residuals(self) -> str | None:
        span = self.workload.trust.residuals_for
        if span is None:
            return None
        recent = self._recent(span)
        said = self.ports.forecasts.as_of(self.version, recent.start)
        if said is None or not far_residuals(recent, said) or self._eventful(recent):
            return None
        minutes = int(span.total_seconds() // 60)
        return f"demand has been far outside of the forecast for {minutes} minutes"

    def _recent(self, span: timedelta) -> Series:
        """The newest whole steps of that length, up to what is final."""
        step = self.workload.forecast.step
        end = floor_to(self.workload.known_until(self.now), step)
        start = end - max(1, span // step) * step
        return self.ports.demand.on_grid(self.version, start, end, step)

    def _eventful(self, span: Series) -> bool:
        """Whether a planned event acts: then the bare forecast is not what was served."""
        calendar = EventIndex(self.ports.events.acting_from(span.start))
        book = calendar.book(self.workload.name, self.workload.labels, self.workload.aliases)
        return bool(book.effects(self.workload.policy, span.start, span.end))

    def _stale(self) -> bool:
        tail = self._recent(_DAY).last_observation()
        return tail is None or self.now - tail[0] > self.workload.policy.stale_after

    def _trip(self, guard: Guard, detail: str) -> TrustRecord:
        control = replace(self.control, guard=GuardTrip(guard.value, detail, self.now))
        step = demotion(self.control, self.workload.policy, self.workload.trust)
        if step is not None:
            control = self._with_mode(control, replace(step, reason=f"{step.reason}: {detail}"))
        self._put("guard tripped", control, GUARD_AUTHOR, f"{guard.value}: {detail}")
        return TrustRecord(tripped=guard.value, mode=step.mode if step else None)

    def _clear(self, tripped: GuardTrip) -> TrustRecord:
        reason = f"{tripped.name}: no longer so"
        self._put("guard cleared", replace(self.control, guard=None), GUARD_AUTHOR, reason)
        return TrustRecord(cleared=tripped.name)

    def _with_mode(self, control: Control, step: Step) -> Control:
        by = Authored(LADDER_AUTHOR, step.reason, self.now, None)
        return replace(control, mode=ModeChange(by, step.mode))

    def _put(self, action: str, control: Control, author: str, reason: str) -> None:
        entry = AuditEntry(
            at=self.now,
            author=author,
            action=action,
            subject=self.workload.name,
            reason=reason,
            before=control_text(self.control),
            after=control_text(control),
        )
        self.ports.controls.put(self.version.workload, control, entry)


def _evidence(
    workload: Workload,
    version: HistoryVersion,
    scores: ScoreStore,
    control: Control,
    now: datetime,
    *,
    stale: bool,
) -> Evidence:
    """The last `trust.days` days; after a demotion only those behind it."""
    settings, change = workload.trust, control.mode
    end = day_of(now) + _DAY
    rows = scores.between(version, end - settings.days * _DAY - _DAY, end)
    down = change is not None and change.by.author == LADDER_AUTHOR and change.mode is Mode.SHADOW
    since = change.by.since if down and change is not None else None
    return evidence(rows, settings, since, stale=stale)
