"""What each expert would have said, beside what came."""

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.correction import Residuals, RunningSums, windows_in_steps
from prescaler.core.errors import ForecasterFailed
from prescaler.core.forecasters import POOL
from prescaler.core.forecasters.copy import PeriodCopy
from prescaler.core.history import History
from prescaler.core.leads import reaches
from prescaler.core.scales import DemandScale
from prescaler.core.trial import Expert, predict, prepare, redraw, run_trial
from tests.support.builders import PARIS, STEP, daily_demand, series

H = 120


def history(values: FloatArray) -> History:
    return History.of(series(values), PARIS, 600)


@pytest.mark.parametrize("number", [0, 1])
def test_the_present_is_predicted_as_the_past_was_tried(number: int) -> None:
    """Both draw the curves and the corrections in their own way; at learnt leads they agree."""
    known = history(daily_demand(14))
    scale, reach = DemandScale.of(known.demand), reaches(STEP, 600)[number]
    ready = prepare(known, scale, reach, POOL)
    learnt = run_trial(ready, known, scale, reach)[1]

    drawn = redraw(known, scale, reach, learnt, POOL)
    said = predict(drawn, known, scale, reach, learnt)

    points, ahead = len(known), len(known) - 1 + reach.leads
    rows = slice(0, len(POOL))
    demand = np.broadcast_to(scale.forward(known.demand, "log"), (len(POOL), points))
    residuals = Residuals.of(demand, ready.drawn.bases[rows, :points], learnt.spread[rows])
    now = RunningSums.of(residuals).means(np.array([points - 1]), windows_in_steps(STEP))
    correction = (now @ learnt.coefficients[rows])[:, 0]
    wanted = scale.backward(ready.drawn.bases[rows][:, ahead] + correction, "log")
    np.testing.assert_allclose(said.ahead[rows][:, reach.leads - 1 - reach.covers.start], wanted)


def test_less_than_a_day_of_past_cutoffs_is_said() -> None:
    known = history(daily_demand(0.9))

    with pytest.raises(ForecasterFailed, match="shorter than a day of past cutoffs"):
        prepare(known, DemandScale.of(known.demand), reaches(STEP, H)[0], POOL)


def test_experts_are_named_in_the_order_of_their_predictions() -> None:
    known = history(daily_demand(4))
    pool = (PeriodCopy("bare", 1, plain=True), PeriodCopy("smooth", 1, "near"))

    scale, reach = DemandScale.of(known.demand), reaches(STEP, H)[0]
    trial, _ = run_trial(prepare(known, scale, reach, pool), known, scale, reach)

    pairs = [("bare", "log"), ("smooth", "log"), ("bare", "root"), ("smooth", "root")]
    assert trial.experts == tuple(Expert(*p) for p in (*pairs, ("bare", "plain")))
    assert len(trial.predicted) == 5
    known_at = len(known) - 1 - np.rint(trial.age_days * 288).astype(int)
    copied = known.demand[known_at[:, None] + trial.leads - 288]
    np.testing.assert_allclose(trial.predicted[4], copied, rtol=1e-9)
