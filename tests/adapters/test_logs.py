"""What reaches the log, and what does not."""

from pathlib import Path

import pytest

from tests.apps.conftest import workload
from tests.support.ports import free_port
from tests.support.processes import PrescalerProcess


@pytest.mark.timeout(120)
def test_a_source_that_is_dead_is_told_once_and_not_at_every_retry(tmp_path: Path) -> None:
    document = {
        "prometheus": {"main": {"url": f"http://127.0.0.1:{free_port()}"}},
        "store": {"url": f"sqlite:///{tmp_path / 'store.sqlite'}"},
        "workloads": [workload("web")],
    }
    one = PrescalerProcess(tmp_path, document)
    assert one.run("db", "upgrade").returncode == 0

    done = one.run("forecast", "web")

    assert done.returncode == 4
    assert "refused" in done.stdout
    assert done.stderr == ""
