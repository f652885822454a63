"""Walking forward in worker processes: a week a call, so that progress shows and little is lost."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import active_children, get_context

from prescaler.apps.scheduler.job import RunFailure, prepare_worker
from prescaler.core.errors import PrescalerError, StoreError
from prescaler.core.workload import Workload
from prescaler.usecases.walk_forward import WalkPlan, WalkRecord, walk_forward
from prescaler.wiring import WorkerPlan, walk_ports, worker_resources

Walked = WalkRecord | RunFailure


def walk_job(plan: WorkerPlan, workload: Workload, walk: WalkPlan) -> Walked:
    """In a worker: one week further."""
    try:
        return walk_forward(workload, walk_ports(worker_resources(plan).stores), walk)
    except StoreError:
        raise
    except PrescalerError as error:
        return RunFailure(workload.name, error.kind, str(error))


def walk_all(
    plan: WorkerPlan,
    walks: Sequence[tuple[Workload, WalkPlan]],
    processes: int,
    progress: Callable[[Workload, Walked], bool],
) -> None:
    """Walk all workloads side by side; False from progress stops everything.

    Raises:
        StoreError: whole days were stored; the same call later goes on from there.
    """
    with _pool(processes) as pool:
        running: dict[Future[Walked], tuple[Workload, WalkPlan]] = {}
        for workload, walk in walks:
            running[pool.submit(walk_job, plan, workload, walk)] = (workload, walk)
        while running:
            done, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            for job in done:
                workload, walk = running.pop(job)
                found = job.result()
                if not progress(workload, found):
                    return
                if isinstance(found, WalkRecord) and not found.over:
                    running[pool.submit(walk_job, plan, workload, walk)] = (workload, walk)


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Workers that end with the block, at once: a day is stored whole or not at all."""
    before = set(active_children())
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=prepare_worker
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(active_children()) - before:
            worker.terminate()
            worker.join()
