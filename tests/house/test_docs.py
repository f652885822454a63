"""Pages say what the code does, or a test fails."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from prescaler.config import load_settings
from prescaler.config.models import FileSection
from prescaler.core.decision import STAGES, Reason, Status
from prescaler.core.forecasters import POOL
from prescaler.core.plan import PLAN_STAGES
from prescaler.core.scaledobject import default_variant, scaled_object
from prescaler.wiring import reactive_sources

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


def test_the_configuration_page_is_what_the_models_say() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/configuration_page.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    for name in re.findall(
        r"`((?:prescaler|tests|scripts|k8s|docs|migrations|bench)/[\w./-]+)`", page.read_text()
    ):
        if "yours" not in name:
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize(
    "text",
    [blocks(ROOT / "README.md", "yaml")[0], blocks(DOCS / "configuration.md", "yaml")[0]],
    ids=["README", "configuration.md"],
)
def test_the_examples_of_a_file_are_good(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESCALER_STORE_URL", f"sqlite:///{tmp_path / 'x.sqlite'}")
    monkeypatch.setenv("PRESCALER_KEY_KEDA", "k" * 20)
    (tmp_path / "prescaler.yaml").write_text(text)

    assert load_settings(tmp_path / "prescaler.yaml").workloads


def test_the_readmes_scaledobject_is_the_one_that_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESCALER_STORE_URL", f"sqlite:///{tmp_path / 'x.sqlite'}")
    monkeypatch.setenv("PRESCALER_KEY_KEDA", "k" * 20)
    configuration, shown = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "prescaler.yaml").write_text(configuration)
    settings = load_settings(tmp_path / "prescaler.yaml")
    (web,) = settings.workloads

    printed = scaled_object(
        web,
        default_variant(web),
        public_url=settings.server.public_url,
        sources=reactive_sources(settings, web),
    )

    assert yaml.safe_load(shown) == printed


def test_operations_name_every_status_and_reason() -> None:
    text = (DOCS / "operations.md").read_text()

    for word in [*Status, *Reason]:
        assert re.search(rf"\b{word.value}\b", text), word


def test_architecture_names_every_stage() -> None:
    text = (DOCS / "architecture.md").read_text()

    for stage in {*STAGES, *PLAN_STAGES}:
        assert stage in text


def test_every_forecaster_has_a_section() -> None:
    text = (DOCS / "adding-a-forecaster.md").read_text()
    sections = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)

    assert {f.name for f in POOL} <= {name for line in sections for name in line.split(", ")}


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in sorted((DOCS / "decisions").glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))


def test_every_key_of_the_file_is_explained() -> None:
    assert all(field.description for field in FileSection.model_fields.values())


def test_every_library_has_its_line() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    text = (DOCS / "decisions" / "0002-libraries.md").read_text()

    for requirement in wanted:
        name = re.split(r"[\[<>=]", requirement)[0]
        if not name.endswith("-stubs") and not name.startswith("types-"):
            assert name.removeprefix("pytest-") in text, name
