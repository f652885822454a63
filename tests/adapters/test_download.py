"""Calendars on the net: only where they may be, only so large, only so long."""

import socket
import time
from datetime import timedelta
from typing import Any

import pytest

from prescaler.adapters.events import download as module
from prescaler.adapters.events.download import Place, download
from prescaler.adapters.events.source import CalendarSource
from prescaler.core.errors import (
    FeedForbidden,
    FeedNotUnderstood,
    FeedTooLarge,
    FeedTooSlow,
    FeedUnreachable,
)
from prescaler.core.event_records import FeedRules
from tests.support.builders import MONDAY, PARIS
from tests.support.raw_server import Answer, says, server

BODY = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


def place(url: str, **changes: Any) -> Place:
    values: dict[str, Any] = {
        "timeout": timedelta(seconds=5),
        "max_bytes": 100_000,
        "allow_http": True,
        "allow_private": True,
    }
    return Place("cup", url, **{**values, **changes})


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Names resolve to these addresses; gives the hosts that are connected to."""
    found = [(2, 1, 6, "", (address, 443)) for address in addresses]
    asked: list[str] = []

    def connect(to: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(to[0])
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", connect)
    return asked


def test_a_calendar_is_fetched() -> None:
    with server(says(BODY, "Content-Type: text/calendar")) as url:
        assert download(place(url)) == BODY
    with server(says(BODY, f"Content-Length: {len(BODY)}")) as url:
        assert download(place(url)) == BODY
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    with server(says(chunked, "Transfer-Encoding: chunked")) as url:
        assert download(place(url)) == BODY


def test_plain_http_is_refused_unless_it_is_meant() -> None:
    with pytest.raises(FeedForbidden) as caught:
        download(place("http://calendar.example/cup.ics", allow_http=False))

    assert str(caught.value) == (
        "cup: http://calendar.example/... is plain http, which anybody on the way may change; "
        "use https, or set `allow_http: true` for this feed"
    )


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a/b", "gopher://a", "https://", "x", "https://a:0/", "//a/b"],
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(FeedForbidden, match="is no https address"):
        download(place(url))


@pytest.mark.parametrize("url", ["https://a:99999/", "https://[::1/"])
def test_what_is_no_address_is_named(url: str) -> None:
    with pytest.raises(FeedUnreachable, match="is no address"):
        download(place(url))


def test_an_address_with_a_password_is_refused() -> None:
    with pytest.raises(FeedForbidden, match="contains a user or a password"):
        download(place("https://ada:secret@calendar.example/"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_no_address_inside_is_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, "93.184.216.34", address)
    with pytest.raises(FeedForbidden) as caught:
        download(place("https://calendar.example/", allow_private=False))

    assert "an address that is not public; set `allow_private: true`" in str(caught.value)
    assert asked == []


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/"]
)
def test_addresses_written_as_numbers_are_seen_through(url: str) -> None:
    with pytest.raises(FeedForbidden, match="not public"):
        download(place(url, allow_private=False))


def test_the_checked_address_is_the_one_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = resolving(monkeypatch, "93.184.216.34", "2606:2800:220:1::1")
    with pytest.raises(FeedUnreachable, match="does not answer: refused"):
        download(place("https://calendar.example/", allow_private=False))

    assert asked == ["93.184.216.34", "2606:2800:220:1::1"]


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(FeedUnreachable, match=r"the name no\.such\.invalid is unknown"):
        download(place("https://no.such.invalid/"))


def test_a_redirect_is_followed_a_few_times() -> None:
    with (
        server(says(BODY)) as there,
        server(says(b"", f"Location: {there}", status="302 Found")) as url,
    ):
        assert download(place(url)) == BODY


def test_a_circle_of_redirects_ends() -> None:
    circle = says(b"", "Location: /again", status="301 Moved")
    with server(circle) as url, pytest.raises(FeedUnreachable, match="more than 3 redirects"):
        download(place(url))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("https://10.0.0.1/", "10.0.0.1 is 10.0.0.1, an address that is not public"),
        ("https://169.254.169.254/latest", "an address that is not public"),
        ("http://calendar.example/", "is plain http"),
        ("file:///etc/passwd", "is no https address"),
    ],
)
def test_a_redirect_leads_nowhere_that_is_not_allowed(
    target: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(where: Place, url: str, watchdog: Any) -> Any:
        if url == "https://calendar.example/":
            return target
        return real(where, url, watchdog)

    real = module._ask
    monkeypatch.setattr(module, "_ask", ask)
    with pytest.raises(FeedForbidden, match=message):
        download(place("https://calendar.example/", allow_http=False, allow_private=False))


def test_fifty_megabytes_are_not_read() -> None:
    sent = 0

    def flood(found: socket.socket) -> None:
        nonlocal sent
        found.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(800):
            found.sendall(b"x" * 65_536)
            sent += 65_536

    with server(flood) as url, pytest.raises(FeedTooLarge) as caught:
        download(place(url))
    assert str(caught.value) == (
        "cup: is larger than 100000 bytes; raise `max_bytes` if it is meant to"
    )
    assert sent < 50 * 2**20


def test_a_calendar_that_says_it_is_too_large_is_not_read() -> None:
    with server(says(b"", "Content-Length: 52428800")) as url, pytest.raises(FeedTooLarge):
        download(place(url))


def drip(found: socket.socket, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
    found.sendall(head)
    while True:
        found.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize(
    "answer",
    [
        drip,
        lambda found: drip(found, b"HTTP/1.1 200 OK\r\nX-Slow: "),
        lambda found: found.recv(1),
    ],
)
def test_a_calendar_that_never_ends_is_cut_off(answer: Answer) -> None:
    began = time.monotonic()
    with server(answer) as url, pytest.raises(FeedTooSlow) as caught:
        download(place(url, timeout=timedelta(seconds=0.4)))
    assert time.monotonic() - began < 20  # a bound on patience, no measurement
    assert str(caught.value) == (
        "cup: had not ended after 0.4 s; raise `timeout` if it is meant to be that slow"
    )


def test_a_handshake_that_never_ends_is_cut_off() -> None:
    slow = timedelta(seconds=0.4)
    with (
        server(lambda found: drip(found, b"\x16\x03\x03\x40\x00")) as url,
        pytest.raises(FeedTooSlow),
    ):
        download(place(url.replace("http:", "https:"), timeout=slow))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (says(b"", status="500 Broken"), "HTTP 500 Broken"),
        (says(b"", status="401 No"), "HTTP 401 No"),
        (says(b"", status="302 Found"), "HTTP 302 Found"),
        (says(BODY, "Content-Encoding: gzip"), "sends it compressed"),
        (says(BODY, "Content-Length: 100"), "cut|closed|read"),
        (lambda found: found.sendall(b"SSH-2.0-x\r\n"), "SSH"),
        (lambda found: None, "cup: "),
    ],
)
def test_what_servers_do_wrong_is_named(answer: Answer, message: str) -> None:
    with server(answer) as url, pytest.raises(FeedUnreachable, match=message):
        download(place(url))


def test_tls_is_checked() -> None:
    with server(says(BODY)) as url, pytest.raises(FeedUnreachable):
        download(place(url.replace("http:", "https:")))


def test_a_page_instead_of_a_calendar_is_named() -> None:
    with server(says(b"<!doctype html><title>Sign in</title>")) as url:
        source = CalendarSource(FeedRules("cup", PARIS), "ical", place(url))
        with pytest.raises(FeedNotUnderstood) as caught:
            source.fetch(MONDAY)
    assert str(caught.value) == "cup: is an HTML page, no calendar; is the address right?"
