"""Who attacks the pages: hostile text, other sites, guessed keys, paths that lead out."""

import re

import pytest
from fastapi.testclient import TestClient

from prescaler.apps.pages.gate import local_path
from prescaler.core.records import Outcome, RunStatus, SourceFailure
from tests.apps.conftest import ADMIN, NOW, READ, Serve, Served, workload
from tests.support.browsing import HOSTILE, PAGES, act, enter, token


def test_hostile_text_is_text_wherever_it_comes_from(serve: Serve) -> None:
    served = serve(workloads=[workload("web", labels={HOSTILE: HOSTILE})])
    served.store("web")
    one = served.keeper.settings.workloads[0]
    version = served.stores.workloads.ensure(one, NOW)
    failure = SourceFailure("refused", HOSTILE)
    served.stores.forecasts.save(version, RunStatus(NOW, Outcome.UNCHANGED, HOSTILE, failure))
    enter(served, ADMIN)
    assert act(served, "override", pods="3", reason=HOSTILE).status_code == 303
    served.keeper.refresh()

    for path in [*PAGES, f"/?search={HOSTILE}&label={HOSTILE}", f"/sign-in?next=/{HOSTILE}"]:
        html = served.client.get(path).text
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert not re.search(r"\sonerror=alert", re.sub(r'"[^"]*"', "", html)) or "&lt;img" in html


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\r\nSet-Cookie: x=y",
        "evil.example",
        "",
        "http:evil.example",
        "/ /evil.example",
        "///evil.example",
    ],
)
def test_signing_in_never_leads_to_another_site(served: Served, wanted: str) -> None:
    answer = enter(served, READ, next=wanted)

    assert answer.headers["location"] == "/"
    assert local_path(wanted) == "/"
    assert local_path("/workloads/web?range=7d") == "/workloads/web?range=7d"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../render.py",
        "/static/%2e%2e/render.py",
        "/static/..%2frender.py",
        "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/static/vendor/../../gate.py",
        "/static//etc/passwd",
        "/static/",
        "/workloads/../../etc/passwd",
        "/workloads/%2e%2e%2fweb",
    ],
)
def test_no_path_leads_out_of_the_static_folder(reader: Served, path: str) -> None:
    answer = reader.client.get(path)

    assert answer.status_code in (404, 405)
    assert "import" not in answer.text
    assert "root:" not in answer.text


def test_guessing_keys_ends_after_twenty(served: Served) -> None:
    codes = [enter(served, f"guess-{n}").status_code for n in range(25)]

    assert codes == [*[401] * 20, *[429] * 5]
    assert "Wait a minute" in enter(served, "one more").text
    assert served.get("/api/v1/workloads").status_code == 200
    assert enter(served, READ).status_code == 303


def test_a_form_of_another_site_is_refused(admin: Served) -> None:
    body = {"token": token(admin), "action": "freeze", "reason": "x"}

    for forged in ({**body, "token": ""}, {**body, "token": "0" * 64}, {"action": "freeze"}):
        answer = admin.client.post("/workloads/web/control", data=forged)
        assert answer.status_code == 403
    for site in ("cross-site", "same-site"):
        header = {"Sec-Fetch-Site": site}
        assert (
            admin.client.post("/workloads/web/control", data=body, headers=header).status_code
            == 403
        )
        assert admin.client.post("/sign-in", data={"key": ADMIN}, headers=header).status_code == 403
    assert admin.get("/api/v1/workloads/web").json()["control"]["revision"] == 0


def test_anothers_token_is_of_no_use(admin: Served) -> None:
    mine = token(admin)
    other = TestClient(admin.client.app)
    other.post("/sign-in", data={"key": ADMIN})

    body = {"token": mine, "action": "freeze", "reason": "x"}
    assert other.post("/workloads/web/control", data=body).status_code == 403


def test_what_is_too_large_is_not_read(reader: Served) -> None:
    assert reader.client.get("/?search=" + "x" * 60_000).status_code == 414
    assert reader.client.get("/api/v1/workloads?search=" + "x" * 60_000).status_code == 414
    huge = {"Content-Length": str(11 * 1024 * 1024)}
    assert reader.client.post("/sign-in", content=b"x", headers=huge).status_code == 413
    assert reader.client.post("/sign-in", headers={"Content-Length": "x"}).status_code == 413
    assert enter(reader, "x" * 5000).status_code == 400
