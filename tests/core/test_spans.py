"""Sets of stretches behave like sets of minutes."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.spans import Span, united, without
from tests.support.builders import MINUTE, MONDAY

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(
        lambda ends: Span(MONDAY + ends[0] * MINUTE, MONDAY + ends[1] * MINUTE)
    ),
    max_size=8,
)


def minutes(spans: object) -> set[int]:
    return {
        minute
        for span in spans  # type: ignore[attr-defined]
        for minute in range(int((span.start - MONDAY) / MINUTE), int((span.end - MONDAY) / MINUTE))
    }


def is_a_set(spans: tuple[Span, ...]) -> bool:
    pairs = pairwise(spans)
    return all(s.length > timedelta(0) for s in spans) and all(a.end < b.start for a, b in pairs)


@given(SPANS)
def test_united_covers_the_same_minutes_once(spans: list[Span]) -> None:
    found = united(spans)

    assert minutes(found) == minutes(spans)
    assert is_a_set(found)


@given(SPANS, SPANS)
def test_without_is_the_difference(whole: list[Span], taken: list[Span]) -> None:
    found = without(whole, taken)

    assert minutes(found) == minutes(whole) - minutes(taken)
    assert is_a_set(found)
