"""The model against what was observed of KEDA 2.20.2 and the HPA of Kubernetes 1.36."""

from dataclasses import replace

import pytest

from tests.k8s.keda_expr import FormulaError, admit, composite
from tests.k8s.keda_model import (
    Fallback,
    Metric,
    Scaled,
    ScalerError,
    metric_of,
    metrics_for_hpa,
    milli,
    next_pods,
    read_value,
    wanted_pods,
)

NAMES = {"predicted", "reactive"}
MIN_INT64 = -9223372036854775808
TEN_EACH = Scaled(
    names=("predicted", "reactive"),
    targets=(10.0, 10.0),
    formula=None,
    formula_target="",
    fallback=None,
    least=1,
    most=50,
    tolerance_up=0.1,
    tolerance_down=0.1,
)
ONE_EACH = replace(TEN_EACH, formula="max(predicted ?? 0, reactive)", formula_target="1")


@pytest.mark.parametrize(
    ("text", "expected", "active"),
    [
        ("42", 42_000, True),
        ("42.5", 42_500, True),
        ("-3", 0, False),
        ("0", 0, False),
        ("0.0004", 0, True),
        ("0.0006", 1, True),
        ("1e3", 1_000_000, True),
        ("1e30", int(1e30) * 1000, True),
        ("1e400", 0, True),
        ("NaN", 0, False),
        ("Infinity", 0, True),
        ("-Infinity", 0, False),
        ('"42"', 42_000, True),
        ('"42.5"', 42_500, True),
        ('"100m"', 100, True),
        ('"1k"', 1_000_000, True),
        ('"1Ki"', 1_024_000, True),
        ('"1n"', 0, True),
        ('"1e3"', 1_000_000, True),
        ('"-5"', 0, False),
        ('"+5"', 5_000, True),
        ('"0.0004"', 0, True),
    ],
)
def test_a_value_becomes_a_quantity_of_three_decimals(
    text: str, expected: int, active: bool
) -> None:
    value = read_value(f'{{"value": {text}}}'.encode(), "value")

    assert (expected, active) == metric_of(value)


@pytest.mark.parametrize(
    "text", ["null", "true", "false", "[7]", "[]", "{}", '""', '"abc"', '"NaN"', '" 5"']
)
def test_what_is_no_number_is_an_error(text: str) -> None:
    with pytest.raises(ScalerError):
        metric_of(read_value(f'{{"value": {text}}}'.encode(), "value"))


@pytest.mark.parametrize(
    ("body", "location", "expected"),
    [
        (b'{"a": {"b": [{"c": 11}, {"c": 12}]}}', "a.b.0.c", 11),
        (b'{"a": {"b": [{"c": 11}, {"c": 12}]}}', "a.b.1.c", 12),
        (b'{"a": {"b": [{"c": 11}, {"c": 12}]}}', "a.b.9.c", None),
        (b'{"value": 42}', "nope", None),
        (b'{"my.key": 3}', "my.key", None),
        (b'{"UPPER": 6}', "upper", None),
        (b'{"value": 42}', "$.value", None),
        (b'{"value": 1, "value": 2}', "value", 1),
        (b'\xef\xbb\xbf{"value": 42}', "value", 42),
    ],
)
def test_value_location_finds_a_value_or_null(
    body: bytes, location: str, expected: int | None
) -> None:
    assert expected == read_value(body, location)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("max(predicted, reactive)", 10_000),
        ("predicted + reactive", 14_000),
        ("predicted * 1.2", 12_000),
        ("predicted > reactive ? predicted : reactive", 10_000),
        ("predicted > 5 ? 7 : 1", 7_000),
        ("max(predicted, 5)", 10_000),
        ("max(predicted, 50)", 50_000),
        ("predicted", 10_000),
        ("5", 5_000),
        ("predicted == nil ? reactive : predicted", 10_000),
        ("predicted ?? reactive", 10_000),
        ("predicted?? reactive", 10_000),
        ("(predicted ?? 0)", 10_000),
        ("max(predicted ?? 0, reactive ?? 0)", 10_000),
        ("predicted * 1e18", MIN_INT64),
        ("predicted * 0.00001", 0),
        ("predicted * 0.12345", 1_234),
    ],
)
def test_a_formula_with_both_values_gives_what_was_observed(formula: str, expected: int) -> None:
    admit(formula, NAMES)

    result = composite(formula, {"predicted": 10.0, "reactive": 4.0})

    assert result is not None
    assert expected == milli(result)


@pytest.mark.parametrize(
    "formula",
    [
        "predicted > 5",
        "nil",
        "coalesce(predicted, reactive)",
        "Max(predicted, reactive)",
        "clamp(predicted,1,5)",
        "max(predicted, missing)",
        "max(predicted,",
        "predicted || reactive",
        "predicted // comment",
        "max(predicted, reactive) # x",
        "",
        "Predicted + reactive",
        "predicted ?? 0 > 1 ? 7 : 1",
    ],
)
def test_admission_refuses_what_it_was_seen_to_refuse(formula: str) -> None:
    with pytest.raises(FormulaError):
        admit(formula, NAMES)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("predicted ?? reactive", 4.0),
        ("max(predicted ?? 0, reactive)", 4.0),
        ("max(predicted ?? reactive, reactive ?? predicted)", 4.0),
        ("predicted == nil ? reactive : max(predicted, reactive)", 4.0),
        ("predicted == nil ? reactive : (predicted ?? 0)", 4.0),
        ("(predicted ?? 0) * 1.0", 0.0),
    ],
)
def test_a_formula_goes_on_without_the_prediction(formula: str, expected: float) -> None:
    assert expected == composite(formula, {"reactive": 4.0})


@pytest.mark.parametrize(
    "formula",
    [
        "max(predicted, reactive)",
        "predicted + reactive",
        "predicted > reactive ? predicted : reactive",
    ],
)
def test_nil_in_arithmetic_is_an_error(formula: str) -> None:
    with pytest.raises(FormulaError):
        composite(formula, {"reactive": 4.0})


def test_with_both_nil_a_formula_is_nil_a_number_or_an_error() -> None:
    assert composite("predicted ?? reactive", {}) is None
    assert composite("max(predicted ?? 0, reactive ?? 0)", {}) == 0.0
    assert composite("predicted ?? reactive ?? 8", {}) == 8.0
    with pytest.raises(FormulaError):
        composite("max(predicted ?? reactive, reactive ?? predicted)", {})


def test_zero_and_the_placeholder_are_no_nil() -> None:
    assert composite("predicted ?? reactive", {"predicted": 0.0, "reactive": 4.0}) == 0.0
    assert composite("predicted ?? reactive", {"predicted": -1.0, "reactive": 4.0}) == -1.0


@pytest.mark.parametrize(("target", "expected"), [("5", 5_000), ("8", 8_000), ("1.5", None)])
def test_a_nil_result_becomes_the_fallback_where_the_target_is_a_whole_number(
    target: str, expected: int | None
) -> None:
    nil = replace(
        ONE_EACH,
        formula="predicted ?? reactive",
        formula_target=target,
        fallback=Fallback(0, 1, "scalingModifiers"),
    )

    assert expected == metrics_for_hpa(nil, [None, None])[0].milli


def test_without_fallback_one_error_freezes_the_composite() -> None:
    assert metrics_for_hpa(ONE_EACH, [None, 30.0]) == [Metric(None, 1000)]
    assert wanted_pods(ONE_EACH, [Metric(None, 1000)], 8) == 8


def test_a_static_fallback_replaces_the_whole_composite() -> None:
    static = replace(ONE_EACH, fallback=Fallback(3, 2, "static"))

    assert metrics_for_hpa(static, [None, 30.0], failures=3)[0].milli is None
    assert metrics_for_hpa(static, [None, 30.0], failures=4)[0].milli == 2000


def test_the_formula_decides_only_above_the_threshold() -> None:
    deciding = replace(ONE_EACH, fallback=Fallback(3, 2, "scalingModifiers"))

    assert metrics_for_hpa(deciding, [None, 30.0], failures=3)[0].milli is None
    assert metrics_for_hpa(deciding, [None, 30.0], failures=4)[0].milli == 30_000


def test_without_formula_a_fallback_stands_for_its_trigger_alone() -> None:
    falling_back = replace(TEN_EACH, fallback=Fallback(0, 2, "static"))

    assert metrics_for_hpa(falling_back, [None, 300.0]) == [
        Metric(20_000, 10_000),
        Metric(300_000, 10_000),
    ]


def test_of_two_triggers_one_that_fails_lets_the_other_raise_and_never_lower() -> None:
    assert wanted_pods(TEN_EACH, metrics_for_hpa(TEN_EACH, [None, 300.0]), 8) == 30
    assert wanted_pods(TEN_EACH, metrics_for_hpa(TEN_EACH, [None, 30.0]), 8) == 8
    assert wanted_pods(TEN_EACH, metrics_for_hpa(TEN_EACH, [0.0, 30.0]), 8) == 3


def test_when_all_triggers_fail_nothing_moves() -> None:
    assert wanted_pods(TEN_EACH, metrics_for_hpa(TEN_EACH, [None, None]), 8) == 8


@pytest.mark.parametrize(
    ("value", "pods", "tolerance", "expected"),
    [
        (22.0, 20, 0.1, 20),
        (22.01, 20, 0.1, 23),
        (20.5, 20, 0.0, 21),
        (18.0, 20, 0.1, 20),
        (17.99, 20, 0.1, 18),
        (11.01, 1, 0.1, 12),
        (30.0, 0, 0.1, 0),
        (1e30, 20, 0.1, 50),
    ],
)
def test_the_hpa_asks_for_the_observed_number_of_pods(
    value: float, pods: int, tolerance: float, expected: int
) -> None:
    scaled = replace(ONE_EACH, tolerance_up=tolerance)

    assert expected == wanted_pods(scaled, metrics_for_hpa(scaled, [value, 0.0]), pods)


@pytest.mark.parametrize("negative", [-1_000, MIN_INT64])
def test_a_negative_sum_scales_to_the_maximum(negative: int) -> None:
    assert _ramp(wanted_pods(ONE_EACH, [Metric(negative, 1000)], 4), 4) == [4, 8, 16, 32, 50]


def test_the_built_in_ramp_takes_the_observed_steps() -> None:
    assert _ramp(30, 1) == [1, 4, 8, 16, 30]
    assert _ramp(30, 4) == [4, 8, 16, 30]


def _ramp(wanted: int, pods: int) -> list[int]:
    steps = [pods]
    while steps[-1] < wanted:
        steps.append(next_pods(wanted, steps[-1]))
    return steps
