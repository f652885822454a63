import itertools
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.retention import thinned
from tests.support.builders import MONDAY


@given(st.integers(0, 300), st.integers(1, 50))
def test_at_most_so_many_are_chosen_and_the_newest_always(there: int, most: int) -> None:
    instants = [MONDAY + timedelta(hours=number) for number in range(there)]
    found = thinned(instants, most)

    assert len(found) <= most
    assert found[-1:] == instants[-1:]
    assert len({b - a for a, b in itertools.pairwise(found)}) <= 1
    assert thinned(instants, None) == instants
