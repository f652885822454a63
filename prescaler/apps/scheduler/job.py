"""What a worker process does: one run for one workload, all it needs in its arguments."""

import os
import signal
import threading
from dataclasses import dataclass, replace
from multiprocessing import parent_process

from prescaler.adapters.heap import keep_freed_memory
from prescaler.core.errors import PrescalerError
from prescaler.core.workload import Workload
from prescaler.usecases.forecast_workload import RunRecord, forecast_workload
from prescaler.wiring import WorkerPlan, worker_resources


@dataclass(frozen=True)
class RunFailure:
    """A run that could not end: a named error, without its traceback."""

    workload: str
    kind: str
    text: str


def run_job(plan: WorkerPlan, workload: Workload) -> RunRecord | RunFailure:
    """Run once. The forecast itself stays in the store; only its record travels back."""
    try:
        record = forecast_workload(workload, worker_resources(plan).ports(workload))
    except PrescalerError as error:
        return RunFailure(workload.name, error.kind, str(error))
    return replace(record, forecast=None)


def prepare_worker() -> None:
    """Leave Ctrl-C to the parent, die with it (nobody else would end an orphan), keep the heap."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keep_freed_memory()
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
