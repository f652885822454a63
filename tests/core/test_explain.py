"""Explanations in words, and the wall clock times that people type."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.decision import Reason, Status
from prescaler.core.errors import BadParameter
from prescaler.core.explain import explain, local_instant, reason_text, until
from prescaler.core.records import LoggedDecision
from tests.support.builders import MONDAY, PARIS

AT = datetime(2026, 11, 24, 19, 41, tzinfo=UTC)
ENTRY = LoggedDecision(
    since=AT - timedelta(seconds=45),
    value=10_000.0,
    pods=125,
    status="active",
    reason=None,
    mode="active",
    would_serve=10_000.0,
    cutoff=AT - timedelta(minutes=11),
    stages=(("median", 6000.0, ""), ("floor", None, ""), ("rounding", 10_000.0, "37 pods run")),
    target=80.0,
)


def test_a_decision_is_told_in_both_clocks_with_pods_beside_each_stage() -> None:
    told = explain(ENTRY, 1.0, PARIS, AT)

    assert told.headline == (
        "2026-11-24 20:41:00 Europe/Paris (2026-11-24T19:41:00Z): 125 pods "
        "(10000 load units at 80 a pod)"
    )
    assert told.facts[0] == "in force since 2026-11-24 20:40:15 Europe/Paris (2026-11-24T19:40:15Z)"
    assert "11 minutes before" in told.facts[-1]
    assert [(s.stage, s.pods) for s in told.stages] == [
        ("median", 75), ("floor", None), ("rounding", 125)
    ]  # fmt: skip
    assert told.stages[2].text == "as it was sent (37 pods run)"


@pytest.mark.parametrize(
    ("note", "value", "said"),
    [
        ("active; live demand x 1.5", 0.0, ": live demand x 1.5"),
        ("active; live demand x 1.5", 240.0, ": live demand x 1.5; at least 3 pods (240 load"),
        ("shadow; would be live demand x 2.0", 0.0, ": live demand x 1.0, would be x 2.0"),
    ],
)
def test_growth_is_what_is_told_and_the_plan_is_not_served(
    note: str, value: float, said: str
) -> None:
    stages = (("maximum", 6000.0, ""), ("mode", 0.0, note), ("rounding", value, ""))
    entry = replace(ENTRY, value=value, pods=3 if value else 0, would_serve=value, stages=stages)

    told = explain(entry, 80.0, PARIS, AT)

    assert said in told.headline
    assert "acts as growth: KEDA multiplies what it reads itself; the plan is not served" in (
        told.facts
    )
    assert f"mode active; mode active would have served {value:g} beside growth" in told.facts
    assert told.stages[0].text == "highest need of a plan, which growth does not serve"
    assert note in told.stages[1].text


def test_no_forecast_always_says_why() -> None:
    entry = LoggedDecision(
        MONDAY, 0.0, 1, "neutral", "too_little_history", "active", 0.0, None, ENTRY.stages,
        detail="5.0 h of history, 48 h are needed",
    )  # fmt: skip
    told = explain(entry, 100.0, PARIS, MONDAY)

    assert "1 pod (" in told.headline
    assert any("no forecast: there was too little history" in fact for fact in told.facts)
    assert "detail: 5.0 h of history, 48 h are needed" in told.facts
    assert told.facts[-1] == "no forecast was there"
    assert told.stages[0].pods == 60


def test_every_status_and_reason_has_its_words() -> None:
    for reason in Reason:
        assert "unknown" not in reason_text(reason.value)
    for status in Status:
        entry = LoggedDecision(MONDAY, 0.0, 0, status.value, None, "off", 0.0, None, ())
        assert not any("unknown" in fact for fact in explain(entry, 1.0, PARIS, MONDAY).facts)
    assert reason_text("guard:residuals") == "the guard residuals kept the forecast out"
    assert "unknown" in reason_text("new_in_the_next_release")


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_a_wall_clock_time_is_read_in_its_zone_or_refused(wall: datetime) -> None:
    text = wall.replace(microsecond=0).isoformat(sep=" ")
    try:
        found = local_instant(text, PARIS)
    except BadParameter:
        # Only the hour that the spring clock skips is refused.
        assert wall.hour == 2 or wall.year < 1980
        return
    assert found.astimezone(PARIS).replace(tzinfo=None, fold=0) == wall.replace(
        microsecond=0, fold=0
    )


def test_instants_with_their_offset_and_hours_that_come_twice() -> None:
    assert local_instant("2026-11-24 20:41", PARIS) == AT
    assert local_instant("2026-11-24T19:41:00Z", PARIS) == AT
    assert local_instant("2026-11-24T21:41:00+02:00", ZoneInfo("UTC")) == AT
    assert local_instant("2026-10-25 02:30", PARIS) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with pytest.raises(BadParameter, match="the clock skips it"):
        local_instant("2026-03-29 02:30", PARIS)


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "2026-13-01 00:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        local_instant(text, PARIS)


def test_an_end_is_a_duration_or_an_instant() -> None:
    assert until("2h", PARIS, MONDAY) == MONDAY + timedelta(hours=2)
    assert until("2026-11-24 20:41", PARIS, MONDAY) == AT
    with pytest.raises(BadParameter):
        until("soon", PARIS, MONDAY)
