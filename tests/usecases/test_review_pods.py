"""Pods of the past, asked once for all who look."""

from datetime import timedelta

import pytest

from prescaler.core.errors import BadParameter, SourceUnreachable
from prescaler.core.records import PodCount, ServingState
from prescaler.core.workload import PodQuery
from prescaler.usecases.review import Span
from prescaler.usecases.review_pods import PodReview, PodsSeen
from prescaler.usecases.serve_metric import Served
from tests.support.builders import MINUTE, MONDAY, workload
from tests.support.fakes import Counted

HOUR = timedelta(hours=1)
NOW = MONDAY + 10 * HOUR
QUERY = PodQuery("main", "running", None, "Deployment", "web", "prod")
SERVED = Served(workload(pods=QUERY), ServingState())
SPAN = Span(NOW - HOUR, NOW + HOUR, MINUTE)


@pytest.fixture
def source() -> Counted:
    """Seven pods, six of them ready, whenever it is asked."""
    return Counted({"web": PodCount(7, 6, NOW)})


@pytest.fixture
def review(source: Counted) -> PodReview:
    """A review of that source."""
    return PodReview(lambda: {"main": source})


def values(seen: PodsSeen) -> tuple[set[float], set[float]]:
    columns = seen.columns.columns
    return set(columns["running"].tolist()), set(columns["ready"].tolist())


def test_counts_reach_to_the_present_and_no_further(review: PodReview) -> None:
    seen = review.look(SERVED, SPAN, NOW)

    assert seen.why is None
    assert len(seen.columns.stamps) == 60
    assert values(seen) == ({7.0}, {6.0})
    assert (
        len(review.look(SERVED, Span(NOW + HOUR, NOW + 2 * HOUR, MINUTE), NOW).columns.stamps) == 0
    )


def test_twenty_who_look_cost_one_question(review: PodReview, source: Counted) -> None:
    for _ in range(20):
        review.look(SERVED, SPAN, NOW + timedelta(seconds=5))

    assert len(source.asked) == 1
    review.look(SERVED, SPAN, NOW + timedelta(seconds=40))
    assert len(source.asked) == 2


def test_only_so_many_answers_are_kept(review: PodReview, source: Counted) -> None:
    for hours in range(70):
        review.look(SERVED, Span(NOW - hours * HOUR - HOUR, NOW, HOUR), NOW)
    review.look(SERVED, Span(NOW - HOUR, NOW, HOUR), NOW)

    assert len(source.asked) == 71


def test_what_is_not_known_says_why(review: PodReview, source: Counted) -> None:
    source.failure = SourceUnreachable("main cannot be reached")

    seen = review.look(SERVED, SPAN, NOW)

    assert seen.why == "main cannot be reached"
    assert values(seen) == (set(), set())
    source.failure = None
    assert review.look(SERVED, SPAN, NOW).why is None


def test_pods_that_nobody_counts_are_said_to_be(review: PodReview) -> None:
    blind = Served(workload(), ServingState())

    for one in (review.look(blind, SPAN, NOW), PodReview().look(SERVED, SPAN, NOW)):
        assert one.why == "the pods of this workload are not observed"


def test_too_many_instants_are_refused(review: PodReview) -> None:
    with pytest.raises(BadParameter, match="at most 5000"):
        review.look(SERVED, Span(NOW - timedelta(days=30), NOW, MINUTE), NOW)


def test_ready_pods_for_many_are_asked_until_one_gets_no_answer(source: Counted) -> None:
    """A source that hangs must not be waited for fifty times."""
    review = PodReview(lambda: {"main": source})
    ready = review.ready(NOW)
    span = Span(NOW - HOUR, NOW, MINUTE)

    found = ready(SERVED, span)
    assert found is not None
    assert (found.start, found.step, set(found.mean)) == (NOW - HOUR, MINUTE, {6.0})
    assert ready(Served(workload(), ServingState()), span) is None
    assert ready(SERVED, Span(NOW + HOUR, NOW + 2 * HOUR, MINUTE)) is None

    source.failure = SourceUnreachable("away")
    asked = len(source.asked)
    assert [ready(SERVED, Span(NOW - n * HOUR, NOW, HOUR)) for n in (2, 3, 4)] == [None] * 3
    assert len(source.asked) == asked + 1
