"""Whatever a round runs into, the next one comes."""

import threading

import pytest
from structlog.testing import capture_logs

from prescaler.apps.rounds import rounds
from prescaler.core.errors import StoreFull


@pytest.mark.parametrize(
    ("error", "traceback"), [(StoreFull("no space left"), False), (ValueError("odd"), True)]
)
def test_a_store_that_is_away_is_a_line_and_a_defect_has_its_traceback(
    error: Exception, traceback: bool
) -> None:
    stop, called = threading.Event(), []

    def work() -> None:
        called.append(1)
        if len(called) > 1:
            stop.set()
        raise error

    with capture_logs() as logged:
        rounds(stop, 0.0, work, "some")

    assert len(called) == 2
    assert [line["event"] for line in logged] == ["some_round_failed"] * 2
    assert ["exc_info" in line for line in logged] == [traceback] * 2
    assert ["error" in line for line in logged] == [not traceback] * 2
