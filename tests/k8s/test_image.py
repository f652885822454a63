"""What the image is built from, and that the wheel it installs is whole."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

import prescaler
from tests.k8s.local import local_base
from tests.k8s.manifests import K8S, ROOT, read

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
COPIED = [
    name
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    for name in line.split()[:-1]
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the files that the Dockerfile copies, and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in COPIED:
        source, target = ROOT / name, folder / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder / "source")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run_installed(site: Path, *arguments: str) -> str:
    """Run Python on the unpacked wheel, away from the checkout."""
    result = subprocess.run(
        [sys.executable, "-P", *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    return result.stdout


def test_the_wheel_runs_and_brings_its_migrations(installed: Path, tmp_path: Path) -> None:
    configuration, command = str(local_base(tmp_path)), ("-m", "prescaler")
    imported = run_installed(installed, "-c", "import prescaler; print(prescaler.__file__)")

    assert Path(imported.strip()).is_relative_to(installed)
    assert prescaler.__version__ in run_installed(installed, *command, "--version")
    upgraded = run_installed(installed, *command, "db", "upgrade", "--config", configuration)
    assert upgraded.startswith("schema none ->")
    assert (installed / "prescaler" / "_migrations" / "env.py").is_file()


@pytest.mark.parametrize("name", COPIED)
def test_the_build_is_given_what_it_copies(name: str) -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]

    assert "*" in lines
    assert any(fnmatch(name, pattern) for pattern in let_in)
    assert (ROOT / name).exists()


def test_every_installation_is_by_hash_or_of_our_own_wheel() -> None:
    installations = re.findall(r"pip[^&\n]* install [^&\n]+", DOCKERFILE)

    assert len(installations) == 3
    for installation in installations:
        assert "--require-hashes" in installation or "--no-deps --no-index" in installation


def test_the_image_runs_as_the_user_of_the_manifests_and_listens_on_their_port() -> None:
    (deployment,) = read(K8S / "base" / "deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    context, (container,) = pod["securityContext"], pod["containers"]
    user = f"{context['runAsUser']}:{context['runAsGroup']}"

    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == [user]
    assert f"EXPOSE {container['ports'][0]['containerPort']}" in DOCKERFILE
    assert 'ENTRYPOINT ["prescaler"]' in DOCKERFILE
    assert 'CMD ["serve"]' in DOCKERFILE
