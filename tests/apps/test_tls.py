"""TLS on both sides: our own server's, and that of a Prometheus with a private authority."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import trustme

from prescaler.adapters.prometheus.access import PrometheusAccess
from prescaler.adapters.prometheus.source import PrometheusSource
from prescaler.core.errors import SourceUnreachable
from tests.support.builders import MINUTE, MONDAY
from tests.support.faulty import body, faulty_server, matrix
from tests.support.migrated import migrated_file
from tests.support.processes import KEY, PrescalerProcess, wait_for


@dataclass(frozen=True)
class Certificates:
    """Files of a private authority, its server and its client."""

    ca: str
    server: str
    server_key: str
    client: str
    client_key: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost")
    client = authority.issue_cert("keda@example.org")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, cert in (("server", server), ("client", client)):
        cert.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        cert.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    paths = [
        str(folder / n) for n in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")
    ]
    return Certificates(*paths)


@pytest.fixture
def mutual(unmeasured: None, tmp_path: Path, files: Certificates) -> Iterator[PrescalerProcess]:
    """prescaler that demands client certificates."""
    tls = {
        "cert_file": files.server, "key_file": files.server_key, "client_ca_file": files.ca,
    }  # fmt: skip
    document = {
        "prometheus": {"main": {"url": "http://127.0.0.1:9"}},
        "store": {"url": migrated_file(tmp_path / "store.sqlite")},
        "server": {"tls": tls},
        "workloads": [
            {
                "name": "web",
                "scale_target": {"name": "web"},
                "demand": {"source": ["main"], "query": "x"},
                "capacity": {"per_pod": 2},
            }
        ],
    }
    one = PrescalerProcess(tmp_path / "one", document, "serve", "--no-scheduler")
    one.start()
    yield one
    one.kill()


def test_mutual_tls_lets_in_who_has_a_certificate_and_a_key(
    mutual: PrescalerProcess, files: Certificates
) -> None:
    url = f"https://127.0.0.1:{mutual.port}/api/v1/workloads/web/metric"

    def ask(certificate: tuple[str, str] | None) -> requests.Response:
        headers = {"X-API-Key": KEY}
        return requests.get(url, headers=headers, verify=files.ca, cert=certificate, timeout=5)

    def up() -> bool:
        try:
            return ask((files.client, files.client_key)).ok
        except requests.ConnectionError:
            return False

    wait_for(up)
    with pytest.raises(requests.ConnectionError):
        ask(None)


def fetched(access: PrometheusAccess) -> float:
    source = PrometheusSource(access)
    try:
        return float(source.fetch("x", MONDAY, MONDAY + MINUTE, MINUTE).mean[0])
    finally:
        source.close()


def test_a_prometheus_behind_a_private_authority_is_reached_with_its_file(
    files: Certificates,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    context.load_cert_chain(files.server, files.server_key)
    context.verify_mode = ssl.CERT_REQUIRED
    answer = matrix(f'{{"metric":{{}},"values":[[{int(MONDAY.timestamp())},"5"]]}}')
    with faulty_server(body(answer), context) as server:
        trusted = PrometheusAccess(
            "main", server.url, ca_file=files.ca, cert_file=files.client, key_file=files.client_key
        )
        stranger = PrometheusAccess("main", server.url)
        nobody = PrometheusAccess("main", server.url, ca_file=files.ca)

        assert fetched(trusted) == 5.0
        with pytest.raises(SourceUnreachable, match="certificate verify failed"):
            fetched(stranger)
        with pytest.raises(SourceUnreachable):
            fetched(nobody)
