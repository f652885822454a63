"""Gaps are what a person would call so."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.gaps import gaps
from prescaler.core.spans import Span
from tests.support.builders import MINUTE, MONDAY, series


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 40))
def test_gaps_are_the_inner_holes_wherever_it_is_cut(seen: list[bool], cut: int) -> None:
    values = np.where(seen, 1.0, np.nan)
    pieces = [
        series(values[at : at + cut], MONDAY + at * MINUTE, MINUTE)
        for at in range(0, len(values), cut)
    ]

    found = list(gaps(pieces))

    text = "".join("x" if one else "." for one in seen)
    first, last = text.find("x"), text.rfind("x")
    expected, at = [], first
    while 0 <= at < last:
        if text[at] == ".":
            end = text.find("x", at)
            expected.append(Span(MONDAY + at * MINUTE, MONDAY + end * MINUTE))
            at = end
        at += 1
    assert found == expected


def test_nothing_has_no_gaps() -> None:
    assert list(gaps([])) == []
    assert list(gaps([series(np.empty(0), MONDAY, MINUTE)])) == []
