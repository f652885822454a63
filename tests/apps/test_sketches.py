"""Small charts that the server draws."""

import math
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.apps.pages.sketch import Frame, highest, round_values
from prescaler.apps.pages.trend import trends
from prescaler.apps.pages.words import number, pod_count
from prescaler.core.uplift import UpliftModel
from tests.apps.conftest import READ, WEB_ONLY, Served
from tests.apps.test_trust_api import scored
from tests.support.browsing import enter, text
from tests.support.builders import DAY, MONDAY, PARIS
from tests.support.crowds import Night, crowd, history

FRAME = Frame(0.0, 10.0, 0.0, 2.0, 150.0, 124.0)


def test_a_line_has_a_gap_where_nothing_is_known() -> None:
    assert FRAME.line([0, 5, 10], [0.0, 1.0, 2.0]) == ("44.0,106.0 94.0,56.0 144.0,6.0",)
    assert len(FRAME.line([0, 1, 2, 3, 4], [1, math.nan, math.nan, 1, 1])) == 2
    assert FRAME.line([0], [math.nan]) == ()


def test_what_lies_outside_is_drawn_on_the_edge() -> None:
    assert FRAME.y(9.0) == FRAME.top
    assert FRAME.y(-1.0) == FRAME.bottom
    assert Frame(1, 1, 3, 3).y(3) == Frame(1, 1, 3, 3).bottom


def test_stairs_hold_each_value_until_the_next() -> None:
    (points,) = FRAME.stairs([0, 5], [0.0, 2.0])

    assert points == "44.0,106.0 94.0,106.0 94.0,6.0"


def test_a_band_leaves_out_what_is_not_known() -> None:
    assert FRAME.band([0, 10], [0.0, math.nan], [2.0, 2.0]) == "44.0,6.0 44.0,106.0"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 8))
def test_round_values_lie_inside_and_are_few(low: float, length: float, wanted: int) -> None:
    found = round_values(low, low + length, wanted)

    slack = 1e-6 * length
    assert len(found) <= wanted + 1
    assert all(low - slack <= value <= low + length + slack for value in found)


def test_numbers_and_pods_are_written_for_people() -> None:
    assert (number(4.58e-05), number(0.0), number(0.002)) == ("< 0.001", "0", "0.002")
    assert [pod_count(n) for n in (0, 1, 1200)] == ["0 pods", "1 pod", "1,200 pods"]


def test_axes_have_round_labels() -> None:
    assert [tick.text for tick in FRAME.rows()] == ["0", "0.5", "1", "1.5", "2"]
    assert round_values(5.0, 5.0, 4) == [5.0]
    assert highest([math.nan], [], least=2.0) == 2.0


def body(*ratios: float | None) -> dict[str, Any]:
    def row(ratio: float | None) -> dict[str, Any]:
        return {"error_ratio": ratio, "coverage": {"0.95": {"reached": 0.9}}}

    days = [
        {"day": f"2026-11-{n + 1:02d}", "buckets": {} if ratio == 0 else {"1h": row(ratio)}}
        for n, ratio in enumerate(ratios)
    ]
    return {"buckets": {"1h": row(0.8)}, "days": days}


def test_days_without_scores_are_gaps_and_bad_days_are_cut() -> None:
    (one,) = trends(body(0.5, 0, 9.0, None))

    assert (one.bucket, one.error, one.covered, one.cut) == ("1h", 0.8, 0.9, True)
    assert len(one.ratio_runs) == 2
    assert one.ratio.y1 == 4.0
    assert [tick.text for tick in one.columns] == ["01 Nov", "04 Nov"]
    (single,) = trends(body(0.5))
    assert [tick.text for tick in single.columns] == ["01 Nov"]


def taught(served: Served) -> None:
    """Seven nights of football, each five times ordinary demand."""
    nights = [Night(day, 5.0) for day in (3, 6, 8, 12, 14, 18, 23)]
    empty = UpliftModel.empty(timedelta(minutes=15), PARIS)
    model = empty.learned(history(28, nights), [crowd(night) for night in nights])
    web = served.keeper.settings.workloads[0]
    served.stores.uplifts.put(served.stores.workloads.ensure(web, MONDAY), model, MONDAY)
    served.keeper.refresh()


def test_learnt_curves_stand_on_a_page_with_their_evidence(served: Served) -> None:
    enter(served, READ)
    assert "Nothing learnt yet" in text(served, "/event-curves")
    taught(served)

    html = text(served, "/event-curves")

    assert "football (1 workload)" in html
    assert "Rests on 7 past events" in html
    assert re.search(r'<polygon class="band" points="44\.0,', html)
    assert "Nothing fits" in text(served, "/event-curves?kind=opera")
    assert "Nothing fits" in text(served, "/event-curves?search=api")
    assert "Rests on 7 past events" in text(served, "/workloads/web/accuracy")


def test_curves_of_others_are_not_shown(served: Served) -> None:
    taught(served)
    enter(served, WEB_ONLY)

    assert "football" in text(served, "/event-curves")


def test_the_trend_of_accuracy_and_the_ladder_stand_on_the_page(served: Served) -> None:
    enter(served, READ)
    assert "No day has been scored yet" in text(served, "/workloads/web/accuracy")
    scored(served)
    served.clock.present = MONDAY + 2 * DAY
    enter(served, READ)

    html = text(served, "/workloads/web/accuracy")

    assert html.count('class="sketch"') == 10
    assert "Missing for the next rung: 1 of 14 days" in re.sub(r"\s+", " ", html)
    assert "the ladder" in html.lower()


@pytest.mark.parametrize(
    "path", ["/event-curves?kind=" + "x" * 60, "/event-curves?search=" + "x" * 300]
)
def test_senseless_questions_are_a_400(served: Served, path: str) -> None:
    enter(served, READ)

    assert served.client.get(path).status_code == 400
