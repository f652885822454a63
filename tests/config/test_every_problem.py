"""Laws of the check: problems do not hide each other, and none is said twice."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prescaler.config.fields import UnsoundField
from prescaler.config.models import FileSection, WorkloadSection
from prescaler.config.partial import partial
from tests.config.conftest import Load

Problems = Callable[..., list[str]]
Place = tuple[str | int, ...]

SOUND: dict[str, Any] = {
    "prometheus": {"main": {"url": "http://prom:9090"}},
    "store": {"url": "sqlite:////tmp/x.sqlite"},
    "keys": [{"name": "keda", "value_env": "KEDA_KEY"}, {"name": "ops", "value_env": "KEDA_KEY"}],
    "server": {"listen": "127.0.0.1:8080"},
    "retention": {"scores": "100d", "fine_demand": "100d", "coarse_demand": "100d"},
    "events": {"feeds": [{"name": "cal", "url": "https://a/c", "workloads": ["api"]}]},
    "workloads": [
        {
            "name": name,
            "scale_target": {"name": name, "min_pods": 2, "max_pods": 50},
            "demand": {"source": ["main"], "query": "x", "resolution": "1m", "delay": "1m"},
            "forecast": {"step": "5m", "history": "28d", "every": "5m", "country": "FR"},
            "capacity": {"per_pod": 100, "utilisation": 0.8},
            "policy": {"quantile": 0.9, "min_pods": 1},
            "lead_time": {"pod_start": {"p50": "30s", "p95": "60s"}, "sync": "15s"},
            "windows": [{"start": "19:30", "end": "23:30", "min_pods": 20}],
        }
        for name in ("web", "api")
    ],
}

BREAKS: list[tuple[Place, Any, str]] = [
    (("prometheus", "main", "url"), "ftp://x", "prometheus.main.url: 'ftp://x' has the wrong form"),
    (("prometheus", "main", "max_qps"), 0, "prometheus.main.max_qps: "),
    (("prometheus", "main", "tmeout"), "5s", "prometheus.main.tmeout: unknown key"),
    (("store", "url"), "postgresql://u:p@h/d", "store.url: an address with credentials"),
    (("keys", 0, "value_env"), "NOT_SET_ANYWHERE", "keys[0]: the environment variable"),
    (("keys", 1, "scope"), "root", "keys[1].scope: is 'root'"),
    (("keys", 1, "name"), "keda", "keys[1].name: the key name 'keda' stands twice"),
    (("server", "listen"), "8080", "server.listen: '8080' has the wrong form"),
    (("server", "tls"), {"cert_file": "x"}, "server.tls.key_file: is missing"),
    (("retention", "scores"), "1d", "retention.scores: must be at least 56d"),
    (("retention", "coarse_demand"), "90d", "retention.coarse_demand: must be at least retention."),
    (("events", "feeds", 0, "workloads", 0), "nobody", "workloads[0]: no workload 'nobody'"),
    (("events", "feeds", 0, "every"), "1s", "events.feeds[0].every: must be at least 1m"),
    (("events", "feeds", 0, "factor"), "five", "events.feeds[0].factor: is 'five'"),
    (("include",), ["none/*.yaml"], "include[0]: 'none/*.yaml' matches no file"),
    (("defaults",), {"policy": {"quantil": 0.9}}, "defaults.policy.quantil: unknown key"),
    (("workloads", 0, "name"), "api", "workloads[1].name: the name 'api' is taken"),
    (("workloads", 0, "scale_target", "min_pods"), 60, "scale_target.min_pods: is above max_pods"),
    (("workloads", 0, "demand", "source", 0), "other", "demand.source[0]: no source 'other'"),
    (("workloads", 0, "demand", "query"), "", "demand.query: "),
    (("workloads", 0, "demand", "resolution"), "7m", "demand.resolution: must divide a day"),
    (("workloads", 0, "demand", "delay"), "-5s", "demand.delay: '-5s' is not a duration"),
    (("workloads", 0, "forecast", "history"), "1d", "forecast.history: must lie between"),
    (("workloads", 0, "forecast", "country"), "XX", "forecast.country: no public holidays"),
    (("workloads", 0, "forecast", "timezone"), "Mars", "forecast.timezone: 'Mars' is no time"),
    (("workloads", 0, "capacity", "per_pod"), 0, "workloads[0].capacity.per_pod: "),
    (("workloads", 0, "capacity", "utilisation"), 1.5, "workloads[0].capacity.utilisation: "),
    (("workloads", 0, "policy", "quantile"), 95, "policy.quantile: "),
    (("workloads", 0, "policy", "min_pods"), 70, "policy.min_pods: is above scale_target.max"),
    (("workloads", 0, "lead_time", "sync"), "0s", "lead_time.sync: must be at least 1s"),
    (("workloads", 0, "lead_time", "polling"), "0s", "lead_time.polling: must be at least 1s"),
    (("workloads", 0, "scale_target", "cooldown"), "-5m", "cooldown: '-5m' is not a duration"),
    (("workloads", 0, "scale_target", "wake_at"), -0.1, "scale_target.wake_at: "),
    (("workloads", 0, "scale_target", "idle_pods"), 1, "scale_target.idle_pods: "),
    (("workloads", 0, "lead_time", "pod_start", "p50"), "2m", "pod_start.p50: the median is"),
    (("workloads", 0, "windows", 0, "start"), "25:00", "windows[0].start: '25:00' is no time"),
    (("workloads", 0, "windows", 0, "min_pods"), 90, "windows[0].min_pods: is above scale"),
    (("workloads", 0, "like"), {"workload": "nobody"}, "like.workload: no other workload"),
]  # fmt: skip


def broken(*breaks: tuple[Place, Any, str]) -> str:
    content = deepcopy(SOUND)
    for (*parents, last), value, _ in breaks:
        place: Any = content
        for key in parents:
            place = place[key]
        place[last] = deepcopy(value)
    return yaml.safe_dump(content, sort_keys=False)


def test_without_a_break_there_is_no_problem(load: Load) -> None:
    assert len(load(broken()).workloads) == 2


@given(breaks=st.lists(st.sampled_from(BREAKS), min_size=1, unique_by=lambda one: one[0]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_problem_is_said_once_whatever_else_is_wrong(
    problems: Problems, breaks: list[tuple[Place, Any, str]]
) -> None:
    found = problems(broken(*breaks))

    missed = [text for _, _, text in breaks if sum(text in one for one in found) != 1]
    assert not missed, found
    assert len(found) == len(breaks), found


def test_ports_end(problems: Problems) -> None:
    place: tuple[Place, Any, str] = (("server", "listen"), "[::1]:65536", "")

    assert "server.listen: '[::1]:65536': ports end at 65535" in problems(broken(place))[0]


def test_all_of_them_at_once(problems: Problems) -> None:
    found = problems(broken(*BREAKS))

    assert len(found) == len(BREAKS)


@pytest.mark.parametrize("name", list(SOUND))
@pytest.mark.parametrize("nonsense", [None, 7, "x", [], [7], {"a": 7}, [[]]])
def test_a_part_that_is_nonsense_hides_no_other(
    problems: Problems, name: str, nonsense: Any
) -> None:
    other = BREAKS[0] if name != "prometheus" else BREAKS[9]

    found = problems(broken(other, ((name,), nonsense, "")))

    assert any(other[2] in one for one in found), found


def test_a_key_that_stands_twice_hides_no_other_problem(problems: Problems) -> None:
    found = problems(broken(BREAKS[7]) + "server: {listen: '8080'}\n")

    assert ["stands twice" in one or "wrong form" in one for one in found] == [True, True]


def test_a_partial_section_of_a_sound_content_is_the_section() -> None:
    content = {name: part for name, part in SOUND.items() if name != "workloads"}

    assert partial(FileSection, content) == FileSection.model_validate(content)
    for workload in SOUND["workloads"]:
        assert partial(WorkloadSection, workload) == WorkloadSection.model_validate(workload)


def test_what_was_refused_cannot_be_read_and_the_rest_can() -> None:
    workload: Mapping[str, Any] = {**SOUND["workloads"][0], "policy": {"quantile": 7, "cap": 0.25}}

    section = partial(WorkloadSection, {**workload, "name": 5, "lead_time": 3})

    assert section.policy.cap == 0.25
    assert section.policy.min_pods == 0
    for read in (lambda: section.name, lambda: section.policy.quantile, lambda: section.lead_time):
        with pytest.raises(UnsoundField):
            read()
    with pytest.raises(AttributeError):
        _ = section.no_such_field  # type: ignore[attr-defined]
