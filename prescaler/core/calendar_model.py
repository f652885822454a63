"""The engine with a calendar, as a backtest plays it: what production does, in one model."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.engine import ModelState, refit
from prescaler.core.event_book import EventBook, acts_at, effect_on_demand
from prescaler.core.events import with_events
from prescaler.core.history import History
from prescaler.core.instants import to_epoch
from prescaler.core.uplift import AROUND, Crowd, UpliftModel, roll_ordinary


@dataclass(frozen=True, eq=False)
class CalendarState:
    """The last refit, and what crowds had taught by then."""

    engine: ModelState
    uplift: UpliftModel


@dataclass(frozen=True)
class CalendarModel:
    """`backtest.Model`: forecasts of ordinary demand, with planned events on top.

    An event is used from its `known_from` on, and never before.
    """

    book: EventBook
    zone: ZoneInfo
    country: str | None = None

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        """Learn from crowds that are over, then from history without them."""
        known = previous if isinstance(previous, CalendarState) else None
        empty = UpliftModel.empty(history.step, self.zone, self.country)
        crowds = self._crowds(empty, history)
        uplift = (known.uplift if known else empty).learned(history, crowds)
        calm = uplift.ordinary(history, crowds).calm
        return CalendarState(refit(calm, horizon, known.engine if known else None), uplift)

    def roll(self, state: object, history: History, horizon: int) -> FloatArray:
        """[H, Q] values for the steps after the history, events included."""
        if not isinstance(state, CalendarState):
            raise TypeError(f"{type(state).__name__} is no state of the engine with a calendar")
        crowds = self._crowds(state.uplift, history)
        ordinary = state.uplift.ordinary(history, crowds)
        values = roll_ordinary(state.engine, ordinary, horizon).values
        return self._with_events(state.uplift, history, values)

    def _crowds(self, uplift: UpliftModel, history: History) -> list[Crowd]:
        start, end = history.series.start - AROUND, history.series.end + AROUND
        known = [
            o for o in self.book.occurrences(start, end) if acts_at(o.event, history.series.end)
        ]
        return uplift.crowds(known)

    def _with_events(self, uplift: UpliftModel, history: History, values: FloatArray) -> FloatArray:
        now, step = history.series.end, history.step
        until = now + len(values) * step
        effects = [
            effect_on_demand(occurrence, uplift)
            for occurrence in self.book.occurrences(now - AROUND, until + AROUND)
            if acts_at(occurrence.event, now)
        ]
        seconds = int(step.total_seconds())
        starts = to_epoch(now) + seconds * np.arange(len(values), dtype=np.int64)
        return with_events(effects, starts, starts + seconds, values, history.cutoff)
