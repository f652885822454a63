"""The review pages without a browser: what stands in them, who may see it, who may act."""

import html
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.apps.api.sessions import COOKIE, LASTS_SECONDS
from prescaler.apps.pages import render
from prescaler.apps.pages.guard import HEADERS
from prescaler.core.control import Control, GuardTrip
from prescaler.core.records import AuditEntry, Outcome, RunStatus, SourceFailure
from prescaler.usecases.log_decisions import log_decisions
from tests.apps.conftest import ADMIN, NOW, READ, WEB_ONLY, Serve, Served, workload
from tests.support.browsing import PAGES, act, enter, text, token
from tests.support.builders import MINUTE, series


@pytest.mark.parametrize("path", PAGES)
def test_every_page_asks_who_is_there(served: Served, path: str) -> None:
    answer = served.client.get(path, follow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2F")


@pytest.mark.parametrize("path", [*PAGES, "/sign-in", "/docs", "/nowhere", "/static/pages.css"])
def test_every_answer_carries_the_security_headers(reader: Served, path: str) -> None:
    answer = reader.client.get(path)

    for name in HEADERS:
        assert name in answer.headers, name
    inline = "'unsafe-inline'" in answer.headers["content-security-policy"]
    assert inline == (path == "/docs")


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_anything_inline_or_from_elsewhere(reader: Served, path: str) -> None:
    html = text(reader, path)

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", html)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html)


def test_a_cookie_is_for_this_site_alone(served: Served) -> None:
    plain = enter(served, READ).headers["set-cookie"]
    behind_tls = served.client.post(
        "/sign-in",
        data={"key": READ},
        headers={"X-Forwarded-Proto": "https"},
        follow_redirects=False,
    )

    assert "HttpOnly" in plain
    assert "SameSite=lax" in plain
    assert "Secure" not in plain
    assert "Secure" in behind_tls.headers["set-cookie"]
    assert "strict-transport-security" in behind_tls.headers


def test_sessions_end_with_time_with_sign_out_and_with_their_key(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(served, READ)
    served.clock.move(timedelta(seconds=LASTS_SECONDS))
    assert served.client.get("/", follow_redirects=False).status_code == 303

    enter(served, READ)
    assert served.client.get("/", follow_redirects=False).status_code == 200
    kept = served.client.cookies[COOKIE]
    left = served.client.post("/sign-out", data={"token": token(served)}, follow_redirects=False)
    assert left.headers["location"] == "/sign-in"
    assert served.client.get("/", follow_redirects=False).status_code == 303

    # The last character of a signature carries two bits that mean nothing; its first means all.
    payload, _, signature = kept.rpartition(".")
    forged = ("A" if signature[0] != "A" else "B") + signature[1:]
    served.client.cookies.set(COOKIE, f"{payload}.{forged}")
    assert served.client.get("/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "%C3%A9", "." * 1990, "[1,2].x"])
def test_a_cookie_that_we_did_not_give_is_nobodys(served: Served, value: str) -> None:
    header = {"Cookie": f"{COOKIE}={value}".encode().decode("latin-1")}

    assert served.client.get("/", headers=header, follow_redirects=False).status_code == 303


def test_who_is_signed_in_asks_the_api_with_the_cookie(reader: Served) -> None:
    assert reader.client.get("/api/v1/workloads").status_code == 200
    assert reader.client.get("/api/v1/workloads/web/metric").status_code == 401


def test_a_change_by_cookie_needs_the_pages_token(admin: Served) -> None:
    body, path = {"mode": "off", "reason": "x"}, "/api/v1/workloads/web/mode"

    assert admin.client.put(path, json=body).status_code == 403
    wrong = admin.client.put(path, json=body, headers={"X-CSRF-Token": "0" * 64})
    assert wrong.status_code == 403
    right = admin.client.put(path, json=body, headers={"X-CSRF-Token": token(admin)})
    assert right.status_code == 200


def test_the_list_says_what_each_is_told_and_why(reader: Served) -> None:
    html = text(reader, "/")

    assert "/workloads/web" in html
    assert "/workloads/api" in html
    assert "no forecast yet" in html
    assert re.search(r"1,157</span> <span class=\"muted\">15 pods", html)
    assert "1 to 2 of 2" in html


def test_the_list_is_searched_sorted_filtered_and_paged_here(serve: Serve) -> None:
    served = serve(workloads=[workload(f"w{n:02d}", labels={"n": f"l{n % 2}"}) for n in range(60)])
    served.store("w07")
    enter(served, READ)

    def names(query: str) -> list[str]:
        return re.findall(r'scope="row".*?<a href="/workloads/(w\d+)"', text(served, f"/?{query}"))

    assert len(names("")) == 25
    assert names("sort=name&cursor=25")[0] == "w25"
    assert names("search=w07") == ["w07"]
    assert names("status=active") == ["w07"]
    assert names("label=n%3Dl1&sort=name")[:2] == ["w01", "w03"]
    assert names("urgency=act") == []
    assert "Nothing fits" in text(served, "/?search=zzz")


def test_a_key_for_one_workload_shows_that_one(served: Served) -> None:
    enter(served, WEB_ONLY)

    assert "/workloads/api" not in text(served, "/")
    assert served.client.get("/workloads/api").status_code == 403
    assert served.client.get("/workloads/nowhere").status_code in (403, 404)


def test_nothing_configured_says_what_to_do(serve: Serve) -> None:
    served = serve(keys=[{"name": "x", "value_env": "KEY_READ", "workloads": ["none-*"]}])
    enter(served, READ)

    assert "No workload yet" in text(served, "/")


def test_a_workload_shows_its_waterfall_and_its_hours(reader: Served) -> None:
    html = text(reader, "/workloads/web")

    for stage in ("median", "quantile", "maximum", "rounding"):
        assert f'<th scope="row">{stage}</th>' in html
    assert html.count('<tr><th scope="row"><time') == 24
    assert "Why 15 pods now?" in html
    assert "0.42" in html


def test_a_read_key_is_offered_no_action(reader: Served) -> None:
    html = text(reader, "/workloads/web")

    assert "/control" not in html
    assert "sign in with a key of scope admin" in html
    assert act(reader, "freeze").status_code == 403


def test_the_audit_is_turned_page_by_page_with_its_filter(admin: Served) -> None:
    for number in range(26):
        act(admin, "override", pods=str(number + 1), length="1h")
        act(admin, "clear")

    first = text(admin, "/audit?search=override")
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    second = text(admin, html.unescape(link[1]))

    assert (first.count('data-label="When"'), second.count('data-label="When"')) == (50, 2)
    assert 'href="/audit?search=override">Newest' in second
    assert 'rel="next"' not in second


def test_people_take_the_wheel_with_a_reason_and_it_stands_in_the_audit(admin: Served) -> None:
    done = act(admin, "override", pods="40", length="1h")

    assert done.headers["location"] == "/workloads/web?done=override"
    assert admin.metric().json()["value"] == 3200.0
    page = text(admin, "/workloads/web?done=override")
    assert "The override is served." in page
    assert "End the override" in page
    assert "match night" in text(admin, "/audit")
    for fits in ("search=Match", "author=ada", f"since={NOW:%Y-%m-%d}", f"until={NOW:%Y-%m-%d}"):
        assert "match night" in text(admin, f"/audit?{fits}&cursor=")
    for fits_not in ("search=final", "author=bob", "since=2027-01-01", "until=2026-01-01"):
        assert "No entry fits" in text(admin, f"/audit?{fits_not}")
    for wrong in ("since=soon", "since=0001-01-01", "until=9999-12-31"):
        assert admin.client.get(f"/audit?{wrong}").status_code == 400

    assert act(admin, "freeze", length="open").status_code == 303
    assert act(admin, "clear").status_code == 303
    assert admin.metric().json()["status"] == "frozen"
    assert act(admin, "unfreeze").status_code == 303
    assert act(admin, "mode", mode="shadow").status_code == 303
    assert admin.metric().json()["mode"] == "shadow"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("explode", {}),
        ("mode", {"mode": "maybe"}),
        ("override", {"pods": "-1"}),
        ("override", {"pods": "1e9"}),
        ("override", {"pods": "٣"}),
        ("override", {}),
        ("freeze", {"reason": "   "}),
        ("freeze", {"length": "forever"}),
        ("freeze", {"revision": "x"}),
        ("freeze", {"reason": "x" * 2001}),
    ],
)
def test_a_senseless_action_is_refused_and_changes_nothing(
    admin: Served, action: str, fields: dict[str, str]
) -> None:
    answer = act(admin, action, **fields)

    assert answer.status_code == 400
    assert "All workloads" in answer.text
    assert admin.get("/api/v1/workloads/web").json()["control"]["revision"] == 0


def test_of_two_who_read_the_same_page_the_second_is_told(admin: Served) -> None:
    assert act(admin, "freeze", revision="0").status_code == 303
    late = act(admin, "mode", mode="off", revision="0")

    assert late.status_code == 412
    assert "read what is set now" in late.text


def test_decisions_are_shown_with_their_stages(reader: Served) -> None:
    now = reader.clock.now()
    log_decisions(reader.keeper.table, {}, reader.stores.decisions, reader.stores.controls, now)

    assert "<b>15 pods</b>" in text(reader, "/workloads/web/decisions")
    # 02:07 in Paris is 01:07 UTC.
    assert "<b>15 pods</b>" in text(reader, "/workloads/web/decisions?at=2026-11-23T02:07")
    assert "No decision" in text(reader, "/workloads/web/decisions?at=2026-11-22T02:07")


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "9999-12-31T23:59", "%00", "1"])
def test_a_senseless_instant_is_a_page_that_says_so(reader: Served, at: str) -> None:
    answer = reader.client.get(f"/workloads/web/decisions?at={at}")

    assert answer.status_code in (200, 400)
    assert answer.headers["content-type"].startswith("text/html")


def test_errors_and_holes_are_shown(reader: Served) -> None:
    one = reader.keeper.settings.workloads[0]
    version = reader.stores.workloads.ensure(one, NOW)
    values = np.full(120, 1000.0)
    values[20:31] = np.nan
    reader.stores.demand.append(version, series(values, NOW - 60 * MINUTE, MINUTE))
    reader.clock.move(timedelta(hours=3))

    html = text(reader, "/workloads/web/accuracy")

    assert "11m" in html
    assert re.search(r'class="over\d"', html)


def test_the_scaledobject_is_there_to_paste(reader: Served) -> None:
    assert "kind: ScaledObject" in text(reader, "/workloads/web/scaledobject?variant=carry-on")
    assert reader.client.get("/workloads/web/scaledobject?variant=x").status_code == 400


def test_a_chart_is_deflated_where_the_browser_can(reader: Served) -> None:
    path = "/api/v1/workloads/web/chart?from=2026-11-20T00:00:00Z&to=2026-11-24T00:00:00Z"

    packed = reader.client.get(path)
    plain = reader.client.get(path, headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    columns = packed.json()["columns"]
    assert {len(column) for column in columns.values()} == {len(packed.json()["stamps"])}
    assert columns["q0.5"][-1] == pytest.approx(991.0, rel=0.01)


@pytest.mark.parametrize(
    "query",
    ["lead=x", "as_of=now", "step=0s", "from=1970-01-01T00:00:00Z", "step=90s", "lead=-1h"],
)
def test_a_senseless_chart_is_a_400(reader: Served, query: str) -> None:
    assert reader.client.get(f"/api/v1/workloads/web/chart?{query}").status_code == 400


def test_residuals_and_gaps_answer_the_api_too(reader: Served) -> None:
    residuals = reader.get("/api/v1/workloads/web/residuals").json()
    gaps = reader.get("/api/v1/workloads/web/gaps").json()

    assert (len(residuals["share"]), len(residuals["share"][0])) == (7, 24)
    assert gaps == {"items": [], "next": None}


def test_a_package_without_charts_says_so(reader: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(render._ENVIRONMENT.globals, "charts", lambda: None)

    html = text(reader, "/workloads/web")

    assert "Charts are missing in this installation" in html
    assert "chart.js" not in html


def test_what_is_wrong_with_us_stands_on_top(reader: Served) -> None:
    one = reader.keeper.settings.workloads[0]
    version = reader.stores.workloads.ensure(one, NOW)
    failure = SourceFailure("refused", "HTTP 400 from main")
    reader.stores.forecasts.save(version, RunStatus(NOW, Outcome.UNCHANGED, None, failure))
    reader.keeper.refresh()
    assert "Demand of 1 of 2 workloads cannot be read from main" in text(reader, "/")

    reader.clock.move(timedelta(hours=2))
    assert "No forecast has been made for 120 min." in text(reader, "/")

    reader.path.write_text("workloads: 7")
    reader.keeper.round()
    assert "The file on disk is refused" in text(reader, "/")


def test_without_the_database_pages_go_on_as_far_as_they_can(reader: Served) -> None:
    reader.stores.database.close()
    (reader.path.parent / "store.sqlite").rename(reader.path.parent / "gone.sqlite")
    (reader.path.parent / "store.sqlite").mkdir()
    reader.keeper.refresh()

    answer = reader.client.get("/audit")

    assert answer.status_code == 503
    assert "KEDA is still answered" in answer.text


# What an attacker tries, and what it gets.


def test_a_wrong_address_is_a_page_for_people_and_a_problem_for_programs(reader: Served) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml"}

    assert "All workloads" in reader.client.get("/nowhere", headers=browser).text
    tool = reader.client.get("/nowhere")
    assert tool.headers["content-type"] == "application/problem+json"
    api = reader.client.get("/api/v1/nowhere", headers=browser)
    assert api.headers["content-type"] == "application/problem+json"


def test_static_files_are_kept_for_good_only_by_their_checksum(reader: Served) -> None:
    found = re.search(r'href="(/static/pages\.css\?v=[0-9a-f]+)"', text(reader, "/"))
    assert found is not None

    assert "immutable" in reader.client.get(found[1]).headers["cache-control"]
    assert reader.client.get("/static/pages.css").headers["cache-control"] == "no-store"
    assert reader.client.get("/").headers["cache-control"] == "no-store"


def test_a_guard_is_cleared_from_the_page_and_through_the_api(admin: Served) -> None:
    version = admin.stores.workloads.ensure(admin.keeper.settings.workloads[0], NOW)
    trip = Control(guard=GuardTrip("residuals", "far off for 60 minutes", NOW))
    for clear in (
        lambda: act(admin, "guard").status_code == 303,
        lambda: (
            admin.client.delete(
                "/api/v1/workloads/web/guard?reason=seen", headers={"X-API-Key": ADMIN}
            ).is_success
        ),
    ):
        entry = AuditEntry(NOW, "guard", "guard tripped", "web", "far off", None, None)
        kept = admin.stores.controls.get(version.workload)
        admin.stores.controls.put(version.workload, replace(trip, revision=kept.revision), entry)
        admin.keeper.refresh()
        assert "Clear the guard" in text(admin, "/workloads/web")

        assert clear()

        assert admin.stores.controls.get(version.workload).guard is None
        assert "Clear the guard" not in text(admin, "/workloads/web")
    assert admin.client.delete("/api/v1/workloads/web/guard?reason=x").status_code == 403
