"""docker-compose.yml and its files: valid, closed to the outside, and what prescaler accepts."""

import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from prescaler.config import load_settings
from tests.k8s.local import KEY
from tests.k8s.manifests import ROOT

COMPOSE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
every_service = pytest.mark.parametrize("name", sorted(SERVICES))


def test_the_file_is_valid_by_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    result = subprocess.run(
        [*command, "vendor.compose-spec", str(COMPOSE)], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout


def test_prometheus_accepts_its_file() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: compose/prometheus.yml is not checked")
    command = ["promtool", "check", "config", str(ROOT / "compose" / "prometheus.yml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


def test_prescaler_accepts_its_file_with_the_variables_that_compose_sets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = SERVICES["prescaler"]["environment"]
    given = {"PRESCALER_KEY_KEDA": KEY, "PRESCALER_POSTGRES_PASSWORD": "a-password"}
    for name, value in environment.items():
        filled = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: given[found[1]], value)
        monkeypatch.setenv(name, filled)

    settings = load_settings(ROOT / "compose" / "prescaler.yaml")

    assert settings.store.main == "postgresql+psycopg://prescaler:a-password@postgres/prescaler"
    assert settings.server.listen == "0.0.0.0:8080"
    assert [key.values for key in settings.keys] == [(KEY,)]
    assert "prometheus" in settings.prometheus["main"].url


@every_service
def test_every_service_is_without_rights_and_has_a_read_only_root(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@every_service
def test_ports_are_open_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@every_service
def test_secrets_are_demanded_and_never_defaulted(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if "KEY" in variable or "PASSWORD" in variable or "URL" in variable:
            assert re.search(r"\$\{PRESCALER_\w+:\?[^}]+\}", value)


def test_each_waits_for_what_it_cannot_do_without() -> None:
    migrate, prescaler = SERVICES["migrate"], SERVICES["prescaler"]

    assert migrate["command"] == ["db", "upgrade"]
    assert migrate["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert prescaler["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "prometheus": {"condition": "service_started"},
    }


def test_one_service_builds_the_image_that_both_run() -> None:
    migrate, prescaler = SERVICES["migrate"], SERVICES["prescaler"]

    assert migrate["image"] == prescaler["image"]
    assert [name for name, service in SERVICES.items() if "build" in service] == ["migrate"]
    assert prescaler["pull_policy"] == "never"


def test_every_server_has_a_health_check() -> None:
    assert "healthcheck" in SERVICES["postgres"]
    assert "healthcheck" in SERVICES["prometheus"]
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text("utf-8")


def test_what_must_last_lies_in_a_named_volume() -> None:
    named = set(yaml.safe_load(COMPOSE.read_text("utf-8"))["volumes"])
    mounted = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }

    assert mounted == named
    assert "state:/var/lib/prescaler" in SERVICES["prescaler"]["volumes"]
