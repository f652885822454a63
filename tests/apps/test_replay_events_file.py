"""`replay --events` with every bad kind of file, and a report that holds what they say."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from prescaler.apps.cli import main
from tests.support.builders import DAY, MONDAY, daily_demand

Run = Callable[..., tuple[int, str, str]]
END = MONDAY + 2.5 * DAY
HEAD = "name,kind,start,end"
START, STOP = END - timedelta(hours=4), END - timedelta(hours=2)
GOOD = f"final,football,{START:%Y-%m-%dT%H:%M:%SZ},{STOP:%Y-%m-%dT%H:%M:%SZ}"
FAR = "far,football,2199-01-01T00:00:00Z,2199-01-01T02:00:00Z"
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</title><base href=//evil.example/>",
    "{{ 7*7 }} [red]bold[/red] https://evil.example/x.js",
    "javascript:alert(1) &lt;b&gt; \u202egnp",
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], wide: None, tmp_path: Path) -> Run:
    """With a file of events of that text, over the last six hours of a trace."""
    values = np.repeat(daily_demand(2.5), 5)
    rows = [
        f"{MONDAY + n * timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ},{v:.3f}"
        for n, v in enumerate(values)
    ]
    trace = tmp_path / "shop.csv"
    trace.write_text("\n".join(("timestamp,value", *rows, "")))

    def runner(content: str | bytes, *more: str, name: str = "matches.csv") -> tuple[int, str, str]:
        events = tmp_path / name
        events.write_bytes(content if isinstance(content, bytes) else content.encode())
        code = main._exit_code(
            ["replay", "--csv", str(trace), "--events", str(events), "--since", "6h", "--runs", "1",
             "--processes", "1", "--arms", "reactive", "--no-sweep", *more]
        )  # fmt: skip
        found = capsys.readouterr()
        return code, found.out, found.err

    return runner


def table(*rows: str, head: str = HEAD) -> str:
    return "\n".join((head, *rows, ""))


@pytest.mark.parametrize(
    ("content", "name", "text"),
    [
        ("", "matches.csv", "the column name is missing"),
        ("", "matches.ics", "no calendar"),
        ("no: list", "matches.yaml", "matches"),
        ("name,kind,start\na,b,c\n", "matches.csv", "the column end is missing"),
        (table("a,b"), "matches.csv", "line 2 has 2 columns instead of 4"),
        (b"\xff\xfe\x00", "matches.csv", "is no UTF-8 text"),
        (b"name,start,end\n\0", "matches.csv", "contains a NUL byte"),
        ('name,start,end\n"a,b,c\n', "matches.csv", "is no CSV"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "matches.ics", "cut off"),
        ("[{", "matches.yaml", "matches"),
    ],
)
def test_a_file_that_is_no_calendar_is_refused_before_any_work(
    run: Run, content: str | bytes, name: str, text: str
) -> None:
    code, said, told = run(content, name=name)

    assert code not in (0, 1), told
    assert text in told
    assert "Traceback" not in told
    assert said == ""


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (GOOD, "line 3: stands twice; the first one counts"),
        ("late,football,2026-11-25T10:00:00Z,2026-11-25T09:00:00Z", "line 3: end: must lie behind"),
        ("same,football,2026-11-25T10:00:00Z,2026-11-25T10:00:00Z", "line 3: end: must lie behind"),
        ("when,football,tomorrow,2026-11-25T10:00:00Z", "line 3: start:"),
        ("never,football,2026-11-31T10:00:00Z,2026-11-31T11:00:00Z", "line 3: start:"),
        (",football,2026-11-25T10:00:00Z,2026-11-25T11:00:00Z", "line 3: name:"),
        ("odd,Foot Ball,2026-11-25T10:00:00Z,2026-11-25T11:00:00Z", "line 3: kind:"),
    ],
)
def test_a_row_that_cannot_be_is_named_and_the_others_are_played(
    run: Run, row: str, complaint: str
) -> None:
    code, said, told = run(table(GOOD, row), "--json")

    assert code == 0, told
    assert f"left out: {complaint}" in told
    assert [one["name"] for one in json.loads(said)["events"]] == ["final"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (table(), "no event of matches.csv that can be used"),
        (
            table("old,football,1970-01-01T00:00:00Z,1970-01-01T02:00:00Z"),
            "none of the 1 events of matches.csv lies in the period",
        ),
        (
            table(FAR, GOOD.replace("2026", "2025")),
            "none of the 2 events of matches.csv lies in the period",
        ),
    ],
)
def test_events_that_play_no_part_are_told(run: Run, content: str, text: str) -> None:
    code, said, told = run(content, "--json")

    assert code == 0, told
    assert text in told
    assert json.loads(said)["events"] == []


def test_an_event_of_1970_beside_a_good_one_changes_nothing(run: Run) -> None:
    old = "old,football,1970-01-01T00:00:00Z,1970-01-01T02:00:00Z"
    one, both = (json.loads(run(table(*rows), "--json")[1]) for rows in ((GOOD,), (GOOD, old)))

    assert one["events"]
    assert both == one


@pytest.mark.parametrize(
    ("zone", "start"),
    [("UTC", "2026-11-25T08:00:00Z"), ("Europe/Paris", "2026-11-25T07:00:00Z")],
)
def test_a_wall_clock_is_that_of_the_zone_that_was_said(run: Run, zone: str, start: str) -> None:
    rows = table("final,football,2026-11-25T08:00:00,2026-11-25T10:00:00")
    code, said, told = run(rows, "--timezone", zone, "--json")

    assert code == 0, told
    assert [one["start"] for one in json.loads(said)["events"]] == [start]


def test_zones_that_are_none(run: Run) -> None:
    code, _, told = run(table(GOOD), "--timezone", "Europe/Atlantis")
    assert (code, "is no zone" in told) == (2, True)

    code, said, told = run(
        table(f"{GOOD},", f"lost,{GOOD[6:]},Mars/Base", head=f"{HEAD},timezone"), "--json"
    )
    assert code == 0, told
    assert "left out: line 3: timezone:" in told
    assert [one["name"] for one in json.loads(said)["events"]] == ["final"]


class Tags(HTMLParser):
    """Every tag with what it carries, and all text between them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_of_hostile_names_needs_nothing_and_runs_nothing(run: Run, tmp_path: Path) -> None:
    def row(name: str) -> str:
        return GOOD.replace("final", '"' + name.replace('"', '""') + '"', 1)

    plain, report = tmp_path / "plain.html", tmp_path / "report.html"
    run(table(GOOD), "--html", str(plain))
    code, _, told = run(table(*map(row, HOSTILE)), "--html", str(report))
    tame, wild = seen(plain), seen(report)

    assert code == 0, told
    for name in HOSTILE:
        assert name in wild.text
    assert {tag for tag, _ in wild.tags} == {tag for tag, _ in tame.tags}, "names make no tags"
    names = {name for _, carried in wild.tags for name in carried}
    assert not names & {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}
    assert not any(name.startswith("on") for name in names)
    assert not {"script", "link", "iframe", "object", "base", "img"} & {t for t, _ in wild.tags}
    assert not re.search(r"url\(|@import", report.read_text())
    assert not re.search(r"https?:|//[a-z]", plain.read_text())


def seen(path: Path) -> Tags:
    found = Tags()
    found.feed(path.read_text(encoding="utf-8"))
    return found
