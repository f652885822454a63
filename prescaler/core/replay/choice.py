"""What a replay's advice chose among, as rows for a table."""

from collections.abc import Mapping
from typing import Any, Final

from prescaler.core.replay.promise import Promise

CHOICE_HEAD: Final = (
    "choice",
    "configuration",
    "first two thirds",
    "at most",
    "margin",
    "last third",
    "pod-hours, last third",
)
"""At most: the upper bound of what may come. Margin: what the promise leaves above that bound."""

_CHOICES: Final = {
    "best": "advised",
    "next_more_careful": "next more careful",
    "present": "as today",
    "best_reactive": "best without a forecast",
    "best_forecast": "best with one",
}


def choice_rows(advice: Mapping[str, Any], promise: Promise) -> list[list[str]]:
    """One row a choice, of a replay's document (docs/replay.md); those that there are."""
    return [
        [text, *_cells(one, promise)]
        for name, text in _CHOICES.items()
        if (one := advice.get(name)) is not None
    ]


def _cells(one: Mapping[str, Any], promise: Promise) -> list[str]:
    first, last = one["first_two_thirds"], one["last_third"]
    bound = first["bound"]
    return [
        one["setting"]["text"],
        promise.short(first["value"]),
        "none seen" if bound is None else promise.short(bound),
        "-" if bound is None else promise.short(promise.limit - bound),
        promise.short(last["value"]),
        f"{last['pod_hours']:,.0f}",
    ]
