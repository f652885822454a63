from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter


@given(st.integers(0, 36_500 * 86_400))
def test_what_is_written_is_read_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)

    assert duration == parse_duration(format_duration(duration))


@given(st.integers(0, 10_000), st.sampled_from("smhdw"))
def test_any_whole_number_with_a_unit_is_read(number: int, unit: str) -> None:
    factor = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    if number * factor > 36_500 * 86_400:
        return

    assert timedelta(seconds=number * factor) == parse_duration(f"{number}{unit}")


@pytest.mark.parametrize(
    ("text", "seconds"), [("36h", 129_600), ("2d", 172_800), ("90s", 90), ("4w", 2_419_200)]
)
def test_the_largest_unit_that_divides_is_written(text: str, seconds: int) -> None:
    assert text == format_duration(timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "5 m",
        "-5m",
        "1.5h",
        "5M",
        "5min",
        "1h30m",
        "٥m",
        "5m\n",
        "9" * 30 + "s",
        "99999w",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        parse_duration(text)


@pytest.mark.parametrize("duration", [timedelta(seconds=-1), timedelta(seconds=0.5)])
def test_what_has_no_form_is_not_written(duration: timedelta) -> None:
    with pytest.raises(BadParameter):
        format_duration(duration)
