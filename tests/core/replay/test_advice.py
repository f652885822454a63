"""The cheapest configuration that keeps a promise, and the words for it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.core.replay.advice import Advice, Verdict, advise, frontier, split
from prescaler.core.replay.arms import Played
from prescaler.core.replay.ground import Arm, Setting
from prescaler.core.replay.measures import FIELDS, Prices
from prescaler.core.replay.promise import Promise
from prescaler.core.replay.words import Otherwise, advice_words, sleep_words, told
from prescaler.core.scaledobject import Variant
from tests.support.replays import played, reactive

PROMISE = Promise.parse("1%")
PRICES = Prices()
OURS = Setting(Arm.CALENDAR, 0.9, 0.95)
PRESENT = played(reactive(0.5), pods=20, dropped=0)


def grown(run: Played, day: int, dropped: float) -> Played:
    """The same run with more dropped on one day."""
    sums = run.tally.sums.copy()
    sums[0, day, FIELDS.index("dropped")] = dropped
    return replace(run, tally=replace(run.tally, sums=sums))


def test_prediction_pays_where_it_saves_more_than_two_percent() -> None:
    runs = [
        PRESENT,
        played(reactive(0.7), 15, 5),
        played(reactive(0.9), 10, 50),
        played(OURS, 12, 5),
    ]
    found = advise(PROMISE, runs, PRESENT, PRICES, 9)
    words = advice_words(found, Otherwise(), PRESENT)

    assert found.verdict is Verdict.PREDICTION_PAYS
    assert found.kept
    assert found.best is not None
    assert found.best.setting == OURS
    assert found.best.dead is not None
    assert found.best.dead.dropped == pytest.approx(0.05)
    assert found.saving is not None
    assert found.saving.share == pytest.approx(0.4)
    assert found.saving.pod_hours == pytest.approx(8 * 24 * 30)
    assert found.saving.cost == pytest.approx(8 * 24 * 30 * 0.05)
    assert found.best.margin(PROMISE) == pytest.approx((0.005, 0.005))
    assert 0.005 < found.best.bound < 0.01
    assert words[0].startswith("Prediction pays: prescaler with events at 90 %, quantile 0.95")
    assert "keeps it" in words[1]
    assert "saves" in words[2]
    assert "drop 5 %" in words[3]


def test_the_words_say_once_that_the_default_formula_freezes_where_it_is_used() -> None:
    forecast = advise(PROMISE, [PRESENT, played(OURS, 12, 5)], PRESENT, PRICES, 9)
    plain = replace(OURS, arm=Arm.PLAIN)
    without = advise(PROMISE, [PRESENT, played(plain, 12, 5)], PRESENT, PRICES, 9)
    alone = advise(PROMISE, [PRESENT, played(reactive(0.7), 12, 5)], PRESENT, PRICES, 9)
    nearest = advise(PROMISE, [played(OURS, 30, 40)], PRESENT, PRICES, 9)

    def named(found: Advice, variant: Variant = Variant.FORMULA) -> int:
        words = advice_words(found, Otherwise(), PRESENT, variant)
        return "\n".join(words).count("--variant carry-on")

    assert [named(one) for one in (forecast, without, nearest)] == [1, 1, 1]
    assert nearest.verdict is Verdict.PROMISE_OUT_OF_REACH
    assert named(alone) == 0, "without a forecast nothing can stand in"
    assert named(forecast, Variant.TWO_TRIGGERS) == 0
    assert named(forecast, Variant.CARRY_ON) == 0


def test_prediction_does_not_pay_where_reactive_is_as_cheap() -> None:
    runs = [PRESENT, played(reactive(0.8), 12, 5), played(OURS, 11.9, 5)]
    found = advise(PROMISE, runs, PRESENT, PRICES, 9)
    words = advice_words(found, Otherwise(), PRESENT)

    assert found.verdict is Verdict.REACTIVE_IS_ENOUGH
    assert found.best is not None
    assert found.best.setting == reactive(0.8)
    assert "Prediction does not pay here" in words[0]
    assert "0.8 % less pod-hours" in words[0]
    assert any(word.startswith("A higher target pays") for word in words)
    assert not any("dead" in word for word in words)


def test_a_forecast_that_costs_more_is_told_so() -> None:
    runs = [PRESENT, played(reactive(0.8), 12, 5), played(OURS, 13, 5)]
    words = advice_words(advise(PROMISE, runs, PRESENT, PRICES, 9), Otherwise(), PRESENT)

    assert "8.3 % more pod-hours" in words[0]


def test_without_any_forecast_that_keeps_it_reactive_is_enough() -> None:
    runs = [PRESENT, played(OURS, 10, 500)]
    found = advise(PROMISE, runs, PRESENT, PRICES, 9)
    words = advice_words(found, Otherwise(), PRESENT)

    assert found.verdict is Verdict.REACTIVE_IS_ENOUGH
    assert found.forecast is None
    assert words[0].endswith("keeps 1% without a forecast.")
    assert not any(word.startswith("A higher target") for word in words)


def test_where_only_prediction_keeps_it_it_pays() -> None:
    late = played(reactive(0.5), 20, 50)
    found = advise(PROMISE, [late, played(OURS, 30, 5)], late, PRICES, 9)

    assert found.verdict is Verdict.PREDICTION_PAYS
    assert found.reactive is None
    assert found.best is not None
    assert found.best.dead is None
    words = advice_words(found, Otherwise(), late)
    assert any("costs" in word for word in words)
    assert not any("dead" in word for word in words), "nothing is said of what was not played"


def test_where_nothing_keeps_it_the_nearest_is_named() -> None:
    late = played(reactive(0.5), 20, 50)
    found = advise(PROMISE, [late, played(OURS, 30, 40)], late, PRICES, 9)
    quick = advise(PROMISE, [played(reactive(0.9), 10, 5)], late, PRICES, 9)
    words = advice_words(found, Otherwise(quick, quick), late)

    assert found.verdict is Verdict.PROMISE_OUT_OF_REACH
    assert not found.kept
    assert found.best is not None
    assert found.best.setting == OURS
    assert words[0].startswith("No configuration that was tried keeps 1%")
    assert "BREAKS" in words[1]
    assert any("Faster pods pay" in word and "67 % fewer" in word for word in words)
    assert any("tolerance of 0 pays" in word and "67 % fewer" in word for word in words)
    dear = advise(PROMISE, [played(reactive(0.4), 60, 5)], late, PRICES, 9)
    words = advice_words(found, Otherwise(dear), late)
    assert any("Faster pods pay" in word and "100 % more" in word for word in words)


def test_a_choice_that_the_last_third_breaks_is_told() -> None:
    lucky = grown(played(reactive(0.8), 10, 0), day=8, dropped=500)
    found = advise(PROMISE, [lucky], PRESENT, PRICES, 9)

    assert found.verdict is Verdict.REACTIVE_IS_ENOUGH
    assert not found.kept
    words = advice_words(found, Otherwise(), PRESENT)
    assert words[0].startswith("Not proven: reactive at 80 % was the cheapest that kept 1%")
    assert "BREAKS" in words[1]
    assert words[1].startswith(
        "Chosen on the first two thirds (0 % of demand dropped; with 80 % certainty at most 8 bad "
        "spells in 30d, however long"
    )
    assert words[2] == "No more careful setting that was tried kept it on all days."
    calm = played(reactive(0.7), 12, 0)
    quiet = advise(PROMISE, [calm], PRESENT, PRICES, 9)
    assert advice_words(quiet, Otherwise(), PRESENT)[0] == (
        "Prediction does not pay here: reactive at 70 % keeps 1% without a forecast."
    )
    assert advise(PROMISE, [lucky, calm], PRESENT, PRICES, 9).careful is not None


def test_the_next_more_careful_setting_is_named_where_the_last_third_breaks() -> None:
    lucky = grown(played(reactive(0.8), 10, 5), day=8, dropped=500)
    dear, cheap = played(reactive(0.6), 15, 4), played(reactive(0.7), 12, 4)
    hidden = grown(played(reactive(0.75), 11, 4), day=8, dropped=500)
    found = advise(PROMISE, [lucky, dear, cheap, hidden], PRESENT, PRICES, 9)
    words = advice_words(found, Otherwise(), PRESENT)

    assert found.best is not None
    assert found.best.setting == reactive(0.8)
    assert found.careful is not None
    assert found.careful.setting == reactive(0.7)
    assert words[2] == (
        "The next more careful one, reactive at 70 %, kept it on all days, with 20.0 % more "
        "pod-hours."
    )


def test_what_kept_it_by_a_hair_is_not_chosen() -> None:
    """A bad day in six keeps 1 % on average; a second one would not."""
    hair = grown(played(reactive(0.8), 10, 0), day=2, dropped=55)
    careful = played(reactive(0.7), 12, 5)
    found = advise(PROMISE, [hair, careful], PRESENT, PRICES, 9)

    assert found.sure
    assert found.best is not None
    assert found.best.setting == reactive(0.7)


def test_where_days_are_too_few_the_most_careful_of_those_that_kept_it_is_a_hint() -> None:
    cheap = grown(played(reactive(0.8), 10, 0), day=2, dropped=55)
    careful = grown(played(reactive(0.7), 12, 0), day=2, dropped=40)
    runs = [cheap, careful, grown(played(OURS, 8, 0), day=2, dropped=50)]
    found = advise(PROMISE, runs, PRESENT, PRICES, 9)
    words = advice_words(found, Otherwise(), PRESENT)

    assert not found.sure
    assert found.verdict is Verdict.PREDICTION_PAYS
    assert found.reactive is not None
    assert found.reactive.setting == reactive(0.7)
    assert words[0].startswith("Prediction pays: prescaler with events at 90 %")
    assert words[0].endswith("is the most careful of those that kept 1%.")
    assert words[2].startswith("These days are too few to be 80 % certain of any setting")
    broken = grown(careful, day=8, dropped=500)
    hint = advise(PROMISE, [broken], PRESENT, PRICES, 9)
    assert advice_words(hint, Otherwise(), PRESENT)[0].startswith(
        "Not proven: reactive at 70 % was the most careful of those that kept 1%"
    )
    alone = advise(PROMISE, [cheap, careful], PRESENT, PRICES, 9)
    (headline, *_) = advice_words(alone, Otherwise(), PRESENT)
    assert headline == "Prediction does not pay here: reactive at 70 % kept 1% without a forecast."


@pytest.mark.parametrize(("days", "covered"), [(5, 5), (9, 5)])
def test_too_little_history(days: int, covered: int) -> None:
    present = played(reactive(0.5), 20, 0, days=days)
    found = advise(PROMISE, [present], present, PRICES, covered)

    assert found.verdict is Verdict.TOO_LITTLE_HISTORY
    assert advice_words(found, Otherwise(), present)[0].startswith("Too little history")


def test_faster_pods_are_not_named_where_they_would_not_help() -> None:
    runs = [PRESENT, played(reactive(0.8), 12, 5)]
    found = advise(PROMISE, runs, PRESENT, PRICES, 9)
    same = advise(PROMISE, runs, PRESENT, PRICES, 9)
    hopeless = advise(PROMISE, [played(reactive(0.8), 12, 50)], PRESENT, PRICES, 9)

    for other in (same, hopeless):
        words = advice_words(found, Otherwise(other, other), PRESENT)
        assert not any("Faster" in word or "tolerance" in word for word in words)


def test_rare_days_should_be_planned() -> None:
    rare = grown(played(reactive(0.5), 20, 0), day=2, dropped=50)
    even = played(reactive(0.5), 20, 1)
    runs = [PRESENT, played(reactive(0.8), 12, 5)]
    found = advise(PROMISE, runs, rare, PRICES, 9)

    assert "plan them as events" in advice_words(found, Otherwise(), rare)[-1]
    assert "plan them" not in advice_words(found, Otherwise(), even)[-1]


def test_a_period_without_hours_saves_nothing() -> None:
    empty = replace(PRESENT, tally=replace(PRESENT.tally, sums=PRESENT.tally.sums * 0))
    found = advise(PROMISE, [empty], empty, PRICES, 9)

    assert found.saving is not None
    assert (found.saving.share, found.saving.pod_hours) == (0, 0)


def test_two_thirds_and_one() -> None:
    days = np.arange(28)
    first, last = split(28)

    assert len(days[first]) == 18
    assert len(days[last]) == 10


def test_the_frontier_holds_what_nothing_beats() -> None:
    runs = [
        played(reactive(0.5), 20, 1),
        played(reactive(0.6), 20, 2),
        played(reactive(0.7), 15, 3),
        played(reactive(0.8), 16, 3),
        played(reactive(0.9), 10, 9),
    ]

    assert frontier(runs, PRICES) == [4, 2, 0]
    assert frontier(runs, PRICES, 1) == [0], "no event time, nothing to beat one another in"


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (reactive(0.7), "reactive at 70 %"),
        (Setting(Arm.TODAY_CODE, 0.7, times=3), "windows x multiplier, 11/10 code at 70 %, x3"),
        (
            Setting(Arm.PLAIN, 0.9, 0.75, timedelta(minutes=15), 0.6),
            "prescaler without events at 90 %, quantile 0.75, hold 15m, reactive * K at 60 %",
        ),
        (
            Setting(Arm.CALENDAR, 0.95, 0.75, timedelta(minutes=2), growth=True),
            "prescaler with events at 95 %, growth of live demand, quantile 0.75, hold 2m",
        ),
    ],
)
def test_settings_in_words(setting: Setting, text: str) -> None:
    assert told(setting) == text


def test_the_words_of_a_workload_that_may_sleep() -> None:
    present = replace(PRESENT, asleep=0.454, woken=7.0)
    ours = replace(played(OURS, 12, 5), asleep=0.428, woken=8.2)
    by_itself, planned = (sleep_words(present, best, 0.1) for best in (present, ours))

    assert planned == [*planned[:1], "A plan above 0.1 pods wakes it, and keeps it awake."]
    assert "as today 45 % of the time at 0 pods and woken 7 times" in planned[0]
    assert "as named here 43 % of the time at 0 pods and woken 8 times" in planned[0]
    assert len(by_itself) == 1


def test_where_everybody_sleeps_nothing_is_a_share_of_nothing() -> None:
    asleep = [played(reactive(level), 0, 0) for level in (0.5, 0.7)]
    found = advise(PROMISE, asleep, asleep[0], PRICES, 9)

    words = advice_words(found, Otherwise(faster=found, exact=found), asleep[0])

    assert found.best is not None
    assert "saves 0 pod-hours (0.0 %)" in " ".join(words)
