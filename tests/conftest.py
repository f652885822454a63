"""Real servers, started once per test process and ended with it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import PostgresServer
from tests.support.prometheus import PrometheusServer

settings.register_profile(
    "prescaler", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("prescaler")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that all tests of this process share; each takes a fresh database."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def prometheus() -> Iterator[PrometheusServer]:
    """A Prometheus that all tests of this process share; each writes series of its own."""
    server = PrometheusServer()
    yield server
    server.close()


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of this test run without coverage, which takes a quarter of their time.

    For those that are killed, and so tell nothing, or whose way other tests measure.
    """
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
