"""The calendar of planned events, without a browser."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from prescaler.apps.pages.words import declared, selection
from prescaler.core.event_records import EventWrite
from prescaler.core.event_text import from_plain, to_plain
from prescaler.core.instants import format_instant
from prescaler.core.planned import Effect, PlannedEvent, Selection
from prescaler.core.records import AuditEntry, LoggedDecision
from tests.apps.conftest import ADMIN, NOW, READ, WEB_ONLY, Serve, Served, workload
from tests.support.browsing import HOSTILE, enter, text, token
from tests.support.builders import MINUTE, series

HOUR = timedelta(hours=1)


def planned(served: Served, hours: float = 5, **fields: Any) -> PlannedEvent:
    """Store an event of two hours that begins so many hours from now."""
    start = NOW + hours * HOUR
    plain = {
        "name": "Semi-final",
        "kind": "football",
        "start": format_instant(start),
        "end": format_instant(start + 2 * HOUR),
        "timezone": "Europe/Paris",
        "workloads": {"names": ["web"]},
        "factor": 2.0,
        **fields,
    }
    event = from_plain(plain, uuid4())
    entry = AuditEntry(NOW, "ada", "create event", f"event {event.id}", "cup", None, None)
    (stored,) = served.stores.events.write([EventWrite(event, entry)])
    served.keeper.refresh()
    return stored


@pytest.fixture
def reader(served: Served) -> Served:
    """Somebody with a key of scope read."""
    enter(served, READ)
    return served


def pods(html: str) -> tuple[int, int]:
    found = re.search(r'<td class="n">(\d+)</td><td class="n"><b>(\d+)</b>', html)
    assert found is not None
    return int(found[1]), int(found[2])


def test_the_calendar_shows_what_comes_and_what_was(reader: Served) -> None:
    assert "Nothing is planned." in text(reader, "/events")
    event = planned(reader)
    planned(reader, -30, name="Quarter-final")
    planned(reader, 24 * 9, name="Sale", rule="FREQ=WEEKLY")

    html = text(reader, "/events")

    # 06:00 UTC is 07:00 in Paris.
    assert f'href="/events/{event.id}" title="Semi-final">07:00 Semi-final' in html
    assert (
        html.index("Next 60 days") < html.index("How the last") < html.rindex("Quarter-final</a>")
    )
    assert html.count('Sale</a> <span class="muted small">repeats') == 8
    assert "November 2026" in html
    assert "Semi-final" in text(reader, "/events?month=2026-11")
    assert 'title="Semi-final"' not in text(reader, "/events?month=2027-03")
    assert "December 2026" in text(reader, "/events?month=2026-12")


def test_a_day_is_chosen_and_planned_on(reader: Served) -> None:
    planned(reader)
    day = "/events?month=2026-11&day=2026-11-23"
    html = text(reader, day)

    assert "Monday, 23 November 2026" in html
    assert 'aria-label="Monday 23 November, 1 event"' in html
    assert "Plan an event on this day" not in html
    assert "Nothing is planned on this day." in text(reader, "/events?day=2026-11-24")
    assert 'data-earlier="/events?month=2026-10"' in html
    enter(reader, ADMIN)
    assert "/event-form?day=2026-11-23" in text(reader, day)
    assert 'value="2026-11-23T20:00"' in text(reader, "/event-form?day=2026-11-23")
    for wrong in ("2026-02-31", "tomorrow"):
        assert reader.client.get(f"/events?day={wrong}").status_code == 400


def evening_over(served: Served, **fields: Any) -> PlannedEvent:
    """An event that is over, with demand, a forecast and an answer."""
    one = served.keeper.settings.workloads[0]
    version = served.stores.workloads.ensure(one, NOW)
    event = planned(served, 0.5, **fields)
    served.stores.demand.append(version, series(np.full(180, 1234.0), NOW, MINUTE))
    answer = LoggedDecision(
        NOW - HOUR, 800.0, 10, "active", None, "active", 800.0, None, (("median", 80.0, ""),)
    )
    served.stores.decisions.append({version.workload: answer})
    served.clock.move(3 * HOUR)
    served.keeper.refresh()
    return event


def test_the_list_says_how_the_last_ones_went(reader: Served) -> None:
    evening_over(reader)

    for _ in range(2):  # the second time from memory
        html = text(reader, "/events")
        assert re.search(r"<b>10</b> of 16", html)
        assert "<b>1,234</b>" in html


def test_events_about_many_are_debriefed_on_their_own_page(serve: Serve) -> None:
    served = serve(workloads=[workload(name) for name in ("web", "a", "b", "c")])
    served.store()
    enter(served, READ)
    event = evening_over(served, workloads="all")

    link = f"/events/{event.id}?at={format_instant(event.end)}#debrief"
    assert link in text(served, "/events")
    page = text(served, link)
    assert "needed at the start" in page
    assert f"from={format_instant(event.start - 2 * HOUR)}" in page


def test_each_occurrence_that_is_over_has_its_debrief(reader: Served) -> None:
    event = planned(reader, -24 * 10 + 0.5, rule="FREQ=DAILY;COUNT=5")
    html = text(reader, f"/events/{event.id}")

    assert html.count("how it went</a>") == 4
    third = format_instant(event.end + 48 * HOUR)
    older = text(reader, f"/events/{event.id}?at={third}")
    assert "How it went, <time" in older
    assert format_instant(event.start + 48 * HOUR) in older.split("How it went, ")[1][:200]


@pytest.mark.parametrize("month", ["1969-01", "2026-13", "x", "2026-1", "99999-01"])
def test_a_senseless_month_is_a_400(reader: Served, month: str) -> None:
    assert reader.client.get(f"/events?month={month}").status_code == 400


def test_an_event_says_what_it_does_to_the_plans(reader: Served) -> None:
    event = planned(reader)

    without, with_it = pods(text(reader, f"/events/{event.id}"))

    assert with_it == pytest.approx(2 * without, abs=1)
    chart = reader.get("/api/v1/workloads/web/chart").json()
    assert [e["name"] for e in chart["events"]] == ["Semi-final"]
    page = text(reader, "/workloads/web")
    assert "Planned events of the next 48 hours" in page
    assert "Planned events of the next 24 hours" in text(reader, "/")
    assert "Planned events of the next 24 hours" not in text(reader, "/?search=web")


def test_a_draft_and_a_past_event_do_nothing(reader: Served) -> None:
    draft, past = planned(reader, state="draft"), planned(reader, -40)
    far = planned(reader, 24 * 20, min_pods=90)

    assert "only confirmed events act" in text(reader, f"/events/{draft.id}")
    assert "it is over" in text(reader, f"/events/{past.id}")
    assert "floors only" in text(reader, f"/events/{far.id}")
    assert pods(text(reader, f"/events/{far.id}"))[1] == 90


def test_after_an_event_its_page_says_how_it_went(reader: Served) -> None:
    one = reader.keeper.settings.workloads[0]
    version = reader.stores.workloads.ensure(one, NOW)
    reader.stores.demand.append(version, series(np.full(180, 1234.0), NOW, MINUTE))
    event = planned(reader, 0.5)
    assert "How it went" not in text(reader, f"/events/{event.id}")

    reader.clock.move(3 * HOUR)

    html = text(reader, f"/events/{event.id}")
    assert "How it went" in html
    assert "1,234" in html


def test_events_of_others_are_not_shown(served: Served) -> None:
    mine, others = planned(served), planned(served, workloads={"names": ["api"]}, name="Hidden")
    enter(served, WEB_ONLY)

    assert "Hidden" not in text(served, "/events")
    assert served.client.get(f"/events/{others.id}").status_code == 404
    assert served.client.get(f"/events/{mine.id}").status_code == 200
    assert served.client.get(f"/events/{UUID(int=7)}").status_code == 404
    assert served.client.get("/events/nonsense").status_code == 400


def test_hostile_events_are_text(reader: Served) -> None:
    event = planned(reader, name=HOSTILE, description=HOSTILE, labels={"x": HOSTILE})

    for path in ("/events", f"/events/{event.id}", "/workloads/web"):
        assert "<script>alert" not in text(reader, path)
        assert "<img src=x" not in text(reader, path)


def test_effects_and_selections_are_told_in_words() -> None:
    assert declared(Effect()) == "learnt from past ones"
    all_of_it = declared(Effect(1.5, 20.0, 40, 2.0))
    assert re.sub(r"\s", " ", all_of_it) == "× 1.5, + 20, at least 40 pods, × 2 of the windows"
    assert selection(Selection(everything=True)) == "all workloads"
    assert selection(Selection(names=frozenset({"b", "a"}), labels={"t": "x"})) == "a, b, t=x"


FORM = {
    "name": "Final",
    "kind": "football",
    "start": "2026-11-23T07:00",
    "end": "2026-11-23T09:00",
    "timezone": "Europe/Paris",
    "workloads": "web",
    "factor": "2",
    "min_pods": "",
    "reason": "cup",
}


@pytest.fixture
def writer(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Somebody with a key of scope write."""
    monkeypatch.setenv("KEY_WRITE", "write-key-0123456789")
    keys = [
        {"name": "keda", "value_env": "KEY_READ"},
        {"name": "will", "scope": "write", "value_env": "KEY_WRITE"},
        {"name": "ada", "scope": "admin", "value_env": "KEY_ADMIN"},
    ]
    found = serve(keys=keys)
    found.store()
    enter(found, "write-key-0123456789")
    return found


def send(served: Served, path: str, **changes: Any) -> Any:
    body = {**FORM, "token": token(served), **changes}
    return served.client.post(path, data=body, follow_redirects=False)


def test_one_time_of_a_repeating_event_moves_in_a_form(writer: Served) -> None:
    event = planned(writer, rule="FREQ=DAILY;COUNT=2")
    html = text(writer, f"/events/{event.id}")
    assert html.count("Move this one") == 2
    assert "Move this one" not in text(writer, f"/events/{planned(writer).id}")
    second = format_instant(NOW + 29 * HOUR)
    assert f'name="occurrence" value="{second}"' in html
    # 05:00 UTC and two hours later, on the wall clock of Paris a day further.
    times = {"start": "2026-11-25T07:30", "end": "2026-11-25T09:30"}
    path = f"/events/{event.id}/move"

    done = send(writer, path, occurrence=second, revision=str(event.revision), **times)

    assert done.status_code == 303
    single = writer.stores.events.get(UUID(done.headers["location"].rpartition("/")[2]))
    assert (format_instant(single.start), single.rule) == ("2026-11-25T06:30:00Z", None)
    assert text(writer, f"/events/{event.id}").count("Move this one") == 1
    again = send(writer, path, occurrence=second, revision=str(event.revision), **times)
    nonsense = send(writer, path, occurrence="soon", **times)
    forged = send(writer, path, occurrence=second, token="0" * 32, **times)
    assert [a.status_code for a in (again, nonsense, forged)] == [412, 400, 403]


def test_an_event_is_planned_changed_and_cancelled_in_a_form(writer: Served) -> None:
    assert "Plan an event" in text(writer, "/events")
    planned_at = send(writer, "/event-form").headers["location"]

    (event,) = writer.stores.events.acting_from(NOW)
    # 07:00 in Paris is 06:00 UTC.
    assert event.start == NOW + 5 * HOUR
    without, with_it = pods(text(writer, planned_at))
    assert with_it == pytest.approx(2 * without, abs=1)

    form = text(writer, f"{planned_at}/edit")
    assert 'value="2026-11-23T07:00"' in form
    changed = send(writer, f"{planned_at}/edit", factor="", min_pods="77", revision="1")
    assert changed.status_code == 303
    assert pods(text(writer, planned_at))[1] == 77
    assert send(writer, f"{planned_at}/edit", revision="1").status_code == 412

    cancelled = send(writer, f"{planned_at}/cancel")
    assert cancelled.headers["location"] == "/events?done=cancelled"
    assert "The event is cancelled." in text(writer, "/events?done=cancelled")
    enter(writer, ADMIN)
    actions = [entry["action"] for entry in writer.get("/api/v1/audit").json()["items"]]
    assert actions == ["cancel event", "change event", "create event"]


def test_a_change_in_a_form_keeps_what_the_form_does_not_show(writer: Served) -> None:
    taken_out = format_instant(NOW + 29 * HOUR)
    hidden: dict[str, Any] = {
        "labels": {"stage": "final"},
        "known_from": format_instant(NOW - HOUR),
        "min_pods_factor": 2.0,
        "exceptions": [taken_out],
    }
    event = planned(writer, rule="FREQ=DAILY;COUNT=3", **hidden)
    path = f"/events/{event.id}/edit"

    assert send(writer, path, rule=event.rule, revision="1").status_code == 303
    kept = to_plain(writer.stores.events.get(event.id))
    assert {name: kept[name] for name in hidden} == hidden

    assert send(writer, path, rule="", revision="2").status_code == 303
    once = writer.stores.events.get(event.id)
    assert (once.exceptions, once.labels) == (frozenset(), {"stage": "final"})


def test_a_look_at_a_change_shows_it_in_the_place_of_what_is_planned(writer: Served) -> None:
    event = planned(writer, factor=8.0)
    form = text(writer, f"/events/{event.id}/edit")
    (address,) = set(re.findall(r'"(/event-preview[^"]*)"', form))

    looked = pods(send(writer, address, factor="2").text)

    send(writer, f"/events/{event.id}/edit", factor="2", revision="1")
    assert looked == pods(text(writer, f"/events/{event.id}"))
    assert looked[1] == pytest.approx(2 * looked[0], abs=1)
    assert send(writer, f"/event-preview?changes={uuid4()}").status_code == 404
    assert send(writer, "/event-preview?changes=x").status_code == 400


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "name"),
        ({"start": "tomorrow"}, "start"),
        ({"end": "2026-11-23T06:00"}, "end"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"workloads": "wbe"}, "did you mean"),
        ({"workloads": ""}, "workloads"),
        ({"factor": "lots"}, "factor"),
        ({"factor": "nan"}, "factor"),
        ({"min_pods": "-3"}, "min_pods"),
        ({"rule": "FREQ=SOMETIMES"}, "FREQ"),
        ({"ramp_before": "soon"}, "ramp_before"),
        ({"state": "perhaps"}, "state"),
    ],
)
def test_a_form_that_is_wrong_comes_back_and_says_why(
    writer: Served, changes: dict[str, str], says: str
) -> None:
    answer = send(writer, "/event-form", **changes)

    assert answer.status_code == 400
    assert re.search(rf'role="alert">[^<]*{says}', answer.text)
    assert not writer.stores.events.acting_from(NOW)
    looked = send(writer, "/event-preview", **changes)
    assert "Not complete yet" in looked.text


def test_a_look_first_stores_nothing(writer: Served) -> None:
    html = send(writer, "/event-preview").text

    assert 'class="sketch"' in html
    assert "decide by" in html
    without, with_it = pods(html)
    assert with_it > without
    assert not writer.stores.events.acting_from(NOW)


def test_events_are_written_with_a_token_and_the_scope(writer: Served) -> None:
    assert send(writer, "/event-form", token="0" * 64).status_code == 403
    enter(writer, READ)

    assert "Plan an event" not in text(writer, "/events")
    for path in ("/event-form", "/event-preview"):
        assert send(writer, path).status_code == 403
    assert writer.client.get("/event-form").status_code == 403
    assert not writer.stores.events.acting_from(NOW)


CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:final@example.org
SUMMARY:Final <b>tonight</b>
DTSTART:20261124T200000Z
DTEND:20261124T220000Z
END:VEVENT
END:VCALENDAR
"""
IMPORT = {"name": "cup", "form": "ics", "workloads": "web", "kind": "football", "timezone": "UTC"}


def hand_in(served: Served, content: str = CALENDAR, **changes: str) -> Any:
    body = {**IMPORT, "token": token(served), "content": content, **changes}
    return served.client.post("/event-import", data=body, follow_redirects=False)


def test_a_calendar_file_is_shown_first_and_then_taken_in(writer: Served) -> None:
    assert "Import a calendar" in text(writer, "/events")
    assert 'type="file"' in text(writer, "/event-import")
    file = {"file": ("cup.ics", CALENDAR.replace("\n", "\r\n").encode(), "text/calendar")}
    shown = writer.client.post(
        "/event-import", data={**IMPORT, "token": token(writer), "sure": "yes"}, files=file
    )

    assert shown.status_code == 200
    assert "<b>1</b> new" in shown.text
    assert "Final &lt;b&gt;tonight&lt;/b&gt;" in shown.text
    assert not writer.stores.events.acting_from(NOW)
    assert "say why" in hand_in(writer, sure="yes").text

    done = hand_in(writer, sure="yes", reason="the cup")
    assert done.headers["location"] == "/events?done=imported"
    (event,) = writer.stores.events.acting_from(NOW)
    assert (event.name, event.kind) == ("Final <b>tonight</b>", "football")
    assert "all of it is planned already" in hand_in(writer).text


@pytest.mark.parametrize(
    ("content", "changes", "says"),
    [
        ("", {}, "choose a file"),
        ("no calendar at all", {}, ""),
        (CALENDAR, {"form": "exe"}, "choose a format"),
        (CALENDAR, {"workloads": "wbe"}, "did you mean"),
        (CALENDAR, {"factor": "lots"}, "factor"),
        (CALENDAR, {"timezone": "Mars/Base"}, "timezone"),
        (CALENDAR.replace("20261124T200000Z", "yesterday"), {}, ""),
    ],
)
def test_a_file_that_is_wrong_comes_back_and_says_why(
    writer: Served, content: str, changes: dict[str, str], says: str
) -> None:
    answer = hand_in(writer, content, **changes)

    assert answer.status_code == 400
    assert re.search(rf'role="alert">[^<]*{says}', answer.text)
    assert not writer.stores.events.acting_from(NOW)


def test_files_are_taken_in_with_a_token_the_scope_and_a_bound(writer: Served) -> None:
    assert hand_in(writer, token="0" * 64).status_code == 403
    large = {"file": ("big.ics", b"x" * 500_001, "text/calendar")}
    body = {**IMPORT, "token": token(writer)}
    assert writer.client.post("/event-import", data=body, files=large).status_code == 400
    empty = {"file": ("", b"", "application/octet-stream")}
    assert writer.client.post("/event-import", data=body, files=empty).status_code == 400
    enter(writer, READ)
    assert hand_in(writer).status_code == 403
    assert writer.client.get("/event-import").status_code == 403
    assert "Import a calendar" not in text(writer, "/events")


def test_a_long_file_can_be_seen_whole_before_it_is_taken_in(writer: Served) -> None:
    rows = "".join(
        f"Match {n},2027-01-{n % 28 + 1:02d} 20:00,2027-01-{n % 28 + 1:02d} 22:00\n"
        for n in range(150)
    )
    shown = hand_in(writer, form="csv", content=f"name,start,end\n{rows}").text

    assert "<summary>50 more</summary>" in shown
    assert all(f">Match {n}<" in shown for n in range(150))


def test_a_large_file_survives_its_second_step(writer: Served) -> None:
    head, one = (
        CALENDAR.split("BEGIN:VEVENT", maxsplit=1)[0],
        CALENDAR.split("PRODID:-//test//EN\n")[1],
    )
    one = one.split("END:VCALENDAR")[0].replace("SUMMARY", f"DESCRIPTION:{'x' * 60}\nSUMMARY")
    many = "".join(one.replace("final@", f"final-{number}@") for number in range(1800))
    content = f"{head}{many}END:VCALENDAR\n"
    body = {**IMPORT, "token": token(writer), "content": content, "sure": "yes", "reason": "cup"}
    empty = {"file": ("", b"", "application/octet-stream")}

    answer = writer.client.post("/event-import", data=body, files=empty, follow_redirects=False)

    assert 350_000 < len(content) < 500_000
    assert answer.status_code == 303, answer.text[:500]
    assert len(writer.stores.events.acting_from(NOW)) == 1800
