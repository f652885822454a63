import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.adapters.packing import (
    pack_arrays,
    pack_forecast,
    pack_points,
    unpack_arrays,
    unpack_forecast,
    unpack_points,
)
from prescaler.core.arrays import FloatArray
from prescaler.core.errors import StoreDamaged
from prescaler.core.forecast import Origin
from prescaler.core.widths import Widths
from tests.support.builders import WORKLOAD_ID, daily_demand, forecast

points = arrays(
    np.float64, st.integers(0, 300), elements=st.one_of(st.just(np.nan), st.floats(0, 1e30))
)


@given(points)
def test_demand_is_kept_to_a_millionth(mean: FloatArray) -> None:
    found, peak = unpack_points(pack_points(mean, mean))

    np.testing.assert_allclose(found, mean, rtol=1e-6, atol=1e-38)
    np.testing.assert_array_equal(found, peak)


@given(points)
def test_a_peak_of_its_own_is_kept_too(mean: FloatArray) -> None:
    _, peak = unpack_points(pack_points(mean, mean * 2))

    np.testing.assert_allclose(peak, mean * 2, rtol=1e-6, atol=1e-38)


def test_a_peak_that_is_the_mean_costs_nothing() -> None:
    mean = daily_demand(1)

    assert len(pack_points(mean, mean)) < 0.6 * len(pack_points(mean, mean * 1.37))


def test_a_forecast_comes_back_bit_by_bit() -> None:
    widths = Widths((1, 12), ((0.25,) * 8, (-0.5,) * 8))
    told = {"15m": {"outcomes": 40.0, "0.95": 0.951}}
    made = forecast(plan_widths=widths, plan_record=told)
    found = unpack_forecast(
        pack_forecast(made),
        workload=WORKLOAD_ID,
        version=1,
        cutoff=made.cutoff,
        origin=Origin.LIVE,
    )

    np.testing.assert_array_equal(found.values, made.values)
    assert (found.plan_widths, found.plan_record) == (widths, told)
    assert (found.valid_until, found.issued_at, found.quantiles) == (
        made.valid_until,
        made.issued_at,
        made.quantiles,
    )


def test_a_forecast_of_before_plans_had_widths_is_planned_as_it_is() -> None:
    made = forecast()
    meta, arrays = unpack_arrays(pack_forecast(made))
    old = {name: found for name, found in meta.items() if not name.startswith("plan_")}
    found = unpack_forecast(
        pack_arrays(old, *arrays),
        workload=WORKLOAD_ID,
        version=1,
        cutoff=made.cutoff,
        origin=Origin.LIVE,
    )

    assert found.plan_widths == Widths()
    np.testing.assert_array_equal(found.for_plan, made.values)


PAYLOADS = {
    "points": pack_points(daily_demand(1), daily_demand(1)),
    "forecast": pack_forecast(forecast()),
    "arrays": pack_arrays({}, np.zeros(0, dtype=np.float32)),
}


@given(st.sampled_from(sorted(PAYLOADS)), st.data())
def test_a_damaged_payload_is_never_taken_for_good(kind: str, data: st.DataObject) -> None:
    good = PAYLOADS[kind]
    place = data.draw(st.integers(0, len(good) - 1))
    broken = bytes([*good[:place], good[place] ^ 0xFF, *good[place + 1 :]])

    with pytest.raises(StoreDamaged):
        unpack_arrays(broken)


@given(st.sampled_from(sorted(PAYLOADS)), st.floats(0, 0.99))
def test_a_payload_that_is_cut_off_is_damaged(kind: str, share: float) -> None:
    good = PAYLOADS[kind]

    with pytest.raises(StoreDamaged):
        unpack_arrays(good[: int(len(good) * share)])


def test_a_form_of_the_future_is_said() -> None:
    import zlib

    body = bytearray(zlib.decompress(PAYLOADS["forecast"]))
    body[0] = 9

    with pytest.raises(StoreDamaged, match="form 9, this release reads 1"):
        unpack_arrays(zlib.compress(bytes(body)))
