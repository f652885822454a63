import pickle

import pytest

from prescaler.core.errors import BadEvents, UnknownCountry


@pytest.mark.parametrize(
    ("count", "end"),
    [(1, "event 0: no end"), (5, "event 4: no end"), (7, "event 4: no end; and 2 more")],
)
def test_many_bad_events_are_named_by_their_place_and_the_rest_counted(
    count: int, end: str
) -> None:
    error = BadEvents([(number, "no end") for number in range(count)])

    assert str(error).startswith("nothing was stored. event 0: no end")
    assert str(error).endswith(end)
    assert len(error.complaints) == count


def test_an_unknown_country_is_said_once_also_by_another_process() -> None:
    error = UnknownCountry("XX")

    assert str(pickle.loads(pickle.dumps(error))) == str(error)
