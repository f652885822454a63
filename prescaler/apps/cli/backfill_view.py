"""What a person sees of a backfill: bars on a terminal, plain lines elsewhere, a table at last."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from prescaler.apps.cli.options import ERR, OUT, table_of
from prescaler.core.instants import format_instant
from prescaler.ports import Clock

_LINE_EVERY: Final = 5.0
_GAPS_SHOWN: Final = 5
_MOST_BARS: Final = 12
"""More would not fit on a screen; then there is one bar for all."""


class View(Protocol):
    """Progress by workload; `part` is demand or forecasts."""

    def begin(self, part: str, totals: dict[str, int]) -> None:
        """A part begins: how much there is to do by workload."""
        ...

    def moved(self, name: str, done: int, text: str) -> None:
        """A workload is this far; text: rate or anything worth saying."""
        ...

    def end(self) -> None:
        """Nothing more will come."""
        ...


class Silent:
    """For `--json`: standard error stays quiet too."""

    def begin(self, part: str, totals: dict[str, int]) -> None:
        """Nothing."""

    def moved(self, name: str, done: int, text: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Lines:
    """A line every few seconds, for logs and pipes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._part = ""
        self._totals: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._begun = self._said = 0.0

    def begin(self, part: str, totals: dict[str, int]) -> None:
        """Say what is to be done."""
        self._part, self._totals, self._done = part, totals, {}
        self._begun = self._said = self._clock.elapsed()
        ERR.print(
            f"{part}: {len(totals)} workloads, {sum(totals.values())} pieces", highlight=False
        )

    def moved(self, name: str, done: int, text: str) -> None:
        """Say how far all of it is, not more often than every five seconds."""
        self._done[name] = done
        now, all_done, total = (
            self._clock.elapsed(),
            sum(self._done.values()),
            sum(self._totals.values()),
        )
        if now - self._said < _LINE_EVERY and all_done < total:
            return
        self._said = now
        left = (now - self._begun) / max(1, all_done) * (total - all_done)
        ERR.print(
            f"{self._part}: {all_done} of {total} pieces, {left:.0f} s left; {name}: {text}",
            highlight=False,
            markup=False,
        )

    def end(self) -> None:
        """Nothing to put away."""


class Bars:
    """A bar for each workload, or one for all of many."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=ERR,
        )
        self._tasks: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._together = False

    def begin(self, part: str, totals: dict[str, int]) -> None:
        """Draw the bars of this part."""
        self._progress.start()
        self._done, self._together = {}, len(totals) > _MOST_BARS
        if self._together:
            label = f"{part} of {len(totals)} workloads"
            task = self._progress.add_task(label, total=sum(totals.values()), text="")
            self._tasks = dict.fromkeys(totals, task)
            return
        self._tasks = {
            name: self._progress.add_task(f"{part} of {name}", total=total, text="")
            for name, total in totals.items()
        }

    def moved(self, name: str, done: int, text: str) -> None:
        """Move the bar."""
        self._done[name] = done
        shown = sum(self._done.values()) if self._together else done
        self._progress.update(self._tasks[name], completed=shown, text=text)

    def end(self) -> None:
        """Leave the bars as they are."""
        self._progress.stop()


def view(clock: Clock, *, as_json: bool) -> View:
    """The one that suits where the output goes."""
    if as_json:
        return Silent()
    return Bars() if ERR.is_terminal else Lines(clock)


@dataclass(frozen=True)
class Row:
    """One workload at the end, as plain values."""

    document: dict[str, Any]

    @property
    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        one = self.document
        forecasts = one.get("forecasts")
        span = f"{one['first'] or '-'} ... {one['last'] or '-'}"
        return (
            one["workload"],
            f"{one['points_added']:,}",
            f"{one['points']:,}",
            f"{one['gaps']:,}",
            f"{one['bytes'] / 1e6:.2f} MB",
            span,
            "-" if forecasts is None else f"{forecasts['made']:,}",
            f"{one['seconds']:.1f} s",
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must not be cut off by the width of a table."""
        one = self.document
        gaps = tuple(f"no demand {gap}" for gap in one["longest_gaps"][:_GAPS_SHOWN])
        found = (one["failure"], _remark(one), *gaps)
        return tuple(f"{one['workload']}: {text}" for text in found if text)


def _remark(one: dict[str, Any]) -> str:
    if one["points_differing"]:
        what = "overwritten" if one["replaced"] else "left as they were; --replace overwrites"
        return f"{one['points_differing']:,} points differ from the source: {what}"
    return ""


def show(rows: Sequence[Row], *, seconds: float) -> None:
    """The table, the longest gaps of each workload, and the time."""
    columns = ("workload", "new points", "points", "gaps", "stored", "from ... to")
    table = table_of(*columns, "forecasts", "time")
    for row in rows:
        table.add_row(*row.cells)
    OUT.print(table)
    for row in rows:
        for remark in row.remarks:
            OUT.print(remark, highlight=False, markup=False)
    OUT.print(f"{seconds:.1f} s", highlight=False)


def gap_text(start: Any, end: Any) -> str:
    """From and to of a gap."""
    return f"from {format_instant(start)} to {format_instant(end)}"
