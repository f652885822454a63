"""Files of events over HTTP: all of one or nothing of it."""

from typing import Any

import pytest

from tests.apps.conftest import WRITE, Served
from tests.support.planning import CALENDAR, EVENTS


def upload(served: Served, content: str | bytes, kind: str, query: str = "") -> Any:
    head = {**WRITE, "Content-Type": kind}
    return served.client.post(f"{EVENTS}/bulk?{query}", content=content, headers=head)


def test_an_ics_file_is_taken_in_once(writers: Served) -> None:
    query = "name=cup&kind=football&workloads=web&factor=1.5"
    first = upload(writers, CALENDAR, "text/calendar; charset=utf-8", query)
    again = upload(writers, CALENDAR, "text/calendar", query)
    moved = upload(writers, CALENDAR.replace("T21", "T20"), "text/calendar", query)

    assert (first.status_code, first.json()["created"]) == (200, 1)
    (event,) = first.json()["items"]
    assert (event["start"], event["timezone"]) == ("2026-11-24T20:00:00Z", "Europe/Paris")
    assert (event["factor"], event["source"]) == (1.5, "import:cup")
    assert (again.json()["created"], again.json()["same"]) == (0, 1)
    assert (moved.json()["changed"], moved.json()["items"][0]["revision"]) == (1, 2)


def test_tables_and_lists_are_taken_in(writers: Served) -> None:
    rows = "name,kind,start,end,stage\nFinal,football,2026-12-01T20:00Z,2026-12-01T22:00Z,final\n"
    table = upload(writers, rows, "text/csv", "workloads=all&factor=2")
    text = "events: [{name: Sale, start: '2026-12-02T10:00Z', end: '2026-12-02T12:00Z'}]"
    listed = upload(writers, text, "application/yaml", "labels=team=player&min_pods=9")

    assert table.json()["items"][0]["labels"] == {"stage": "final"}
    assert listed.json()["items"][0]["workloads"] == {"names": [], "labels": {"team": "player"}}
    assert listed.json()["items"][0]["min_pods"] == 9


@pytest.mark.parametrize(
    ("content", "kind", "query", "code", "words"),
    [
        ("<!doctype html><html>", "text/calendar", "workloads=all", 400, "is an HTML page"),
        (CALENDAR[:-20], "text/calendar", "workloads=all", 400, "cut off"),
        (CALENDAR, "text/calendar", "", 400, "selects nothing"),
        (CALENDAR, "text/calendar", "workloads=wbe", 400, "did you mean 'web'"),
        (CALENDAR, "text/calendar", "workloads=all&workloads=web", 400, "stands alone"),
        (CALENDAR, "text/calendar", "workloads=all&timezone=Mars", 400, "timezone"),
        (CALENDAR, "text/calendar", "workloads=all&ramp_before=soon", 400, "ramp_before"),
        (CALENDAR, "text/calendar", f"workloads=all&name={'n' * 45}", 400, "at most 40"),
        (CALENDAR, "text/calendar", "workloads=all&labels=team", 400, "key=value"),
        (CALENDAR, "text/calendar", "colour=red", 400, "colour"),
        (CALENDAR, "image/png", "workloads=all", 415, "text/calendar"),
        ("name,start\n", "text/csv", "workloads=all", 400, "column end"),
        ("{]", "application/json", "", 400, "JSON"),
        ("[" * 100_000, "application/json", "", 400, ""),
        ('{"events": 1}', "application/json", "", 400, "events"),
        ('{"events": [], "colour": 1}', "application/json", "", 400, "colour"),
        (b"\xff\xfe", "text/csv", "workloads=all", 400, "UTF-8"),
    ],
)
def test_a_bad_file_changes_nothing_and_says_why(
    writers: Served, content: str, kind: str, query: str, code: int, words: str
) -> None:
    answer = upload(writers, content, kind, query)

    assert answer.status_code == code
    assert words in answer.json()["detail"]
    assert writers.get(EVENTS).json()["items"] == []


def test_ten_thousand_events_are_taken_and_one_more_is_not(writers: Served) -> None:
    head = "name,kind,start,end,workloads\n"
    rows = [f"n{n},k,2026-12-01T20:00Z,2026-12-01T22:00Z,web\n" for n in range(10_001)]

    too_many = upload(writers, head + "".join(rows), "text/csv")
    assert too_many.status_code == 413
    assert "more than 10000 events" in too_many.json()["detail"]

    done = upload(writers, head + "".join(rows[:-1]), "text/csv").json()
    assert (done["created"], len(done["items"])) == (10_000, 500)
    assert len(writers.get(f"{EVENTS}?limit=500").json()["items"]) == 500
