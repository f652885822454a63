"""The kept result of a replay is what a replay gives.

Pages, tables and reports are tested with the kept one, since a fresh one takes too long for each.
"""

import re
from typing import Any

import pytest

from tests.support.replayed import kept, played

# One fresh run for both of them.
pytestmark = pytest.mark.xdist_group("replay-golden")

_FIGURE = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")
ANEW = "make it anew: python -m tests.support.replayed (and look at what changed)"


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    return played()


def shape(value: Any) -> Any:
    """Fields, kinds and texts without figures: what an edit by hand would have to get right.

    Rows of one list may differ in number, where an engine that forecasts otherwise advises
    otherwise; their fields may not.
    """
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        found: list[Any] = []
        for one in map(shape, value):
            if one not in found:
                found.append(one)
        return found
    if isinstance(value, bool) or value is None:
        return value
    return _FIGURE.sub("N", value) if isinstance(value, str) else "number"


def test_its_fields_and_words_are_those_of_a_fresh_run(fresh: dict[str, Any]) -> None:
    """Figures may move a little with the forecasts; what they are called may not."""
    for part in ("request", "result"):
        assert shape(kept()[part]) == shape(fresh[part]), ANEW


def test_its_figures_are_near_those_of_a_fresh_run(fresh: dict[str, Any]) -> None:
    mine, theirs = kept()["result"], fresh["result"]

    for name in ("arms", "sweep"):
        spent = [[row["all"]["pod_hours"] for row in one[name]] for one in (mine, theirs)]
        assert spent[0] == pytest.approx(spent[1], rel=0.1), ANEW
    for name, values in theirs["series"]["columns"].items():
        if not name.startswith(("ready:prescaler", "dropped:prescaler")):
            assert mine["series"]["columns"][name] == pytest.approx(values, rel=1e-6), ANEW
