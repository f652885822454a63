from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.errors import BadParameter
from prescaler.core.instants import floor_to, format_instant, from_epoch, parse_instant, to_epoch

instants = st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=st.just(UTC)).map(
    lambda t: t.replace(microsecond=0)
)


@given(instants)
def test_what_is_written_is_read_back(instant: datetime) -> None:
    assert instant == parse_instant(format_instant(instant))
    assert instant == from_epoch(to_epoch(instant))


@given(instants, st.sampled_from([60, 300, 900, 3600, 86_400]))
def test_the_grid_is_anchored_at_1970(instant: datetime, seconds: int) -> None:
    step = timedelta(seconds=seconds)
    stamp = floor_to(instant, step)

    assert stamp <= instant < stamp + step
    assert to_epoch(stamp) % seconds == 0


def test_years_have_four_digits() -> None:
    assert format_instant(datetime(1, 2, 3, 4, 5, 6, 789, tzinfo=UTC)) == "0001-02-03T04:05:06Z"


def test_offsets_become_utc() -> None:
    assert parse_instant("2026-11-24T21:41:30.9+01:00") == datetime(
        2026, 11, 24, 20, 41, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-24", "2026-11-24T20:41:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
     "tomorrow", "1732480860", "2026-11-24T20:41:00+99:00", "0001-01-01T00:00:00+14:00"],
)  # fmt: skip
def test_a_stamp_without_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        parse_instant(text)
