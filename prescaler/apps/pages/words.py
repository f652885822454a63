"""How numbers, instants and spans are written for people."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from prescaler.core.events import EventEffect
from prescaler.core.instants import format_instant
from prescaler.core.planned import Effect, Selection

NOTHING: Final = "–"  # noqa: RUF001 - a dash for people, not for machines
_THIN: Final = "\N{NARROW NO-BREAK SPACE}"
_LARGE: Final = ((1e9, "G"), (1e6, "M"), (1e4, "k"))
_TINY: Final = 0.001
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_HUNDRED: Final = 100


def number(value: float | None) -> str:
    """Three or four significant digits: 0.42, 12.5, 1,840, 18.4 k."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < abs(value) < _TINY:
        return f"< {_TINY:g}"
    if abs(value) < _LARGE[-1][0]:
        return _digits(value)
    size, unit = next((size, unit) for size, unit in _LARGE if abs(value) >= size)
    small = value / (1000 if unit == "k" else size)
    return f"{_digits(small)}{_THIN}{unit}"


def _digits(value: float) -> str:
    if value == int(value) or abs(value) >= _HUNDRED:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"  # noqa: PLR2004


def pod_count(pods: int) -> str:
    """1 pod, 2 pods."""
    return f"{pods:,} pod" if pods == 1 else f"{pods:,} pods"


def times(factor: float | None) -> str:
    """A factor: × 1.31."""  # noqa: RUF002 - the sign that is printed
    if factor is None or not math.isfinite(factor):
        return NOTHING
    return f"\N{MULTIPLICATION SIGN}{_THIN}{factor:.3g}"


def percent(share: float | None) -> str:
    """0.943 as 94 %."""
    return NOTHING if share is None or not math.isfinite(share) else f"{share * 100:.0f}{_THIN}%"


def share(part: float | None) -> str:
    """A small share, three digits of it: 0.000123 as 0.0123 %."""
    if part is None or not math.isfinite(part):
        return NOTHING
    return f"{part * 100:.3g}{_THIN}%"


def signed_percent(share: float | None) -> str:
    """A difference: +12 %, −3 %."""  # noqa: RUF002 - the minus sign that is printed
    if share is None or not math.isfinite(share):
        return NOTHING
    return f"{share * 100:+.0f}{_THIN}%".replace("-", "−")  # noqa: RUF001 - likewise


def span(length: timedelta | None) -> str:
    """How long, in the largest unit that says enough: 42 s, 12 min, 3.5 h, 2.1 d."""
    if length is None:
        return NOTHING
    seconds = abs(length.total_seconds())
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f}{_THIN}s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f}{_THIN}min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.1f}{_THIN}h"
    return f"{seconds / _DAY:.1f}{_THIN}d"


def local(instant: datetime | None, zone: ZoneInfo, *, day: bool = True) -> Markup:
    """An instant in the workload's civil time, UTC beside it."""
    if instant is None:
        return Markup("&ndash;")
    here = instant.astimezone(zone)
    text = f"{here:%a %d %b %H:%M}" if day else f"{here:%a %H:%M}"
    beside = "" if here.utcoffset() == timedelta(0) else f"{instant.astimezone(UTC):%H:%M}Z"
    title = f"{format_instant(instant)} · {here:%Y-%m-%d %H:%M:%S} {zone}"
    return Markup('<time datetime="{}" title="{}">{}{}</time>').format(
        format_instant(instant),
        title,
        text,
        Markup(" <small>{}</small>").format(beside) if beside else "",
    )


def words(name: str | None) -> str:
    """`too_little_history` as too little history."""
    return (name or "").replace("_", " ")


_HEAT: Final = ((0.25, "3"), (0.1, "2"), (0.03, "1"))
"""From which share of demand on a difference is shown how strongly."""


def heat(share: float | None) -> str:
    """The class of a cell: `over2` (more came), `under3` (less came), `even`, `void`."""
    if share is None:
        return "void"
    strength = next((name for least, name in _HEAT if abs(share) >= least), "")
    if not strength:
        return "even"
    return f"{'over' if share > 0 else 'under'}{strength}"


def effect(event: EventEffect) -> str:
    """What an event does: times 1.5, + 200, at least 40 pods, or learnt from past ones."""
    parts = ["learnt"] if event.curve is not None else []
    if event.curve is None and event.factor != 1:
        parts.append(f"\N{MULTIPLICATION SIGN}{_THIN}{event.factor:g}")
    if event.added:
        parts.append(f"+{_THIN}{number(event.added)}")
    if event.min_pods:
        parts.append(f"at least {event.min_pods} pods")
    return ", ".join(parts) or NOTHING


def declared(effect: Effect) -> str:
    """What an event declares, in words."""
    parts = []
    if effect.factor is not None:
        parts.append(f"\N{MULTIPLICATION SIGN}{_THIN}{effect.factor:g}")
    if effect.added:
        parts.append(f"+{_THIN}{number(effect.added)}")
    if effect.min_pods:
        parts.append(f"at least {effect.min_pods} pods")
    if effect.min_pods_factor is not None:
        parts.append(f"\N{MULTIPLICATION SIGN}{_THIN}{effect.min_pods_factor:g} of the windows")
    return ", ".join(parts) or "learnt from past ones"


def selection(chosen: Selection) -> str:
    """Which workloads are meant, in words."""
    if chosen.everything:
        return "all workloads"
    parts = [*sorted(chosen.names), *(f"{k}={v}" for k, v in sorted(chosen.labels.items()))]
    return ", ".join(parts) or "none"
