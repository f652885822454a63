"""The printed address, place of the value and key, tried on a running prescaler as KEDA would."""

import base64
import json
from pathlib import Path

import pytest

from tests.k8s.keda_model import metric_of, read_value
from tests.k8s.local import FLOOR_PODS, KEY, LocalServer
from tests.k8s.manifests import K8S, PROBES, read
from tests.k8s.printed import VARIANTS, Manifest, print_objects

pytestmark = pytest.mark.xdist_group("k8s-server")

SECRETS = {("prescaler-keda", "api-key"): KEY}
TARGET = 80
"""per_pod 100 x utilisation 0.8, as the base says."""


def trigger_of(server: LocalServer, workload: str, variant: str) -> tuple[Manifest, dict[str, str]]:
    """Metadata of our trigger, and the headers that KEDA makes of its authentication."""
    scaled, authentication = print_objects(server.configuration, workload, variant)
    metadata: Manifest = scaled["spec"]["triggers"][0]["metadata"]
    parameters = {
        reference["parameter"]: SECRETS[reference["name"], reference["key"]]
        for reference in authentication["spec"]["secretTargetRef"]
    }
    assert metadata["authMode"] == "apiKey"
    return metadata, {"X-API-KEY": parameters["apiKey"]}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("workload", "expected"),
    [("web", 0), ("floored", FLOOR_PODS * TARGET), ("counted", FLOOR_PODS)],
)
def test_every_variant_finds_its_value(
    server: LocalServer, variant: str, workload: str, expected: int
) -> None:
    metadata, headers = trigger_of(server, workload, variant)

    status, body = server.get(metadata["url"], headers)
    value = read_value(body, metadata["valueLocation"])

    assert status == 200
    assert metric_of(value) == (expected * 1000, expected > 0)


def test_the_answer_says_why_it_is_neutral(server: LocalServer) -> None:
    metadata, headers = trigger_of(server, "web", "formula")

    _, body = server.get(metadata["url"], headers)
    answer = json.loads(body)

    assert len(body) < 1000
    assert body.count(b'"value"') == 1
    assert answer["status"] == "neutral"
    assert answer["reason"] in {"warming_up", "too_little_history", "no_forecast"}
    assert answer["target"] == float(metadata["targetValue"])


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "another-key-of-thirty-two-bytes-"}])
def test_without_the_right_key_the_scaler_fails(
    server: LocalServer, headers: dict[str, str]
) -> None:
    metadata, _ = trigger_of(server, "floored", "formula")

    status, body = server.get(metadata["url"], headers)

    assert status == 401
    assert read_value(body, metadata["valueLocation"]) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"Basic {base64.b64encode(f'keda:{KEY}'.encode()).decode()}"},
    ],
    ids=["bearer", "basic"],
)
def test_other_ways_of_sending_the_key_work(server: LocalServer, headers: dict[str, str]) -> None:
    metadata, _ = trigger_of(server, "floored", "formula")

    assert server.get(metadata["url"], headers)[0] == 200


def test_the_key_may_stand_in_the_query(server: LocalServer) -> None:
    metadata, _ = trigger_of(server, "floored", "formula")
    path, _, query = metadata["url"].partition("?")

    assert server.get(f"{path}?api_key={KEY}&{query}", {})[0] == 200


def test_an_unknown_workload_is_an_error_to_keda(server: LocalServer) -> None:
    metadata, headers = trigger_of(server, "web", "formula")

    assert server.get(metadata["url"].replace("/web/", "/other/"), headers)[0] == 404


def test_the_probes_of_the_manifests_answer_without_a_key(server: LocalServer) -> None:
    (deployment,) = read(K8S / "base" / "deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    paths = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in PROBES]

    assert paths == ["/readyz", "/readyz", "/livez"]
    assert {server.get(f"http://pod{path}", {})[0] for path in paths} == {200}


def test_it_ends_well_within_the_time_that_kubernetes_gives(tmp_path: Path) -> None:
    code, seconds = LocalServer(tmp_path).end()

    assert code == 0
    assert seconds < 10
