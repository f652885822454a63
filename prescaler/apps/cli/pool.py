"""Processes for one piece of work: they end with it, with Ctrl-C, and with a killed parent."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context

from prescaler.apps.scheduler.job import prepare_worker


@contextmanager
def pool_of(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with the block, at once."""
    before = set(active_children())
    processes = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=prepare_worker
    )
    try:
        yield processes
    finally:
        processes.shutdown(wait=False, cancel_futures=True)
        for worker in set(active_children()) - before:
            worker.terminate()
            worker.join()
