"""The manifests as they stand in the repository, and as kustomize puts them together."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

Manifest = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "k8s"
EXAMPLES: Final = K8S / "examples"
BASE_CONFIGURATION: Final = K8S / "base" / "prescaler.yaml"
PROBES: Final = ("startup", "readiness", "liveness")
OVERLAYS: Final = ("postgres", "sqlite")
_OLDEST_KUSTOMIZE: Final = 5


def read(path: Path) -> list[Manifest]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def kustomizations() -> list[Path]:
    """All kustomizations."""
    return sorted(K8S.rglob("kustomization.yaml"))


def resource_files() -> list[Path]:
    """The files that kustomizations name as resources: whole objects."""
    return [
        folder.parent / name
        for folder in kustomizations()
        for name in read(folder)[0]["resources"]
        if (folder.parent / name).is_file()
    ]


def example_files() -> list[Path]:
    """The objects to paste."""
    return sorted(EXAMPLES.glob("*.yaml"))


@cache
def _why_nothing_renders() -> str | None:
    if shutil.which("kubectl") is None:
        return "kubectl is not installed: kustomize overlays are not rendered"
    command = ["kubectl", "version", "--client", "--output=json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    version = json.loads(answer.stdout or "{}").get("kustomizeVersion", "v0")
    if int(version.lstrip("v").partition(".")[0]) < _OLDEST_KUSTOMIZE:
        return f"kubectl brings kustomize {version}, v{_OLDEST_KUSTOMIZE} is needed"
    return None


@cache
def _rendered_text(overlay: str) -> str:
    command = ["kubectl", "kustomize", str(K8S / "overlays" / overlay)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def rendered(overlay: str) -> list[Manifest]:
    """The objects of an overlay; skips the test where no kubectl can render it."""
    reason = _why_nothing_renders()
    if reason is not None:
        pytest.skip(reason)
    return list(yaml.safe_load_all(_rendered_text(overlay)))


def only(objects: list[Manifest], kind: str) -> Manifest:
    """The one object of a kind."""
    (found,) = [document for document in objects if document["kind"] == kind]
    return found


def pod_specs(objects: list[Manifest]) -> list[Manifest]:
    """The pods that Deployments and Jobs make."""
    return [
        document["spec"]["template"]["spec"]
        for document in objects
        if document["kind"] in ("Deployment", "Job")
    ]


def containers(pod: Manifest) -> list[Manifest]:
    """All containers of a pod, those that run before the others too."""
    return [*pod.get("initContainers", []), *pod["containers"]]
