"""The printed `growth` variant in the model of KEDA and the HPA, alive and dead."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.errors import BadParameter
from prescaler.core.hpa import smallest_reachable
from prescaler.core.policy import Tolerance
from tests.k8s import crd_schemas
from tests.k8s.keda_expr import admit
from tests.k8s.keda_model import Scaled, metrics_for_hpa, read_scaled_object, wanted_pods
from tests.k8s.local import local_base
from tests.k8s.manifests import EXAMPLES
from tests.k8s.printed import print_keda, print_objects, write_configuration

TARGET = 80
GROWS = {"min_pods": 3, "acts_as": "growth"}


def printed(folder: Path, **section: Any) -> Scaled:
    own = {"name": "web", "policy": GROWS, **section}
    document, _ = print_objects(
        write_configuration(folder / "prescaler.yaml", own), "web", "growth"
    )
    crd_schemas.check(document)
    scaled = read_scaled_object(document)
    assert scaled.formula is not None
    admit(scaled.formula, {str(name) for name in scaled.names})
    return scaled


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Scaled:
    return printed(tmp_path_factory.mktemp("growth"))


def pods(scaled: Scaled, ours: tuple[float, ...] | None, live: float | None, running: int) -> int:
    """ours: value, growth and running pods as we answer; None: we are dead."""
    theirs = [live] * (len(scaled.names) - 3)
    return wanted_pods(scaled, metrics_for_hpa(scaled, [*(ours or (None,) * 3), *theirs]), running)


def test_the_formula_and_its_triggers(scaled: Scaled) -> None:
    wanted = "max(predicted ?? 0, reactive * max(growth ?? 1, 1))"

    assert scaled.names == ("predicted", "growth", "running", "reactive")
    assert scaled.formula == (
        f"{wanted} > (running ?? 0) * 80 ? max({wanted}, (running ?? 0) * 88 + 0.8) : {wanted}"
    )


def test_the_example_is_what_is_printed_for_the_base_once_it_grows(tmp_path: Path) -> None:
    path = local_base(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("    mode: shadow", "    mode: shadow\n    acts_as: growth", 1))

    assert print_keda(path, "web") == (EXAMPLES / "growth.yaml").read_text(encoding="utf-8")


live = st.floats(0, 150 * TARGET)
growths = st.floats(1, 6).map(lambda value: round(value, 3))
running_pods = st.integers(2, 200)


@given(live, growths, st.floats(0, 150 * TARGET), running_pods)
def test_it_lands_where_the_hpa_can_go(
    scaled: Scaled, live: float, growth: float, floor: float, running: int
) -> None:
    """As `decide` lands its own value: on the smallest size that the HPA can reach."""
    live, floor = round(live, 3), round(floor, 3)
    wanted = max(math.ceil(round(max(floor, live * growth) * 1000) / 1000 / TARGET - 1e-4), 2)
    near = {wanted, wanted + 1}

    found = pods(scaled, (floor, growth, running), live, running)

    if wanted > running:
        reached = {min(smallest_reachable(n, running, Tolerance()), 200) for n in near}
        assert found in reached
        assert found > running or running == 200
    else:
        assert found <= running + 1


@given(live, running_pods)
def test_without_us_it_is_reactive_scaling_to_the_pod(
    scaled: Scaled, live: float, running: int
) -> None:
    live = round(live, 3)
    alone = Scaled(("reactive",), (80.0,), None, "", None, scaled.least, scaled.most, 0.1, 0.1)

    expected = wanted_pods(alone, metrics_for_hpa(alone, [live]), running)

    assert pods(scaled, None, live, running) == expected
    assert pods(scaled, (0.0, 1.0, 0), live, running) == expected


@given(live, growths, running_pods, st.integers(0, 200), st.booleans())
def test_reactive_scaling_is_never_undercut(
    scaled: Scaled, live: float, growth: float, running: int, told: int, nonsense: bool
) -> None:
    live = round(live, 3)
    alone = pods(scaled, None, live, running)

    assert pods(scaled, (0.0, -growth if nonsense else growth, told), live, running) >= alone


@pytest.mark.parametrize("ours", [(4000.0, 2.0, 12), (0.0, 1.0, 0), None])
def test_without_prometheus_it_keeps_what_runs(
    scaled: Scaled, ours: tuple[float, ...] | None
) -> None:
    assert pods(scaled, ours, None, 12) == 12


def test_without_a_tolerance_nothing_has_to_land(tmp_path: Path) -> None:
    exact = printed(tmp_path, lead_time={"tolerance": {"up": 0}})

    assert exact.names == ("predicted", "growth", "reactive")
    assert exact.formula == "max(predicted ?? 0, reactive * max(growth ?? 1, 1))"


def test_growth_stays_under_the_ceiling_and_reality_does_not(tmp_path: Path) -> None:
    most = printed(tmp_path, policy={**GROWS, "max_pods": 20})

    assert pods(most, (0.0, 3.0, 12), 10 * TARGET, 12) == 20
    assert pods(most, (0.0, 3.0, 19), 10 * TARGET, 19) == 19, "20 of 19 is swallowed, 21 too many"
    assert pods(most, (0.0, 3.0, 12), 30 * TARGET, 12) == 30


def test_sources_are_added_up_before_they_grow(tmp_path: Path) -> None:
    two = printed(tmp_path, demand={"source": ["main", "other"], "query": "sum(x)"})

    assert pods(two, (0.0, 2.0, 12), 10 * TARGET, 12) == 40


def test_in_pods(tmp_path: Path) -> None:
    capacity = {"per_pod": 0.5, "utilisation": 0.8, "unit": "pods"}
    one = printed(tmp_path, capacity=capacity)

    assert pods(one, (0.0, 1.05, 12), 12 * 0.4, 12) == 14, "12.6 pods land on 14"


@pytest.mark.parametrize(
    ("acts_as", "variant"), [("growth", "formula"), ("growth", "carry-on"), ("plan", "growth")]
)
def test_a_variant_under_which_nothing_would_act_is_refused(
    tmp_path: Path, acts_as: str, variant: str
) -> None:
    own = {"name": "web", "policy": {"acts_as": acts_as}}
    path = write_configuration(tmp_path / "prescaler.yaml", own)

    with pytest.raises(BadParameter, match=r"policy\.acts_as"):
        print_objects(path, "web", variant)
