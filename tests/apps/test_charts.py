"""The chart library comes into the package while it is built, or the build says why not."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build hook, putting charts into a folder of the test."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENDOR", tmp_path / "vendor")
    return module


def npm(folder: Path, script: str) -> list[str]:
    """Something that is called like npm, in the folder with the lock file."""
    path = folder / "npm"
    path.write_text(f"#!/bin/sh\nset -e\ntest -f package-lock.json\n{script}\n")
    path.chmod(0o755)
    return [str(path)]


def test_without_npm_the_build_goes_on_without_charts(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook.shutil, "which", lambda _: None)
    monkeypatch.setattr(hook, "find_spec", lambda _: None)

    assert "npm was not found" in hook.fetch_charts()
    assert not hook.VENDOR.exists()


def test_what_npm_brings_is_kept_with_its_licence_and_fetched_once(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    u = "node_modules/uplot"
    files = " ".join(f"{u}/{name}" for name in hook.FILES)
    command = npm(tmp_path, f"mkdir -p {u}/dist; touch {files}; echo x >> {tmp_path}/asked")
    monkeypatch.setattr(hook, "_npm", lambda: command)

    assert hook.fetch_charts() is None
    assert hook.fetch_charts() is None

    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]["uplot"]
    kept = {path.name for path in (hook.VENDOR / f"uplot-{wanted}").iterdir()}
    assert kept == {"uplot.js", "uplot.css", "LICENSE"}
    assert (tmp_path / "asked").read_text() == "x\n"


@pytest.mark.parametrize("script", ["echo no network >&2; exit 1", "exec /nonexistent/program"])
def test_an_npm_that_fails_leaves_nothing_half_done(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    command = npm(tmp_path, script)
    monkeypatch.setattr(hook, "_npm", lambda: command)

    assert "npm ci failed" in hook.fetch_charts()
    assert not hook.VENDOR.exists()


def test_the_lock_names_a_version_and_a_checksum_and_no_address() -> None:
    text = (ROOT / "package-lock.json").read_text()
    package = json.loads(text)["packages"]["node_modules/uplot"]

    assert package["integrity"].startswith("sha512-")
    assert "://" not in text
    assert package["license"] == "MIT"
