"""Rules of the house that no linter knows."""

import ast
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "prescaler"
FILES = sorted(PACKAGE.rglob("*.py"))
_MACHINE = tuple(f"/{name}/" for name in ("home", "root", "work"))
CLOCK = PACKAGE / "adapters" / "clock.py"


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_files_stay_small() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in FILES}

    assert {p.name: n for p, n in sizes.items() if n > 500} == {}


def test_functions_stay_small() -> None:
    sizes = [lines(f) for path in FILES for f in functions(path)]

    assert max(sizes) <= 60
    assert statistics.median(sizes) <= 10


def test_only_the_clock_reads_the_present() -> None:
    readers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        if path != CLOCK
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and (node.attr in ("utcnow", "today") or ast.unparse(node) in ("datetime.now", "time.time"))
    ]

    assert readers == []


def test_no_assert_is_a_check_of_the_product() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]

    assert found == []


def test_every_broad_handler_says_why_it_is_there() -> None:
    found = [
        (path, line)
        for path in FILES
        for line in path.read_text().splitlines()
        if "except Exception" in line or "except BaseException" in line
    ]

    assert len(found) <= 4
    assert all("outermost" in line or path.name == "main.py" for path, line in found)


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("no git checkout here")
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).is_file()]


def test_lock_files_hold_names_and_hashes_and_no_address() -> None:
    for path in ROOT.glob("requirements/*.txt"):
        text = path.read_text()
        assert "://" not in text, path
        assert "index-url" not in text, path
        assert "--hash=sha256:" in text, path


def test_no_trace_and_no_machine_path_is_committed() -> None:
    for path in committed():
        assert path.suffix not in (".gz", ".sqlite", ".log"), path
        if path.suffix in (".py", ".md", ".toml", ".yaml", ".yml", ".sh", ""):
            text = path.read_text(errors="replace")
            assert not any(folder in text for folder in _MACHINE), path
