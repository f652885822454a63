"""How many points to ask for at once: as many as the server gives without trouble."""

import threading
from typing import Final

MOST_POINTS: Final = 10_000
"""Prometheus refuses more than 11,000 points a series (11,001 pass, 11,002 do not)."""

LEAST_POINTS: Final = 60
"""Where even this much is too much, the query itself is."""

_FAST_SECONDS: Final = 2.0
_SLOW_SECONDS: Final = 10.0
_GOOD_ONES: Final = 4


class ChunkSize:
    """Halved where the server refuses or is slow, doubled after some fast answers.

    Never more than half of what was refused: a server's limit does not go away by itself.
    Several threads may share one.
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._points = most
        self._most = most
        self._good = 0
        self._lock = threading.Lock()

    @property
    def points(self) -> int:
        """The size to ask for."""
        return self._points

    def answered(self, points: int, seconds: float) -> None:
        """A chunk of this size came."""
        with self._lock:
            self._good = self._good + 1 if seconds < _FAST_SECONDS else 0
            if seconds > _SLOW_SECONDS:
                self._points = max(LEAST_POINTS, min(self._points, points // 2))
            elif self._good >= _GOOD_ONES:
                self._points, self._good = min(self._most, 2 * self._points), 0

    def refused(self, points: int) -> bool:
        """A chunk of this size was too much; False where nothing smaller is worth a try."""
        with self._lock:
            if points <= LEAST_POINTS:
                return False
            smaller = max(LEAST_POINTS, points // 2)
            self._most = min(self._most, smaller)
            self._points, self._good = min(self._points, smaller), 0
            return True

    def timed_out(self, points: int) -> bool:
        """A chunk of this size did not come in time; as `refused`, but it may grow again."""
        with self._lock:
            if points <= LEAST_POINTS:
                return False
            smaller = max(LEAST_POINTS, points // 2)
            self._points, self._good = min(self._points, smaller), 0
            return True
