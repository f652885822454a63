import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.planned import Effect
from prescaler.core.uplift import Crowd, fingerprint
from tests.support.crowds import Night, crowd

sets_of_days = st.sets(st.integers(0, 60), max_size=8)


def crowds(days: set[int]) -> list[Crowd]:
    return [crowd(Night(day, 2.0)) for day in sorted(days)]


@given(sets_of_days, st.randoms())
def test_the_order_is_nothing(days: set[int], random: object) -> None:
    mixed = crowds(days)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    assert fingerprint(mixed) == fingerprint(crowds(days))


@given(sets_of_days, sets_of_days)
def test_other_crowds_are_told_apart(one: set[int], other: set[int]) -> None:
    assert (fingerprint(crowds(one)) == fingerprint(crowds(other))) is (one == other)


def test_none_is_0_and_every_number_survives_json() -> None:
    found = fingerprint(crowds({1, 2, 3}))

    assert fingerprint([]) == 0
    assert json.loads(json.dumps(found)) == found
    assert float(found) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another"},
        {"kind": "concert"},
        {"end": crowd(Night(3, 2.0)).end + timedelta(minutes=5)},
        {"effect": Effect(factor=2.0)},
        {"effect": Effect(ramp_after=timedelta(hours=3))},
    ],
)
def test_whatever_changes_what_is_taken_out_is_seen(changes: dict[str, object]) -> None:
    before = crowd(Night(3, 2.0))

    assert fingerprint([replace(before, **changes)]) != fingerprint([before])  # type: ignore[arg-type]
