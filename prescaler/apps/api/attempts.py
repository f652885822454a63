"""Limits failed attempts, and only those: all of KEDA is one address, and its key is valid."""

from collections import OrderedDict
from typing import Final

_ALLOWED: Final = 20
_WINDOW_SECONDS: Final = 60.0
_MOST_ADDRESSES: Final = 10_000


class FailedAttempts:
    """Counts wrong keys per address; 20 in a minute are enough to have mistyped."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, address: str, now: float) -> bool:
        """Note one more failure; true where the address has had too many.

        now: seconds on a clock that only goes forward.
        """
        start, failures = self._failed.pop(address, (now, 0))
        if now - start >= _WINDOW_SECONDS:
            start, failures = now, 0
        self._failed[address] = (start, failures + 1)
        while len(self._failed) > _MOST_ADDRESSES:
            self._failed.popitem(last=False)
        return failures + 1 > _ALLOWED
