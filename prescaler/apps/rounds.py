"""What every thread of ours does: one round after the other, whatever a round runs into."""

import threading
from collections.abc import Callable

import structlog

from prescaler.core.errors import StoreError

_LOG = structlog.get_logger()


def rounds(stop: threading.Event, seconds: float, work: Callable[[], None], name: str) -> None:
    """Do `work` every so many seconds until told to stop."""
    while not stop.wait(seconds):
        try:
            work()
        except StoreError as error:
            _LOG.warning(f"{name}_round_failed", error=str(error))
        except Exception:  # noqa: BLE001 - the outermost loop of a thread: the next round tries again
            _LOG.exception(f"{name}_round_failed")
