"""What is printed has no place: a sentence, no defect; a reader who has seen enough is no fault."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
COMMANDS = [["--help"], ["check", "--json", "--config", "nowhere.yaml"], ["keda", "--help"]]

ELSEWHERE = """
import sys
from prescaler.apps.cli import main

def command() -> None:
    raise OSError({number}, "elsewhere")

main.app.command("break")(command)
sys.argv[1:] = ["break"]
main.run()
"""


def prescaler(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prescaler", *arguments]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_full_disk_under_the_output_is_said(arguments: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            prescaler(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert said == "error the output cannot be written: No space left on device"


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_reader_that_is_gone_ends_it_in_silence(arguments: list[str]) -> None:
    process = subprocess.Popen(
        prescaler(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None

    _, said = process.communicate(timeout=120)

    assert (process.returncode, said) == (1, "")


def test_without_an_output_the_exit_code_is_what_it_would_be(tmp_path: Path) -> None:
    command = " ".join(prescaler("check", "--config", str(tmp_path / "nowhere.yaml")))

    done = subprocess.run(
        ["sh", "-c", f"{command} >&-"], stderr=subprocess.PIPE, text=True, check=False
    )

    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_the_same_failure_of_anything_else_is_told_as_what_it_is(number: int) -> None:
    program = ELSEWHERE.format(number=number)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 70
    said = " ".join(done.stderr.split())
    assert said.startswith("defect")
    assert said.endswith(f"[Errno {number}] elsewhere; --debug shows where")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_an_error_that_cannot_be_told_keeps_its_exit_code() -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            prescaler("check", "--config", "nowhere.yaml"),
            stdout=subprocess.DEVNULL,
            stderr=full,
            check=False,
        )

    assert done.returncode == 3
