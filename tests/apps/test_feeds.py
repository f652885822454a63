"""Calendars from the file to what is served: fetched on schedule, bounded, counted, never lost."""

import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from prescaler.apps.cli import main
from prescaler.apps.scheduler.feeds import FeedWatch
from prescaler.core.event_records import EventQuery
from tests.apps.conftest import Serve, Served
from tests.support.builders import MINUTE
from tests.support.raw_server import Answer, says, server

CUP = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//cup//EN
BEGIN:VEVENT
UID:a@cup
SUMMARY:Semi-final
DTSTART:20261123T003000Z
DTEND:20261123T023000Z
END:VEVENT
BEGIN:VEVENT
UID:b@cup
SUMMARY:Final
DTSTART:20261126T200000Z
DTEND:20261126T220000Z
END:VEVENT
END:VCALENDAR
"""
HEAD = "Content-Type: text/calendar"


def feed(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "cup",
        "url": url,
        "kind": "football",
        "workloads": "all",
        "min_pods": 90,
        "allow_http": True,
        "allow_private": True,
        "timeout": "1s",
        "max_bytes": 100_000,
        **changes,
    }


class Watched:
    """The application with a feed, and the leader's watch over it."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.watch = FeedWatch(served.stores, served.telemetry, served.clock)

    def fetch(self, after: timedelta = timedelta(0)) -> list[Any]:
        self.served.clock.move(after)
        with capture_logs() as lines:
            self.watch.round(self.served.keeper.settings)
            self.watch.wait()
        self.served.keeper.refresh()
        return lines

    @property
    def errors(self) -> float | None:
        return self.served.telemetry.registry.get_sample_value(
            "prescaler_feed_errors_total", {"feed": "cup"}
        )

    @property
    def names(self) -> list[str]:
        found = self.served.stores.events.find(EventQuery())
        return [e.name for e in found if e.state.value == "confirmed"]

    @property
    def status(self) -> dict[str, Any]:
        (found,) = self.served.get("/api/v1/status").json()["feeds"]
        return dict(found)


def watching(serve: Serve, section: dict[str, Any]) -> Watched:
    return Watched(serve(events={"feeds": [section]}))


class Turns:
    """Answers one after the other; the last one stays."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def __call__(self, found: socket.socket) -> None:
        (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(found)


def test_a_calendar_is_fetched_served_and_shown(serve: Serve) -> None:
    with server(says(CUP, HEAD)) as url:
        one = watching(serve, feed(url))
        assert one.status["at"] is None
        lines = one.fetch()

        assert one.names == ["Semi-final", "Final"]
        assert one.served.metric().json()["pods"] == 90
        assert [line["event"] for line in lines] == ["feed_taken_over"]
        assert one.errors == 0
        status = one.status
        assert (status["events"], status["error"], status["warnings"]) == (2, None, [])
        assert status["at"] == status["good_at"] == "2026-11-23T01:00:00Z"


def test_it_is_fetched_again_when_its_time_has_come(serve: Serve) -> None:
    gone = CUP.replace(b"UID:b@cup", b"UID:c@cup").replace(b"SUMMARY:Final", b"SUMMARY:Replay")
    answers = Turns(says(CUP, HEAD), says(gone, HEAD))
    with server(answers) as url:
        one = watching(serve, feed(url))
        one.fetch()
        assert one.fetch(14 * MINUTE) == []
        assert one.names == ["Semi-final", "Final"]

        one.fetch(MINUTE)

        assert one.names == ["Semi-final", "Replay"]


def test_a_feed_that_breaks_keeps_its_events_warns_is_counted_and_asked_again_soon(
    serve: Serve,
) -> None:
    answers = Turns(says(CUP, HEAD), says(b"no", status="500 Oops"), says(CUP, HEAD))
    with server(answers) as url:
        one = watching(serve, feed(url))
        one.fetch()
        (line,) = one.fetch(15 * MINUTE)

        assert (line["event"], line["log_level"]) == ("feed_failed", "warning")
        assert (line["kind"], line["kept"]) == ("feed_unreachable", "the events known before")
        assert one.errors == 1
        assert one.names == ["Semi-final", "Final"]
        assert one.served.metric().json()["pods"] == 90
        assert "HTTP 500" in one.status["error"]
        assert one.status["good_at"] == "2026-11-23T01:00:00Z"
        assert one.fetch(4 * MINUTE) == []
        one.fetch(MINUTE)
        assert one.status["error"] is None


def endless(found: socket.socket) -> None:
    found.sendall(b"HTTP/1.1 200 OK\r\n\r\nBEGIN:VCALENDAR\r\n")
    while True:
        found.sendall(b"X-WAIT:1\r\n")
        time.sleep(0.05)


def flood(found: socket.socket) -> None:
    found.sendall(b"HTTP/1.1 200 OK\r\n\r\nBEGIN:VCALENDAR\r\n")
    for _ in range(50):
        found.sendall(b"X" * 2**20)


def silent(found: socket.socket) -> None:
    found.recv(1)


MANY = b"BEGIN:VEVENT\r\nUID:%d\r\nDTSTART:20261126T200000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
TOO_MANY = b"BEGIN:VCALENDAR\r\n" + b"".join(MANY % n for n in range(12_001)) + b"END:VCALENDAR"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (flood, "feed_too_large", "larger than 100000 bytes"),
        (says(b"", "Content-Length: 52428800"), "feed_too_large", "larger than"),
        (endless, "feed_too_slow", "had not ended after 1 s"),
        (silent, "feed_too_slow", "had not ended after 1 s"),
        (says(b"<!doctype html><p>sign in", HEAD), "feed_not_understood", "is an HTML page"),
        (says(CUP[:-20], HEAD), "feed_not_understood", "cut off"),
        (says(b"", HEAD), "feed_not_understood", "no calendar"),
        (says(CUP, "Content-Length: 5000"), "feed_unreachable", "cut before the end"),
        (says(b"", status="404 Not Found"), "feed_unreachable", "HTTP 404"),
        (says(b"", "Location: /cup.ics", status="302 Found"), "feed_unreachable", "3 redirects"),
        (says(b"", "Location: file:///etc/passwd", status="302 Found"), "feed_forbidden", "https"),
        (lambda found: None, "feed_unreachable", ""),
    ],
    ids=[
        *("50-MB", "50-MB-announced", "never-ending", "silent", "HTML", "cut", "empty"),
        *("shorter-than-said", "404", "redirected-in-circles", "redirected-to-a-file", "hung-up"),
    ],
)
def test_a_hostile_calendar_harms_nothing(
    serve: Serve, answer: Answer, kind: str, words: str
) -> None:
    with server(Turns(says(CUP, HEAD), answer)) as url:
        one = watching(serve, feed(url))
        one.fetch()
        (line,) = one.fetch(15 * MINUTE)

        assert line["kind"] == kind
        assert words in line["error"]
        assert (one.errors, one.names) == (1, ["Semi-final", "Final"])


def test_more_events_than_anybody_plans_are_refused(serve: Serve) -> None:
    section = {"max_bytes": 2_000_000, "timeout": "30s"}
    with server(says(TOO_MANY, HEAD)) as url:
        one = watching(serve, feed(url, **section))
        (line,) = one.fetch()

        assert line["kind"] == "feed_too_large"
        assert one.names == []


class Secret:
    """Something inside that nobody may ask on our behalf."""

    asked = False

    def __call__(self, found: socket.socket) -> None:
        self.asked = True
        says(CUP, HEAD)(found)


def test_no_private_address_is_asked_unless_that_is_configured(serve: Serve) -> None:
    secret = Secret()
    with server(secret) as url:
        one = watching(serve, feed(url, allow_private=False))
        (line,) = one.fetch()

    assert line["kind"] == "feed_forbidden"
    assert "not public" in line["error"]
    assert (secret.asked, one.names) == (False, [])


def test_no_public_server_sends_us_to_a_private_address(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, connect, resolve = Secret(), socket.create_connection, socket.getaddrinfo
    public = [(2, 1, 6, "", ("93.184.216.34", 80))]

    def resolved(host: str, *rest: Any, **more: Any) -> Any:
        return public if host == "public.example" else resolve(host, *rest, **more)

    with server(secret) as inner:
        redirect = says(b"", f"Location: {inner}", status="302 Found")
        with server(redirect) as outer, monkeypatch.context() as patch:
            port = int(outer.split(":")[2].split("/")[0])
            patch.setattr(socket, "getaddrinfo", resolved)
            patch.setattr(
                socket,
                "create_connection",
                lambda _, timeout: connect(("127.0.0.1", port), timeout),
            )
            section = feed("http://public.example/cup.ics", allow_private=False)
            one = watching(serve, section)
            (line,) = one.fetch()

    assert line["kind"] == "feed_forbidden"
    assert "127.0.0.1" in line["error"]
    assert (secret.asked, one.names) == (False, [])


def test_an_address_with_a_secret_stays_out_of_file_log_and_status(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {k: v for k, v in feed("").items() if k != "url"}
    with server(says(b"", "Location: http:// x", status="302 Found")) as url:
        monkeypatch.setenv("CUP", url.replace("cup.ics", "private-s3cret/basic.ics?token=s3cret"))
        one = watching(serve, {**section, "url_env": "CUP"})
        lines = one.fetch()

        assert lines[0]["event"] == "feed_failed"
        assert "s3cret" not in str(lines) + str(one.status)
        monkeypatch.setenv("CUP", "https://calendar.example/private-s3cret/a b.ics")
        (line,) = one.fetch(15 * MINUTE)
        assert line["event"] == "feed_failed"
        assert "s3cret" not in str(line)
    monkeypatch.delenv("CUP")
    with pytest.raises(Exception, match="CUP is empty or not set"):
        serve(events={"feeds": [{**section, "url_env": "CUP"}]})
    with pytest.raises(Exception, match="exactly one of url"):
        serve(events={"feeds": [{**section, "url_env": "CUP", "file": "x.ics"}]})


def test_plain_http_is_refused_when_the_file_is_read(serve: Serve) -> None:
    with pytest.raises(Exception, match="plain http"):
        serve(events={"feeds": [feed("http://calendar.example/cup.ics", allow_http=False)]})


def test_a_file_is_a_feed_too_and_its_wrong_lines_are_named_once(
    serve: Serve, tmp_path: Path
) -> None:
    rows = ["name,kind,start,end", "Final,k,2026-11-26T20:00Z,2026-11-26T22:00Z", "x,k,soon,late"]
    (tmp_path / "cup.csv").write_text("\n".join([*rows, ""]))
    section = {
        "name": "cup",
        "file": str(tmp_path / "cup.csv"),
        "format": "csv",
        "labels": {"team": "core"},
    }
    one = watching(serve, section)
    lines = one.fetch()
    again = one.fetch(15 * MINUTE)

    assert [line["event"] for line in lines] == ["feed_entries_unusable", "feed_taken_over"]
    assert lines[0]["count"] == 1
    assert again == []
    assert one.names == ["Final"]
    assert "line 3" in one.status["warnings"][0]


def test_a_slow_feed_holds_up_no_other_and_is_not_asked_twice_at_once(
    serve: Serve, tmp_path: Path
) -> None:
    go, asked = threading.Event(), []

    def slow(found: socket.socket) -> None:
        asked.append(1)
        go.wait(20)
        says(CUP, HEAD)(found)

    rows = "name,start,end\nSale,2026-11-26T20:00Z,2026-11-26T22:00Z\n"
    (tmp_path / "sale.csv").write_text(rows)
    other = {
        "name": "sale",
        "file": str(tmp_path / "sale.csv"),
        "format": "csv",
        "workloads": "all",
    }
    with server(slow) as url:
        served = serve(events={"feeds": [feed(url, timeout="30s"), other]})
        one = Watched(served)
        one.watch.round(served.keeper.settings)
        one.watch._states["sale"].running.join(10)  # type: ignore[union-attr]
        assert one.names == ["Sale"]

        served.clock.move(15 * MINUTE)
        with capture_logs() as lines:
            one.watch.round(served.keeper.settings)
            one.watch.round(served.keeper.settings)
        go.set()
        one.watch.wait()

        assert len(asked) == 1
        assert [line["event"] for line in lines if line.get("feed") == "cup"] == ["feed_hangs"]
        assert one.errors == 1
        assert sorted(one.names) == ["Final", "Sale", "Semi-final"]


def test_a_changed_section_is_fetched_at_once_and_a_removed_one_no_more(serve: Serve) -> None:
    with server(says(CUP, HEAD)) as url:
        one = watching(serve, feed(url))
        one.fetch()
        settings = one.served.keeper.settings
        changed = settings.feeds[0].model_copy(update={"min_pods": 120})

        one.watch.round(_with_feeds(settings, (changed,)))
        one.watch.wait()

        found = one.served.stores.events.find(EventQuery())
        assert {e.effect.min_pods for e in found} == {120}
        one.watch.round(_with_feeds(settings, ()))
        assert one.watch._states == {}


def _with_feeds(settings: Any, feeds: tuple[Any, ...]) -> Any:
    from dataclasses import replace

    return replace(settings, feeds=feeds)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_of_ours_is_counted_and_tried_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("prescaler.apps.scheduler.feeds.sync_feed", broken)
    one = watching(serve, feed("https://calendar.example/cup.ics"))
    assert one.fetch() == []
    (line,) = one.fetch(MINUTE)
    assert (line["event"], one.errors) == ("feed_defect", 1)
    (line,) = one.fetch(5 * MINUTE) + one.fetch(MINUTE)
    assert one.errors == 2


def test_the_status_answers_without_a_store(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    one = watching(serve, feed("https://calendar.example/cup.ics"))
    one.served.stores.database.close()
    store = one.served.path.parent / "store.sqlite"
    store.unlink()
    store.mkdir()

    assert one.status == {
        "name": "cup", "at": None, "good_at": None, "error": None, "events": None,
        "warnings": [],
    }  # fmt: skip


def test_check_asks_feeds(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(answer: Answer, *options: str) -> tuple[int, str]:
        with server(answer) as url:
            served = serve(events={"feeds": [feed(url)]}, workloads=[])
            arguments = ["check", "--config", str(served.path), "--probe", *options]
            capsys.readouterr()
            code = main._exit_code(arguments)
        return code, capsys.readouterr().out

    monkeypatch.setenv("COLUMNS", "200")
    code, out = check(says(CUP, HEAD))
    assert (code, "│ cup" in out, "none" in out) == (0, True, True)
    code, out = check(says(b"<html>", HEAD))
    assert (code, "is an HTML page" in out) == (1, True)
    code, out = check(says(b"", status="404 Not Found"), "--json")
    assert (code, '"feed_unreachable"' in out) == (4, True)
