"""What the top of every page offers. A part that is not there has no link."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Item:
    """One link at the top."""

    path: str
    label: str


ITEMS: Final = (Item("/events", "Events"), Item("/replays", "Replays"), Item("/audit", "Audit"))


def navigation() -> tuple[Item, ...]:
    """The links behind the list of workloads."""
    return ITEMS
