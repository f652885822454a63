"""Counting pods on a real Prometheus that holds kube-state-metrics' series."""

import time
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from prescaler.adapters.prometheus.access import PrometheusAccess
from prescaler.adapters.prometheus.pods import PrometheusPods
from prescaler.core.errors import AnswerNotUnderstood, SourceRefused, SourceUnreachable
from prescaler.core.instants import from_epoch
from prescaler.core.policy import StartTime
from prescaler.core.records import PodCount
from prescaler.core.workload import PodQuery
from tests.support.prometheus import PrometheusServer

NOW = int(time.time()) // 3600 * 3600
AT = from_epoch(NOW)


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    """Four workloads' worth of kube-state-metrics."""
    found = PrometheusServer()
    for name, running, ready in (("web", 37, 35), ("api", 4, 4), ("zero", 0, 0)):
        labels = {"namespace": "prod", "deployment": name}
        for suffix, value in (("", running), ("_ready", ready)):
            row = {"__name__": f"kube_deployment_status_replicas{suffix}", **labels}
            found.write(row, [(NOW - 20, value)])
    for number in range(30):
        _pod(found, f"web-5d8f7-abc{number:02d}", number, node_wait=100.0 if number < 24 else 2.0)
    _pod(found, "web-admin-5d8f7-abcde", 0, node_wait=5000.0)
    yield found
    found.close()


def _pod(server: PrometheusServer, pod: str, number: int, node_wait: float) -> None:
    created = NOW - 40_000 + number * 60
    labels = {"namespace": "prod", "pod": pod, "uid": pod}
    begun, ready = created + node_wait, created + node_wait + 20 + number
    for name, value in (("created", created), ("start_time", begun), ("status_ready_time", ready)):
        row = {"__name__": f"kube_pod_{name}", **labels}
        flapped = value + 9000 if name == "status_ready_time" else value
        server.write(row, [(NOW - 3000, value), (NOW - 2000, flapped)])


@pytest.fixture
def pods(server: PrometheusServer) -> Iterator[PrometheusPods]:
    """The adapter on it."""
    opened = PrometheusPods(PrometheusAccess("main", server.url, max_qps=1000))
    yield opened
    opened.close()


def asked(name: str, running: str | None = None, ready: str | None = "") -> PodQuery:
    place = f'{{namespace="prod",deployment="{name}"}}'
    own = f"kube_deployment_status_replicas_ready{place}" if ready == "" else ready
    counted = running or f"kube_deployment_status_replicas{place}"
    return PodQuery("main", counted, own, "Deployment", name, "prod", measure_starts=True)


def test_counts_come_with_the_instant_of_their_sample(pods: PrometheusPods) -> None:
    found = pods.running({n: asked(n) for n in ("web", "api", "zero", "none")}, AT)

    at = from_epoch(NOW - 20)
    assert found == {
        "web": PodCount(37, 35, at),
        "api": PodCount(4, 4, at),
        "zero": PodCount(0, 0, at),
    }


def test_more_workloads_than_fit_into_one_query_are_all_counted(pods: PrometheusPods) -> None:
    found = pods.running({f"w{n}": asked("web") for n in range(120)}, AT)

    assert len(found) == 120


def test_an_own_query_needs_no_ready_pods(pods: PrometheusPods) -> None:
    own = 'sum(kube_deployment_status_replicas{namespace="prod"})'

    assert pods.running({"all": asked("web", own, None)}, AT)["all"] == PodCount(41, None, AT)


def test_one_broken_query_does_not_cost_the_others(pods: PrometheusPods) -> None:
    broken = asked("web", "sum(", None)

    found = pods.running({"bad": broken, "web": asked("web")}, AT)

    assert list(found) == ["web"]
    with pytest.raises(SourceRefused):
        pods.running({"bad": broken}, AT)
    with pytest.raises(SourceRefused):
        pods.running({"bad": broken, "worse": broken}, AT)


@pytest.mark.parametrize("running", ["vector(-3)", "vector(1e30)", "vector(0/0)"])
def test_an_impossible_count_is_none(pods: PrometheusPods, running: str) -> None:
    assert pods.running({"odd": asked("web", running, None)}, AT) == {}


def test_a_dead_server_is_a_named_error() -> None:
    pods = PrometheusPods(PrometheusAccess("main", "http://127.0.0.1:9"))

    with pytest.raises(SourceUnreachable):
        pods.running({"web": asked("web")}, AT)
    pods.close()


def test_start_times_are_those_of_the_first_readiness(pods: PrometheusPods) -> None:
    found = pods.starts(asked("web"), AT)

    assert (found.pod_samples, found.node_samples) == (30, 24)
    assert found.pods == StartTime(timedelta(seconds=35), timedelta(seconds=50))
    assert found.nodes == StartTime(timedelta(seconds=100), timedelta(seconds=100))


def test_without_starts_nothing_is_measured(pods: PrometheusPods) -> None:
    found = pods.starts(asked("api"), AT)

    assert (found.pods, found.nodes, found.pod_samples) == (None, None, 0)


def test_an_answer_without_numbers_is_refused(
    pods: PrometheusPods, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        document = {"data": {"resultType": "vector", "result": [{"metric": {}}]}}  # noqa: RUF012

    monkeypatch.setattr(pods._session, "request", lambda *_, **__: Broken())
    with pytest.raises(AnswerNotUnderstood):
        pods.running({"web": asked("web")}, AT)
    Broken.document = {"data": {"resultType": "matrix", "result": []}}
    with pytest.raises(AnswerNotUnderstood):
        pods.running({"web": asked("web")}, AT)
    Broken.document = {"data": {"resultType": "matrix", "result": [{"values": [[1]]}]}}
    with pytest.raises(AnswerNotUnderstood):
        pods.history(asked("web"), np.array([NOW], dtype=np.int64))


def test_counts_of_the_past_lie_on_the_instants_asked_for(
    server: PrometheusServer, pods: PrometheusPods
) -> None:
    row = {"__name__": "grown", "namespace": "prod"}
    server.write(row, [(NOW - 600, 3), (NOW - 300, 5), (NOW, 8)])
    instants = np.arange(NOW - 1500, NOW + 1, 300, dtype=np.int64)

    found = pods.history(asked("web", "grown", ready=None), instants)

    assert found.running.tolist()[3:] == [3.0, 5.0, 8.0]
    assert np.isnan(found.running[:3]).all()
    assert np.isnan(found.ready).all()
    with_ready = pods.history(asked("web"), instants[-1:])
    assert (with_ready.running.tolist(), with_ready.ready.tolist()) == ([37.0], [35.0])
