"""How a server that speaks the Prometheus API is reached."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from prescaler.core.errors import SourceRefused


@dataclass(frozen=True)
class Secret:
    """Where a secret is kept; it is read anew for every request, so that rotation just works."""

    env: str | None = None
    file: str | None = None

    def read(self) -> str:
        """The secret.

        Raises:
            SourceRefused: the variable or the file is not there, or empty.
        """
        if self.file is not None:
            try:
                text = Path(self.file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SourceRefused(f"the secret in {self.file} cannot be read: {error}") from error
        else:
            text = os.environ.get(self.env or "", "").strip()
        if not text:
            raise SourceRefused(f"the secret in {self.file or self.env} is empty")
        return text


@dataclass(frozen=True)
class PrometheusAccess:
    """Address, credentials and bounds of one server.

    headers: names and values sent with every request (X-Scope-OrgID for Mimir, ...).
    timeout: from the request to the last byte of the answer.
    """

    name: str
    url: str
    username: str | None = None
    password: Secret | None = None
    bearer: Secret | None = None
    headers: tuple[tuple[str, str], ...] = ()
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    timeout: timedelta = timedelta(seconds=30)
    max_qps: float = 5.0

    def auth(self) -> AuthBase:
        """Credentials for a request. Never None: requests would then ask ~/.netrc."""
        if self.bearer is not None:
            return _Bearer(self.bearer)
        if self.username is not None and self.password is not None:
            return HTTPBasicAuth(self.username, self.password.read())
        return _NoAuth()


class _Bearer(AuthBase):
    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._secret.read()}"
        return request


class _NoAuth(AuthBase):
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        return request
