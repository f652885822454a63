"""Who is asking: API keys as KEDA sends them, compared in constant time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import parse_qsl

from prescaler.config.models import Scope
from prescaler.config.settings import Key

_RANK: Final = {Scope.READ: 0, Scope.WRITE: 1, Scope.ADMIN: 2}


@dataclass(frozen=True)
class Caller:
    """The owner of a key."""

    name: str
    scope: Scope
    workloads: tuple[str, ...]

    def may(self, scope: Scope) -> bool:
        """Whether the key's scope contains another."""
        return _RANK[self.scope] >= _RANK[scope]

    def sees(self, workload: str) -> bool:
        """Whether the key is for this workload."""
        return any(fnmatchcase(workload, pattern) for pattern in self.workloads)


class KeyRing:
    """All valid keys; several of one caller are valid at once, for rotation.

    known: the digest of every value, with its caller.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self.known = tuple(
            (digest_of(value), Caller(key.section.name, key.section.scope, key.section.workloads))
            for key in keys
            for value in key.values
        )

    def find(self, secret: str) -> Caller | None:
        """The caller of a key. Every known key is compared, whichever it is."""
        digest = digest_of(secret)
        found = None
        for known, caller in self.known:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def presented(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> str | None:
    """The key in a request: bearer, basic (its password), X-API-Key, or `api_key` in the query."""
    for name, value in headers:
        if name == b"authorization":
            return _authorization(value.decode("latin-1"))
        if name == b"x-api-key":
            return value.decode("latin-1")
    if b"api_key=" in query:
        return dict(parse_qsl(query.decode("latin-1"))).get("api_key")
    return None


def _authorization(value: str) -> str | None:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def digest_of(secret: str) -> bytes:
    """What is kept and compared in a key's place."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
