"""What people and guards have set at run time, apart from the configuration file."""

from dataclasses import dataclass, replace
from datetime import datetime

from prescaler.core.policy import Mode


@dataclass(frozen=True)
class Authored:
    """Who did it, when, why, and until when it holds (None: until it is cleared)."""

    author: str
    reason: str
    since: datetime
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.since <= now and (self.until is None or now < self.until)


@dataclass(frozen=True)
class ModeChange:
    """Another mode than the file's."""

    by: Authored
    mode: Mode


@dataclass(frozen=True)
class Freeze:
    """The value that was served when it was set (load units), kept."""

    by: Authored
    value: float


@dataclass(frozen=True)
class Override:
    """A person's own value: either load units or pods."""

    by: Authored
    load: float | None
    pods: int | None

    def value(self, target: float) -> float:
        """In load units."""
        return self.load if self.load is not None else (self.pods or 0) * target


@dataclass(frozen=True)
class GuardTrip:
    """A guard that keeps the forecast part neutral until it is cleared."""

    name: str
    detail: str
    since: datetime


@dataclass(frozen=True)
class LastValid:
    """The last value that rested on a forecast (load units)."""

    value: float
    at: datetime


@dataclass(frozen=True)
class Control:
    """Run-time state of one workload; stored, never only remembered. revision counts changes."""

    mode: ModeChange | None = None
    freeze: Freeze | None = None
    override: Override | None = None
    guard: GuardTrip | None = None
    last_valid: LastValid | None = None
    revision: int = 0

    def at(self, now: datetime) -> "Control":
        """Without what has ended by now."""
        return replace(
            self,
            mode=self.mode if self.mode and self.mode.by.holds(now) else None,
            freeze=self.freeze if self.freeze and self.freeze.by.holds(now) else None,
            override=self.override if self.override and self.override.by.holds(now) else None,
        )


@dataclass(frozen=True)
class Observed:
    """What was last seen of the workload, each with its instant."""

    running_pods: int | None = None
    ready_pods: int | None = None
    pods_at: datetime | None = None
    last_actual: float | None = None
    last_actual_at: datetime | None = None
