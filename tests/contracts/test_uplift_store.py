"""What past crowds taught, on every kind of store."""

from datetime import timedelta

import numpy as np

from prescaler.core.uplift import UpliftModel
from tests.contracts.conftest import AllStores
from tests.support.builders import MONDAY, workload
from tests.support.crowds import PARIS, STEP, Night, crowd, history

NIGHTS = [Night(day, 5.0, labels={"stage": str(day % 2)}) for day in (8, 10, 15, 17, 22, 24)]


def learnt(nights: list[Night]) -> UpliftModel:
    told = history(28, nights, noise=0.05)
    return UpliftModel.empty(STEP, PARIS).learned(told, [crowd(night) for night in nights])


def test_nothing_is_known_before_the_first_time(stores: AllStores) -> None:
    version = stores.workloads.ensure(workload(), MONDAY)

    assert stores.uplifts.get(version) is None
    assert stores.uplifts.learned() == {}


def test_what_was_stored_gives_the_same_curve(stores: AllStores) -> None:
    version = stores.workloads.ensure(workload(), MONDAY)
    model, planned = learnt(NIGHTS), crowd(Night(29, 1.0, labels={"stage": "1"}))

    stores.uplifts.put(version, model, MONDAY)

    found = stores.uplifts.get(version)
    assert found is not None
    assert found.suits(STEP, PARIS, None)
    assert found.seen == model.seen
    before, after = model.curve(planned), found.curve(planned)
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after.middle, before.middle, atol=1e-6)
    np.testing.assert_allclose(after.spread, before.spread, atol=1e-6)
    assert after.evidence == before.evidence
    assert stores.uplifts.learned() == {version.id: MONDAY}


def test_a_later_one_replaces_it(stores: AllStores) -> None:
    version = stores.workloads.ensure(workload(), MONDAY)
    stores.uplifts.put(version, learnt(NIGHTS), MONDAY)

    stores.uplifts.put(version, learnt(NIGHTS[:2]), MONDAY + timedelta(hours=1))

    found = stores.uplifts.get(version)
    assert found is not None
    assert len(found.seen) == 2
    assert np.isnan(found.kinds["football"].similarity.error_share)
    assert stores.uplifts.learned() == {version.id: MONDAY + timedelta(hours=1)}


def test_an_empty_one_can_be_stored(stores: AllStores) -> None:
    version = stores.workloads.ensure(workload(), MONDAY)

    stores.uplifts.put(version, UpliftModel.empty(STEP, PARIS, "FR"), MONDAY)

    found = stores.uplifts.get(version)
    assert found is not None
    assert found.suits(STEP, PARIS, "FR")
    assert found.kinds == {}
