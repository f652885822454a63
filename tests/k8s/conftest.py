"""Configurations and one running prescaler, made once for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s.local import LocalServer, local_base
from tests.k8s.printed import CASES, write_configuration


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configuration")
    sections = ({"name": case.name, **case.section} for case in CASES)
    return write_configuration(folder / "prescaler.yaml", *sections)


@pytest.fixture(scope="session")
def base_configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cluster's file, with secrets where this machine has them."""
    return local_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """prescaler as the cluster runs it, with nobody at Prometheus' address."""
    running = LocalServer(tmp_path_factory.mktemp("server"))
    yield running
    running.end()
