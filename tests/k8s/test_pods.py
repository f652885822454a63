"""How the pods run: without rights, with probes and bounds, and what a bad day may do to them."""

import pytest

from tests.k8s.manifests import (
    OVERLAYS,
    PROBES,
    Manifest,
    containers,
    only,
    pod_specs,
    rendered,
)

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
STATE = "/var/lib/prescaler"


def server_pod(overlay: str) -> Manifest:
    pod: Manifest = only(rendered(overlay), "Deployment")["spec"]["template"]["spec"]
    return pod


def server(overlay: str) -> Manifest:
    (container,) = server_pod(overlay)["containers"]
    return container  # type: ignore[no-any-return]


def volume_at(pod: Manifest, container: Manifest, path: str) -> Manifest:
    (name,) = [m["name"] for m in container["volumeMounts"] if m["mountPath"] == path]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == name]
    return volume  # type: ignore[no-any-return]


def selects(selector: Manifest, labels: Manifest) -> bool:
    return bool(selector["matchLabels"].items() <= labels.items())


@every_overlay
def test_no_pod_runs_as_root_or_speaks_to_kubernetes(overlay: str) -> None:
    for pod in pod_specs(rendered(overlay)):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == 10001
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == "prescaler"
        assert pod["enableServiceLinks"] is False


@every_overlay
def test_no_container_has_rights_or_a_writable_root(overlay: str) -> None:
    for pod in pod_specs(rendered(overlay)):
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@every_overlay
def test_every_container_has_requests_and_a_bound_on_memory(overlay: str) -> None:
    for pod in pod_specs(rendered(overlay)):
        for container in containers(pod):
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"])
            assert "memory" in resources["limits"]
            assert "cpu" not in resources["limits"]


@every_overlay
def test_secrets_come_by_reference_and_only_to_the_group(overlay: str) -> None:
    for pod in pod_specs(rendered(overlay)):
        secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        assert [secret["secretName"] for secret in secrets] == ["prescaler-keda"]
        assert [secret["defaultMode"] for secret in secrets] == [0o440]


@every_overlay
def test_what_may_be_written_is_a_volume_of_the_pod(overlay: str) -> None:
    pod, container = server_pod(overlay), server(overlay)
    writable = [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")]

    assert sorted(writable) == ["/tmp", STATE]
    assert volume_at(pod, container, "/tmp")["emptyDir"]["sizeLimit"]


@every_overlay
def test_the_server_is_probed_for_start_readiness_and_life(overlay: str) -> None:
    container = server(overlay)
    probes = [container[f"{kind}Probe"] for kind in PROBES]
    paths = [probe["httpGet"]["path"] for probe in probes]

    assert paths == ["/readyz", "/readyz", "/livez"]
    assert {probe["httpGet"]["port"] for probe in probes} == {container["ports"][0]["name"]}
    # Two connection timeouts of 5 s, on a machine that is slow.
    assert probes[0]["periodSeconds"] * probes[0]["failureThreshold"] >= 60


@every_overlay
def test_the_server_leaves_before_it_is_killed(overlay: str) -> None:
    pod, container = server_pod(overlay), server(overlay)
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert container["args"] == ["serve"]
    assert pod["terminationGracePeriodSeconds"] >= pause + 2 * 5


@every_overlay
def test_one_pod_at_a_time_may_be_moved_and_a_node_can_always_be_drained(overlay: str) -> None:
    objects = rendered(overlay)
    deployment, budget = only(objects, "Deployment"), only(objects, "PodDisruptionBudget")["spec"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert selects(budget["selector"], labels)
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@every_overlay
def test_the_network_policy_holds_every_pod(overlay: str) -> None:
    objects = rendered(overlay)
    policy = only(objects, "NetworkPolicy")["spec"]
    (port,) = [port["port"] for rule in policy["ingress"] for port in rule["ports"]]
    callers = [peer["namespaceSelector"] for rule in policy["ingress"] for peer in rule["from"]]

    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert port == server(overlay)["ports"][0]["containerPort"]
    assert len(callers) == 2
    for document in objects:
        if document["kind"] in ("Deployment", "Job"):
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert selects(policy["podSelector"], labels)


@every_overlay
def test_the_service_and_the_budget_leave_the_migration_out(overlay: str) -> None:
    objects = rendered(overlay)
    selector = only(objects, "Service")["spec"]["selector"]
    chosen = [
        document["kind"]
        for document in objects
        if document["kind"] in ("Deployment", "Job")
        and selects({"matchLabels": selector}, document["spec"]["template"]["metadata"]["labels"])
    ]

    assert chosen == ["Deployment"]


def test_with_sqlite_one_pod_owns_the_file_and_migrates_before_it_serves() -> None:
    deployment, pod = only(rendered("sqlite"), "Deployment")["spec"], server_pod("sqlite")
    (first,) = pod["initContainers"]
    address = {"name": "PRESCALER_STORE_URL", "value": f"sqlite:///{STATE}/prescaler.sqlite"}

    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    assert first["args"] == ["db", "upgrade"]
    for container in (first, server("sqlite")):
        assert address in container["env"]
        assert set(volume_at(pod, container, STATE)) == {"name", "persistentVolumeClaim"}


def test_with_postgres_two_pods_on_two_nodes_are_replaced_one_by_one() -> None:
    deployment, pod = only(rendered("postgres"), "Deployment")["spec"], server_pod("postgres")
    hosts, _ = pod["topologySpreadConstraints"]

    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert (hosts["topologyKey"], hosts["maxSkew"]) == ("kubernetes.io/hostname", 1)
    assert hosts["whenUnsatisfiable"] == "DoNotSchedule"
    assert hosts["nodeTaintsPolicy"] == "Honor"


def test_with_postgres_each_pod_keeps_its_own_snapshot_and_waits_for_no_database() -> None:
    pod = server_pod("postgres")

    assert "initContainers" not in pod
    assert "emptyDir" in volume_at(pod, server("postgres"), STATE)


def test_with_postgres_a_job_migrates() -> None:
    job = only(rendered("postgres"), "Job")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    store = {"secretKeyRef": {"name": "prescaler-store", "key": "url"}}

    assert container["args"] == ["db", "upgrade"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["ttlSecondsAfterFinished"] > 0
    for each in (container, server("postgres")):
        assert {"name": "PRESCALER_STORE_URL", "valueFrom": store} in each["env"]


def test_with_postgres_its_port_is_open_to_the_pods() -> None:
    rules = only(rendered("postgres"), "NetworkPolicy")["spec"]["egress"]

    assert [{"port": 5432, "protocol": "TCP"}] in [rule["ports"] for rule in rules]
