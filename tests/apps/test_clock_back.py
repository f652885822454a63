"""The machine's clock is set back: nothing fails, and what was is there again later."""

from datetime import timedelta

import pytest

from tests.apps.conftest import AS_ADMIN, Served
from tests.support.browsing import enter, text

WEB = "/api/v1/workloads/web"


@pytest.mark.parametrize("back", [timedelta(minutes=7), timedelta(hours=3), timedelta(days=400)])
def test_a_clock_that_is_set_back_stops_no_answer(admin: Served, back: timedelta) -> None:
    before = admin.metric().json()

    admin.clock.move(-back)
    admin.keeper.round()
    then = admin.metric()
    paths = (WEB, f"{WEB}/plan", f"{WEB}/chart", "/api/v1/status", "/api/v1/audit", "/metrics")
    codes = {path: admin.get(path).status_code for path in paths}
    admin.clock.move(back)
    admin.keeper.round()

    assert (then.status_code, then.json()["value"] >= 0) == (200, True)
    assert set(codes.values()) == {200}, codes
    assert admin.metric().json() == before


def test_pages_stand_a_clock_that_is_set_back(admin: Served) -> None:
    admin.clock.move(-timedelta(hours=1))
    enter(admin, AS_ADMIN["X-API-Key"])

    for path in ("/", "/workloads/web", "/events", "/audit", "/workloads/web/accuracy"):
        assert text(admin, path)
