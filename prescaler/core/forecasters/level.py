"""No shape at all: the mean of everything so far."""

from dataclasses import dataclass

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable
from prescaler.core.forecasters.base import NothingToLearn, Parameters


@dataclass(frozen=True)
class FlatLevel(NothingToLearn):
    """Corrected by the last minutes it is persistence; corrected by the last days, a slow drift."""

    name: str = "level"
    plain: bool = False
    memory_days: int = 1

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:  # noqa: ARG002
        """Mean log demand of all rows that are whole a day before; the first rows take row 0's."""
        logs = table.logs["none"]
        known = np.isfinite(logs)
        count = np.cumsum(known.sum(axis=1))
        total = np.cumsum(np.where(known, logs, 0.0).sum(axis=1))
        newest = np.clip(table.rows - 1 - table.gap, 0, table.present)
        mean = total[newest] / np.maximum(count[newest], 1)
        return np.repeat(mean[:, None], table.slots, axis=1)
