"""The engine's state comes back bit by bit, or not at all."""

import json
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.packed_state import pack_state, unpack_state
from prescaler.core.engine import ModelState, refit, roll
from prescaler.core.errors import StoreDamaged
from prescaler.core.history import DayOff, History
from prescaler.core.level_shift import LevelShift
from tests.support.builders import MINUTE, MONDAY, PARIS, daily_demand, series

HOUR = 60 * MINUTE


def history(days: float, step: timedelta = HOUR) -> History:
    return History.of(series(daily_demand(days, step=step), MONDAY, step), PARIS, 50)


STATE = refit(history(6), 50)
PAYLOAD = pack_state(STATE)


def rewritten(**changes: Any) -> bytes:
    """The payload as another release might have written it."""
    with np.load(BytesIO(PAYLOAD), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    meta = {**json.loads(arrays.pop("meta").tobytes()), **changes}
    stream = BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    np.savez_compressed(stream, allow_pickle=False, meta=text, **arrays)
    return stream.getvalue()


def assert_same(one: Any, two: Any) -> None:
    """Equal in every field, however deep."""
    assert type(one) is type(two)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype
    elif isinstance(one, dict):
        assert_same(sorted(one), sorted(two))
        for key in one:
            assert_same(one[key], two[key])
    elif isinstance(one, tuple | list):
        assert len(one) == len(two)
        for left, right in zip(one, two, strict=True):
            assert_same(left, right)
    elif hasattr(one, "__dataclass_fields__"):
        assert_same(vars(one), vars(two))
    else:
        assert one == two


def test_a_state_comes_back_exactly() -> None:
    assert_same(unpack_state(PAYLOAD), STATE)


def test_a_state_of_a_short_horizon_comes_back_too() -> None:
    state = refit(history(2), 5)

    assert_same(unpack_state(pack_state(state)), state)


def test_the_crowds_that_were_known_come_back_to_the_last_bit() -> None:
    state = replace(STATE, without=2**56 - 3)

    assert unpack_state(pack_state(state)).without == 2**56 - 3


def test_remembered_holidays_come_back_and_a_release_before_them_had_none() -> None:
    state = replace(STATE, holidays=(DayOff(date(2025, 12, 25), 1 / 3),))

    assert unpack_state(pack_state(state)).holidays == state.holidays
    assert unpack_state(rewritten(holidays=[])).holidays == ()
    with pytest.raises(StoreDamaged):
        unpack_state(rewritten(holidays=[["yesterday", 1.0]]))


def test_level_shifts_come_back_and_a_release_before_them_had_none() -> None:
    state = replace(STATE, shifts=(LevelShift(MONDAY, 1 / 3), LevelShift(MONDAY + HOUR, 7.0)))

    assert unpack_state(pack_state(state)).shifts == state.shifts
    assert unpack_state(rewritten(shifts=[])).shifts == ()


def test_a_second_refit_hands_on_what_was_watched() -> None:
    state = refit(history(6.5), 50, STATE)

    assert len(state.watch.cutoffs) == len(state.planned.cutoffs) == 2
    assert state.planned.width.any()
    assert_same(unpack_state(pack_state(state)), state)


def test_a_state_of_before_plans_were_watched_is_read_and_goes_on() -> None:
    with np.load(BytesIO(PAYLOAD), allow_pickle=False) as found:
        arrays = {n: found[n] for n in found.files if not n.startswith("planned/")}
    meta = json.loads(arrays.pop("meta").tobytes())
    del meta["planned"]
    stream = BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    np.savez_compressed(stream, allow_pickle=False, meta=text, **arrays)

    state = unpack_state(stream.getvalue())

    assert_same(state.watch, STATE.watch)
    assert not state.planned.width.any()
    assert len(refit(history(6.5), 50, state).planned.cutoffs) == 1


def test_a_roll_from_the_store_is_the_same_roll() -> None:
    known = history(6.2)

    one, two = (roll(state, known, 50) for state in (STATE, unpack_state(PAYLOAD)))

    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.naive, two.naive)
    assert (one.weights, one.basis) == (two.weights, two.basis)


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_noticed_or_harmless(place: int, mask: int) -> None:
    broken = bytes([*PAYLOAD[:place], PAYLOAD[place] ^ mask, *PAYLOAD[place + 1 :]])

    try:
        found = unpack_state(broken)
    except StoreDamaged:
        return
    assert_same(found, STATE)


def entry_places(offset: int) -> list[int]:
    """Places of one byte of every entry's line in the archive's directory."""
    return [
        place + offset
        for place in range(len(PAYLOAD))
        if PAYLOAD[place : place + 4] == b"PK\x01\x02"
    ]


@pytest.mark.parametrize(("offset", "mask"), [(8, 0x01), (8, 0x20), (10, 0xFF), (6, 0xFF)])
def test_an_entry_that_looks_encrypted_or_foreign_is_damaged(offset: int, mask: int) -> None:
    broken = bytearray(PAYLOAD)
    for place in entry_places(offset):
        broken[place] ^= mask

    with pytest.raises(StoreDamaged, match="cannot be read back"):
        unpack_state(bytes(broken))


@given(st.integers(0, len(PAYLOAD) - 1))
def test_a_state_that_is_cut_off_is_damaged(length: int) -> None:
    with pytest.raises(StoreDamaged):
        unpack_state(PAYLOAD[:length])


@pytest.mark.parametrize("payload", [b"", b"PK\x03\x04", b"garbage" * 50])
def test_what_is_no_archive_is_damaged(payload: bytes) -> None:
    with pytest.raises(StoreDamaged):
        unpack_state(payload)


@pytest.mark.parametrize("form", [1, 4, None, "2"])
def test_another_form_is_said(form: object) -> None:
    with pytest.raises(StoreDamaged, match=f"form {form}, this release reads 3"):
        unpack_state(rewritten(form=form))


@pytest.mark.parametrize(
    "changes",
    [
        {"reaches": [{}]},
        {"scale": {"mean": 1.0}},
        {"step": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_contents_are_damaged(changes: dict[str, Any]) -> None:
    with pytest.raises(StoreDamaged):
        unpack_state(rewritten(**changes))


def test_a_state_that_is_not_a_number_is_not_written() -> None:
    state: ModelState = replace(STATE, scale=replace(STATE.scale, typical=float("nan")))

    with pytest.raises(ValueError, match="not JSON compliant"):
        pack_state(state)


def test_peaks_of_a_release_that_kept_them_by_the_hour_are_carried_on() -> None:
    with np.load(BytesIO(PAYLOAD), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files if not name.endswith("/peak")}
    by_hour = 1.0 + np.arange(24) / 10
    stream = BytesIO()
    np.savez_compressed(stream, allow_pickle=False, peak=by_hour, **arrays)

    state = unpack_state(stream.getvalue())

    for part in state.reaches:
        np.testing.assert_allclose(part.spread.peak_ratio(np.array([1]), np.array([21.5])), 3.1)
        assert part.spread.peak.shape == (len(part.spread.edges), 24)


def test_a_state_without_echo_and_with_two_signs_still_rolls() -> None:
    with np.load(BytesIO(PAYLOAD), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    meta = json.loads(arrays.pop("meta").tobytes()) | {"form": 2}
    for key, reach in enumerate(meta["reaches"]):
        reach["recent"] = reach.pop("usual")
        del reach["echo_limit"], arrays[f"{key}/echo"], arrays[f"{key}/recent"]
        for name in ("slope", "centre", "floor"):
            arrays[f"{key}/{name}"] = arrays[f"{key}/{name}"][:, :2]
    stream = BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    np.savez_compressed(stream, allow_pickle=False, meta=text, **arrays)

    state = unpack_state(stream.getvalue())

    assert_same(state.watch, STATE.watch)
    assert np.isfinite(roll(state, history(6), 50).values).all()
    for part in state.reaches:
        assert not part.echo.share.any()
        assert not part.spread.slope[:, 2:].any()
