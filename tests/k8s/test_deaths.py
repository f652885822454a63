"""What the printed objects do when one side or both are dead: the truth table, in the model.

Load is counted in pods' worth: demand now needs 10 pods, the forecast asks for 20.
"""

from pathlib import Path

import pytest

from prescaler.core.errors import BadParameter
from tests.k8s.keda_expr import admit
from tests.k8s.keda_model import Scaled, metrics_for_hpa, read_scaled_object, wanted_pods
from tests.k8s.printed import CASES, FORMULAS, LEAST, Case, print_objects

DEMAND, FORECAST = 10, 20
RUNNING = (4, 8, 12, 16, 40, 120)
SUMMED = [case for case in CASES if case.sources > 1]
SINGLE = [case for case in CASES if case.sources == 1]

every_size = pytest.mark.parametrize("running", RUNNING)
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_single = pytest.mark.parametrize("case", SINGLE, ids=str)
every_summed = pytest.mark.parametrize("case", SUMMED, ids=str)
every_printed = pytest.mark.parametrize(
    ("case", "variant"), [(case, variant) for case in CASES for variant in case.variants], ids=str
)
every_formula = pytest.mark.parametrize("variant", FORMULAS)


def ask(
    configuration: Path, case: Case, variant: str, predicted: int | None, reactive: int | None
) -> tuple[Scaled, list[float | None]]:
    """The printed object and its triggers' readings. None: that side is dead."""
    scaled = read_scaled_object(print_objects(configuration, case.name, variant)[0])
    ours = None if predicted is None else predicted * case.predicted
    if reactive is None:
        return scaled, [ours, *[None] * case.sources]
    divided = variant == "two-triggers" and case.in_pods
    theirs = float(reactive) if divided else reactive * case.reactive
    return scaled, [ours, *[theirs / case.sources] * case.sources]


def pods(asked: tuple[Scaled, list[float | None]], running: int) -> int:
    scaled, readings = asked
    return wanted_pods(scaled, metrics_for_hpa(scaled, readings), running)


@every_printed
@every_size
def test_alive_the_larger_of_forecast_and_reality_counts(
    configuration: Path, case: Case, variant: str, running: int
) -> None:
    assert pods(ask(configuration, case, variant, FORECAST, DEMAND), running) == FORECAST
    assert pods(ask(configuration, case, variant, 0, DEMAND), running) == DEMAND


@every_case
@every_formula
@every_size
def test_without_us_a_formula_scales_by_reality_alone_at_once(
    configuration: Path, case: Case, variant: str, running: int
) -> None:
    assert pods(ask(configuration, case, variant, None, DEMAND), running) == DEMAND


@every_case
@every_size
def test_without_prometheus_the_formula_keeps_what_runs(
    configuration: Path, case: Case, running: int
) -> None:
    for predicted in (FORECAST, 0, None):
        assert pods(ask(configuration, case, "formula", predicted, None), running) == running


@every_case
@every_size
def test_without_prometheus_carry_on_follows_the_forecast_and_else_takes_its_number(
    configuration: Path, case: Case, running: int
) -> None:
    assert pods(ask(configuration, case, "carry-on", FORECAST, None), running) == FORECAST
    assert pods(ask(configuration, case, "carry-on", 0, None), running) == LEAST
    assert pods(ask(configuration, case, "carry-on", None, None), running) == LEAST


@every_single
@every_size
def test_of_two_triggers_the_living_one_may_raise_and_nothing_lowers(
    configuration: Path, case: Case, running: int
) -> None:
    variant = "two-triggers"

    assert pods(ask(configuration, case, variant, None, DEMAND), running) == max(running, DEMAND)
    assert pods(ask(configuration, case, variant, FORECAST, None), running) == max(
        running, FORECAST
    )
    assert pods(ask(configuration, case, variant, 0, None), running) == running
    assert pods(ask(configuration, case, variant, None, None), running) == running


@every_summed
@pytest.mark.parametrize("dead", [1, 2])
def test_one_dead_source_of_two_counts_as_prometheus_dead(
    configuration: Path, case: Case, dead: int
) -> None:
    for variant, expected in (("formula", 12), ("carry-on", FORECAST)):
        scaled, readings = ask(configuration, case, variant, FORECAST, DEMAND)
        readings[dead] = None

        assert expected == pods((scaled, readings), 12)


@every_formula
def test_only_a_threshold_of_zero_spares_the_freeze(configuration: Path, variant: str) -> None:
    document = print_objects(configuration, "plain", variant)[0]
    document["spec"]["fallback"]["failureThreshold"] = 3
    patient, readings = read_scaled_object(document), [None, DEMAND * 80.0]

    assert wanted_pods(patient, metrics_for_hpa(patient, readings, failures=3), 40) == 40
    assert wanted_pods(patient, metrics_for_hpa(patient, readings, failures=4), 40) == DEMAND


@every_size
def test_the_forbidden_formula_does_lower(configuration: Path, running: int) -> None:
    document = print_objects(configuration, "plain", "formula")[0]
    document["spec"]["minReplicaCount"] = 1
    document["spec"]["advanced"]["scalingModifiers"]["formula"] = (
        "max(predicted ?? 0, reactive ?? 0)"
    )
    forbidden = read_scaled_object(document)

    assert wanted_pods(forbidden, metrics_for_hpa(forbidden, [0.0, None]), running) == 1


@every_size
def test_two_triggers_with_a_static_fallback_do_lower(configuration: Path, running: int) -> None:
    document = print_objects(configuration, "plain", "two-triggers")[0]
    document["spec"]["fallback"] = {"failureThreshold": 0, "replicas": LEAST}
    forbidden = read_scaled_object(document)

    assert wanted_pods(forbidden, metrics_for_hpa(forbidden, [0.0, None]), running) == LEAST


@every_case
@every_formula
def test_keda_admits_the_printed_formula(configuration: Path, case: Case, variant: str) -> None:
    scaled, _ = ask(configuration, case, variant, FORECAST, DEMAND)

    assert scaled.formula is not None
    admit(scaled.formula, {str(name) for name in scaled.names})


@every_summed
def test_two_triggers_are_refused_where_they_would_have_to_add_up(
    configuration: Path, case: Case
) -> None:
    with pytest.raises(BadParameter, match="cannot add them up"):
        print_objects(configuration, case.name, "two-triggers")
