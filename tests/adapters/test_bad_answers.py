"""Whatever answers in the place of a Prometheus: a named error that says what to do."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from prescaler.adapters.prometheus.access import PrometheusAccess, Secret
from prescaler.adapters.prometheus.source import PrometheusSource
from prescaler.core.errors import (
    AnswerNotUnderstood,
    AnswerPartial,
    AnswerTooLarge,
    ImpossibleDemand,
    NotASeries,
    SeveralSeries,
    SourceError,
    SourceOverloaded,
    SourceRefused,
    SourceSlow,
    SourceUnreachable,
)
from prescaler.core.series import Series
from tests.support.builders import MINUTE, MONDAY
from tests.support.faulty import (
    Behaviour,
    body,
    dripping,
    endless,
    failing_first,
    faulty_server,
    hanging_up,
    matrix,
    short_of_its_length,
    silent,
)
from tests.support.ports import free_port

T = int(MONDAY.timestamp())
ONE = f'{{"metric":{{}},"values":[[{T},"5"]]}}'


def fetch(url: str, timeout: float = 5, minutes: int = 3) -> Series:
    access = PrometheusAccess("main", url, timeout=timedelta(seconds=timeout), max_qps=1000.0)
    source = PrometheusSource(access)
    try:
        return source.fetch("sum(x)", MONDAY, MONDAY + minutes * MINUTE, MINUTE)
    finally:
        source.close()


HTML = "<!DOCTYPE html><html><title>Sign in</title></html>"
TWO = '{"metric":{"pod":"a"},"values":[[0,"1"]]},{"metric":{"pod":"b"},"values":[[0,"1"]]}'

CASES: dict[str, tuple[Behaviour, type[SourceError], str]] = {
    "login page with status 200": (body(HTML), AnswerNotUnderstood, "HTML page with status 200"),
    "JSON that is cut off": (
        body(matrix(ONE)[:-9]), AnswerNotUnderstood, "cut off after"),
    "empty body": (body(""), AnswerNotUnderstood, "empty answer"),
    "plain text": (body("hello"), AnswerNotUnderstood, "no JSON"),
    "another API": (body('{"items": []}'), AnswerNotUnderstood, "no answer of the Prometheus API"),
    "a JSON list": (body("[1]"), AnswerNotUnderstood, "no answer of the Prometheus API"),
    "error with data": (
        body('{"status":"error","errorType":"x","error":"half","data":{"result":[]}}'),
        AnswerPartial, "status 'error': x: half"),
    "Thanos warning": (
        body(matrix(ONE)[:-1] + ',"warnings":["store 3 is down"]}'),
        AnswerPartial, "store 3 is down"),
    "VictoriaMetrics isPartial": (
        body(matrix(ONE)[:-1] + ',"isPartial":true}'), AnswerPartial, "partial"),
    "several series": (body(matrix(TWO)), SeveralSeries, r"2 series.*pod=\"a\".*sum\(\.\.\.\)"),
    "scalar": (
        body('{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}'),
        NotASeries, "scalar or string"),
    "native histogram": (
        body(matrix('{"metric":{},"histograms":[[0,{}]]}')), NotASeries, "histogram_count"),
    "negative": (
        body(matrix(f'{{"metric":{{}},"values":[[{T},"-3.2"]]}}')),
        ImpossibleDemand, r"-3\.2; demand cannot be negative.*rate\(\)"),
    "beyond all meaning": (
        body(matrix(f'{{"metric":{{}},"values":[[{T},"1e31"]]}}')), ImpossibleDemand, "beyond"),
    "off the grid": (
        body(matrix(f'{{"metric":{{}},"values":[[{T + 7},"1"]]}}')),
        AnswerNotUnderstood, "off the grid"),
    "half a second": (
        body(matrix(f'{{"metric":{{}},"values":[[{T}.5,"1"]]}}')),
        AnswerNotUnderstood, "no whole seconds"),
    "year 1970": (
        body(matrix('{"metric":{},"values":[[60,"1"]]}')), AnswerNotUnderstood, "1970-01-01"),
    "year 3000": (
        body(matrix('{"metric":{},"values":[[32503680000,"1"]]}')), AnswerNotUnderstood, "3000"),
    "one stamp, two values": (
        body(matrix(f'{{"metric":{{}},"values":[[{T},"1"],[{T},"2"]]}}')),
        AnswerNotUnderstood, "twice"),
    "words for numbers": (
        body(matrix(f'{{"metric":{{}},"values":[[{T},"many"]]}}')),
        AnswerNotUnderstood, "no pairs of stamp and number"),
    "points that are no pairs": (
        body(matrix('{"metric":{},"values":[7]}')), AnswerNotUnderstood, "no pairs"),
    "400": (
        body('{"status":"error","errorType":"bad_data","error":"parse error"}', 400),
        SourceRefused, "HTTP 400: bad_data: parse error"),
    "401": (body("who are you", 401), SourceRefused, "HTTP 401, check `auth` and `headers`"),
    "403": (body("no", 403), SourceRefused, "HTTP 403, check `auth`"),
    "404": (body("not found", 404), SourceRefused, "HTTP 404"),
    "422": (
        body('{"status":"error","errorType":"execution","error":"too many points"}', 422),
        AnswerTooLarge, "too many points"),
    "redirect": (
        body("", 302, Location="https://login.example/?next=secret"),
        SourceRefused, "moved to https://login.example/; write that address"),
    "429 for good": (body("slow down", 429), SourceOverloaded, "HTTP 429 after 2 retries"),
    "503 for good": (body("down", 503), SourceOverloaded, "HTTP 503 after 2 retries"),
    "closed without a word": (hanging_up, SourceUnreachable, "main"),
    "shorter than its length": (short_of_its_length, SourceUnreachable, "IncompleteRead"),
    "413": (body("<html>Request Entity Too Large</html>", 413), AnswerTooLarge, "too much at once"),
    "429 with a limit's name": (
        body("err-mimir-max-queriers: too many samples", 429), SourceOverloaded, "HTTP 429"),
    "without end": (endless, AnswerTooLarge, "larger than 64 MiB"),
}  # fmt: skip


@pytest.mark.parametrize(("behaviour", "error", "text"), CASES.values(), ids=CASES)
def test_each_bad_answer_has_its_name_and_says_what_to_do(
    behaviour: Behaviour, error: type[SourceError], text: str
) -> None:
    with faulty_server(behaviour) as server, pytest.raises(error, match=text):
        fetch(server.url)


def test_no_answer_in_time_is_unreachable() -> None:
    with faulty_server(silent(1.5)) as server, pytest.raises(SourceSlow, match="imed out"):
        fetch(server.url, timeout=0.2)


def test_an_answer_that_drips_is_given_up() -> None:
    with (
        faulty_server(dripping(50, 0.1)) as server,
        pytest.raises(SourceSlow, match="in time"),
    ):
        fetch(server.url, timeout=0.3)


def test_a_refused_connection_is_unreachable() -> None:
    with pytest.raises(SourceUnreachable, match="refused"):
        fetch(f"http://127.0.0.1:{free_port()}")


def test_an_unknown_host_is_unreachable() -> None:
    with pytest.raises(SourceUnreachable, match="main"):
        fetch("http://no-such-host.invalid")


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_passing_overload_is_retried(code: int) -> None:
    with faulty_server(failing_first(1, code, body(matrix(ONE)))) as server:
        found = fetch(server.url)

        assert found.mean[0] == 5.0
        assert len(server.seen) == 2


@pytest.mark.parametrize("code", [400, 401, 404, 422])
def test_a_refusal_is_not_retried(code: int) -> None:
    with faulty_server(body("no", code)) as server:
        with pytest.raises(SourceRefused):
            fetch(server.url)

        assert len(server.seen) == 1


def test_no_series_is_all_holes() -> None:
    with faulty_server(body(matrix())) as server:
        assert np.isnan(fetch(server.url).mean).all()


def test_nan_and_infinity_are_holes() -> None:
    values = ",".join(f'[{T + 60 * i},"{v}"]' for i, v in enumerate(["NaN", "+Inf", "-Inf"]))
    with faulty_server(body(matrix(f'{{"metric":{{}},"values":[{values}]}}'))) as server:
        assert np.isnan(fetch(server.url).mean).all()


def test_points_may_come_unsorted() -> None:
    values = f'[{T + 120},"3"],[{T},"1"],[{T + 60},"2"]'
    with faulty_server(body(matrix(f'{{"metric":{{}},"values":[{values}]}}'))) as server:
        assert list(fetch(server.url).mean) == [1.0, 2.0, 3.0]


def test_the_noise_of_a_subtraction_is_zero() -> None:
    with faulty_server(
        body(matrix(f'{{"metric":{{}},"values":[[{T},"-1e-12"],[{T + 60},"5"]]}}'))
    ) as server:
        assert list(fetch(server.url).mean[:2]) == [0.0, 5.0]


def test_remarks_of_promql_are_no_partial_answers() -> None:
    document = matrix(ONE)[:-1] + ',"warnings":["PromQL warning: x"],"infos":["PromQL info: y"]}'
    with faulty_server(body(document)) as server:
        assert fetch(server.url).mean[0] == 5.0


def test_headers_and_a_rotating_token_are_sent(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    with faulty_server(body(matrix(ONE))) as server:
        access = PrometheusAccess(
            "mimir",
            server.url,
            bearer=Secret(file=str(token)),
            headers=(("X-Scope-OrgID", "team-a"),),
            max_qps=1000.0,
        )
        source = PrometheusSource(access)
        source.fetch("x", MONDAY, MONDAY + MINUTE, MINUTE)
        token.write_text("second")
        source.fetch("x", MONDAY, MONDAY + MINUTE, MINUTE)
        source.close()

        sent = [request.headers["Authorization"] for request in server.seen]
        assert sent == ["Bearer first", "Bearer second"]
        assert server.seen[0].headers["X-Scope-OrgID"] == "team-a"


def test_basic_authentication_reads_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_PASSWORD", "s3cret")
    with faulty_server(body(matrix(ONE))) as server:
        access = PrometheusAccess(
            "main", server.url, username="ada", password=Secret(env="PROM_PASSWORD")
        )
        source = PrometheusSource(access)
        source.fetch("x", MONDAY, MONDAY + MINUTE, MINUTE)
        source.close()

        assert server.seen[0].headers["Authorization"] == "Basic YWRhOnMzY3JldA=="


def test_a_netrc_file_is_never_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password hers")
    monkeypatch.setenv("NETRC", str(netrc))
    with faulty_server(body(matrix(ONE))) as server:
        fetch(server.url)

        assert "Authorization" not in server.seen[0].headers


@pytest.mark.parametrize("secret", [Secret(file="missing"), Secret(env="NOT_SET_ANYWHERE")])
def test_a_secret_that_is_not_there_is_said(secret: Secret) -> None:
    source = PrometheusSource(PrometheusAccess("main", "http://127.0.0.1:9", bearer=secret))

    with pytest.raises(SourceRefused, match="secret in"):
        source.fetch("x", MONDAY, MONDAY + MINUTE, MINUTE)
    source.close()


def test_a_long_query_travels_in_the_body() -> None:
    query = "sum(x{a=~'" + "|".join(f"pod-{n}" for n in range(9000)) + "'})"
    with faulty_server(body(matrix(ONE))) as server:
        source = PrometheusSource(PrometheusAccess("main", server.url, max_qps=1000.0))
        source.fetch(query, MONDAY, MONDAY + MINUTE, MINUTE)
        source.close()

        assert server.seen[0].form["query"] == [query]
        assert "?" not in server.seen[0].path
