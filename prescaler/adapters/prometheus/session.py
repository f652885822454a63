"""The HTTP session behind prometheus-api-client: bounded, retried, and suspicious.

The client leaves timeouts, POST bodies, retries of POST, warnings and broken bodies to its session;
this one takes care of them, and turns everything that is not a good answer into a named error.
"""

import threading
import time
from typing import Any, Final

import orjson
import requests
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError
from urllib3.util.retry import Retry

from prescaler.adapters.prometheus.access import PrometheusAccess
from prescaler.core.errors import (
    AnswerNotUnderstood,
    AnswerPartial,
    AnswerTooLarge,
    SourceOverloaded,
    SourceRefused,
    SourceSlow,
    SourceUnreachable,
)

_LARGEST_ANSWER: Final = 64 * 2**20
_PIECE: Final = 2**18
_OVERLOADED: Final = frozenset({429, 500, 502, 503, 504})
_CONNECT_SECONDS: Final = 5.0
_TOO_MUCH: Final = (
    "exceeded maximum resolution",  # Prometheus, Thanos: points a series
    "too many samples",  # Prometheus: --query.max-samples
    "too many points",  # VictoriaMetrics: -search.maxPointsPerTimeseries
    "maxpointspertimeseries",
    "maxsamplesperquery",
    "maxsamplesperseries",
    "maxmemoryperquery",
    "exceeds the limit",  # Mimir: err-mimir-max-query-length and its like; Thanos: series, samples
    "err-mimir-max",
    "exceeded the limit",
    "exceeded samples limit",
    "query timed out",
    "timeout exceeded during",
)
_TOO_LARGE_STATUS: Final = frozenset({413, 414})
_TOO_MANY_REQUESTS: Final = 429

RETRY: Final = Retry(
    total=2,
    backoff_factor=0.5,
    backoff_jitter=0.3,
    allowed_methods=None,
    status_forcelist=_OVERLOADED,
    raise_on_status=False,
    retry_after_max=10,
)
"""Two more tries after about half a second and a second; queries only read, so POST is safe."""


class Answer(requests.Response):
    """A response whose JSON has been read and checked already."""

    def __init__(self, response: requests.Response, document: dict[str, Any]) -> None:
        super().__init__()
        self.__dict__.update(response.__dict__)
        self.document = document

    def json(self, **_: Any) -> Any:
        """The checked document."""
        return self.document


class PrometheusSession(requests.Session):
    """A session to one server."""

    def __init__(self, access: PrometheusAccess) -> None:
        super().__init__()
        self._access = access
        self._pace = _Pace(access.max_qps)
        self.verify = access.ca_file or True
        if access.cert_file and access.key_file:
            self.cert = (access.cert_file, access.key_file)

    def request(self, method: str | bytes, url: str | bytes, *_: Any, **asked: Any) -> Answer:
        """Send a query and give its checked answer.

        Raises:
            SourceError: by its subclass.
        """
        self._pace.wait()
        limit = self._access.timeout.total_seconds()
        deadline = time.monotonic() + limit * (RETRY.total + 1 if RETRY.total else 1)
        try:
            response = super().request(
                method,
                url,
                data=asked.get("params"),
                headers=dict(self._access.headers),
                auth=self._access.auth(),
                timeout=(min(_CONNECT_SECONDS, limit), limit),
                # Said here, or REQUESTS_CA_BUNDLE of the environment would win over `ca_file`.
                verify=self.verify,
                cert=self.cert,
                allow_redirects=False,
                stream=True,
            )
            with response:
                body = self._read(response, deadline)
        except (requests.ReadTimeout, ReadTimeoutError) as error:
            raise SourceSlow(f"{self._who}: {_short(error)}") from error
        except (requests.RequestException, HTTPError) as error:
            if _read_timed_out(error):
                raise SourceSlow(f"{self._who}: {_short(error)}") from error
            raise SourceUnreachable(f"{self._who}: {_short(error)}") from error
        self._check_status(response, body)
        return Answer(response, self._document(body))

    @property
    def _who(self) -> str:
        return f"prometheus {self._access.name!r}"

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        """The whole body, bounded in size and in time however slowly it drips."""
        pieces, size = [], 0
        for piece in response.iter_content(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST_ANSWER:
                raise AnswerTooLarge(
                    f"{self._who}: the answer is larger than {_LARGEST_ANSWER >> 20} MiB; "
                    "does the query need a sum()?"
                )
            if time.monotonic() > deadline:
                raise SourceSlow(f"{self._who}: the answer was not complete in time")
        return b"".join(pieces)

    def _check_status(self, response: requests.Response, body: bytes) -> None:
        code = response.status_code
        if code == requests.codes.ok:
            return
        text = _error_text(body)
        if code != _TOO_MANY_REQUESTS and _too_much(code, text):
            raise AnswerTooLarge(f"{self._who}: HTTP {code}, too much at once: {text}")
        if code in _OVERLOADED:
            raise SourceOverloaded(f"{self._who}: HTTP {code} after {RETRY.total} retries: {text}")
        if response.is_redirect:
            place = response.headers.get("Location", "?").split("?")[0]
            raise SourceRefused(
                f"{self._who}: HTTP {code}, moved to {place[:200]}; write that address in `url`"
            )
        if code in (401, 403):
            raise SourceRefused(f"{self._who}: HTTP {code}, check `auth` and `headers`: {text}")
        raise SourceRefused(f"{self._who}: HTTP {code}: {text}")

    def _document(self, body: bytes) -> dict[str, Any]:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise AnswerNotUnderstood(f"{self._who}: {_no_json(body)}") from error
        if not isinstance(document, dict) or "status" not in document:
            raise AnswerNotUnderstood(
                f"{self._who}: JSON, but no answer of the Prometheus API; check `url` "
                f"(it begins {body[:60]!r})"
            )
        if document["status"] != "success" or "data" not in document:
            raise AnswerPartial(f"{self._who}: status {document['status']!r}: {_error_text(body)}")
        self._check_whole(document)
        return document

    def _check_whole(self, document: dict[str, Any]) -> None:
        """Refuse what the server itself calls incomplete; remarks of PromQL are not that."""
        if document.get("isPartial"):
            raise AnswerPartial(f"{self._who}: the server marks its answer as partial")
        warnings = [str(w) for w in document.get("warnings") or [] if not _is_remark(str(w))]
        if warnings:
            raise AnswerPartial(f"{self._who}: the answer carries a warning: {warnings[0][:200]}")


class _Pace:
    """Keeps to a rate; a second's worth may come at once (generic cell rate algorithm)."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second
        self._burst = max(1.0, self._gap) - self._gap
        self._due = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._due = max(self._due, now) + self._gap
            start = self._due - self._gap - self._burst
        time.sleep(max(0.0, start - now))


def _too_much(code: int, text: str) -> bool:
    """Whether fewer points, samples or a shorter range may pass."""
    return code in _TOO_LARGE_STATUS or any(mark in text.lower() for mark in _TOO_MUCH)


def _read_timed_out(error: Exception) -> bool:
    """Whether a server that had been reached gave no answer in time, retries included."""
    inner = error.args[0] if error.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    return isinstance(reason, ReadTimeoutError)


def _is_remark(warning: str) -> bool:
    return warning.startswith(("PromQL warning", "PromQL info"))


def _error_text(body: bytes) -> str:
    """What the API says of its error, else the beginning of the body."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and document.get("error"):
        return f"{document.get('errorType', 'error')}: {str(document['error'])[:300]}"
    return repr(body[:80])


def _no_json(body: bytes) -> str:
    start = body.lstrip()[:60].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML page with status 200; is `url` a login page or the web interface?"
    if start.startswith((b"{", b"[")):
        return f"JSON that is cut off after {len(body)} bytes"
    return f"no JSON (it begins {body[:60]!r})" if body else "an empty answer"


def _short(error: Exception) -> str:
    """The innermost reason, without object addresses."""
    inner: BaseException = error
    while (reason := getattr(inner, "reason", None)) or inner.__cause__ or inner.__context__:
        following = reason or inner.__cause__ or inner.__context__
        if not isinstance(following, BaseException):
            break
        inner = following
    return f"{type(inner).__name__}: {str(inner).split('>: ')[-1][:200]}"
