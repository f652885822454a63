"""What is known of crowds when a forecast is made, and history without them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prescaler.core.event_book import EMPTY_BOOK, EventBook, acts_at
from prescaler.core.history import History
from prescaler.core.records import HistoryVersion
from prescaler.core.uplift import AROUND, Crowd, Ordinary, UpliftModel
from prescaler.core.workload import Workload
from prescaler.ports import UpliftStore
from prescaler.usecases.read_calendar import CalendarReader


@dataclass(frozen=True, eq=False)
class Lore:
    """The calendar of one workload, and what its past crowds taught (None: nothing yet)."""

    book: EventBook = EMPTY_BOOK
    uplift: UpliftModel | None = None

    def model(self, workload: Workload) -> UpliftModel:
        """What was learnt, where that suits the workload's grid and civil time; else nothing."""
        settings = workload.forecast
        grid = (settings.step, settings.timezone, settings.country)
        if self.uplift is not None and self.uplift.suits(*grid):
            return self.uplift
        return UpliftModel.empty(*grid)

    def crowds(self, model: UpliftModel, history: History, known_at: datetime) -> list[Crowd]:
        """Those that touch a history, as far as anybody knew of them by then."""
        start, end = history.series.start - AROUND, history.series.end + AROUND
        found = self.book.occurrences(start, end)
        return model.crowds(o for o in found if acts_at(o.event, known_at))


NO_LORE = Lore()


@dataclass(frozen=True)
class LorePorts:
    """Where lore comes from."""

    calendar: CalendarReader
    uplifts: UpliftStore


def lore_of(workload: Workload, version: HistoryVersion, ports: LorePorts, since: datetime) -> Lore:
    """The lore of a workload whose history begins at `since`.

    Raises:
        StoreError: the calendar cannot be read; a forecast that took crowds for pattern is worse
            than none.
    """
    book = ports.calendar.book(workload, since - AROUND)
    return Lore(book, ports.uplifts.get(version))


def without_crowds(
    lore: Lore, model: UpliftModel, history: History, known_at: datetime
) -> Ordinary:
    """History as it would have been without crowds."""
    return model.ordinary(history, lore.crowds(model, history, known_at))


def busy_spans(
    lore: Lore, workload: Workload, start: datetime, end: datetime
) -> Sequence[tuple[datetime, datetime]]:
    """When crowds that change demand show in [start, end): ordinary forecasts say nothing there."""
    model = lore.model(workload)
    found = lore.book.occurrences(start - AROUND, end + AROUND)
    crowds = model.crowds(o for o in found if acts_at(o.event, None))
    return [(c.shows_from, c.shows_until) for c in crowds if model.acts(c)]
