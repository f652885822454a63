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
from prescaler.usecases.review_trust import review_trust
from prescaler.usecases.score_forecasts import score_forecasts
from prescaler.wiring import WorkerPlan, WorkerResources, clock, worker_resources


@dataclass(frozen=True)
class RunFailure:
    """A run that could not end: a named error, without its traceback."""

    workload: str
    kind: str
    text: str


def run_job(plan: WorkerPlan, workload: Workload) -> RunRecord | RunFailure:
    """Run once. The forecast itself stays in the store; only its record travels back."""
    resources = worker_resources(plan)
    try:
        record = forecast_workload(workload, resources.ports(workload))
    except PrescalerError as error:
        return RunFailure(workload.name, error.kind, str(error))
    return _after(replace(record, forecast=None), workload, resources)


def _after(record: RunRecord, workload: Workload, resources: WorkerResources) -> RunRecord:
    """Score what has come and review trust; where that fails, the forecast is stored anyway."""
    now = clock().now().replace(microsecond=0)
    try:
        version = resources.stores.workloads.ensure(workload, now)
        score_forecasts(workload, version, resources.score_ports, now)
        trust = review_trust(workload, version, resources.trust_ports, now)
    except PrescalerError as error:
        return replace(record, afterwards_failed=str(error))
    return replace(record, trust=trust)


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
