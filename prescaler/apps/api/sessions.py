"""Signed-in people: a cookie that only its key's owner can have been given.

The signature is made with a secret that is derived from the key itself, so that every replica knows
it, nothing has to be stored, and a key that is withdrawn takes its sessions with it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer

from prescaler.apps.api.keys import Caller, KeyRing, digest_of
from prescaler.core.instants import to_epoch

COOKIE: Final = "prescaler_session"
LASTS_SECONDS: Final = 12 * 3600
_LONGEST: Final = 2000


@dataclass(frozen=True)
class Session:
    """Somebody who has signed in. token: stands in every form, against forged requests."""

    caller: Caller
    token: str

    def made(self, token: str) -> bool:
        """Whether a token is this session's."""
        return hmac.compare_digest(self.token.encode(), token.encode("utf-8", "replace"))


def sign_in(secret: str, now: datetime) -> str:
    """The cookie's value for the owner of a key that has been found good."""
    payload = [secrets.token_urlsafe(16), to_epoch(now)]
    return _serializer(_derived(digest_of(secret))).dumps(payload)


def session_of(
    headers: Iterable[tuple[bytes, bytes]], ring: KeyRing, now: datetime
) -> Session | None:
    """The session of a request; None without a cookie, or with one that does not hold."""
    value = _cookie(headers)
    if value is None:
        return None
    for digest, caller in ring.known:
        derived = _derived(digest)
        try:
            nonce, since = _serializer(derived).loads(value)
        except BadSignature:
            continue
        if not 0 <= to_epoch(now) - since < LASTS_SECONDS:
            return None
        return Session(caller, hmac.digest(derived, f"form:{nonce}".encode(), "sha256").hex())
    return None


def _cookie(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"cookie" and COOKIE.encode() in value:
            jar: SimpleCookie = SimpleCookie()
            try:
                jar.load(value.decode("latin-1"))
            except CookieError:
                return None
            found = jar.get(COOKIE)
            return found.value if found is not None and len(found.value) <= _LONGEST else None
    return None


def _derived(digest: bytes) -> bytes:
    return hmac.digest(digest, b"session", "sha256")


def _serializer(derived: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(
        derived, salt="prescaler", signer_kwargs={"digest_method": hashlib.sha256}
    )
