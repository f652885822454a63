"""Planned events over HTTP."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from prescaler.core.event_records import EventWrite
from prescaler.core.event_text import from_plain
from prescaler.core.instants import format_instant
from prescaler.core.records import AuditEntry
from tests.apps.conftest import (
    ADMIN,
    AS_ADMIN,
    NOW,
    WEB_ONLY,
    WEB_WRITER,
    WRITE,
    Serve,
    Served,
    workload,
)
from tests.support.planning import EVENTS, HOUR, created, plain, post


def test_an_event_is_planned_served_and_audited(writers: Served) -> None:
    before = writers.metric().json()["value"]

    answer = post(writers, plain(0, reason="the cup"))

    event = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{EVENTS}/{event['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (event["affects"], event["source"], event["revision"]) == (1, "api", 1)
    assert event["next"] == {"start": event["start"], "end": event["end"]}
    assert writers.metric().json()["value"] == pytest.approx(2 * before, rel=0.05)
    audited = writers.client.get("/api/v1/audit", headers=AS_ADMIN).json()["items"][0]
    assert (audited["author"], audited["action"]) == ("grace", "create event")
    assert audited["reason"] == "the cup"
    assert json.loads(audited["after"])["name"] == "Semi-final"


def test_what_was_answered_may_be_sent_back(writers: Served) -> None:
    event = created(writers)

    answer = writers.client.put(
        f"{EVENTS}/{event['id']}", json={**event, "factor": 3.0}, headers=WRITE
    )

    assert answer.status_code == 200
    assert answer.json()["factor"] == 3.0
    assert answer.headers["etag"] == '"2"'


def test_a_change_with_an_old_etag_is_refused(writers: Served) -> None:
    event = created(writers)
    path = f"{EVENTS}/{event['id']}"
    seen = writers.get(path).headers["etag"]
    first = writers.client.put(path, json=plain(6), headers={**WRITE, "If-Match": seen})

    second = writers.client.put(path, json=plain(7), headers={**WRITE, "If-Match": seen})
    deleted = writers.client.delete(path, headers={**WRITE, "If-Match": seen})
    senseless = writers.client.delete(path, headers={**WRITE, "If-Match": '"x"'})

    assert [a.status_code for a in (first, second, deleted, senseless)] == [200, 412, 412, 400]
    assert second.json()["kind"] == "changed_meanwhile"
    assert writers.get(path).json()["start"] == plain(6)["start"]


def test_deleting_cancels_and_twice_is_once(writers: Served) -> None:
    event = created(writers, 0)
    path = f"{EVENTS}/{event['id']}"
    busy = writers.metric().json()["value"]

    first = writers.client.delete(f"{path}?reason=rain", headers=WRITE)
    second = writers.client.delete(path, headers=WRITE)

    assert first.json()["state"] == "cancelled"
    assert (second.status_code, second.json()["revision"]) == (200, first.json()["revision"])
    assert writers.metric().json()["value"] < busy
    assert writers.get(path).json()["state"] == "cancelled"


def test_one_time_of_a_repeating_event_moves_in_one_call(writers: Served) -> None:
    event = created(writers, 5, rule="FREQ=DAILY;COUNT=3")
    path = f"{EVENTS}/{event['id']}/move"
    second, moved_to = (format_instant(NOW + h * HOUR) for h in (29, 31))
    body = {"occurrence": second, "start": moved_to, "reason": "rain"}

    answer = post(writers, body, {**WRITE, "If-Match": '"1"'}, path)

    single = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{EVENTS}/{single['id']}"
    assert (single["start"], single["rule"]) == (moved_to, None)
    assert single["end"] == format_instant(NOW + 33 * HOUR)
    coming = writers.get(f"{EVENTS}/upcoming").json()["items"]
    assert [one["occurrence"]["start"] for one in coming] == [
        format_instant(NOW + h * HOUR) for h in (5, 31, 53)
    ]
    changes = writers.get(f"{EVENTS}/{event['id']}/changes").json()["items"]
    assert (changes[0]["action"], changes[0]["reason"]) == ("move occurrence", "rain")
    assert post(writers, body, {**WRITE, "If-Match": '"1"'}, path).status_code == 412
    assert post(writers, body, WRITE, path).status_code == 400
    assert post(writers, {**body, "where": 1}, WRITE, path).status_code == 400
    assert post(writers, {**body, "start": "soon"}, WRITE, path).status_code == 400
    assert post(writers, body, {"X-API-Key": WEB_ONLY}, path).status_code == 403
    unknown = f"{EVENTS}/{uuid4()}/move"
    assert post(writers, body, WRITE, unknown).status_code == 404


def test_every_change_of_an_event_can_be_read(writers: Served) -> None:
    event, other = created(writers), created(writers)
    path = f"{EVENTS}/{event['id']}"
    writers.client.put(path, json={**plain(6), "reason": "moved"}, headers=WRITE)
    writers.client.delete(f"{path}?reason=rain", headers=WRITE)

    found = writers.get(f"{path}/changes").json()["items"]

    assert [(e["action"], e["reason"]) for e in found] == [
        ("cancel event", "rain"), ("change event", "moved"), ("create event", "")
    ]  # fmt: skip
    assert json.loads(found[1]["before"])["start"] == plain()["start"]
    assert json.loads(found[1]["after"])["start"] == plain(6)["start"]
    assert len(writers.get(f"{path}/changes?limit=1").json()["items"]) == 1
    hidden = created(writers, workloads=["api"])
    answer = writers.client.get(f"{EVENTS}/{hidden['id']}/changes", headers=WEB_WRITER)
    assert (answer.status_code, other["revision"]) == (404, 1)


def test_reading_is_not_writing(writers: Served) -> None:
    event = created(writers)
    path = f"{EVENTS}/{event['id']}"
    reader = {"X-API-Key": WEB_ONLY}

    answers = [
        post(writers, plain(), reader),
        writers.client.put(path, json=plain(), headers=reader),
        writers.client.delete(path, headers=reader),
        post(writers, {"events": []}, reader, f"{EVENTS}/bulk"),
        writers.client.post(EVENTS, json=plain()),
    ]

    assert [a.status_code for a in answers] == [403, 403, 403, 403, 401]
    assert writers.client.get(path, headers=reader).status_code == 200
    assert post(writers, plain(), {"X-API-Key": ADMIN}).status_code == 201


def test_a_key_for_some_workloads_sees_and_touches_their_events_only(writers: Served) -> None:
    mine = created(writers)
    others = created(writers, workloads=["api"])
    everybody = created(writers, workloads="all")
    labelled = plain(workloads={"labels": {"team": "player"}})

    listed = writers.client.get(EVENTS, headers=WEB_WRITER).json()["items"]
    assert {e["id"] for e in listed} == {mine["id"], everybody["id"]}
    assert all(e["affects"] == 1 for e in listed)

    def change(event: dict[str, Any], body: dict[str, Any]) -> int:
        answer = writers.client.put(f"{EVENTS}/{event['id']}", json=body, headers=WEB_WRITER)
        return int(answer.status_code)

    assert change(others, plain()) == 404
    assert change(everybody, plain()) == 403
    assert change(mine, plain(workloads=["web", "api"])) == 403
    assert change(mine, labelled) == 403
    assert change(mine, plain(8)) == 200
    assert post(writers, plain(workloads="all"), WEB_WRITER).status_code == 403
    many = {"events": [plain(), plain(workloads=["api"])]}
    assert post(writers, many, WEB_WRITER, f"{EVENTS}/bulk").status_code == 403
    gone = writers.client.delete(f"{EVENTS}/{others['id']}", headers=WEB_WRITER)
    assert gone.status_code == 404
    debrief = writers.client.get(f"{EVENTS}/{others['id']}/debrief", headers=WEB_WRITER)
    assert debrief.status_code == 404


def test_the_list_is_by_start_and_comes_in_pages(writers: Served) -> None:
    ids = [created(writers, hours, name=f"n{hours}")["id"] for hours in (9, 3, 6, 1, 4)]
    created(writers, 2, workloads=["api"])

    seen, cursor = [], ""
    while True:
        answer = writers.client.get(f"{EVENTS}?limit=2{cursor}", headers=WEB_WRITER).json()
        seen += [event["name"] for event in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"

    assert seen == ["n1", "n3", "n4", "n6", "n9"]
    assert len(ids) == 5


def test_the_list_may_be_narrowed(writers: Served) -> None:
    created(writers, 1, kind="opera")
    created(writers, 5, state="draft")
    far = created(writers, 100, rule="FREQ=WEEKLY")

    def names(query: str) -> list[str]:
        return [e["kind"] + "/" + e["state"] for e in writers.get(EVENTS + query).json()["items"]]

    assert names("?kind=opera") == ["opera/confirmed"]
    assert names("?state=draft") == ["football/draft"]
    start = format_instant(NOW + 24 * 40 * HOUR)
    assert [e["id"] for e in writers.get(f"{EVENTS}?from={start}").json()["items"]] == [far["id"]]
    assert names(f"?to={format_instant(NOW + 2 * HOUR)}") == ["opera/confirmed"]


@pytest.mark.parametrize(
    "query",
    [
        "?cursor=x",
        "?cursor=2026-11-24T00:00:00Z_x",
        "?limit=0",
        "?limit=501",
        "?state=perhaps",
        "?from=2026-11-24T00:00:00",
        "?from=now",
        "/upcoming?to=2099-01-01T00:00:00Z",
        "/not-a-uuid",
    ],
)
def test_a_senseless_question_is_a_400(writers: Served, query: str) -> None:
    answer = writers.get(EVENTS + query)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_on_and_what_is_coming(writers: Served) -> None:
    on = created(writers, -1, name="on")
    created(writers, -1, name="draft", state="draft")
    created(writers, -8, name="over")
    created(writers, 5, name="nightly", rule="FREQ=DAILY")
    created(writers, 6, name="kept back", known_from=format_instant(NOW + HOUR))
    created(writers, 3, name="of others", workloads=["api"])

    current = writers.get(f"{EVENTS}/current").json()["items"]
    assert [(e["name"], e["occurrence"]["start"]) for e in current] == [("on", on["start"])]
    coming = writers.get(f"{EVENTS}/upcoming").json()
    assert [e["name"] for e in coming["items"]] == ["of others", *["nightly"] * 7]
    assert coming["items"][2]["occurrence"]["start"] == plain(29)["start"]
    assert coming["next"] is None
    end = format_instant(NOW + 24 * HOUR)
    near = writers.client.get(f"{EVENTS}/upcoming?to={end}", headers=WEB_WRITER).json()
    assert [e["name"] for e in near["items"]] == ["nightly"]


def test_what_is_coming_comes_in_pages_of_whole_instants(writers: Served) -> None:
    created(writers, 3, name="a", rule="FREQ=DAILY")
    created(writers, 3, name="b", rule="FREQ=DAILY")
    created(writers, 30, name="c")
    end = format_instant(NOW + 30 * 24 * HOUR)

    seen: list[tuple[str, str]] = []
    start = format_instant(NOW)
    while start:
        asked = f"{EVENTS}/upcoming?from={start}&to={end}&limit=5"
        page = writers.get(asked).json()
        seen += [(e["name"], e["occurrence"]["start"]) for e in page["items"]]
        start = page["next"]

    assert len(seen) == len(set(seen)) == 30 + 30 + 1
    assert [at for _, at in seen] == sorted(at for _, at in seen)


def test_a_preview_says_what_tonight_would_look_like_and_stores_nothing(writers: Served) -> None:
    answer = post(writers, plain(), path=f"{EVENTS}/preview")

    found = answer.json()
    assert answer.status_code == 200
    assert (found["acts"], found["total"]) == (True, 1)
    (web,) = found["items"]
    assert web["workload"] == "web"
    assert web["pods"] == pytest.approx(2 * web["without"], abs=1)
    assert web["forecast_reaches_it"] is True
    assert web["learnt"] is None
    assert web["slowest_raise"]["latest_start"] < plain()["start"]
    assert web["extra_pod_hours"] > web["without"] * 1.9
    columns = web["series"]["columns"]
    assert len(columns["with"]) == len(columns["without"]) == len(web["series"]["stamps"]) <= 300
    assert max(columns["with"]) == web["pods"]
    assert writers.get(EVENTS).json()["items"] == []


def test_a_preview_with_an_id_stands_in_the_place_of_the_planned_one(writers: Served) -> None:
    event = created(writers, factor=5.0)
    alone = post(writers, {**plain(), "id": event["id"]}, path=f"{EVENTS}/preview").json()
    beside = post(writers, plain(), path=f"{EVENTS}/preview").json()

    assert alone["items"][0]["pods"] < beside["items"][0]["pods"]
    assert beside["items"][0]["pods"] == beside["items"][0]["without"]
    bad = post(writers, {**plain(), "id": "x"}, path=f"{EVENTS}/preview")
    assert bad.status_code == 400


def test_a_preview_of_a_draft_and_of_what_is_over(writers: Served) -> None:
    draft = post(writers, plain(state="draft"), path=f"{EVENTS}/preview").json()
    over = post(writers, plain(-9), path=f"{EVENTS}/preview").json()
    far = post(writers, plain(24 * 20, min_pods=70), path=f"{EVENTS}/preview").json()
    nobody = post(
        writers, plain(workloads={"labels": {"team": "none"}}), path=f"{EVENTS}/preview"
    ).json()

    assert draft["acts"] is False
    assert draft["items"][0]["pods"] > draft["items"][0]["without"]
    assert (over["items"], over["occurrences"]) == ([], [])
    assert far["items"][0]["forecast_reaches_it"] is False
    assert (far["items"][0]["pods"], far["items"][0]["slowest_raise"]["lead"]) == (70, "390s")
    assert (nobody["items"], nobody["total"]) == ([], 0)


def test_a_week_long_event_has_few_enough_points(writers: Served) -> None:
    end = format_instant(NOW + 7 * 24 * HOUR)
    found = post(writers, plain(1, end=end), path=f"{EVENTS}/preview").json()["items"][0]

    assert 200 < len(found["series"]["stamps"]) <= 300


def test_many_events_are_stored_all_or_none(writers: Served) -> None:
    good = [plain(hour, name=f"n{hour}") for hour in range(1, 4)]
    bad = [*good, plain(end=plain()["start"]), {"name": "x"}]

    refused = post(writers, {"events": bad}, path=f"{EVENTS}/bulk")
    assert refused.status_code == 400
    assert "event 3: end: must lie behind the start" in refused.json()["detail"]
    assert "event 4: start: is missing" in refused.json()["detail"]
    assert writers.get(EVENTS).json()["items"] == []

    tried = post(writers, {"events": good}, path=f"{EVENTS}/bulk?dry_run=true").json()
    assert (tried["created"], tried["dry_run"]) == (3, True)
    assert writers.get(EVENTS).json()["items"] == []

    done = post(writers, {"events": good, "reason": "season"}, path=f"{EVENTS}/bulk").json()
    assert (done["created"], [e["revision"] for e in done["items"]]) == (3, [1, 1, 1])
    assert len(writers.get(EVENTS).json()["items"]) == 3


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"end": "2026-11-23T00:00:00Z"}, "end: must lie behind the start"),
        ({"timezone": "Europe/Pariss"}, "is no time zone"),
        ({"rule": "FREQ=SECONDLY"}, "rule"),
        ({"workloads": ["wbe"]}, "did you mean 'web'"),
        ({"workloads": []}, "selects nothing"),
        ({"start": "2026-11-24T21:00:00"}, "start"),
        ({"start": "1969-12-31T00:00:00Z"}, "1970"),
        ({"factor": -1}, "factor"),
        ({"factor": "x1.5"}, "factor: must be a number"),
        ({"name": "\u0000"}, "control character"),
        ({"colour": "red"}, "no such field"),
        ({"reason": 5}, "reason"),
        ({"reason": "r" * 2001}, "reason"),
    ],
)
def test_an_event_that_cannot_be_is_refused_by_the_field(
    writers: Served, fields: dict[str, Any], words: str
) -> None:
    for path in (EVENTS, f"{EVENTS}/preview"):
        answer = post(writers, plain(**fields), path=path)
        if path == EVENTS or "reason" not in fields:
            assert answer.status_code == 400
            assert words in answer.json()["detail"]
    assert writers.get(EVENTS).json()["items"] == []


def test_numbers_that_are_none_are_refused(writers: Served) -> None:
    body = json.dumps(plain(factor=float("nan")))
    head = {**WRITE, "Content-Type": "application/json"}

    assert writers.client.post(EVENTS, content=body, headers=head).status_code == 400


def test_events_of_nobody_are_404(writers: Served) -> None:
    path = f"{EVENTS}/{UUID(int=5)}"

    assert writers.get(path).status_code == 404
    assert writers.client.put(path, json=plain(), headers=WRITE).status_code == 404
    assert writers.client.delete(path, headers=WRITE).status_code == 404


def test_an_event_for_an_old_name_acts_on_the_renamed_workload(serve: Serve) -> None:
    served = serve(workloads=[workload("web", aliases=["shop"]), workload("api")])
    served.store()
    answer = post(served, plain(0, workloads=["shop"], min_pods=90), AS_ADMIN)

    assert answer.json()["affects"] == 1
    assert served.metric().json()["pods"] >= 90


def test_the_door_of_the_store_is_shut_and_current_events_still_answer(
    writers: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = from_plain(plain(-1), uuid4())
    entry = AuditEntry(NOW, "ada", "create event", "e", "", None, None)
    writers.stores.events.write([EventWrite(event, entry)])
    writers.keeper.refresh()
    writers.stores.database.close()
    (writers.path.parent / "store.sqlite").unlink()
    (writers.path.parent / "store.sqlite").mkdir()

    assert writers.get(EVENTS).status_code == 503
    assert post(writers, plain()).status_code == 503
    assert len(writers.get(f"{EVENTS}/current").json()["items"]) == 1


def test_the_documentation_describes_events(writers: Served) -> None:
    paths = writers.client.get("/api/v1/openapi.json").json()["paths"]

    body = paths[EVENTS]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["rule"]["description"].startswith("RFC 5545")
    assert "text/calendar" in paths[f"{EVENTS}/bulk"]["post"]["requestBody"]["content"]
    assert {"get", "put", "delete"} <= paths[f"{EVENTS}/{{identity}}"].keys()
