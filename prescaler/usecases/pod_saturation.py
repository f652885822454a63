"""Ask whether past crowds met pods at their limit: then what was served is a lower bound."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray
from prescaler.core.errors import SourceError
from prescaler.core.history import History
from prescaler.core.records import SourceFailure
from prescaler.core.uplift import Crowd, UpliftModel, full_points
from prescaler.core.workload import Workload
from prescaler.ports import PodSource

_AGAIN: Final = timedelta(hours=6)
"""A crowd is asked about at each refit for this long after it, should a source be away."""

_MOST: Final = 40
"""Newest crowds asked about in one run: a first run may meet a whole season."""


class PodSaturation:
    """One run's questions about one workload. failure: why the last one was not answered."""

    def __init__(self, workload: Workload, pods: Mapping[str, PodSource], now: datetime) -> None:
        self.failure: SourceFailure | None = None
        self._query = workload.pods
        self._source = pods.get(self._query.source) if self._query is not None else None
        self._per_pod = workload.policy.capacity.per_pod
        self._now = now

    def points(self, model: UpliftModel, history: History, crowds: Sequence[Crowd]) -> BoolArray:
        """[N] true where pods were at their limit, as known before and as asked now."""
        found = model.censored(history)
        for crowd in self._unasked(model, history, crowds):
            rows = self._rows(history, crowd)
            if not len(rows):
                continue
            answered = self._full(history, rows)
            if answered is None:
                break
            found[rows] = answered
        return found

    def _unasked(
        self, model: UpliftModel, history: History, crowds: Sequence[Crowd]
    ) -> list[Crowd]:
        """Crowds that are over and new, the newest first."""
        over = [one for one in crowds if one.kind and one.shows_until <= history.series.end]
        new = [
            one
            for one in over
            if (one.name, one.start) not in model.seen or one.shows_until > self._now - _AGAIN
        ]
        return sorted(new, key=lambda one: one.start, reverse=True)[:_MOST]

    def _rows(self, history: History, crowd: Crowd) -> np.ndarray:
        first = max(0, history.series.index_of(crowd.shows_from))
        last = min(len(history), history.series.index_of(crowd.shows_until))
        return np.arange(first, max(first, last))

    def _full(self, history: History, rows: np.ndarray) -> BoolArray | None:
        """None where nobody answers."""
        if self._query is None or self._source is None:
            return None
        try:
            counted = self._source.history(self._query, history.series.stamps[rows])
        except SourceError as error:
            self.failure = SourceFailure(error.kind, str(error))
            return None
        ready = np.where(np.isfinite(counted.ready), counted.ready, counted.running)
        return full_points(history.demand[rows], ready, self._per_pod)
