"""The hours after a jump, on a made-up service: error of the medians, cover of the 0.95 quantile.

    python bench/jumps.py [--factors 2 5 10 0.3 0.1] [--spike POINTS]

Four weeks of five minutes (a day's wave, quieter weekends, 5 % noise) are multiplied from an
instant on, at four instants of the last week, and refitted so long after it. With --spike only so
many points are, and it is refitted behind them.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.engine import refit, roll
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.series import Series

_STEP = timedelta(minutes=5)
_DAY, _HOUR = 288, 12
_DAYS = 28
_START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
_INSTANTS = ((22, 10), (23, 3), (24, 20), (26, 12))
"""Day and hour: the morning, the night, the evening, and a Saturday noon."""

_LATER = {"15 min": 3, "30 min": 6, "1 h": 12, "3 h": 36, "6 h": 72, "12 h": 144}
_LEADS = {"15 min": 3, "1 h": 12, "6 h": 72}
_AHEAD = 72
_UPPER = QUANTILES.index(0.95)


@dataclass(frozen=True)
class Cell:
    """Error as a share of demand, and the share of actuals that the 0.95 quantile covered."""

    error: float
    covered: float

    def __str__(self) -> str:
        """As it stands in the table."""
        return f"{self.error:.2f}, {100 * self.covered:.0f} %"


def service(seed: int) -> FloatArray:
    """[28 * 288] the made-up service before anything happens to it."""
    at = np.arange(_DAYS * _DAY) / _DAY
    shape = 1000.0 + 800.0 * np.sin(2 * np.pi * (at - 0.3))
    noise = np.exp(0.05 * np.random.default_rng(seed).standard_normal(len(at)))
    return np.asarray(np.where(at.astype(int) % 7 >= 5, 0.6, 1.0) * shape * noise)


def forecast(known: FloatArray) -> FloatArray:
    """[72, Q] what is said when this is known."""
    history = History.of(Series(_START, _STEP, known, known), ZoneInfo("UTC"), _AHEAD)
    return roll(refit(history, _AHEAD), history, _AHEAD).values


def scored(factor: float, points: int | None, later: int) -> dict[str, Cell]:
    """Lead -> the mean over all instants, `later` points after the jump."""
    found: dict[str, list[tuple[float, float]]] = {lead: [] for lead in _LEADS}
    for seed, (day, hour) in enumerate(_INSTANTS):
        demand, at = service(seed), day * _DAY + hour * _HOUR
        demand[at : None if points is None else at + points] *= factor
        said, came = forecast(demand[: at + later]), demand[at + later :]
        for lead, steps in _LEADS.items():
            missed = np.abs(said[:steps, MEDIAN] - came[:steps]).mean() / came[:steps].mean()
            covered = (came[:steps] <= said[:steps, _UPPER]).mean()
            found[lead].append((float(missed), float(covered)))
    return {lead: Cell(*np.mean(cells, axis=0)) for lead, cells in found.items()}


def rows(factor: float, points: int | None) -> Iterable[str]:
    """The rows of one factor."""
    later = list(_LATER.values()) if points is None else [points]
    cells = [scored(factor, points, ago) for ago in later]
    for lead in _LEADS:
        yield f"| x{factor:g}, {lead} | " + " | ".join(str(cell[lead]) for cell in cells) + " |"


def main(arguments: list[str]) -> None:
    """Print a row for each factor and lead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factors", type=float, nargs="+", default=[2.0, 5.0, 10.0, 0.3, 0.1])
    parser.add_argument("--spike", type=int, default=None)
    given = parser.parse_args(arguments)
    heads = ["at its end"] if given.spike else list(_LATER)
    sys.stdout.write(
        f"| factor, leads up to | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}\n"
    )
    for factor in given.factors:
        for line in rows(factor, given.spike):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
