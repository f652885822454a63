"""Which past crowds a planned one resembles, learnt from how well each would have been foretold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.uplift.crowds import Crowd

DAY_OFF: Final = "day off"

_PENALTIES: Final = (1.0, 0.3, 0.05)
"""What an example counts that differs in an attribute: as much, a third, next to nothing. A grid
this coarse is all that some dozens of evenings can tell apart."""

_HALF_LIVES: Final = (12.0, 6.0, 24.0)
"""Occurrences after which an example counts half."""

_HOURS_APART: Final = 1.0
"""An example that began an hour earlier or later in the day counts e times less."""

_FIRST_TRIED: Final = 3
"""Examples needed before the next one is foretold from them."""

_TRIAL_HALF_LIFE: Final = 15.0
_BETTER: Final = 0.995
"""A choice must lower the error by half a percent, or the simpler one stays."""

_MOST_LABELS: Final = 5
_MOST_KINDS: Final = 10


@dataclass(frozen=True)
class Similarity:
    """Weights by attribute: 1 for an example that agrees, its penalty for one that does not.

    half_life: in occurrences. error_share: mean error of the log ratio when each past crowd is
    foretold from those before, over the same without any uplift (NaN: too few examples).
    """

    penalties: Mapping[str, float]
    half_life: float
    error_share: float

    def weights(self, target: Crowd, examples: Sequence[Crowd]) -> FloatArray:
        """[E] by examples in order of time; 1 for the newest one that agrees in everything."""
        traits = Traits.of([*examples, target], tuple(self.penalties))
        closeness = traits.closeness(self.penalties)[-1, :-1]
        age = np.arange(len(examples))[::-1]
        return np.asarray(closeness * 0.5 ** (age / self.half_life))


@dataclass(frozen=True, eq=False)
class Traits:
    """codes: [A, E] which value of each attribute a crowd has; hours: [E] local start."""

    names: tuple[str, ...]
    codes: IntArray
    hours: FloatArray

    @classmethod
    def of(cls, crowds: Sequence[Crowd], names: tuple[str, ...]) -> "Traits":
        """Number the values of each attribute."""
        columns = [_numbered([_value(crowd, name) for crowd in crowds]) for name in names]
        codes = np.array(columns, dtype=np.int64).reshape(len(names), len(crowds))
        return cls(names, codes, np.array([crowd.hour for crowd in crowds], dtype=np.float64))

    def closeness(self, penalties: Mapping[str, float]) -> FloatArray:
        """[E, E] how much crowds have in common, 1 where everything agrees."""
        apart = np.abs(self.hours[:, None] - self.hours[None, :])
        found = np.exp(-np.minimum(apart, 24.0 - apart) / _HOURS_APART)
        for name, codes in zip(self.names, self.codes, strict=True):
            found = found * np.where(codes[:, None] == codes[None, :], 1.0, penalties[name])
        return np.asarray(found)


def attributes(crowds: Sequence[Crowd]) -> tuple[str, ...]:
    """Those that may tell crowds apart: day off, and labels with a few values each."""
    keys = sorted({key for crowd in crowds for key in crowd.labels})
    few = [
        key for key in keys if 1 < len({crowd.labels.get(key) for crowd in crowds}) < _MOST_KINDS
    ]
    return (DAY_OFF, *few[:_MOST_LABELS])


def learn_similarity(crowds: Sequence[Crowd], ratios: FloatArray) -> Similarity:
    """Choose penalties and half-life by foretelling each crowd from those before it.

    crowds in order of time; ratios: [E, K] log of demand over ordinary demand, NaN = unknown.
    """
    traits = Traits.of(crowds, attributes(crowds))
    chosen = Similarity(dict.fromkeys(traits.names, 1.0), _HALF_LIVES[0], np.nan)
    if len(crowds) <= _FIRST_TRIED:
        return chosen
    best = _error(traits, chosen, ratios)
    for name, value in 2 * _moves(traits.names):
        other = _moved(chosen, name, value)
        error = _error(traits, other, ratios)
        if error < _BETTER * best:
            best, chosen = error, other
    plain = _mean_error(ratios)
    return replace(chosen, error_share=best / plain if plain > 0 else np.nan)


def residuals(crowds: Sequence[Crowd], ratios: FloatArray, similarity: Similarity) -> FloatArray:
    """[E, K] what the crowds before each one did not tell; NaN for the first three."""
    traits = Traits.of(crowds, tuple(similarity.penalties))
    return _foretold_errors(traits, similarity, ratios)


def pooled(ratios: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted sums [..., K] of known ratios [E, K], and their weights; weights: [..., E]."""
    known = np.isfinite(ratios)
    return weights @ np.where(known, ratios, 0.0), weights @ known.astype(np.float64)


def _value(crowd: Crowd, name: str) -> str | None:
    return str(crowd.day_off) if name == DAY_OFF else crowd.labels.get(name)


def _numbered(values: Sequence[str | None]) -> list[int]:
    seen: dict[str | None, int] = {}
    return [seen.setdefault(value, len(seen)) for value in values]


def _moves(names: Sequence[str]) -> list[tuple[str | None, float]]:
    """Every value of every attribute, and of the half-life (None)."""
    penalties = [(name, penalty) for name in names for penalty in _PENALTIES]
    return [*penalties, *((None, half_life) for half_life in _HALF_LIVES)]


def _moved(start: Similarity, name: str | None, value: float) -> Similarity:
    if name is None:
        return replace(start, half_life=value)
    return replace(start, penalties={**start.penalties, name: value})


def _error(traits: Traits, similarity: Similarity, ratios: FloatArray) -> float:
    return _mean_error(_foretold_errors(traits, similarity, ratios))


def _mean_error(errors: FloatArray) -> float:
    """Mean absolute error of the examples that were foretold, recent ones counting more."""
    tried = errors[_FIRST_TRIED:]
    known = np.isfinite(tried)
    mass = known * (0.5 ** (np.arange(len(tried))[::-1] / _TRIAL_HALF_LIFE))[:, None]
    total = float(mass.sum())
    return float((np.abs(np.where(known, tried, 0.0)) * mass).sum()) / total if total else np.nan


def _foretold_errors(traits: Traits, similarity: Similarity, ratios: FloatArray) -> FloatArray:
    """[E, K] ratio minus what the examples before it, and nothing else, would have given."""
    number = len(ratios)
    age = np.arange(number)[:, None] - np.arange(number)[None, :]
    weights = np.where(age > 0, traits.closeness(similarity.penalties), 0.0)
    weights = weights * 0.5 ** (np.maximum(age, 0) / similarity.half_life)
    total, mass = pooled(ratios, weights)
    hole = np.full(total.shape, np.nan)
    told = np.divide(total, mass, out=hole, where=mass > 0)
    told[:_FIRST_TRIED] = np.nan
    return np.asarray(ratios - told)
