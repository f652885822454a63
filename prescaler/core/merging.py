"""Laying a piece of demand over what is stored: who wins, and what changed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray
from prescaler.core.series import Series, overlay


class Keep(StrEnum):
    """Who wins where both have an observation. A hole never erases one."""

    NEWEST = "newest"
    STORED = "stored"


@dataclass(frozen=True)
class Merged:
    """What a piece brought: points that were not there, that were the same, and that differ."""

    added: int = 0
    same: int = 0
    differing: int = 0

    def __add__(self, other: "Merged") -> "Merged":
        return Merged(
            self.added + other.added, self.same + other.same, self.differing + other.differing
        )

    @property
    def points(self) -> int:
        """Observations in the piece."""
        return self.added + self.same + self.differing


NOTHING: Final = Merged()


def merge(stored: Series, piece: Series, keep: Keep) -> tuple[Series, Merged]:
    """Both on one grid, and what the piece brought. Stored values are float32; so they compare.

    The grid of the result spans both; both must share their step.
    """
    below, above = (stored, piece) if keep is Keep.NEWEST else (piece, stored)
    return overlay(below, above), compared(stored, piece)


def compared(stored: Series, piece: Series) -> Merged:
    """What a piece would bring: counts of its observations beside what is stored."""
    first = (piece.start - stored.start) // piece.step
    at = np.arange(len(piece)) + first
    inside = (at >= 0) & (at < len(stored))
    index = np.clip(at, 0, max(0, len(stored) - 1))
    known = np.zeros(len(piece), dtype=bool)
    equal = known
    if len(stored):
        known = inside & stored.observed[index] & piece.observed
        equal = known & _equal(stored.mean[index], piece.mean)
        equal = equal & _equal(stored.peak[index], piece.peak)
    observed, both, same = (int(x.sum()) for x in (piece.observed, known, equal))
    return Merged(observed - both, same, both - same)


def _equal(stored: FloatArray, piece: FloatArray) -> BoolArray:
    return np.equal(stored.astype(np.float32), piece.astype(np.float32))
