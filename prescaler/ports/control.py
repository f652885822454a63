"""What people set at run time, and the audit of what they did."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from prescaler.core.control import Control, LastValid
from prescaler.core.records import ALL_ENTRIES, AuditEntry, AuditQuery


class ControlStore(Protocol):
    """What people set at run time."""

    def all(self) -> Mapping[UUID, Control]:
        """Every workload's control state, ended entries included."""
        ...

    def get(self, workload: UUID) -> Control:
        """One workload's control state, ended entries included; empty where nothing was set."""
        ...

    def put(self, workload: UUID, control: Control, entry: AuditEntry | None) -> Control:
        """Store the state if its revision is still the stored one, with its audit entry.

        Returns it with the next revision.

        Raises:
            ChangedMeanwhile: somebody else was faster.
        """
        ...

    def put_last_valid(self, values: Mapping[UUID, LastValid]) -> None:
        """Remember the last values that rested on a forecast; no revision changes."""
        ...


class AuditStore(Protocol):
    """What people did. Append only."""

    def recent(self, limit: int, query: AuditQuery = ALL_ENTRIES) -> Sequence[AuditEntry]:
        """The newest entries that are asked for, newest first."""
        ...
