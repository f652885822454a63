"""Where the processes of prescaler know each other from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from prescaler.core.replicas import Replica


class ReplicaStore(Protocol):
    """Who serves, by what each says of itself."""

    def beat(self, replica: Replica, forget_before: datetime) -> None:
        """Say that one is there; forget those last seen before an instant."""
        ...

    def leave(self, replica: UUID) -> None:
        """One ends as it should: it is nobody to be missed."""
        ...

    def all(self) -> Sequence[Replica]:
        """Everybody who has not left and is not forgotten."""
        ...
