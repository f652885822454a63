"""Logs: one line per event, as JSON or for reading, always to standard error."""

import logging
import sys
from typing import Final

import structlog
from structlog.typing import Processor

_TOLD_BY_US: Final = {
    "urllib3.connectionpool": logging.ERROR,  # every retry; what came of them is told by who asked
    "apscheduler.scheduler": logging.ERROR,  # a run left out: `run_skipped`
    "apscheduler.executors": logging.CRITICAL,  # a run that failed: `run_defect`
}
"""What libraries say once more; all from these levels on is let through."""


def set_up_logs(*, json_lines: bool, level: str = "INFO") -> None:
    """Send our events and those of the libraries through one pipe.

    The libraries' own INFO lines are left out: nobody is named as their reader.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    for name, lowest in _TOLD_BY_US.items():
        logging.getLogger(name).setLevel(lowest)
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
