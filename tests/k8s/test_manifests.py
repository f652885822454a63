"""Every manifest is valid, is used, and the parts refer to each other rightly."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest

import prescaler
from prescaler.config import load_settings
from tests.k8s import crd_schemas
from tests.k8s.local import KEY
from tests.k8s.manifests import (
    BASE_CONFIGURATION,
    K8S,
    OVERLAYS,
    Manifest,
    containers,
    example_files,
    kustomizations,
    only,
    pod_specs,
    read,
    rendered,
    resource_files,
)

KUBERNETES = ("1.32", kubernetes_validate.latest_version())
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
every_release = pytest.mark.parametrize("release", KUBERNETES)


def short(value: Any) -> str:
    return str(value.relative_to(K8S)) if isinstance(value, Path) else str(value)


def check(document: Manifest, release: str) -> None:
    if document["kind"] in crd_schemas.FOREIGN:
        crd_schemas.check(document)
    else:
        kubernetes_validate.validate(document, release, strict=True)


@pytest.mark.parametrize("file", [*resource_files(), *example_files()], ids=short)
@every_release
def test_every_file_is_valid_as_it_stands(file: Path, release: str) -> None:
    for document in read(file):
        check(document, release)


@every_overlay
@every_release
def test_every_overlay_renders_to_valid_objects(overlay: str, release: str) -> None:
    objects = rendered(overlay)

    assert len(objects) > 8
    for document in objects:
        check(document, release)


def test_validation_sees_a_wrong_type() -> None:
    (deployment,) = read(K8S / "base" / "deployment.yaml")
    deployment["spec"]["replicas"] = "two"

    with pytest.raises(kubernetes_validate.ValidationError):
        check(deployment, KUBERNETES[-1])


def test_no_file_of_the_base_and_the_overlays_lies_about_unused() -> None:
    used = {*resource_files(), *kustomizations()}
    for file in kustomizations():
        (content,) = read(file)
        generators = content.get("configMapGenerator", [])
        generated = [name for generator in generators for name in generator["files"]]
        patches = [patch["path"] for patch in content.get("patches", [])]
        used |= {file.parent / name for name in (*generated, *patches)}

    assert used == {*K8S.glob("base/*"), *K8S.glob("overlays/*/*")}


@every_overlay
def test_everything_but_the_namespace_lives_in_it(overlay: str) -> None:
    objects = rendered(overlay)
    namespace = only(objects, "Namespace")["metadata"]["name"]

    homes = {d["metadata"].get("namespace") for d in objects if d["kind"] != "Namespace"}
    assert homes == {namespace}


@every_overlay
def test_the_mounted_configuration_is_the_base_file(overlay: str) -> None:
    objects = rendered(overlay)
    configuration = only(objects, "ConfigMap")

    assert configuration["data"] == {"prescaler.yaml": BASE_CONFIGURATION.read_text("utf-8")}
    for pod in pod_specs(objects):
        (volume,) = [v for v in pod["volumes"] if v["name"] == "config"]
        assert volume["configMap"]["name"] == configuration["metadata"]["name"]


@every_overlay
def test_the_file_asks_for_what_the_pods_provide(
    overlay: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = only(rendered(overlay), "ConfigMap")["data"]["prescaler.yaml"]
    (tmp_path / "api-key").write_text(KEY)
    inside = "/run/secrets/prescaler-keda"
    (tmp_path / "prescaler.yaml").write_text(text.replace(inside, str(tmp_path)))
    monkeypatch.setenv("PRESCALER_STORE_URL", "sqlite:////var/lib/prescaler/prescaler.sqlite")
    settings = load_settings(tmp_path / "prescaler.yaml")

    assert f"{inside}/api-key" in text
    assert [key.values for key in settings.keys] == [(KEY,)]
    for pod in pod_specs(rendered(overlay)):
        for container in containers(pod):
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert {"/etc/prescaler", inside, "/tmp"} <= mounts
            variables = {variable["name"]: variable.get("value") for variable in container["env"]}
            assert variables["PRESCALER_CONFIG"] == "/etc/prescaler/prescaler.yaml"
            assert "PRESCALER_STORE_URL" in variables


@every_overlay
def test_the_public_url_and_the_address_lead_through_the_service_to_the_server(
    overlay: str, base_configuration: Path
) -> None:
    objects, section = rendered(overlay), load_settings(base_configuration).server
    service = only(objects, "Service")
    (port,) = service["spec"]["ports"]
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    metadata = service["metadata"]
    url = urlsplit(section.public_url)

    assert url.hostname == f"{metadata['name']}.{metadata['namespace']}"
    assert (url.port, port["targetPort"]) == (port["port"], container["ports"][0]["name"])
    assert section.listen == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    assert section.snapshot_dir in {mount["mountPath"] for mount in container["volumeMounts"]}


@every_overlay
def test_every_container_runs_this_release(overlay: str) -> None:
    images = {c["image"] for pod in pod_specs(rendered(overlay)) for c in containers(pod)}

    assert images == {f"ghcr.io/prescaler/prescaler:{prescaler.__version__}"}


def test_prometheus_scrapes_the_service(base_configuration: Path) -> None:
    (service,) = read(K8S / "base" / "service.yaml")
    (monitor,) = read(K8S / "base" / "servicemonitor.yaml")
    labels, wanted = service["metadata"]["labels"], monitor["spec"]["selector"]["matchLabels"]

    assert wanted.items() <= labels.items()
    assert [e["port"] for e in monitor["spec"]["endpoints"]] == [
        service["spec"]["ports"][0]["name"]
    ]
    assert not load_settings(base_configuration).server.metrics_key


def test_no_manifest_holds_a_secret() -> None:
    kinds = [d["kind"] for file in (*resource_files(), *example_files()) for d in read(file)]

    assert "Secret" not in kinds
