"""What reaches the log, and what does not."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.apps.conftest import workload
from tests.support.migrated import migrated_file
from tests.support.ports import free_port
from tests.support.processes import PrescalerProcess


@pytest.mark.timeout(120)
def test_a_source_that_is_dead_is_told_once_and_not_at_every_retry(tmp_path: Path) -> None:
    document = {
        "prometheus": {"main": {"url": f"http://127.0.0.1:{free_port()}"}},
        "store": {"url": migrated_file(tmp_path / "store.sqlite")},
        "workloads": [workload("web")],
    }
    one = PrescalerProcess(tmp_path, document)

    done = one.run("forecast", "web")

    assert done.returncode == 4
    assert "refused" in done.stdout
    assert done.stderr == ""


SCHEDULED = textwrap.dedent(
    """
    import threading
    from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES
    from apscheduler.schedulers.background import BackgroundScheduler
    from prescaler.adapters.telemetry.logs import set_up_logs

    def fails():
        skipped.wait(30)
        raise ValueError("odd")

    set_up_logs(json_lines=True)
    skipped, failed = threading.Event(), threading.Event()
    scheduler = BackgroundScheduler()
    scheduler.add_listener(lambda _: skipped.set(), EVENT_JOB_MAX_INSTANCES)
    scheduler.add_listener(lambda _: failed.set(), EVENT_JOB_ERROR)
    scheduler.add_job(fails, "interval", seconds=0.1)
    scheduler.start()
    print(skipped.wait(30), failed.wait(30))
    scheduler.shutdown()
    """
)


def test_the_scheduler_does_not_repeat_what_we_say_of_a_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULED], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("True True\n", "")
